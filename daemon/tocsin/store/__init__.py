"""What is kept: one SQLite file, one writer, and functions that each read or write one table."""

from tocsin.store.database import Database
from tocsin.store.state import State
from tocsin.store.writer import Writer

__all__ = ["Database", "State", "Writer"]
