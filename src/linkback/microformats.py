"""Microformats, of which a page may hold any shape: read into strings, or into nothing.

Rule 1: only this module uses mf2py. It is handed one element in a form it reads, never text or a URL, so it never
        fetches.
Rule 2: what it makes of hostile markup is no reason to fail: an item that cannot be read is empty.
Rule 3: its work is bounded before it begins, see `_affordable`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from linkback.elements import BLOCKS, Seams
from linkback.model import Author
from linkback.nodes import Node

if TYPE_CHECKING:
    from bs4 import Tag
    from bs4.element import PageElement

#: posts, in today's class names and in those of 2005
ENTRIES = frozenset({"h-entry", "h-event", "h-review", "hentry", "vevent", "hreview"})
CARDS = frozenset({"h-card", "vcard"})
CITES = frozenset({"h-cite", *ENTRIES})
#: what a post says, and what it says in short, in today's class names and in those of 2005
CONTENTS = frozenset({"e-content", "p-content", "entry-content"})
SUMMARIES = frozenset({"p-summary", "entry-summary"})
_CLASSIC_NAMES = "adr geo hentry hfeed hproduct hrecipe hresume hreview hreview-aggregate vcard vevent"
_CLASSIC = frozenset(_CLASSIC_NAMES.split())
_ROOTS = CITES | CARDS | {"h-adr", "h-feed", "h-geo", "h-item", "h-product", "h-recipe", "h-resume"}
# Heights in a style sheet's vocabulary that look like roots; the parser itself would let them end a post.
_HEIGHTS = ("auto", "dvh", "fit", "full", "lvh", "max", "min", "px", "screen", "svh")
_UTILITIES = frozenset(f"h-{height}" for height in _HEIGHTS)
# What mf2py does grows with nesting: it reads and copies what stands in a property once per property, and in classic
# microformats once per ancestor for each of some fourteen rules. Measured: about 10 µs for each such step on an
# element or a stretch of text; real posts take a few thousand.
_AFFORDABLE = 150_000
_RULES = 14
#: what nobody is shown, and the parser reads all the same where it stands in `<pre>`
_UNREAD = frozenset({"script", "style", "template"})
_STRETCH = 200


@dataclass(frozen=True, slots=True)
class Item:
    """One microformat. `explicit_name` says that its name was marked as such, not implied from its whole text."""

    properties: Mapping[str, object] = field(default_factory=dict)
    explicit_name: bool = False

    def values(self, name: str) -> Iterator[object]:
        """The values of a property; none where it is absent or has an unexpected shape."""
        values = self.properties.get(name)
        yield from values if isinstance(values, list) else ()

    def first(self, name: str) -> str:
        """The first value of a property that is text, or has a plain one; "" where there is none."""
        return next((text for value in self.values(name) if (text := plain(value))), "")

    def nested(self, name: str) -> Iterator[Item]:
        """The values of a property that are microformats themselves."""
        for value in self.values(name):
            if isinstance(value, dict) and isinstance(properties := value.get("properties"), dict):
                yield Item(properties, explicit_name=True)

    @property
    def title(self) -> str:
        """The name, unless it is only the content under another name (protocols.md E-1)."""
        name = self.first("name")
        is_content = any(
            " ".join(plain(content).split()) == " ".join(name.split()) for content in self.values("content")
        )
        return name if self.explicit_name and not is_content else ""


def plain(value: object) -> str:
    """The text of a property's value: a string, or the plain form of a richer one."""
    if isinstance(value, dict):
        value = value.get("value")
    return value if isinstance(value, str) else ""


def card(item: Item) -> Author:
    """The person an h-card stands for, URLs as the parser resolved them."""
    return Author(item.first("name"), item.first("url"), item.first("photo"))


def author(entry: Item) -> Author:
    """The first author a post names, by card or by name; an empty one where it names none."""
    cards = (card(item) for item in entry.nested("author"))
    return next((found for found in cards if found != Author()), None) or Author(entry.first("author"))


def own(root: Node, names: frozenset[str]) -> Iterator[Node]:
    """The elements with one of those classes that are a microformat's own, in document order.

    Not those of a microformat that it holds, nor what stands in one that was given.
    """
    todo = [root]
    while todo:
        tag = todo.pop()
        if tag is not root and names & tag.classes:
            yield tag
        elif tag is root or not (_ROOTS & tag.classes):
            todo.extend(child for child in reversed(tag.contents) if isinstance(child, Node))


def parse(element: Node, base: str) -> Item:
    """Read the microformat whose root is `element`, with its URLs resolved against `base`. Never raises."""
    if not _affordable(element):
        return Item()
    holder = _soup(element)
    _part_words(holder)
    try:
        item = _parser()(doc=holder, url=base).to_dict()["items"][0]
    except Exception:  # noqa: BLE001 -- mf2py raises whatever a stranger's markup makes it trip over (rule 2)
        return Item()
    # classic microformats have no implied names; in today's, an explicit one makes them impossible
    explicit = not any(name.startswith("h-") for name in element.classes)
    explicit = explicit or any("p-name" in node.classes for node in element.descendants)
    return Item(item["properties"], explicit_name=explicit)


def _soup(element: Node) -> Tag:
    """A page with nothing but an element, without the classes that only look like a microformat's."""
    from bs4 import BeautifulSoup, Tag
    from bs4.element import NavigableString

    holder = BeautifulSoup("", "lxml", element_classes={Tag: _own_original()})
    todo: list[tuple[Node | str, Tag]] = [(element, holder)]
    while todo:
        node, parent = todo.pop()
        if isinstance(node, str):
            parent.append(NavigableString(node))
            continue
        attributes: dict[str, Any] = dict(node.attributes)
        if node.classes:
            attributes["class"] = [name for name in node.get("class").split() if name not in _UTILITIES]
        tag = holder.new_tag(node.name, attrs=attributes)
        parent.append(tag)
        if node.name not in _UNREAD:
            todo.extend((child, tag) for child in reversed(node.contents))
    return holder


def _part_words(holder: Tag) -> None:
    """Put a blank wherever the parser would run the words of neighbouring elements into one another."""
    from bs4 import Tag
    from bs4.element import PreformattedString

    seams, latest = Seams(), holder
    todo: list[tuple[PageElement, bool]] = [(child, False) for child in reversed(holder.contents)]
    while todo:
        node, closing = todo.pop()
        if not isinstance(node, Tag):
            # the parts of a value in parts are read one by one
            if not isinstance(node, PreformattedString) and seams.text(str(node)) and "value" not in _classes(latest):
                latest.insert(0, " ")
            continue
        if closing:
            seams.end(node.name, _classes(node))
        else:
            seams.start(node.name, _classes(node))
            todo += [(node, True), *((child, False) for child in reversed(node.contents))]
        latest = node
        if node.name in BLOCKS:
            node.insert(len(node.contents) if closing else 0, " ")


def _classes(tag: Tag) -> Collection[str]:
    return tag.get("class") or ()


@lru_cache(maxsize=1)
def _own_original() -> type[Tag]:
    """Tags as they are before mf2py changes their classes, for all it asks of them then, which is their text.

    Of others it makes a copy before each of its rules for classic microformats (figure: metadata).
    """
    from bs4 import Tag

    class Own(Tag):
        original = property(lambda tag: tag, lambda tag, copied: None)

    return Own


@lru_cache(maxsize=1)
def _parser() -> Callable[..., Any]:
    with warnings.catch_warnings():
        # it brings an HTTP client that we never call, whose remarks at import are nothing to our users
        warnings.simplefilter("ignore")
        import mf2py
    return cast("Callable[..., Any]", mf2py.Parser)


def _affordable(element: Node) -> bool:
    """Whether the parser's work on an element, over all that is nested in it, stays in bounds."""
    cost = 0
    todo = [(element, 1, int(_is_classic(element)))]
    while todo and cost <= _AFFORDABLE:
        tag, classed, depth = todo.pop()
        step = classed + _RULES * depth
        for child in tag.contents:
            if isinstance(child, str):
                cost += step * (1 + len(child) // _STRETCH)
                continue
            cost += step
            below = depth + 1 if depth or _is_classic(child) else 0
            todo.append((child, classed + bool(child.classes), below))
    return cost <= _AFFORDABLE


def _is_classic(tag: Node) -> bool:
    return not _CLASSIC.isdisjoint(tag.classes)
