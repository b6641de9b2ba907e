"""What other systems do, as section "Peers" of docs/protocols.md has it, and what that means for linkback.

Rule: a peer's rule is written here as a few lines of our own, and what linkback really sends, answers or shows is held
against it; a peer's answer is a file of `replies/`, and linkback must read it for what the peer means.
"""

from __future__ import annotations

import html
import re
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from linkback import Blocked, Claim, Fetcher, Outcome, Reason, Refused, Site, send
from linkback.forms import read_form
from linkback.jobs import External
from linkback.model import Answer
from linkback.policy import Retry
from linkback.protocols import BUILTIN, Pingback, Protocol, TrackBack, endpoint_url
from linkback.testing import Answering, FakeClock, FakeWeb
from linkback.web.app import App
from linkback.wire import Request, Response
from tests.conformance.rawserver import Answers, answer, by_method, page, web
from tests.serving import LOOPBACK

REPLIES = Path(__file__).parent / "replies"
S, T = "https://s.example/note", "https://t.example/post"
ENDPOINT = "https://t.example/endpoint"
TYPED = ("Content-Type", "text/html; charset=utf-8")
XML, HTML, JSON = "text/xml", "text/html", "application/json"
SIGNS = {
    "webmention": ("Link", f"<{ENDPOINT}>; rel=webmention"),
    "pingback": ("X-Pingback", ENDPOINT),
}
LISTENING: dict[str, Answering] = {
    **{name: Response(200, (TYPED, field)) for name, field in SIGNS.items()},
    "trackback": Response(200, (TYPED,), f"<link rel=trackback href={ENDPOINT}>".encode()),
}
POST = Request("POST", ENDPOINT)
TAKEN, NOT_NOW, NO = Outcome.SENT, Outcome.FAILED, Outcome.REFUSED


@pytest.fixture
def site() -> Iterator[Site]:
    with Site("https://t.example", store="sqlite://", fetch=FakeWeb(), runner=External()) as site:
        yield site


# their answers to us


@pytest.mark.parametrize(
    ("protocol", "file", "status", "content_type", "expected", "said"),
    [
        pytest.param("pingback", "wordpress-taken.xml", 200, XML, (TAKEN, None), "Pingback from", id="F-9 taken"),
        pytest.param("pingback", "wordpress-refused.xml", 200, XML, (NO, 0), "", id="F-1 refused"),
        pytest.param("pingback", "wordpress-duplicate.xml", 200, XML, (TAKEN, 48), "The pingback", id="F-8 duplicate"),
        pytest.param(
            "trackback", "wordpress-closed.xml", 200, XML, (NO, 1), "Sorry, Q & A is closed: no trackbacks.",
            id="F-18 F-21 closed",
        ),
        pytest.param(
            "webmention", "wordpress-webmention-queued.json", 202, JSON, (Outcome.ACCEPTED, 202), "", id="F-23 queued"
        ),
        pytest.param(
            "webmention", "wordpress-webmention-refused.json", 400, JSON, (NO, 400), '{"code":"target_not_valid"',
            id="F-23 refused",
        ),
        pytest.param("pingback", "serendipity-taken.xml", 200, HTML, (TAKEN, None), "success", id="F-26 taken"),
        pytest.param("pingback", "serendipity-refused.xml", 200, HTML, (NO, 0), "", id="F-26 refused"),
        pytest.param(
            "trackback", "serendipity-trackback-refused.xml", 200, HTML, (NO, 1), "Für diesen Eintrag nicht möglich",
            id="F-28 refused",
        ),
        pytest.param("trackback", "movabletype-duplicate.xml", 200, XML, (TAKEN, 0), "", id="F-31 duplicate"),
        pytest.param("trackback", "movabletype-disabled.xml", 200, XML, (NO, 1), "This entry", id="F-31 disabled"),
        pytest.param("trackback", "movabletype-banned.xml", 200, XML, (NO, 1), "Your address", id="F-31 banned"),
        pytest.param("trackback", "movabletype-passphrase.xml", 200, XML, (NO, 1), "The pass", id="F-31 passphrase"),
        pytest.param("trackback", "movabletype-unknown.xml", 200, XML, (NO, 1), "There is no", id="F-31 unknown"),
        pytest.param("trackback", "movabletype-throttled.txt", 403, XML, (NOT_NOW, 403), "", id="F-30 throttled"),
        pytest.param("trackback", "movabletype-filtered.xml", 403, XML, (NO, 403), "", id="F-30 filtered"),
        pytest.param("pingback", "zinnia-no-link.xml", 200, XML, (NO, 17), "", id="F-35 no link"),
        pytest.param("pingback", "zinnia-duplicate.xml", 200, XML, (TAKEN, 48), "", id="F-35 duplicate"),
        pytest.param(
            "pingback", "webmentionio-queued.xml", 200, XML, (TAKEN, None),
            "Pingback was queued for processing. Status: https://w.example/", id="F-36 queued",
        ),
        *(
            pytest.param("pingback", "webmentionio-refused.xml", status, XML, (NO, 0), "invalid_target",
                         id=f"F-36 {status}")
            for status in (400, 401, 404, 500)
        ),
        pytest.param("trackback", "pukiwiki-no-link.xml", 400, XML, (NO, 400), "The page does not", id="F-41 no link"),
    ],
)  # fmt: skip
def test_an_answer_is_read_as_its_system_means_it(
    protocol: str, file: str, status: int, content_type: str, expected: tuple[Outcome, int | None], said: str
) -> None:
    reply = Response(status, (("Content-Type", content_type),), (REPLIES / file).read_bytes())
    delivery = send(S, T, fetch=FakeWeb({T: LISTENING[protocol], S: "<title>Note</title>", ENDPOINT: reply}))
    assert (delivery.protocol, delivery.outcome, delivery.code) == (protocol, *expected)
    assert delivery.detail.startswith(said)
    assert delivery.status_url == ""


# their rules for what we send


@pytest.mark.parametrize("url", ["https://s.example/note", "http://s.example:8080/note", "http://s.example:80/note"])
def test_the_sources_we_name_are_such_as_wordpress_fetches(url: str) -> None:
    """F-4"""
    fake = FakeWeb({T: LISTENING["pingback"]})
    with Site(url, store="sqlite://", fetch=fake, runner=External()) as blog:
        blog.publish(url, f"<a href='{T}'>x</a>")
        blog.drain()
    source = urllib.parse.urlsplit(Pingback().read_ping(fake.posts[0]).source)
    assert source.scheme in ("http", "https")
    assert source.port in (None, 80, 443, 8080)
    assert "@" not in source.netloc
    assert re.fullmatch(r"[a-z0-9.-]+", source.hostname or "")


def test_a_source_with_a_password_is_never_named() -> None:
    """F-4"""
    fake = FakeWeb({T: LISTENING["pingback"]})
    with pytest.raises(Refused):
        send("https://u:p@s.example/note", T, fetch=fake)
    assert fake.requests == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "10.0.0.1", "0.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "[::1]"]
)
def test_what_wordpress_does_not_fetch_we_do_not_fetch_either(host: str) -> None:
    """F-4: nor the link-local addresses that it lets pass."""
    with pytest.raises(Blocked):
        Fetcher().get(f"http://{host}/")


@pytest.mark.parametrize("answer", [None, *Reason], ids=str)
@pytest.mark.parametrize("text", ["https://t.example/", "https://bücher.example/é?a=1&b=<2>\ufeff"])
def test_what_we_write_stays_within_what_wordpress_parses(answer: Reason | None, text: str) -> None:
    """F-11: calls and answers alike; those to what never was a call are plain text."""
    claim = Claim("pingback", text, text)
    bodies = [Pingback().write_ping(ENDPOINT, claim).body, Pingback().write_mentions(T, [], POST).body]
    said = Pingback().write_reply(Answer(reason=answer), POST)
    bodies += [said.body] if said.content_type == "text/xml" else []
    for body in bodies:
        assert re.match(rb'<\?xml version="1\.0" encoding="(?i:utf-8)"\?>\n<method(Call|Response)>', body)
        assert body.isascii()
        assert not re.search(rb"<!|<value\s*/>|<value></value>|i8", body)


@pytest.mark.parametrize(
    "href",
    [
        T,
        f"{T}/#c1",
        "http://www.t.example/post/",
        "HTTPS://T.example:443/post",
        "//t.example/post",
        "https://t.example/?a=1&amp;b=2",
        "https://t.example/?a=1&b=2",
        "https://bücher.example/é#ü",
        "https://t.example/caf%c3%a9",
    ],
)
def test_the_targets_we_name_are_found_in_the_source_as_the_webmention_plugin_looks(href: str) -> None:
    """F-22: the decoded text is searched for the target without scheme, `www.`, final slash and fragment."""
    source = f"<title>Note</title><p>I like <a href='{href}'>this</a>."
    [target] = send_all(source, html.unescape(href))
    sought = re.sub(r"^(?i:https?)://(?:www\.)?", "", target.partition("#")[0]).rstrip("/")
    assert sought in html.unescape(source)


def send_all(source: str, href: str) -> list[str]:
    """The targets that webmentions name when a post of that content comes out."""
    fake = FakeWeb({urllib.parse.urljoin(S, href): LISTENING["webmention"], ENDPOINT: Response(202)})
    with Site("https://s.example", store="sqlite://", fetch=fake, runner=External()) as blog:
        blog.publish(S, source)
        blog.drain()
    return [dict(read_form(post))[b"target"].decode() for post in fake.posts]


def test_a_receiver_that_deletes_what_is_gone_hears_of_it_when_it_is_gone() -> None:
    """F-23: the plugin deletes on 404, 410 and 452, so a post must answer 410 before its deletion is told."""
    seen: list[int] = []

    def receive(request: Request) -> Response:
        seen.append(fake.get(dict(read_form(request))[b"source"].decode()).status)
        return Response(202)

    fake, clock = FakeWeb({S: f"<a href='{T}'>x</a>", T: LISTENING["webmention"], ENDPOINT: receive}), FakeClock()
    retry = Retry(delays=(60.0,), jitter=0.0)
    settings: dict[str, Any] = {"runner": External(), "clock": clock, "pause": clock.advance, "retry": retry}
    with Site("https://s.example", store="sqlite://", fetch=fake, **settings) as blog:
        blog.publish(S)
        blog.drain()
        blog.unpublish(S)
        clock.advance(1)
        blog.drain()
        assert seen == [200]
        fake.pages[S] = Response(410)
        clock.advance(60)
        blog.drain()
    assert seen == [200, 410]


@pytest.mark.parametrize("url", ["s.example/note", "//s.example/note", "http//s.example/note"])
def test_a_url_without_scheme_is_neither_sent_nor_taken(site: Site, url: str) -> None:
    """F-32: Movable Type would repair it; no receiver has to repair ours, and we repair none."""
    fake = FakeWeb({T: LISTENING["trackback"], S: "<title>Note</title>", ENDPOINT: Response(200)})
    with pytest.raises(Refused):
        send(url, T, fetch=fake)
    send(S, T, fetch=fake)
    assert [dict(read_form(post))[b"url"] for post in fake.posts] == [S.encode()]
    form = urllib.parse.urlencode({"url": url, "title": "Note"}).encode()
    body = App(site).handle(Request("POST", endpoint_of(TrackBack()), (), form), "/trackback").body
    assert b"<error>1</error>" in body


def test_a_ping_is_never_sent_by_get() -> None:
    """F-41: an endpoint that takes GET too sees a POST, and its 400 is a refusal."""
    refusal = answer(400, b"Content-Type: text/xml\r\n", (REPLIES / "pukiwiki-no-link.xml").read_bytes())
    answers: Answers = {
        "/post": page(b"<link rel=trackback href=/tb>"),
        "/note": page(b"<title>Note</title>"),
        "/tb": by_method(POST=refusal, GET=answer(200, b"", b"<response><error>0</error></response>")),
    }
    with web(answers) as at:
        delivery = send(f"{at.url}/note", f"{at.url}/post", fetch=Fetcher(allow=LOOPBACK))
        assert (delivery.outcome, delivery.code) == (Outcome.REFUSED, 400)
        assert at.asked() == [("GET", "127.0.0.1/post"), ("GET", "127.0.0.1/note"), ("POST", "127.0.0.1/tb")]
    assert {protocol.write_ping(ENDPOINT, Claim("", S, T)).method for protocol in BUILTIN} == {"POST"}


# their rules for what we show


def endpoint_of(protocol: Protocol) -> str:
    return endpoint_url(protocol, "https://t.example/linkback", T)


def test_the_markup_of_a_page_has_the_element_that_serendipity_wants(site: Site) -> None:
    """F-25: the one form of the specification, whatever its case, once."""
    pattern = re.compile(r'<link rel="pingback" href="([^"<>]+)" ?/?>', re.IGNORECASE)
    assert pattern.findall(f"<head>{site.head(T, title='A post')}</head>") == [endpoint_of(Pingback())]


@pytest.mark.parametrize("asked", [T, f"{T}#c1", "http://www.t.example/old/post"])
@pytest.mark.parametrize("title", ["A post", 'He said "</rdf:RDF>" -- <b>trackback:ping="x"</b>'])
def test_the_rdf_of_a_page_is_found_as_movable_type_looks(site: Site, asked: str, title: str) -> None:
    """F-34: in double quotes, by the URL, the URL without fragment, or the same last path segment."""
    text = f"<html><head>{site.head(T, title=title)}</head></html>"
    pings = []
    for block in re.findall(r"<rdf:RDF\b.*?</rdf:RDF>", text, re.DOTALL):
        named = dict(re.findall(r'(dc:identifier|trackback:ping)="([^"]*)"', block))
        same_page = named["dc:identifier"] in (asked, asked.partition("#")[0])
        if same_page or named["dc:identifier"].rpartition("/")[2] == asked.rpartition("/")[2]:
            pings.append(named["trackback:ping"])
    assert pings == [endpoint_of(TrackBack())]


# our answers to them


@pytest.mark.parametrize("reason", [None, *sorted({*Reason} - {Reason.WRONG_VERB, Reason.TOO_LARGE})], ids=str)
@pytest.mark.parametrize("pingback", [Pingback(), Pingback(quiet_faults=True)], ids=["said", "quiet"])
def test_serendipity_takes_our_refusals_for_refusals(reason: Reason | None, pingback: Pingback) -> None:
    """F-29: whatever has no `<error>` or `<fault>` it takes for success. It always POSTs, and never too much."""
    error = re.search(rb"<error>(\d+)</error>", TrackBack().write_reply(Answer(reason=reason), POST).body)
    assert error is not None
    assert (error[1] == b"0") is (reason in (None, Reason.DUPLICATE))
    assert (b"<fault>" in pingback.write_reply(Answer(reason=reason), POST).body) is (reason is not None)


@pytest.mark.parametrize("reason", [None, *Reason], ids=str)
def test_movable_type_takes_our_answers_for_what_they_are(reason: Reason | None) -> None:
    """F-33: 2xx is success unless there are both a non-zero `<error>` and a `<message>`."""
    said = TrackBack().write_reply(Answer(reason=reason), POST)
    error = re.search(rb"<error>(.*?)</error>", said.body)
    refused = error is not None and error[1] != b"0" and b"<message>" in said.body
    success = 200 <= said.status < 300 and not refused
    assert success is (reason in (None, Reason.DUPLICATE))


@pytest.mark.parametrize("charset", ["euc-jp", "shift_jis", "utf-8"])
def test_a_ping_of_movable_type_is_read_in_the_charset_of_its_header(charset: str) -> None:
    """F-33"""
    fields = {"title": "日本語の題", "url": S, "excerpt": "本文", "blog_name": "日記"}
    form = urllib.parse.urlencode(fields, encoding=charset).encode()
    typed = ("Content-Type", f"application/x-www-form-urlencoded; charset={charset}")
    claim = TrackBack().read_ping(Request("POST", ENDPOINT, (typed,), form), T)
    assert (claim.title, claim.excerpt, claim.blog_name, claim.source) == ("日本語の題", "本文", "日記", S)
