"""Whether a post says what it said before: a digest of its content (protocols.md B-61).

Rule 1: the post's own words count, its title, and how it links: the frame of a page changes with other posts.
Rule 2: what cannot be read as a tree counts as it is written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection

from linkback.page import Kind, Page
from linkback.tree import Tree


def digest(page: Page, targets: Collection[str]) -> str:
    """The SHA-256 of what a post says, in hexadecimal; `targets` are the links that it is to tell of."""
    wanted = frozenset(targets)
    links = {
        (link.url, *(link.element.attributes.get(name, "") for name in ("rel", "class")))
        for link in page.links()
        if link.url in wanted
    }
    said = json.dumps([page.document.title, sorted(links), _words(page)])
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()


def _words(page: Page) -> str:
    if page.kind is not Kind.HTML or not page.document.tame:
        return page.text
    try:
        return Tree(page.text).content()
    except Exception:  # noqa: BLE001 -- trees of unruly markup fail in ways nobody lists (rule 2)
        return page.text
