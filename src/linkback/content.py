"""What of a page is its post: which links are its own, and whether it says what it said before (protocols.md B-61).

Rule 1: the post's own words count, its title, and how it links: the frame of a page changes with other posts, and its
        thread with what others say, which may be no more than that they heard of the last change.
Rule 2: what cannot be read as a tree counts as it is written, and as a whole; a lack of memory says nothing of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator

from linkback.page import Kind, Link, Page
from linkback.policy import is_passed_over
from linkback.tree import Tree


def digest(page: Page, targets: Collection[str]) -> str:
    """The SHA-256 of what a post says, in hexadecimal; `targets` are the links that it is to tell of."""
    said = json.dumps([page.document.title, sorted(_ways(page, frozenset(targets))), _words(page)])
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()


def _ways(page: Page, targets: Collection[str]) -> set[tuple[str, ...]]:
    """How a page links to its targets; of one that its post links to, other links to it are the thread's or frame's."""
    found = [link for link in page.links() if link.url in targets]
    ways = {_way(link) for link in found}
    if len(ways) == len({link.url for link in found}):
        return ways
    within = _within(page)
    own = {_way(link) for link in found if not is_passed_over(link) and (within is None or _place(link) in within)}
    linked = {url for url, *_ in own}
    return own | {way for way in ways if way[0] not in linked}


def _way(link: Link) -> tuple[str, ...]:
    return (link.url, *(link.element.attributes.get(name, "") for name in ("rel", "class")))


def _place(link: Link) -> tuple[str, int]:
    return link.element.name, link.element.position


def _words(page: Page) -> str:
    if page.kind is not Kind.HTML or not page.document.tame:
        return page.text
    try:
        tree = Tree(page.text)
        # a host that gives its post alone has no title but the one that is seen
        return tree.content() if page.document.title else f"{tree.heading()}\n{tree.content()}"
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 -- trees of unruly markup fail in ways nobody lists (rule 2)
        return page.text


def links(page: Page) -> Iterator[Link]:
    """The links of the page's post, in document order: not those of the page's frame, nor of comments in the post.

    All links of a page that does not say where its post is, or that cannot be read as a tree.
    """
    wanted = _within(page)
    return (link for link in page.links() if wanted is None or _place(link) in wanted)


def _within(page: Page) -> frozenset[tuple[str, int]] | None:
    if page.kind is not Kind.HTML or not page.document.tame:
        return None
    try:
        return Tree(page.text).links_of_posts()
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 -- as above (rule 2)
        return None
