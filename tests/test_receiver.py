"""From a claim's source to its backlink."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from linkback import extract, receiver
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


def reading(body: str | LinkbackError, resolve: Callable[[str], str | None] | None = None) -> Reading:
    page = body if isinstance(body, LinkbackError) else Page(Response(200, HTML, body.encode(), S))
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
