"""Is the backlink there? A page and a target to the element that proves the claim.

Rule: what counts is what a reader's browser would make a link of: never a substring, a comment or a longer URL.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import TypeVar

from linkback import urls, values
from linkback.elements import CITING, EMBEDDING, Element
from linkback.errors import NoBacklink, Reason, SourceGone
from linkback.model import Backlink
from linkback.needles import look_for, needles
from linkback.page import Kind, Page, hyperlink_attributes, properties
from linkback.values import Value, Values
from linkback.wire import NO_SOURCE

Matches = Callable[[str], bool]
T = TypeVar("T")
Place = TypeVar("Place", int, tuple[int, int])

_EMBEDDING = {"video": ("src", "poster"), "object": ("data",)}
#: an element with fewer attributes is looked at as a whole first
_FEW = 10
# What may follow a URL in plain text without being part of it (protocols.md D-8).
_TEXT_END = re.compile(r"""(?:[\s<>"'`)\]}]|[.,;:!?]+(?:\s|$)|$)""")


class Index:
    """Where the links of a page lead, made once for whoever looks for many targets on it."""

    def __init__(self, page: Page) -> None:
        self._elements: defaultdict[str, dict[int, Element]] = defaultdict(dict)
        #: by the number of the value, and of the element in its HTML, -1 for itself
        self._near: defaultdict[str, dict[tuple[int, int], Element | None]] = defaultdict(dict)
        self._forms: dict[str, str | None] = {}
        #: of a page that is no web page
        self.values = values.Values()
        if page.kind is Kind.HTML:
            for place, element in enumerate(page.document.elements):
                for form in self._forms_of(_links_of(element, page.resolve)):
                    self._elements[form][place] = element
        elif page.kind in (Kind.JSON, Kind.XML):
            self._add_values(page)

    def _add_values(self, page: Page) -> None:
        self.values = values.read(page)
        resolve = partial(urls.resolve, base=page.url)
        for number, value in enumerate(self.values.found):
            for form in self._forms_of([value.href]):
                self._near[form][number, -1] = None
            for place, element in enumerate(self.values.elements(value)):
                for form in self._forms_of(_links_of(element, resolve)):
                    self._near[form][number, place] = element

    @property
    def urls(self) -> Iterable[str]:
        """What the page links to, in document order."""
        return self._forms

    def near(self, named: Iterable[str]) -> Iterator[Element]:
        """The elements that link to one of some URLs, as `urls.satisfies_loosely` says, in document order."""
        return (element for _, element in _near(self._elements, named))

    def values_near(self, named: Iterable[str]) -> Iterator[tuple[Value, list[Element]]]:
        """The same for the values of a page that is no web page, each with the elements in it that do."""
        near: defaultdict[int, list[Element]] = defaultdict(list)
        for (number, _), element in _near(self._near, named):
            near[number] += [element] if element is not None else []
        return ((self.values.found[number], elements) for number, elements in near.items())

    def _forms_of(self, links: Iterable[str]) -> Iterator[str]:
        for url in links:
            if url not in self._forms:
                self._forms[url] = urls.loose(url)
            if (form := self._forms[url]) is not None:
                yield form


def _links_of(element: Element, resolve: Callable[[str], str | None]) -> Iterator[str]:
    for attribute in chain(hyperlink_attributes(element), _embedded_attributes(element)):
        url = resolve(element.attributes[attribute])
        if url is not None:
            yield url


def _near(found: Mapping[str, dict[Place, T]], named: Iterable[str]) -> Iterator[tuple[Place, T]]:
    near: dict[Place, T] = {}
    for url in named:
        near |= found.get(urls.loose(url) or "", {})
    return ((place, near[place]) for place in sorted(near))


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
    _check_written(page)
    if matches is None:
        matches, named = urls.satisfier(target), (target,)
    proof = partial(Backlink, source=source or page.url, target=target, final_url=page.url)
    cut = False
    match page.kind:
        case Kind.HTML:
            if page.says_gone:
                raise SourceGone(Reason.SOURCE_GONE, "the page declares itself deleted")
            found = _best(_in_html(page, matches, proof, extended=extended, named=named, index=index))
        case Kind.JSON | Kind.XML:
            found, cut = _in_values(page, matches, proof, extended=extended, named=named, index=index)
        case Kind.TEXT:
            found = _in_text(page.text, target, proof)
        case _:
            raise NoBacklink(Reason.UNSUPPORTED_TYPE, f"{page.content_type or 'the source'} has no links to read")
    if found is None and (cut or page.truncated):
        raise NoBacklink(Reason.TRUNCATED, "no link in the part of the source that was read")
    if found is None:
        raise NoBacklink(Reason.NO_BACKLINK, "the source does not link to the target")
    return found


def _check_written(page: Page) -> None:
    name, value = NO_SOURCE
    if value in page.response.header_all(name):
        raise NoBacklink(Reason.NO_BACKLINK, "the source is an answer of linkback, which nobody wrote")


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


def _values_near(
    page: Page, named: Collection[str], index: Index | None
) -> tuple[Iterator[tuple[Value, list[Element]]], Values]:
    """The values to be looked at, each with the elements in it that are, and those that they are among."""
    if index is not None and named:
        return index.values_near(named), index.values
    every = values.read(page, named)
    return ((each, every.elements(each)) for each in every.found), every


def _in_values(
    page: Page,
    matches: Matches,
    proof: Callable[..., Backlink],
    *,
    extended: bool,
    named: Collection[str],
    index: Index | None,
) -> tuple[Backlink | None, bool]:
    """A string of JSON (D-7) or a value of XML (D-9) that is the target, or a link in the HTML that it carries.

    And whether there is more in them than was read.
    """
    near, every = _values_near(page, named, index)
    resolve = partial(urls.resolve, base=page.url)
    for value, elements in near:
        if matches(value.href):
            return proof(element=value.element, attribute=value.attribute, href=value.href), every.cut
        found = _in_elements(elements, resolve, matches, proof, extended=extended)
        if (backlink := _best(found)) is not None:
            return backlink, every.cut
    return None, every.cut


def _in_text(text: str, target: str, proof: Callable[..., Backlink]) -> Backlink | None:
    at = text.find(target)
    while at >= 0:
        before = text[at - 1 : at] if at else ""
        if not before.isalnum() and _TEXT_END.match(text, at + len(target)):
            return proof(element="text", href=target, position=at)
        at = text.find(target, at + 1)
    return None
