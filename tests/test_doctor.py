"""Which step says no for which broken set-up, and that a sound one is left alone."""

from __future__ import annotations

import contextlib
import errno
import json
import re
import socket
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, text

from linkback import doctor, explain
from linkback.adapters.wsgi import around
from linkback.doctor import Conclusion
from linkback.errors import Reason, Refused, StoreError, TimedOut, Unreachable
from linkback.explain import Step, Verdict
from linkback.fetch import Fetcher, Limits
from linkback.jobs import External
from linkback.model import JobKind
from linkback.ownpages import OwnPages
from linkback.site import Site, utcnow
from linkback.store import Edit, Storage, open_store
from linkback.testing import Answering, FakeClock, FakeWeb, unreachable
from linkback.wire import Response
from tests.databases import SERVERS, Databases
from tests.serving import LOOPBACK, pages, served

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

BLOG = "https://bob.example/"
NOON = datetime(2024, 5, 6, 12, 0, tzinfo=UTC)
ALL = ["database", "page", "endpoints", "reachable", "clock", "worker", "parked"]
LISTENING = "<link rel=webmention href=/wm><link rel=pingback href=/pb>"
DEAF = Response(405)


@pytest.fixture
def store() -> Iterator[Storage]:
    store = open_store("sqlite://")
    yield store
    store.close()


def owe(store: Storage, *, due: datetime, number: int = 1, site: str = BLOG) -> None:
    """Some deliveries, due at a time."""
    targets = [f"https://c{count}.example/" for count in range(number)]
    store.record_edit(Edit(site=site, source=site + "post", targets=targets, now=due))


def park(store: Storage, now: datetime) -> None:
    """One job for a person to look at."""
    owe(store, due=now, site="https://parked.example/")
    (job,) = store.lease(now, now + timedelta(minutes=1), site="https://parked.example/")
    store.release(job, due=None)


def examine(store: Storage | str, answers: dict[str, Answering], *, now: datetime = NOON) -> dict[str, Step]:
    fetch = FakeWeb(answers)
    steps = doctor.steps(fetch, [OwnPages(BLOG)], store, clock=FakeClock(now))
    assert fetch.posts == [], "nothing is sent"
    assert [step.name for step in steps] == ALL
    return {step.name: step for step in steps}


def home(*headers: tuple[str, str], body: str = LISTENING) -> Response:
    return Response(200, (("Content-Type", "text/html"), *headers), body.encode())


def dated(time: datetime, *more: tuple[str, str]) -> Response:
    return home(("Date", format_datetime(time, usegmt=True)), *more)


def web(**changed: Answering) -> dict[str, Answering]:
    """A sound blog, parts of it changed."""
    sound: dict[str, Answering] = {"": LISTENING, "wm": DEAF, "pb": DEAF}
    return {BLOG + path: answer for path, answer in {**sound, **changed}.items()}


def offline() -> Unreachable:
    """What a machine without a network raises."""
    error = Unreachable(BLOG, "no route")
    error.__cause__ = OSError(errno.ENETUNREACH, "Network is unreachable")
    return error


# the whole


def test_a_sound_blog_over_real_sockets_is_all_well(tmp_path: Path) -> None:
    holder: dict[str, Any] = {}
    with served(lambda environ, start: holder["app"](environ, start)) as url:
        database = f"sqlite:///{tmp_path}/blog.db"
        with Site(url, store=database, fetch=FakeWeb(), runner=External()) as site:
            holder["app"] = around(pages({"/": "<title>Bob</title>"}), site)
            steps = doctor.steps(Fetcher(allow=LOOPBACK), [site.pages], database)
    assert [(step.name, step.verdict) for step in steps] == [(name, Verdict.YES) for name in ALL]
    assert doctor.conclude(steps) is Conclusion.WELL
    assert "blog.db: its schema is " in steps[0].summary
    found, answers = steps[2].facts["found"], steps[3].facts["answers"]
    assert isinstance(found, tuple)
    assert isinstance(answers, tuple)
    assert [text.split()[0] for text in found] == ["webmention", "pingback", "trackback"]
    assert [text.rpartition(" ")[2] for text in answers] == ["405", "405", "200"]


def test_every_step_can_be_told_as_json_and_as_text(store: Storage) -> None:
    for step in examine(store, web()).values():
        row = json.loads(json.dumps(explain.to_json(step)))
        assert row["step"] == step.name
        assert next(explain.lines(step)).startswith(f"{step.name}: {step.verdict.value}, ")


def test_without_a_blog_the_database_and_the_work_are_looked_at(store: Storage) -> None:
    owe(store, due=NOON - timedelta(hours=1), site="https://any.example/")
    steps = doctor.steps(FakeWeb(), [], store, clock=FakeClock(NOON))
    assert [step.verdict.value for step in steps] == ["yes", "skipped", "skipped", "skipped", "skipped", "no", "yes"]


def test_several_blogs_are_each_looked_at(store: Storage) -> None:
    carol = "https://carol.example/"
    fetch = FakeWeb({**web(), carol: "<p>no signpost</p>"})
    steps = doctor.steps(fetch, [OwnPages(BLOG), OwnPages(carol)], store, clock=FakeClock(NOON))
    assert [step.name for step in steps] == [*ALL[:4], *ALL[1:]]
    assert [step.verdict for step in steps if step.name == "endpoints"] == [Verdict.YES, Verdict.NO]
    assert doctor.conclude(steps) is Conclusion.WRONG


@pytest.mark.parametrize(
    ("verdicts", "conclusion"),
    [
        ({}, Conclusion.WELL),
        ({"clock": "warn", "page": "skipped"}, Conclusion.WELL),
        ({"page": "later", "worker": "warn"}, Conclusion.TEMPORARY),
        ({"page": "later", "worker": "no"}, Conclusion.WRONG),
        ({"database": "no", "page": "later", "worker": "skipped"}, Conclusion.NO_DATABASE),
    ],
)
def test_what_is_wrong_weighs_more_than_what_may_pass(verdicts: dict[str, str], conclusion: Conclusion) -> None:
    steps = [Step(name, Verdict(verdicts.get(name, "yes")), "") for name in ALL]
    assert doctor.conclude(steps) is conclusion


# page, endpoints, reachable


@pytest.mark.parametrize(
    ("changed", "step", "verdict", "words"),
    [
        ({}, "reachable", "yes", "every endpoint answers"),
        ({"": Response(503)}, "page", "no", "503"),
        ({"": Response(404)}, "page", "no", "404"),
        ({"": Response(429)}, "page", "later", "429"),
        ({"": unreachable(BLOG)}, "page", "no", "refused"),
        ({"": offline()}, "page", "later", "no route"),
        ({"": TimedOut(BLOG, "no complete answer")}, "page", "later", "no complete answer"),
        ({"": Response(302, (("Location", "https://bob.example.net/"),))}, "page", "no", "404"),
        ({"": "<title>Bob</title>"}, "endpoints", "no", "advertises no endpoint"),
        ({"": "<link rel=webmention href='mailto:bob@bob.example'>"}, "endpoints", "no", "advertises no endpoint"),
        ({"": "<link rel=webmention href=https://wm.example/bob>"}, "endpoints", "warn", "https://wm.example/bob"),
        ({"": "<link rel=webmention href=https://www.bob.example/wm>"}, "endpoints", "yes", "webmention"),
        ({"wm": Response(404)}, "reachable", "no", "webmention: it answered 404"),
        ({"wm": Response(410)}, "reachable", "no", "webmention: it answered 410"),
        ({"pb": Response(502)}, "reachable", "no", "pingback: it answered 502"),
        ({"pb": unreachable(BLOG)}, "reachable", "no", "pingback: connection refused"),
        ({"wm": Response(429)}, "reachable", "later", "webmention: it answered 429"),
        ({"wm": Response(401)}, "reachable", "warn", "strangers"),
        ({"wm": Response(403), "pb": Response(500)}, "reachable", "no", "webmention: it answered 403"),
        ({"wm": Response(400), "pb": Response(200)}, "reachable", "yes", "every endpoint answers"),
    ],
)
def test_what_a_stranger_would_stumble_over_is_told(
    store: Storage, changed: dict[str, Answering], step: str, verdict: str, words: str
) -> None:
    found = examine(store, web(**changed))
    assert found[step].verdict.value == verdict
    assert words in found[step].summary
    assert "--allow-network" not in found[step].summary
    others = {name: each.verdict.value for name, each in found.items() if name in ALL[: ALL.index(step)]}
    assert set(others.values()) <= {"yes"}, "what was looked at before is sound"


@pytest.mark.parametrize(
    ("changed", "skipped"),
    [
        ({"": Response(500)}, ["endpoints", "reachable", "clock"]),
        ({"": dated(NOON)}, []),
        ({"": ""}, ["reachable", "clock"]),
    ],
)
def test_what_cannot_be_looked_at_is_skipped(store: Storage, changed: dict[str, Answering], skipped: list[str]) -> None:
    found = examine(store, web(**changed))
    assert [name for name in ALL if found[name].verdict is Verdict.SKIPPED] == skipped


def test_an_address_that_leads_to_another_site_is_a_warning(store: Storage) -> None:
    moved = Response(301, (("Location", "https://bob.example.net/"),))
    answers: dict[str, Answering] = {
        BLOG: moved,
        "https://bob.example.net/": LISTENING,
        "https://bob.example.net/wm": DEAF,
    }
    page = examine(store, answers)["page"]
    assert page.verdict is Verdict.WARN
    assert "https://bob.example.net/" in page.summary


def test_no_post_is_read_where_the_blogs_address_says_enough(store: Storage) -> None:
    fetch = FakeWeb(web(**{"": LISTENING + "<a href=/post>a post</a>"}))
    doctor.steps(fetch, [OwnPages(BLOG)], store, clock=FakeClock(NOON))
    assert fetch.requested == [BLOG, BLOG + "wm", BLOG + "pb"]


def test_a_signpost_that_only_posts_have_is_found(store: Storage) -> None:
    links = (
        "<a href=https://alice.example/>Alice</a><a href=/#top>up</a><a href=/about>me</a><a href=/post#c>a post</a>"
    )
    found = examine(store, web(**{"": links, "about": "<p>me</p>", "post": LISTENING}))
    assert (found["endpoints"].verdict, found["endpoints"].facts["page"]) == (Verdict.YES, BLOG + "post")
    assert found["reachable"].verdict is Verdict.YES


def test_only_pages_that_take_mentions_are_searched_and_few_of_them(store: Storage) -> None:
    def resolve(url: str) -> str | None:
        if url.endswith("/closed"):
            raise Refused(Reason.TARGET_CLOSED)
        return url if "/post" in url else None

    links = "".join(f"<a href=/{name}>x</a>" for name in ("about", "closed", *(f"post{n}" for n in range(9))))
    fetch = FakeWeb({BLOG: links})
    doctor.steps(fetch, [OwnPages(BLOG, resolve)], store, clock=FakeClock(NOON))
    assert fetch.requested == [BLOG, *(f"{BLOG}post{n}" for n in range(3))]


HEALTH = {f"{BLOG}linkback/healthz": Response(200, (("Content-Type", "application/json"),), b'{"status": "ok"}')}
AN_INDEX = Response(200, (("Content-Type", "text/html"),), b"<a href=/hello>Hello</a>")


@pytest.mark.parametrize(
    ("answers", "step", "verdict", "words"),
    [
        ({}, "page", "no", "answered 404; if the blog has no page there, name a post, "),
        ({BLOG: Response(410)}, "page", "no", "answered 410; if the blog has no page there, name a post, "),
        ({**HEALTH}, "page", "warn", "answers 404, and no other page was looked at: name a post, "),
        ({BLOG + "linkback/healthz": Response(200, (), b"a page for all")}, "page", "no", "answered 404; if"),
        ({**HEALTH, BLOG: "<p>nothing yet"}, "endpoints", "warn", "is no post and links to none, and no other"),
        ({BLOG: "<p>nothing yet"}, "endpoints", "no", "advertises no endpoint"),
        ({**HEALTH, BLOG: "<a href=/about>me</a>"}, "endpoints", "no", "resolve knows it as no post, nor any page"),
        ({**HEALTH, BLOG: AN_INDEX, BLOG + "hello": "<p>Hello"}, "endpoints", "no", "neither .* nor a post"),
        ({**HEALTH, BLOG: AN_INDEX, BLOG + "hello": Response(500)}, "endpoints", "no", "neither .* nor a post"),
    ],
)
def test_a_front_page_that_is_no_post_is_not_taken_for_a_broken_blog(
    store: Storage, answers: dict[str, Answering], step: str, verdict: str, words: str
) -> None:
    """Where the endpoints answer; each answer names the command that looks at a post."""
    blog = OwnPages(BLOG, lambda url: url if url.endswith("/hello") else None)
    steps = doctor.steps(FakeWeb(answers), [blog], store, clock=FakeClock(NOON), command="flask linkback")
    [found] = [each for each in steps if each.name == step]
    assert found.verdict.value == verdict, found
    assert re.search(words, found.summary), found
    assert found.summary.rstrip(")").endswith("name a post, flask linkback doctor --page URL")
    assert doctor.conclude(steps) is (Conclusion.WELL if verdict == "warn" else Conclusion.WRONG)


def test_a_front_page_that_takes_mentions_and_tells_nobody_is_broken(store: Storage) -> None:
    fetch = FakeWeb({**HEALTH, BLOG: "<p>nothing yet"})
    steps = doctor.steps(fetch, [OwnPages(BLOG)], store, clock=FakeClock(NOON))
    assert doctor.conclude(steps) is Conclusion.WRONG
    assert steps[2].summary.endswith("if other posts do, name a post, linkback doctor --page URL")


def test_a_blog_under_a_path_is_known_by_the_endpoints_there_or_at_the_root(store: Storage) -> None:
    under = f"{BLOG}blog/"
    for health in (f"{BLOG}linkback/healthz", f"{under}linkback/healthz"):
        fetch = FakeWeb({health: HEALTH[f"{BLOG}linkback/healthz"]})
        steps = doctor.steps(fetch, [OwnPages(under)], store, clock=FakeClock(NOON))
        assert steps[1].verdict is Verdict.WARN


def answering(status: str) -> WSGIApplication:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        start_response(status, [("Content-Type", "text/plain")])
        return [status.encode()]

    return application


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
    return port


@pytest.mark.parametrize(
    ("href", "endpoints", "reachable", "words"),
    [
        (lambda other: "/nothing", "yes", "no", "404"),
        (lambda other: other, "yes", "no", "500"),
        (lambda other: other.replace("127.0.0.1", "localhost"), "warn", "no", "500"),
        (lambda other: f"http://127.0.0.1:{free_port()}/wm", "yes", "no", "refused"),
        (lambda other: "http://10.0.0.1/wm", "warn", "no", 'open it with Fetcher(allow=["10.0.0.1/32"])'),
        (lambda other: "http://192.0.0.9:81/wm", "warn", "no", "open it with Fetcher(allow="),
        (lambda other: "http://8.8.8.8:81/wm", "warn", "no", "open it with Fetcher(limits="),
    ],
    ids=["missing", "broken", "elsewhere", "refused", "private", "private port", "port"],
)
def test_endpoints_are_tried_over_real_sockets(
    store: Storage, href: Callable[[str], str], endpoints: str, reachable: str, words: str
) -> None:
    # localhost may have an address of either kind
    bodies, fetch = dict[str, str](), Fetcher(allow=(*LOOPBACK, "::1/128"))
    with served(answering("500 Broken")) as other, served(pages(bodies)) as url:
        bodies["/"] = f"<link rel=webmention href='{href(other)}'>"
        steps = {step.name: step for step in doctor.steps(fetch, [OwnPages(url)], store)}
    assert (steps["endpoints"].verdict.value, steps["reachable"].verdict.value) == (endpoints, reachable)
    assert words in steps["reachable"].summary


def test_a_server_that_never_answers_is_temporary_trouble(store: Storage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        steps = doctor.steps(Fetcher(LOOPBACK, Limits(seconds=0.2)), [OwnPages(url)], store)
    assert steps[1].verdict is Verdict.LATER
    assert doctor.conclude(steps) is Conclusion.TEMPORARY


@pytest.mark.parametrize(
    ("code", "verdict"), [(socket.EAI_AGAIN, Verdict.LATER), (socket.EAI_NONAME, Verdict.NO)], ids=["later", "never"]
)
def test_a_name_that_is_nobodys_is_told_from_a_resolver_that_is_away(
    store: Storage, code: int, verdict: Verdict
) -> None:
    def resolver(*question: object, **more: object) -> Any:
        raise socket.gaierror(code, "no answer")

    steps = doctor.steps(Fetcher(resolver=resolver), [OwnPages(BLOG)], store)
    assert steps[1].verdict is verdict


# given posts, and the host's own function


def test_posts_that_are_named_are_looked_at_and_not_the_blogs_address(store: Storage) -> None:
    fetch = FakeWeb({**web(), BLOG: Response(500), BLOG + "a": LISTENING, BLOG + "b": "<p>no signpost"})
    found = doctor.steps(fetch, [OwnPages(BLOG)], store, clock=FakeClock(NOON), pages=[BLOG + "a", BLOG + "b"])
    assert [step.name for step in found] == [*ALL[:4], *ALL[1:]]
    assert [step.verdict.value for step in found[1:7]] == ["yes", "yes", "yes", "yes", "no", "skipped"]
    assert fetch.requested == [BLOG + "a", BLOG + "wm", BLOG + "pb", BLOG + "b"]


def test_each_post_is_looked_at_for_the_blog_that_it_is_of(store: Storage) -> None:
    """A blog of which none is named is looked at as ever, and a post that is nobody's is told."""
    carol, dave = "https://carol.example/", "https://dave.example/"
    fetch = FakeWeb({**web(), carol: LISTENING, carol + "wm": DEAF, carol + "pb": DEAF})
    blogs, named = [OwnPages(BLOG), OwnPages(carol)], [f"{dave}x", f"{BLOG}wm"]
    found = doctor.steps(fetch, blogs, store, clock=FakeClock(NOON), pages=named)
    pages = [(step.verdict.value, step.summary) for step in found if step.name == "page"]
    assert pages == [
        ("no", f"{BLOG}wm: the server answered 405"),
        ("yes", f"{carol} answers"),
        ("no", f"{dave}x is no page of {BLOG} or {carol}"),
    ]


def test_a_post_that_takes_no_mentions_is_told_without_being_read(store: Storage) -> None:
    fetch = FakeWeb()
    blog = OwnPages(BLOG, lambda url: None)
    found = doctor.steps(fetch, [blog], store, clock=FakeClock(NOON), pages=[BLOG + "a"])
    assert (found[1].verdict, fetch.requested) == (Verdict.NO, [])
    assert found[1].summary.startswith(f"{BLOG}a takes no mentions: ")


@pytest.mark.parametrize(("pages", "failed"), [((), "endpoints"), ((BLOG + "a",), "page")], ids=["blog", "post"])
def test_a_function_of_the_hosts_that_fails_is_one_failed_step(
    store: Storage, pages: tuple[str, ...], failed: str
) -> None:
    """As one does that asks a database which is away: here over a real driver."""

    def resolve(url: str) -> str | None:
        engine = create_engine("postgresql+psycopg://u:p@127.0.0.1:1/posts")
        with engine.connect() as connection:
            return str(connection.exec_driver_sql("SELECT 1"))

    fetch = FakeWeb({BLOG: "<a href=/a>a</a>", BLOG + "a": LISTENING})
    found = doctor.steps(fetch, [OwnPages(BLOG, resolve)], store, clock=FakeClock(NOON), pages=pages)
    (no,) = [step for step in found if step.verdict is Verdict.NO]
    assert (no.name, "\n" in no.summary, doctor.conclude(found)) == (failed, False, Conclusion.WRONG)
    assert f"resolve, the blog's own function, failed for {BLOG}a: OperationalError: " in no.summary


# clock


@pytest.mark.parametrize(
    ("answer", "verdict", "apart"),
    [
        (dated(NOON), "yes", 0),
        (dated(NOON + timedelta(seconds=60)), "yes", 60),
        (dated(NOON + timedelta(seconds=61)), "warn", 61),
        (dated(NOON - timedelta(hours=1)), "warn", 3600),
        (dated(NOON - timedelta(hours=1), ("Age", "3600")), "yes", 0),
        (dated(NOON - timedelta(hours=1), ("Age", "soon")), "skipped", None),
        (home(("Date", "yesterday")), "skipped", None),
        (home(("Date", "Mon, 06 May 2024 12:00:00 -0000")), "skipped", None),
        (home(), "skipped", None),
    ],
)
def test_our_clock_is_compared_with_the_blogs(
    store: Storage, answer: Response, verdict: str, apart: int | None
) -> None:
    step = examine(store, web(**{"": answer}))["clock"]
    assert step.verdict.value == verdict
    assert step.facts == ({} if apart is None else {"apart": (f"{BLOG}: {apart} s",)})


def test_a_slow_page_is_no_wrong_clock(store: Storage) -> None:
    clock = FakeClock(NOON)

    def slow(request: object) -> Response:
        clock.advance(45)
        answer = dated(clock())
        clock.advance(45)
        return answer

    steps = doctor.steps(FakeWeb(web(**{"": slow})), [OwnPages(BLOG)], store, clock=clock)
    assert steps[4].facts == {"apart": (f"{BLOG}: 0 s",)}


@pytest.mark.parametrize("kind", SERVERS)
@pytest.mark.parametrize(("ahead", "verdict"), [(0, "yes"), (7200, "warn"), (-7200, "warn")])
def test_our_clock_is_compared_with_the_database_servers(
    databases: Databases, tmp_path: Path, kind: str, ahead: int, verdict: str
) -> None:
    clock = FakeClock(utcnow() + timedelta(seconds=ahead))
    url = databases.empty(kind, tmp_path)
    open_store(url).close()
    steps = doctor.steps(FakeWeb(), [], url, clock=clock)
    assert (steps[0].verdict.value, steps[4].verdict.value) == ("yes", verdict)


# worker


@pytest.mark.parametrize(
    ("age", "verdict", "words"),
    [
        (None, "yes", "no job is due"),
        (-60, "yes", "no job is due"),
        (0, "yes", "2 jobs are due, the oldest for 0 s"),
        (60, "yes", "the oldest for 1 min"),
        (61, "warn", "the oldest for 1 min 1 s: the worker is slow"),
        (300, "warn", "the oldest for 5 min"),
        (301, "no", "no worker seems to be running"),
        (90_000, "no", "the oldest for 1 d 1 h: no worker seems to be running"),
    ],
)
def test_the_age_of_what_is_due_says_whether_a_worker_lives(
    store: Storage, age: int | None, verdict: str, words: str
) -> None:
    if age is not None:
        owe(store, due=NOON - timedelta(seconds=age), number=2)
    step = examine(store, web())["worker"]
    assert step.verdict.value == verdict
    assert words in step.summary


def test_work_in_hand_is_not_overdue_until_its_worker_is(store: Storage) -> None:
    owe(store, due=NOON)
    assert store.lease(NOON, NOON + timedelta(minutes=2), kind=JobKind.DELIVER)
    assert examine(store, web(), now=NOON + timedelta(minutes=2, seconds=-1))["worker"].facts == {"due": 0}
    assert examine(store, web(), now=NOON + timedelta(minutes=8))["worker"].verdict is Verdict.NO


def test_the_work_of_other_blogs_is_their_own(store: Storage) -> None:
    owe(store, due=NOON - timedelta(hours=1), site="https://other.example/")
    park(store, NOON)
    found = examine(store, web())
    assert (found["worker"].facts, found["parked"].facts) == ({"due": 0}, {"parked": 0})


def test_what_waits_for_a_person_is_a_warning_that_says_what_to_do(store: Storage) -> None:
    park(store, NOON)
    steps = doctor.steps(FakeWeb(), [], store, clock=FakeClock(NOON))
    assert (steps[-1].verdict, steps[-1].facts) == (Verdict.WARN, {"parked": 1})
    assert "linkback jobs" in steps[-1].summary


def test_advice_names_the_commands_as_whoever_asks_has_them(store: Storage) -> None:
    park(store, NOON)
    owe(store, due=NOON - timedelta(hours=1))
    steps = doctor.steps(FakeWeb(), [], store, clock=FakeClock(NOON), command="manage.py linkback")
    assert "keep manage.py linkback worker running" in steps[-2].summary
    assert "manage.py linkback jobs lists them" in steps[-1].summary


# database


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A database file at the newest schema."""
    url = f"sqlite:///{tmp_path}/linkback.db"
    open_store(url).close()
    return url


def set_revision(url: str, revision: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE linkback_version SET version_num = :revision"), {"revision": revision})
    engine.dispose()


@pytest.mark.parametrize(
    ("revision", "words"), [("0001", "older than .*: run linkback db upgrade"), ("9999", "newer than .*: update")]
)
def test_a_database_of_another_schema_is_a_no_and_left_as_it_is(file: str, revision: str, words: str) -> None:
    set_revision(file, revision)
    found = examine(file, web())
    assert found["database"].verdict is Verdict.NO
    assert re.search(words, found["database"].summary)
    assert found["worker"].verdict is found["parked"].verdict is Verdict.SKIPPED
    assert found["reachable"].verdict is Verdict.YES, "the rest is looked at all the same"
    assert found["database"].facts["schema"] == revision


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite:///{folder}/none.db", "no database at"),
        ("sqlite:///{folder}/no/such/folder.db", "does not exist"),
        ("sqlite:///{folder}/text.db", "not a SQLite database"),
        ("sqlite:///{folder}/hosts.db", "no tables of linkback"),
        ("oracle://u:secret@h/db", "linkback speaks"),
        ("postgresql://u:secret@127.0.0.1:1/db", "refused"),
        ("mysql://u:secret@127.0.0.1:1/db", "refused"),
    ],
)
def test_a_database_that_cannot_be_used_is_a_no(tmp_path: Path, url: str, words: str) -> None:
    (tmp_path / "text.db").write_text("a text")
    engine = create_engine(f"sqlite:///{tmp_path}/hosts.db")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE comments (id INTEGER)"))
    engine.dispose()
    before = sorted(tmp_path.iterdir())
    steps = doctor.steps(FakeWeb(), [], url.format(folder=tmp_path), clock=FakeClock(NOON))
    assert (steps[0].verdict, doctor.conclude(steps)) == (Verdict.NO, Conclusion.NO_DATABASE)
    assert words in steps[0].summary
    assert "secret" not in steps[0].summary
    assert sorted(tmp_path.iterdir()) == before


def test_a_database_that_somebody_keeps_locked_cannot_be_written_to(file: str) -> None:
    """What can be read of it is told all the same."""
    engine = create_engine(file)
    with engine.connect() as other:
        other.exec_driver_sql("BEGIN IMMEDIATE")
        found = examine(file + "?timeout=0", web())
        other.rollback()
    engine.dispose()
    assert found["database"].verdict is Verdict.NO
    assert re.search("cannot be written to: .*locked", found["database"].summary)
    assert found["worker"].facts == {"due": 0}


def test_a_server_that_only_reads_cannot_be_written_to(databases: Databases, tmp_path: Path) -> None:
    """As a standby does."""
    url = databases.empty("postgresql", tmp_path)
    open_store(url).close()
    only_reads = url.replace("options=", "options=-cdefault_transaction_read_only%3Don+")
    found = examine(only_reads, web())
    assert found["database"].verdict is Verdict.NO
    assert re.search("cannot be written to: .*read-only", found["database"].summary)


def test_looking_changes_no_record(file: str) -> None:
    with contextlib.closing(open_store(file)) as store:
        owe(store, due=NOON, number=3)
        park(store, NOON)
    before = dump(file)
    examine(file, web())
    assert dump(file) == before


def dump(url: str) -> list[str]:
    with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        return list(connection.iterdump())


def test_a_store_that_fails_is_told_where_it_failed(store: Storage) -> None:
    store.close()
    found = examine(store, web(**{"": dated(NOON)}))
    assert [name for name, step in found.items() if step.verdict is Verdict.NO] == ["database"], "it is said once"
    assert {found[name].verdict for name in ("clock", "worker", "parked")} == {Verdict.SKIPPED}


def test_a_backlog_that_cannot_be_read_is_told_where_all_else_can(
    store: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*asked: object, **more: object) -> None:
        raise StoreError("the connection was lost")

    monkeypatch.setattr(store, "backlog", lost)
    found = examine(store, web())
    assert (found["worker"].verdict, found["worker"].summary) == (Verdict.NO, "the connection was lost")
    assert (found["database"].verdict, found["parked"].verdict) == (Verdict.YES, Verdict.SKIPPED)
