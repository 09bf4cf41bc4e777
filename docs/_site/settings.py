"""The settings, from the classes that the configuration is read into, and what config.example.toml says of each."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from importlib.metadata import entry_points
from itertools import groupby
from pathlib import Path as FilesPath
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

from docs._site.example import ENTRY, Comment, Path, comments, fits, said_of

from tocsin import networks
from tocsin.config.schedules import Every, HoursSetting, Wall
from tocsin.config.tables import FileTables
from tocsin.config.values import (
    Address,
    AddressSetting,
    Command,
    Count,
    Duration,
    FilePath,
    LabelMatchers,
    Name,
    Names,
    Quiet,
    Secret,
    Texts,
)
from tocsin.domain.labels import Matchers
from tocsin.domain.words import listed, spelled

ROOT = FilesPath(__file__).parents[2]

WORDS = [
    (AddressSetting, "an address and a port"),
    (Command, "a program and its arguments"),
    (Count, "a whole number from 0 on"),
    (Duration, "a length of time"),
    (Every, "how long a turn is"),
    (FilePath, "a path"),
    (HoursSetting, "hours of the week"),
    (LabelMatchers, "Alertmanager's matchers"),
    (Name, "a name"),
    (Names, "a name, or several"),
    (Quiet, "hours such as `22:00-07:00`"),
    (Secret, "where a secret is kept"),
    (Texts, "a text, or several"),
    (Wall, "a time on the wall clock"),
    (ZoneInfo, "a time zone"),
    (bool, "true or false"),
    (int, "a whole number"),
    (float, "a number"),
    (str, "a text"),
    (timedelta, "a length of time"),
    (datetime, "a time on the wall clock"),
    (FilesPath, "a path"),
]
"""What people read for a type: the spelled-out ones first."""


IN_HEAD = ("flapping",)
"""What has no table of its own in the example."""


@dataclass(frozen=True)
class Setting:
    """One setting. path: with '*' for a name that the operator chooses. usual: its default as people read it."""

    path: Path
    kind: str
    usual: str

    @property
    def name(self) -> str:
        return ".".join("NAME" if part == "*" else part for part in self.path).replace(f".{ENTRY}", ENTRY)


@dataclass(frozen=True)
class Table:
    """A table of the file with all that stands in it."""

    path: Path
    settings: tuple[Setting, ...]

    @property
    def title(self) -> str:
        return (
            f"`[{'.'.join('NAME' if part == '*' else part for part in self.path)}]`"
            if self.path
            else "The file's head"
        )


def tables() -> Iterator[Table]:
    """Every table that there is, in the order of the example as far as the classes have it."""
    hints = get_type_hints(FileTables, include_extras=True)
    core = [
        each
        for field in fields(FileTables)
        if field.name not in ("networks", "plugins")
        for each in of(field.name, hints[field.name], default_of(field))
    ]
    yield Table((), tuple(each for each in core if len(each.path) == 1 or each.path[0] in IN_HEAD))
    for name, inside in groupby(core, key=lambda each: each.path[0]):
        below = tuple(each for each in inside if len(each.path) > 1)
        if below and name not in IN_HEAD:
            yield Table((name, "*") if below[0].path[1] == "*" else (name,), below)
    for kind, shape in networks.SETTINGS.items():
        which = Setting(("networks", "*", "kind"), either(networks.SETTINGS), "the table's name")
        yield Table(("networks", kind), (which, *settings(("networks", kind), shape)))
    for point in sorted(entry_points(group="tocsin"), key=lambda point: point.name):
        if point.dist and point.dist.name == "tocsin":
            yield Table(("plugins", point.name), tuple(settings(("plugins", point.name), point.load())))


def settings(path: Path, shape: Any, usual: Any = MISSING) -> Iterator[Setting]:
    """Those of a class. usual: an instance that is the default of the whole."""
    hints = get_type_hints(shape, include_extras=True)
    for field in fields(shape):
        default = default_of(field) if usual is MISSING else getattr(usual, field.name)
        yield from (
            Setting((*path, *each.path), each.kind, each.usual)
            for each in of(field.name, hints[field.name], default)
        )


def of(name: str, hint: Any, usual: Any) -> Iterator[Setting]:
    """A setting, or those inside it."""
    bare, below = opened(hint)
    if is_dataclass(bare):
        yield from settings((name, *below), bare, MISSING if below or not is_dataclass(usual) else usual)
    else:
        yield Setting((name,), words(hint), "required" if usual is MISSING else written(usual))


def opened(hint: Any) -> tuple[Any, Path]:
    """The class inside a list, a table or what may be left out, and how far inside that is; else the hint itself."""
    if any(hint == known for known, _ in WORDS):
        return hint, ()
    origin, inside = get_origin(hint), [each for each in get_args(hint) if each not in (NoneType, ...)]
    if origin is Annotated or (origin in (Union, UnionType) and len(inside) == 1):
        return opened(inside[0])
    if origin is tuple or (isinstance(origin, type) and issubclass(origin, Mapping)):
        bare, below = opened(inside[-1])
        if is_dataclass(bare):
            return bare, (ENTRY if origin is tuple else "*", *below)
    return hint, ()


def words(hint: Any) -> str:
    """A type as people read it."""
    for known, said in WORDS:
        if hint == known:
            return said
    origin, inside = get_origin(hint), get_args(hint)
    if origin is Literal:
        return either(inside)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return either(each.value for each in hint)
    if origin in (Annotated, Union, UnionType):
        inside = inside[:1] if origin is Annotated else inside
        return " or ".join(words(each) for each in inside if each is not NoneType)
    if origin is tuple:
        return f"a list, each {words(inside[0])}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"a table, each {words(inside[1])}"
    raise TypeError(f"say in WORDS what people read for {hint!r}")


def either(values: Any) -> str:
    """Words of which one is to be written."""
    return listed([f'`"{value}"`' for value in values]).replace(" and ", " or ")


def default_of(field: Any) -> Any:
    """A field's default; MISSING if it has to be there."""
    return field.default_factory() if field.default_factory is not MISSING else field.default


def written(value: Any) -> str:
    """A default as the file would say it."""
    if value in (None, "", (), {}, Matchers(())):
        return "not set"
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], Enum):  # how long a turn is
        return f'`"{value[1].value}"`' if value[0] == 1 else f'`"{value[0]} {value[1].value}s"`'
    return f"`{toml(value)}`"


def toml(value: Any) -> str:
    """A value as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, timedelta):
        return f'"{spelled(value) if value else "0s"}"'
    if isinstance(value, tuple):
        return f"[{', '.join(toml(each) for each in value)}]"
    if isinstance(value, Enum):
        return f'"{value.value}"'
    if isinstance(value, str | ZoneInfo | Address):
        return f'"{value}"'
    raise TypeError(f"say in toml() how a file says {value!r}")


def page() -> str:
    """All tables, with a heading each. Raises LookupError for a setting of which the example says nothing."""
    known = comments((ROOT / "config.example.toml").read_text())
    return "\n".join(_table(table, known) for table in tables())


def _table(table: Table, known: Mapping[Path, Comment]) -> str:
    lines = [f"## {table.title}", ""]
    about = said_of(table.path, known) if table.path else None
    said = [(setting, meaning(setting, known)) for setting in table.settings]
    if about is not None and about.text and all(comment is not about for _, comment in said):
        lines += [sentence(about), ""]
    if not said:
        lines += ["It has no settings: its table is enough.", ""]
    below = defaultdict[Comment, list[Setting]](list)
    for setting, comment in said:
        below[comment].append(setting)
    for comment, alike in below.items():
        lines += [" <br> ".join(_term(setting, table) for setting in alike), f": {sentence(comment)}", ""]
    return "\n".join(lines)


def meaning(setting: Setting, known: Mapping[Path, Comment]) -> Comment:
    """What is said of a setting. Raises LookupError."""
    *above, name = setting.path
    beside = [said for path, said in known.items() if fits(path, (*above, "*"))]
    named = [said for said in beside if re.search(rf"\b{name}(\.\w+)? = ", said.text)]
    for found in (said_of(setting.path, known), *named, said_of(tuple(above), known)):
        if found is not None and found.text:
            return found
    raise LookupError(f"config.example.toml does not say what {setting.name} is")


def _term(setting: Setting, table: Table) -> str:
    inside = setting.path[len(table.path) :]
    name = Setting(inside, "", "").name
    anchor = re.sub(r"[^a-z0-9]+", "-", Setting((*table.path, *inside), "", "").name.lower()).strip("-")
    usual = setting.usual if setting.usual in ("required", "not set") else f"default {setting.usual}"
    return f"`{name}`{{#{anchor}}} {setting.kind}; {usual}"


def sentence(comment: Comment) -> str:
    """A comment as a sentence of a page: what is in quotes stands as code, what names a page is a link to it."""
    text = comment.text.replace("<", "\\<").replace("*", "\\*")
    text = re.sub(r"(?<![\w`])'([^'\s][^']*)'", r"`\1`", text)
    text = re.sub(r"\bdocs/([a-z-]+)\.md", r"[\1](../\1.md)", text)
    return text if text.endswith((".", "…", ")", "?")) else f"{text}."
