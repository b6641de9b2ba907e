"""Requirements that no vector shows, each by its own small proof."""

from __future__ import annotations

import re

import pytest

from linkback import Claim, Outcome, Policy, Reason, Site, find_backlink, wpexcerpt
from linkback.jobs import External
from linkback.model import Answer
from linkback.protocols import BUILTIN, Pingback, TrackBack, endpoint_url
from linkback.testing import FakeWeb
from linkback.wire import Request, Response

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
