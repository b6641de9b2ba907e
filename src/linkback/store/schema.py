"""The tables, and where each column comes from.

Rule 1: a column belongs to one of four origins: what they told us, what we found on their page, what the owner
        decided, or our own bookkeeping.
Rule 2: every name begins with `linkback_`, because the tables may live in the host's own database.
Rule 3: URLs outgrow the indexes of some databases, so what must be found or be unique is a SHA-256 beside them.
Rule 4: a change here is a new script in migrations/versions and a new `SCHEMA_REVISION`.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.dialects.mysql import DATETIME, MEDIUMTEXT

#: the newest script in migrations/versions; opening a database that has it needs no migration tool
SCHEMA_REVISION = "0003"
VERSION_TABLE = "linkback_version"


class UtcTime(TypeDecorator[datetime]):
    """A moment: kept as naive UTC, given back aware. A time without offset is refused."""

    # MySQL keeps whole seconds unless it is asked for more
    impl = DateTime().with_variant(DATETIME(fsp=6), "mysql", "mariadb")
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} is a time without an offset")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class PageTime(TypeDecorator[datetime]):
    """A time as a page gave it, with its own offset or none: kept as ISO 8601 text."""

    impl = String(48)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        return None if value is None else value.isoformat()

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)


class CleanText(TypeDecorator[str]):
    """Text that may come from outside: what no database can hold (lone surrogates, NUL) becomes `?` or goes."""

    # a TEXT of MySQL holds 64 KiB
    impl = Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb")
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else value.encode("utf-8", "replace").decode("utf-8").replace("\0", "")


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)

claims = Table(
    "linkback_claims",
    metadata,
    # our bookkeeping; `key` is `urls.pair_key`, `source_key` the digest of site and source in normal form, None in rows
    # from before it was kept
    Column("id", Integer, primary_key=True),
    Column("public_id", String(64), nullable=False, unique=True),
    Column("site", CleanText, nullable=False),
    Column("key", String(64), nullable=False),
    Column("source_key", String(64)),
    Column("page", CleanText, nullable=False),
    Column("received", UtcTime, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("checked", UtcTime),
    # what they told us
    Column("protocol", String(64), nullable=False),
    Column("source", CleanText, nullable=False),
    Column("target", CleanText, nullable=False),
    Column("title", CleanText, nullable=False),
    Column("excerpt", CleanText, nullable=False),
    Column("blog_name", CleanText, nullable=False),
    Column("endpoint", CleanText, nullable=False),
    # what we found on their page
    Column("state", String(16), nullable=False),
    Column("reason", String(32)),
    # a pair may be announced for ever: neither the claims that wait nor the last one are looked for among all it has
    Index(None, "key", "open"),
    Index("ix_linkback_claims_last", "key", "protocol", "received", "id"),
    # those that one look at a source can answer
    Index(None, "source_key", "open", "id"),
)

mentions = Table(
    "linkback_mentions",
    metadata,
    # our bookkeeping; `key` is `urls.pair_key`, `page_key` is `urls.page_key`, `site_key` the digest of the site
    Column("id", Integer, primary_key=True),
    Column("key", String(64), nullable=False, unique=True),
    Column("page_key", String(64), nullable=False),
    Column("site", CleanText, nullable=False),
    Column("site_key", String(64), nullable=False),
    Column("received", UtcTime, nullable=False),
    Column("checked", UtcTime, nullable=False),
    Column("missing_since", UtcTime),
    Column("lost_since", UtcTime),
    # what they told us; the protocols have their own table
    Column("source", CleanText, nullable=False),
    Column("target", CleanText, nullable=False),
    # what we found on their page
    Column("title", CleanText, nullable=False),
    Column("author_name", CleanText, nullable=False),
    Column("author_url", CleanText, nullable=False),
    Column("author_photo", CleanText, nullable=False),
    Column("excerpt", CleanText, nullable=False),
    Column("published", PageTime),
    Column("kind", String(32), nullable=False),
    Column("final_url", CleanText, nullable=False),
    # what the owner decided; until `decided`, the status is what policy gave. `decided_status` is what a person
    # had chosen before a check took the mention away, so that it can come back as it was; undecided, that an edit is
    # held as pending, also while it is away
    Column("status", String(16), nullable=False),
    Column("decided", Boolean, nullable=False),
    Column("decided_status", String(16)),
    Index(None, "page_key", "status"),
    Index(None, "site_key", "status"),
)

mention_protocols = Table(
    "linkback_mention_protocols",
    metadata,
    # our bookkeeping; `position` keeps the order of first announcement
    Column("mention_id", Integer, ForeignKey(mentions.c.id, ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, nullable=False),
    # what they told us
    Column("protocol", String(64), primary_key=True),
)

posts = Table(
    "linkback_posts",
    metadata,
    # our bookkeeping; `key` is the digest of site and URL, `content` that of what the post said when it was last told,
    # `comes_out` when that is to be, where it was put off
    Column("id", Integer, primary_key=True),
    Column("key", String(64), nullable=False, unique=True),
    Column("site", CleanText, nullable=False),
    Column("url", CleanText, nullable=False),
    Column("content", String(64), nullable=False),
    Column("changed", UtcTime, nullable=False),
    Column("comes_out", UtcTime),
    # what the owner decided
    Column("gone", Boolean, nullable=False),
)

deliveries = Table(
    "linkback_deliveries",
    metadata,
    # our bookkeeping; `key` is the digest of site, source and target as written, `source_key` that of the source.
    # `told` is the protocol by which the target heard before; `revision` counts how often the delivery was owed
    Column("id", Integer, primary_key=True),
    Column("key", String(64), nullable=False, unique=True),
    Column("source_key", String(64), nullable=False, index=True),
    Column("site", CleanText, nullable=False),
    Column("source", CleanText, nullable=False),
    Column("target", CleanText, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("cause", String(16), nullable=False),
    Column("told", String(64), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("owed", UtcTime),
    Column("tried", UtcTime),
    # what we found on their page
    Column("protocol", String(64)),
    Column("endpoint", CleanText),
    # what they told us
    Column("outcome", String(16), nullable=False),
    Column("code", Integer),
    Column("detail", CleanText, nullable=False),
    Column("status_url", CleanText, nullable=False),
    Column("again", Integer, nullable=False),
)

jobs = Table(
    "linkback_jobs",
    metadata,
    # our bookkeeping; `subject` is a pair key or a delivery id, `site_key` the digest of the site. A job is held while
    # `leased_until` is to come, and due again then; one without `due` waits for a person
    Column("id", Integer, primary_key=True),
    Column("site", CleanText, nullable=False),
    Column("site_key", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("due", UtcTime),
    Column("attempts", Integer, nullable=False),
    Column("leases", Integer, nullable=False),
    Column("leased_until", UtcTime),
    UniqueConstraint("kind", "subject"),
    # the next job of all, of a site, of a kind, of both; with the id, as many may be due at one moment
    Index(None, "due", "id"),
    Index(None, "kind", "due", "id"),
    Index(None, "site_key", "due", "id"),
    Index("ix_linkback_jobs_site_kind", "site_key", "kind", "due", "id"),
    # an id that came back would let a late worker end a job that is not its own; SQLite alone reuses ids
    sqlite_autoincrement=True,
)

hosts = Table(
    "linkback_hosts",
    metadata,
    # our bookkeeping, of hosts that we send to; `key` is the digest of the host, `holder` the lease of the job whose
    # POST is in flight until `busy_until`
    Column("key", String(64), primary_key=True),
    Column("host", CleanText, nullable=False),
    Column("next_slot", UtcTime, nullable=False),
    Column("free_at", UtcTime, nullable=False),
    Column("busy_until", UtcTime),
    Column("holder", String(32), index=True),
)

feed_documents = Table(
    "linkback_feed_documents",
    metadata,
    # our bookkeeping, of the blog's own feeds and sitemaps; `key` is the digest of site, feed and URL, `feed_key` that
    # of site and feed. `walked` says that its older pages were read
    Column("key", String(64), primary_key=True),
    Column("feed_key", String(64), nullable=False, index=True),
    Column("site", CleanText, nullable=False),
    Column("url", CleanText, nullable=False),
    Column("etag", CleanText, nullable=False),
    Column("last_modified", CleanText, nullable=False),
    Column("walked", Boolean, nullable=False),
)

feed_posts = Table(
    "linkback_feed_posts",
    metadata,
    # our bookkeeping; `stamp` is a digest of what the feed said of the post when that was last told, `part` the
    # document that said it, `todo` what could not be done then, `unpaid` a digest of what a post owes that is only
    # remembered
    Column("id", Integer, primary_key=True),
    Column("key", String(64), nullable=False, unique=True),
    Column("feed_key", String(64), nullable=False, index=True),
    Column("site", CleanText, nullable=False),
    Column("url", CleanText, nullable=False),
    Column("entry_id", CleanText, nullable=False),
    Column("stamp", String(64), nullable=False),
    Column("part", CleanText, nullable=False),
    Column("todo", String(16), nullable=False),
    Column("unpaid", String(64), nullable=False),
    Column("gone", Boolean, nullable=False),
)
