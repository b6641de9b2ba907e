"""JSON-LD: what a page says of its article in schema.org's words.

Rule: it is read as JSON, never as linked data: no context is fetched, and unexpected shapes are no answer.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from linkback.model import Author

_ARTICLE_NAMES = (
    "Article AdvertiserContentArticle AnalysisNewsArticle AskPublicNewsArticle BackgroundNewsArticle BlogPosting"
    " DiscussionForumPosting LiveBlogPosting NewsArticle OpinionNewsArticle Report ReportageNewsArticle"
    " ReviewNewsArticle SatiricalArticle ScholarlyArticle SocialMediaPosting TechArticle"
)
_ARTICLES = frozenset(_ARTICLE_NAMES.split())
_NOBODY = Author()
MEDIA_TYPE = "application/ld+json"
#: nodes looked at on one page, and keys under which a node holds further ones
_MAX_NODES = 2000
_INNER = ("@graph", "mainEntity", "mainEntityOfPage")

Node = dict[str, object]


@dataclass(frozen=True, slots=True)
class Article:
    """An article as its page describes it; URLs as written, "" where it does not say."""

    headline: str = ""
    published: str = ""
    author: Author = _NOBODY


def read_article(scripts: Iterable[str]) -> Article:
    """The first article that the JSON-LD scripts of a page describe; an empty one where there is none."""
    nodes = list(_nodes([_load(script) for script in scripts]))
    article = next((node for node in nodes if not _ARTICLES.isdisjoint(_types(node))), {})
    # authors are often given by reference to a node elsewhere in the graph
    by_id = {str(node["@id"]): node for node in nodes if "@id" in node and len(node) > 1}
    authors = [_author(value, by_id) for value in _list(article.get("author"))]
    author = next((author for author in authors if author.name), _NOBODY)
    headline = _text(article.get("headline")) or _text(article.get("name"))
    return Article(headline, _text(article.get("datePublished")), author)


def _load(script: str) -> object:
    try:
        # not strict: pages put raw line breaks into strings
        return json.loads(script, strict=False)
    except (ValueError, RecursionError):
        return None


def _nodes(todo: list[object]) -> Iterator[Node]:
    """Every object of the documents, outer ones first, up to a limit."""
    for _ in range(_MAX_NODES):
        if not todo:
            return
        value = todo.pop(0)
        if isinstance(value, list):
            todo[:0] = value[:_MAX_NODES]
        elif isinstance(value, dict):
            yield value
            todo += [value[key] for key in _INNER if isinstance(value.get(key), dict | list)]


def _types(node: Node) -> set[str]:
    """The type names of a node, without the vocabulary they may be prefixed with."""
    names = (name for name in _list(node.get("@type")) if isinstance(name, str))
    return {name.replace(":", "/").rpartition("/")[2] for name in names}


def _author(value: object, by_id: dict[str, Node]) -> Author:
    """An author, who may be a name, a node, or a reference to one."""
    if not isinstance(value, dict):
        return Author(_text(value))
    node = {**by_id.get(str(value.get("@id")), {}), **value}
    return Author(_text(node.get("name")), _text(node.get("url")), _text(node.get("image")))


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _text(value: object) -> str:
    """The first string in a value: itself, in a list, or the `url` or `@value` of an object."""
    for each in _list(value):
        inner = each.get("@value") or each.get("url") if isinstance(each, dict) else each
        if isinstance(inner, str) and inner.strip():
            # a script holds no markup, yet generators escape as if it did
            return html.unescape(inner)
    return ""
