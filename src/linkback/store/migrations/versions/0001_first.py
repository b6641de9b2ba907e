"""The first schema: claims, mentions, deliveries and jobs.

A script is a record: it names plain types (those of `plain`) and never imports the schema, which goes on changing.
There is no way back: a database that is newer than the program is refused.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from linkback.store.migrations.plain import MOMENT, TABLE, TEXT

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the five tables and their indexes."""
    _create_claims()
    _create_mentions()
    _create_deliveries()
    op.create_table(
        "linkback_jobs",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("due", MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("leased_until", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_linkback_jobs"),
        sa.UniqueConstraint("kind", "subject", name="uq_linkback_jobs_kind"),
        sqlite_autoincrement=True,
        **TABLE,
    )
    op.create_index("ix_linkback_jobs_due", "linkback_jobs", ["due"])


def _create_claims() -> None:
    op.create_table(
        "linkback_claims",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("public_id", sa.String(64), nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("page", TEXT, nullable=False),
        sa.Column("received", MOMENT, nullable=False),
        sa.Column("open", sa.Boolean, nullable=False),
        sa.Column("checked", MOMENT),
        sa.Column("protocol", sa.String(64), nullable=False),
        *(
            sa.Column(name, TEXT, nullable=False)
            for name in ("source", "target", "title", "excerpt", "blog_name", "endpoint")
        ),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(32)),
        sa.PrimaryKeyConstraint("id", name="pk_linkback_claims"),
        sa.UniqueConstraint("public_id", name="uq_linkback_claims_public_id"),
        **TABLE,
    )
    op.create_index("ix_linkback_claims_key", "linkback_claims", ["key"])


def _create_mentions() -> None:
    op.create_table(
        "linkback_mentions",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("page_key", sa.String(64), nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("received", MOMENT, nullable=False),
        sa.Column("checked", MOMENT, nullable=False),
        *(
            sa.Column(name, TEXT, nullable=False)
            for name in ("source", "target", "title", "author_name", "author_url", "author_photo", "excerpt")
        ),
        sa.Column("published", sa.String(48)),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("final_url", TEXT, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("decided", sa.Boolean, nullable=False),
        sa.Column("decided_status", sa.String(16)),
        sa.PrimaryKeyConstraint("id", name="pk_linkback_mentions"),
        sa.UniqueConstraint("key", name="uq_linkback_mentions_key"),
        **TABLE,
    )
    op.create_index("ix_linkback_mentions_page_key", "linkback_mentions", ["page_key", "status"])
    op.create_table(
        "linkback_mention_protocols",
        sa.Column("mention_id", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("protocol", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("mention_id", "protocol", name="pk_linkback_mention_protocols"),
        sa.ForeignKeyConstraint(
            ["mention_id"],
            ["linkback_mentions.id"],
            name="fk_linkback_mention_protocols_mention_id",
            ondelete="CASCADE",
        ),
        **TABLE,
    )


def _create_deliveries() -> None:
    op.create_table(
        "linkback_deliveries",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("source_key", sa.String(64), nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("source", TEXT, nullable=False),
        sa.Column("target", TEXT, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("protocol", sa.String(64)),
        sa.Column("endpoint", TEXT),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("code", sa.Integer),
        sa.Column("detail", TEXT, nullable=False),
        sa.Column("status_url", TEXT, nullable=False),
        sa.Column("again", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_linkback_deliveries"),
        sa.UniqueConstraint("key", name="uq_linkback_deliveries_key"),
        **TABLE,
    )
    op.create_index("ix_linkback_deliveries_source_key", "linkback_deliveries", ["source_key"])
