"""The tables are what the code thinks they are, and come about whole or not at all."""

import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, inspect
from sqlalchemy.exc import IntegrityError, OperationalError

from tocsin import store
from tocsin.domain.message import Message, Place
from tocsin.domain.page import PageDelivered
from tocsin.errors import StateError
from tocsin.store import Database, audit, held, journal, late, outbox, schema, seen
from tocsin.store.database import migrate
from tocsin.store.statement import Result, Statement
from tocsin.testing import HandClock
from tocsin.transaction import Transaction

from tests.engine import Start, fires, over

NOW = HandClock().now()
MIGRATIONS = Path(store.__file__).parent / "migrations"


def tables(database: Database) -> set[str]:
    with database.writer.connect() as connection:
        return set(inspect(connection).get_table_names())


def test_the_migrations_make_exactly_the_tables_that_the_code_knows(database: Database) -> None:
    options = {"version_table": "schema_core", "compare_type": True, "compare_server_default": True}
    with database.writer.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, schema.metadata) == []
        assert context.get_current_heads() == (schema.HEAD,)


def test_they_are_written_as_the_code_would_write_them(database: Database) -> None:
    """Alembic does not compare what a partial index holds, nor whether a number may come twice."""
    meant = create_engine("sqlite://")
    schema.metadata.create_all(meant)
    assert definitions(database.writer) == definitions(meant)
    meant.dispose()


def definitions(engine: Engine) -> dict[str, set[str]]:
    """What defines each table and index, in whatever order it stands."""
    query = "SELECT name, sql FROM sqlite_master WHERE type IN ('table', 'index') AND sql IS NOT NULL"
    with engine.connect() as connection:
        found = {name: re.sub(r"\s+", " ", sql) for name, sql in connection.exec_driver_sql(query)}
    inner = {name: sql.partition("(")[2].rpartition(")") for name, sql in found.items()}
    return {
        name: {part.strip() for part in (*re.split(r",(?![^()]*\))", columns), where)}
        for name, (columns, _, where) in inner.items()
        if name != "schema_core"
    }


def test_the_code_knows_the_newest_migration() -> None:
    folder = ScriptDirectory(str(MIGRATIONS), version_locations=[str(MIGRATIONS / "core")])
    assert folder.get_heads() == [schema.HEAD]


def test_a_database_that_is_up_to_date_is_left_alone(database: Database) -> None:
    with database.writer.connect() as connection, connection.begin():
        before = connection.exec_driver_sql("PRAGMA schema_version").scalar()
        migrate(connection, "core", MIGRATIONS / "core", schema.HEAD)
        assert connection.exec_driver_sql("PRAGMA schema_version").scalar() == before


@pytest.mark.parametrize(
    "change", ["UPDATE {} SET at = ''", "DELETE FROM {}", "REPLACE INTO {} SELECT * FROM {}"]
)
@pytest.mark.parametrize("table", ["events", "audit"])
def test_what_was_written_down_stays_as_it_is(database: Database, table: str, change: str) -> None:
    event = PageDelivered(subject="k7f3", at=NOW, page=1, person="alice", place="irc/person/alice")
    with database.writer.connect() as connection, connection.begin():
        journal.add(connection, event, NOW)
        audit.add(
            connection, at=NOW, place="irc/#ops", account="al", person="alice", what="!ack", verdict="done"
        )
    with (
        database.writer.connect() as connection,
        connection.begin(),
        pytest.raises(IntegrityError, match=f"{table} are only ever added"),
    ):
        connection.exec_driver_sql(change.format(table, table))


class Owner:
    """Somebody else, a plugin perhaps, with tables of his own."""

    def __init__(self, name: str, folder: Path, database: Database) -> None:
        self.name = name
        self.folder = folder
        self._database = database
        folder.mkdir()

    def writes(self, revision: str, step: str, *, after: str | None = None) -> None:
        """Add a migration that makes the table `<owner>_<revision>` and then takes a step."""
        (self.folder / f"r{revision}.py").write_text(
            "import sqlalchemy as sa\n"
            "from alembic import op\n"
            f"revision: str = '{revision}'\n"
            f"down_revision = {after!r}\n"
            "def upgrade() -> None:\n"
            f'    op.create_table("{self.name}_{revision}", sa.Column("id", sa.Integer, primary_key=True))\n'
            f"    {step}\n"
        )

    def migrates(self, head: str) -> None:
        with self._database.writer.connect() as connection, connection.begin():
            migrate(connection, self.name, self.folder, head)

    def revision(self) -> object:
        with self._database.writer.connect() as connection:
            return connection.exec_driver_sql(f"SELECT version_num FROM schema_{self.name}").scalar()  # noqa: S608


@pytest.fixture
def owner(tmp_path: Path, database: Database) -> Owner:
    return Owner("landings", tmp_path / "landings", database)


FAILS = 'op.execute("INSERT INTO nowhere VALUES (1)")'


def test_of_migrations_that_fail_half_way_nothing_is_left(owner: Owner, database: Database) -> None:
    before = tables(database)
    owner.writes("1", "pass")
    owner.writes("2", FAILS, after="1")
    with pytest.raises(OperationalError, match="nowhere"):
        owner.migrates("2")
    assert tables(database) == before
    owner.writes("2", "pass", after="1")
    owner.migrates("2")
    assert tables(database) == before | {"schema_landings", "landings_1", "landings_2"}


def test_a_migration_that_fails_leaves_what_was_there(owner: Owner, database: Database) -> None:
    owner.writes("1", "pass")
    owner.migrates("1")
    before = tables(database)
    owner.writes("2", FAILS, after="1")
    with pytest.raises(OperationalError):
        owner.migrates("2")
    assert tables(database) == before
    assert owner.revision() == "1"


def test_each_owner_goes_his_own_way(owner: Owner, tmp_path: Path, database: Database) -> None:
    other = Owner("weather", tmp_path / "weather", database)
    for each in (owner, other):
        each.writes("1", "pass")
        each.migrates("1")
    other.writes("2", "pass", after="1")
    other.migrates("2")
    assert (owner.revision(), other.revision()) == ("1", "2")
    with database.writer.connect() as connection:
        core = connection.exec_driver_sql("SELECT version_num FROM schema_core").scalar()
    assert core == schema.HEAD


def test_a_revision_that_nobody_here_wrote_is_refused(owner: Owner, database: Database) -> None:
    owner.writes("1", "pass")
    owner.migrates("1")
    with database.writer.connect() as connection, connection.begin():
        connection.exec_driver_sql("UPDATE schema_landings SET version_num = 'beyond'")
    before = tables(database)
    with pytest.raises(
        StateError, match=r"landings tables at revision beyond, this version knows 1\): upgrade"
    ):
        owner.migrates("1")
    assert tables(database) == before
    assert owner.revision() == "beyond"


async def test_no_question_of_a_daily_incident_reads_a_whole_table(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = set[str]()
    run = Statement.run

    def noted(statement: Statement, connection: Connection, **values: Any) -> Result:
        result = run(statement, connection, **values)
        asked.add(statement.text)
        return result

    monkeypatch.setattr(Statement, "run", noted)
    async with start() as engine:
        tocsin = engine.run.tocsin
        database = await tocsin.turn(lambda tx: tx.connection.engine)
        event.listen(database, "before_cursor_execute", lambda *call: asked.add(call[2]))
        await engine.report(fires())
        await engine.advance(minutes=6)
        await engine.says("alice", "!ack")
        await engine.says("alice", "!alerts")
        await engine.report(over())
        engine.run.daemon.ears.up("console")
        await engine.run.settled()
        plans = await tocsin.turn(lambda tx: {sql: _plan(tx.connection, sql) for sql in sorted(asked)})
    assert len(asked) > 20
    for sql, plan in plans.items():
        assert not re.search(r"SCAN \w+($|\n)", plan.replace("SCAN CONSTANT ROW", "")), f"{sql}\n{plan}"


async def test_who_reads_on_costs_no_look_at_all_that_was_said(start: Start) -> None:
    async with start() as engine:
        await engine.report(fires())

        def asked(tx: Transaction) -> str:
            seen.unseen(tx.connection, Place("console", "alice", private=True), tx.now, 500)
            return _plan(tx.connection, seen._UNSEEN.text)  # noqa: SLF001 (as the driver got it)

        plan = await engine.run.tocsin.turn(asked)
    assert "ix_outbox_unseen (place=? AND settled_at>? AND settled_at<?)" in plan


async def test_what_waits_for_a_bridge_is_not_looked_for_among_all_that_waits(start: Start) -> None:
    async with start() as engine:

        def asked(tx: Transaction) -> str:
            held.due(tx.connection, Place("console", "#ops"), tx.time)
            return _plan(tx.connection, held._DUE.text)  # noqa: SLF001 (as the driver got it)

        plan = await engine.run.tocsin.turn(asked)
    assert "ix_outbox_held (place=? AND next_try<?)" in plan


async def test_what_a_message_gives_way_to_is_the_newest_and_no_other_is_read(start: Start) -> None:
    """Hundreds may wait about one alert when a network was away for days."""
    async with start() as engine:

        def asked(tx: Transaction) -> tuple[int, int, str]:
            said = partial(outbox.add, tx.connection, Place("console", "#ops"), Message("news"), tx.time)
            first, *_, last = [said(lane=outbox.Lane.NEWS, subject="disk") for _ in range(5)]
            torn = "update outbox set body = 'torn' where subject = 'disk' and id not in (?, ?)"
            tx.connection.exec_driver_sql(torn, (first, last))
            found = next(late.newer(tx.connection, first)).id
            tx.connection.exec_driver_sql("delete from outbox where subject = 'disk'")
            return found, last, _plan(tx.connection, late._NEWER.text)  # noqa: SLF001 (likewise)

        found, last, plan = await engine.run.tocsin.turn(asked)
    assert found == last
    assert "ix_outbox_subject (subject=?)" in plan


def _plan(connection: Connection, sql: str) -> str:
    """How SQLite would answer, one step a line."""
    if not sql.startswith(("SELECT", "UPDATE", "DELETE")):
        return ""
    values = (None,) * sql.count("?")
    return "\n".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values))
