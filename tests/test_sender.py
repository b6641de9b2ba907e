"""From a target to an outcome, by exactly one protocol."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from linkback import sender
from linkback.errors import BadStatus, Blocked, FetchError, StoreError, TimedOut, TooManyRedirects, Unreachable
from linkback.fetch import Fetcher
from linkback.forms import read_form
from linkback.model import Claim, Delivery, Outcome
from linkback.page import Page
from linkback.protocols import BUILTIN, xmlrpc
from linkback.testing import Answering, FakeWeb, unreachable
from linkback.wire import Request, Response

S = "https://s.example/note"
T = "https://t.example/post"
WM, PB, TB = "https://t.example/wm", "https://t.example/rpc", "https://t.example/tb"
HTML = ("Content-Type", "text/html; charset=utf-8")
SIGNPOSTS = {
    "webmention": ("Link", "</wm>; rel=webmention"),
    "pingback": ("X-Pingback", "/rpc"),
}
TB_OK = Response(200, body=b"<response><error>0</error></response>")
CLAIM = Claim("", S, T)


def listening(*protocols: str) -> Response:
    """The target's page, advertising these protocols."""
    headers = (HTML, *(SIGNPOSTS[protocol] for protocol in protocols if protocol in SIGNPOSTS))
    return Response(200, headers, b"<link rel=trackback href=/tb>" if "trackback" in protocols else b"")


def fault(code: int) -> Response:
    return Response(200, body=xmlrpc.write_fault(code, "no"))


def send(pages: dict[str, Answering], target: str = T) -> tuple[Delivery, FakeWeb]:
    web = FakeWeb(pages)
    return sender.deliver(web, Claim("", S, target), BUILTIN), web


def lost(url: str) -> TimedOut:
    """The whole request had left when the connection went silent."""
    return TimedOut(url, "no answer", sent=True)


# finding the targets


@pytest.mark.parametrize(
    ("html", "wanted"),
    [
        pytest.param('<a href="HTTPS://T.example:443/post">', ["HTTPS://T.example:443/post"], id="VB-5"),
        pytest.param('<a href="/x?a=1&amp;b=2">', ["https://s.example/x?a=1&b=2"], id="VB-6"),
        pytest.param(f"<a href='{T}'><a href='{T}'><a href='{T}#a'>", [T, T + "#a"], id="VB-64"),
        pytest.param("<a href='#top'><a href='https://s.example/note'><a href='/note#x'>", [], id="VB-65"),
        pytest.param(f"<a rel=nofollow href='{T}'>x</a> https://u.example/", [T], id="VB-71"),
        pytest.param("<a href='/'>", ["https://s.example/"], id="B-6"),
        pytest.param("<a href='mailto:a@b'><a href='javascript:x'><a href='https://u:p@t.example/'>", [], id="A-2"),
        pytest.param("<area href=/m><link class=u-like-of href=/l><link rel=next href=/n><img src=/i>",
                     ["https://s.example/m", "https://s.example/l"], id="B-1"),
    ],
)  # fmt: skip
def test_targets_are_the_links_as_written_each_once(html: str, wanted: list[str]) -> None:
    assert list(sender.targets(Page(Response(200, (HTML,), html.encode(), S)), S)) == wanted


# discovery


def test_discovery_is_one_get_without_the_fragment() -> None:
    """protocols.md A-1, A-3, A-14."""
    web = FakeWeb({T: listening("webmention")})
    endpoints = sender.discover(web, T + "#c1")
    [request] = web.requests
    assert (request.method, request.url) == ("GET", T)
    assert request.header("Accept").startswith("text/html, ")
    assert "Webmention" in request.header("User-Agent")
    assert (endpoints.url, endpoints.final_url) == (T + "#c1", T)


@pytest.mark.parametrize("status", [404, 410, 403, 500])
def test_an_error_page_is_not_searched(status: int) -> None:
    """protocols.md A-7."""
    with pytest.raises(BadStatus):
        sender.discover(FakeWeb({T: Response(status, (HTML, SIGNPOSTS["webmention"]))}), T)


def test_only_protocols_that_are_spoken_are_looked_for() -> None:
    web = FakeWeb({T: listening("webmention", "pingback", "trackback")})
    spoken = [protocol for protocol in BUILTIN if protocol.name == "trackback"]
    assert list(sender.discover(web, T, spoken).found) == ["trackback"]


# choosing a protocol


EVERY = ("webmention", "pingback", "trackback")


@pytest.mark.parametrize(
    ("advertised", "answers", "asked", "protocol", "outcome"),
    [
        pytest.param(EVERY, {WM: Response(202)}, [WM], "webmention", Outcome.ACCEPTED, id="VB-60"),
        pytest.param(EVERY, {WM: Response(400)}, [WM], "webmention", Outcome.REFUSED, id="VB-60 refused"),
        pytest.param(EVERY, {WM: Response(503)}, [WM], "webmention", Outcome.FAILED, id="VB-60 failed"),
        pytest.param(EVERY, {WM: lost(WM)}, [WM], "webmention", Outcome.UNKNOWN, id="VB-60 unknown"),
        pytest.param(EVERY[1:], {PB: fault(-32601), TB: TB_OK}, [PB, TB], "trackback", Outcome.SENT, id="VB-16"),
        pytest.param(EVERY[1:], {PB: fault(33)}, [PB], "pingback", Outcome.REFUSED, id="VB-17"),
        pytest.param(EVERY[1:], {PB: fault(48)}, [PB], "pingback", Outcome.SENT, id="VB-9"),
        pytest.param(EVERY[1:], {TB: TB_OK}, [PB, TB], "trackback", Outcome.SENT, id="VB-32"),
        pytest.param(EVERY, {WM: Response(410), PB: fault(17)}, [WM, PB], "pingback", Outcome.REFUSED, id="VB-58"),
        pytest.param(EVERY, {WM: unreachable(WM), PB: fault(48)}, [WM, PB], "pingback", Outcome.SENT, id="B-9 DNS"),
        pytest.param(EVERY, {WM: Blocked(WM, "private")}, [WM], "webmention", Outcome.REFUSED, id="A-30"),
        pytest.param(EVERY[2:], {TB: lost(TB)}, [TB], "trackback", Outcome.UNKNOWN, id="VB-63"),
        pytest.param(EVERY, {}, [WM, PB, TB], "trackback", Outcome.REFUSED, id="none is an endpoint"),
    ],
)  # fmt: skip
def test_one_protocol_judges_and_the_next_is_asked_only_where_there_is_no_endpoint(
    advertised: tuple[str, ...], answers: dict[str, Answering], asked: list[str], protocol: str, outcome: Outcome
) -> None:
    """protocols.md B-8, B-9."""
    delivery, web = send({T: listening(*advertised), S: "<title>Note</title>", **answers})
    assert [post.url for post in web.posts] == asked
    assert (delivery.protocol, delivery.endpoint, delivery.outcome) == (protocol, asked[-1], outcome)


@pytest.mark.parametrize(
    ("answers", "protocol"),
    [
        ({WM: unreachable(WM)}, "webmention"),
        ({PB: unreachable(PB)}, "pingback"),
        ({WM: unreachable(WM), PB: unreachable(PB)}, "webmention"),
    ],
)
def test_where_no_endpoint_answers_the_one_that_may_come_back_is_told(
    answers: dict[str, Answering], protocol: str
) -> None:
    """So that the delivery is tried again, and not given up for what the last one said."""
    delivery, _ = send({T: listening(*EVERY), **answers})
    assert (delivery.protocol, delivery.outcome) == (protocol, Outcome.FAILED)


@pytest.mark.parametrize(
    ("error", "outcome", "again"),
    [
        (lost(WM), Outcome.UNKNOWN, 1),
        (Unreachable(WM, "reset", sent=True), Outcome.UNKNOWN, 1),
        (TooManyRedirects(WM, "6", sent=True), Outcome.UNKNOWN, 1),
        (Blocked(WM, "redirected inside", sent=True), Outcome.REFUSED, 0),
        (TimedOut(WM, "no connection"), Outcome.FAILED, 0),
        (FetchError(WM, "odd", temporary=False), Outcome.REFUSED, 0),
    ],
)
def test_what_may_have_arrived_is_unknown(error: FetchError, outcome: Outcome, again: int) -> None:
    """protocols.md B-11: once more for what takes a repeat."""
    delivery, _ = send({T: listening("webmention"), WM: error})
    assert (delivery.outcome, delivery.again) == (outcome, again)
    assert error.message in delivery.detail


def test_a_trackback_that_may_have_arrived_is_not_repeated() -> None:
    """VB-63."""
    delivery, _ = send({T: listening("trackback"), TB: lost(TB)})
    assert (delivery.outcome, delivery.again) == (Outcome.UNKNOWN, 0)


@pytest.mark.parametrize("endpoint", ["http://[::1]/wm", "http://localhost/wm", "http://169.254.169.254/wm"])
def test_an_endpoint_inside_is_never_asked(endpoint: str) -> None:
    """VB-70: the real door, which raises before it connects."""

    class Guarded(FakeWeb):
        def send(self, request: Request) -> Response:
            return Fetcher().send(request)

    headers = (HTML, ("Link", f"<{endpoint}>; rel=webmention"), SIGNPOSTS["pingback"])
    web = Guarded({T: Response(200, headers)})
    delivery = sender.deliver(web, CLAIM)
    assert (delivery.outcome, delivery.endpoint, delivery.again) == (Outcome.REFUSED, endpoint, 0)
    assert web.posts == []


# what the delivery says


def test_the_answer_is_kept_with_the_delivery() -> None:
    answer = Response(201, (("Location", "/st/1"),), b"queued")
    delivery, _ = send({T: listening("webmention"), WM: answer})
    assert (delivery.code, delivery.detail, delivery.status_url) == (201, "queued", "https://t.example/st/1")
    delivery, _ = send({T: listening("webmention"), WM: Response(429, (("Retry-After", "120"),))})
    assert (delivery.code, delivery.retry_after) == (429, 120)
    delivery, _ = send({T: listening("pingback"), PB: fault(16)})
    assert (delivery.code, delivery.again) == (16, 2)


@pytest.mark.parametrize(
    ("answer", "outcome", "code"),
    [
        (Response(404), Outcome.REFUSED, 404),
        (Response(403), Outcome.REFUSED, 403),
        (Response(500), Outcome.FAILED, 500),
        (Response(429), Outcome.FAILED, 429),
        (unreachable(T), Outcome.FAILED, None),
        (Blocked(T, "private"), Outcome.REFUSED, None),
    ],
)
def test_a_target_that_cannot_be_read_says_whether_to_come_back(
    answer: Answering, outcome: Outcome, code: int | None
) -> None:
    delivery, web = send({T: answer})
    assert (delivery.outcome, delivery.code, delivery.protocol) == (outcome, code, None)
    assert web.requested == [T]


@pytest.mark.parametrize("target", ["mailto:a@t.example", "ftp://t.example/", "https://u:p@t.example/", "no url", ""])
def test_what_is_no_web_address_is_not_asked(target: str) -> None:
    """protocols.md A-2."""
    delivery, web = send({}, target)
    assert delivery.outcome is Outcome.NO_ENDPOINT
    assert web.requests == []


@pytest.mark.parametrize(
    ("page", "why"),
    [
        (Response(200, (HTML,)), "advertises no endpoint"),
        (Response(200, (HTML, ("X-Pingback", "mailto:x"))), "pingback: it is no http or https URL"),
        (Response(200, (HTML,), truncated=True), "too long to read to its end"),
    ],
)
def test_a_page_without_endpoints_says_why(page: Response, why: str) -> None:
    delivery, _ = send({T: page})
    assert delivery.outcome is Outcome.NO_ENDPOINT
    assert why in delivery.detail


def test_the_target_goes_out_as_it_was_written() -> None:
    """VB-73: the network uses the serialised form, the receiver looks for the literal string."""
    target = "https://bücher.example/é#x"
    wire = "https://xn--bcher-kva.example/%C3%A9"
    _, web = send({wire: listening("webmention")}, target)
    assert web.requested == [wire, "https://xn--bcher-kva.example/wm"]
    assert dict(read_form(web.posts[0]))[b"target"].decode() == target


# before the post


def test_the_caller_hears_of_each_post_right_before_it() -> None:
    """The source is described first: nothing that takes long stands between the mark and the POST."""
    web = FakeWeb({T: listening(*EVERY), S: f"<title>Note</title><a href='{T}'>x</a>", TB: TB_OK})
    told: list[tuple[str, str, int]] = []
    sender.deliver(web, CLAIM, before_post=lambda protocol, url: told.append((protocol, url, len(web.requests))))
    assert told == [("webmention", WM, 1), ("pingback", PB, 2), ("trackback", TB, 4)]
    assert web.requested == [T, WM, PB, S, TB]


def test_what_cannot_be_marked_is_not_sent() -> None:
    def failing(protocol: str, endpoint: str) -> None:
        raise StoreError("disk full")

    web = FakeWeb({T: listening("webmention")})
    with pytest.raises(StoreError):
        sender.deliver(web, CLAIM, before_post=failing)
    assert web.posts == []


# describing the source


def trackback_fields(pages: dict[str, Answering], claim: Claim = CLAIM) -> dict[bytes, bytes]:
    web = FakeWeb({T: listening("trackback"), TB: TB_OK, **pages})
    assert sender.deliver(web, claim).outcome is Outcome.SENT
    [post] = web.posts
    return dict(read_form(post))


def test_a_trackback_speaks_in_the_words_of_its_source() -> None:
    """protocols.md F-39: receivers exist that want all four fields."""
    page = f"<meta property=og:site_name content=Bl><title>Note</title><p>I like <a href='{T}'>this</a> much.</p>"
    assert trackback_fields({S: page}) == {
        b"title": b"Note",
        b"url": S.encode(),
        b"excerpt": b"I like this much.",
        b"blog_name": b"Bl",
    }


def test_the_blog_is_called_what_its_owner_calls_it() -> None:
    page = f"<meta property=og:site_name content=Other><title>Note</title><a href='{T}'>x</a>"
    assert trackback_fields({S: page}, Claim("", S, T, blog_name="Mine"))[b"blog_name"] == b"Mine"


def test_a_source_that_does_not_link_yet_is_described_all_the_same() -> None:
    fields = trackback_fields({S: "<title>Note</title><p>nothing</p>"})
    assert fields[b"title"] == b"Note"
    assert b"excerpt" not in fields


@pytest.mark.parametrize("answer", [Response(404), Response(500), unreachable(S)])
def test_a_source_that_cannot_be_read_is_called_by_its_url(answer: Answering) -> None:
    """VB-37."""
    assert trackback_fields({S: answer}) == {b"title": S.encode(), b"url": S.encode()}


def test_a_claim_that_has_its_words_is_not_described_again() -> None:
    web = FakeWeb({T: listening("trackback"), TB: TB_OK})
    sender.deliver(web, Claim("", S, T, title="Mine"))
    assert web.requested == [T, TB]


@pytest.mark.parametrize("protocol", ["webmention", "pingback"])
def test_protocols_that_carry_no_words_do_not_fetch_the_source(protocol: str) -> None:
    _, web = send({T: listening(protocol)})
    assert S not in web.requested


def test_a_function_may_stand_for_a_receiver() -> None:
    """The whole exchange in memory: what one protocol object writes the other reads."""
    claims: list[Claim] = []
    webmention = BUILTIN[0]

    def receive(request: Request) -> Response:
        claims.append(webmention.read_ping(request))
        return Response(202)

    answer: Callable[[Request], Response] = receive
    delivery, _ = send({T: listening("webmention"), WM: answer})
    assert delivery.outcome is Outcome.ACCEPTED
    assert claims == [Claim("webmention", S, T)]
