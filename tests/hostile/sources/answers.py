"""XML as receivers answer, and as it is answered to break whoever reads it (security.md G8)."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

from tests.hostile.sources.family import CHUNKED, ERROR, MB, NOT_LINKED, Family, Visit, chunk, head

FAMILY = Family("xml", seconds=5)

#: how the two protocols answer, around what a receiver says
_FORMS = {
    "result": "<methodResponse><params><param><value>{}</value></param></params></methodResponse>",
    "fault": (
        "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>{0}</int></value></member>"
        "<member><name>faultString</name><value>{0}</value></member></struct></value></fault></methodResponse>"
    ),
    "error": "<response><error>{0}</error><message>{0}</message></response>",
}
_XML = "text/xml; charset=utf-8"


def _answer(name: str, made: bytes | Callable[[Visit], bytes]) -> None:
    """An answer under its length; nobody finds a link in it."""

    def body(visit: Visit) -> bytes:
        return made(visit) if callable(made) else made

    FAMILY.raw(
        name,
        NOT_LINKED,
        lambda visit: head(f"Content-Length: {len(body(visit))}", content_type=_XML) + body(visit),
        or_else=[ERROR],
    )


def _said(name: str, words: str | Callable[[], str], before: str = "", after: str = "") -> None:
    """The same words in each form, made when they are asked for where they are many.

    {canary} in them is the host and port that nobody may come to.
    """

    def text(around: str, visit: Visit) -> bytes:
        said = around.replace("{0}", "{}").replace("{}", words if isinstance(words, str) else words())
        return f'<?xml version="1.0"?>{before}{said}{after}'.replace("{canary}", visit.canary).encode()

    for form, around in _FORMS.items():
        _answer(f"{form}/{name}", partial(text, around))


# what is declared is neither looked up nor multiplied; nobody takes such an answer for one
_LEVELS = "".join(f'<!ENTITY a{level + 1} "{f"&a{level};" * 10}">' for level in range(10))
_DECLARED = {
    "laughs": (f'[<!ENTITY a0 "lol">{_LEVELS}]', "&a10;"),
    "quadratic": (f'[<!ENTITY a "{"x" * 20_000}">]', "&a;" * 10_000),
    "file": ('[<!ENTITY x SYSTEM "file:///etc/passwd">]', "&x;"),
    "http": ('[<!ENTITY x SYSTEM "http://{canary}/x">]', "&x;"),
    "subset": ('SYSTEM "http://{canary}/x.dtd"', "0"),
    "parameter": ('[<!ENTITY % p SYSTEM "http://{canary}/p.dtd"> %p;]', "0"),
    "recursive": ('[<!ENTITY a "&b;"><!ENTITY b "&a;">]', "&a;"),
    "attributes": (f'[<!ATTLIST value a CDATA "{"x" * 50_000}">]', "0"),
}
for _name, (_declaration, _words) in _DECLARED.items():
    _said(f"doctype-{_name}", _words, before=f"<!DOCTYPE x {_declaration}>")

_said("stylesheet", "0", before='<?xml-stylesheet href="http://{canary}/x.xsl"?>')
_said("xinclude", '<x:include xmlns:x="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>')
_said("depth", lambda: "<array><data><value>" * 3_000 + "</value></data></array>" * 3_000)
_said("depth-unclosed", lambda: "<array><data><value>" * 50_000)
_said("elements", lambda: "<x/>" * 100_000)
_said("attributes", lambda: "<x {}/>".format(" ".join(f"a{number}=''" for number in range(20_000))))
_said("namespaces", lambda: "".join(f'<x xmlns:n{number}="u{number}"/>' for number in range(5_000)))
_said("names", lambda: f"<{'n' * 900_000}/>")
_said("comment", lambda: f"<!--{'-' * 60_000}")
_said("comments", lambda: "<!--" * 15_000)
_said("sections", lambda: "<![CDATA[" * 7_000)
_said("instructions", lambda: "<?xml " * 10_000)
_said("ampersands", lambda: "&" * 60_000)
_said("reference", f"&#{'9' * 5_000};")
_said("surrogate", "&#xD800;&#x110000;&#0;")
_said("number", "9" * 5_000)
_said("underscore", "1_0")
_said("superscript", "\u00b2")
_said("fullwidth", "０")
_said("exponent", "1e999")
_said("megabyte", lambda: "x" * MB)
_said("escapes", "\u202e\x1b[31m\u2028\u2066" + "&lt;script&gt;" * 500)
_said("nothing", "")
_said("two-roots", "0", after="<methodResponse/>" * 3_000)
_said("opened-again", "0", before="<methodResponse>" * 4_000)
_said("ends", "0", after=f"</methodResponse{' ' * 50_000}x" * 2)
_said("nil", "<nil/>")
_said("base64", "<base64>!!!</base64>")
_said("date", "<dateTime.iso8601>99999999T99:99:99</dateTime.iso8601>")
_said("struct-no-name", "<struct><member><value>0</value></member></struct>")
_said("struct-again", "<struct><member><name>faultCode</name><value><struct/></value></member></struct>")
_said("errors", lambda: "</error><error>" * 4_000)

_FAULT = _FORMS["fault"].replace("{0}", "17")
_answer("utf16-no-bom", _FAULT.encode("utf-16-le"))
_answer("utf32", _FAULT.encode("utf-32"))
_answer("utf7", b'<?xml version="1.0" encoding="utf-7"?>' + _FAULT.encode("utf-7"))
_answer("encoding-lie", b'<?xml version="1.0" encoding="utf-16"?>' + _FAULT.encode())
_answer("encoding-long", f'<?xml version="1.0" encoding="{"u" * 60_000}"?>'.encode() + _FAULT.encode())
_answer("encodings", b'<?xml encoding="rot13' * 3_000)
_answer("bytes", b"<methodResponse>" + os.urandom(30_000))
_answer("nul", b"<methodResponse>\0\0\0</methodResponse>")
_answer("brackets", b"<" * 65_000)
_answer("20MB", lambda visit: b"<methodResponse>" + b" " * (20 * MB))


@FAMILY.case("endless", NOT_LINKED, or_else=[ERROR])
async def _endless(visit: Visit) -> None:
    await visit.send(head(CHUNKED, content_type=_XML) + chunk(b"<methodResponse><params>"))
    await visit.flood(chunk(b"<param><value>x</value></param>" * 500))
