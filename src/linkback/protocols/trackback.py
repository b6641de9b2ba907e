"""TrackBack 1.2, both ways.

Rule: a reply is read by looking for its two elements, because peers send XML that no parser takes;
what we write is XML.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from linkback import urls
from linkback.charsets import lookup
from linkback.errors import ConfigurationError, Reason, Refused
from linkback.forms import URLENCODED, read_form, write_form
from linkback.model import Answer, Claim, Mention, Outcome, Reply, Signpost
from linkback.plaintext import collapse
from linkback.protocols import prose, status
from linkback.protocols.decoding import decode_form, decode_reply
from linkback.wire import Headers, Request, Response
from linkback.xmltext import escape

NAME = "trackback"
#: lengths in code points (protocols.md B-44, C-60)
_MAX_SENT_EXCERPT = 255
_MAX_TITLE = 250
_MAX_EXCERPT = 252
_MAX_BLOG_NAME = 250
#: how many mentions a list shows (protocols.md C-62)
_MAX_LISTED = 50

_SIGNPOST = Signpost(rdf=True, elements=("link", "a"), element_rels=frozenset({"trackback"}))
_CDATA = re.compile(r"<!\[CDATA\[(.*?)(?:\]\]>|\Z)", re.DOTALL)
#: how servers that throttle with 403 say so (protocols.md B-48)
_THROTTLED = re.compile(r"throttle|too (?:quickly|often|many|fast)|rate limit", re.IGNORECASE)

_INVALID = "The request must be a form with the URL of a page."
_UNREADABLE = "The page at that URL could not be read."
_NO_LINK = "The page at that URL does not link here."
_CLOSED = "This page does not take trackbacks."
_FAILED = "The trackback could not be taken; please try again later."

#: the message for each refusal (protocols.md C-52 to C-54, C-61)
MESSAGES = {
    Reason.MALFORMED: _INVALID,
    Reason.UNKNOWN_ENCODING: _INVALID,
    Reason.UNDECODABLE: _INVALID,
    Reason.NOT_A_CALL: _INVALID,
    Reason.UNKNOWN_METHOD: _INVALID,
    Reason.BAD_ARGUMENTS: _INVALID,
    Reason.BAD_CONTENT_TYPE: _INVALID,
    Reason.SOURCE_INVALID: _INVALID,
    Reason.TARGET_INVALID: _CLOSED,
    Reason.TARGET_UNKNOWN: _CLOSED,
    Reason.TARGET_GONE: _CLOSED,
    Reason.TARGET_CLOSED: _CLOSED,
    Reason.SAME_PAGE: "A page cannot send a trackback to itself.",
    Reason.BLOCKED: "This trackback is not accepted.",
    Reason.TOO_OFTEN: "Too many trackbacks; please try again later.",
    Reason.SOURCE_UNREADABLE: _UNREADABLE,
    Reason.SOURCE_MISSING: _UNREADABLE,
    Reason.SOURCE_GONE: _UNREADABLE,
    Reason.NO_BACKLINK: _NO_LINK,
    Reason.TRUNCATED: _NO_LINK,
    Reason.UNSUPPORTED_TYPE: _NO_LINK,
    Reason.UNAVAILABLE: _FAILED,
    Reason.INTERNAL: _FAILED,
}


@dataclass(frozen=True, slots=True)
class TrackBack:
    """The protocol object for TrackBack.

    `fallback_charsets` are the labels tried, in order, for a ping that names no charset and is not
    UTF-8 (protocols.md C-59). `rss` answers a GET with `__mode=rss` by the mentions of the page, as
    TrackBack 1.1 did (C-51, C-62). `guess_wordpress` takes a ping URL of WordPress that a page shows
    without a signpost for its endpoint (A-89). Raises `ConfigurationError` for a label that no browser
    knows.
    """

    fallback_charsets: tuple[str, ...] = ("windows-1252",)
    rss: bool = False
    guess_wordpress: bool = False
    name: ClassVar[str] = NAME
    #: longest request body, in bytes (protocols.md C-2)
    max_body: ClassVar[int] = 262_144
    # a receiver may list a repeat a second time (protocols.md B-11)
    repeatable: ClassVar[bool] = False
    describes_source: ClassVar[bool] = True
    updates: ClassVar[bool] = False
    extended: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for label in self.fallback_charsets:
            if lookup(label) is None:
                raise ConfigurationError(f"fallback_charsets: there is no charset {label!r}")

    @property
    def signpost(self) -> Signpost:
        """How its endpoints are advertised (protocols.md A-80, A-88, A-89)."""
        return replace(_SIGNPOST, guess=self.guess_wordpress)

    def write_ping(self, endpoint: str, claim: Claim) -> Request:
        """The POST that notifies `endpoint` of a claim (protocols.md B-41 to B-45).

        The claim's excerpt may hold markup; what is sent is plain text, cut to 255 code points.
        """
        title = collapse(claim.title) or claim.source
        # PHP takes "0" for no title, and stores nothing (B-43)
        fields = [("title", "0 " if title == "0" else title), ("url", claim.source)]
        excerpt = prose.shorten(prose.from_html(claim.excerpt), _MAX_SENT_EXCERPT)
        blog_name = collapse(claim.blog_name)
        fields += [(name, value) for name, value in (("excerpt", excerpt), ("blog_name", blog_name)) if value]
        headers = (
            ("Content-Type", f"{URLENCODED}; charset=utf-8"),
            ("Accept", "text/xml, application/xml;q=0.9, */*;q=0.1"),
        )
        return Request("POST", endpoint, headers, write_form(fields))

    def read_reply(self, response: Response) -> Reply:
        """What the receiver answered; a status outranks its body (protocols.md B-46 to B-49)."""
        text = decode_reply(response.body, response.charset)
        error = _content(text, "error")
        detail = prose.shorten(_content(text, "message") or "", prose.MAX_DETAIL)
        if not status.succeeded(response):
            return _by_status(response, detail, judged=error is not None, throttled=bool(_THROTTLED.search(text)))
        if error is None:
            return status.malformed(response, "an <error> element")
        code = int(error) if re.fullmatch("[+-]?[0-9]{1,9}", error) else None
        return Reply(outcome=Outcome.SENT if code == 0 else Outcome.REFUSED, code=code, detail=detail)

    def read_ping(self, request: Request, target: str = "") -> Claim:
        """The claim in a form body; `target` is the page that the endpoint belongs to (C-50).

        `url` is trimmed, not judged; title, excerpt and blog name are plain text, cropped.
        Raises `Refused`: `BAD_CONTENT_TYPE`, `MALFORMED`, or `SOURCE_INVALID` without a `url`
        (protocols.md C-54 to C-60).
        """
        fields = decode_form(read_form(request), request.charset, self.fallback_charsets)
        source = fields.get("url", "").strip(" \t\n\f\r")
        if not source:
            raise Refused(Reason.SOURCE_INVALID, "there is no url")

        def field(name: str, limit: int) -> str:
            return prose.from_field(fields.get(name, ""), limit)

        return Claim(
            NAME,
            source,
            target,
            title=field("title", _MAX_TITLE) or source,
            excerpt=field("excerpt", _MAX_EXCERPT),
            blog_name=field("blog_name", _MAX_BLOG_NAME),
            endpoint=request.url,
        )

    def read_query(self, request: Request, target: str = "") -> str | None:
        """`target`, where a GET asks for the list of its trackbacks and `rss` is on; else None (protocols.md C-51)."""
        asked = request.method in ("GET", "HEAD") and urls.query_value(request.url, "__mode") == "rss"
        return target if self.rss and asked else None

    def write_mentions(self, page: str, mentions: Sequence[Mention], request: Request) -> Response:
        """The newest mentions of a page as RSS 0.91, newest first (protocols.md C-62)."""
        newest = sorted(mentions, key=lambda mention: mention.received, reverse=True)[:_MAX_LISTED]
        items = "".join(_item("item", each.title or each.source, each.source, each.excerpt) for each in newest)
        # nobody told us the language of the page, which the format wants named
        channel = _item("channel", urls.place(page), page, "", f"<language></language>\n{items}")
        return _respond(request, 200, _body(f'<error>0</error>\n<rss version="0.91">\n{channel}</rss>'))

    def write_reply(self, answer: Answer, request: Request) -> Response:
        """Our answer (protocols.md C-52, C-53, C-61). A repeat is answered as taken: retrying is safe."""
        if answer.reason is None or answer.reason is Reason.DUPLICATE:
            return _respond(request, 200, _body("<error>0</error>"))
        if answer.reason is Reason.WRONG_VERB:
            return _looked_at(answer, request)
        if answer.reason is Reason.TOO_LARGE:
            return status.too_large(request)
        body = write_error(MESSAGES[answer.reason])
        if answer.reason is Reason.TOO_OFTEN:
            return _respond(request, 429, body, status.wait(answer))
        return _respond(request, 200, body)


def _looked_at(answer: Answer, request: Request) -> Response:
    """The answer to a GET: the page for a browser, an error for a client of before 1.1 (protocols.md C-51)."""
    if request.method not in ("GET", "HEAD"):
        return status.wrong_verb(request)
    if urls.query_value(request.url, "url"):
        return _respond(request, 200, write_error("Trackbacks must be sent with POST."))
    if not answer.page:
        return status.wrong_verb(request)
    return status.plain(request, 302, answer.page, (("Location", urls.serialised(answer.page)),))


def write_error(message: str) -> bytes:
    """The body of a refusal; the message is escaped (protocols.md C-53)."""
    return _body(f"<error>1</error>\n<message>{escape(message)}</message>")


def _body(content: str) -> bytes:
    return f'<?xml version="1.0" encoding="utf-8"?>\n<response>\n{content}\n</response>'.encode()


def _item(name: str, title: str, link: str, description: str, more: str = "") -> str:
    """An item of a feed, or the channel that holds it."""
    return (
        f"<{name}>\n<title>{escape(title)}</title>\n<link>{escape(link)}</link>\n"
        f"<description>{escape(description)}</description>\n{more}</{name}>\n"
    )


def _respond(request: Request, code: int, body: bytes, headers: Headers = ()) -> Response:
    return Response(code, (*headers, ("Content-Type", "text/xml; charset=utf-8")), body, request.url)


def _content(text: str, name: str) -> str | None:
    """The text of the first element of that name, in XML or nearly; None where there is none."""
    start = re.search(rf"<{name}\s*+>", text, re.IGNORECASE)
    end = re.compile(rf"</{name}\s*+>", re.IGNORECASE).search(text, start.end()) if start else None
    if start is None or end is None:
        return None
    # what a CDATA section holds is text: escaped, it survives the reading of the rest as markup
    inner = _CDATA.sub(lambda section: html.escape(section[1]), text[start.end() : end.start()])
    return prose.from_html(inner)


def _by_status(response: Response, detail: str, *, judged: bool, throttled: bool) -> Reply:
    reply = status.by_status(response, detail)
    if response.status == 403 and (throttled or reply.retry_after is not None):
        return replace(reply, outcome=Outcome.FAILED)
    # a body with a verdict comes from a receiver, so this is an endpoint
    return replace(reply, unusable=False) if judged else reply


def rdf(endpoint: str, page_url: str, title: str = "") -> str:
    """The RDF block that advertises an endpoint, inside an HTML comment (protocols.md A-91).

    `page_url` is the page's canonical permalink: senders compare it to the URL they linked to.
    """
    url = _attribute(page_url)
    name = f' dc:title="{_attribute(collapse(title))}"' if title else ""
    return (
        "<!--\n"
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"\n'
        '         xmlns:dc="http://purl.org/dc/elements/1.1/"\n'
        '         xmlns:trackback="http://madskills.com/public/xml/rss/module/trackback/">\n'
        f'<rdf:Description rdf:about="{url}" dc:identifier="{url}"{name} trackback:ping="{_attribute(endpoint)}"/>\n'
        "</rdf:RDF>\n"
        "-->"
    )


def _attribute(value: str) -> str:
    # two hyphens would end the comment early
    return escape(value).replace("--", "&#45;&#45;")
