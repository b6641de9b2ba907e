"""The endpoints: which protocol a request speaks, and what it is answered.

    POST /webmention   POST /pingback   POST /trackback?target=URL
    GET /status/ID     GET /healthz     GET /mentions?target=URL     GET /thread?target=URL
    GET /linkback.js   GET /thread.css  what draws a thread on a static page
    POST /             any of the three, told by its body

Rule 1: a stranger's request never ends in an exception, and no answer tells what the network or a moderator did.
Rule 2: no answer proves a link: each says so, and what is asked of a page of nobody's is not repeated.
"""

from __future__ import annotations

import hashlib
import json
import typing
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from linkback import logs, urls
from linkback.arguments import check, one_of
from linkback.errors import Reason, Refused, StoreError
from linkback.forms import read_form
from linkback.hooks import report
from linkback.model import Answer, Claim, Mention
from linkback.protocols import Protocol, endpoint_url
from linkback.site import Site
from linkback.sites import Sites
from linkback.store import ClaimRecord
from linkback.web import thread as threads
from linkback.web import translations
from linkback.web.shapes import mention_to_json, thread_to_json
from linkback.wire import NO_SOURCE, Headers, Request, Response

log = logs.named(__name__)

#: seconds after which a sender may try again when our store, or the host's own code, is away
_RETRY_SECONDS = 60
#: on every answer: it is what it says, and where a browser shows it as a page it may load and do nothing
_HARMLESS: Headers = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'"),
    NO_SOURCE,
)
_CORS = ("Access-Control-Allow-Origin", "*")
_NO_STORE = ("Cache-Control", "no-store")
_COMBINED = frozenset({"", "/"})
#: what a static page loads from us, and how long a browser may keep it before it asks again
_FILES = {"/linkback.js": "text/javascript; charset=utf-8", "/thread.css": "text/css; charset=utf-8"}
_FRESH = ("Cache-Control", "public, max-age=3600")
#: values of Content-Encoding that pack nothing; some senders name their charset there
_NO_CODINGS = frozenset({"", "identity", "utf-8", "utf8"})
#: numbers of more digits are beyond any body, and int() refuses thousands of them
_MOST_DIGITS = 12
#: what may stand before a document in any Unicode encoding: blanks, byte order marks, the zeros of UTF-16
_BEFORE_XML = b"\xef\xbb\xbf\xff\xfe\0 \t\r\n"

_ARGUMENTS = {"base": one_of(str, 'the public URL of the endpoints, such as "https://bob.example/linkback"')}

# What a claim's status page calls a reason (protocols.md C-78): no word tells one network failure from another.
_STATUS_REASONS = {
    Reason.NO_BACKLINK: "no_link_found",
    Reason.TRUNCATED: "no_link_found",
    Reason.UNSUPPORTED_TYPE: "no_link_found",
    Reason.INTERNAL: "internal_error",
    Reason.BLOCKED: "blocked",
}


@typing.runtime_checkable
class Lister(typing.Protocol):
    """What a protocol has too, in which one may ask for the mentions of a page (protocols.md C-34, C-51)."""

    def read_query(self, request: Request, target: str = "") -> str | None:
        """The page that a request asks about, as it is written there; None where it is no such question.

        `target` is the page that the endpoint's own URL names. Raises `Refused` for a question without a page.
        """

    def write_mentions(self, page: str, mentions: Sequence[Mention], request: Request) -> Response:
        """The answer: what is shown of a page's mentions, in the order they were received."""


class App:
    """The endpoints of one site, or of many, as a function from request to response.

    `base` is the absolute URL that the routes stand under, without a trailing slash. Where it is not known, it is taken
    from each request's own URL. Raises `ConfigurationError` for a base that is no text.
    """

    def __init__(self, site: Site | Sites, *, base: str = "") -> None:
        check(_ARGUMENTS, base=base)
        self.site = site
        self._base = urls.serialised(base).rstrip("/")
        self._protocols = {f"/{protocol.name}": protocol for protocol in site.protocols}
        self._routes: dict[str, Callable[[Request], Response]] = {
            "/healthz": self._health,
            "/mentions": self._mentions,
            "/thread": self._thread,
        }

    def handle(self, request: Request, path: str) -> Response:
        """Answer a request; `path` is what follows the base."""
        try:
            response = self._route(request, path)
        except StoreError as error:
            _say_store_failed(error)
            response = _unavailable()
        except Exception as error:  # noqa: BLE001 -- it is logged
            theirs = report(log, f"{request.method} {path} failed", error)
            response = _unavailable() if theirs else _json(500, {"error": "internal_error"})
        return Response(response.status, (*response.headers, *_HARMLESS), response.body)

    def max_body(self, path: str) -> int:
        """How many bytes of a request's body are worth reading."""
        if path in _COMBINED:
            return max((protocol.max_body for protocol in self.site.protocols), default=0)
        protocol = self._protocols.get(path)
        return protocol.max_body if protocol else 0

    def _route(self, request: Request, path: str) -> Response:
        if (protocol := self._protocols.get(path)) is not None:
            return self._endpoint(protocol, request, path)
        if path in _COMBINED and request.method == "POST":
            return self._combined(request, path)
        if request.method not in ("GET", "HEAD"):
            known = path in self._routes or path in _FILES or path.startswith("/status/")
            return _text(405, "only GET here\n", ("Allow", "GET, HEAD")) if known else _text(404, "no such page\n")
        if path.startswith("/status/"):
            return self._status(path.removeprefix("/status/"))
        if path in _FILES:
            return _file(path, request)
        route = self._routes.get(path)
        return route(request) if route else _text(404, "no such page\n")

    def _combined(self, request: Request, path: str) -> Response:
        """One endpoint for all: the body says which protocol it speaks (protocols.md C-1)."""
        protocol = self._protocols.get(f"/{_language(request)}")
        if protocol is None:
            return _text(400, "no protocol of this site reads such a request\n")
        return self._endpoint(protocol, request, path)

    def _endpoint(self, protocol: Protocol, request: Request, path: str) -> Response:
        try:
            return self._exchange(protocol, request, path)
        except Refused as refusal:
            log.info("%s refused: %s", protocol.name, refusal)
            answer = Answer(reason=refusal.reason, retry_after=refusal.retry_after)
        except StoreError as error:
            _say_store_failed(error)
            answer = Answer(reason=Reason.UNAVAILABLE, retry_after=_RETRY_SECONDS)
        except Exception as error:  # noqa: BLE001 -- it is logged
            theirs = report(log, f"a request by {protocol.name} failed", error)
            answer = Answer(reason=Reason.UNAVAILABLE if theirs else Reason.INTERNAL, retry_after=_RETRY_SECONDS)
        return protocol.write_reply(answer, request)

    def _exchange(self, protocol: Protocol, request: Request, path: str) -> Response:
        if request.method != "POST":
            seen = self._listed(protocol, request)
            return seen or protocol.write_reply(Answer(reason=Reason.WRONG_VERB, page=self._page_of(request)), request)
        if (no_body := _without_body(request, protocol.max_body)) is not None:
            return no_body
        try:
            claim = protocol.read_ping(request, _target_of(request))
        except Refused as refusal:
            listed = self._listed(protocol, request) if refusal.reason is Reason.UNKNOWN_METHOD else None
            if listed is None:
                raise
            return listed
        receipt = self.site.receive(self._located(protocol, claim, request, path), client=request.client)
        status_url = f"{self.base(request, path)}/status/{receipt.id}"
        return protocol.write_reply(Answer(checked=receipt.checked, status_url=status_url), request)

    def _listed(self, protocol: Protocol, request: Request) -> Response | None:
        """The mentions of a page, where a request asks for them in its protocol's own way."""
        if not isinstance(protocol, Lister):
            return None
        target = protocol.read_query(request, _target_of(request))
        if target is None:
            return None
        page = urls.check_argument(target, Reason.TARGET_INVALID)
        try:
            self.site.find(page)
        except Refused as refusal:
            # a page that takes no more mentions still shows those it has
            if refusal.reason is not Reason.TARGET_CLOSED:
                raise
        return protocol.write_mentions(page, self.site.mentions(page), request)

    def _page_of(self, request: Request) -> str:
        """The page of ours that an endpoint's own URL names (TrackBack); "" for any other."""
        target = _target_of(request)
        return target if urls.is_argument(target) and self.site.listens(target) else ""

    def _located(self, protocol: Protocol, claim: Claim, request: Request, path: str) -> Claim:
        """The claim with the ping URL it came in by under its public name (protocols.md C-63).

        A link to that URL is evidence, so it must not be made of a Host header that the sender chose, nor of what else
        the sender put into it. One that is longer than any that is read proves nothing, and is not kept.
        """
        if not claim.endpoint:
            return claim
        base = self.base(request, path)
        known = self._base or urls.origin(base) == urls.origin(self.site.url)
        endpoint = endpoint_url(protocol, base, _target_of(request))
        return replace(claim, endpoint=endpoint if known and urls.parse(endpoint) is not None else "")

    def base(self, request: Request, path: str) -> str:
        """The absolute URL the routes stand under; the site's own where a request names none."""
        here = urls.serialised(urls.without_query(request.url))
        return self._base or (here.removesuffix(path) if urls.is_argument(here) else self.site.url.rstrip("/"))

    def _status(self, id: str) -> Response:
        record = self.site.claim(id)
        if record is None:
            return _json(404, {"error": "not_found"}, _NO_STORE)
        return _json(200, _status_of(record), _NO_STORE)

    def _health(self, request: Request) -> Response:
        self.site.store.next_due()
        return _json(200, {"status": "ok"}, _NO_STORE)

    def _mentions(self, request: Request) -> Response:
        target = urls.query_value(request.url, "target")
        if not urls.is_argument(target):
            return _no_target()
        mentions = self.site.mentions(target)
        found = [mention_to_json(mention) for mention in mentions]
        page = self._repeatable(target, mentions)
        return _json(200, {"target": page, "count": len(found), "mentions": found}, _CORS, _NO_STORE)

    def _thread(self, request: Request) -> Response:
        """The thread in the reader's language: the one asked for, else one that the browser accepts."""
        target = urls.query_value(request.url, "target")
        if not urls.is_argument(target):
            return _no_target()
        accepted = translations.accepted(request.header("Accept-Language"))
        language = translations.of(urls.query_value(request.url, "lang"), *accepted)
        mentions = self.site.mentions(target)
        thread = threads.of(mentions, language=language)
        answer = thread_to_json(self._repeatable(target, mentions), thread)
        return _json(200, answer, _CORS, _NO_STORE, ("Vary", "Accept-Language"))

    def _repeatable(self, target: str, mentions: Sequence[Mention]) -> str | None:
        """The page that is asked about, where it may be ours; of any other its receiver could take us to link there."""
        return target if mentions or self.site.owns(target) else None


def _without_body(request: Request, max_body: int) -> Response | None:
    """The answer to a request whose body is none, whatever it is written in; None where there is one to be read.

    Raises `Refused(TOO_LARGE)` for one that is longer, or announced to be longer, than `max_body`.
    """
    length = request.header("Content-Length")
    if length and not (length.isascii() and length.isdigit()):
        return _text(400, "Content-Length must be a number\n")
    digits = length.lstrip("0")
    if len(request.body) > max_body or len(digits) > _MOST_DIGITS or int(digits or "0") > max_body:
        raise Refused(Reason.TOO_LARGE)
    if len(request.body) < int(digits or "0"):
        return _text(400, "the body is shorter than announced\n")
    codings = ",".join(request.header_all("Content-Encoding")).lower().split(",")
    if any(coding.strip() not in _NO_CODINGS for coding in codings):
        # what a few bytes unpack to may be a thousand times as long
        return _text(415, "a body is taken as it is, without a coding\n", ("Accept-Encoding", "identity"))
    return None


def _say_store_failed(error: StoreError) -> None:
    # one line: a database that is away fails every request
    log.error("the store failed: %s", error)
    log.debug("the store failed", exc_info=error)


def _unavailable() -> Response:
    return _json(503, {"error": "unavailable"}, ("Retry-After", str(_RETRY_SECONDS)))


def _target_of(request: Request) -> str:
    """The page that an endpoint's own URL names; an `&amp;` that a sender left in the URL counts as `&` (C-50)."""
    return urls.query_value(request.url, "target") or urls.query_value(request.url, "amp;target")


def _language(request: Request) -> str:
    """The name of the protocol that a body is written in; Webmention's for any other, as its refusals are plain."""
    if request.body.lstrip(_BEFORE_XML)[:1] == b"<":
        return "pingback"
    try:
        names = {name for name, _ in read_form(request)}
    except Refused:
        return "webmention"
    return "trackback" if b"url" in names and not names >= {b"source", b"target"} else "webmention"


def _status_of(record: ClaimRecord) -> dict[str, str]:
    status = {"status": record.state.value, "source": record.claim.source, "target": record.claim.target}
    if record.reason is not None:
        status["reason"] = _STATUS_REASONS.get(record.reason, "source_not_found")
    return status


def _no_target() -> Response:
    return _json(400, {"error": "invalid_request", "error_description": "target must be a URL"}, _CORS)


def _file(path: str, request: Request) -> Response:
    """One of our files; nothing but its tag where the browser has it already."""
    body, tag = _read(path)
    known = {each.strip().removeprefix("W/") for each in request.header("If-None-Match").split(",")}
    fields: Headers = (_FRESH, _CORS, ("ETag", tag))
    if tag in known or "*" in known:
        return Response(304, fields)
    return Response(200, (("Content-Type", _FILES[path]), *fields), body)


@cache
def _read(path: str) -> tuple[bytes, str]:
    body = (Path(__file__).parent / "static" / path.removeprefix("/")).read_bytes()
    return body, f'"{hashlib.sha256(body).hexdigest()[:20]}"'


def _json(status: int, value: object, *headers: tuple[str, str]) -> Response:
    fields: Headers = (("Content-Type", "application/json; charset=utf-8"), *headers)
    return Response(status, fields, json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n")


def _text(status: int, text: str, *headers: tuple[str, str]) -> Response:
    return Response(status, (("Content-Type", "text/plain; charset=utf-8"), *headers), text.encode())
