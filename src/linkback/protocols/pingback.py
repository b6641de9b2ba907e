"""Pingback 1.0, both ways.

Rule 1: the XML is the answer, whatever the HTTP status and media type around it (protocols.md B-30).
Rule 2: one table words our refusals, one table says what a peer's fault is worth to a sender.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from linkback.errors import Reason, Refused
from linkback.model import Answer, Claim, Mention, Outcome, Reply, Signpost
from linkback.protocols import prose, status, xmlrpc
from linkback.protocols.xmlrpc import Call, Fault, Result, Value
from linkback.wire import Headers, Request, Response

NAME = "pingback"
PING = "pingback.ping"
GET_PINGBACKS = "pingback.extensions.getPingbacks"
LIST_METHODS = "system.listMethods"

_SIGNPOST = Signpost(header="X-Pingback", elements=("link",), element_rels=frozenset({"pingback"}))
#: codes that some receivers give as an ordinary result (protocols.md B-34)
_DISGUISED = frozenset({0, 16, 17, 18, 32, 33, 48, 49, 50, 51})
_ALREADY_REGISTERED = 48
_NO_SUCH_METHOD = -32601
#: how many more tries a fault deserves: the source may not be out yet (protocols.md B-39)
_AGAIN = {16: 2, 0: 1, 17: 1}
#: codes that waiting helps against; WordPress throttles by address with 429, so two links to one blog meet it
_NOT_NOW = frozenset({50, 429, -32603, -32500, -32400, -32300, *range(-32099, -31999)})
#: codes that say nothing of the pair, so that a receiver may add that it only means "not now"
_VAGUE = frozenset({0, 49})

_UNREADABLE = (16, "The source could not be read.")
_NO_LINK = (17, "The source does not link to the target.")
_TARGET = (33, "The target is no page that takes pingbacks here.")
_DENIED = (49, "Access denied.")
_NOT_A_CALL = (-32600, "The request is no method call.")

#: fault code and text for each refusal (protocols.md C-24 to C-30, C-40)
FAULTS = {
    Reason.MALFORMED: (-32700, "The request is not well-formed XML."),
    Reason.UNKNOWN_ENCODING: (-32701, "The encoding is not supported."),
    Reason.UNDECODABLE: (-32702, "The request has characters outside its encoding."),
    Reason.NOT_A_CALL: _NOT_A_CALL,
    Reason.BAD_CONTENT_TYPE: _NOT_A_CALL,
    Reason.UNKNOWN_METHOD: (_NO_SUCH_METHOD, "There is no such method."),
    Reason.BAD_ARGUMENTS: (-32602, "The arguments must be two strings."),
    Reason.SOURCE_INVALID: _UNREADABLE,
    Reason.TARGET_INVALID: _TARGET,
    Reason.TARGET_UNKNOWN: _TARGET,
    Reason.TARGET_GONE: (32, "The target does not exist."),
    Reason.TARGET_CLOSED: _TARGET,
    Reason.SAME_PAGE: (0, "Source and target are the same page."),
    Reason.DUPLICATE: (_ALREADY_REGISTERED, "The pingback has already been registered."),
    Reason.BLOCKED: _DENIED,
    Reason.TOO_OFTEN: _DENIED,
    Reason.SOURCE_UNREADABLE: _UNREADABLE,
    Reason.SOURCE_MISSING: _UNREADABLE,
    Reason.SOURCE_GONE: _UNREADABLE,
    Reason.NO_BACKLINK: _NO_LINK,
    Reason.TRUNCATED: _NO_LINK,
    Reason.UNSUPPORTED_TYPE: _NO_LINK,
    Reason.UNAVAILABLE: (50, "The receiver is not available; please try again later."),
    Reason.INTERNAL: (-32603, "The receiver failed."),
}


@dataclass(frozen=True, slots=True)
class Pingback:
    """The protocol object for Pingback.

    `quiet_faults` answers every refusal of a pingback but "already registered" with fault 0 and no text
    (protocols.md C-10). `strict_xml` refuses calls with an unescaped `&` (C-36). `strict_discovery` finds only the
    literal `<link>` that Pingback 2.3 allows, and finds it in comments too (A-48).
    """

    quiet_faults: bool = False
    strict_xml: bool = False
    strict_discovery: bool = False
    name: ClassVar[str] = NAME
    #: longest request body, in bytes (protocols.md C-2)
    max_body: ClassVar[int] = 65_536
    repeatable: ClassVar[bool] = True
    describes_source: ClassVar[bool] = False
    updates: ClassVar[bool] = False
    extended: ClassVar[bool] = False

    @property
    def signpost(self) -> Signpost:
        """How its endpoints are advertised (protocols.md A-40, A-45, A-48)."""
        return replace(_SIGNPOST, strict=self.strict_discovery)

    def write_ping(self, endpoint: str, claim: Claim) -> Request:
        """The POST that notifies `endpoint` of a claim (protocols.md B-20 to B-24)."""
        headers = (("Content-Type", "text/xml"), ("Accept", "text/xml, application/xml;q=0.9, */*;q=0.1"))
        return Request("POST", endpoint, headers, xmlrpc.write_call(PING, (claim.source, claim.target)))

    def read_reply(self, response: Response) -> Reply:
        """What the receiver answered: XML first, else the status (protocols.md B-30 to B-40)."""
        answer = xmlrpc.read_response(response)
        if isinstance(answer, Result):
            fault = _disguised(answer.value)
            return _judge(fault, response) if fault else Reply(outcome=Outcome.SENT, detail=_line(answer.value))
        if isinstance(answer, Fault):
            return _judge(answer, response)
        if status.succeeded(response):
            return status.malformed(response, "an XML-RPC response")
        return status.by_status(response)

    def read_ping(self, request: Request, target: str = "") -> Claim:
        """The claim in an XML-RPC call; its URLs are trimmed, not judged. `target` is not used.

        Raises `Refused`: see `xmlrpc.read_call`, and `UNKNOWN_METHOD` or `BAD_ARGUMENTS`
        (protocols.md C-23 to C-31).
        """
        call = xmlrpc.read_call(request, strict=self.strict_xml)
        if call.method != PING:
            raise Refused(Reason.UNKNOWN_METHOD, "the method is not pingback.ping")
        source, wanted = _arguments(call)
        return Claim(NAME, _url(source), _url(wanted))

    def read_query(self, request: Request, target: str = "") -> str | None:
        """The page that a call of getPingbacks asks about; None for any other request. `target` is not used.

        Raises `Refused(BAD_ARGUMENTS)` for one without a page, and what `xmlrpc.read_call` raises (protocols.md C-34).
        """
        if request.method != "POST":
            return None
        call = xmlrpc.read_call(request, strict=self.strict_xml)
        if call.method != GET_PINGBACKS:
            return None
        match [each.value for each in call.parameters]:
            case [str(page), *_]:
                return _url(page)
        raise Refused(Reason.BAD_ARGUMENTS, "the page must be a string")

    def write_mentions(self, page: str, mentions: Sequence[Mention], request: Request) -> Response:
        """The URLs of the pages that mention a page, maybe none (protocols.md C-34)."""
        return _respond(request, xmlrpc.write_result([mention.source for mention in mentions]))

    def write_reply(self, answer: Answer, request: Request) -> Response:
        """Our answer, with HTTP status 200 for results and faults alike (protocols.md C-20 to C-33, C-40)."""
        if answer.reason is None:
            text = "The pingback was verified." if answer.checked else "The pingback was queued."
            return _respond(request, xmlrpc.write_result(text))
        if answer.reason is Reason.WRONG_VERB:
            return status.wrong_verb(request)
        if answer.reason is Reason.TOO_LARGE:
            return status.too_large(request)
        if answer.reason is Reason.UNKNOWN_METHOD and self._asks_for_methods(request):
            return _respond(request, xmlrpc.write_result((PING, GET_PINGBACKS, LIST_METHODS)))
        code, text = FAULTS[answer.reason]
        if self.quiet_faults and code >= 0 and code != _ALREADY_REGISTERED:
            return _respond(request, xmlrpc.write_fault(0, ""))
        not_now = answer.reason in (Reason.TOO_OFTEN, Reason.UNAVAILABLE)
        return _respond(request, xmlrpc.write_fault(code, text), status.wait(answer) if not_now else ())

    def _asks_for_methods(self, request: Request) -> bool:
        # introspection is no claim, so reading it as one was refused; its answer needs nothing else (C-34)
        try:
            return xmlrpc.read_call(request, strict=self.strict_xml).method == LIST_METHODS
        except Refused:
            return False


def _respond(request: Request, body: bytes, headers: Headers = ()) -> Response:
    return Response(200, (*headers, ("Content-Type", xmlrpc.CONTENT_TYPE)), body, request.url)


def _arguments(call: Call) -> tuple[str, str]:
    """Source and target: by position, or by the names that some clients give (protocols.md C-29, C-30)."""
    named: Mapping[str, Value] = {each.name: each.value for each in call.parameters if each.name}
    values = [each.value for each in call.parameters]
    if len(values) == 1 and isinstance(values[0], Mapping):
        named = values[0]
    if "sourceURI" in named and "targetURI" in named:
        values = [named["sourceURI"], named["targetURI"]]
    match values:
        case [str(source), str(target), *_]:
            return source, target
    raise Refused(Reason.BAD_ARGUMENTS, "source and target must be two strings")


def _url(text: str) -> str:
    # some clients escape twice (protocols.md C-31)
    return text.strip(" \t\n\f\r").replace("&amp;", "&")


def _disguised(value: Value) -> Fault | None:
    """The fault that a result really is, or None (protocols.md B-34, B-35)."""
    if isinstance(value, bool):
        return None if value else Fault(0, "")
    if isinstance(value, int):
        return Fault(value, "") if value in _DISGUISED else None
    if not isinstance(value, Mapping):
        return None
    if "faultCode" in value:
        return xmlrpc.as_fault(value)
    message = value.get("message")
    return Fault(0, message if isinstance(message, str) else "") if value.get("flerror") in (1, "1") else None


def _judge(fault: Fault, response: Response) -> Reply:
    wait = status.retry_after(response)
    asked_to_wait = wait is not None or response.status in (429, 503)
    not_now = fault.code in _NOT_NOW or (fault.code in _VAGUE and asked_to_wait)
    outcome = Outcome.FAILED if not_now else Outcome.REFUSED
    return Reply(
        outcome=Outcome.SENT if fault.code == _ALREADY_REGISTERED else outcome,
        code=fault.code,
        detail=_line(fault.text),
        again=_AGAIN.get(fault.code, 0),
        unusable=fault.code == _NO_SUCH_METHOD,
        retry_after=wait,
    )


def _line(text: Value) -> str:
    return prose.detail(text) if isinstance(text, str) else ""
