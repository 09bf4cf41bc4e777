"""The tables of the core. SQL stays portable: what differs between databases stands here and in `database`."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.dialects.sqlite import insert as upsert

__all__ = [
    "HEAD",
    "audit",
    "codes",
    "events",
    "inbox",
    "intake",
    "link_codes",
    "links",
    "metadata",
    "outbox",
    "positions",
    "profiles",
    "pruned",
    "pruning",
    "subjects",
    "timers",
    "upsert",
]

HEAD = "0008"
"""The newest revision of these tables, in `migrations/`."""


class Instant(TypeDecorator[datetime]):
    """An aware time as UTC text of one width, so that it sorts as text and reads well in a shell."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002 (SQLAlchemy's signature)
        return None if value is None else _as_text(value.astimezone(UTC))

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002 (SQLAlchemy's signature)
        return None if value is None else datetime.fromisoformat(value)


@lru_cache(maxsize=16)
def _as_text(at: datetime) -> str:
    """Of UTC; a turn keeps its own time a dozen times."""
    return at.isoformat(timespec="microseconds")


BigKey = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts up by itself only in a column of this very type."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

events = Table(
    "events",
    metadata,
    Column("seq", BigKey, primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("headline", Text, nullable=False),
    Column("body", Text, nullable=False),
    Index("ix_events_subject", "subject", "seq"),
    sqlite_autoincrement=True,
)
# Who was called how often lately is asked beside all that ever happened.
_PAGES = text("kind = 'page.begun'")
Index("ix_events_pages", events.c.at, sqlite_where=_PAGES, postgresql_where=_PAGES)


subjects = Table(
    "subjects",
    metadata,
    Column("number", BigKey, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("closed_at", Instant),
    UniqueConstraint("id"),
    Index("ix_subjects_key", "kind", "key", "closed_at"),
    sqlite_autoincrement=True,
)
# A partial index is used only where a query repeats its condition word for word, so these hold no parameter.
_OPEN = subjects.c.closed_at.is_(None)
Index(
    "uq_subjects_open",
    subjects.c.kind,
    subjects.c.key,
    unique=True,
    sqlite_where=_OPEN,
    postgresql_where=_OPEN,
)

# What was taken out for good: no id is ever given twice, and whoever names one is told. prune: where in the journal it stands
# that it was.
pruned = Table(
    "pruned",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("prune", BigInteger, nullable=False),
    UniqueConstraint("id"),
    Index("ix_pruned_kind", "kind"),
)

# Holds a row only while a turn takes out what is older than that: else nothing can be deleted of what is only ever added.
pruning = Table("pruning", metadata, Column("before", Instant, primary_key=True))

timers = Table(
    "timers",
    metadata,
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("due_at", Instant, nullable=False),
    # For a delay: its length and its end on the boot clock, in microseconds, and which boot that is.
    Column("delay", BigInteger),
    Column("due_boot", BigInteger),
    Column("boot_id", Text),
    # How often its handler failed; and, since it last failed or was set, how often it was begun and never ended.
    Column("attempts", Integer, nullable=False),
    Column("begun", Integer, nullable=False),
    PrimaryKeyConstraint("kind", "key"),
    Index("ix_timers_due_boot", "due_boot"),
    Index("ix_timers_due_at", "due_at"),
    Index("ix_timers_key", "key"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigKey, primary_key=True, autoincrement=True),
    Column("lane", Integer, nullable=False),
    Column("place", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("txn_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("settle", Boolean, nullable=False),
    # Whether a digest may say it with others; whether it is a digest; and which one says it.
    Column("folds", Boolean, nullable=False, server_default=false()),
    Column("carries", Boolean, nullable=False, server_default=false()),
    Column("carried_by", BigInteger),
    # The message that this one stands in place of; and the page that it is another way of.
    Column("amends", BigInteger),
    Column("way_of", BigInteger),
    # The message of another room that is to be heard in this one, brought by a bridge, in place of this one.
    Column("echo_of", BigInteger),
    Column("said_at", Instant, nullable=False),
    Column("said_boot", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_try", BigInteger, nullable=False),
    Column("failed_at", Instant),
    Column("settled_at", Instant),
    Column("receipt", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("seen_at", Instant),
    sqlite_autoincrement=True,
)
_LIVE = outbox.c.settled_at.is_(None)
Index(
    "ix_outbox_live",
    outbox.c.place,
    outbox.c.lane,
    outbox.c.id,
    sqlite_where=_LIVE,
    postgresql_where=_LIVE,
)
_CARRIED = outbox.c.carried_by.is_not(None)
Index("ix_outbox_carried_by", outbox.c.carried_by, sqlite_where=_CARRIED, postgresql_where=_CARRIED)
# What waits for a bridge, which is looked for at each claim: never among all that waits.
_HELD = text("echo_of IS NOT NULL AND settled_at IS NULL")
Index("ix_outbox_held", outbox.c.place, outbox.c.next_try, sqlite_where=_HELD, postgresql_where=_HELD)
for _column in (outbox.c.amends, outbox.c.way_of):
    _THERE = _column.is_not(None)
    Index(f"ix_outbox_{_column.name}", _column, sqlite_where=_THERE, postgresql_where=_THERE)
Index("ix_outbox_receipt", outbox.c.receipt)
# Of pages, whose lane is 0: whoever reads on must not cost a look at all that was said in half a day.
_UNSEEN = text("lane = 0 AND seen_at IS NULL AND settled_at IS NOT NULL")
Index(
    "ix_outbox_unseen",
    outbox.c.place,
    outbox.c.settled_at,
    sqlite_where=_UNSEEN,
    postgresql_where=_UNSEEN,
)
Index("ix_outbox_subject", outbox.c.subject, outbox.c.id)
Index("ix_outbox_settled_at", outbox.c.settled_at)

inbox = Table(
    "inbox",
    metadata,
    Column("network", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("said_at", Instant),
    # What came of it, for whoever takes it back: the command's word and the subject.
    Column("did", Text, nullable=False, server_default=text("''")),
    PrimaryKeyConstraint("network", "id"),
    Index("ix_inbox_received_at", "received_at"),
)

positions = Table(
    "positions",
    metadata,
    Column("network", Text, primary_key=True),
    Column("position", Text, nullable=False),
)

intake = Table(
    "intake",
    metadata,
    Column("id", BigKey, primary_key=True, autoincrement=True),
    Column("route", Text, nullable=False),
    Column("receiver", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("begun", Integer, nullable=False),
    Column("detail", Text, nullable=False),
    Index("ix_intake_received_at", "received_at"),
    sqlite_autoincrement=True,
)
_WAITING = intake.c.outcome == "waiting"
Index("ix_intake_waiting", intake.c.id, sqlite_where=_WAITING, postgresql_where=_WAITING)

codes = Table(
    "codes",
    metadata,
    Column("network", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("made_at", Instant, nullable=False),
    # How many wrong ones in a row were tried for this person.
    Column("wrong", Integer, nullable=False),
    PrimaryKeyConstraint("network", "person", "code"),
    Index("ix_codes_made_at", "made_at"),
)

profiles = Table(
    "profiles",
    metadata,
    Column("person", Text, primary_key=True),
    # What people said of themselves; empty: as in the configuration.
    Column("timezone", Text, nullable=False),
    Column("quiet", Text, nullable=False),
)

links = Table(
    "links",
    metadata,
    Column("network", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("linked_at", Instant, nullable=False),
    PrimaryKeyConstraint("network", "account"),
)

link_codes = Table(
    "link_codes",
    metadata,
    Column("code", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("made_at", Instant, nullable=False),
    # How many wrong ones were tried since it was made.
    Column("wrong", Integer, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", BigKey, primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False),
    Column("place", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    sqlite_autoincrement=True,
)
