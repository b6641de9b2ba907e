"""TrackBack's RDF blocks, which pages carry inside HTML comments (TrackBack 1.2, autodiscovery).

Rule: the raw text is searched, comments included; names are taken by their usual prefixes and
without namespace processing, as every peer does (protocols.md A-80 to A-83).
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

_START = re.compile(r"<rdf:Description(?=[\s/>])")
_END = "</rdf:Description>"
#: more posts than any page announces, few enough that a hostile page costs nothing
_MAX_BLOCKS = 500
_QUOTED = r"""(?:"([^"]{0,4096})"|'([^']{0,4096})')"""
_ATTRIBUTE = re.compile(rf"""\s*+([^\s=/>"'<]{{1,100}}+)\s*+=\s*+{_QUOTED}""")
_PING_ELEMENT = re.compile(rf"<trackback:ping(?:\s++rdf:resource\s*+=\s*+{_QUOTED}\s*+/?>|\s*+>([^<]{{0,4096}}+)<)")
_IDENTIFIER_ELEMENT = re.compile(r"<dc:identifier\s*+>([^<]{0,4096}+)<")
# Pages write a bare & in a query more often than a reference without its semicolon.
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


@dataclass(frozen=True, slots=True)
class RdfBlock:
    """One `rdf:Description`: which entry it speaks of, and where that entry listens. None where not said."""

    identifier: str | None
    about: str | None
    ping: str | None


def read_blocks(text: str) -> list[RdfBlock]:
    """Every RDF block of a page's text, in order, at most 500."""
    blocks: list[RdfBlock] = []
    start = _START.search(text)
    while start and len(blocks) < _MAX_BLOCKS:
        attributes, at = _read_attributes(text, start.end())
        closing = text.find(">", at)
        # a start inside an attribute's value is none; one before the tag's own end shows that it has no end
        start = _START.search(text, at)
        limit = start.start() if start else len(text)
        if not 0 <= closing < limit:
            continue
        if not text.endswith("/", at, closing):
            _read_children(text, closing + 1, limit, attributes)
        blocks.append(
            RdfBlock(attributes.get("dc:identifier"), attributes.get("rdf:about"), attributes.get("trackback:ping"))
        )
    return blocks


def _read_attributes(text: str, at: int) -> tuple[dict[str, str], int]:
    """The attributes of a start tag, and where the last of them ends."""
    attributes: dict[str, str] = {}
    while match := _ATTRIBUTE.match(text, at):
        attributes.setdefault(match[1], _value(match[2] if match[2] is not None else match[3]))
        at = match.end()
    return attributes, at


def _read_children(text: str, at: int, limit: int, attributes: dict[str, str]) -> None:
    end = text.find(_END, at, limit)
    end = limit if end < 0 else end
    if ping := _PING_ELEMENT.search(text, at, end):
        attributes.setdefault("trackback:ping", _value(next(group for group in ping.groups() if group is not None)))
    if identifier := _IDENTIFIER_ELEMENT.search(text, at, end):
        attributes.setdefault("dc:identifier", _value(identifier[1]))


def _value(text: str) -> str:
    return _REFERENCE.sub(lambda reference: html.unescape(reference[0]), text).strip()
