"""A receiver that says "not now" is told later: both sides over sockets, with a clock that is turned by hand."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from linkback import Fetcher, Policy, Site
from linkback.errors import Reason
from linkback.fetch import Openers
from linkback.jobs import External
from linkback.model import Answer, Delivery, Outcome
from linkback.policy import Retry
from linkback.protocols import BUILTIN, Pingback, xmlrpc
from linkback.testing import FakeClock, FakeWeb
from linkback.wire import Request, Response
from tests.commands import Ran
from tests.serving import LOOPBACK, pages, served

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

DELAYS = (60.0, 600.0)
POST = "<title>Hello</title><p>hello</p>"


@dataclass
class Blog:
    """A blog on loopback with its pages by path; a path that is `gone` answers 410."""

    url: str
    clock: FakeClock
    bodies: dict[str, str]
    gone: set[str] = field(default_factory=set)
    endpoints: WSGIApplication | None = None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] in self.gone:
            start_response("410 Gone", [("Content-Type", "text/plain")])
            return [b"gone"]
        return (self.endpoints or pages(self.bodies))(environ, start_response)


@contextlib.contextmanager
def blog(clock: FakeClock, bodies: dict[str, str]) -> Iterator[Blog]:
    here = Blog("", clock, bodies)
    with served(here) as here.url:
        yield here


def site_of(here: Blog, *, policy: Policy | None = None) -> Site:
    return Site(
        here.url,
        store="sqlite://",
        fetch=Fetcher(allow=LOOPBACK),
        runner=External(),
        policy=policy,
        retry=Retry(delays=DELAYS, jitter=0),
        clock=here.clock,
        pause=here.clock.advance,
    )


@dataclass
class Pair:
    """Alice, whose post links to Bob's, and Bob, who listens."""

    alice: Site
    bob: Site
    blog: Blog
    target: str

    @property
    def source(self) -> str:
        return f"{self.blog.url}/a"

    def says(self, words: str) -> None:
        self.blog.bodies["/a"] = f"<title>A</title><p>{words} <a href='{self.target}'>it</a></p>"

    def told(self) -> Delivery:
        [delivery] = self.alice.deliveries()
        return delivery

    def waits(self) -> float | None:
        due = self.alice.store.next_due()
        return None if due is None else (due - self.blog.clock()).total_seconds()

    def shown(self) -> list[str]:
        self.bob.drain(patience=5)
        return [mention.excerpt for mention in self.bob.mentions(self.target)]


@contextlib.contextmanager
def pair(path: str = "/post", policy: Policy | None = None) -> Iterator[Pair]:
    """The two after the post was told and is shown, a few seconds later."""
    clock = FakeClock()
    with (
        blog(clock, {}) as hers,
        blog(clock, {"/post": POST, "/a b": POST}) as his,
        site_of(hers) as alice,
        site_of(his, policy=policy) as bob,
    ):
        his.endpoints = bob.wsgi(pages(his.bodies))
        both = Pair(alice, bob, hers, f"{his.url}{path}")
        both.says("I like")
        alice.publish(both.source)
        alice.drain()
        yield both


def test_an_edit_right_after_the_post_is_told_when_the_receiver_takes_it() -> None:
    """B-12, C-75: a pair is looked at once in half a minute."""
    with pair() as both:
        assert both.shown() == ["I like it"]
        both.says("I love")
        both.alice.publish(both.source)
        both.alice.drain()
        assert (both.told().outcome, both.told().code, both.told().attempts) == (Outcome.FAILED, 429, 1)
        assert both.waits() == DELAYS[0]
        both.alice.drain(patience=DELAYS[0])
        assert (both.told().outcome, both.told().attempts) == (Outcome.ACCEPTED, 2)
        assert both.shown() == ["I love it"]
        assert both.waits() is None


def test_a_deletion_right_after_the_post_is_told_when_the_receiver_takes_it() -> None:
    with pair() as both:
        assert both.shown() == ["I like it"]
        both.blog.gone.add("/a")
        both.alice.unpublish(both.source)
        both.alice.drain()
        assert both.told().outcome is Outcome.FAILED
        both.alice.drain(patience=DELAYS[0])
        assert both.told().outcome is Outcome.ACCEPTED
        assert both.shown() == []


def test_a_receiver_that_asks_for_more_time_gets_it() -> None:
    with pair(policy=Policy(pair_seconds=400)) as both:
        assert both.shown() == ["I like it"]
        checked = both.blog.clock()
        both.says("I love")
        both.alice.publish(both.source)
        both.alice.drain()
        waited = (both.blog.clock() - checked).total_seconds() + (both.waits() or 0)
        assert 395 <= waited <= 400
        both.alice.drain(patience=400)
        assert both.told().outcome is Outcome.ACCEPTED
        assert both.shown() == ["I love it"]


def test_the_latest_of_several_edits_is_told() -> None:
    with pair() as both:
        assert both.shown() == ["I like it"]
        for words in ("I love", "I adore", "I admire"):
            both.says(words)
            both.alice.publish(both.source)
            both.alice.drain()
            both.blog.clock.advance(2)
        both.alice.drain(patience=2 * DELAYS[0])
        assert (both.told().outcome, both.shown()) == (Outcome.ACCEPTED, ["I admire it"])


WAIT = [("Retry-After", "90")]
FAULT = xmlrpc.write_fault(49, "Access denied.")
ERROR = b"<response><error>1</error><message>Too many</message></response>"
NOT_NOW = [
    pytest.param("webmention", "429 Too Many Requests", WAIT, b"", id="webmention 429"),
    pytest.param("webmention", "503 Service Unavailable", WAIT, b"", id="webmention 503"),
    pytest.param("pingback", "200 OK", WAIT, FAULT, id="pingback, a fault that says when"),
    pytest.param("pingback", "429 Too Many Requests", WAIT, FAULT, id="pingback 429 with a fault"),
    pytest.param("pingback", "503 Service Unavailable", WAIT, b"busy", id="pingback 503"),
    pytest.param("trackback", "429 Too Many Requests", WAIT, ERROR, id="trackback 429"),
    pytest.param("trackback", "503 Service Unavailable", WAIT, b"", id="trackback 503"),
]
TAKEN = {
    "webmention": b"",
    "pingback": xmlrpc.write_result("thanks"),
    "trackback": b"<response><error>0</error></response>",
}


@dataclass
class Busy:
    """A page with an endpoint that answers so at first, or always, and takes the ping then."""

    protocol: str
    status: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    times: int = 1
    pinged: int = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "GET":
            start_response("200 OK", [("Content-Type", "text/html")])
            return [f'<link rel="{self.protocol}" href="/end">'.encode()]
        self.pinged += 1
        if self.pinged <= self.times:
            start_response(self.status, list(self.headers))
            return [self.body]
        start_response("200 OK", [])
        return [TAKEN[self.protocol]]


@pytest.mark.parametrize(("protocol", "status", "headers", "body"), NOT_NOW)
@pytest.mark.parametrize("times", [1, 99])
def test_not_now_is_asked_again_in_every_language_and_not_for_ever(
    protocol: str, status: str, headers: list[tuple[str, str]], body: bytes, times: int
) -> None:
    """B-12, B-13: no sooner than the receiver says, and no more often than the policy does."""
    clock, busy = FakeClock(), Busy(protocol, status, headers, body, times)
    with (
        served(busy) as target,
        blog(clock, {"/a": f"<p>See <a href='{target}/'>it</a>"}) as hers,
        site_of(hers) as alice,
    ):
        alice.publish(f"{hers.url}/a")
        alice.drain()
        [delivery] = alice.deliveries()
        assert (delivery.outcome, delivery.attempts) == (Outcome.FAILED, 1)
        clock.advance(89)
        assert alice.drain() == 0
        clock.advance(1)
        alice.drain()
        [delivery] = alice.deliveries()
        assert delivery.outcome is (Outcome.SENT if times == 1 else Outcome.FAILED)
        clock.advance(DELAYS[1])
        alice.drain()
        assert busy.pinged == (2 if times == 1 else 1 + len(DELAYS))
        assert alice.store.next_due() is None


@dataclass(frozen=True)
class Half:
    """Names are of a web in memory, addresses are met at the real door."""

    web: FakeWeb
    door: Fetcher

    def get(self, url: str, *, accept: str = "", purpose: str = "") -> Response:
        return (self.door if "10.1.2.3" in url else self.web).get(url, accept=accept, purpose=purpose)

    def send(self, request: Request) -> Response:
        return (self.door if "10.1.2.3" in request.url else self.web).send(request)


def logged(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == level]


def test_a_delivery_that_is_tried_again_says_when(caplog: pytest.LogCaptureFixture) -> None:
    """Once the last try was made it says nothing of another; a receiver's own word is no warning."""
    caplog.set_level(logging.INFO, logger="linkback.delivering")
    clock, busy = FakeClock(), Busy("webmention", "503 Busy", [], b"", times=99)
    with (
        served(busy) as target,
        blog(clock, {"/a": f"<p>See <a href='{target}/'>it</a>"}) as hers,
        site_of(hers) as alice,
    ):
        alice.publish(f"{hers.url}/a")
        for seconds in (*DELAYS, 0.0):
            alice.drain()
            clock.advance(seconds)
    lines = logged(caplog, logging.INFO)
    assert [line.partition("; ")[2] for line in lines] == ["next try in 60 s", "next try in 600 s", ""]
    assert all(line.startswith(f"webmention to {target}/: failed") for line in lines)
    assert logged(caplog, logging.WARNING) == []


@pytest.mark.parametrize("where", ["page", "endpoint"])
def test_a_network_that_our_settings_do_not_open_is_one_warning(caplog: pytest.LogCaptureFixture, where: str) -> None:
    """It stands in the log of a host that shows no more than warnings."""
    target = "http://10.1.2.3/post" if where == "page" else "https://bob.example/post"
    door = Fetcher(openers=Openers("LINKBACK_ALLOW_NETWORKS"))
    web = FakeWeb({"https://bob.example/post": "<link rel=webmention href=http://10.1.2.3/in>"})
    with Site("https://alice.example", store="sqlite://", fetch=Half(web, door), runner=External()) as alice:
        alice.publish("https://alice.example/a", f"<p>See <a href='{target}'>it</a>")
        alice.drain()
        [delivery] = alice.deliveries()
    assert delivery.outcome is Outcome.REFUSED
    [line] = logged(caplog, logging.WARNING)
    assert line.startswith(f"{target} is not told of https://alice.example/a: 10.1.2.3 is not a public address")
    assert "LINKBACK_ALLOW_NETWORKS" in line


@pytest.mark.parametrize(("protocol", "status", "headers", "body"), NOT_NOW)
def test_whoever_sends_by_hand_is_told_that_it_is_temporary(
    protocol: str, status: str, headers: list[tuple[str, str]], body: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(Busy(protocol, status, headers, body)) as target, blog(FakeClock(), {"/a": "<p>a"}) as hers:
        assert Ran(capsys, "send", f"{hers.url}/a", f"{target}/", "--allow-network", *LOOPBACK).code == 4


def test_our_own_receiver_says_when_to_come_back_in_every_language() -> None:
    """What it answers to a pair that waits, its own sender takes for "not now"."""
    for protocol in BUILTIN:
        answer = protocol.write_reply(Answer(reason=Reason.TOO_OFTEN, retry_after=30), Request("POST", "https://t/e"))
        reply = protocol.read_reply(answer)
        assert (reply.outcome, reply.retry_after) == (Outcome.FAILED, 30)
    quiet = Pingback(quiet_faults=True)
    said = quiet.write_reply(Answer(reason=Reason.TOO_OFTEN, retry_after=30), Request("POST", "https://t/e"))
    assert not said.header("Retry-After"), "quiet faults tell nothing"


@pytest.mark.parametrize("written", ["/a b", "/a%20b", "/post?q=x y", "/post#a b"])
def test_a_link_with_a_blank_is_told_as_a_browser_follows_it(written: str) -> None:
    with pair(written) as both:
        assert " " not in both.told().target
        assert both.told().outcome is Outcome.ACCEPTED
        both.bob.drain(patience=5)
        [mention] = both.bob.mentions()
        assert mention.target == both.told().target
