"""What an answer tells of the network, of unpublished pages and of a moderator (security.md A2 to A6): nothing."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import statistics
import threading
import time
import urllib.parse
import xmlrpc.client
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from linkback.errors import Reason, Refused
from linkback.fetch import Fetcher, Limits
from linkback.jobs import Embedded, External
from linkback.model import Claim, Status
from linkback.policy import Policy, Retry
from linkback.site import Site
from linkback.testing import FakeClock, FakeWeb
from linkback.wire import Request, Response
from tests.hostile.pinging import HOME, TARGET, ask
from tests.serving import LOOPBACK, pages, served

FORM = "application/x-www-form-urlencoded"
PROTOCOLS = ("webmention", "pingback", "trackback")


def said(url: str, protocol: str, source: str, target: str = TARGET) -> bytes:
    """All that comes back over the wire for a ping, but for the date and the id of the claim."""
    path, media_type = f"/{protocol}", FORM
    if protocol == "pingback":
        body, media_type = xmlrpc.client.dumps((source, target), "pingback.ping").encode(), "text/xml"
    elif protocol == "trackback":
        path = f"{path}?{urllib.parse.urlencode({'target': target})}"
        body = urllib.parse.urlencode({"url": source}).encode()
    else:
        body = urllib.parse.urlencode({"source": source, "target": target}).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: t.example\r\nConnection: close\r\nContent-Type: {media_type}\r\n"
    with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=30) as sock:
        sock.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        whole = b"".join(iter(lambda: sock.recv(65536), b""))
    assert whole.startswith(b"HTTP/1.1 "), whole
    return re.sub(rb"/status/[\w-]{22}", b"/status/ID", re.sub(rb"\r\nDate: [^\r]+", b"", whole))


class Places:
    """Four sources that cannot be read, each for another reason, and a door that leads to them."""

    def __init__(self, missing: str, closed_port: int, dead_port: int) -> None:
        self.sources = {
            "404": f"{missing}/a",
            "closed": f"http://closed.example:{closed_port}/a",
            "dead": f"http://dead.example:{dead_port}/a",
            "blocked": "http://blocked.example/a",
        }
        self.looks = 0
        #: nothing is fetched before it is set
        self.gate = threading.Event()
        self.gate.set()
        self._door = Fetcher(LOOPBACK, Limits(seconds=2, connect=0.2), resolver=self._resolve)

    def _resolve(self, host: str, port: int | str | None, *rest: object, **more: object) -> list[tuple[Any, ...]]:
        address = "10.0.0.1" if host.startswith("blocked") else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, int(port or 0)))]

    def get(self, url: str, *, accept: str = "*/*", purpose: str = "") -> Response:
        assert self.gate.wait(60)
        self.looks += 1
        return self._door.get(url, accept=accept, purpose=purpose)

    def send(self, request: Request) -> Response:
        raise AssertionError(f"sent to {request.url}")


@pytest.fixture
def places() -> Iterator[Places]:
    with contextlib.ExitStack() as stack:
        missing = stack.enter_context(served(pages({})))
        with socket.create_server(("127.0.0.1", 0)) as former:
            closed = former.getsockname()[1]
        # whoever knocks where the queue is full waits for ever
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        yield Places(missing, closed, full.getsockname()[1])


@contextlib.contextmanager
def listening(places: Places, **more: Any) -> Iterator[tuple[Site, str]]:
    policy = Policy(settle_seconds=0, host_seconds=0, site_seconds=0)
    with Site(HOME, store="sqlite://", fetch=places, policy=policy, **more) as site, served(site.wsgi()) as url:
        yield site, url


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_ping_is_answered_before_its_source_is_fetched_and_always_in_the_same_words(
    places: Places, protocol: str
) -> None:
    places.gate.clear()
    with listening(places, runner=Embedded(threads=4)) as (_, url):
        answers = {said(url, protocol, source) for source in places.sources.values()}
        assert places.looks == 0
        places.gate.set()
    [answer] = answers
    assert answer.startswith((b"HTTP/1.1 201 ", b"HTTP/1.1 200 "))


def spread(url: str, protocol: str, places: Places, pings: int, round: int) -> float:
    """By how many seconds the median time of an answer differs from one kind of place to another, each pinged so often.

    They take turns, so that whatever else the machine does is everybody's.
    """
    took: dict[str, list[float]] = {name: [] for name in places.sources}
    kinds = list(places.sources.items())
    for number in range(pings):
        for name, source in (*kinds[number % 4 :], *kinds[: number % 4]):
            begun = time.perf_counter()
            said(url, protocol, f"{source}?{round}-{number}")
            took[name].append(time.perf_counter() - begun)
    medians = [statistics.median(times) for times in took.values()]
    return max(medians) - min(medians)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_time_of_an_answer_does_not_tell_what_there_is_at_the_source(places: Places, protocol: str) -> None:
    """A3: 200 pings each, while what was pinged before is being read; a machine that is busy has three tries."""
    with listening(places, runner=Embedded()) as (_, url):
        assert any(spread(url, protocol, places, 200, round) < 0.002 for round in range(3))
    assert places.looks > 0


def test_the_time_that_a_sender_waits_for_the_check_does_tell(places: Places) -> None:
    """So what is measured above could be seen; in queued mode there is nothing to see."""
    with listening(places, verify="inline", runner=External()) as (_, url):
        assert spread(url, "webmention", places, 3, 0) > 0.1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_whoever_waits_for_the_check_hears_one_answer_whatever_kept_us_from_the_source(
    places: Places, protocol: str
) -> None:
    with listening(places, verify="inline", runner=External()) as (_, url):
        answers = {said(url, protocol, source) for source in places.sources.values()}
    assert places.looks == 4
    [answer] = answers
    assert answer.startswith(b"HTTP/1.1 400 " if protocol == "webmention" else b"HTTP/1.1 200 ")
    assert protocol != "pingback" or b"<int>16</int>" in answer


def test_the_status_of_a_claim_tells_neither_in_words_nor_by_its_time_what_kept_us_from_the_source(
    places: Places,
) -> None:
    """Only a host that answers 404 is known to be there, which it tells everybody."""
    clock = FakeClock()
    with listening(places, runner=External(), clock=clock, retry=Retry(jitter=0)) as (site, url):
        for source in places.sources.values():
            for protocol in PROTOCOLS:
                said(url, protocol, source)
        locations = {name: _location(url, source) for name, source in places.sources.items()}
        seen: dict[str, list[str]] = {name: [] for name in places.sources}
        for seconds in (0, 59, 1, 599, 1, 3600):
            clock.advance(seconds)
            site.drain()
            for name, location in locations.items():
                told = ask(location).body.decode()
                seen[name].append(told.replace(places.sources[name], "SOURCE"))
        looks = places.looks
    assert seen["blocked"] == seen["dead"] == seen["closed"]
    assert [json.loads(told)["status"] for told in seen["dead"]] == ["queued"] * 4 + ["failed"] * 2
    assert len({told[-1] for told in seen.values()}) == 1
    assert json.loads(seen["dead"][-1])["reason"] == "source_not_found"
    assert looks == 3 * 3 + 2


def _location(url: str, source: str) -> str:
    """The status of a claim that waits already; the endpoints stand at another address than the site says."""
    told = ask(f"{url}/webmention", urllib.parse.urlencode({"source": source, "target": TARGET}).encode())
    found = re.search(r"/status/\S+", told.body.decode())
    assert found is not None
    return url + found[0]


# pages that are not public, and what a moderator did


def resolve(url: str) -> str | None:
    if url.endswith("/closed"):
        raise Refused(Reason.TARGET_CLOSED)
    return url if url == TARGET else None


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_page_that_is_missing_a_draft_private_or_closed_gets_one_answer(protocol: str) -> None:
    """A5: for `resolve` a page that is not public is none."""
    with Site(HOME, store="sqlite://", fetch=FakeWeb(), runner=External(), resolve=resolve) as site:
        with served(site.wsgi()) as url:
            named = ("missing", "draft", "private", "closed")
            answers = {said(url, protocol, "https://s.example/", f"{HOME}/{page}") for page in named}
        assert site.store.next_due() is None
    [answer] = answers
    assert b"400" in answer[:20] if protocol == "webmention" else (b"<int>33</int>" in answer or b">1<" in answer)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_only_a_mention_that_everybody_sees_is_called_a_duplicate(protocol: str) -> None:
    """A6: that one is held, was rejected or hidden is told to nobody who sends it again."""
    sources = {status: f"https://{status}.example/" for status in Status}
    web = FakeWeb(dict.fromkeys(sources.values(), f"<a href='{TARGET}'>it</a>"))
    policy = Policy(settle_seconds=0, pair_seconds=0)
    with Site(HOME, store="sqlite://", fetch=web, policy=policy, runner=External()) as site:
        for source in sources.values():
            site.receive(Claim(protocol, source, TARGET))
        site.drain()
        for mention in site.mentions(statuses=None):
            status = next(status for status, source in sources.items() if source == mention.source)
            site.moderate(mention.id, status)
        with served(site.wsgi()) as url:
            fresh = said(url, protocol, "https://new.example/")
            again = {status: said(url, protocol, source) for status, source in sources.items()}
    shown = again.pop(Status.APPROVED)
    assert set(again.values()) == {fresh}
    assert (b"<int>48</int>" in shown) if protocol == "pingback" else shown == fresh
