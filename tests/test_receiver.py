"""From a claim's source to its backlink."""

from __future__ import annotations

import contextlib
import gc
import threading
import weakref
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from linkback import extract, receiver, values
from linkback.errors import BadStatus, LinkbackError, NoBacklink, Reason, Refused, SourceGone, Unreachable
from linkback.model import Backlink, Claim
from linkback.ownpages import OwnPages
from linkback.page import Page
from linkback.protocols import BUILTIN
from linkback.receiver import HostFailed, Reading
from linkback.testing import FakeWeb, unreachable
from linkback.wire import Response

S = "https://s.example/note"
T = "https://t.example/post"
HTML = (("Content-Type", "text/html"),)


def test_four_pages_are_described_at_once_and_a_fifth_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, gate = threading.Semaphore(0), threading.Event()

    def describe(page: Page, backlink: Backlink, *rest: Any, **more: Any) -> Backlink:
        inside.release()
        assert gate.wait(60)
        return backlink

    monkeypatch.setattr(extract, "describe", describe)
    page, found = Page(Response(200, HTML, b"<p>here", url=S)), Backlink(source=S, target=T, final_url=S)
    with ThreadPoolExecutor(5) as threads:
        described = [threads.submit(receiver.describe, page, found) for _ in range(4)]
        assert all(inside.acquire(timeout=60) for _ in range(4))
        assert not receiver._places.free.acquire(blocking=False)
        described.append(threads.submit(receiver.describe, page, found))
        gate.set()
        assert [each.result() for each in described] == [found] * 5
    assert inside.acquire(blocking=False), "the fifth came after them"


@pytest.mark.parametrize("status", [200, pytest.param(203, id="VD-61 203"), pytest.param(206, id="VD-61 206")])
def test_a_page_is_whatever_came_with_2xx(status: int) -> None:
    page = receiver.read_source(FakeWeb({S: Response(status, HTML, b"<p>here")}), S)
    assert (page.url, page.text) == (S, "<p>here")


@pytest.mark.parametrize(
    ("status", "error", "reason"),
    [
        pytest.param(410, SourceGone, Reason.SOURCE_GONE, id="410"),
        pytest.param(404, SourceGone, Reason.SOURCE_MISSING, id="404"),
        pytest.param(204, NoBacklink, Reason.NO_BACKLINK, id="VD-61 204"),
        pytest.param(205, NoBacklink, Reason.NO_BACKLINK, id="205"),
    ],
)
def test_an_answer_without_a_page_says_why(status: int, error: type[Refused], reason: Reason) -> None:
    """protocols.md D-25."""
    with pytest.raises(error) as caught:
        receiver.read_source(FakeWeb({S: Response(status)}), S)
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("status", "temporary"),
    [(304, False), (401, False), (403, False), (451, False), (408, True), (425, True), (429, True), (500, True)],
)
def test_other_statuses_are_errors_that_may_pass_or_not(status: int, temporary: bool) -> None:
    with pytest.raises(BadStatus) as caught:
        receiver.read_source(FakeWeb({S: Response(status)}), S)
    assert (caught.value.status, caught.value.temporary) == (status, temporary)


def test_what_the_network_says_passes_through() -> None:
    with pytest.raises(Unreachable):
        receiver.read_source(FakeWeb({S: unreachable(S)}), S)


def test_a_trail_knows_where_redirects_led() -> None:
    """Also where they end in trouble, and however often they lead to one place."""
    web = FakeWeb({"https://a.example/end": "here", "https://c.example/": unreachable("https://c.example/")})
    for path, location in (("1", "/2"), ("2", "https://a.example/end"), ("3", "https://c.example/"), ("4", "/4")):
        web.pages[f"https://a.example/{path}"] = Response(301, (("Location", location),))
    led = {}
    for path in ("end", "1", "3", "4"):
        trail = receiver.Trail(web)
        with contextlib.suppress(LinkbackError):
            receiver.read_source(trail, f"https://a.example/{path}")
        led[path] = trail.onward
    assert led == {
        "end": [],
        "1": ["https://a.example/2", "https://a.example/end"],
        "3": ["https://c.example/"],
        "4": ["https://a.example/4"] * 5,
    }


def test_the_request_says_what_it_wants_and_why() -> None:
    """VD-70."""
    web = FakeWeb({S: "page"})
    receiver.read_source(web, S, purpose=receiver.purpose("pingback", "https://BOB.example/post"))
    [request] = web.requests
    assert request.header("Accept").startswith("text/html, ")
    assert "verifying pingback for bob.example" in request.header("User-Agent")


def test_a_backlink_comes_with_what_its_page_says_of_itself() -> None:
    body = f"<title>Note</title><p>I like <a href='{T}' class='u-like-of'>this</a> much.</p>".encode()
    backlink = receiver.find_backlink(Page(Response(200, HTML, body, S)), S, T)
    assert (backlink.source, backlink.target, backlink.element, backlink.href) == (S, T, "a", T)
    assert (backlink.title, backlink.excerpt, backlink.kind) == ("Note", "I like this much.", "like")


@pytest.mark.parametrize(("extended", "found"), [(True, True), (False, False)])
def test_images_count_as_links_only_where_the_protocol_says_so(extended: bool, found: bool) -> None:
    """protocols.md D-1, D-2; VD-8."""
    page = Page(Response(200, HTML, f"<img src='{T}'>".encode(), S))
    try:
        backlink = receiver.find_backlink(page, S, T, extended=extended)
    except LinkbackError:
        assert not found
    else:
        assert found
        assert backlink.element == "img"


def test_the_caller_may_say_which_links_count() -> None:
    page = Page(Response(200, HTML, b"<a href='/tb/5'>", S))
    backlink = receiver.find_backlink(page, S, T, matches=lambda link: link.endswith("/tb/5"))
    assert backlink.href == "https://s.example/tb/5"


def test_a_page_without_the_link_is_no_backlink() -> None:
    with pytest.raises(NoBacklink):
        receiver.find_backlink(Page(Response(200, HTML, b"<p>nothing</p>", S)), S, T)


def test_a_page_that_cannot_be_described_still_proves_its_link(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def bug(*arguments: object, **more: object) -> Backlink:
        raise RuntimeError("parser bug")

    monkeypatch.setattr(extract, "describe", bug)
    backlink = receiver.find_backlink(Page(Response(200, HTML, f"<title>Note</title><a href='{T}'>".encode(), S)), S, T)
    assert (backlink.href, backlink.title) == (T, "")
    assert "parser bug" in caplog.text


# one reading for many claims


def reading(body: str | Page | LinkbackError, resolve: Callable[[str], str | None] | None = None) -> Reading:
    page = Page(Response(200, HTML, body.encode(), S)) if isinstance(body, str) else body
    return Reading(page, OwnPages("https://t.example", resolve), {protocol.name: protocol for protocol in BUILTIN[:2]})


def test_a_reading_answers_each_claim_for_itself() -> None:
    one = reading(f"<title>Note</title><a href='{T}#c1'>")
    found = one.find(Claim("webmention", S, T + "#c1"))
    assert isinstance(found, Backlink)
    assert (found.target, found.title) == (T + "#c1", "")
    assert one.describe(found).title == "Note"
    assert isinstance(one.find(Claim("webmention", S, T + "#c2")), NoBacklink)


def test_a_claim_in_a_language_that_is_not_spoken_any_more_is_our_own_failure() -> None:
    answer = reading(f"<a href='{T}'>").find(Claim("trackback", S, T))
    assert isinstance(answer, Refused)
    assert answer.reason is Reason.INTERNAL


def test_a_source_that_could_not_be_read_answers_every_claim_the_same() -> None:
    away = unreachable(S)
    one = reading(away)
    assert one.find(Claim("webmention", S, T)) is one.find(Claim("trackback", S, T)) is away
    bare = Backlink(source=S, target=T, final_url=S)
    assert one.describe(bare) is bare


@pytest.mark.parametrize("away", [T, "https://t.example/old"], ids=["target", "link"])
def test_what_the_hosts_resolve_raises_is_no_answer(away: str) -> None:
    """And is asked anew by the next claim: it is not remembered."""
    asked: list[Any] = []

    def resolve(url: str) -> str | None:
        asked.append(url)
        if url == away:
            raise ConnectionError("the host's database is away")
        return url

    one = reading("<a href='https://t.example/old'>", resolve)
    for _ in range(2):
        with pytest.raises(HostFailed, match=f"resolve failed for {away}"):
            one.find(Claim("webmention", S, T))
    assert asked.count(away) == 2


MANY = {
    "application/json": "[{}]".format(", ".join(f'"https://t.example/{number}"' for number in range(30))),
    "application/rss+xml": "<rss>{}</rss>".format(
        "".join(f"<d>&lt;a href='https://t.example/{number}'&gt;</d>" for number in range(30))
    ),
}


def calls(monkeypatch: pytest.MonkeyPatch, name: str) -> list[object]:
    """What a function of `values` was called for, as it happens."""
    known: list[object] = []
    whole: Callable[..., Any] = getattr(values, name)

    def known_to(first: object, *rest: object) -> Any:
        known.append(first)
        return whole(first, *rest)

    monkeypatch.setattr(values, name, known_to)
    return known


@pytest.mark.parametrize("content_type", MANY)
@pytest.mark.parametrize("resolve", [None, lambda url: url], ids=["alone", "asking"])
def test_a_page_of_values_is_read_once_for_its_first_claim_and_once_for_all_others(
    monkeypatch: pytest.MonkeyPatch, content_type: str, resolve: Callable[[str], str | None] | None
) -> None:
    reads, pieces = calls(monkeypatch, "read"), calls(monkeypatch, "read_html")
    page = Page(Response(200, (("Content-Type", content_type),), MANY[content_type].encode(), S))
    one = reading(page, resolve)
    for number in range(40):
        answer = one.find(Claim("webmention", S, f"https://t.example/{number}"))
        assert isinstance(answer, Backlink) if number < 30 else isinstance(answer, NoBacklink)
        one = one.anew()
    assert len(reads) == 2
    assert len(pieces) <= 60


@pytest.mark.parametrize("content_type", ["text/html", "application/rss+xml"])
def test_resolve_is_asked_once_for_each_link_however_many_claims_a_page_answers(content_type: str) -> None:
    asked: Counter[str] = Counter()

    def resolve(url: str) -> str | None:
        asked[url] += 1
        return url.replace("/old", "/new")

    links = "".join(f"<a href='https://t.example/old{number}'>x</a>" for number in range(1_100))
    body = links if content_type == "text/html" else f"<rss><d><![CDATA[{links}]]></d></rss>"
    one = reading(Page(Response(200, (("Content-Type", content_type),), body.encode(), S)), resolve)
    for number in range(20):
        target = f"https://t.example/new{number}"
        found = one.find(Claim("webmention", S, target))
        assert isinstance(found, Backlink)
        assert (found.target, found.href) == (target, f"https://t.example/old{number}")
        one = one.anew()
    assert set(asked.values()) == {1}
    assert sum("/old" in url for url in asked) == 1_000


def test_what_resolve_raises_for_one_of_many_claims_is_no_answer_either() -> None:
    def resolve(url: str) -> str | None:
        if away and url.endswith("/old"):
            raise ConnectionError("the host's database is away")
        return url

    away: list[str] = []
    first = reading(f"<a href='{T}'>x</a><a href='https://t.example/old'>x</a>", resolve)
    one = first.anew()
    away.append(T)
    for _ in range(2):
        with pytest.raises(HostFailed, match="resolve failed for a link of"):
            one.find(Claim("webmention", S, T))
    away.clear()
    assert isinstance(one.find(Claim("webmention", S, T)), Backlink)


def test_a_verdict_keeps_no_page() -> None:
    one = reading("<p>nothing")
    known = weakref.ref(one)
    answer = one.find(Claim("webmention", S, T))
    gc.disable()
    try:
        del one
        assert isinstance(answer, NoBacklink)
        assert known() is None
    finally:
        gc.enable()
