"""The values of a page that is no web page, but JSON, a feed or other XML: which may link, and what HTML they carry.

Rule 1: of a page only what may hold a link that is looked for is kept, and few pages are read at once: a megabyte may
        have 100,000 values.
Rule 2: 10,000 of them are kept, and 2,000 read as HTML: each costs a parser.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from linkback import prefilter, urls
from linkback.elements import MOST_TAGS, Element
from linkback.jsontext import read_links
from linkback.markup import XmlValue, read_html, read_values
from linkback.needles import holds, look_for, needles
from linkback.page import Kind, Page
from linkback.places import Places

#: pages that are read at once, by all threads of a process
_MOST_READ = 4
#: far more entries than any feed of a megabyte has
_MOST_HTML = 2_000
_MOST_VALUES = 10_000
#: how a string begins that is an http or https URL, controls and blanks as `urls.parse` leaves them out
_WEB = re.compile(r"[\x00-\x20]*h[\t\n\r]*t[\t\n\r]*t[\t\n\r]*p", re.IGNORECASE)
#: what stands in every piece of HTML that has an attribute by which an element refers
_REFERS = re.compile("href|src|value|cite|poster|data", re.IGNORECASE)
#: how JSON may spell a letter, or what a URL may be broken by, otherwise
_RESPELT = re.compile(r"\\[utnr]")
#: what a letter of a URL may be spelt with in HTML, or that is left out of it
_BROKEN = re.compile(r"[&\t\n\r]")

_places = Places(_MOST_READ)


@dataclass(frozen=True, slots=True)
class Value:
    """One value that may be a link, `href`, and where it stands; `has_html` says that it may hold links."""

    element: str
    attribute: str
    href: str
    has_html: bool = False


@dataclass(slots=True)
class Values:
    """The values of a page, in order; `cut` where there is more in them than was read."""

    found: list[Value] = field(default_factory=list)
    cut: bool = False

    def elements(self, value: Value) -> list[Element]:
        """The elements of the HTML that one of them carries, read anew each time."""
        if not value.has_html:
            return []
        document = read_html(value.href)
        self.cut = self.cut or document.cut
        return document.elements


def read(page: Page, named: Collection[str] = ()) -> Values:
    """The values of a page that may be or hold links to one of the URLs `named`, where any is: sure is only a no."""
    sieve = _Sieve(page, named)
    with _places.free:
        found = sieve.strings() if page.kind is Kind.JSON else sieve.values()
    return Values(found, cut=sieve.cut)


class _Sieve:
    """What is kept of one page."""

    def __init__(self, page: Page, named: Collection[str]) -> None:
        self._page = page
        self._looks = [look_for(url) for url in named]
        rarest = [run for url in named for run in needles(url)[:1]]
        #: what one of stands in each URL that is looked for; none where that is not known
        self._runs = rarest if len(rarest) == len(named) else []
        #: what a reference may mean that is relative to the target's own host is not said by it
        self._relative = urls.site_host(page.url) in set(map(urls.site_host, named))
        self._html: list[bool] = []
        self._seen = self._pieces = self._number = 0
        #: whether there were more than are kept
        self.cut = False

    def strings(self) -> list[Value]:
        """Of a JSON document."""
        text = self._page.text
        if self._runs and not _RESPELT.search(text) and not holds(text, self._runs):
            return []
        return [Value("json", "", each) for each in read_links(text, self._takes)]

    def values(self) -> list[Value]:
        """Of an XML document."""
        found = read_values(self._page.text, self._wanted)
        # of one that is not well-formed nothing was found
        pairs = zip(found, self._html, strict=False)
        return [Value(each.element, each.attribute, each.value, html) for each, html in pairs]

    def _wanted(self, value: XmlValue) -> bool:
        self._seen += 1
        # no more of them are read
        self.cut = self.cut or self._seen > MOST_TAGS
        html = not value.attribute and "<" in value.value and self._may_hold(value.value)
        if html and self._pieces == _MOST_HTML:
            html, self.cut = False, True
        if not self._takes(value.value, html=html):
            return False
        self._pieces += html
        self._html.append(html)
        return True

    def _takes(self, value: str, *, html: bool = False) -> bool:
        if not html and not self._may_link(value):
            return False
        if self._number == _MOST_VALUES:
            self.cut = True
            return False
        self._number += 1
        return True

    def _may_link(self, value: str) -> bool:
        if not _WEB.match(value):
            return False
        return not self._looks or any(look(value) for look in self._looks)

    def _may_hold(self, html: str) -> bool:
        if not _REFERS.search(html):
            return False
        if not self._runs or self._relative:
            return True
        if not _BROKEN.search(html):
            return holds(html, self._runs)
        return not prefilter.for_needles(html.encode("utf-8", "replace"), "utf-8").lacks(*self._runs)
