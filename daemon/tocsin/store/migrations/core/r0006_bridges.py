"""Bridged rooms: what waits to be heard where a bridge repeats what is said elsewhere."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("outbox", sa.Column("echo_of", sa.BigInteger()))
    held = sa.text("echo_of IS NOT NULL AND settled_at IS NULL")
    op.create_index(
        "ix_outbox_held", "outbox", ["place", "next_try"], sqlite_where=held, postgresql_where=held
    )
