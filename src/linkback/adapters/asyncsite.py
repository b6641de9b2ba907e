"""A blog as coroutines see it: the calls of `Site` that read or write the store, each made in a thread.

Rule 1: nothing is decided or kept here; what a call gives and raises is what `Site` says of it.
Rule 2: what fetches a page of the blog never waits in a thread that this page may need to be shown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import Any

from linkback.adapters.pool import Pool
from linkback.model import Delivery, Mention, Status
from linkback.site import Site
from linkback.store import ClaimRecord
from linkback.web import render
from linkback.web.render import Comment, Markup

_SHOWN = (Status.APPROVED,)
#: where the store is asked, for all blogs of the process
calls = Pool("linkback-calls")
#: where a post is fetched first
_fetches = Pool("linkback-fetches")


def close() -> None:
    """Let the threads go; a later call begins new ones."""
    calls.close()
    _fetches.close()


class AsyncSite:
    """One blog, to be awaited; `site` is the same blog for code that runs in threads of its own.

    A coroutine that is cancelled leaves its call to end by itself: what it was to record is recorded.
    """

    def __init__(self, site: Site) -> None:
        self.site = site

    async def publish(
        self,
        url: str,
        html: str | bytes | None = None,
        *,
        at: datetime | None = None,
        force: bool = False,
        dry_run: bool = False,
    ) -> list[Delivery]:
        """Owe what the post at `url`, as it is now, is to tell; see `Site.publish`.

        A connection of the host's belongs to the thread that opened it: to publish within its transaction, call
        `site.publish(…, connection=…)` there.
        """
        threads = _fetches if html is None else calls
        return await threads.run(partial(self.site.publish, url, html, at=at, force=force, dry_run=dry_run))

    async def unpublish(self, url: str, *, check: bool = False, dry_run: bool = False) -> list[Delivery]:
        """Owe the news that the post at `url` is deleted; see `Site.unpublish`."""
        threads = _fetches if check else calls
        return await threads.run(partial(self.site.unpublish, url, check=check, dry_run=dry_run))

    async def deliveries(self, source: str | None = None) -> list[Delivery]:
        """What is owed and was made, for one post or all; see `Site.deliveries`."""
        return await calls.run(partial(self.site.deliveries, source))

    async def mentions(self, url: str | None = None, *, statuses: Collection[Status] | None = _SHOWN) -> list[Mention]:
        """The mentions of a post, or of the whole blog, approved ones by default; see `Site.mentions`."""
        return await calls.run(partial(self.site.mentions, url, statuses=statuses))

    async def thread(
        self,
        url: str,
        comments: Iterable[Comment] = (),
        *,
        language: str = "en",
        facepile: bool = True,
        photos: bool = False,
        timezone: tzinfo | str = UTC,
        empty: bool = False,
        templates: Any = None,
    ) -> Markup:
        """The thread of a post as HTML, its mentions and the host's comments in one list; see `render.thread`."""
        # where they are read one by one from a database, that belongs to the thread that asks
        given = tuple(comments)

        def drawn() -> Markup:
            return render.thread(
                self.site.mentions(url),
                given,
                language=language,
                facepile=facepile,
                photos=photos,
                timezone=timezone,
                empty=empty,
                templates=templates,
            )

        return await calls.run(drawn)

    async def count(self, url: str, comments: Iterable[Comment] = ()) -> int:
        """How many entries the thread of a post has: its mentions, the host's comments and their replies."""
        given = tuple(comments)
        return await calls.run(lambda: render.context(self.site.mentions(url), given)["thread"].count)

    async def moderate(self, id: str, status: Status) -> Mention | None:
        """Give a mention the status that a person chose; None where there is no such mention. See `Site.moderate`."""
        return await calls.run(partial(self.site.moderate, id, status))

    async def recheck(self, id: str) -> bool:
        """Have the source of a mention looked at again now; see `Site.recheck`."""
        return await calls.run(partial(self.site.recheck, id))

    async def claim(self, id: str) -> ClaimRecord | None:
        """The claim of a receipt, with its state and reason; see `Site.claim`."""
        return await calls.run(partial(self.site.claim, id))
