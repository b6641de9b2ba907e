"""The one object that a blog engine holds: its work, its threads, its end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import linkback.fetch
from linkback.errors import ConfigurationError, Reason, Refused, StoreError
from linkback.jobs import Embedded, External
from linkback.model import Claim, ClaimState, JobKind, Mention, Outcome, Status
from linkback.ownpages import Resolve
from linkback.policy import Policy, Retry
from linkback.site import MOST_ATTEMPTS, Site, utcnow
from linkback.store import Storage, open_store
from linkback.testing import FakeClock, FakeWeb
from linkback.wire import Request, Response
from linkback.work import LEASE_SECONDS

#: how long a test waits for what comes at once; reached only where something is broken
PATIENCE = 30.0
S = "https://s.example/note"
T = "https://t.example/post"
U = "https://u.example/"
V = "https://v.example/"
LINKING = f"<title>Note</title><p>I like <a href='{T}'>this</a>.</p>"
WEBMENTION = Claim("webmention", S, T)
QUICK = Policy(settle_seconds=0, host_seconds=0)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def web() -> FakeWeb:
    return FakeWeb({S: LINKING})


@pytest.fixture
def store() -> Iterator[Storage]:
    store = open_store("sqlite://")
    yield store
    store.close()


@pytest.fixture
def site(store: Storage, web: FakeWeb, clock: FakeClock) -> Site:
    return Site("https://t.example", store=store, fetch=web, clock=clock, policy=QUICK, runner=External())


def mentioned(site: Site) -> Mention:
    site.receive(WEBMENTION)
    site.drain()
    [mention] = site.mentions()
    return mention


# beginning and end


@pytest.mark.parametrize("url", ["", "t.example", "ftp://t.example/", "https://u:p@t.example/", "https://"])
def test_a_site_has_a_web_address(url: str) -> None:
    with pytest.raises(ConfigurationError, match="absolute http or https URL"):
        Site(url, store="sqlite://")


def test_a_store_that_cannot_be_opened_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        Site("https://t.example", store=f"sqlite:///{tmp_path}/nowhere/linkback.db")


def test_a_site_closes_itself(web: FakeWeb) -> None:
    with Site("https://t.example", store="sqlite://", fetch=web, runner=External()) as site:
        assert site.mentions() == []
    with pytest.raises(StoreError, match="closed"):
        site.mentions()


def test_closing_waits_for_the_job_in_hand_and_no_thread_is_left(tmp_path: Path) -> None:
    begun, let_go = threading.Event(), threading.Event()

    def slow(request: object) -> Response:
        begun.set()
        let_go.wait(PATIENCE)
        return Response(200, (("Content-Type", "text/html"),), LINKING.encode())

    database = f"sqlite:///{tmp_path / 'linkback.db'}"
    runner = Embedded(threads=2)
    site = Site("https://t.example", store=database, fetch=FakeWeb({S: slow}), policy=QUICK, runner=runner)
    receipt = site.receive(WEBMENTION)
    assert begun.wait(PATIENCE)
    closing = threading.Thread(target=site.close, args=(PATIENCE,))
    closing.start()
    let_go.set()
    closing.join(PATIENCE)
    assert not any(thread.is_alive() for thread in runner._threads)
    with Site("https://t.example", store=database, fetch=FakeWeb(), runner=External()) as later:
        record = later.claim(receipt.id)
        assert record is not None
        assert record.state is ClaimState.SUCCESS


def test_by_default_a_site_works_with_the_real_network_clock_and_threads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And introduces itself by its own address (protocols.md B-17)."""
    told: list[str] = []

    class Fetcher(FakeWeb):
        def __init__(self, *, user_agent: str) -> None:
            super().__init__({S: LINKING})
            told.append(user_agent)

    monkeypatch.setattr(linkback.fetch, "Fetcher", Fetcher)
    monkeypatch.chdir(tmp_path)
    heard = threading.Event()
    with Site("https://t.example", policy=QUICK, on_mention=lambda mention: heard.set()) as site:
        site.receive(WEBMENTION)
        assert heard.wait(PATIENCE)
        [mention] = site.mentions(T)
    assert abs(utcnow() - mention.received).total_seconds() < 3600
    assert mention.received.tzinfo is UTC
    assert told[0].endswith("(+https://t.example/)")
    assert (tmp_path / "linkback.db").exists()


# work


def test_draining_does_what_is_due_and_counts_it(site: Site, web: FakeWeb) -> None:
    assert site.drain() == 0
    site.receive(WEBMENTION)
    site.publish("https://t.example/own", f"<a href='{U}'><a href='{V}'>")
    assert site.drain() == 3
    assert site.drain() == 0
    assert len(site.mentions()) == 1
    assert [delivery.outcome for delivery in site.deliveries()] == [Outcome.REFUSED] * 2


@pytest.mark.parametrize(("kind", "done", "left"), [(JobKind.CHECK, 1, 2), (JobKind.DELIVER, 2, 1), (None, 3, 0)])
def test_work_may_be_of_one_kind_only(site: Site, kind: JobKind | None, done: int, left: int) -> None:
    """A deploy step sends; it does not check claims by rules that it does not know."""
    site.receive(WEBMENTION)
    site.publish("https://t.example/own", f"<a href='{U}'><a href='{V}'>")
    assert site.drain(kind=kind) == done
    assert site.drain() == left


class LettingGo(Embedded):
    """Lets the slow ones answer when somebody begins to wait for them."""

    def __init__(self, let_go: threading.Event) -> None:
        super().__init__(threads=2)
        self.let_go = let_go

    def settle(self) -> None:
        self.let_go.set()
        super().settle()


def test_draining_waits_for_what_the_threads_have_in_hand(tmp_path: Path) -> None:
    """`with Site(…) as site: site.publish(…); site.drain()` sends, however slow the endpoints are."""
    let_go, begun = threading.Event(), threading.Barrier(3)
    listening = Response(200, (("Link", "</wm>; rel=webmention"),))

    def slow(request: object) -> Response:
        begun.wait(PATIENCE)
        let_go.wait(PATIENCE)
        return Response(202)

    web = FakeWeb({U: listening, V: listening, U + "wm": slow, V + "wm": slow})
    runner = LettingGo(let_go)
    store = f"sqlite:///{tmp_path / 'linkback.db'}"
    with Site("https://t.example", store=store, fetch=web, runner=runner) as site:
        site.publish("https://t.example/own", f"<a href='{U}'><a href='{V}'>")
        begun.wait(PATIENCE)
        assert {delivery.outcome for delivery in site.deliveries()} == {Outcome.UNKNOWN}, "its POST was begun"
        assert site.drain() == 0, "the threads had them all"
        assert [delivery.outcome for delivery in site.deliveries()] == [Outcome.ACCEPTED] * 2


def test_a_hook_may_drain_its_site(tmp_path: Path) -> None:
    """It does not wait for the job that it is part of."""
    drained = threading.Event()

    def hook(mention: Mention) -> None:
        asking.drain()
        drained.set()

    store = f"sqlite:///{tmp_path / 'linkback.db'}"
    asking = Site("https://t.example", store=store, fetch=FakeWeb({S: LINKING}), policy=QUICK, on_mention=hook)
    with asking:
        asking.receive(WEBMENTION)
        assert drained.wait(PATIENCE)


def test_a_job_that_closing_does_not_wait_for_is_done_by_whoever_works_next(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is given back, and what the first worker still finds does not count."""
    let_go, begun = threading.Event(), threading.Event()

    def slow(request: object) -> Response:
        begun.set()
        let_go.wait(PATIENCE)
        return Response(200)

    store, clock, runner = f"sqlite:///{tmp_path / 'linkback.db'}", FakeClock(), Embedded(threads=1)
    site = Site("https://t.example", store=store, fetch=FakeWeb({S: slow}), clock=clock, policy=QUICK, runner=runner)
    site.receive(WEBMENTION)
    assert begun.wait(PATIENCE)
    site.close(timeout=0)
    let_go.set()
    runner.stop(PATIENCE)
    with Site("https://t.example", store=store, fetch=FakeWeb({S: LINKING}), clock=clock, runner=External()) as later:
        assert later.drain() == 1
        assert len(later.mentions()) == 1


def test_one_step_is_one_job(site: Site) -> None:
    site.receive(WEBMENTION)
    assert site.work()
    assert not site.work()


def test_a_long_schedule_is_not_mistaken_for_dying_workers(store: Storage, clock: FakeClock) -> None:
    """A host that wants ten tries gets ten, and the answer of the last."""
    retry = Retry(delays=(60.0,) * 9, jitter=0.0)
    web = FakeWeb({U: Response(503), S: Response(503)})
    site = Site("https://t.example", store=store, fetch=web, clock=clock, policy=QUICK, retry=retry, runner=External())
    site.publish("https://t.example/own", f"<a href='{U}'>")
    receipt = site.receive(WEBMENTION)
    for _ in range(10):
        assert site.drain() == 2
        clock.advance(60)
    assert site.store.next_due() is None
    [delivery] = site.deliveries()
    assert (delivery.attempts, delivery.code) == (10, 503)
    record = site.claim(receipt.id)
    assert record is not None
    assert record.reason is Reason.SOURCE_UNREADABLE


def test_a_job_counts_its_deaths_and_the_fifth_is_the_last(
    site: Site, web: FakeWeb, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """R16: the attempt is counted before the work, so a job that kills its worker is counted."""
    site.receive(WEBMENTION)
    for number in range(1, MOST_ATTEMPTS + 1):
        [job] = site.store.lease(clock(), clock())
        assert job.attempts == number
    assert site.drain() == 1
    assert "after 5 attempts" in caplog.text
    assert web.requests == []


@pytest.mark.parametrize(("deaths", "looks"), [(4, 1), (5, 0)])
def test_a_job_that_ended_four_workers_is_begun_and_one_that_ended_five_is_not(
    site: Site, web: FakeWeb, clock: FakeClock, deaths: int, looks: int
) -> None:
    site.receive(WEBMENTION)
    for _ in range(deaths):
        assert len(site.store.lease(clock(), clock())) == 1
    assert site.drain() == 1
    assert (len(web.requests), len(site.mentions())) == (looks, looks)


@pytest.mark.parametrize(("seconds", "others"), [(119.999, 0), (120.0, 1)])
def test_a_job_is_held_for_two_minutes(site: Site, web: FakeWeb, clock: FakeClock, seconds: float, others: int) -> None:
    """So long nobody else is given it, and not a moment longer."""
    found: list[int] = []

    def look(request: Request) -> Response:
        clock.advance(seconds)
        found.append(len(site.store.lease(clock(), clock())))
        return Response(200, (("Content-Type", "text/html"),), LINKING.encode())

    web.pages[S] = look
    site.receive(WEBMENTION)
    site.work()
    assert found == [others]


def test_a_store_that_fails_is_told_to_who_drains(
    site: Site, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the job waits for the end of its lease, with nothing lost."""

    def full(*arguments: object) -> None:
        raise StoreError("disk full")

    site.receive(WEBMENTION)
    with monkeypatch.context() as patch:
        patch.setattr(site.store, "finish_check", full)
        with pytest.raises(StoreError, match="disk full"):
            site.drain()
    assert site.drain() == 0
    clock.advance(LEASE_SECONDS)
    assert site.drain() == 1
    assert len(site.mentions()) == 1


def test_a_store_that_fails_is_met_again_by_the_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded runner outlives a store that was locked."""
    heard, failed = threading.Event(), threading.Event()
    database = f"sqlite:///{tmp_path / 'linkback.db'}"
    site = Site(
        "https://t.example",
        store=database,
        fetch=FakeWeb({S: LINKING}),
        policy=QUICK,
        runner=Embedded(threads=1),
        on_mention=lambda mention: heard.set(),
    )
    whole = site.store.lease

    def locked(now: datetime, until: datetime, **options: Any) -> object:
        if not failed.is_set():
            failed.set()
            raise StoreError("database is locked")
        return whole(now, until, **options)

    monkeypatch.setattr(site.store, "lease", locked)
    with site:
        site.receive(WEBMENTION)
        assert failed.wait(PATIENCE)
        site.start()
        assert heard.wait(PATIENCE)


def test_work_an_earlier_process_left_is_begun_at_the_start(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'linkback.db'}"
    with Site("https://t.example", store=database, fetch=FakeWeb(), policy=QUICK, runner=External()) as first:
        first.receive(WEBMENTION)
    heard = threading.Event()
    with Site(
        "https://t.example", store=database, fetch=FakeWeb({S: LINKING}), on_mention=lambda mention: heard.set()
    ) as second:
        second.start()
        assert heard.wait(PATIENCE)


def test_the_runner_hears_how_long_to_wait(store: Storage, web: FakeWeb, clock: FakeClock) -> None:
    class Asking(External):
        def attach(self, step: object, wait: object) -> None:
            self.wait = wait

    runner = Asking()
    site = Site("https://t.example", store=store, fetch=web, clock=clock, runner=runner)
    assert callable(runner.wait)
    assert runner.wait() is None
    site.receive(WEBMENTION)
    assert runner.wait() == Policy().settle_seconds
    clock.advance(61)
    assert runner.wait() == -60


# mentions and moderation


def test_mentions_are_those_that_may_be_shown(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    first = mentioned(site)
    web.pages["https://s.example/2"] = LINKING
    clock.advance(1)
    site.receive(Claim("webmention", "https://s.example/2", T))
    site.drain()
    assert [mention.source for mention in site.mentions(T)] == [S, "https://s.example/2"]
    site.moderate(first.id, Status.SPAM)
    assert [mention.source for mention in site.mentions(T)] == ["https://s.example/2"]
    assert [mention.source for mention in site.mentions(T, statuses=[Status.SPAM])] == [S]
    assert len(site.mentions(T, statuses=None)) == len(site.mentions(statuses=None)) == 2


@pytest.mark.parametrize("url", ["https://t.example/other", "https://foreign.example/post", "no url", ""])
def test_other_pages_have_no_mentions(site: Site, url: str) -> None:
    mentioned(site)
    assert site.mentions(url) == []


@pytest.mark.parametrize("url", [T + "#c1", "HTTPS://T.example:443/post", "https://t.example/./post"])
def test_a_page_is_known_by_any_way_to_write_its_url(site: Site, url: str) -> None:
    mention = mentioned(site)
    assert site.mentions(url) == [mention]


def closing(reason: Reason | None) -> Resolve:
    def resolve(url: str) -> str | None:
        if reason is not None and url == T:
            raise Refused(reason)
        return T if url == T else None

    return resolve


@pytest.mark.parametrize(
    ("reason", "shown"), [(None, 1), (Reason.TARGET_CLOSED, 1), (Reason.TARGET_GONE, 0), (Reason.TARGET_UNKNOWN, 0)]
)
def test_a_page_that_closes_keeps_the_mentions_it_has(
    site: Site, store: Storage, reason: Reason | None, shown: int
) -> None:
    mentioned(site)
    after = Site("https://t.example", store=store, fetch=FakeWeb(), runner=External(), resolve=closing(reason))
    assert len(after.mentions(T)) == shown
    assert after.listens(T) is (reason is None)


@pytest.mark.parametrize(
    ("url", "listens"), [(T, True), (T + "#x", True), ("https://foreign.example/", False), ("no url", False)]
)
def test_a_site_listens_for_its_own_pages(site: Site, url: str, listens: bool) -> None:
    """protocols.md A-51."""
    assert site.listens(url) is listens


def test_moderating_gives_the_mention_as_it_is_now(site: Site) -> None:
    mention = mentioned(site)
    rejected = site.moderate(mention.id, Status.REJECTED)
    assert rejected is not None
    assert rejected.status is Status.REJECTED


@pytest.mark.parametrize("status", ["aproved", ""])
def test_a_status_that_there_is_not_is_a_clear_error(site: Site, status: str) -> None:
    with pytest.raises(ValueError, match="is not a valid Status"):
        site.moderate(mentioned(site).id, status)  # type: ignore[arg-type]


@pytest.mark.parametrize("id", ["", "0", "999", "x", "1; DROP TABLE", "²"])
def test_a_mention_that_does_not_exist_cannot_be_moderated(site: Site, id: str) -> None:
    mentioned(site)
    assert site.moderate(id, Status.SPAM) is None


def test_a_site_moderates_its_own_mentions_only(site: Site, store: Storage) -> None:
    mention = mentioned(site)
    other = Site("https://other.example", store=store, fetch=FakeWeb(), runner=External())
    assert other.moderate(mention.id, Status.SPAM) is None
    assert other.mentions(statuses=None) == []
    assert site.mentions() == [mention]


def test_an_unknown_receipt_has_no_claim(site: Site) -> None:
    assert site.claim("nobody") is None


# threads and processes


def test_a_site_may_be_shared_by_threads(tmp_path: Path) -> None:
    """Everything is checked once, whoever received and whoever drained."""
    pages = {f"https://s{number}.example/": LINKING for number in range(40)}
    web = FakeWeb(pages)
    with Site(
        "https://t.example", store=f"sqlite:///{tmp_path / 'linkback.db'}", fetch=web, policy=QUICK, runner=External()
    ) as site:
        with ThreadPoolExecutor(8) as pool:
            receipts = list(pool.map(lambda url: site.receive(Claim("webmention", url, T)), pages))
            done = sum(pool.map(lambda _: site.drain(), range(8)))
        assert done + site.drain() == len(pages)
        assert sorted(web.requested) == sorted(pages)
        assert len(site.mentions(T)) == len(pages)
        assert {record.state for receipt in receipts if (record := site.claim(receipt.id))} == {ClaimState.SUCCESS}


def test_two_processes_do_not_do_the_same_job(tmp_path: Path, clock: FakeClock) -> None:
    database = f"sqlite:///{tmp_path / 'linkback.db'}"
    web = FakeWeb({S: LINKING})
    one = Site("https://t.example", store=database, fetch=web, clock=clock, policy=QUICK, runner=External())
    two = Site("https://t.example", store=database, fetch=web, clock=clock, policy=QUICK, runner=External())
    with one, two:
        one.receive(WEBMENTION)
        [job] = one.store.lease(clock(), utcnow())
        assert job.kind is JobKind.CHECK
        assert two.drain() == 0


FORKING = """
import os, sys, threading
from linkback.jobs import Embedded
from linkback.model import Claim
from linkback.policy import Policy
from linkback.site import Site
from linkback.testing import FakeWeb
from linkback.wire import Response

T = "https://t.example/post"
LINKING = f"<a href='{T}'>"
begun, let_go, heard = threading.Event(), threading.Event(), threading.Event()

def slow(request):
    begun.set()
    let_go.wait(30)
    return Response(200, (("Content-Type", "text/html"),), LINKING.encode())

web = FakeWeb({"https://s.example/parent": slow, "https://child.example/": LINKING})
site = Site(
    "https://t.example", store=sys.argv[1], fetch=web, policy=Policy(settle_seconds=0), runner=Embedded(threads=1),
    on_mention=lambda mention: heard.set(),
)
site.receive(Claim("webmention", "https://s.example/parent", T))
assert begun.wait(30)
# the only thread waits for its page, so nothing but the child's own thread can do what follows
child = os.fork()
if child == 0:
    site.receive(Claim("webmention", "https://child.example/", T))
    os._exit(0 if heard.wait(30) and len(site.mentions(T)) == 1 else 1)
_, status = os.waitpid(child, 0)
let_go.set()
assert heard.wait(30)
assert len(site.mentions(T)) == 2
site.close()
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_site_works_on_in_a_forked_process(tmp_path: Path) -> None:
    """Servers make the application first and then fork: the child has threads and a database handle of its own."""
    # newer interpreters warn of any fork beside threads, which is what this is about
    command = [sys.executable, "-W", "ignore", "-c", FORKING, f"sqlite:///{tmp_path / 'linkback.db'}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3 * PATIENCE)
    assert (done.returncode, done.stderr) == (0, "")


# the endpoints


def test_the_endpoints_are_a_wsgi_application(site: Site) -> None:
    answered: list[str] = []

    def start(status: str, headers: list[tuple[str, str]], error: object = None) -> Callable[[bytes], object]:
        answered.append(status)
        return lambda data: None

    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/healthz", "wsgi.url_scheme": "https", "HTTP_HOST": "t.example"}
    body = site.wsgi()(environ, start)
    assert answered == ["200 OK"]
    assert b"ok" in b"".join(body)


def test_the_endpoints_may_stand_around_the_hosts_own(site: Site) -> None:
    seen: list[str] = []

    def host(environ: dict[str, object], start_response: object) -> list[bytes]:
        seen.append(str(environ["PATH_INFO"]))
        return []

    application = site.wsgi(host, prefix="/lb")
    for path in ("/lb/healthz", "/post"):
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "wsgi.url_scheme": "https", "HTTP_HOST": "t.example"}
        list(application(environ, lambda status, headers, error=None: lambda data: None))
    assert seen == ["/post"]


def test_a_page_that_is_served_elsewhere_can_advertise_by_its_head() -> None:
    def resolve(url: str) -> str | None:
        return T if url == T else None

    with Site("https://t.example", store="sqlite://", fetch=FakeWeb(), runner=External(), resolve=resolve) as site:
        found = linkback.find_endpoints(T, {"Content-Type": "text/html"}, site.head(T).encode())
        assert {name: endpoint.via.value for name, endpoint in found.found.items()} == {
            "webmention": "link",
            "pingback": "link",
            "trackback": "rdf",
        }
        assert 'href="https://mentions.example/pingback"' in site.head(T, base="https://mentions.example/")
        assert 'dc:title="A post"' in site.head(T, title="A post")
        assert site.head("https://t.example/closed") == ""
