"""The endpoints: which protocol a request speaks, and what it is answered.

    POST /webmention   POST /pingback   POST /trackback?target=URL
    GET /status/ID     GET /healthz     GET /mentions?target=URL

Rule: a stranger's request never ends in an exception, and no answer tells what the network or a moderator did.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace

from linkback import urls
from linkback.errors import Reason, Refused, StoreError
from linkback.model import Answer, Claim
from linkback.protocols import Protocol
from linkback.site import Site
from linkback.store import ClaimRecord
from linkback.web.shapes import mention_to_json
from linkback.wire import Headers, Request, Response

log = logging.getLogger(__name__)

#: seconds after which a sender may try again when our store is away
_STORE_RETRY_SECONDS = 60
_NOSNIFF = ("X-Content-Type-Options", "nosniff")
_CORS = ("Access-Control-Allow-Origin", "*")
_NO_STORE = ("Cache-Control", "no-store")

# What a claim's status page calls a reason (protocols.md C-78): no word tells one network failure from another.
_STATUS_REASONS = {
    Reason.NO_BACKLINK: "no_link_found",
    Reason.TRUNCATED: "no_link_found",
    Reason.UNSUPPORTED_TYPE: "no_link_found",
    Reason.INTERNAL: "internal_error",
}


class App:
    """The endpoints of one site, as a function from request to response.

    `base` is the absolute URL that the routes stand under, without a trailing slash. Where it is not known, it is taken
    from each request's own URL.
    """

    def __init__(self, site: Site, *, base: str = "") -> None:
        self.site = site
        self._base = base.rstrip("/")
        self._protocols = {f"/{protocol.name}": protocol for protocol in site.protocols}
        self._routes: dict[str, Callable[[Request], Response]] = {
            "/healthz": self._health,
            "/mentions": self._mentions,
        }

    def handle(self, request: Request, path: str) -> Response:
        """Answer a request; `path` is what follows the base."""
        try:
            response = self._route(request, path)
        except StoreError:
            log.exception("the store failed")
            response = _json(503, {"error": "unavailable"}, ("Retry-After", str(_STORE_RETRY_SECONDS)))
        except Exception:
            log.exception("%s %s failed", request.method, path)
            response = _json(500, {"error": "internal_error"})
        return Response(response.status, (*response.headers, _NOSNIFF), response.body)

    def max_body(self, path: str) -> int:
        """How many bytes of a request's body are worth reading."""
        protocol = self._protocols.get(path)
        return protocol.max_body if protocol else 0

    def _route(self, request: Request, path: str) -> Response:
        if (protocol := self._protocols.get(path)) is not None:
            return self._endpoint(protocol, request, path)
        if request.method not in ("GET", "HEAD"):
            known = path in self._routes or path.startswith("/status/")
            return _text(405, "only GET here\n", ("Allow", "GET, HEAD")) if known else _text(404, "no such page\n")
        if path.startswith("/status/"):
            return self._status(path.removeprefix("/status/"))
        route = self._routes.get(path)
        return route(request) if route else _text(404, "no such page\n")

    def _endpoint(self, protocol: Protocol, request: Request, path: str) -> Response:
        answer = self._receive(protocol, request, path)
        return protocol.write_reply(answer, request)

    def _receive(self, protocol: Protocol, request: Request, path: str) -> Answer:
        try:
            if request.method != "POST":
                return Answer(reason=Reason.WRONG_VERB, page=self._page_of(request))
            if len(request.body) > protocol.max_body:
                raise Refused(Reason.TOO_LARGE)
            claim = protocol.read_ping(request, urls.query_value(request.url, "target"))
            receipt = self.site.receive(self._located(claim, request, path))
        except Refused as refusal:
            log.info("%s refused: %s", protocol.name, refusal)
            return Answer(reason=refusal.reason, retry_after=refusal.retry_after)
        except StoreError:
            log.exception("a claim by %s could not be recorded", protocol.name)
            return Answer(reason=Reason.UNAVAILABLE, retry_after=_STORE_RETRY_SECONDS)
        except Exception:
            log.exception("a claim by %s could not be taken", protocol.name)
            return Answer(reason=Reason.INTERNAL)
        return Answer(checked=receipt.checked, status_url=f"{self.base(request, path)}/status/{receipt.id}")

    def _page_of(self, request: Request) -> str:
        """The page of ours that an endpoint's own URL names (TrackBack); "" for any other."""
        target = urls.query_value(request.url, "target")
        return target if urls.is_argument(target) and self.site.listens(target) else ""

    def _located(self, claim: Claim, request: Request, path: str) -> Claim:
        """The claim with the ping URL it came in by under its public name (protocols.md C-63).

        A link to that URL is evidence, so it must not be made of a Host header that the sender chose.
        """
        base = self.base(request, path)
        known = claim.endpoint and (self._base or urls.origin(base) == urls.origin(self.site.url))
        return replace(claim, endpoint=f"{base}{path}{urls.query_of(request.url)}" if known else "")

    def base(self, request: Request, path: str) -> str:
        """The absolute URL the routes stand under; the site's own where a request names none."""
        here = urls.serialised(urls.without_query(request.url))
        return self._base or (here.removesuffix(path) if urls.is_argument(here) else self.site.url.rstrip("/"))

    def _status(self, id: str) -> Response:
        record = self.site.claim(id)
        if record is None or record.site != self.site.url:
            return _json(404, {"error": "not_found"}, _NO_STORE)
        return _json(200, _status_of(record), _NO_STORE)

    def _health(self, request: Request) -> Response:
        self.site.store.next_due()
        return _json(200, {"status": "ok"}, _NO_STORE)

    def _mentions(self, request: Request) -> Response:
        target = urls.query_value(request.url, "target")
        if not urls.is_argument(target):
            return _json(400, {"error": "invalid_request", "error_description": "target must be a URL"}, _CORS)
        mentions = self.site.mentions(target)
        found = [mention_to_json(mention) for mention in mentions]
        return _json(200, {"target": target, "count": len(found), "mentions": found}, _CORS, _NO_STORE)


def _status_of(record: ClaimRecord) -> dict[str, str]:
    status = {"status": record.state.value, "source": record.claim.source, "target": record.claim.target}
    if record.reason is not None:
        status["reason"] = _STATUS_REASONS.get(record.reason, "source_not_found")
    return status


def _json(status: int, value: object, *headers: tuple[str, str]) -> Response:
    fields: Headers = (("Content-Type", "application/json; charset=utf-8"), *headers)
    return Response(status, fields, json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n")


def _text(status: int, text: str, *headers: tuple[str, str]) -> Response:
    return Response(status, (("Content-Type", "text/plain; charset=utf-8"), *headers), text.encode())
