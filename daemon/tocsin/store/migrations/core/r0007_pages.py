"""Pages by time: who was called how often lately is asked without a look at all that ever happened."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    pages = sa.text("kind = 'page.begun'")
    op.create_index("ix_events_pages", "events", ["at"], sqlite_where=pages, postgresql_where=pages)
