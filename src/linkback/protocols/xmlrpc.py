"""XML-RPC as text: calls and responses, to bytes and back.

Rule 1: what we write is what the pickiest peer reads: explicit `<string>`, pure ASCII, nothing before
        the declaration (protocols.md B-20 to B-22).
Rule 2: what we read is bounded and declares nothing; types that no pingback uses become None.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from linkback.errors import Reason, Refused
from linkback.protocols.decoding import decode_call, decode_reply
from linkback.wire import Request, Response
from linkback.xmltext import XmlElement, declares, escape, parse

#: the answer's media type (protocols.md C-22); calls go without the parameter (B-22)
CONTENT_TYPE = "text/xml; charset=utf-8"
Value: TypeAlias = "str | int | Mapping[str, Value] | None"

_XML_TYPES = ("text/xml", "application/xml")
_BLANKS = " \t\r\n"
_INTEGER = re.compile("[+-]?[0-9]{1,18}")
#: beyond any number of four bytes, which is what an integer of XML-RPC and a column of ours hold
_FOUR_BYTES = 2**31
_BARE_AMPERSAND = re.compile(
    r"<!\[CDATA\[.*?(?:\]\]>|\Z)|<!--.*?(?:-->|\Z)|&(?!(?:[A-Za-z_:][A-Za-z0-9_:.\-]*+|#[0-9]++|#x[0-9A-Fa-f]++);)",
    re.DOTALL,
)
# A call as nearly every sender writes it: two strings in ASCII, nothing to decode. The parser reads the same in it, at
# ten times the cost (durable receive).
_PLAIN_PARAMETER = rb"<param>~<value>(?:<string>([ -%'-;=?-}]*+)</string>|([ -%'-;=?-}]*+))</value>~</param>~"
_PLAIN_CALL = re.compile(
    (
        rb"""(?:<\?xml version=(?:"1\.0"|'1\.0')(?: encoding=(?:"(?:utf|UTF)-8"|'(?:utf|UTF)-8'))?+ ?\?>)?+~"""
        rb"<methodCall>~"
        rb"<methodName>([A-Za-z.]++)</methodName>~<params>~" + 2 * _PLAIN_PARAMETER + rb"</params>~</methodCall>~"
    ).replace(b"~", rb"[ \t\r\n]*+")
)
_ASCII = frozenset({"", "utf-8", "us-ascii", "iso-8859-1"})
_RESPONSE_START = re.compile(r"<\?xml\s|<methodResponse[\s>]")
_RESPONSE_END = re.compile(r"</methodResponse\s*+>")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a call; `name` is "" but in a non-standard form that some clients send (C-30)."""

    name: str
    value: Value


@dataclass(frozen=True, slots=True)
class Call:
    """A method call."""

    method: str
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """A response that is no fault, as far as XML-RPC knows."""

    value: Value


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault; `text` is as untrusted as all a stranger writes."""

    code: int
    text: str


def write_call(method: str, arguments: Sequence[str]) -> bytes:
    """A call with string arguments: ASCII, numeric references for the rest (protocols.md B-20, B-22)."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<methodCall>", f"<methodName>{method}</methodName>", "<params>"]
    lines += [f"<param><value><string>{_text(argument)}</string></value></param>" for argument in arguments]
    return "\n".join([*lines, "</params>", "</methodCall>\n"]).encode("ascii", "xmlcharrefreplace")


def write_result(value: str | Sequence[str]) -> bytes:
    """A response with one string, or with an array of strings (protocols.md C-32, C-34)."""
    if isinstance(value, str):
        content = f"<string>{_text(value)}</string>"
    else:
        items = "".join(f"<value><string>{_text(item)}</string></value>" for item in value)
        content = f"<array><data>{items}</data></array>"
    return _response(f"<params>\n<param><value>{content}</value></param>\n</params>")


def write_fault(code: int, text: str) -> bytes:
    """A fault with exactly its two members (protocols.md C-33)."""
    return _response(
        "<fault>\n<value><struct>\n"
        f"<member><name>faultCode</name><value><int>{code}</int></value></member>\n"
        f"<member><name>faultString</name><value><string>{_text(text)}</string></value></member>\n"
        "</struct></value>\n</fault>"
    )


def _response(content: str) -> bytes:
    text = f'<?xml version="1.0" encoding="utf-8"?>\n<methodResponse>\n{content}\n</methodResponse>\n'
    return text.encode("ascii", "xmlcharrefreplace")


def _text(value: str) -> str:
    # in content a quote needs no escape, and peers that compare literally expect none
    return escape(value).replace("&quot;", '"')


def read_call(request: Request, *, strict: bool = False) -> Call:
    """The call in a request body, whatever media type it came with (protocols.md C-23 to C-28).

    Unless `strict`, an `&` that begins no reference is read as itself (C-36). Raises `Refused`:
    `UNKNOWN_ENCODING`, `UNDECODABLE`, `MALFORMED`, or `NOT_A_CALL` for other XML and beyond the limits.
    """
    plain = _read_plain(request)
    if plain is not None:
        return plain
    is_xml = request.content_type in _XML_TYPES or request.content_type.endswith("+xml")
    text = decode_call(request.body, request.charset if is_xml else "")
    try:
        root = parse(text if strict else _repair(text))
    except Refused as refusal:
        if refusal.reason is Reason.TOO_LARGE:
            raise Refused(Reason.NOT_A_CALL, refusal.detail) from refusal
        raise
    names = root.find_all("methodName")
    method = names[0].text.strip(_BLANKS) if len(names) == 1 else ""
    if root.name != "methodCall" or not method or len(root.find_all("params")) > 1:
        raise Refused(Reason.NOT_A_CALL, "the XML is no method call")
    return Call(method, tuple(Parameter(_name(each), _only_value(each)) for each in _found_parameters(root)))


def _read_plain(request: Request) -> Call | None:
    found = _PLAIN_CALL.fullmatch(request.body) if request.charset in _ASCII else None
    if found is None:
        return None
    method, first, bare_first, second, bare_second = (part.decode() if part else "" for part in found.groups())
    return Call(method, (Parameter("", first or bare_first), Parameter("", second or bare_second)))


def read_response(response: Response) -> Result | Fault | None:
    """The XML-RPC response in a body, junk around it skipped; None where there is none.

    Neither the status nor the media type is looked at (protocols.md B-30 to B-33, B-36).
    """
    text = decode_reply(response.body, response.charset)
    start = _RESPONSE_START.search(text)
    if start is None or declares(text):
        return None
    end = _RESPONSE_END.search(text, start.start())
    try:
        root = parse(_repair(text[start.start() : end.end() if end else len(text)]))
    except Refused:
        return None
    if root.name != "methodResponse":
        return None
    fault = root.find("fault")
    if fault is not None:
        return as_fault(_value(fault.find("value")))
    parameters = _found_parameters(root)
    return Result(_value(parameters[0].find("value"))) if parameters else None


def _repair(text: str) -> str:
    return _BARE_AMPERSAND.sub(lambda match: "&amp;" if match[0] == "&" else match[0], text)


def _found_parameters(root: XmlElement) -> list[XmlElement]:
    parent = root.find("params")
    return parent.find_all("param") if parent else []


def _only_value(parameter: XmlElement) -> Value:
    values = parameter.find_all("value")
    return _value(values[0]) if len(values) == 1 else None


def _name(element: XmlElement) -> str:
    name = element.find("name")
    return name.text.strip(_BLANKS) if name else ""


def _value(element: XmlElement | None) -> Value:
    if element is None:
        return None
    if not element.children:
        return element.text
    content = element.children[0]
    if content.name == "struct":
        return {_name(member): _value(member.find("value")) for member in content.find_all("member")}
    if content.children:
        return None
    if content.name == "string":
        return content.text
    if content.name == "boolean":
        return {"0": False, "1": True}.get(content.text.strip(_BLANKS))
    return as_integer(content.text) if content.name in ("int", "i4", "i8") else None


def as_integer(text: str) -> int | None:
    """The integer a text writes, in ASCII digits; None where it writes none."""
    digits = text.strip(_BLANKS)
    return int(digits) if _INTEGER.fullmatch(digits) else None


def as_fault(value: Value) -> Fault:
    """The fault a value means, in the odd shapes that receivers send too (protocols.md B-36).

    A code of more than four bytes, which XML-RPC does not have, is 0.
    """
    if isinstance(value, Mapping):
        code, text = value.get("faultCode"), value.get("faultString")
        number = as_integer(code) if isinstance(code, str) else code
        return Fault(_code(number), text if isinstance(text, str) else "")
    if isinstance(value, int):
        return Fault(_code(value), "")
    return Fault(0, value or "")


def _code(number: Value) -> int:
    return int(number) if isinstance(number, int) and -_FOUR_BYTES <= number < _FOUR_BYTES else 0
