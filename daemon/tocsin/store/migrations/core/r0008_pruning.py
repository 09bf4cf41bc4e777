"""What is old can be taken out: the journal and the audit let go of what is older than a turn says, and of nothing else."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

TIMES = {"events": "recorded_at", "audit": "at"}


def upgrade() -> None:
    op.create_table(
        "pruned",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("prune", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_pruned"),
        sa.UniqueConstraint("id", name="uq_pruned_id"),
    )
    op.create_index("ix_pruned_kind", "pruned", ["kind"], unique=False)
    op.create_table(
        "pruning",
        sa.Column("before", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("before", name="pk_pruning"),
    )
    if op.get_bind().dialect.name == "sqlite":
        for table, at in TIMES.items():
            op.execute(f"DROP TRIGGER {table}_delete")
            op.execute(
                f"CREATE TRIGGER {table}_delete BEFORE DELETE ON {table} "  # noqa: S608 (two names of ours)
                f"WHEN NOT EXISTS (SELECT 1 FROM pruning WHERE OLD.{at} < pruning.before) "
                f"BEGIN SELECT RAISE(ABORT, '{table} are only ever added'); END"
            )
