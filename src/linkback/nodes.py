"""A tame page as a tree of plain nodes, at a fraction of what one that can be searched and changed costs.

Rule 1: what encloses what is libxml2's idea, told event by event: elements stand in the order in which the one pass of
        `markup` counted them.
Rule 2: an element that stands in a `<template>` by the count of `tagsoup.prepare` is inert, wherever the parser put it,
        and its text is none.
A tree of bs4 takes five times as long and as much memory (figures: metadata, hostile).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from linkback.elements import mind_memory
from linkback.tagsoup import TEMPLATE_END, prepare, unmarked
from linkback.vocabulary import among_own_names

_NONE: frozenset[str] = frozenset()


class Node:
    """An element: its name, attributes and class names, what it stands in, and what stands in it, text as strings."""

    __slots__ = ("attributes", "classes", "contents", "inert", "name", "parent")

    def __init__(self, name: str, attributes: Mapping[str, str], parent: Node | None, inert: bool) -> None:
        self.name = name
        self.attributes = attributes
        self.classes = frozenset(attributes["class"].split()) if "class" in attributes else _NONE
        self.parent = parent
        self.contents: list[Node | str] = []
        self.inert = inert

    def get(self, attribute: str) -> str:
        """An attribute's value; "" where there is none."""
        return self.attributes.get(attribute, "")

    @property
    def parents(self) -> Iterator[Node]:
        """The elements that it stands in, the nearest first, and last the page."""
        parent = self.parent
        while parent is not None:
            yield parent
            parent = parent.parent

    @property
    def descendants(self) -> Iterator[Node]:
        """The elements that stand in it, in document order."""
        todo = [node for node in reversed(self.contents) if isinstance(node, Node)]
        while todo:
            node = todo.pop()
            yield node
            todo.extend(child for child in reversed(node.contents) if isinstance(child, Node))


class Builder:
    """Receives libxml2's events. `page` holds the tree.

    `named` are all elements of each name, in document order, and `classes` all class names of the page. `marked` says
    that the text may have markers of `prepare`.
    """

    def __init__(self, *, marked: bool) -> None:
        self._marked = marked
        self.page = Node("", {}, None, False)
        self.named: dict[str, list[Node]] = {}
        self.classes: set[str] = set()
        self._at = self.page
        self._text: list[str] = []
        self._templates = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""
        if self._text:
            self._finish_text()
        inert = False
        if name == "template":
            self._templates += 1
        elif name == TEMPLATE_END:
            self._templates = max(0, self._templates - 1)
        else:
            inert = self._templates > 0
        if self._marked:
            attributes = {key: unmarked(value) for key, value in attributes.items()}
        node = Node(name, attributes, self._at, inert)
        self.classes |= node.classes
        self._at.contents.append(node)
        self._at = node
        self.named.setdefault(name, []).append(node)

    def end(self, name: str) -> None:
        """An element ends."""
        if self._text:
            self._finish_text()
        node = self._at
        while node.name != name and node.parent is not None:
            node = node.parent
        self._at = node.parent or self._at

    def data(self, text: str) -> None:
        """Text, or a part of it."""
        if not self._templates:
            self._text.append(text)

    def close(self) -> None:
        """The page ends."""
        self._finish_text()

    def _finish_text(self) -> None:
        if self._text:
            text = "".join(self._text)
            self._at.contents.append(unmarked(text) if self._marked else text)
            self._text.clear()


def build(text: str) -> Builder:
    """The tree of a tame page, unseen parts included. Raises nothing but `MemoryError`."""
    from lxml import etree

    prepared = prepare(text)
    builder = Builder(marked=TEMPLATE_END in prepared)
    parser = etree.HTMLParser(target=builder, encoding="utf-8", huge_tree=True)
    with contextlib.suppress(etree.LxmlError), mind_memory(parser), among_own_names():
        parser.feed(prepared.encode("utf-8", "replace"))
        parser.close()
    builder.close()
    return builder
