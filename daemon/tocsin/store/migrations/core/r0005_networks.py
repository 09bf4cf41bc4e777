"""Several networks at once: what puts right what was said, other ways of a page, what was seen, what a line did."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    for name in ("amends", "way_of"):
        op.add_column("outbox", sa.Column(name, sa.BigInteger()))
        op.create_index(
            f"ix_outbox_{name}",
            "outbox",
            [name],
            sqlite_where=sa.text(f"{name} IS NOT NULL"),
            postgresql_where=sa.text(f"{name} IS NOT NULL"),
        )
    op.add_column("outbox", sa.Column("seen_at", sa.String(32)))
    op.create_index("ix_outbox_receipt", "outbox", ["receipt"])
    unseen = sa.text("lane = 0 AND seen_at IS NULL AND settled_at IS NOT NULL")
    op.create_index(
        "ix_outbox_unseen",
        "outbox",
        ["place", "settled_at"],
        sqlite_where=unseen,
        postgresql_where=unseen,
    )
    op.add_column("inbox", sa.Column("said_at", sa.String(32)))
    op.add_column("inbox", sa.Column("did", sa.Text(), nullable=False, server_default=sa.text("''")))
