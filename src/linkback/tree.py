"""A page as a tree, to be read around one link: its words, its language, its scripts.

Rule 1: only tame pages become trees (`Document.tame`), and every walk is linear and without recursion.
Rule 2: what a browser would not show is no text: scripts, raw text, `<template>`, hidden elements.
Rule 3: nothing here changes the tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from linkback.elements import BLOCKS, LINKING, MARK, Seams
from linkback.nodes import Node, build
from linkback.plaintext import collapse, head, tail

_UNSEEN_NAMES = (
    "annotation annotation-xml area audio canvas datalist desc iframe input link meta metadata noembed noframes"
    " noscript object rp script select style textarea title video"
)
_UNSEEN = frozenset(_UNSEEN_NAMES.split())
#: what may have words in place of an image
_IMAGES = frozenset({"img", "area", "input"})
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
    """The tree of a tame page."""

    def __init__(self, text: str) -> None:
        built = build(text)
        self._page, self._named, self._classes = built.page, built.named, built.classes

    def elements(self, name: str) -> Iterator[Node]:
        """The live elements of a name, in document order."""
        return (node for node in self._named.get(name, ()) if not node.inert)

    def outermost(self, names: frozenset[str]) -> Iterator[Node]:
        """The live elements that have one of the classes and do not stand in such a one, in document order."""
        todo: list[Node | str] = [self._page] if not names.isdisjoint(self._classes) else []
        while todo:
            node = todo.pop()
            if isinstance(node, str):
                continue
            if node.inert or names.isdisjoint(node.classes):
                todo.extend(reversed(node.contents))
            else:
                yield node

    def content(self) -> str:
        """What the post says that the page is made around, or its body where nothing says which that is.

        Its words and its microformats, without what is marked as none of the author's: comments, `data-linkback="no"`.
        """
        posts: list[Node] = []
        for name in _POST_CLASSES:
            posts = posts or _own(self.outermost(frozenset({name})))
        for name in _POST_ELEMENTS:
            posts = posts or _own(self.elements(name))
        return "\n".join(part for post in posts for part in (self.text(post, own=True), *self._marks(post)))

    def links_of_posts(self) -> frozenset[tuple[str, int]] | None:
        """The elements that link from within the page's posts: name, and how many of that name stand before.

        A post is what microformats say or, without them, HTML itself: `<article>`, or `<main>`. Comments in it are not
        the author's, nor is what is marked so. None where the page does not say where its posts are.
        """
        posts: list[Node] = list(self.outermost(_POSTS))
        for name in ("article", "main"):
            posts = posts or list(self.elements(name))
        begun, counts = frozenset(map(id, posts)), dict.fromkeys(LINKING, 0)
        found: set[tuple[str, int]] = set()
        todo: list[tuple[Node | str, bool]] = [(self._page, False)]
        while todo:
            node, inside = todo.pop()
            if isinstance(node, Node):
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
        return next((text for tag in _own((*self.elements("h1"), *named)) if (text := self.text(tag, own=True))), "")

    def _marks(self, post: Node) -> Iterator[str]:
        """The microformats of a post: what its classes and values say, which no reader sees (an RSVP, a date)."""
        for node in post.descendants:
            marked = any(map(MARK.match, node.classes)) and not node.inert
            if marked and not any(map(is_of_others, (node, *node.parents))):
                yield " ".join((*sorted(node.classes), *map(node.get, _VALUES)))

    def find(self, name: str, position: int, fits: Callable[[Node], bool]) -> Node | None:
        """The element that the one pass counted as `position`, if it fits, else the first that does."""
        every = self._named.get(name, [])
        if position < len(every) and fits(every[position]):
            return every[position]
        return next(filter(fits, self.elements(name)), None)

    def text(self, element: Node, *, own: bool = False, without: Callable[[Node], bool] | None = None) -> str:
        """The words that a browser would show of an element, on one line; with `own` the author's only.

        `without` says which elements in it do not count.
        """
        return collapse("".join(self._pieces(element, None, own=own, without=without)[0]))

    def excerpt(self, link: Node) -> str:
        """The words of the nearest block around a link, at most 100 characters either side (protocols.md E-9).

        "" where a browser would show neither the link nor anything around it.
        """
        around = [parent for parent in link.parents if not parent.inert]
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
        self, block: Node, link: Node | None, *, own: bool = False, without: Callable[[Node], bool] | None = None
    ) -> tuple[list[str], list[str], list[str]]:
        """The shown strings of a block: before, inside and after a link, with a space where a block begins or ends."""
        before, inside, after = parts = ([], [], [])  # type: tuple[list[str], list[str], list[str]]
        current, seams = before, Seams()
        # an element in brackets is one that ends
        todo: list[Node | str | tuple[Node]] = [block]
        while todo:
            node = todo.pop()
            if isinstance(node, str):
                # what a post says is compared with what it said, also by older versions of this
                current += [" ", node] if seams.text(node) and not own else [node]
                continue
            if isinstance(node, tuple):
                (node,) = node
                if node is link:
                    current = after
                if node.name in BLOCKS:
                    current.append(" ")
                seams.end(node.name, node.classes)
                continue
            if node.name in BLOCKS:
                current.append(" ")
            seams.start(node.name, node.classes)
            if node is link:
                current = inside
            todo.append((node,))
            if not (_is_unseen(node) or (own and is_of_others(node)) or (without is not None and without(node))):
                todo.extend(reversed(node.contents))
        return parts

    def scripts(self, media_type: str) -> Iterator[str]:
        """The text of each live script of a media type."""
        for script in self.elements("script"):
            if script.get("type").partition(";")[0].strip().lower() == media_type:
                yield "".join(child for child in script.contents if isinstance(child, str))


def _is_unseen(node: Node) -> bool:
    return node.name in _UNSEEN or "hidden" in node.attributes


def is_of_others(node: Node) -> bool:
    """Whether an element of a post is none of its author's: a comment, a like."""
    return node.get("data-linkback").strip().lower() == "no" or not _COMMENTS.isdisjoint(node.classes)


def _own(nodes: Iterable[Node]) -> list[Node]:
    return [node for node in nodes if not any(map(is_of_others, (node, *node.parents)))]


def alternative(link: Node) -> str:
    """What stands in for an image: the first `alt` on or in a link that says anything."""
    images = (link, *(node for node in link.descendants if node.name in _IMAGES))
    return next((words for image in images if (words := collapse(image.get("alt")))), "")


def language(element: Node) -> str:
    """The `lang` or `xml:lang` nearest to an element; "" where no element around it says."""
    for node in (element, *element.parents):
        if value := (node.get("lang") or node.get("xml:lang")).strip():
            return value
    return ""
