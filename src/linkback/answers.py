"""What a post does to the page it links to, and in which words of its author's.

Rule: whoever wrote what stands around the link, a comment say, is not shown with the words of the post's author.
"""

from __future__ import annotations

from collections.abc import Collection

from linkback import microformats
from linkback.nodes import Node
from linkback.plaintext import head
from linkback.tree import Tree, is_of_others

#: what a link says it does to its target, in order of precedence (protocols.md E-8)
KINDS = {"in-reply-to": "reply", "like-of": "like", "repost-of": "repost", "bookmark-of": "bookmark"}
#: what answers its target in words of its own; a like or a repost only says that it is one
SPEAKING = frozenset({"reply", "bookmark"})
# Inside these a citation speaks of other things than what it cites.
_CITED_WORDS = frozenset({"e-content", "p-content", "p-author", *microformats.CARDS})
# What stands in one of these is somebody else's, unless the post cites its target by it.
_OTHERS = microformats.CITES | microformats.CARDS


def kind(properties: Collection[str], link: Node | None) -> str:
    """What a link does to its target, by its own `properties` or the classes of the citation it stands in (E-8)."""
    own = next((kind for name, kind in KINDS.items() if name in properties), "")
    return own or _cited_kind(link) or "mention"


def _cited_kind(link: Node | None) -> str:
    for tag in link.parents if link else ():
        names = tag.classes
        if names & microformats.CITES or names & _CITED_WORDS:
            return cited_as(tag) if not names & _CITED_WORDS else ""
    return ""


def cited_as(tag: Node) -> str:
    """The kind of an element whose class says that the post around it cites it; "" for any other."""
    names = tag.classes
    return next((kind for name, kind in KINDS.items() if f"u-{name}" in names), "")


def own_words(tree: Tree, post: Node, link: Node, most: int) -> str:
    """What a post says: its content or, where that is longer than `most` characters, its summary, cut to that length.

    Each without the citation of what it answers. "" where it marks neither, and where the link to that stands in words
    of somebody else (protocols.md E-9).
    """
    if _is_of_others(link, post):
        return ""
    content, summary = (_first_words(tree, post, names) for names in (microformats.CONTENTS, microformats.SUMMARIES))
    return head(content if content and (len(content) <= most or not summary) else summary, most)


def _is_of_others(link: Node, post: Node) -> bool:
    """Whether somebody else than the author of the post speaks where the link stands."""
    for tag in (link, *link.parents):
        if tag is post:
            return False
        if is_of_others(tag) or (tag.classes & _OTHERS and not cited_as(tag)):
            return True
    return False


def _first_words(tree: Tree, post: Node, names: frozenset[str]) -> str:
    texts = (tree.text(tag, without=_is_citation) for tag in microformats.own(post, names))
    return next(filter(None, texts), "")


def _is_citation(tag: Node) -> bool:
    return bool(cited_as(tag) and microformats.CITES & tag.classes)
