"""Digests: which messages one may say with others, and which one says them."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for name in ("folds", "carries"):
        op.add_column("outbox", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("outbox", sa.Column("carried_by", sa.BigInteger()))
    op.create_index(
        "ix_outbox_carried_by",
        "outbox",
        ["carried_by"],
        sqlite_where=sa.text("carried_by IS NOT NULL"),
        postgresql_where=sa.text("carried_by IS NOT NULL"),
    )
