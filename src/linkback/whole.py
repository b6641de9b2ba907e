"""What the descriptions of one page have in common, whichever of its links each is about.

Rule: it is as large as its tree, so it is kept no longer than while claims are answered by the page.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

from linkback import microformats
from linkback.answers import cited_as
from linkback.jsonld import MEDIA_TYPE, Article, read_article
from linkback.nodes import Node
from linkback.page import Page
from linkback.tree import Tree

T = TypeVar("T")


class Whole:
    """A page to be described: its tree, where it is tame and wanted `as_tree`, and what else is read of it once."""

    def __init__(self, page: Page, *, as_tree: bool = True) -> None:
        self.page = page
        self.tree = Tree(page.text) if as_tree and page.document.tame else None
        self._known: dict[object, Any] = {}

    def once(self, name: object, read: Callable[[], T]) -> T:
        """What the page says under a name, read when it is first asked for."""
        if name not in self._known:
            self._known[name] = read()
        found: T = self._known[name]
        return found

    @cached_property
    def metas(self) -> dict[str, str]:
        """The first content that is not blank for each `property` or `name` of a `meta`."""
        metas: dict[str, str] = {}
        for element in self.page.document.elements:
            if element.name == "meta" and (content := element.attributes.get("content", "")).strip():
                for name in (*element.tokens("property"), *element.tokens("name")):
                    metas.setdefault(name, content)
        return metas

    @cached_property
    def article(self) -> Article:
        """What its JSON-LD says of an article."""
        return read_article(self.tree.scripts(MEDIA_TYPE)) if self.tree else Article()

    @cached_property
    def root(self) -> Node | None:
        """The first post on the page; what a post cites is not it."""
        every = self.tree.outermost(microformats.ENTRIES) if self.tree else iter(())
        return next((tag for tag in every if not cited_as(tag)), None)
