"""Celery as the one who runs due work: what its messages say, how many there are, and what happens without them."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from linkback import Claim, ConfigurationError, Outcome, Policy, Site, Sites, open_store
from linkback.adapters import celery
from linkback.adapters.celery import RUN, SWEEP, CeleryRunner, connect
from linkback.jobs import External
from linkback.policy import Outgoing
from linkback.site import utcnow
from linkback.testing import FakeWeb
from tests.serving import eventually

HOME = "https://home.example"
SOURCE = "https://alice.example/note"
MINUTE = timedelta(minutes=1)


def an_app(broker: str = "memory://") -> Celery:
    """An application with a queue of its own: brokers in memory are shared by the process."""
    app = Celery("blog", broker=broker, set_as_current=False)
    app.conf.update(task_default_queue=uuid.uuid4().hex, broker_transport_options={"polling_interval": 0.01})
    return app


@pytest.fixture
def app() -> Iterator[Celery]:
    app = an_app()
    yield app
    app.close()


@pytest.fixture
def site() -> Iterator[Site]:
    web = FakeWeb({SOURCE: f"<a href='{HOME}/post'>x</a>"})
    policy, outgoing = Policy(settle_seconds=0, recheck_days=0), Outgoing(host_seconds=0)
    with Site(HOME, store="sqlite://", fetch=web, policy=policy, outgoing=outgoing, runner=External()) as site:
        yield site


def owe(site: Site, count: int, *, at: datetime | None = None, post: str = "post") -> list[int]:
    """Deliveries of a post, each to a host of its own; the ids of their jobs."""
    known = set(waiting(site))
    links = "".join(f"<a href='https://{post}{number}.example/'>x</a>" for number in range(count))
    site.publish(f"{HOME}/{post}", links, at=at)
    return [id for id in waiting(site) if id not in known]


def waiting(site: Site) -> list[int]:
    return [id for id, _ in site.store.due(utcnow() + 60 * MINUTE, limit=10_000)]


def messages(app: Celery) -> list[tuple[str, list[Any], dict[str, Any]]]:
    """Task, arguments and headers of what waits in the queue, which is empty then."""
    found = []
    with app.connection_for_read() as connection:
        queue = connection.SimpleQueue(app.conf.task_default_queue)
        while queue.qsize():
            message = queue.get_nowait()
            message.ack()
            args, kwargs, _ = message.payload
            found.append((message.headers["task"], [*args, *kwargs.values()], message.headers))
        queue.close()
    return found


def sent(app: Celery) -> list[tuple[str, list[Any]]]:
    return [(task, args) for task, args, _ in messages(app)]


def served_by(app: Celery, blog: Any, **settings: Any) -> None:
    """Have the app's workers do the blog's work, untold of what is new."""
    connect(app, blog, **settings)
    blog.run_by(External())


def do(app: Celery, task: str, *args: Any) -> Any:
    """What a worker does with a message."""
    return app.tasks[task].apply(args, throw=True).result


# the tasks


def test_a_sweep_sends_the_id_of_each_job_that_is_due(app: Celery, site: Site) -> None:
    served_by(app, site)
    ids = owe(site, 3)
    assert do(app, SWEEP) == 3
    assert sent(app) == [(RUN, [id]) for id in ids]


def test_a_message_has_exactly_its_job_done_and_once(app: Celery, site: Site) -> None:
    served_by(app, site)
    first, second, third = owe(site, 3)
    assert [do(app, RUN, second), do(app, RUN, second)] == [True, False]
    assert waiting(site) == [first, third]
    assert [each.outcome is Outcome.QUEUED for each in site.deliveries()] == [True, False, True]


def test_a_message_for_a_job_that_is_held_not_due_or_unknown_does_nothing(app: Celery, site: Site) -> None:
    served_by(app, site)
    [later] = owe(site, 1, at=utcnow() + 5 * MINUTE, post="later")
    [held] = owe(site, 1)
    site.store.lease(utcnow(), utcnow() + 3 * MINUTE)
    assert [do(app, RUN, id) for id in (later, held, 4711)] == [False, False, False]
    assert {each.outcome for each in site.deliveries()} == {Outcome.QUEUED}


def test_a_job_that_is_due_before_the_next_sweep_gets_a_message_that_waits_for_it(app: Celery, site: Site) -> None:
    served_by(app, site, every=60)
    due = utcnow() + MINUTE / 2
    [soon] = owe(site, 1, at=due)
    owe(site, 1, at=utcnow() + 2 * MINUTE, post="later")
    assert do(app, SWEEP) == 1
    [(task, args, headers)] = messages(app)
    assert (task, args) == (RUN, [soon])
    assert datetime.fromisoformat(headers["eta"]) > due
    assert datetime.fromisoformat(headers["expires"]) > due + MINUTE


def test_what_a_sweep_sends_expires_when_the_next_sends_it_again(app: Celery, site: Site) -> None:
    served_by(app, site, every=60)
    owe(site, 1)
    before = utcnow()
    do(app, SWEEP)
    [(_, _, headers)] = messages(app)
    assert headers["eta"] is None, "any worker may begin at once"
    assert before + MINUTE <= datetime.fromisoformat(headers["expires"]) <= utcnow() + MINUTE


def test_a_sweep_is_bounded_and_the_rest_comes_behind_it(app: Celery, site: Site) -> None:
    served_by(app, site, most=2)
    ids = owe(site, 3)
    do(app, SWEEP)
    assert sent(app) == [(RUN, [ids[0]]), (RUN, [ids[1]]), (SWEEP, [])]
    for id in ids[:2]:
        do(app, RUN, id)
    do(app, SWEEP)
    assert sent(app) == [(RUN, [ids[2]])]


def test_a_full_sweep_of_jobs_to_come_is_not_repeated_until_they_are_due(app: Celery, site: Site) -> None:
    served_by(app, site, most=2, every=60)
    ids = owe(site, 3, at=utcnow() + MINUTE / 2)
    do(app, SWEEP)
    assert sent(app) == [(RUN, [ids[0]]), (RUN, [ids[1]])]


def test_a_nudge_sends_what_is_new_and_a_complete_sweep_everything(app: Celery, site: Site) -> None:
    served_by(app, site)
    old = owe(site, 2)
    do(app, SWEEP)
    new = owe(site, 1, post="new")
    messages(app)
    do(app, SWEEP, True)
    assert sent(app) == [(RUN, [id]) for id in new]
    do(app, SWEEP, True)
    assert sent(app) == []
    do(app, SWEEP)
    assert sent(app) == [(RUN, [id]) for id in (*old, *new)]


def test_a_job_that_is_due_again_is_new(app: Celery, site: Site) -> None:
    """One that was given back, or whose worker died."""
    served_by(app, site)
    [id] = owe(site, 1)
    do(app, SWEEP, True)
    [job] = site.store.lease(utcnow(), utcnow() + MINUTE)
    site.store.release(job, due=utcnow())
    messages(app)
    do(app, SWEEP, True)
    assert sent(app) == [(RUN, [id])]


def test_the_workers_of_many_blogs_do_the_work_of_all(app: Celery) -> None:
    homes = (HOME, "https://b.example")
    store = open_store("sqlite://")
    blogs = [Site(url, store=store, fetch=FakeWeb(), runner=External()) for url in homes]
    with Sites(blogs, store=store) as sites:
        served_by(app, sites)
        for number, blog in enumerate(blogs):
            blog.publish(f"{blog.url}/post", f"<a href='https://x.{number}.example/'>x</a>")
        assert do(app, SWEEP) == 2
        assert [do(app, task, *args) for task, args in sent(app)] == [True, True]
        assert [[each.outcome for each in blog.deliveries()] for blog in blogs] == [[Outcome.REFUSED]] * 2


# connecting


def test_the_sweep_is_in_the_beat_schedule(app: Celery, site: Site) -> None:
    connect(app, site, every=12)
    entry = app.conf.beat_schedule[celery.BEAT_ENTRY]
    assert (entry["task"], entry["schedule"]) == (SWEEP, 12)
    assert entry["options"] == {"expires": 12}, "sweeps do not pile up while no worker is there"


def test_a_blog_is_made_when_it_is_first_needed_and_once(app: Celery, site: Site) -> None:
    made: list[Site] = []

    def make() -> Site:
        made.append(site)
        return site

    blog = connect(app, make)
    assert made == []
    do(app, SWEEP)
    do(app, SWEEP)
    assert [blog(), *made] == [site, site]


def test_each_app_works_for_its_own_blog(app: Celery, site: Site) -> None:
    other = an_app()
    with Site("https://b.example", store="sqlite://", fetch=FakeWeb(), runner=External()) as empty:
        served_by(app, site)
        served_by(other, empty)
        owe(site, 1)
        assert [do(app, SWEEP), do(other, SWEEP)] == [1, 0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"every": 0}, "every 0 seconds"), ({"every": -1}, "every -1 seconds"), ({"most": 0}, "a sweep of 0 jobs")],
)
def test_a_sweep_that_does_nothing_is_refused(app: Celery, site: Site, settings: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        connect(app, site, **settings)


def test_one_app_has_one_blog(app: Celery, site: Site) -> None:
    with pytest.raises(ConfigurationError, match="works for no blog: call"):
        do(app, SWEEP)
    connect(app, site)
    with pytest.raises(ConfigurationError, match="give it a Sites"):
        connect(app, site)


def test_without_celery_it_is_said_what_to_install() -> None:
    code = "import sys; sys.modules['celery'] = None; import linkback.adapters.celery"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    needs = "linkback.adapters.celery needs Celery: pip install 'linkback[celery]'"
    assert done.stderr.splitlines()[-1] == f"linkback.errors.ConfigurationError: {needs}"


# nudges


@pytest.fixture
def no_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second nudge would have to wait longer than any test."""
    monkeypatch.setattr(celery, "_PACE", 3600)


@pytest.mark.usefixtures("no_pace")
def test_any_number_of_nudges_is_one_message_now_and_one_at_the_end(app: Celery) -> None:
    runner = CeleryRunner(app)
    for _ in range(100):
        runner.nudge()
    runner.settle()
    runner.stop()
    assert 1 <= len(found := sent(app)) <= 2
    assert set(map(str, found)) == {str((SWEEP, [True]))}


def test_a_nudge_during_the_pause_is_heard_after_it(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(celery, "_PACE", 0.01)
    runner = CeleryRunner(app)
    for _ in range(3):
        runner.nudge()
        assert eventually(lambda: sent(app)) == [(SWEEP, [True])]
    runner.stop()


def test_a_runner_that_was_stopped_sends_nothing_more(app: Celery) -> None:
    runner = CeleryRunner(app)
    runner.stop()
    runner.nudge()
    assert runner._thread is None
    assert sent(app) == []


@pytest.mark.parametrize(
    ("broker", "message"),
    [("amqp://127.0.0.1:1/", "broker is away"), ("no-such-transport://", "could not tell Celery")],
)
def test_a_broker_that_is_away_harms_nobody(
    site: Site, broker: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = an_app(broker)
    app.conf.broker_transport_options = {"max_retries": 1, "interval_start": 0, "interval_step": 0}
    blog = connect(app, site)
    assert blog().publish(f"{HOME}/post", "<a href='https://x.example/'>x</a>") != []
    assert blog().receive(Claim("webmention", SOURCE, f"{HOME}/post"))
    eventually(lambda: message in caplog.text)
    site.drain()
    assert len(site.mentions()) == 1


def test_a_thread_that_cannot_be_started_harms_nobody(
    app: Celery, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(thread: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr("threading.Thread.start", full)
        runner = CeleryRunner(app)
        runner.nudge()
    assert "could not be started" in caplog.text
    runner.nudge()
    runner.stop()
    assert sent(app) == [(SWEEP, [True])], "the next nudge tries again"


FORKING = """
    import os, sys, threading
    from celery import Celery
    from linkback.adapters.celery import CeleryRunner
    from tests.serving import eventually
    options = {"data_folder_in": sys.argv[1], "data_folder_out": sys.argv[1]}
    app = Celery("blog", broker="filesystem://", set_as_current=False)
    app.conf.broker_transport_options = {**options, "control_folder": sys.argv[2]}
    runner = CeleryRunner(app)
    runner.nudge()
    # two processes that write the files of this broker at once are in each other's way
    eventually(lambda: os.listdir(sys.argv[1]))
    runner._wake.acquire()
    child = os.fork()
    if child == 0:
        runner.nudge()
        runner.stop()
        os._exit(0)
    runner._wake.release()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    runner.stop()
    sys.exit(code)
"""


def test_a_forked_process_has_a_messenger_of_its_own(tmp_path: Path) -> None:
    """Servers make the application first and then fork, perhaps at a moment when the lock is held."""
    queue, control = tmp_path / "queue", tmp_path / "control"
    queue.mkdir()
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(FORKING), str(queue), str(control)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, cwd=Path(__file__).parents[1]
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(list(queue.iterdir())) == 2


# all together


def test_a_claim_becomes_a_mention_with_no_thread_of_linkback(app: Celery, site: Site) -> None:
    connect(app, site)
    receipt = site.receive(Claim("webmention", SOURCE, f"{HOME}/post"))

    def checked() -> bool:
        for task, args in sent(app):
            do(app, task, *args)
        record = site.claim(receipt.id)
        return record is not None and not record.open

    eventually(checked)
    assert len(site.mentions()) == 1
