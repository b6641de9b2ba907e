"""A page to its endpoints: where does it listen?

Rule 1: all finding is here; a protocol only says, as data, what its signpost looks like.
Rule 2: headers beat the body, TrackBack RDF beats elements, else document order decides, and a
        candidate that cannot be an endpoint makes way for the next (protocols.md A-29).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache

from linkback import urls
from linkback.linkheader import read_links
from linkback.model import Endpoint, Endpoints, Rejected, Signpost, Via
from linkback.page import Page
from linkback.rdf import RdfBlock, read_blocks

# Where an intermediary joined two fields into one (protocols.md A-41); a comma inside a URL stays.
_JOINED = re.compile(r",\s*(?=https?://)", re.IGNORECASE)

# The one form of Pingback 2.3 (protocols.md A-48), and the only references that its reader expands.
_STRICT = re.compile(r'<link rel="pingback" href="([^"]+)" ?/?>')
_STRICT_REFERENCE = re.compile("&(amp|lt|gt|quot);")
_EXPANDED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"'}
_WORDPRESS_PATH = "/wp-trackback.php"

#: a signpost as found: how, the reference as written, and the base it is relative to
Candidate = tuple[Via, str, str]


def find(page: Page, signposts: Mapping[str, Signpost], target: str = "") -> Endpoints:
    """The endpoints a page advertises, for each protocol its first usable one.

    `signposts` maps protocol names to what to look for; `target` is the URL as it was linked, by which a TrackBack
    block is chosen (A-84), the page's URL where none is given. Pingback 2, Webmention 3.1.2, TrackBack autodiscovery.
    """
    target = target or page.url
    found: dict[str, Endpoint] = {}
    rejected: list[Rejected] = []
    for protocol, signpost in signposts.items():
        # the strict reader takes a URL literally, its fragment too
        read = urls.resolve if signpost.strict else urls.endpoint
        for via, reference, base in _candidates(page, signpost, target, protocol, rejected):
            if (url := read(reference, base)) is not None:
                found[protocol] = Endpoint(url, via)
                break
            rejected.append(Rejected(protocol, reference, via, "it is no http or https URL"))
    return Endpoints(url=target, final_url=page.url, found=found, rejected=tuple(rejected), truncated=page.truncated)


def _candidates(
    page: Page, signpost: Signpost, target: str, protocol: str, rejected: list[Rejected]
) -> Iterator[Candidate]:
    yield from _in_header(page, signpost)
    yield from _in_link_fields(page, signpost)
    if signpost.strict:
        yield from _in_text(page)
        return
    if not page.advertises:
        return
    if signpost.rdf:
        yield from _in_rdf(page, target, protocol, rejected)
    yield from _in_elements(page, signpost)
    if signpost.guess:
        yield from _guesses(page, target)


def _in_header(page: Page, signpost: Signpost) -> Iterator[Candidate]:
    values = page.response.header_all(signpost.header) if signpost.header else []
    value = next((value for value in values if value), "")
    if value:
        yield Via.X_PINGBACK, _JOINED.split(value, maxsplit=1)[0], page.url


def _in_link_fields(page: Page, signpost: Signpost) -> Iterator[Candidate]:
    if not signpost.header_rels:
        return
    for link in read_links(page.response.header_all("Link")):
        if signpost.header_rels.isdisjoint(link.rels):
            continue
        # an anchor elsewhere makes it a link of another resource (protocols.md A-67)
        if link.anchor is None or urls.same_page(urls.resolve(link.anchor, page.url) or "", page.url):
            yield Via.LINK_HEADER, link.reference, page.url


def _in_elements(page: Page, signpost: Signpost) -> Iterator[Candidate]:
    if not signpost.element_rels or page.lacks(*_cores(signpost.element_rels)):
        return
    for element in page.elements_with("rel", *_cores(signpost.element_rels)):
        if element.foreign or element.name not in signpost.elements or "rel" not in element.attributes:
            continue
        href = element.get("href")
        if href is None or signpost.element_rels.isdisjoint(element.tokens("rel")):
            continue
        if href.strip() or signpost.empty_href:
            yield Via(element.name), href, page.base_of(href)


@cache
def _cores(rels: frozenset[str]) -> tuple[str, ...]:
    """Those of some rels that stand in all the others: a page that lacks them has none of all."""
    return tuple(rel for rel in sorted(rels) if not any(other != rel and other in rel for other in rels))


def _in_text(page: Page) -> Iterator[Candidate]:
    """The first literal `<link>` anywhere in the body, whatever its type and in comments too; expanded once."""
    if found := _STRICT.search(page.text):
        yield Via.LINK, _STRICT_REFERENCE.sub(lambda name: _EXPANDED[name[1]], found[1]), page.url


def _guesses(page: Page, target: str) -> Iterator[Candidate]:
    """What stands on the page like a ping URL of WordPress: its own URL and `trackback`, or a link to the script.

    A list of posts links to the script once for each, and which one is meant nobody can say: then none is taken.
    """
    hrefs = [href for element in page.document.elements if (href := element.get("href")) is not None]
    permalinks = dict.fromkeys(urls.without_fragment(url).rstrip("/") for url in (target, page.url))
    for permalink in permalinks:
        pattern = re.compile(re.escape(permalink) + r"/trackback(?:/|(?![\w-]))")
        for text in (page.text, *hrefs):
            if found := pattern.search(text):
                yield Via.GUESS, found[0], page.base
                break
    scripts = {url for href in hrefs if (url := urls.endpoint(href, page.base)) and _is_script(url, page.url)}
    if len(scripts) == 1:
        yield Via.GUESS, scripts.pop(), page.base


def _is_script(url: str, page_url: str) -> bool:
    number = urls.query_value(url, "p")
    return (
        urls.same_site(url, page_url)
        and urls.without_query(url).endswith(_WORDPRESS_PATH)
        and number.isascii()
        and number.isdigit()
    )


def _in_rdf(page: Page, target: str, protocol: str, rejected: list[Rejected]) -> Iterator[Candidate]:
    if page.lacks("trackback") or page.lacks("trackback:ping"):
        return
    blocks = read_blocks(page.text)
    chosen = list(dict.fromkeys(_matching(blocks, target, page.url)))
    if not chosen and len(blocks) == 1 and blocks[0].identifier is None and blocks[0].about is None:
        chosen = blocks
    for block in chosen:
        if block.ping:
            yield Via.RDF, block.ping, page.base_of(block.ping)
    if blocks and not chosen:
        why = "identifier mismatch" if len(blocks) == 1 else "none of several identifiers matches"
        rejected.append(Rejected(protocol, blocks[0].ping or "", Via.RDF, why))


def _matching(blocks: list[RdfBlock], target: str, page_url: str) -> Iterator[RdfBlock]:
    """The blocks that speak of the target, the surest match first (protocols.md A-84)."""
    pages = {page_url, urls.without_fragment(page_url)}
    loosely = {urls.loose(target), urls.loose(page_url)} - {None}
    steps: tuple[Callable[[str], bool], ...] = (
        lambda name: name == target,
        lambda name: name == urls.without_fragment(target),
        lambda name: urls.without_fragment(name) in pages,
        lambda name: urls.loose(name) in loosely,
    )
    named = [(block, block.identifier) for block in blocks if block.identifier is not None]
    about = [(block, block.about) for block in blocks if block.identifier is None and block.about is not None]
    for group in (named, about):
        for step in steps:
            yield from (block for block, name in group if step(name))
