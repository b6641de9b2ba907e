"""Untrusted markup to plain values: the elements that can link.

Rule 1: one pass, by lxml's target parser: linear on every hostile page tried, where trees are not.
Rule 2: what a browser would not show as an element is none, see `tagsoup`.
Rule 3: it ends after as many tags as no honest page has: of what follows, nothing is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from linkback.elements import KEPT, MOST_TAGS, RAW_TEXT, UNSEEN_LINKS, Collector, Document, Element, mind_memory
from linkback.tagsoup import TEMPLATE_END, HtmlCollector, prepare, without_self_closing
from linkback.vocabulary import among_own_names

_HTML = frozenset({"http://www.w3.org/1999/xhtml", ""})
_SHOWN = _HTML | {"http://www.w3.org/2000/svg", "http://www.w3.org/1998/Math/MathML"}
_XLINK_HREF = "{http://www.w3.org/1999/xlink}href"
#: characters that are read at least after the first place where one may be, and twice as many each time
_PART = 2048
#: characters, or bytes, of a long page between two looks at their number
_STRETCH = 65_536
_UNSEEN = RAW_TEXT | {"template", "noscript", "select"}


@dataclass(frozen=True, slots=True)
class XmlValue:
    """One attribute value or text of an XML document that is no web page; `attribute` is "" for text."""

    element: str
    attribute: str
    value: str


class _XhtmlCollector(Collector):
    """The same by the rules of XML, where every end tag is one."""

    def __init__(self) -> None:
        super().__init__()
        self._unseen = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        namespace, name = _split(tag)
        self.measure(name, attributes)
        if self._unseen or (name in _UNSEEN and namespace in _HTML):
            self._unseen += 1
        if name == "title" and namespace in _HTML and self._unseen == 1:
            self.keep_title()
        if name in KEPT and namespace in _SHOWN:
            kept = {"xlink:href" if key == _XLINK_HREF else key: value for key, value in attributes.items()}
            self.keep(name, kept, foreign=namespace not in _HTML, hidden=self._unseen > 0)

    def cut(self) -> Document:
        """What was read, where that is not all."""
        self.document.cut = True
        return self.close()

    def end(self, tag: str) -> None:
        self._unseen = max(0, self._unseen - 1)
        self.finish(_split(tag)[1])


class _ValueCollector:
    """Receives the events of an XML document and keeps every attribute value and text that is wanted."""

    def __init__(self, wanted: Callable[[XmlValue], bool]) -> None:
        self.values: list[XmlValue] = []
        self._wanted = wanted
        self._number = 0
        self._open: list[tuple[str, list[str]]] = []

    @property
    def full(self) -> bool:
        """Whether there were more values than any honest document has."""
        return self._number > MOST_TAGS

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        name = _split(tag)[1]
        self._open.append((name, []))
        for key, value in attributes.items():
            self._take(XmlValue(name, _split(key)[1], value))

    def cut(self) -> list[XmlValue]:
        """What was read, where that is not all."""
        return self.values

    def end(self, tag: str) -> None:
        name, parts = self._open.pop()
        if text := "".join(parts).strip():
            self._take(XmlValue(name, "", text))

    def data(self, data: str) -> None:
        self._open[-1][1].append(data)

    def close(self) -> list[XmlValue]:
        return self.values

    def _take(self, value: XmlValue) -> None:
        self._number += 1
        if self._wanted(value):
            self.values.append(value)


def _split(name: str) -> tuple[str, str]:
    """Namespace ("" for none) and local name."""
    namespace, _, local = name.rpartition("}")
    return namespace[1:], local


def read_html(text: str, *, whole: bool = False) -> Document:
    """One pass over a page by the rules of HTML; with `whole` to its end, however many tags it has.

    Raises nothing but `MemoryError`.
    """
    return HtmlElements(text, whole=whole).whole()


class _Pass:
    """One pass over a page by the rules of HTML, as far as it is asked to go."""

    def __init__(self, text: str, *, whole: bool) -> None:
        from lxml import etree

        self.collector = HtmlCollector()
        self.goes_on = True
        self._whole = whole
        self._text = text
        self.at = 0
        self._parts: list[tuple[int, int]] = []
        self._parser = etree.HTMLParser(target=self.collector, encoding="utf-8", huge_tree=True)
        self._broken = etree.LxmlError

    def read(self, length: int) -> None:
        """Read on for at least so many characters, up to where a tag may begin."""
        goal = self.at + length
        self._feed(min(length, _STRETCH))
        while self.goes_on and self.at < goal:
            self._feed(min(goal - self.at, _STRETCH))

    def _feed(self, length: int) -> None:
        end = self._text.find("<", self.at + length) if self.at + length < len(self._text) else -1
        self.goes_on = end >= 0
        part = slice(self.at, end if self.goes_on else None)
        self.at = end
        try:
            # no copy of a part outlives its use: it may be a megabyte (figure: hostile)
            with mind_memory(self._parser), among_own_names():
                self._parser.feed(self._prepared(part))
                if not self.goes_on:
                    self._parser.close()
        except self._broken:
            # nothing that could be an element, or a cut inside one: what was read so far holds
            self.goes_on = False
        if self.goes_on and self.collector.full and not self._whole:
            self.goes_on, self.collector.document.cut = False, True
        if self.goes_on:
            self._parts.append((end, self.collector.kept))
        else:
            self.collector.close()

    def _prepared(self, part: slice) -> bytes:
        text = prepare(self._text[part], whole=self._text)
        self.collector.marked = self.collector.marked or TEMPLATE_END in text
        return _encoded(text)

    def passed(self, end: int) -> bool:
        """Whether every element is known whose tag begins before a place.

        A part may end in a tag, so not until another element was kept that came after.
        """
        return next((kept for at, kept in self._parts if at >= end), math.inf) < self.collector.kept


class HtmlElements:
    """The elements of a page, in order, read no further than is asked for.

    `lacks` says of a word whether it surely does not stand in the text; `whole` is as for `read_html`.
    """

    def __init__(self, text: str, lacks: Callable[[str], bool] = lambda word: False, *, whole: bool = False) -> None:
        self._text = text
        self._lacks = lacks
        self._whole = whole
        self._pass = _Pass(text, whole=whole)
        self._length = 0

    def until(
        self, places: Iterable[int], *, words: bool = False, more: Callable[[], bool] = lambda: True
    ) -> Iterator[Element]:
        """The elements; those that begin after the last of some places in the text, given in order, may be left out.

        Links have their words only with `words`. `more` is asked before more of the page is read.
        """
        given = 0
        for place in places:
            while True:
                found = self._pass.collector.document.elements
                known = self._pass.collector.complete if words else len(found)
                while given < known and (found[given].name in UNSEEN_LINKS or self._final):
                    yield found[given]
                    given += 1
                if not self._pass.goes_on:
                    return
                if given == len(found) and self._pass.passed(place):
                    break
                if not more():
                    return
                self._read_on(place)

    @property
    def cut(self) -> bool:
        """Whether reading ended before the page."""
        return self._pass.collector.document.cut

    def whole(self) -> Document:
        """All of the page, read to its end; nothing of it is kept here."""
        while self._pass.goes_on:
            self._read_on(len(self._text))
        return self._pass.collector.hand_over()

    @property
    def _final(self) -> bool:
        """Whether what was found stands: before there is a body, <frameset> may still take links back."""
        return self._pass.collector.settled or not self._pass.goes_on or self._lacks("frameset")

    def _read_on(self, place: int) -> None:
        # to the first place at once, then in parts that grow, however many there are
        self._pass.read(max(self._length, place - self._pass.at))
        self._length = 2 * self._length or _PART
        if self._pass.collector.self_closed:
            # what follows is read as HTML says, all of it
            self._pass = _Pass(without_self_closing(self._text), whole=self._whole)
            self._pass.read(len(self._text))


def read_xhtml(text: str, *, whole: bool = False) -> Document | None:
    """The same by the rules of XML; None where the text is not well-formed or declares entities."""
    document = _read_xml(text, _XhtmlCollector(), whole=whole)
    return document if isinstance(document, Document) else None


def read_values(text: str, wanted: Callable[[XmlValue], bool] = lambda value: True) -> list[XmlValue]:
    """Every attribute value and text of a feed or other XML that is `wanted`; empty where it is not well-formed."""
    values = _read_xml(text, _ValueCollector(wanted))
    return values if isinstance(values, list) else []


def _read_xml(text: str, collector: _XhtmlCollector | _ValueCollector, *, whole: bool = False) -> object:
    from lxml import etree

    if "<!ENTITY" in text:
        return None
    parser = etree.XMLParser(
        target=collector, encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    page = memoryview(_encoded(text.lstrip()))
    try:
        for at in range(0, len(page), _STRETCH):
            with mind_memory(parser), among_own_names():
                parser.feed(bytes(page[at : at + _STRETCH]))
            if collector.full and not whole:
                return collector.cut()
        with mind_memory(parser):
            return parser.close()
    except etree.LxmlError:
        return None


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")
