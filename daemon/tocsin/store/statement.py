"""Statements that SQLAlchemy writes once, and the driver then runs by itself.

Run by SQLAlchemy each costs 50 µs, several times what SQLite does in it; a page takes dozens of them.
"""

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import BindParameter, Connection, Dialect, Insert, Select, bindparam
from sqlalchemy.sql.expression import ClauseElement
from sqlalchemy.types import TypeEngine

from tocsin.errors import StoreUnavailable

Change = Callable[[Any], Any]


def given(name: str, type_: TypeEngine[Any] | None = None) -> BindParameter[Any]:
    """A value of a statement that is given each time that it runs."""
    return bindparam(name, required=False, type_=type_)


class Statement:
    """One statement, with values by name. Written for the first connection that runs it; all are of one dialect.

    It is given the same names each time. Lists in it are written out, so a list can't be a value.
    text: as the driver gets it, once it was written.
    """

    def __init__(self, built: ClauseElement) -> None:
        self._built = built.inline() if isinstance(built, Insert) else built
        self.text = ""
        self._order: Sequence[tuple[str, Change | None]] = ()
        self._fixed: Mapping[str, Any] = {}
        self._from_driver: Sequence[tuple[int, Change]] = ()
        self._row: Callable[[Any], Any] = tuple

    def run(self, connection: Connection, **values: Any) -> "Result":
        """Run it within the connection's transaction. Raises StoreUnavailable if there is none any more."""
        if not self.text:
            self._write(connection.dialect, values)
        raw = cast("sqlite3.Connection", connection.connection.dbapi_connection)
        if not raw.in_transaction:  # a full disk ends it from below, and this would be committed by itself
            raise StoreUnavailable("the transaction is gone")
        values = {**self._fixed, **values}
        given = [change(values[name]) if change else values[name] for name, change in self._order]
        return Result(raw.execute(self.text, given), self._rows)

    def _write(self, dialect: Dialect, values: Mapping[str, Any]) -> None:
        insert = isinstance(self._built, Insert)
        compiled: Any = self._built.compile(
            dialect=dialect,
            column_keys=list(values) if insert else None,
            compile_kwargs={"render_postcompile": True},
        )
        changes = {name: _processor(bound.type, dialect, "bind") for name, bound in compiled.binds.items()}
        self._order = [(name, changes.get(name)) for name in compiled.positiontup or ()]
        self._fixed = {name: value for name, value in compiled.params.items() if name not in values}
        if isinstance(self._built, Select):
            columns = list(self._built.selected_columns)
            names = [getattr(column, "name", None) or "value" for column in columns]
            self._row = _named(names)
            kinds = [_processor(column.type, dialect, "result") for column in columns]
            self._from_driver = [(at, change) for at, change in enumerate(kinds) if change]
        self.text = str(compiled)

    def _rows(self, found: Sequence[Any]) -> Iterator[Any]:
        for raw in found:
            row = list(raw)
            for at, change in self._from_driver:
                row[at] = change(row[at])
            yield self._row(row)


class Result:
    """What a statement brought. rowcount: how many rows it changed. key: of the row that it inserted."""

    def __init__(self, cursor: sqlite3.Cursor, rows: Callable[[Sequence[Any]], Iterator[Any]]) -> None:
        self._cursor = cursor
        self._rows = rows

    def __iter__(self) -> Iterator[Any]:
        return self._rows(self._cursor.fetchall())

    def first(self) -> Any:
        """The first row, with its columns by name, or None."""
        return next(iter(self), None)

    def value(self) -> Any:
        """The first column of the first row, or None."""
        row = self.first()
        return None if row is None else row[0]

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    @property
    def key(self) -> int:
        return int(self._cursor.lastrowid or 0)


def _named(names: Sequence[str]) -> Callable[[Iterable[Any]], Any]:
    row: Any = namedtuple("Row", [*names], rename=True)  # type: ignore[misc] # noqa: PYI024 (known only now)
    return cast("Callable[[Iterable[Any]], Any]", row._make)


def _processor(kind: TypeEngine[Any], dialect: Dialect, way: str) -> Change | None:
    """How SQLAlchemy changes a value of this type on its way to the driver, or back."""
    made = kind.dialect_impl(dialect)
    found = made.bind_processor(dialect) if way == "bind" else made.result_processor(dialect, None)
    return cast("Change | None", found)
