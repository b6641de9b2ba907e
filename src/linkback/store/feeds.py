"""What was seen of a blog's feeds and sitemaps, so that the next reading finds what is new.

Rule: a post is kept after what it owes is recorded; where a process dies in between, it is read again, and what it says
tells that nothing is owed anew.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, insert, or_, select, update

from linkback.store.collisions import repeated
from linkback.store.engine import Database
from linkback.store.keys import digest
from linkback.store.schema import feed_documents, feed_posts, posts


class Todo(enum.StrEnum):
    """What a reading of a feed left to be done for a post; the next one tries again."""

    NOTHING = ""
    #: its page could not be read
    PUBLISH = "publish"
    #: the same, and it is only to be remembered
    REMEMBER = "remember"
    #: it is in no listing any more, and does not say that it is deleted
    LOOK = "look"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDocument:
    """A feed or sitemap, or a part of one, as it was read last. `etag` and `last_modified` are its validators.

    `walked` says that also the older pages of a feed were read, as far as they go.
    """

    url: str
    etag: str = ""
    last_modified: str = ""
    walked: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPost:
    """A post as a feed named it last, in the document `part`; `id` and `stamp` are as in `linkback.feeds.Entry`.

    `unpaid` is a digest of what a post would have owed that was only remembered, "" for one that was told.
    """

    url: str
    id: str = ""
    stamp: str = ""
    part: str = ""
    todo: Todo = Todo.NOTHING
    unpaid: str = ""
    gone: bool = False


class Feeds:
    """The memory of the feeds and sitemaps of blogs, in a database. Every method may raise `StoreError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def documents(self, site: str, feed: str) -> dict[str, KnownDocument]:
        """The documents of a feed, by URL."""
        chosen = select(feed_documents).where(feed_documents.c.feed_key == digest(site, feed))
        with self._database.read() as connection:
            return {
                row.url: KnownDocument(url=row.url, etag=row.etag, last_modified=row.last_modified, walked=row.walked)
                for row in connection.execute(chosen)
            }

    def posts(self, site: str, feed: str) -> dict[str, KnownPost]:
        """The posts that a feed ever named, by URL."""
        chosen = select(feed_posts).where(feed_posts.c.feed_key == digest(site, feed))
        with self._database.read() as connection:
            return {
                row.url: KnownPost(
                    url=row.url,
                    id=row.entry_id,
                    stamp=row.stamp,
                    part=row.part,
                    todo=Todo(row.todo),
                    unpaid=row.unpaid,
                    gone=row.gone,
                )
                for row in connection.execute(chosen.order_by(feed_posts.c.id))
            }

    def published(self, site: str, url: str) -> bool:
        """Whether a post was ever published, by whatever listing or by hand."""
        with self._database.read() as connection:
            return connection.execute(select(posts.c.id).where(posts.c.key == digest(site, url))).first() is not None

    def unpaid(self, site: str) -> dict[str, str]:
        """What the posts would have owed that some listing of a site only remembered, by URL, as in `KnownPost`.

        "" for one that is still to be remembered, as its page could not be read.
        """
        unpaid = feed_posts.c.unpaid
        chosen = select(feed_posts.c.url, unpaid).where(
            feed_posts.c.site == site, or_(unpaid != "", feed_posts.c.todo == Todo.REMEMBER.value)
        )
        with self._database.read() as connection:
            # what one listing knows counts before what another does not
            return {row.url: row.unpaid for row in connection.execute(chosen.order_by(unpaid))}

    @repeated
    def keep_documents(self, site: str, feed: str, documents: Sequence[KnownDocument]) -> None:
        """Record documents as they were read."""
        with self._database.write(f"{site} {feed}") as connection:
            for document in documents:
                values = {
                    "etag": document.etag,
                    "last_modified": document.last_modified,
                    "walked": document.walked,
                }
                _keep(connection, feed_documents, (site, feed, document.url), values)

    @repeated
    def keep_post(self, site: str, feed: str, post: KnownPost) -> None:
        """Record a post as the feed named it, and what is left to be done for it."""
        values = {
            "entry_id": post.id,
            "stamp": post.stamp,
            "part": post.part,
            "todo": post.todo.value,
            "unpaid": post.unpaid,
            "gone": post.gone,
        }
        with self._database.write(f"{site} {feed}") as connection:
            _keep(connection, feed_posts, (site, feed, post.url), values)


def _keep(connection: Connection, table: Table, name: tuple[str, str, str], values: Mapping[str, Any]) -> None:
    """Write the row of that site, feed and URL, which may be there."""
    site, feed, url = name
    key = digest(*name)
    if not connection.execute(update(table).where(table.c.key == key).values(**values)).rowcount:
        row = {"key": key, "feed_key": digest(site, feed), "site": site, "url": url, **values}
        connection.execute(insert(table).values(**row))
