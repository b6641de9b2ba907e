"""The verbs for scripts, and their twins that fetch nothing."""

from __future__ import annotations

import pytest

import linkback.fetch
from linkback import verbs
from linkback.errors import BadStatus, NoBacklink, Reason, Refused, SourceGone, Unreachable
from linkback.model import Endpoint, Outcome, Via
from linkback.testing import FakeWeb, unreachable
from linkback.wire import Response

S = "https://s.example/note"
T = "https://t.example/post"
LISTENING = (("Content-Type", "text/html; charset=utf-8"), ("Link", "</wm>; rel=webmention"), ("X-Pingback", "/rpc"))
LINKING = f"<title>Note</title><p>I like <a href='{T}'>this</a>.</p>"
NO_URLS = ["", "   ", "t.example/post", "mailto:a@t.example", "ftp://t.example/", "https://u:p@t.example/", "http://"]


def test_discover_tells_where_a_page_listens() -> None:
    endpoints = verbs.discover(T + "#c1", fetch=FakeWeb({T: Response(200, LISTENING)}))
    assert endpoints.found == {
        "webmention": Endpoint("https://t.example/wm", Via.LINK_HEADER),
        "pingback": Endpoint("https://t.example/rpc", Via.X_PINGBACK),
    }


def test_a_page_that_does_not_listen_has_no_endpoints() -> None:
    assert not verbs.discover(T, fetch=FakeWeb({T: "<p>quiet</p>"}))


@pytest.mark.parametrize("status", [301, 404, 410, 500])
def test_only_a_page_is_searched(status: int) -> None:
    """protocols.md A-7: an error page carries the endpoints of the whole site."""
    headers = (*LISTENING, ("Location", "/elsewhere"))
    with pytest.raises(BadStatus) as caught:
        verbs.discover(T, fetch=FakeWeb({T: Response(status, headers)}))
    assert caught.value.status == (404 if status == 301 else status)


def test_the_twin_of_discover_finds_the_same() -> None:
    body = b"<!-- <rdf:Description dc:identifier='https://t.example/post' trackback:ping='/tb' /> -->"
    fetched = verbs.discover(T, fetch=FakeWeb({T: Response(200, LISTENING, body)}))
    assert set(fetched.found) == {"webmention", "pingback", "trackback"}
    assert verbs.find_endpoints(T, LISTENING, body) == fetched
    assert verbs.find_endpoints(T, dict(LISTENING), body) == fetched


def test_verify_gives_the_backlink_with_its_evidence() -> None:
    backlink = verbs.verify(S, T, fetch=FakeWeb({S: LINKING}))
    assert (backlink.element, backlink.href, backlink.text, backlink.title) == ("a", T, "this", "Note")


def test_the_twin_of_verify_finds_the_same() -> None:
    headers = {"Content-Type": "text/html; charset=utf-8"}
    assert verbs.find_backlink(S, T, headers, LINKING.encode()) == verbs.verify(S, T, fetch=FakeWeb({S: LINKING}))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("<p>nothing</p>", NoBacklink),
        (Response(410), SourceGone),
        (Response(404), SourceGone),
        (Response(500), BadStatus),
        (unreachable(S), Unreachable),
    ],
)
def test_verify_raises_what_it_found_instead(answer: str | Response | Exception, error: type[Exception]) -> None:
    with pytest.raises(error):
        verbs.verify(S, T, fetch=FakeWeb({S: answer}))
    if isinstance(answer, str):
        with pytest.raises(error):
            verbs.find_backlink(S, T, [("Content-Type", "text/html")], answer.encode())


def test_send_tells_how_it_went() -> None:
    web = FakeWeb({T: Response(200, LISTENING), "https://t.example/wm": Response(202)})
    delivery = verbs.send(f" {S} ", T, fetch=web)
    assert (delivery.outcome, delivery.protocol, delivery.source) == (Outcome.ACCEPTED, "webmention", S)


@pytest.mark.parametrize(
    "answer", [pytest.param("<p>nothing</p>", id="no link"), pytest.param(Response(204), id="no content")]
)
def test_a_page_that_was_read_is_named_though_it_does_not_link(answer: str | Response) -> None:
    """Where it was read, after redirects."""
    moved = "https://s.example/moved"
    web = FakeWeb({S: Response(302, (("Location", moved),)), moved: answer})
    with pytest.raises(NoBacklink) as caught:
        verbs.verify(S, T, fetch=web)
    assert caught.value.final_url == moved


def test_the_twin_of_verify_names_the_page_too() -> None:
    with pytest.raises(NoBacklink) as caught:
        verbs.find_backlink(S, T, [("Content-Type", "text/html")], b"<p>nothing</p>")
    assert caught.value.final_url == S


@pytest.mark.parametrize("answer", ["<p>quiet</p>", Response(500), unreachable(T)])
def test_send_raises_nothing_that_the_network_did(answer: str | Response | Exception) -> None:
    delivery = verbs.send(S, T, fetch=FakeWeb({T: answer}))
    assert delivery.outcome in (Outcome.NO_ENDPOINT, Outcome.FAILED)
    assert delivery.detail


def test_targets_are_the_links_of_a_page_as_written() -> None:
    page = (
        f"<a href='{T}'>a</a><a href='HTTPS://T.example/X'>b</a><a href='/near'>c</a><a href='{T}'>d</a><a href='#e'>"
    )
    wanted = [T, "HTTPS://T.example/X", "https://s.example/near"]
    assert verbs.targets(S, fetch=FakeWeb({S: page})) == wanted


def test_targets_of_a_page_that_is_gone_are_an_error() -> None:
    with pytest.raises(SourceGone):
        verbs.targets(S, fetch=FakeWeb({S: Response(410)}))


@pytest.mark.parametrize("url", NO_URLS)
def test_what_is_no_web_address_is_refused_before_anything_is_fetched(url: str) -> None:
    web = FakeWeb()
    for reason, call in (
        (Reason.TARGET_INVALID, lambda: verbs.discover(url, fetch=web)),
        (Reason.SOURCE_INVALID, lambda: verbs.verify(url, T, fetch=web)),
        (Reason.TARGET_INVALID, lambda: verbs.verify(S, url, fetch=web)),
        (Reason.SOURCE_INVALID, lambda: verbs.send(url, T, fetch=web)),
        (Reason.TARGET_INVALID, lambda: verbs.send(S, url, fetch=web)),
        (Reason.SOURCE_INVALID, lambda: verbs.targets(url, fetch=web)),
    ):
        with pytest.raises(Refused) as caught:
            call()
        assert caught.value.reason is reason
    assert web.requests == []


def test_without_a_fetcher_the_real_one_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    web = FakeWeb({T: Response(200, LISTENING), S: LINKING, "https://t.example/wm": Response(200)})
    monkeypatch.setattr(linkback.fetch, "Fetcher", lambda: web)
    assert verbs.discover(T)
    assert verbs.verify(S, T)
    assert verbs.targets(S) == [T]
    assert verbs.send(S, T).outcome is Outcome.SENT
