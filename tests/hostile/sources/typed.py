"""Media types that a page claims, and what it really is; XML that would reach out or grow; streams without end."""

from __future__ import annotations

import json
import os

from tests.hostile.sources.family import ERROR, LINK, LINKED, NOT_LINKED, TARGET, Family, Visit, head

FAMILY = Family("ct", seconds=3)

_XHTML = "application/xhtml+xml"
_OBJECT = f"%PDF-1.7\n1 0 obj<</Type/Action/S/URI/URI({TARGET})>>endobj\n".encode()
_BINARY = {
    "pdf": _OBJECT + os.urandom(2000) + b"%%EOF",
    "png": b"\x89PNG\r\n\x1a\n" + os.urandom(3000),
    "zip": b"PK\3\4" + os.urandom(5000),
    "elf-1MB": b"\x7fELF" + os.urandom(900_000),
}
for _name, _bytes in _BINARY.items():
    FAMILY.page(f"{_name}-as-html", NOT_LINKED, _bytes, or_else=[ERROR], seconds=5)

# not read, and not sniffed
_OTHERS = (
    "application/pdf image/png application/octet-stream video/mp4 application/zip application/javascript "
    "multipart/mixed;boundary=x message/rfc822 garbage text"
)
for _type in _OTHERS.split():
    _name = _type.partition(";")[0].replace("/", "-")
    FAMILY.page(f"html-as-{_name}", ERROR, LINK, content_type=_type, megabytes=0.3)
# SVG is XML, and what has no link in XML's terms has none
FAMILY.page("html-as-image-svg+xml", ERROR, LINK, content_type="image/svg+xml", or_else=[NOT_LINKED], megabytes=0.3)
# other text is plain text, where the URL itself counts (protocols.md D-8)
for _type in ("text/css", "text/html-x"):
    FAMILY.page(f"html-as-{_type.replace('/', '-')}", LINKED, LINK, content_type=_type)

FAMILY.page("none", LINKED, LINK, content_type=None, or_else=[ERROR])
FAMILY.page("xhtml", LINKED, LINK, content_type=_XHTML)
FAMILY.page("params", LINKED, LINK, content_type='text/html;charset="utf-8";x=";"; y')
FAMILY.page("upper", LINKED, LINK, content_type="TEXT/HTML")
FAMILY.page("two", LINKED, LINK, fields=["Content-Type: application/pdf"], or_else=[ERROR])

FAMILY.page("plain-with-url", LINKED, f"see {TARGET} ok", bare=True, content_type="text/plain")
FAMILY.page("plain-prefix", NOT_LINKED, f"see {TARGET}0 ok", bare=True, content_type="text/plain")
FAMILY.page("json-url", LINKED, json.dumps({"a": TARGET}), bare=True, content_type="application/json")
FAMILY.page("json-deep", NOT_LINKED, "[" * 400_000, bare=True, content_type="application/json", seconds=5)


def _xml(name: str, verdict: str, made: str, *or_else: str) -> None:
    def body(visit: Visit) -> str:
        return made.replace("{canary}", visit.canary)

    FAMILY.page(name, verdict, body, bare=True, content_type=_XHTML, or_else=or_else)


_xml(
    "xhtml-xxe",
    LINKED,
    '<?xml version="1.0"?><!DOCTYPE html [<!ENTITY x SYSTEM "file:///etc/passwd"><!ENTITY y SYSTEM "http://{canary}/e">]>'
    f"<html><body>&x;&y;{LINK}</body></html>",
    ERROR,
)
_xml(
    "xhtml-dtd",
    LINKED,
    f'<!DOCTYPE html SYSTEM "http://{{canary}}/x.dtd"><html><body>{LINK}</body></html>',
    ERROR,
)
_LAUGHS = "".join(f'<!ENTITY a{level + 1} "{f"&a{level};" * 10}">' for level in range(10))
_xml(
    "xhtml-laughs",
    NOT_LINKED,
    f'<!DOCTYPE l [<!ENTITY a0 "lol">{_LAUGHS}]><html><body>&a10;</body></html>',
    ERROR,
)
_xml(
    "xhtml-quadratic",
    NOT_LINKED,
    f'<!DOCTYPE l [<!ENTITY a "{"x" * 90_000}">]><html>{"&a;" * 90_000}</html>',
    ERROR,
)
_XLINK = f'<html xmlns:x="http://www.w3.org/1999/xlink"><p x:href="{TARGET}">x</p></html>'
_xml("xhtml-ext-link", NOT_LINKED, _XLINK, ERROR)


@FAMILY.case("x-mixed-replace", ERROR, megabytes=0.3, seconds=12)
async def _mixed(visit: Visit) -> None:
    """A push of pages that never ends."""
    await visit.send(head(content_type="multipart/x-mixed-replace; boundary=b"))
    await visit.flood(b"--b\r\nContent-Type: text/html\r\n\r\n" + LINK.encode() + b"\r\n", seconds=0.05)


@FAMILY.case("event-stream", ERROR, megabytes=0.3, seconds=12, slow=True)
async def _events(visit: Visit) -> None:
    await visit.send(head(content_type="text/event-stream"))
    await visit.flood(b"data: x\n\n", seconds=0.2)
