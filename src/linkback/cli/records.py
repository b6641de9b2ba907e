"""The records that a command looks at: those of one blog, or of all whose records one database keeps."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from linkback import urls
from linkback.errors import ConfigurationError, Refused
from linkback.model import Mention, Status
from linkback.options import closing, hosts_own, stored, which_app
from linkback.ownpages import OwnPages
from linkback.store import Storage


@dataclass(frozen=True, slots=True)
class Records:
    """What a store keeps of one `site`, or of all with None; `find` gives a page's permalink, as `Site.find` does."""

    store: Storage
    site: str | None = None
    find: Callable[[str], str] | None = None

    def has(self, id: str) -> bool:
        """Whether there is a mention of that id here: other blogs may keep theirs in the same store."""
        mention = self.store.mention(id)
        return mention is not None and self.site in (None, mention.site)

    def mentions(self, page: str | None, *, statuses: Collection[Status] | None) -> list[Mention]:
        """The mentions of a page, whichever of its names each came by, or of all; None for `statuses` means any."""
        mentions = self.store.mentions(site=self.site, statuses=statuses)
        if page is None:
            return mentions
        names = {page, self._permalink(page)}
        keys = {urls.page_key(site, name) for site in {mention.site for mention in mentions} for name in names}
        ids = {mention.id for mention in self.store.mentions(site=self.site, pages=keys, statuses=statuses)}
        return [
            mention
            for mention in mentions
            if mention.id in ids or any(urls.same_page(mention.target, name) for name in names)
        ]

    def _permalink(self, page: str) -> str:
        """What the page is called where its blog knows it, also while it takes no mentions."""
        try:
            return page if self.find is None else self.find(page)
        except Refused:
            return page


@contextlib.contextmanager
def records(site: str | None, app: str, database: str) -> Iterator[Records]:
    """The records that the options mean: of `--site` alone, where it is given, in the store of `--app` or `--database`.

    Raises `ConfigurationError` for a site that is none, or not that of the application, and `StoreError` where there
    are no records.
    """
    url = OwnPages(site).url if site else None
    own = hosts_own(which_app(app, "database"), heeded=("site",))
    if own is None:
        with stored(database) as store:
            yield Records(store, url)
        return
    with closing(own) as blog:
        if blog.url and url not in (None, blog.url):
            raise ConfigurationError(f"{url} is not the blog of the application, which is {blog.url}")
        yield Records(blog.store, url or blog.url or None, blog.find)
