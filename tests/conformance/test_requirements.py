"""Requirements that no vector shows, each by its own small proof."""

from __future__ import annotations

import re

import pytest

from linkback import Claim, Fetcher, Outcome, Policy, Reason, Site, find_backlink, send, verify, wpexcerpt
from linkback.jobs import External
from linkback.model import Answer
from linkback.protocols import BUILTIN, Pingback, TrackBack, endpoint_url, xmlrpc
from linkback.testing import FakeClock, FakeWeb
from linkback.web.app import App
from linkback.web.render import thread
from linkback.web.shapes import mention_to_json
from linkback.wire import Request, Response
from tests.conformance.rawserver import Answers, answer, page, redirect, web
from tests.serving import LOOPBACK

S, T = "https://s.example/note", "https://t.example/post"
HTML = {"Content-Type": "text/html; charset=utf-8"}


def test_our_endpoints_have_no_ampersand_that_a_sender_could_fail_to_decode() -> None:
    """A-50"""
    assert not any("&" in endpoint_url(protocol, "https://t.example/linkback", T + "?a=1&b=2") for protocol in BUILTIN)


def test_a_pingback_has_the_shape_that_the_strictest_receivers_match() -> None:
    """B-21, B-24"""
    body = Pingback().write_ping("https://t.example/rpc", Claim("pingback", S, T)).body
    assert re.fullmatch(
        rb'<\?xml version="1\.0"[^>]*\?>\s*<methodCall>\s*<methodName>pingback\.ping</methodName>\s*<params>\s*'
        rb"<param>\s*<value>\s*<string>https://s\.example/note</string>\s*</value>\s*</param>\s*"
        rb"<param>\s*<value>\s*<string>https://t\.example/post</string>\s*</value>\s*</param>\s*</params>\s*</methodCall>\s*",
        body,
    )


def test_a_trackback_that_was_refused_is_not_sent_again() -> None:
    """B-49"""
    body = b"<response><error>1</error><message>Es gibt schon einen Ping von dieser URL</message></response>"
    reply = TrackBack().read_reply(Response(200, (), body))
    assert (reply.outcome, reply.again) == (Outcome.REFUSED, 0)


def test_receiving_never_sends() -> None:
    """B-65, off: two installations that show each other's mentions do not talk for ever."""
    web = FakeWeb({S: f"<a href='{T}'>x</a>"})
    policy = Policy(settle_seconds=0)
    with Site("https://t.example", store="sqlite://", fetch=web, runner=External(), policy=policy) as site:
        for protocol in ("webmention", "pingback", "trackback"):
            site.receive(Claim(protocol, S, T))
        site.drain()
        assert site.mentions(T)
        assert (web.posts, site.deliveries()) == ([], [])


@pytest.mark.parametrize("reason", [None, *Reason], ids=str)
def test_a_pingback_is_answered_as_xml_from_the_first_byte(reason: Reason | None) -> None:
    """C-22; verbs and sizes that never were a call are answered in plain text (C-2, C-20)."""
    response = Pingback().write_reply(Answer(reason=reason), Request("POST", "https://t.example/pingback"))
    if reason in (Reason.WRONG_VERB, Reason.TOO_LARGE):
        assert response.content_type == "text/plain"
        return
    assert response.header("Content-Type") == "text/xml; charset=utf-8"
    assert response.body.startswith(b"<?xml ")


@pytest.mark.parametrize("reason", [None, *Reason], ids=str)
def test_a_trackback_is_answered_200_unless_it_is_too_much(reason: Reason | None) -> None:
    """C-52"""
    response = TrackBack().write_reply(Answer(reason=reason), Request("POST", "https://t.example/trackback"))
    odd = {Reason.TOO_OFTEN: 429, Reason.TOO_LARGE: 413, Reason.WRONG_VERB: 405}
    assert response.status == (odd.get(reason, 200) if reason else 200)
    assert bool(response.header("Retry-After")) is (reason is Reason.TOO_OFTEN)


def test_the_target_of_a_trackback_is_in_its_endpoint_and_never_in_its_body() -> None:
    """C-50"""
    form = (("Content-Type", "application/x-www-form-urlencoded"),)
    body = b"url=https%3A%2F%2Fs.example%2Fnote&target=https%3A%2F%2Fevil.example%2F&tb_id=7"
    claim = TrackBack().read_ping(Request("POST", "https://t.example/tb", form, body), T)
    assert (claim.source, claim.target) == (S, T)


@pytest.mark.parametrize("title", ["a&#xD800;b", "a\0b", "a&#0;b", "a&#xDFFF;b"])
def test_what_is_stored_is_text_that_every_database_takes(title: str) -> None:
    """VE-31, E-13"""
    backlink = find_backlink(S, T, HTML, f"<title>{title}</title><a href='{T}'>x</a>".encode())
    assert set(backlink.title) <= {"a", "b", "\ufffd"}
    backlink.title.encode("utf-8")
    composed = find_backlink(S, T, HTML, f"<title>Cafe\u0301</title><a href='{T}'>x</a>".encode())
    assert composed.title == "Café"


def test_an_excerpt_in_wordpress_style_is_text_that_the_page_still_has_to_escape() -> None:
    """E-11"""
    html = f'<title>S</title><p>one &lt;b&gt; <a href="{T}">l &amp; k</a> two three</p>'
    assert wpexcerpt.excerpt(html, T) == "[…] <b> l & k two […]"
    assert wpexcerpt.excerpt(html, T, raw=True) == "[&#8230;] &lt;b&gt; l &amp; k two [&#8230;]"


def test_the_status_url_of_a_webmention_is_kept_and_never_asked() -> None:
    """B-55: polling is optional, and whoever wants to know has the URL."""
    endpoint, status_url = "https://t.example/wm", "https://t.example/status/1"
    web = FakeWeb(
        {
            T: Response(200, (("Link", f"<{endpoint}>; rel=webmention"),)),
            endpoint: Response(201, (("Location", "/status/1"),)),
            status_url: "queued",
        }
    )
    clock = FakeClock()
    with Site("https://s.example", store="sqlite://", fetch=web, runner=External(), clock=clock) as site:
        site.publish(S, f"<a href='{T}'>x</a>")
        site.drain()
        clock.advance(10 * 86_400)
        site.drain()
        [delivery] = site.deliveries()
    assert (delivery.outcome, delivery.status_url) == (Outcome.ACCEPTED, status_url)
    assert web.requested == [T, endpoint]


@pytest.mark.parametrize("wrapped", ["{}", "<div class=h-entry><div class='p-name e-content'>{}</div></div>"])
def test_of_the_markup_of_a_source_only_its_text_is_kept(wrapped: str) -> None:
    """VE-29, E-12"""
    content = f'<p onclick=x>hi <script>y</script><a href="javascript:z">l</a> <a href="{T}">link</a></p>'
    web = FakeWeb({S: wrapped.format(content)})
    policy = Policy(settle_seconds=0)
    with Site("https://t.example", store="sqlite://", fetch=web, runner=External(), policy=policy) as site:
        site.receive(Claim("webmention", S, T))
        site.drain()
        [mention] = site.mentions(T)
    assert mention.excerpt == "hi l link"
    told = str(mention_to_json(mention))
    shown = thread([mention])
    assert not re.search("<|onclick|script", told)
    assert not re.search("<p\\b[^>]*onclick|<script|javascript:", shown)
    assert "hi l link" in shown


def test_no_request_asks_for_a_part_of_a_page() -> None:
    """F-42: neither `Range` nor the `Content-Range` of Pingback 2.3, to page, source or endpoint, moved or not."""
    answers: Answers = {
        "/note": page(b"<title>Note</title><a href='/moved'>x</a>"),
        "/moved": redirect("/webmention"),
        "/webmention": page(headers=b"Link: </endpoint>; rel=webmention\r\n"),
        "/pingback": page(headers=b"X-Pingback: /endpoint\r\n"),
        "/trackback": page(b"<link rel=trackback href=/endpoint>"),
        "/endpoint": answer(202),
    }
    with web(answers) as at:
        fetch = Fetcher(allow=LOOPBACK)
        for path in ("moved", "pingback", "trackback"):
            send(f"{at.url}/note", f"{at.url}/{path}", fetch=fetch)
        verify(f"{at.url}/note", f"{at.url}/moved", fetch=fetch)
        assert at.paths().count("/endpoint") == 3
        assert not any(re.search(rb"(?im)^[a-z-]*range\s*:", request) for request in at.seen)


@pytest.mark.parametrize(
    ("response", "outcome"),
    [
        pytest.param(Response(402), Outcome.REFUSED, id="F-42 402"),
        pytest.param(Response(502), Outcome.FAILED, id="F-42 502"),
        pytest.param(Response(200, body=xmlrpc.write_fault(50, "")), Outcome.FAILED, id="F-42 fault 50"),
    ],
)
def test_trouble_upstream_is_like_502_and_not_like_402(response: Response, outcome: Outcome) -> None:
    """The specification likens fault 50 to the wrong one of the two."""
    assert Pingback().read_reply(response).outcome is outcome


@pytest.mark.parametrize("reason", [None, *Reason], ids=str)
def test_a_trackback_is_answered_by_no_status_of_the_later_drafts(reason: Reason | None) -> None:
    """F-43"""
    request = Request("POST", "https://t.example/trackback")
    answers = [TrackBack().write_reply(Answer(reason=reason, checked=checked), request) for checked in (True, False)]
    assert not {response.status for response in answers} & {201, 202, 400, 410}


def test_the_list_that_trackback_1_2_dropped_is_given_only_where_a_site_wants_it() -> None:
    """F-43"""
    query = "?target=https%3A%2F%2Ft.example%2Fpost&__mode=rss"
    request = Request("GET", f"https://t.example/trackback{query}")
    listed = {}
    for rss in (True, False):
        protocols = (TrackBack(rss=rss),)
        with Site(
            "https://t.example", store="sqlite://", fetch=FakeWeb(), runner=External(), protocols=protocols
        ) as site:
            response = App(site).handle(request, "/trackback")
            listed[rss] = (response.status, b"<rss" in response.body)
    assert listed == {True: (200, True), False: (302, False)}
