"""Which URLs are pages of ours, and which post each of them means (design decision 10)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from linkback import desk, urls
from linkback.arguments import Kind, several, shown
from linkback.errors import ConfigurationError, Reason, Refused, blame, name_of

#: given by the host: a URL on its site's hosts to the permalink of the post it means, or None where there is none.
#: It may raise `Refused(Reason.TARGET_GONE)` or `Refused(Reason.TARGET_CLOSED)`.
Resolve = Callable[[str], str | None]

#: a page of one megabyte may hold 90,000 links, and each answer may cost the host a query
_MOST_RESOLVED = 1_000


def _is_host(given: object) -> bool:
    page = urls.parse(f"https://{given}") if isinstance(given, str) and given else None
    return page is not None and page.href == f"{page.origin}/"


_HOST = Kind('a list of host names, such as ["old.example"]', _is_host)


class OwnPages:
    """The pages of one site. Without `resolve` every URL under `url` is a page, and means itself.

    `resolve` is asked for URLs on the site's own host (by http or https, with or without `www.`) and on `hosts`, never
    for a stranger's: a host that looks at paths alone must not take another's page for its own. It gets them in
    normal form, without fragment: however a sender spelled it, one page is one string.

    `loose` lets links prove a claim that `urls.satisfies_loosely` takes; which URLs are ours it does not change.
    """

    def __init__(
        self, url: str, resolve: Resolve | None = None, hosts: Iterable[str] = (), *, loose: bool = False
    ) -> None:
        parsed = urls.parse(url) if isinstance(url, str) else None
        if parsed is None or not parsed.is_web:
            why = f"the site's URL must be an absolute http or https URL, not {shown(url)}"
            raise ConfigurationError(f"{why}: give the blog's address, such as https://bob.example")
        self.url = parsed.href
        self._resolve = resolve
        self._loose = loose
        self._homes = (self.url, *(f"https://{host}" for host in several("hosts", hosts, _HOST)))

    def find(self, target: str) -> str:
        """The permalink of the post that `target` means, its fragment ignored.

        Raises `Refused`: TARGET_UNKNOWN for what is not ours or does not exist; what `resolve` raises; and
        `ConfigurationError` where that gives anything but a page of ours or None.
        """
        if self._resolve is None:
            if not urls.under(target, self.url):
                raise Refused(Reason.TARGET_UNKNOWN, f"{target} is not under {self.url}")
            return urls.without_fragment(target)
        page = urls.canonical(target)
        known = page is not None and any(urls.served_by(page, home) for home in self._homes)
        permalink = self._ask(self._resolve, page) if page is not None and known else None
        if permalink is None:
            raise Refused(Reason.TARGET_UNKNOWN, f"{target} is no page of this site")
        return urls.without_fragment(permalink)

    def _ask(self, resolve: Resolve, page: str) -> str | None:
        try:
            with desk.away(briefly=True):
                permalink: object = resolve(page)
        except Refused:
            raise
        except Exception as error:
            blame(error, resolve, "resolve", page)
            raise
        if not permalink:
            return None
        if isinstance(permalink, str) and self.owns(permalink):
            return permalink
        raise ConfigurationError(
            f"resolve ({name_of(resolve)}) must give the absolute URL of a page of {self.url}, or None:"
            f" for {page} it gave {shown(permalink)}"
        )

    @property
    def asks(self) -> bool:
        """Whether the host's own function is asked, which may take its time."""
        return self._resolve is not None

    @property
    def hosts(self) -> frozenset[str]:
        """The hosts that a page of ours may stand on, without `www.`."""
        return frozenset(map(urls.site_host, self._homes))

    def owns(self, url: str) -> bool:
        """Whether a URL may be a post of ours: under the site's URL, or with `resolve` on one of its hosts."""
        if self._resolve is None:
            return urls.under(url, self.url)
        return any(urls.served_by(url, home) for home in self._homes)

    def serves(self, url: str) -> bool:
        """Whether the site answers for a URL: it stands on one of its hosts.

        Of the one in its own address, which others may share, only what is below that address.
        """
        return any(_is_below(url, home) for home in self._homes)

    def knows(self, url: str) -> bool:
        """Whether a URL is a post of ours, also one that is gone or takes no mentions; raises what `resolve` raises."""
        try:
            self.find(url)
        except Refused as refusal:
            return refusal.reason is not Reason.TARGET_UNKNOWN
        return True

    def means_same(self, link: str, target: str) -> bool:
        """Whether a link proves a claim about `target`: equal, or the same post of ours."""
        return Answers(self).matcher(target)(link)

    def satisfier(self, target: str) -> Callable[[str], bool]:
        """Whether a link is equal to `target`."""
        return partial(urls.satisfies_loosely, target=target) if self._loose else urls.satisfier(target)


class Answers:
    """What `resolve` says of the links of one page: it is asked once for each, and for no more than 1,000 of them,
    however many claims about different posts are answered by that page. What it raises is not remembered.
    """

    def __init__(self, pages: OwnPages) -> None:
        self._pages = pages
        self._hosts = pages.hosts
        #: of links, and of targets, by their normal form
        self._links: dict[str, str | None] = {}
        self._targets: dict[str, str | None] = {}
        self._spelt: dict[str | None, list[str]] | None = None

    def matcher(self, target: str) -> Callable[[str], bool]:
        """`OwnPages.means_same` for the many links of the page."""
        satisfies = self._pages.satisfier(target)
        if not self._pages.asks:
            return satisfies
        page = self._target(target)

        def matches(link: str) -> bool:
            if satisfies(link):
                return True
            name = urls.canonical(link)
            if page is None or name is None or not urls.same_fragment(link, target):
                return False
            return self._link(name) == page

        return matches

    def spellings(self, target: str, links: Iterable[str]) -> list[str]:
        """Those of all `links` of the page, in normal form, that lead to the post that `target` means."""
        if self._spelt is None:
            spelt: dict[str | None, list[str]] = {}
            for name in dict.fromkeys(map(urls.canonical, links)):
                if name is not None:
                    spelt.setdefault(self._link(name), []).append(name)
            self._spelt = spelt
        page = self._target(target)
        return [] if page is None else self._spelt.get(page, [])

    def _link(self, name: str) -> str | None:
        if name not in self._links:
            if len(self._links) >= _MOST_RESOLVED or urls.site_host(name) not in self._hosts:
                return None
            self._links[name] = self._permalink(name)
        return self._links[name]

    def _target(self, target: str) -> str | None:
        name = urls.canonical(target) or target
        if name not in self._targets:
            self._targets[name] = self._links[name] if name in self._links else self._permalink(name)
        return self._targets[name]

    def _permalink(self, url: str) -> str | None:
        try:
            return urls.canonical(self._pages.find(url))
        except Refused:
            return None


def _is_below(url: str, home: str) -> bool:
    page, root = urls.parse(urls.canonical(url) or ""), urls.parse(home)
    if page is None or root is None or not urls.served_by(url, home):
        return False
    return f"{page.path}/".startswith(f"{root.path.rstrip('/')}/")
