"""The elements that can link, and what one pass over a page keeps of it.

Rule: plain values and counting. Which tags a reader would see is decided by who calls `Collector.keep`.
"""

from __future__ import annotations

import contextlib
import re
import string
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

#: elements with an attribute that linkback reads
LINKING = frozenset({"a", "area", "link", "data"})
EMBEDDING = frozenset({"img", "audio", "video", "source", "track", "iframe", "embed", "object", "input"})
CITING = frozenset({"q", "blockquote", "ins", "del"})
#: what stands whether or not the page turns out to have a body
UNSEEN_LINKS = frozenset({"base", "link", "meta"})
KEPT = LINKING | EMBEDDING | CITING | {"base", "meta"}
#: elements whose content HTML reads as text
RAW_TEXT = frozenset({"title", "textarea", "style", "script", "xmp", "iframe", "noembed", "noframes", "plaintext"})
#: how many characters of a link's words are kept, and how many are read for that with the blanks between them
_MAX_TEXT, _MOST_READ = 1_000, 10_000
#: a page of a megabyte may have so many that counting them alone takes longer than it may cost (figure: hostile)
MOST_TAGS = 100_000
_MOST_KEPT = 20_000
# Where trees turn quadratic: attributes on one tag, and nesting (measured; 250 is libxml2's own tree limit).
_TAME_DEPTH = 200
_TAME_ATTRIBUTES = 200
_TAME_ELEMENTS = 20_000
_BLOCK_NAMES = (
    "address article aside blockquote body br caption center dd details dialog dir div dl dt fieldset figcaption figure"
    " footer form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main menu nav ol option optgroup p pre search"
    " section summary table tbody td tfoot th thead tr ul xmp"
)
#: what stands apart from what is around it, as on the screen
BLOCKS = frozenset(_BLOCK_NAMES.split())
_INSIDE_NAMES = "b bdi bdo big del em font i ins mark rb rt rtc ruby s small strike strong sub sup tt u wbr"
_INSIDE_WORDS = frozenset(_INSIDE_NAMES.split())
#: what reads as one word however it is cut up: Mastodon hides the ends of an address in elements of their own
_WHOLE = frozenset({"a", "code", "kbd", "pre", "samp"})
#: what microformats make of classes: such an element holds a value of its own
MARK = re.compile(r"^(?:h|u|p|e|dt)-[a-z]")
# Not lower() and split(), which know letters and blanks that HTML does not.
_TOKENS = str.maketrans(string.ascii_uppercase + "\t\n\f\r", string.ascii_lowercase + "    ")


@dataclass(slots=True)
class Element:
    """One element that can link. `position` counts the elements of its name before it.

    `foreign` says that it stands in SVG or MathML. `text` is that of an `a`, cut at 1,000 characters.
    Whoever is given one leaves it as it is: frozen, each would cost twice as much (figure: verification).
    """

    name: str
    attributes: Mapping[str, str]
    position: int
    foreign: bool = False
    text: str = ""

    def get(self, attribute: str) -> str | None:
        return self.attributes.get(attribute)

    def tokens(self, attribute: str) -> tuple[str, ...]:
        """The value split on ASCII blanks, its ASCII letters in lower case (protocols.md A-20)."""
        value = self.attributes.get(attribute, "")
        return tuple(token for token in value.translate(_TOKENS).split(" ") if token)


@dataclass(slots=True)
class Document:
    """What one pass over a page found, in document order; `cut` where that ended before the page."""

    elements: list[Element] = field(default_factory=list)
    title: str = ""
    root: str = ""
    depth: int = 0
    widest: int = 0
    count: int = 0
    cut: bool = False

    @property
    def tame(self) -> bool:
        """Whether a tree of it can be built at a reasonable price."""
        return self.depth <= _TAME_DEPTH and self.widest <= _TAME_ATTRIBUTES and self.count <= _TAME_ELEMENTS


class _Open:
    """A link that has not ended: its index, -1 for one that is not shown, and its words so far.

    They end at so many characters, however they come: a page that is read in parts has the words of one read at once.
    """

    __slots__ = ("index", "parts", "room")

    def __init__(self, index: int) -> None:
        self.index = index
        self.parts: list[str] = []
        self.room = _MOST_READ

    def add(self, text: str) -> None:
        if self.room > 0:
            self.parts.append(text[: self.room])
            self.room -= len(text)


class Collector:
    """Keeps what `Document` holds. A subclass receives a parser's events and calls these."""

    def __init__(self) -> None:
        self.document = Document()
        self._counts: dict[str, int] = {}
        self._depth = 0
        self._open: list[_Open] = []
        #: the indices of those that are shown
        self._shown: list[int] = []
        self._title: list[str] | None = None

    @property
    def full(self) -> bool:
        """Whether there were more elements than any honest page has."""
        return self.document.count > MOST_TAGS or len(self.document.elements) > _MOST_KEPT

    @property
    def kept(self) -> int:
        """How many elements of `KEPT` have begun, hidden ones too."""
        return sum(self._counts.values())

    @property
    def complete(self) -> int:
        """How many elements have all of their words."""
        return self._shown[0] if self._shown else len(self.document.elements)

    def measure(self, name: str, attributes: Mapping[str, str]) -> None:
        """An element of any kind begins."""
        # once for each tag of a page: calls and look-ups here are what a pass costs (figures: discovery, verification)
        document = self.document
        document.count += 1
        self._depth += 1
        if self._depth > document.depth:
            document.depth = self._depth
            document.root = document.root or name
        if len(attributes) > document.widest:
            document.widest = len(attributes)
        if self._open:
            self._part_words(name)

    def keep(self, name: str, attributes: Mapping[str, str], *, foreign: bool, hidden: bool) -> None:
        """An element of `KEPT` begins; a hidden one is only counted."""
        position = self._counts.get(name, 0)
        self._counts[name] = position + 1
        index = -1 if hidden else len(self.document.elements)
        # what is open names only what is kept, also where memory ends in between
        if not hidden:
            self.document.elements.append(Element(name, attributes, position, foreign))
        if name == "a":
            if not hidden:
                self._shown.append(index)
            self._open.append(_Open(index))

    def keep_title(self) -> None:
        """The page's title begins, unless it had one."""
        if not self.document.title:
            self._title = []

    def forget_links(self) -> None:
        """Nothing that was found in the body is shown after all."""
        self._open, self._shown = [], []
        self.document.elements = [each for each in self.document.elements if each.name in UNSEEN_LINKS]

    def finish(self, name: str) -> None:
        """An element of any kind ends."""
        self._depth -= 1
        if self._open:
            self._part_words(name)
            if name == "a":
                self._finish_link()
        elif name == "title" and self._title is not None:
            self.document.title = self.words(self._title)
            self._title = None

    def _finish_link(self) -> None:
        link = self._open.pop()
        if link.index < 0:
            return
        self._shown.pop()
        text = self.words(link.parts)[:_MAX_TEXT].rstrip()
        self.document.elements[link.index].text = text
        if self._open:
            self._open[-1].add(text)

    def words(self, parts: Iterable[str]) -> str:
        """Text as it is kept, on one line."""
        return " ".join("".join(parts).split())

    def _part_words(self, name: str) -> None:
        """What a block in a link says stands apart from what is around it."""
        if name in BLOCKS:
            self.data(" ")

    def data(self, data: str) -> None:
        """Text, of the title or of the innermost link."""
        if self._title is not None:
            self._title.append(data)
        elif self._open:
            self._open[-1].add(data)

    def close(self) -> Document:
        """The end of the page, or of what is read of it, which ends all that is open."""
        while self._open:
            self._finish_link()
        return self.document

    def hand_over(self) -> Document:
        """What was kept, which is not kept here any longer.

        lxml's parsers hold what they speak to until the garbage is collected (figure: hostile).
        """
        document, self.document = self.document, Document()
        return document


class Seams:
    """Told elements and strings in their order, says before which string a word has ended that no blank ends.

    Two elements side by side with nothing between them are kept apart by a style sheet that nobody reads here; but not
    what is emphasised in a word, nor the parts of a link or of code. Blocks are whoever asks' own matter.
    """

    def __init__(self) -> None:
        self._last = ""
        self._ended: tuple[str, Collection[str]] | None = None
        self._whole = 0
        self._open = False

    def start(self, name: str, classes: Collection[str]) -> None:
        """An element begins."""
        if self._ended is not None:
            before, marks = self._ended
            apart = not self._whole or any(map(MARK.match, (*marks, *classes)))
            self._open = self._open or (apart and _INSIDE_WORDS.isdisjoint((before, name)))
        self._ended = None
        self._whole += name in _WHOLE

    def end(self, name: str, classes: Collection[str]) -> None:
        """An element ends."""
        self._whole -= name in _WHOLE
        self._ended = name, classes

    def text(self, string: str) -> bool:
        """Whether a blank is missing before a string that comes now."""
        if not string:
            return False
        missing = self._open and self._last.isalnum() and string[0].isalnum()
        self._last, self._ended, self._open = string[-1], None, False
        return missing


@contextlib.contextmanager
def mind_memory(parser: Any) -> Iterator[None]:
    """Raise `MemoryError` where a parser of lxml that reads here had no room.

    It goes on as if the page ended, and only logs it, or says that it is not well-formed; and where what it tells
    raises, the exception may be lost on its way.
    """
    try:
        yield
    except SystemError as error:
        raise MemoryError("no room for the page") from error
    finally:
        if any(entry.type_name == "ERR_NO_MEMORY" for entry in (*parser.feed_error_log, *parser.error_log)):
            raise MemoryError("no room for the page")
