"""Statements that the driver runs by itself mean what SQLAlchemy means by them."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Boolean, Column, Integer, MetaData, Table, Text, func, insert, select, update

from tocsin.errors import StoreUnavailable
from tocsin.store import Database
from tocsin.store.schema import Instant, upsert
from tocsin.store.statement import Statement, given

NIGHT = datetime(2026, 11, 21, 3, tzinfo=UTC)

things = Table(
    "things",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("name", Text, unique=True),
    Column("at", Instant),
    Column("done", Boolean),
)
ADD = Statement(insert(things))
BY_NAME = Statement(select(things).where(things.c.name == given("one")))


def test_values_go_in_and_come_out_in_their_own_types(database: Database) -> None:
    with database.writer.connect() as connection, connection.begin():
        things.create(connection)
        assert ADD.run(connection, name="tea", at=NIGHT, done=False).key == 1
        local = NIGHT.astimezone(timezone(timedelta(hours=5)))
        assert ADD.run(connection, name="milk", at=local, done=True).key == 2
        assert ADD.run(connection, name=None, at=None, done=None).key == 3
        for name, done in (("tea", False), ("milk", True)):
            row = BY_NAME.run(connection, one=name).first()
            assert (row.name, row.at, row.done) == (name, NIGHT, done)
        assert BY_NAME.run(connection, one="sugar").first() is None
        everything = Statement(select(things).order_by(things.c.id))
        assert [tuple(row) for row in everything.run(connection)] == [
            (1, "tea", NIGHT, False),
            (2, "milk", NIGHT, True),
            (3, None, None, None),
        ]


def test_lists_and_values_that_never_change_stand_in_the_statement(database: Database) -> None:
    some = Statement(
        update(things)
        .where(things.c.name.in_(["tea", "milk"]), things.c.at <= given("until"))
        .values(done=True, at=given("then"))
    )
    count = Statement(select(func.count()).where(things.c.done))
    with database.writer.connect() as connection, connection.begin():
        things.create(connection)
        for name in ("tea", "milk", "sugar"):
            ADD.run(connection, name=name, at=NIGHT, done=False)
        later = NIGHT + timedelta(hours=1)
        assert some.run(connection, until=NIGHT - timedelta(seconds=1), then=later).rowcount == 0
        assert count.run(connection).value() == 0
        assert some.run(connection, until=NIGHT, then=later).rowcount == 2
        assert count.run(connection).value() == 2
        assert BY_NAME.run(connection, one="tea").first().at == later
        assert Statement(select(func.max(things.c.at))).run(connection).value() == later


def test_what_is_there_already_is_replaced_or_left(database: Database) -> None:
    new = upsert(things)
    leave = Statement(new.on_conflict_do_nothing())
    replace = Statement(new.on_conflict_do_update(index_elements=["name"], set_={"done": new.excluded.done}))
    with database.writer.connect() as connection, connection.begin():
        things.create(connection)
        assert leave.run(connection, name="tea", done=False).rowcount == 1
        assert leave.run(connection, name="tea", done=True).rowcount == 0
        assert BY_NAME.run(connection, one="tea").first().done is False
        replace.run(connection, name="tea", done=True)
        assert BY_NAME.run(connection, one="tea").first().done is True


def test_outside_of_a_transaction_nothing_runs(database: Database) -> None:
    with database.writer.connect() as connection:
        with connection.begin():
            things.create(connection)
        with pytest.raises(StoreUnavailable, match="the transaction is gone"):
            ADD.run(connection, name="tea", at=NIGHT, done=False)
        with connection.begin():
            assert BY_NAME.run(connection, one="tea").first() is None


def test_all_that_sqlalchemy_looks_for_is_imported_before_a_turn_runs() -> None:
    """Imported later, by another thread, half of its ORM was found by the writer, and the daemon ended."""
    look = "import sys, tocsin.daemon; sys.exit('sqlalchemy.orm' not in sys.modules)"
    assert subprocess.run([sys.executable, "-c", look], check=False).returncode == 0
