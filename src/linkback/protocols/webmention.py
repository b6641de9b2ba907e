"""Webmention (W3C Recommendation), both ways.

Rule: the status is the answer; a body is only for people. Nothing of a request is ever repeated.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

from linkback import urls
from linkback.errors import Reason, Refused
from linkback.forms import URLENCODED, read_form, write_form
from linkback.model import Answer, Claim, Outcome, Reply, Signpost
from linkback.protocols import prose, status
from linkback.protocols.decoding import decode_reply
from linkback.wire import Headers, Request, Response

NAME = "webmention"
_RELS = frozenset({"webmention", "http://webmention.org", "http://webmention.org/"})
#: statuses of receivers that will look later; 303 is what one answers to browsers (protocols.md B-16)
_ACCEPTED = frozenset({201, 202, 303})
#: how much of an answer's body is kept to be read by people, in bytes (protocols.md B-53)
_MAX_BODY = 2048

_UNREADABLE = (400, "source_not_found", "The source could not be read.")
_NO_LINK = (400, "no_link_found", "The source does not link to the target.")
_INVALID = (400, "invalid_request", "The request must be a form with one source and one target.")
_TARGET = (400, "target_not_found", "The target is no page that takes webmentions here.")
_NOT_ACCEPTED = (400, "not_accepted", "This webmention is not accepted.")

#: status, error name and sentence for each refusal (protocols.md C-72 to C-75)
REFUSALS = {
    Reason.MALFORMED: _INVALID,
    Reason.UNKNOWN_ENCODING: _INVALID,
    Reason.UNDECODABLE: _INVALID,
    Reason.NOT_A_CALL: _INVALID,
    Reason.UNKNOWN_METHOD: _INVALID,
    Reason.BAD_ARGUMENTS: _INVALID,
    Reason.BAD_CONTENT_TYPE: _INVALID,
    Reason.SOURCE_INVALID: (400, "invalid_source", "The source is not a URL that a page can have."),
    Reason.TARGET_INVALID: (400, "invalid_target", "The target is not a URL that a page can have."),
    Reason.TARGET_UNKNOWN: _TARGET,
    Reason.TARGET_GONE: _TARGET,
    Reason.TARGET_CLOSED: _TARGET,
    Reason.SAME_PAGE: (400, "same_page", "Source and target are the same page."),
    Reason.BLOCKED: _NOT_ACCEPTED,
    Reason.TOO_OFTEN: (429, "too_often", "Too many webmentions; please try again later."),
    Reason.SOURCE_UNREADABLE: _UNREADABLE,
    Reason.SOURCE_MISSING: _UNREADABLE,
    Reason.SOURCE_GONE: _UNREADABLE,
    Reason.NO_BACKLINK: _NO_LINK,
    Reason.TRUNCATED: _NO_LINK,
    Reason.UNSUPPORTED_TYPE: _NO_LINK,
    Reason.UNAVAILABLE: (503, "unavailable", "The receiver is not available; please try again later."),
    Reason.INTERNAL: (500, "internal_error", "The receiver failed."),
}


@dataclass(frozen=True, slots=True)
class Webmention:
    """The protocol object for Webmention."""

    name: ClassVar[str] = NAME
    signpost: ClassVar[Signpost] = Signpost(
        header_rels=_RELS, element_rels=_RELS, elements=("link", "a"), empty_href=True
    )
    #: longest request body, in bytes (protocols.md C-2)
    max_body: ClassVar[int] = 16_384
    repeatable: ClassVar[bool] = True
    describes_source: ClassVar[bool] = False
    updates: ClassVar[bool] = True
    extended: ClassVar[bool] = True

    def write_ping(self, endpoint: str, claim: Claim) -> Request:
        """The POST that notifies `endpoint` of a claim (protocols.md B-50, B-51)."""
        headers = (("Content-Type", URLENCODED), ("Accept", "application/json;q=0.9, */*;q=0.8"))
        body = write_form([("source", claim.source), ("target", claim.target)])
        return Request("POST", endpoint, headers, body)

    def read_reply(self, response: Response) -> Reply:
        """What the receiver answered; every 2xx is a success (protocols.md B-52 to B-54)."""
        detail = _detail(response)
        if response.status in _ACCEPTED:
            location = response.header("Location")
            status_url = urls.resolve(location, response.url) if location else None
            return Reply(outcome=Outcome.ACCEPTED, code=response.status, detail=detail, status_url=status_url or "")
        if status.succeeded(response):
            return Reply(outcome=Outcome.SENT, code=response.status, detail=detail)
        return status.by_status(response, detail)

    def read_ping(self, request: Request, target: str = "") -> Claim:
        """The claim in a form body; its URLs are trimmed, not judged. `target` is not used.

        Raises `Refused`: `BAD_CONTENT_TYPE`, `MALFORMED`, or `BAD_ARGUMENTS` unless there is exactly one
        non-empty `source` and one `target` (protocols.md C-70, C-71).
        """
        fields = read_form(request)
        values = {name: [value for key, value in fields if key == name] for name in (b"source", b"target")}
        try:
            [source], [wanted] = ([value.decode().strip(" \t\n\f\r") for value in found] for found in values.values())
        except ValueError as error:
            raise Refused(Reason.BAD_ARGUMENTS, "there must be one source and one target, in UTF-8") from error
        if not source or not wanted:
            raise Refused(Reason.BAD_ARGUMENTS, "source or target is empty")
        vouch = next((value.decode("utf-8", "replace").strip() for key, value in fields if key == b"vouch"), "")
        return Claim(NAME, source, wanted, vouch=vouch)

    def write_reply(self, answer: Answer, request: Request) -> Response:
        """Our answer (protocols.md C-73 to C-77): JSON where the client prefers it, else plain text.

        A duplicate is no refusal here: the repeat is taken (C-79).
        """
        if answer.reason is None or answer.reason is Reason.DUPLICATE:
            return _taken(answer, request)
        if answer.reason is Reason.WRONG_VERB:
            return status.wrong_verb(request)
        if answer.reason is Reason.TOO_LARGE:
            return status.too_large(request)
        code, error, sentence = REFUSALS[answer.reason]
        headers = status.wait(answer) if code in (429, 503) else ()
        return _respond(request, code, sentence, {"error": error, "error_description": sentence}, headers)


def _taken(answer: Answer, request: Request) -> Response:
    if answer.checked:
        summary = "The webmention was verified."
        return _respond(request, 200, summary, {"status": "success", "summary": summary})
    summary = "The webmention was queued."
    members = {"status": "queued", "summary": summary}
    if not answer.status_url:
        return _respond(request, 202, summary, members)
    members["location"] = answer.status_url
    return _respond(request, 201, f"{summary}\n{answer.status_url}", members, (("Location", answer.status_url),))


def _respond(request: Request, code: int, text: str, members: dict[str, str], headers: Headers = ()) -> Response:
    headers = (*headers, ("Vary", "Accept"))
    if not prefers_json(request):
        return status.plain(request, code, text, headers)
    body = b"" if request.method == "HEAD" else json.dumps(members).encode() + b"\n"
    return Response(code, (*headers, ("Content-Type", "application/json; charset=utf-8")), body, request.url)


def prefers_json(request: Request) -> bool:
    """Whether `Accept` names JSON and wants plain text no more than that (protocols.md C-76)."""
    qualities: dict[str, float] = {}
    for part in ",".join(request.header_all("Accept")).split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        qualities[name] = _quality(parameters)
    text = next((qualities[name] for name in ("text/plain", "text/*", "*/*") if name in qualities), 0.0)
    json_quality = qualities.get("application/json", 0.0)
    return json_quality > 0 and json_quality >= text


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _detail(response: Response) -> str:
    text = decode_reply(response.body[:_MAX_BODY], response.charset)
    return prose.detail(_json_words(response) or text)


def _json_words(response: Response) -> str:
    """What a JSON answer says of its reason, "" where it is none (protocols.md B-53)."""
    try:
        members = json.loads(response.body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(members, dict):
        return ""
    words = [members.get(name) for name in ("error", "error_description", "summary")]
    return ": ".join(dict.fromkeys(word for word in words if isinstance(word, str) and word))
