"""Is the backlink there? A page and a target to the element that proves the claim.

Rule: what counts is what a reader's browser would make a link of: never a substring, a comment or a longer URL.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from itertools import chain

from linkback import urls
from linkback.elements import CITING, EMBEDDING, Element
from linkback.errors import NoBacklink, Reason, SourceGone
from linkback.markup import read_html, read_values
from linkback.model import Backlink
from linkback.needles import look_for, needles
from linkback.page import Kind, Page, hyperlink_attributes, properties

Matches = Callable[[str], bool]

_EMBEDDING = {"video": ("src", "poster"), "object": ("data",)}
_MAX_JSON_DEPTH = 100
#: an element with fewer attributes is looked at as a whole first
_FEW = 10
# What may follow a URL in plain text without being part of it (protocols.md D-8).
_TEXT_END = re.compile(r"""(?:[\s<>"'`)\]}]|[.,;:!?]+(?:\s|$)|$)""")


class Index:
    """Where the links of a page lead, made once for whoever looks for many targets on it."""

    def __init__(self, page: Page) -> None:
        self._found: defaultdict[str, dict[int, Element]] = defaultdict(dict)
        for place, element in enumerate(page.document.elements):
            for attribute in chain(hyperlink_attributes(element), _embedded_attributes(element)):
                url = page.resolve(element.attributes[attribute])
                if url is not None and (form := urls.loose(url)) is not None:
                    self._found[form][place] = element

    def near(self, named: Iterable[str]) -> Iterator[Element]:
        """The elements that link to one of some URLs, as `urls.satisfies_loosely` says, in document order."""
        found: dict[int, Element] = {}
        for url in named:
            found |= self._found.get(urls.loose(url) or "", {})
        return (found[place] for place in sorted(found))


def find(
    page: Page,
    target: str,
    *,
    source: str = "",
    extended: bool = True,
    matches: Matches | None = None,
    named: Collection[str] = (),
    index: Index | None = None,
) -> Backlink:
    """The backlink of a page to a target, with its evidence; what the page says of itself is not read yet.

    `extended` also counts images, media, frames and citations, as Webmention does (protocols.md D-1, D-2). `matches`
    decides which URL is the target; by default equality is exact after lossless normalisation (D-30). Where it takes
    nothing but URLs that are equal to one of `named`, as `urls.satisfies_loosely` says, most pages need not be read,
    and one of which there is an `index` is looked at only where it has such links.
    Raises `SourceGone` where the page declares itself deleted (D-26) and `NoBacklink` otherwise. Webmention 3.2.2.
    """
    if matches is None:
        matches, named = urls.satisfier(target), (target,)
    proof = partial(Backlink, source=source or page.url, target=target, final_url=page.url)
    match page.kind:
        case Kind.HTML:
            if page.says_gone:
                raise SourceGone(Reason.SOURCE_GONE, "the page declares itself deleted")
            found = _best(_in_html(page, matches, proof, extended=extended, named=named, index=index))
        case Kind.JSON:
            found = _in_json(page.text, matches, proof)
        case Kind.XML:
            found = _in_xml(page, matches, proof, extended=extended)
        case Kind.TEXT:
            found = _in_text(page.text, target, proof)
        case _:
            raise NoBacklink(Reason.UNSUPPORTED_TYPE, f"{page.content_type or 'the source'} has no links to read")
    if found is None and page.truncated:
        raise NoBacklink(Reason.TRUNCATED, "no link in the part of the source that was read")
    if found is None:
        raise NoBacklink(Reason.NO_BACKLINK, "the source does not link to the target")
    return found


def _best(found: Iterator[Backlink]) -> Backlink | None:
    """The first link, unless a later one says by its class what it is (a reply, a like)."""
    first = next(found, None)
    if first is None or first.properties:
        return first
    return next((backlink for backlink in found if backlink.properties), first)


def _in_html(
    page: Page,
    matches: Matches,
    proof: Callable[..., Backlink],
    *,
    extended: bool,
    named: Collection[str],
    index: Index | None,
) -> Iterator[Backlink]:
    look = partial(_in_elements, resolve=page.resolve, matches=matches, extended=extended)
    if index is not None and named:
        return look(index.near(named), proof=proof)
    hosts = set(map(urls.site_host, named))
    # a reference that is relative to the target's own host need not say where it leads
    if not named or urls.site_host(page.url) in hosts:
        return look(page.document.elements, proof=proof)
    rarest = [run for url in named for run in needles(url)[:1]]
    known = len(rarest) == len(named)
    if known and page.lacks_needles(*rarest):
        return iter(())
    if urls.site_host(page.base) in hosts:
        return look(page.document.elements, proof=proof)
    firsts = [look_for(url) for url in named]
    likely = partial(_any, firsts)
    if not known:
        return look(page.document.elements, proof=proof, likely=likely)
    found: list[Backlink] = []

    def proven(**evidence: object) -> Backlink:
        found.append(proof(**evidence))
        return found[-1]

    # a page is read on only for a link that may say more than the first
    elements = page.elements_near(*rarest, more=lambda: not (found and page.lacks_properties))
    return look(elements, proof=proven, likely=likely)


def _any(looks: Iterable[Matches], reference: str) -> bool:
    return any(look(reference) for look in looks)


def _in_elements(
    elements: Iterable[Element],
    resolve: Callable[[str], str | None],
    matches: Matches,
    proof: Callable[..., Backlink],
    *,
    extended: bool,
    likely: Matches | None = None,
) -> Iterator[Backlink]:
    for element in elements:
        # far the most lead elsewhere, and a look is cheaper than asking which attributes refer (figures: verification,
        # hostile pages)
        few = len(element.attributes) < _FEW
        if likely is not None and few and not any(map(likely, element.attributes.values())):
            continue
        attributes = list(hyperlink_attributes(element))
        if extended:
            attributes += _embedded_attributes(element)
        for attribute in attributes:
            if likely is not None and not likely(element.attributes[attribute]):
                continue
            url = resolve(element.attributes[attribute])
            if url is not None and matches(url):
                yield proof(
                    element=element.name,
                    attribute=attribute,
                    href=url,
                    rels=element.tokens("rel"),
                    properties=properties(element),
                    text=element.text,
                    position=element.position,
                )


def _embedded_attributes(element: Element) -> Iterator[str]:
    """The attributes that refer without being a hyperlink (the extended set of D-1)."""
    if element.foreign:
        return
    if element.name in CITING:
        candidates: tuple[str, ...] = ("cite",)
    elif element.name == "input" and element.attributes.get("type", "").strip().lower() != "image":
        candidates = ()
    elif element.name in EMBEDDING:
        candidates = _EMBEDDING.get(element.name, ("src",))
    else:
        candidates = ()
    yield from (name for name in candidates if element.get(name) is not None)


def _in_json(text: str, matches: Matches, proof: Callable[..., Backlink]) -> Backlink | None:
    """A string value that is the target; of a repeated key, every value counts (D-7)."""
    try:
        value = json.loads(text, object_pairs_hook=lambda pairs: [value for _, value in pairs])
    except (ValueError, RecursionError):
        return None
    waiting: list[tuple[object, int]] = [(value, 0)]
    while waiting:
        item, depth = waiting.pop()
        if isinstance(item, str) and matches(item):
            return proof(element="json", href=item)
        if isinstance(item, list) and depth < _MAX_JSON_DEPTH:
            waiting += [(child, depth + 1) for child in item]
    return None


def _in_xml(page: Page, matches: Matches, proof: Callable[..., Backlink], *, extended: bool) -> Backlink | None:
    """A feed or other XML: a value that is the target, or a link in the HTML it carries (D-9)."""
    for item in read_values(page.text):
        if matches(item.value):
            return proof(element=item.element, attribute=item.attribute, href=item.value)
        if not item.attribute and "<" in item.value:
            elements = read_html(item.value).elements
            found = _in_elements(elements, partial(urls.resolve, base=page.url), matches, proof, extended=extended)
            if (backlink := _best(found)) is not None:
                return backlink
    return None


def _in_text(text: str, target: str, proof: Callable[..., Backlink]) -> Backlink | None:
    at = text.find(target)
    while at >= 0:
        before = text[at - 1 : at] if at else ""
        if not before.isalnum() and _TEXT_END.match(text, at + len(target)):
            return proof(element="text", href=target, position=at)
        at = text.find(target, at + 1)
    return None
