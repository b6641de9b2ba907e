"""What must hold for every input: functions from bytes to None that raise where linkback breaks a promise.

Rule 1: the one thing a reader may raise is a `Refused` that its docstring names; whatever else comes out is a fault.
Rule 2: a short way must end where the long way does, and what is written must read back as it was.
Rule 3: nothing here needs a fuzzer: `run.py` feeds these by atheris, `tests/test_fuzz.py` by seeds and changes to them.

An input is a head of `Name: value` lines, an empty line, and a body; without an empty line it is all body.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from xml.etree import ElementTree

from linkback import discovery, extract, urls, validator
from linkback.errors import NoBacklink, Reason, Refused, SourceGone
from linkback.forms import MAX_FIELDS, URLENCODED, read_form, write_form
from linkback.linkheader import LinkValue, read_links
from linkback.model import Answer, Backlink, Outcome
from linkback.needles import look_for
from linkback.page import Kind, Page
from linkback.policy import ExcerptStyle
from linkback.protocols import BUILTIN, Pingback, Protocol, TrackBack, Webmention, xmlrpc
from linkback.protocols.prose import MAX_DETAIL
from linkback.wire import Headers, Request, Response

SOURCE = "https://s.example/note"
TARGET = "https://t.example/post"
ENDPOINT = "https://t.example/endpoint"
NOW = datetime(2024, 5, 6, 12, 0, tzinfo=UTC)
#: a target elsewhere, and one on the source's own host, which a page may name by a path alone
TARGETS_OF_PAGES = (TARGET, "https://s.example/post")
SIGNPOSTS = {protocol.name: protocol.signpost for protocol in BUILTIN}
UNUSUAL_SIGNPOSTS = {
    "pingback": Pingback(strict_discovery=True).signpost,
    "trackback": TrackBack(guess_wordpress=True).signpost,
}

#: controls, bidi overrides and lone surrogates
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
#: refusals that a reader of requests may give, before anything is judged
_UNREAD = frozenset(
    {
        Reason.MALFORMED,
        Reason.UNKNOWN_ENCODING,
        Reason.UNDECODABLE,
        Reason.NOT_A_CALL,
        Reason.UNKNOWN_METHOD,
        Reason.BAD_ARGUMENTS,
        Reason.BAD_CONTENT_TYPE,
        Reason.TOO_LARGE,
        Reason.SOURCE_INVALID,
    }
)


def link_header(data: bytes) -> None:
    """`Link` fields, one a line: each is read for itself, and what was read can be written and read again."""
    fields = data.decode("latin-1").split("\n")
    found = list(read_links(fields))
    assert found == [link for text in fields for link in read_links([text])], "a field changes how another is read"
    for link in found:
        assert all(rel and not set(rel) & set(" \t\n\f\r") for rel in link.rels), "a relation type has blanks"
        assert not any(rel.isascii() and rel != rel.lower() for rel in link.rels), "a relation type has capitals"
        assert list(read_links([_link_field(link)])) == [link], "a link is another when it is written"


def _link_field(link: LinkValue) -> str:
    # blanks keep a single quote at an end of the list from being taken for the list's own
    parameters = [("rel", f" {' '.join(link.rels)} ")]
    parameters += [("anchor", link.anchor)] if link.anchor is not None else []
    escaped = ((name, value.replace("\\", "\\\\").replace('"', '\\"')) for name, value in parameters)
    return f"<{link.reference}>" + "".join(f'; {name}="{value}"' for name, value in escaped)


def xmlrpc_call(data: bytes) -> None:
    """A request as Pingback reads it: a claim or a refusal that can be answered, by the short way as by the parser."""
    request = _request(data)
    for protocol in (Pingback(), Pingback(strict_xml=True), Pingback(quiet_faults=True)):
        _ask(protocol, request)
        reason = _refusal(partial(protocol.read_query, request))
        assert reason is None or reason in _UNREAD, f"{reason} for a query"
    try:
        call = xmlrpc.read_call(request)
    except Refused:
        return
    # a comment at the end is no part of a call, and sends it past the short way
    if request.body.isascii() and b"\x1b" not in request.body:
        commented = Request(request.method, request.url, request.headers, request.body + b"<!-- -->")
        assert xmlrpc.read_call(commented) == call, "the short way reads another call than the parser"


def xmlrpc_reply(data: bytes) -> None:
    """An answer as the sender of a pingback reads it."""
    _hear(Pingback(), data)


def trackback_reply(data: bytes) -> None:
    """An answer as the sender of a trackback reads it."""
    _hear(TrackBack(), data)


def webmention_reply(data: bytes) -> None:
    """An answer as the sender of a webmention reads it."""
    _hear(Webmention(), data)


def form(data: bytes) -> None:
    """A form body as TrackBack and Webmention read it; its fields read the same when they are written anew."""
    request = _request(data)
    for protocol in (Webmention(), TrackBack(), TrackBack(fallback_charsets=("shift_jis", "euc-jp"))):
        _ask(protocol, request)
    reason = _refusal(partial(read_form, request))
    assert reason in (None, Reason.BAD_CONTENT_TYPE, Reason.MALFORMED, Reason.TOO_LARGE), f"{reason} for a form"
    if reason is not None:
        return
    fields = read_form(request)
    assert len(fields) <= MAX_FIELDS, "more fields than any form may have"
    try:
        pairs = [(name.decode(), value.decode()) for name, value in fields]
    except UnicodeDecodeError:
        return
    again = Request("POST", ENDPOINT, (("Content-Type", URLENCODED),), write_form(pairs))
    assert read_form(again) == fields, "a field is another when it is written"


def page(data: bytes) -> None:
    """A page of any kind: its endpoints, its backlinks, and what it says of itself."""
    headers, body = _message(data)
    _endpoints(lambda: Page(Response(200, headers, body, SOURCE)))
    for target in TARGETS_OF_PAGES:
        _backlinks(lambda: Page(Response(200, headers, body, SOURCE)), target)


def _endpoints(fresh: Callable[[], Page]) -> None:
    whole = fresh()
    elements = whole.document.elements
    for signposts in (SIGNPOSTS, UNUSUAL_SIGNPOSTS):
        found = discovery.find(fresh(), signposts, TARGET)
        assert found.found == discovery.find(whole, signposts, TARGET).found, "a page in parts has other endpoints"
        for endpoint in found.found.values():
            parsed = urls.parse(endpoint.url)
            assert parsed is not None, "an endpoint is no URL"
            assert parsed.is_web, "an endpoint that we would not talk to"
    if not whole.advertises or whole.response.header_all("Link"):
        return
    hrefs = (
        element.attributes["href"]
        for element in elements
        if element.name in ("link", "a") and not element.foreign and "webmention" in element.tokens("rel")
        if element.get("href") is not None
    )
    first = next((url for href in hrefs if (url := urls.endpoint(href, whole.base_of(href)))), None)
    endpoint_found = discovery.find(fresh(), SIGNPOSTS).webmention
    assert (endpoint_found.url if endpoint_found else None) == first, "the first webmention signpost is not the one"


def _backlinks(fresh: Callable[[], Page], target: str) -> None:
    for extended in (True, False):
        source = fresh()
        found = _backlink(source, target, extended=extended)
        whole = fresh()
        links = [link for link in whole.links() if urls.satisfies(link.url, target)]
        assert _backlink(whole, target, extended=extended) == found, "a page in parts has another backlink"
        if source.kind is Kind.HTML and not source.says_gone:
            assert found is not None or not links, "a link was overlooked"
            assert found is None or extended or links, "a link where there is none"
        if found is not None:
            assert source.kind is Kind.TEXT or urls.satisfies(found.href, target), "the backlink leads elsewhere"
            _described(source, found)


def _backlink(source: Page, target: str, *, extended: bool) -> Backlink | None:
    try:
        return validator.find(source, target, extended=extended)
    except (NoBacklink, SourceGone):
        return None


def _described(source: Page, backlink: Backlink) -> None:
    styles: tuple[ExcerptStyle, ...] = ("default", "wordpress")
    for style in styles:
        told = extract.describe(source, backlink, style, now=NOW)
        assert told.title, "a page without a title"
        # what is cut ends with an ellipsis
        limits = {
            told.title: extract.MAX_TITLE + 1,
            told.excerpt: extract.MAX_EXCERPT + 1,
            told.author.name: extract.MAX_AUTHOR + 1,
        }
        for text, limit in limits.items():
            assert len(text) <= limit, "a text that is too long to store"
            assert _is_fit(text), "a text that is unfit to show"
        for url in (told.author.url, told.author.photo, told.canonical_url):
            assert not url or url.startswith(("http://", "https://")), "an address that is none of the web"
        assert urls.same_site(told.canonical_url, source.url), "a page on another host than it was found on"


def url_equality(data: bytes) -> None:
    """Two URLs, a line each: equality is one, and every question about URLs agrees with it."""
    head, _, rest = data.partition(b"\n")
    one, other = (text.decode("utf-8", "surrogateescape") for text in (head, rest))
    for text in (one, other):
        _one_url(text)
    assert urls.same_page(one, other) == urls.same_page(other, one), "equality has a direction"
    if urls.same_page(one, other):
        assert urls.loose(one) == urls.loose(other), "loosely they differ"
        assert urls.pair_key("", one, SOURCE) == urls.pair_key("", other, SOURCE), "one link has two keys"
    if urls.satisfies(one, other):
        assert urls.same_page(one, other), "a link to another page proves a claim"
        assert urls.same_fragment(one, other), "a link to another part proves a claim"
        assert urls.satisfies_loosely(one, other), "a proof is none loosely"
    _reference(one, other)


def _one_url(text: str) -> None:
    normal = urls.canonical(text)
    assert urls.same_page(text, text) == (normal is not None), "a URL is not itself"
    assert normal is None or urls.canonical(normal) == normal, "the normal form has another one"
    url = urls.parse(urls.clean(text))
    if url is not None and url.is_web:
        assert urls.satisfies(text, text), "a link to a page does not prove a claim about it"
        assert urls.satisfies(url.href, urls.without_fragment(url.href)), "a link is another when it is written"
        assert urls.under(text, urls.origin(text)), "a page is not under its origin"
    if urls.is_argument(text):
        assert urls.resolve(text, SOURCE) == urls.clean(text), "an argument is another as a link"
        assert normal is not None, "an argument has no normal form"


def _reference(reference: str, base: str) -> None:
    url = urls.resolve(reference, base)
    if url is None:
        return
    parsed = urls.parse(url)
    assert parsed is not None, "a reference means no URL"
    assert parsed.is_web, "a reference means what we would not talk to"
    assert urls.resolve(url, base) == url, "what a reference means, means something else"
    if urls.parse(base) is not None:
        assert urls.endpoint(reference, base) == parsed.href, "an endpoint is elsewhere than its link"
    for target in {url, parsed.href}:
        # only what is relative to the target's host need not look like it
        if urls.site_host(base) != parsed.host.removeprefix("www."):
            assert look_for(target)(reference), "the first look passes over a link"


def _is_fit(line: str) -> bool:
    return " ".join(line.split()) == line and not _UNFIT.search(line)


def _message(data: bytes) -> tuple[Headers, bytes]:
    head, blank, body = data.partition(b"\n\n")
    if not blank:
        return (), data
    lines = (line.partition(":") for line in head.decode("latin-1").split("\n"))
    return tuple((name.strip(), value) for name, _, value in lines), body


def _request(data: bytes) -> Request:
    headers, body = _message(data)
    return Request("POST", ENDPOINT, headers, body)


def _refusal(read: Callable[[], object]) -> Reason | None:
    try:
        read()
    except Refused as refusal:
        return refusal.reason
    return None


def _ask(protocol: Protocol, request: Request) -> None:
    """They speak: a claim that reads back as it was, or a refusal; either has an answer without a word of theirs."""
    reason = _refusal(partial(protocol.read_ping, request, TARGET))
    assert reason is None or reason in _UNREAD, f"{reason} for a ping"
    if reason is None:
        claim = protocol.read_ping(request, TARGET)
        # clients may escape twice, so an ampersand's own name is read away (protocols.md C-31)
        if all(urls.is_argument(url) and "&amp;" not in url for url in (claim.source, claim.target)):
            again = protocol.read_ping(protocol.write_ping(ENDPOINT, claim), TARGET)
            assert (again.source, again.target) == (claim.source, claim.target), "a claim is another when it is written"
    response = protocol.write_reply(Answer(reason=reason), request)
    assert 200 <= response.status < 600, "an answer without a status"
    if response.header("Content-Type").startswith("text/xml"):
        ElementTree.fromstring(response.body)


def _hear(protocol: Protocol, data: bytes) -> None:
    """They answered: never an exception, and no more words than can be kept."""
    headers, body = _message(data)
    said = next((value.strip() for name, value in headers if name.lower() == "status"), "")
    status = int(said) if said.isascii() and said.isdigit() and len(said) == 3 else 200
    reply = protocol.read_reply(Response(status, headers, body, ENDPOINT))
    assert reply.outcome in Outcome, "an answer without an outcome"
    assert len(reply.detail) <= MAX_DETAIL, "more words than can be kept"
    assert _is_fit(reply.detail), "words that are unfit to show"
    assert reply.again >= 0, "fewer than no more tries"
    assert reply.retry_after is None or reply.retry_after >= 0, "a time to wait that is past"
    assert not reply.status_url or urls.is_absolute(reply.status_url), "progress that cannot be watched"


#: by the name of its folder of seeds
TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        link_header,
        xmlrpc_call,
        xmlrpc_reply,
        trackback_reply,
        webmention_reply,
        form,
        page,
        url_equality,
    )
}
