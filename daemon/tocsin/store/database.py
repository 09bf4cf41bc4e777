"""The SQLite file: opened for the one writer and for readers, and brought to the shape of this version."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool, StaticPool

from tocsin.errors import Damaged, StateError, StoreUnavailable
from tocsin.store.schema import HEAD
from tocsin.store.state import State
from tocsin.store.writer import in_transaction

_MIGRATIONS = Path(__file__).parent / "migrations"
CORE = _MIGRATIONS / "core"
"""The revisions of the core's own tables."""

DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
"""What SQLite says of a file that is not what it once wrote; all else may mend itself, or be mended."""

_LONGEST_WAIT = 5.0  # for a lock, in seconds: only a backup or a shell can hold one
_LARGEST_WAL = 64 * 1024 * 1024


class Database:
    """The database of a state folder, in the shape that this version needs."""

    def __init__(self, state: State) -> None:
        """Open or make it. Raises Damaged, or StateError if it can't be used for another reason, as when it was written by
        a newer Tocsin.
        """
        self._path = state.database
        if state.emptied:
            raise Damaged(f"{self._path}: is damaged: it is empty, though there was something in it")
        self.writer = self._writing_engine()
        try:
            with self.writer.connect() as connection:
                if state.unclean:
                    _refuse_damage(self._path, connection)
                with connection.begin():
                    migrate(connection, "core", CORE, HEAD)
        except Exception as error:
            self.close()
            cause = getattr(error, "orig", error)
            if not isinstance(cause, sqlite3.DatabaseError):
                raise
            damaged = getattr(cause, "sqlite_errorcode", 0) & 0xFF in DAMAGE
            kind, what = (Damaged, "is damaged") if damaged else (StateError, "can't be used")
            raise kind(f"{self._path}: {what}: {cause}") from None
        state.has_database()

    def _writing_engine(self) -> Engine:
        self._path.touch(mode=0o600)
        engine = create_engine(
            f"sqlite+pysqlite:///{self._path}",
            # One connection, made here and then used by the writer's thread alone.
            poolclass=StaticPool,
            connect_args={"check_same_thread": False, "timeout": _LONGEST_WAIT, "isolation_level": None},
        )
        event.listen(engine, "connect", _prepare_writer)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        event.listen(engine, "before_cursor_execute", _refuse_outside_transaction)
        return engine

    def reader(self) -> AsyncEngine:
        """For questions that decide nothing; it can't write. Dispose of it: an open one keeps the process alive."""
        engine = create_async_engine(
            f"sqlite+aiosqlite:///file:{self._path}?mode=ro&uri=true",
            pool_size=2,
            connect_args={"timeout": _LONGEST_WAIT},
        )
        event.listen(engine.sync_engine, "connect", _prepare_reader)
        return engine

    def close(self) -> None:
        self.writer.dispose()


@contextmanager
def read_only(path: Path) -> Iterator[Connection]:
    """The database as it is at this moment, for a thread that decides nothing; beside a daemon that runs, or without one.

    Raises StateError if there is none, or not in the shape that this version needs.
    """

    def connect() -> sqlite3.Connection:
        address = f"file:{quote(str(path))}?mode=ro"
        return sqlite3.connect(address, uri=True, timeout=_LONGEST_WAIT, isolation_level=None)

    engine = create_engine("sqlite+pysqlite://", creator=connect, poolclass=NullPool)
    event.listen(engine, "connect", _prepare_reader)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    if not path.exists():
        raise StateError(f"{path}: there is no database: has Tocsin ever run with this configuration?")
    try:
        with engine.connect() as connection, connection.begin():
            here = connection.exec_driver_sql("SELECT version_num FROM schema_core").scalar()
            if here != HEAD:
                raise StateError(
                    f"{path}: was written by another version: start this one once, then ask again"
                )
            yield connection
    except (DBAPIError, sqlite3.DatabaseError) as error:
        raise StateError(f"{path}: can't be read: {getattr(error, 'orig', error)}") from None


def _prepare_writer(raw: sqlite3.Connection, _: Any) -> None:
    mode = raw.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    raw.execute("PRAGMA synchronous=FULL")
    raw.execute("PRAGMA foreign_keys=ON")
    raw.execute("PRAGMA recursive_triggers=ON")  # else REPLACE gets around "only ever added to"
    raw.execute("PRAGMA trusted_schema=OFF")
    raw.execute(
        "PRAGMA secure_delete=ON"
    )  # what is deleted is overwritten, as it is by most builds of SQLite anyway
    raw.execute("PRAGMA temp_store=MEMORY")  # else what savepoints may have to undo is written to a file
    raw.execute(f"PRAGMA journal_size_limit={_LARGEST_WAL}")
    synchronous = raw.execute("PRAGMA synchronous").fetchone()[0]
    if (mode, synchronous) != ("wal", 2):
        raise StateError(f"SQLite refuses to be durable: journal_mode={mode}, synchronous={synchronous}")


def _prepare_reader(raw: Any, _: Any) -> None:
    cursor = raw.cursor()
    cursor.execute("PRAGMA query_only=ON")
    cursor.execute("PRAGMA trusted_schema=OFF")
    cursor.close()


def _refuse_outside_transaction(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
    """A full disk ends a transaction from below; a statement after that would be committed by itself."""
    if not in_transaction(connection) and not statement.startswith(("BEGIN", "PRAGMA")):
        raise StoreUnavailable("the transaction is gone")


def _refuse_damage(path: Path, connection: Connection) -> None:
    found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    connection.rollback()
    if found != "ok":
        raise Damaged(f"{path}: is damaged: {' '.join(str(found).split())}")


def revisions(folder: Path) -> set[str]:
    """All that stand in a folder of Alembic's."""
    return {
        found[1]
        for path in folder.glob("*.py")
        if (found := re.search(r"""^revision\b[^=\n]*=\s*["'](.+)["']""", path.read_text(), re.MULTILINE))
    }


def migrate(connection: Connection, owner: str, folder: Path, head: str) -> None:
    """Bring the tables of one owner to the revision `head`, in the connection's transaction.

    folder: the owner's Alembic revisions. The revision it stands at is kept in the table `schema_<owner>`.
    Raises StateError for a revision that is not among them: a newer version wrote it.
    """
    table = f"schema_{owner}"
    here = None
    if inspect(connection).has_table(table):
        here = connection.exec_driver_sql(f"SELECT version_num FROM {table}").scalar()  # noqa: S608 (the owner's name is ours)
    if here == head:
        return
    if here is not None and here not in revisions(folder):
        raise StateError(
            f"the database was written by a newer version ({owner} tables at revision {here}, this version knows "
            f"{head}): upgrade, or bring back the backup from before"
        )
    # Imported only now: it takes as long as all the rest of a start.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("version_locations", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    config.attributes.update(connection=connection, version_table=table)
    command.upgrade(config, head)
