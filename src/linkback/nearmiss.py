"""Almost a backlink: what on a page looks like a link to the target and is none.

Rule: this explains a "no" and never makes a "yes"; whether a page links is for `validator` alone to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial

from linkback import urls
from linkback.page import Kind, Page
from linkback.urls import Url

#: more than this is no help to whoever reads it
MOST = 5
_REFERENCES = ("href", "src", "cite", "data", "value", "poster", "xlink:href")
_AROUND = 40
_GOES_ON = re.compile(r"""[^\s<>"'`)\]}.,;:!?]|[.,;:!?]+[^\s<>"'`)\]}.,;:!?]""")


@dataclass(frozen=True, slots=True)
class NearMiss:
    """`where` it stands ("<a href>", "comment", "text"), what was `found` there, and `why` it does not count."""

    where: str
    found: str
    why: str


def _same_place(link: Url, target: Url) -> bool:
    return (link.host, link.port, link.request_target) == (target.host, target.port, target.request_target)


def _one_slash_apart(link: Url, target: Url) -> bool:
    first, second = link.path, target.path
    same = link.origin == target.origin and link.query == target.query
    return same and first != second and first.removesuffix("/") == second.removesuffix("/")


def _loosely(link: Url, target: Url) -> bool:
    return urls.loose(link.href) == urls.loose(target.href)


def _longer(link: Url, target: Url) -> bool:
    return link.href != target.href and link.href.startswith(target.href)


# The nearest first: the first test that a link passes names it.
_TESTS: tuple[tuple[str, Callable[[Url, Url], bool]], ...] = (
    ("it holds a user name or password", lambda link, target: link.has_credentials and _same_place(link, target)),
    ("the fragment differs", lambda link, target: urls.same_page(link.href, target.href)),
    (
        "the scheme or the port differs",
        lambda link, target: link.host == target.host and link.request_target == target.request_target,
    ),
    ("a trailing slash differs", _one_slash_apart),
    ("it differs in scheme, trailing slash, www. or tracking parameters", _loosely),
    ("upper and lower case differ", lambda link, target: link.href.lower() == target.href.lower()),
    ("the query differs", lambda link, target: link.origin == target.origin and link.path == target.path),
    ("the target is only the beginning of this longer URL", _longer),
    (
        "the same path on another host",
        lambda link, target: link.request_target == target.request_target and target.request_target != "/",
    ),
)
_NOT_A_LINK = "it is the target, but this element is no link to it"
_IN_COMMENT = "a comment is no link"
_IN_TEXT = "the URL stands there, but not as a link that a reader sees"
_BEGINNING = "the target is only the beginning of a longer URL"
_CLOSENESS = (_NOT_A_LINK, _IN_COMMENT, _IN_TEXT, *(why for why, _ in _TESTS), _BEGINNING)


def near_misses(page: Page, target: str) -> list[NearMiss]:
    """What on a page that does not link to `target` comes nearest to it, the nearest first, at most `MOST`.

    Looks at every reference of the elements a reader sees, then for the URL itself in comments and elsewhere in the
    source text. `target` is an absolute http or https URL; for anything else there is none.
    """
    wanted = urls.parse(urls.clean(target))
    if wanted is None:
        return []
    misses = list(dict.fromkeys(_in_elements(page, wanted))) if page.kind is Kind.HTML else []
    # what stands in an element's attribute is in the source text as well, and would be told twice
    told = any(target in miss.found for miss in misses)
    misses += [miss for miss in _in_source(page.text, target) if miss.where == "comment" or not told]
    return sorted(misses, key=lambda miss: _CLOSENESS.index(miss.why))[:MOST]


def _in_elements(page: Page, target: Url) -> Iterator[NearMiss]:
    # pages repeat their links
    judge = cache(partial(_why_not, base=page.base, target=target))
    for element in page.document.elements:
        for attribute in _REFERENCES:
            reference = element.get(attribute)
            if reference is not None and (why := judge(reference)):
                yield NearMiss(f"<{element.name} {attribute}>", reference, why)


def _why_not(reference: str, *, base: str, target: Url) -> str:
    """What tells a reference from a link to the target; "" where the two have nothing in common."""
    link = urls.parse(urls.clean(reference), base)
    if link is None:
        return ""
    if urls.satisfies(urls.with_fragment(link), urls.with_fragment(target)):
        return _NOT_A_LINK
    return next((why for why, test in _TESTS if test(link, target)), "")


def _in_source(text: str, target: str) -> Iterator[NearMiss]:
    """The first place in a comment and the first outside of comments where the target's URL stands literally."""
    told: set[str] = set()
    comments = list(_comments(text))
    current = 0
    for at, end in _occurrences(text, target):
        while current < len(comments) and comments[current][1] <= at:
            current += 1
        where = "comment" if current < len(comments) and comments[current][0] <= at else "text"
        if where not in told:
            told.add(where)
            yield NearMiss(where, text[max(0, at - _AROUND) : end + _AROUND], _why_not_here(text, where, end))


def _why_not_here(text: str, where: str, end: int) -> str:
    if _GOES_ON.match(text, end):
        return _BEGINNING
    return _IN_COMMENT if where == "comment" else _IN_TEXT


def _occurrences(text: str, target: str) -> Iterator[tuple[int, int]]:
    """Where the target stands, as written or with its ampersands escaped: begin and end."""
    # one pass: a regular expression of two literals, the longer first
    spellings = sorted({target, target.replace("&", "&amp;")}, key=len, reverse=True)
    for match in re.finditer("|".join(map(re.escape, spellings)), text):
        yield match.span()


def _comments(text: str) -> Iterator[tuple[int, int]]:
    """Begin and end of each comment. Not a regular expression: that takes quadratic time where none ends."""
    begin = text.find("<!--")
    while begin >= 0:
        end = text.find("-->", begin)
        end = len(text) if end < 0 else end + len("-->")
        yield begin, end
        begin = text.find("<!--", end)
