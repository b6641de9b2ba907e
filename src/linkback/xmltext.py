"""Untrusted XML text to plain elements, and text to safe XML.

Rule 1: a document that declares anything (DOCTYPE, ENTITY) is refused before a parser sees it.
Rule 2: the parser resolves no entity, opens no file, asks no network, and stops at the limits.
Rule 3: only this module and `markup` know lxml; what comes out are `XmlElement`s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from linkback.elements import mind_memory
from linkback.errors import Reason, Refused
from linkback.vocabulary import among_own_names

#: far beyond any call or answer of the protocols (protocols.md C-26)
MAX_ELEMENTS = 1000
MAX_DEPTH = 32
# XML 1.0 has no way to write these, not even as a reference
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})


@dataclass(slots=True)
class XmlElement:
    """One element: its `name`, the character data directly inside it, and its child elements.

    A name in a namespace is written ``{namespace}local``.
    """

    name: str
    text: str = ""
    children: list[XmlElement] = field(default_factory=list)

    def find(self, name: str) -> XmlElement | None:
        """The first child of that name."""
        return next(iter(self.find_all(name)), None)

    def find_all(self, name: str) -> list[XmlElement]:
        """The children of that name, in order."""
        return [child for child in self.children if child.name == name]


class _Builder:
    """Receives the parser's events; raising from one stops the parser there."""

    def __init__(self, max_elements: int, max_depth: int) -> None:
        self.document = XmlElement("")
        self._max_elements = max_elements
        self._max_depth = max_depth
        self._count = 0
        self._open: list[tuple[XmlElement, list[str]]] = [(self.document, [])]

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._count += 1
        if self._count > self._max_elements or len(self._open) > self._max_depth:
            raise Refused(Reason.TOO_LARGE, "the XML has too many elements, or too deep ones")
        element = XmlElement(tag)
        self._open[-1][0].children.append(element)
        self._open.append((element, []))

    def end(self, tag: str) -> None:
        element, parts = self._open.pop()
        element.text = "".join(parts)

    def data(self, data: str) -> None:
        self._open[-1][1].append(data)

    def close(self) -> None:
        """Nothing is left to do: what is not closed is not well-formed, which the parser tells."""


def declares(text: str) -> bool:
    """Whether a text holds a DOCTYPE or an ENTITY declaration, be it only in a comment (B-32, C-25)."""
    return "<!DOCTYPE" in text or "<!ENTITY" in text


def parse(text: str, *, max_elements: int = MAX_ELEMENTS, max_depth: int = MAX_DEPTH) -> XmlElement:
    """Read an untrusted XML document.

    `text` is decoded already: what its XML declaration says of an encoding is ignored. Blanks and a
    BOM before it are skipped, comments and processing instructions left out. Gives the root element.
    Raises `Refused(MALFORMED)` where the text is not well-formed or declares anything, and
    `Refused(TOO_LARGE)` beyond `max_elements` or `max_depth` (protocols.md C-25, C-26).
    """
    if declares(text):
        raise Refused(Reason.MALFORMED, "the XML has a DOCTYPE or ENTITY declaration")
    from lxml import etree

    builder = _Builder(max_elements, max_depth)
    parser = etree.XMLParser(
        target=builder, encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    data = text.lstrip("\ufeff \t\r\n").encode("utf-8", "surrogatepass")
    try:
        with mind_memory(parser), among_own_names():
            etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise Refused(Reason.MALFORMED, f"the XML is not well-formed (line {error.lineno})") from error
    return builder.document.children[0]


def escape(text: str) -> str:
    """Text as it goes into XML or HTML, in an element or in a double-quoted attribute.

    Only ``&amp; &lt; &gt; &quot;`` are used: strict pingback senders decode no other reference
    (protocols.md A-48). Characters that XML cannot carry become U+FFFD.
    """
    return _ILLEGAL.sub("\ufffd", text).translate(_ESCAPES)
