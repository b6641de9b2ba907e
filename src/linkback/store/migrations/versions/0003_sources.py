"""Claims that are found by their source, so that one look at it answers all that wait for it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let claims name their source; those that there are stay without, and are checked one by one."""
    op.add_column("linkback_claims", sa.Column("source_key", sa.String(64)))
    op.create_index("ix_linkback_claims_source_key", "linkback_claims", ["source_key", "open", "id"])
