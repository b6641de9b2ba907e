"""Posts and their edits, deliveries owed again, turns at a host, jobs that wait for a person, feeds that are read."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

from linkback.store.migrations.plain import MOMENT, TABLE, TEXT

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create four tables, and let deliveries and jobs say more."""
    _create_posts()
    _create_hosts()
    _create_feeds()
    _extend_claims()
    _extend_deliveries()
    _extend_mentions()
    _extend_jobs()
    _add_looks()


def _create_posts() -> None:
    op.create_table(
        "linkback_posts",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("url", TEXT, nullable=False),
        sa.Column("content", sa.String(64), nullable=False),
        sa.Column("changed", MOMENT, nullable=False),
        sa.Column("comes_out", MOMENT),
        sa.Column("gone", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_linkback_posts"),
        sa.UniqueConstraint("key", name="uq_linkback_posts_key"),
        **TABLE,
    )


def _create_hosts() -> None:
    op.create_table(
        "linkback_hosts",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("host", TEXT, nullable=False),
        sa.Column("next_slot", MOMENT, nullable=False),
        sa.Column("free_at", MOMENT, nullable=False),
        sa.Column("busy_until", MOMENT),
        sa.Column("holder", sa.String(32)),
        sa.PrimaryKeyConstraint("key", name="pk_linkback_hosts"),
        **TABLE,
    )
    op.create_index("ix_linkback_hosts_holder", "linkback_hosts", ["holder"])


def _create_feeds() -> None:
    op.create_table(
        "linkback_feed_documents",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("feed_key", sa.String(64), nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("url", TEXT, nullable=False),
        sa.Column("etag", TEXT, nullable=False),
        sa.Column("last_modified", TEXT, nullable=False),
        sa.Column("walked", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_linkback_feed_documents"),
        **TABLE,
    )
    op.create_index("ix_linkback_feed_documents_feed_key", "linkback_feed_documents", ["feed_key"])
    op.create_table(
        "linkback_feed_posts",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("feed_key", sa.String(64), nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("url", TEXT, nullable=False),
        sa.Column("entry_id", TEXT, nullable=False),
        sa.Column("stamp", sa.String(64), nullable=False),
        sa.Column("part", TEXT, nullable=False),
        sa.Column("todo", sa.String(16), nullable=False),
        sa.Column("unpaid", sa.String(64), nullable=False),
        sa.Column("gone", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_linkback_feed_posts"),
        sa.UniqueConstraint("key", name="uq_linkback_feed_posts_key"),
        **TABLE,
    )
    op.create_index("ix_linkback_feed_posts_feed_key", "linkback_feed_posts", ["feed_key"])


def _extend_claims() -> None:
    op.drop_index("ix_linkback_claims_key", "linkback_claims")
    op.create_index("ix_linkback_claims_key", "linkback_claims", ["key", "open"])
    op.create_index("ix_linkback_claims_last", "linkback_claims", ["key", "protocol", "received", "id"])


def _extend_deliveries() -> None:
    with op.batch_alter_table("linkback_deliveries") as table:
        table.add_column(sa.Column("cause", sa.String(16), nullable=False, server_default="new"))
        table.add_column(sa.Column("told", sa.String(64), nullable=False, server_default=""))
        table.add_column(sa.Column("revision", sa.Integer, nullable=False, server_default="1"))
        table.add_column(sa.Column("owed", MOMENT))
        table.add_column(sa.Column("tried", MOMENT))
    # who was told before may be told of edits
    op.execute(
        "UPDATE linkback_deliveries SET told = protocol WHERE protocol IS NOT NULL AND outcome IN ('sent', 'accepted')"
    )


def _extend_mentions() -> None:
    with op.batch_alter_table("linkback_mentions") as table:
        table.add_column(sa.Column("site_key", sa.String(64), nullable=False, server_default=""))
        table.add_column(sa.Column("missing_since", MOMENT))
        table.add_column(sa.Column("lost_since", MOMENT))
    op.create_index("ix_linkback_mentions_site_key", "linkback_mentions", ["site_key", "status"])
    _fill_site_key("linkback_mentions")


def _add_looks() -> None:
    """Have each mention looked at again in a month, as those are that come from now on."""
    due = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=30)
    op.get_bind().execute(
        sa.text(
            "INSERT INTO linkback_jobs (site, site_key, kind, subject, due, attempts, leases)"
            " SELECT site, site_key, 'check', linkback_mentions.key, :due, 0, 0 FROM linkback_mentions"
            " WHERE status <> 'removed' AND NOT EXISTS (SELECT 1 FROM linkback_jobs AS known"
            " WHERE known.kind = 'check' AND known.subject = linkback_mentions.key)"
        ).bindparams(sa.bindparam("due", type_=MOMENT)),
        {"due": due},
    )


def _fill_site_key(table: str) -> None:
    connection, rows = op.get_bind(), sa.table(table, sa.column("site"), sa.column("site_key"))
    for (site,) in connection.execute(sa.select(rows.c.site).distinct()).all():
        key = hashlib.sha256(site.encode()).hexdigest()
        connection.execute(rows.update().where(rows.c.site == site).values(site_key=key))


def _extend_jobs() -> None:
    with op.batch_alter_table("linkback_jobs", table_kwargs={"sqlite_autoincrement": True}) as table:
        table.add_column(sa.Column("site_key", sa.String(64), nullable=False, server_default=""))
        table.add_column(sa.Column("leases", sa.Integer, nullable=False, server_default="0"))
        table.alter_column("due", existing_type=MOMENT, nullable=True)
    op.drop_index("ix_linkback_jobs_due", "linkback_jobs")
    op.create_index("ix_linkback_jobs_due", "linkback_jobs", ["due", "id"])
    op.create_index("ix_linkback_jobs_kind", "linkback_jobs", ["kind", "due", "id"])
    op.create_index("ix_linkback_jobs_site_key", "linkback_jobs", ["site_key", "due", "id"])
    op.create_index("ix_linkback_jobs_site_kind", "linkback_jobs", ["site_key", "kind", "due", "id"])
    _fill_site_key("linkback_jobs")
    # a job that is held is due when its lease ends
    op.execute("UPDATE linkback_jobs SET due = leased_until WHERE leased_until > due")
