"""What a source page says of itself, for a mention to show: title, author, excerpt, date, kind.

Rule 1: precedence is a table of readers, first answer wins (protocols.md E-1, E-4 to E-6).
Rule 2: text only, cleaned and cut; URLs are absolute http(s) or "".
Rule 3: nothing is fetched, and nothing is raised: a page that cannot be read as a tree is described by what one
        pass over it gave.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import chain
from typing import TypeVar

from linkback import answers, microformats, urls, wpexcerpt
from linkback.answers import cited_as
from linkback.jsontext import read_members
from linkback.microformats import Item
from linkback.model import Author, Backlink
from linkback.nodes import Node
from linkback.page import Kind, Page
from linkback.plaintext import clean_text
from linkback.policy import ExcerptStyle
from linkback.tree import language
from linkback.whole import Whole

T = TypeVar("T")

MAX_TITLE = 250
MAX_AUTHOR = 100
MAX_EXCERPT = 500
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4}", re.ASCII)
#: how far ahead of our clock a page's may be before its date is no date
_AHEAD = timedelta(hours=24)
_ADDRESS = re.compile(r"\s*(?:https?:)?//", re.IGNORECASE)
_PERSON = "h-card"


def describe(
    page: Page,
    backlink: Backlink,
    excerpt_style: ExcerptStyle = "default",
    *,
    now: datetime | None = None,
    whole: Callable[[], Whole] | None = None,
) -> Backlink:
    """The backlink with all that its page says of itself (protocols.md E-1 to E-10, E-13).

    `page` is the source as fetched, `backlink` the evidence found on it; `now` (aware, by default the present) is
    what dates are compared to. The excerpt of a web page is in `excerpt_style`, the default one where WordPress would
    not see the link: it only knows a link that names the target literally. `whole` gives what was read of the page for
    other links. Never raises.
    """
    if page.kind is not Kind.HTML:
        return _describe_data(page, backlink)
    described = _describe_page(page, backlink, (now or datetime.now(UTC)) + _AHEAD, whole or (lambda: Whole(page)))
    if excerpt_style == "wordpress" and (excerpt := wpexcerpt.excerpt(page.text, backlink.target)):
        return replace(described, excerpt=clean_text(excerpt, MAX_EXCERPT))
    return described


def _describe_page(page: Page, backlink: Backlink, latest: datetime, whole: Callable[[], Whole]) -> Backlink:
    try:
        return _describe(_Reading(backlink, whole()), latest)
    except Exception:  # noqa: BLE001 -- trees of strangers' markup fail in ways nobody lists (rule 3)
        return _describe(_Reading(backlink, Whole(page, as_tree=False)), latest)


class _Reading:
    """One link of a page while it is read; each part at most once. Without a tree, its parts are empty."""

    def __init__(self, backlink: Backlink, whole: Whole) -> None:
        self.page, self.tree, self.whole = whole.page, whole.tree, whole
        self.backlink = backlink
        self.link = self.tree.find(backlink.element, backlink.position, self._proves) if self.tree else None
        self.excerpt = self.tree.excerpt(self.link) if self.tree and self.link else ""

    def _proves(self, element: Node) -> bool:
        value = element.attributes.get(self.backlink.attribute)
        return value is not None and self.page.resolve(value) == self.backlink.href

    @cached_property
    def root(self) -> Node | None:
        """The post the link stands in, else the first on the page; what a post cites is not it."""
        around = [self.link, *self.link.parents] if self.link else []
        own = (tag for tag in around if microformats.ENTRIES & tag.classes)
        return next((tag for tag in own if not cited_as(tag)), None) or self.whole.root

    @property
    def entry(self) -> Item:
        return _entry(self)

    @property
    def primary(self) -> Node | None:
        """The element that holds the post: its microformat, the `<article>` around the link, or the first one."""
        if self.root or not self.tree:
            return self.root
        around = (node for node in (self.link.parents if self.link else ()) if node.name == "article")
        return next(chain(around, self.tree.elements("article")), None)


Reader = Callable[[_Reading], str]


def _of_page(read: Callable[[_Reading], T]) -> Callable[[_Reading], T]:
    """A reader of what the page says whichever post the link stands in: it reads once."""
    return _once(read, lambda reading: 0)


def _of_post(read: Callable[[_Reading], T]) -> Callable[[_Reading], T]:
    """A reader of what a post says whichever link in it is meant: it reads each once."""
    return _once(read, lambda reading: id(reading.primary))


def _once(read: Callable[[_Reading], T], where: Callable[[_Reading], int]) -> Callable[[_Reading], T]:
    return lambda reading: reading.whole.once((read, where(reading)), lambda: read(reading))


@_of_post
def _entry(reading: _Reading) -> Item:
    return microformats.parse(reading.root, reading.page.base) if reading.root else Item()


def _meta(*names: str) -> Reader:
    return lambda reading: next((reading.whole.metas[name] for name in names if name in reading.whole.metas), "")


def site_name(page: Page) -> str:
    """What the page's blog is called: its `og:site_name`, else its host."""
    metas = (element for element in page.document.elements if element.name == "meta")
    names = (meta.attributes.get("content", "") for meta in metas if "og:site_name" in meta.tokens("property"))
    return next((name for text in names if (name := clean_text(text, MAX_AUTHOR))), urls.host(page.url))


@_of_page
def _heading(reading: _Reading) -> str:
    headings = reading.tree.elements("h1") if reading.tree else iter(())
    return next((text for heading in headings if reading.tree and (text := reading.tree.text(heading))), "")


@_of_post
def _first_time(reading: _Reading) -> str:
    within = reading.primary.descendants if reading.primary else ()
    return next((node.get("datetime") for node in within if node.name == "time" and "datetime" in node.attributes), "")


@_of_page
def _canonical_link(reading: _Reading) -> str:
    return next(
        (
            element.attributes.get("href", "")
            for element in reading.page.document.elements
            if element.name == "link" and not element.foreign and "canonical" in element.tokens("rel")
        ),
        "",
    )


@_of_post
def _entry_author(reading: _Reading) -> Author:
    """The author that the post names; where that is but an address, with the card the page has for it."""
    author = microformats.author(reading.entry)
    address = _fit_author(author, reading.page.base)
    return author if address.name or not address.url else _card_of(reading, address.url) or author


@_of_page
def _linked_author(reading: _Reading) -> Author:
    """The first `rel=author` link, with the card the page has for its address, else with its own text as name."""
    for element in reading.page.document.elements:
        # seen before it is cut up: a page of links costs a sixth less (figure: hostile)
        spoken_of = "author" in element.attributes.get("rel", "").lower()
        if not spoken_of or element.name not in ("a", "link") or "author" not in element.tokens("rel"):
            continue
        url = _web(element.attributes.get("href", ""), reading.page.base)
        # humans.txt is linked so too, and names no author of a post
        if not url.endswith(".txt"):
            return (_card_of(reading, url) if url else None) or Author(element.text, url)
    return Author()


def _card_of(reading: _Reading, url: str) -> Author | None:
    """The first h-card of the page with a link to `url` on or in it."""
    base = reading.page.base
    for link in reading.tree.elements("a") if reading.tree else ():
        if urls.satisfies(_web(link.get("href"), base), url):
            card = next((tag for tag in (link, *link.parents) if microformats.CARDS & tag.classes), None)
            if card:
                author = microformats.card(microformats.parse(card, base))
                return replace(author, url=url) if author.name else None
    return None


@_of_page
def _only_card(reading: _Reading) -> Author:
    """The h-card of a page that has just one outside its posts, if it stands for somebody of this site."""
    roots = reading.tree.outermost(microformats.ENTRIES | microformats.CARDS) if reading.tree else ()
    cards = [root for root in roots if _PERSON in root.classes]
    author = microformats.card(microformats.parse(cards[0], reading.page.base)) if len(cards) == 1 else Author()
    return author if urls.same_site(author.url, reading.page.url) else Author()


TITLE: tuple[Reader, ...] = (
    lambda reading: reading.entry.title,
    _meta("og:title"),
    lambda reading: reading.whole.article.headline,
    lambda reading: reading.page.document.title,
    _heading,
    lambda reading: urls.place(reading.page.url),
)
AUTHOR: tuple[Callable[[_Reading], Author], ...] = (
    _entry_author,
    _linked_author,
    _only_card,
    lambda reading: Author(reading.whole.metas.get("author", "")),
    lambda reading: Author(reading.whole.metas.get("article:author", "")),
    lambda reading: reading.whole.article.author,
)
PUBLISHED: tuple[Reader, ...] = (
    lambda reading: reading.entry.first("published"),
    _meta("article:published_time"),
    lambda reading: reading.whole.article.published,
    _meta("date", "dcterms.created"),
    _first_time,
)
CANONICAL: tuple[Reader, ...] = (
    _canonical_link,
    lambda reading: reading.entry.first("url"),
    _meta("og:url"),
    lambda reading: reading.page.url,
)


def _describe(reading: _Reading, latest: datetime) -> Backlink:
    titles = (clean_text(read(reading), MAX_TITLE) for read in TITLE)
    dates = (read_date(read(reading), latest) for read in PUBLISHED)
    kind = answers.kind(reading.backlink.properties, reading.link)
    own_words = _own_words(reading) if kind in answers.SPEAKING else ""
    return replace(
        reading.backlink,
        excerpt=clean_text(own_words or reading.excerpt or reading.backlink.text, MAX_EXCERPT),
        language=_language(language(reading.link) if reading.link else "") or _header_language(reading.page),
        kind=kind,
        title=next(filter(None, titles), ""),
        author=_author(reading),
        published=next(filter(None, dates), None),
        canonical_url=_canonical(reading),
    )


def _own_words(reading: _Reading) -> str:
    if not (reading.tree and reading.root and reading.link):
        return ""
    return answers.own_words(reading.tree, reading.root, reading.link, MAX_EXCERPT)


def _canonical(reading: _Reading) -> str:
    """The address the page claims, if it is on the host it was found on (protocols.md E-6)."""
    page = reading.page
    claimed = (urls.without_fragment(_web(read(reading), page.base)) for read in CANONICAL)
    return next((url for url in claimed if urls.same_site(url, page.url)), page.url)


def _author(reading: _Reading) -> Author:
    """Who wrote the page: the first reader that knows a name, with the URL that an earlier one may have known (E-4)."""
    address = Author()
    for read in AUTHOR:
        author = _fit_author(read(reading), reading.page.base)
        address = author if author.url and not address.url else address
        if author.name:
            return replace(author, url=author.url or address.url, photo=author.photo or address.photo)
    return address


def _fit_author(author: Author, base: str) -> Author:
    """The author as it may be stored: a name that is none but an address is taken for one."""
    address = author.url or (author.name if _ADDRESS.match(author.name) else "")
    name = "" if _ADDRESS.match(author.name) else clean_text(author.name, MAX_AUTHOR)
    return Author(name, _web(address, base), _web(author.photo, base))


def _web(reference: str, base: str) -> str:
    """The absolute http(s) URL a reference means; "" where it means none, or one too long to be an address."""
    text = urls.clean(reference)
    # an empty reference, or one into the page itself, is a placeholder
    url = urls.parse(text, base) if text and not text.startswith("#") else None
    address = urls.with_fragment(url) if url and url.is_web else ""
    return address if len(address) <= urls.MAX_LENGTH else ""


def _language(tag: str) -> str:
    tag = tag.strip().replace("_", "-")
    return tag if _LANGUAGE.fullmatch(tag) else ""


def _header_language(page: Page) -> str:
    return _language(page.response.header("Content-Language").partition(",")[0])


def read_date(text: str, latest: datetime) -> datetime | None:
    """A date in ISO 8601, naive where it names no offset; None where it is none, or later than `latest` (E-5)."""
    try:
        date = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    # generators write the year 1 for a date they do not have
    if date.year == 1 or (date if date.tzinfo else date.replace(tzinfo=UTC)) > latest:
        return None
    return date


def _describe_data(page: Page, backlink: Backlink) -> Backlink:
    """A page that is no web page: what JSON calls itself, else where it is."""
    found = read_members(page.text, "title", "name") if page.kind is Kind.JSON else {}
    titles = (clean_text(found.get(name, ""), MAX_TITLE) for name in ("title", "name"))
    return replace(
        backlink,
        title=next(filter(None, titles), "") or clean_text(urls.place(page.url), MAX_TITLE),
        excerpt=clean_text(backlink.text, MAX_EXCERPT),
        language=_header_language(page),
        canonical_url=page.url,
    )
