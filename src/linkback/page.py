"""Page: a response that can be asked for its kind, its text, its links.

Everything is read at most once, and only when asked for.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice

from linkback import prefilter, urls
from linkback.charsets import decode_page
from linkback.elements import Document, Element
from linkback.markup import HtmlElements, read_xhtml
from linkback.wire import Response

_XHTML_TYPES = frozenset({"application/xhtml+xml", "application/xml", "text/xml"})
_SNIFFED = 512


class Kind(enum.Enum):
    """How a body is to be read."""

    HTML = "html"
    XML = "xml"
    JSON = "json"
    TEXT = "text"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Link:
    """A reference on a page: the element, the attribute it stands in, and the URL it means."""

    element: Element
    attribute: str
    url: str


class Page:
    """One fetched page. `url` is where it was found, after redirects.

    One of our `own` is read to its end, however many tags it has.
    """

    def __init__(self, response: Response, *, own: bool = False) -> None:
        self.response = response
        self._own = own
        self.url = response.url

    @property
    def content_type(self) -> str:
        """The media type without parameters, "" where none was given."""
        return self.response.content_type

    @property
    def truncated(self) -> bool:
        """Whether there is more of the page than was read of it."""
        read = (vars(self).get("document"), vars(self).get("_html"))
        return self.response.truncated or any(each.cut for each in read if each is not None)

    @property
    def advertises(self) -> bool:
        """Whether endpoints may be looked for in the body (protocols.md A-9)."""
        return self.content_type in ("", "text/html") or self.content_type in _XHTML_TYPES

    @cached_property
    def kind(self) -> Kind:
        """By the media type, or by the first bytes where there is none (protocols.md D-7 to D-10)."""
        essence = self.content_type
        if not essence:
            return self._sniff()
        if essence == "text/html":
            return Kind.HTML
        if essence in _XHTML_TYPES:
            return Kind.HTML if self.document.root == "html" else Kind.XML
        if essence == "application/json" or essence.endswith("+json"):
            return Kind.JSON
        if essence.endswith(("/xml", "+xml")):
            return Kind.XML
        return Kind.TEXT if essence.startswith("text/") else Kind.OTHER

    def _sniff(self) -> Kind:
        head = self.response.body[:_SNIFFED]
        if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
            return Kind.OTHER
        first = decode_page(head).lstrip()[:1]
        return {"<": Kind.HTML, "{": Kind.JSON, "[": Kind.JSON}.get(first, Kind.TEXT)

    @cached_property
    def text(self) -> str:
        """The decoded body."""
        return decode_page(self.response.body, self.response.charset)

    @cached_property
    def document(self) -> Document:
        """The elements of the body, by the rules of XML where it says that it is XHTML and is well-formed."""
        if self.content_type in _XHTML_TYPES and (document := read_xhtml(self.text, whole=self._own)) is not None:
            return document
        document = self._html.whole()
        del self._html
        return document

    def elements_with(self, attribute: str, *words: str) -> Iterator[Element]:
        """Of the elements of the body, in order, at least those of which an attribute has one of some words (`lacks`).

        The page is read only as far as they are, and without the words of links.
        """
        return self._elements(self._words.attribute_places(attribute, *words))

    def elements_near(self, *needles: str, more: Callable[[], bool]) -> Iterator[Element]:
        """Of the elements of the body, in order, at least those that one of `needles` stands in; read no further.

        `more` is asked before more of the page is read.
        """
        return self._elements(self._needles.places(*needles), words=True, more=more)

    def _elements(
        self, places: Iterator[int], *, words: bool = False, more: Callable[[], bool] = lambda: True
    ) -> Iterator[Element]:
        """At least the elements whose tags begin before some places of the body, in order."""
        if "document" in self.__dict__ or self.content_type in _XHTML_TYPES:
            return iter(self.document.elements)
        first = next(places, None)
        return iter(()) if first is None else self._html.until(chain([first], places), words=words, more=more)

    @cached_property
    def _html(self) -> HtmlElements:
        return HtmlElements(self.text, self.lacks, whole=self._own)

    @cached_property
    def _words(self) -> prefilter.Copy:
        return self._copy(prefilter.for_words)

    @cached_property
    def _needles(self) -> prefilter.Copy:
        return self._copy(prefilter.for_needles)

    def _copy(self, make: Callable[[bytes, str], prefilter.Copy]) -> prefilter.Copy:
        body = self.response.body
        if self.content_type in _XHTML_TYPES:
            # references mean what a document type says
            return prefilter.Copy(None, len(body))
        return make(body, self.response.charset)

    def lacks(self, *words: str) -> bool:
        """Whether it is sure that none of some words (of ASCII letters, in lower case) stands in the page's text."""
        return self._words.lacks(*words)

    def lacks_needles(self, *needles: str) -> bool:
        """Whether it is sure that no URL on the page has one of some `needles` in it."""
        return self._needles.lacks(*needles)

    @property
    def lacks_properties(self) -> bool:
        """Whether it is sure that no link says by its class what it is (`properties`)."""
        return self._words.lacks_tokens("u-")

    @cached_property
    def base(self) -> str:
        """The document base: the first `<base href>` that is http(s), else the page's URL (A-27)."""
        for element in self._elements(self._words.places("<base")):
            if element.name == "base" and not element.foreign and element.get("href") is not None:
                return urls.resolve(element.attributes["href"], self.url) or self.url
        return self.url

    def resolve(self, reference: str) -> str | None:
        """The absolute http(s) URL a reference on this page means, None where it means none."""
        return urls.resolve(reference, self.base_of(reference))

    def base_of(self, reference: str) -> str:
        """What a reference on this page is relative to; not looked for where that makes no difference."""
        return self.url if urls.is_absolute(reference) else self.base

    @cached_property
    def says_gone(self) -> bool:
        """Whether the page declares itself deleted by `<meta http-equiv=status content=410>` (D-26)."""
        return any(
            element.name == "meta"
            and element.attributes.get("http-equiv", "").strip().lower() == "status"
            and element.attributes.get("content", "").strip().startswith("410")
            for element in self._elements(self._needles.attribute_places("http-equiv", "status"))
        )

    def links(self) -> Iterator[Link]:
        """The hyperlinks of the page that lead somewhere, in document order (protocols.md B-1, D-1)."""
        return iter(self._links)

    @cached_property
    def _links(self) -> tuple[Link, ...]:
        return tuple(
            Link(element, attribute, url)
            for element in self.document.elements
            for attribute in hyperlink_attributes(element)
            if (url := self.resolve(element.attributes[attribute])) is not None
        )


def hyperlink_attributes(element: Element) -> Iterator[str]:
    """The attributes by which an element links for every protocol (the hyperlink set of D-1)."""
    names: tuple[str, ...] = ()
    if element.name == "a":
        names = ("href", "xlink:href") if element.foreign else ("href",)
    elif element.foreign:
        return
    elif element.name == "area" or (element.name == "link" and properties(element)):
        names = ("href",)
    elif element.name == "data" and properties(element):
        names = ("value",)
    # an SVG link follows xlink:href only where it has no href
    present = (name for name in names if element.get(name) is not None)
    yield from islice(present, 1)


def properties(element: Element) -> tuple[str, ...]:
    """The microformats URL properties of an element: its `u-*` classes without the prefix."""
    return tuple(token.removeprefix("u-") for token in element.tokens("class") if token.startswith("u-") and token[2:])
