"""A page as a tree, to be read around one link: its words, its language, its scripts.

Rule 1: only tame pages become trees (`Document.tame`), and every walk is linear and without recursion.
Rule 2: what a browser would not show is no text: scripts, raw text, `<template>`, hidden elements.
Rule 3: nothing here changes the tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from linkback.elements import BLOCKS, LINKING, MARK, Seams
from linkback.markup import soup
from linkback.plaintext import collapse, head, tail
from linkback.tagsoup import TEMPLATE_END

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag
    from bs4.element import PageElement

_UNSEEN_NAMES = (
    "annotation annotation-xml area audio canvas datalist desc iframe input link meta metadata noembed noframes"
    " noscript object rp script select style textarea title video"
)
_UNSEEN = frozenset(_UNSEEN_NAMES.split())
#: where a page has its post, best first: microformats, then HTML's own words for it
_POST_CLASSES = ("e-content", "h-entry", "entry-content", "hentry")
_POSTS = frozenset({"h-entry", "hentry", "h-event", "h-review", "h-recipe"})
#: what others said of a post, and stands in it
_COMMENTS = frozenset({"u-comment", "p-comment", "u-like", "p-like", "u-repost", "p-repost"})
_POST_ELEMENTS = ("article", "main", "body")
#: where the values of microformats stand
_VALUES = ("href", "src", "value", "datetime", "content")
#: characters of an excerpt on either side of the link (protocols.md E-9), and of the link itself
_AROUND = 100
_LINK = 280


class Tree:
    """The tree of a tame page.

    Elements that stand in a `<template>` by the one pass's count do so here, wherever the tree put them.
    """

    def __init__(self, text: str) -> None:
        self.soup: BeautifulSoup = soup(text)

    @cached_property
    def _inert(self) -> frozenset[int]:
        """The `id()` of every node inside a `<template>`; see `markup.prepare` for why tags cannot be trusted."""
        if self.soup.find("template") is None:
            return frozenset()
        inert, depth = set(), 0
        for node in self.soup.descendants:
            name = getattr(node, "name", None)
            if name == "template":
                depth += 1
            elif name == TEMPLATE_END:
                depth = max(0, depth - 1)
            elif depth:
                inert.add(id(node))
        return frozenset(inert)

    def elements(self, *names: str) -> Iterator[Tag]:
        """The live elements of those names, in document order."""
        return (tag for tag in self.soup.find_all(names) if id(tag) not in self._inert)

    def outermost(self, names: frozenset[str]) -> Iterator[Tag]:
        """The live elements that have one of the classes and do not stand in such a one, in document order."""
        from bs4 import Tag

        todo: list[PageElement] = [self.soup]
        while todo:
            node = todo.pop()
            if not isinstance(node, Tag):
                continue
            if names.isdisjoint(classes(node)) or id(node) in self._inert:
                todo.extend(reversed(node.contents))
            else:
                yield node

    def content(self) -> str:
        """What the post says that the page is made around, or its body where nothing says which that is.

        Its words and its microformats, without what is marked as none of the author's: `data-linkback="no"`.
        """
        posts: list[Tag] = []
        for name in _POST_CLASSES:
            posts = posts or list(self.outermost(frozenset({name})))
        for name in _POST_ELEMENTS:
            posts = posts or list(self.elements(name))
        return "\n".join(part for post in posts for part in (self.text(post, own=True), *self._marks(post)))

    def links_of_posts(self) -> frozenset[tuple[str, int]] | None:
        """The elements that link from within the page's posts: name, and how many of that name stand before.

        A post is what microformats say or, without them, HTML itself: `<article>`, or `<main>`. Comments in it are not
        the author's, nor is what is marked so. None where the page does not say where its posts are.
        """
        from bs4 import Tag

        posts: list[Tag] = list(self.outermost(_POSTS))
        for name in ("article", "main"):
            posts = posts or list(self.elements(name))
        begun, counts = frozenset(map(id, posts)), dict.fromkeys(LINKING, 0)
        found: set[tuple[str, int]] = set()
        todo: list[tuple[PageElement, bool]] = [(self.soup, False)]
        while todo:
            node, inside = todo.pop()
            if isinstance(node, Tag):
                inside = (inside or id(node) in begun) and not is_of_others(node)
                if node.name in counts:
                    if inside:
                        found.add((node.name, counts[node.name]))
                    counts[node.name] += 1
                todo.extend((child, inside) for child in reversed(node.contents))
        return frozenset(found) if posts else None

    def heading(self) -> str:
        """What the page calls itself where its readers look: its first heading, or a post's name; "" without one."""
        named = self.outermost(frozenset({"p-name", "entry-title"}))
        return next((text for tag in (*self.elements("h1"), *named) if (text := self.text(tag, own=True))), "")

    def _marks(self, post: Tag) -> Iterator[str]:
        """The microformats of a post: what its classes and values say, which no reader sees (an RSVP, a date)."""
        for tag in post.find_all(class_=MARK):
            if id(tag) not in self._inert and not any(_is_not_own(each) for each in (tag, *tag.parents)):
                yield " ".join((*sorted(classes(tag)), *(str(tag.get(name, "")) for name in _VALUES)))

    def find(self, name: str, position: int, fits: Callable[[Tag], bool]) -> Tag | None:
        """The element that the one pass counted as `position`, if it fits, else the first that does."""
        every = self.soup.find_all(name)
        if position < len(every) and fits(every[position]):
            return every[position]
        return next((tag for tag in every if id(tag) not in self._inert and fits(tag)), None)

    def text(self, element: Tag, *, own: bool = False, without: Callable[[Tag], bool] | None = None) -> str:
        """The words that a browser would show of an element, on one line; with `own` the author's only.

        `without` says which elements in it do not count.
        """
        return collapse("".join(self._pieces(element, None, own=own, without=without)[0]))

    def excerpt(self, link: Tag) -> str:
        """The words of the nearest block around a link, at most 100 characters either side (protocols.md E-9).

        "" where a browser would show neither the link nor anything around it.
        """
        around = [parent for parent in link.parents if id(parent) not in self._inert]
        if any(_is_unseen(parent) for parent in around):
            return ""
        block = next((parent for parent in around if parent.name in BLOCKS), link)
        before, inside, after = ("".join(pieces) for pieces in self._pieces(block, link))
        words = collapse(inside) or alternative(link)
        gap_before = " " if before[-1:].isspace() or inside[:1].isspace() else ""
        gap_after = " " if after[:1].isspace() or inside[-1:].isspace() else ""
        parts = (tail(collapse(before), _AROUND), gap_before, head(words, _LINK), gap_after)
        return collapse("".join(parts) + head(collapse(after), _AROUND))

    def _pieces(
        self, block: Tag, link: Tag | None, *, own: bool = False, without: Callable[[Tag], bool] | None = None
    ) -> tuple[list[str], list[str], list[str]]:
        """The shown strings of a block: before, inside and after a link, with a space where a block begins or ends."""
        from bs4 import Tag

        before, inside, after = parts = ([], [], [])  # type: tuple[list[str], list[str], list[str]]
        current, seams = before, Seams()
        todo: list[tuple[PageElement, bool]] = [(block, False)]
        while todo:
            node, closing = todo.pop()
            if not isinstance(node, Tag):
                string = self._shown(node)
                # what a post says is compared with what it said, also by older versions of this
                current += [" ", string] if seams.text(string) and not own else [string]
                continue
            if closing and node is link:
                current = after
            if node.name in BLOCKS:
                current.append(" ")
            if closing:
                seams.end(node.name, node.get("class") or ())
                continue
            seams.start(node.name, node.get("class") or ())
            if node is link:
                current = inside
            todo.append((node, True))
            if not (_is_unseen(node) or (own and _is_not_own(node)) or (without is not None and without(node))):
                todo.extend((child, False) for child in reversed(node.contents))
        return parts

    def _shown(self, node: PageElement) -> str:
        from bs4.element import CData, NavigableString, PreformattedString

        if not isinstance(node, NavigableString) or id(node) in self._inert:
            return ""
        return "" if isinstance(node, PreformattedString) and not isinstance(node, CData) else str(node)

    def scripts(self, media_type: str) -> Iterator[str]:
        """The text of each live script of a media type."""
        for script in self.elements("script"):
            if str(script.get("type") or "").partition(";")[0].strip().lower() == media_type:
                yield "".join(str(child) for child in script.contents)


def _is_unseen(tag: Tag) -> bool:
    return tag.name in _UNSEEN or tag.has_attr("hidden")


def _is_not_own(tag: Tag) -> bool:
    return str(tag.get("data-linkback", "")).strip().lower() == "no"


def is_of_others(tag: Tag) -> bool:
    """Whether an element of a post is none of its author's: a comment, a like."""
    return _is_not_own(tag) or not _COMMENTS.isdisjoint(classes(tag))


def alternative(link: Tag) -> str:
    """What stands in for an image: the first `alt` on or in a link that says anything."""
    images: Iterable[Tag] = (link, *link.find_all(("img", "area", "input")))
    return next((words for image in images if (words := collapse(str(image.get("alt") or "")))), "")


def language(element: Tag) -> str:
    """The `lang` or `xml:lang` nearest to an element; "" where no element around it says."""
    for tag in (element, *element.parents):
        if value := str(tag.get("lang") or tag.get("xml:lang") or "").strip():
            return value
    return ""


def classes(element: Tag) -> frozenset[str]:
    """The class names of an element."""
    return frozenset(element.get("class") or ())
