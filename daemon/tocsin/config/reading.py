"""TOML tables into frozen dataclasses: what was wrong, where, and what was probably meant."""

import json
import types
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints
from zoneinfo import available_timezones

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError, with_config
from pydantic_core import ErrorDetails

from tocsin.config.document import Document
from tocsin.config.names import unknown_name
from tocsin.config.tables import Config, FileTables, NetworkSettings, Tables
from tocsin.domain.words import did_you_mean, listed
from tocsin.errors import ConfigError, KeyPath, PluginError, Problem

T = TypeVar("T")


def read(shape: type[T], table: Any, *, at: KeyPath, folder: Path) -> T:
    """Make a `shape`, a frozen dataclass, of a table that TOML gave.

    at: where the table stands, for the errors. folder: where relative paths start.
    Raises ConfigError with every problem of the table at once.
    """
    # By way of JSON, since pydantic is strict and yet takes a list for a tuple only there.
    text = json.dumps(table, default=str)
    key: type = shape  # mypy holds that a type[T] is not hashable
    try:
        made: T = _adapter(key).validate_json(text, strict=True, context={"folder": folder})
    except ValidationError as error:
        # The cause is left out: its text would hold the input.
        raise ConfigError([_problem(shape, each, at) for each in error.errors(include_url=False)]) from None
    return made


def shape_problem(shape: type) -> str | None:
    """Why a class can't be read from TOML at all, or None."""
    try:
        _adapter(shape).rebuild(raise_errors=True)
    except (PydanticUserError, NameError) as error:
        return str(error).splitlines()[0]
    return None


@cache
def _adapter(shape: type) -> TypeAdapter[Any]:
    if "__pydantic_config__" not in shape.__dict__:
        with_config(ConfigDict(extra="forbid"))(shape)  # holds for the dataclasses inside it too
    return TypeAdapter(shape)


def read_config(
    document: Document, *, networks: Mapping[str, type[NetworkSettings]], plugins: Mapping[str, type]
) -> Config:
    """Read the whole file.

    networks: the settings class of each kind of network. plugins: the class of each plugin that the file
    enables. Raises ConfigError with the problems of all tables at once, PluginError for a plugin that fails.
    """
    problems: list[Problem] = []

    def part(shape: type[T], table: Any, *at: str) -> T | None:
        try:
            return read(shape, table, at=at, folder=document.folder)
        except ConfigError as error:
            problems.extend(error.problems)
            return None

    core = part(FileTables, document.tables)
    settings: dict[str, NetworkSettings] = {}
    for name, table in _tables(document.tables.get("networks")).items():
        kind = str(table.get("kind", name))
        if kind in networks:
            if found := part(networks[kind], _without(table, "kind"), "networks", name):
                settings[name] = found
        else:
            where = ("networks", name, "kind") if "kind" in table else ("networks", name)
            problems.append(unknown_name(where, kind, "no kind of network", networks))
    built: dict[str, object] = {}
    for name, table in _tables(document.tables.get("plugins")).items():
        if name in plugins:
            try:
                built[name] = part(plugins[name], table, "plugins", name)
            except Exception as error:
                raise PluginError(name, f"can't be built: {type(error).__name__}: {error}") from error
    if problems or core is None:
        raise ConfigError(problems)
    own = {field.name: getattr(core, field.name) for field in fields(Tables)}
    return Config(**own, networks=settings, plugins=built, folder=document.folder)


def _tables(value: Any) -> dict[str, dict[str, Any]]:
    """Those entries that are tables; `FileTables` complains of the others."""
    entries = value.items() if isinstance(value, dict) else ()
    return {name: table for name, table in entries if isinstance(table, dict)}


def _without(table: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in table.items() if name != key}


def _problem(shape: type, error: ErrorDetails, at: KeyPath) -> Problem:
    where = tuple(key for key in error["loc"] if key != "[key]")
    kind, value, facts = error["type"], error["input"], error.get("ctx", {})
    wanted = {
        "string_type": "text in quotes",
        "int_type": "a whole number",
        "float_type": "a number",
        "bool_type": "true or false",
        "list_type": "a list",
        "tuple_type": "a list",
        "dict_type": "a table",
        "dataclass_type": "a table",
    }
    if kind == "unexpected_keyword_argument":
        known = _settings_of(shape, where[:-1])
        text = "no such setting" + (did_you_mean(str(where[-1]), known) or _choices(known))
    elif kind == "missing":
        text = "is required"
    elif kind in wanted:
        text = f"must be {wanted[kind]}, not {_shown(value)}"
    elif kind == "value_error":
        text = str(facts["error"])
    elif kind == "greater_than_equal":
        text = f"must be at least {facts['ge']}, not {_shown(value)}"
    elif kind in ("literal_error", "enum"):
        text = f"must be {facts['expected']}, not {_shown(value)}"
    elif kind == "zoneinfo_str":
        hint = did_you_mean(str(value), available_timezones()) or "; write one such as 'Europe/Berlin'"
        text = f"no time zone is called {value!r}{hint}"
    else:
        text = f"{error['msg'][:1].lower()}{error['msg'][1:]}, not {_shown(value)}"
    return Problem((*at, *where), text)


def _choices(known: list[str]) -> str:
    return f"; there is {listed(known)}" if known else "; this table takes none"


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _settings_of(shape: Any, at: KeyPath) -> list[str]:
    """The settings that the table at a path may hold, as far as the types tell."""
    candidates = [shape]
    for key in at:
        candidates = [inner for each in candidates for inner in _inside(each, key)]
    return [
        field.name
        for each in candidates
        for kind in _plain(each)
        if is_dataclass(kind)
        for field in fields(kind)
    ]


def _inside(shape: Any, key: str | int) -> Iterator[Any]:
    for kind in _plain(shape):
        arguments = get_args(kind)
        if is_dataclass(kind):
            hints = get_type_hints(kind, include_extras=True)
            yield from [hints[str(key)]] if key in hints else []
        elif arguments:
            yield arguments[0 if isinstance(key, int) else -1]


def _plain(shape: Any) -> Iterator[Any]:
    """A type without its annotations, the members of a union apart."""
    if get_origin(shape) is Annotated:
        yield from _plain(get_args(shape)[0])
    elif get_origin(shape) in (Union, types.UnionType):
        for member in get_args(shape):
            yield from _plain(member)
    else:
        yield shape
