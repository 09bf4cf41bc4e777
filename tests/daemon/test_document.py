"""On which line of the file a setting stands."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from tocsin.config import Document
from tocsin.errors import KeyPath

TEXT = '''\
# a comment
top = 1
web.listen = "x"

[people]
alice.accounts = { console = "alice" }
[people.bob.accounts]
console = """
[people.carol]
"""
irc = "bob" # not [people.dave]

[[routes]]
policy = "a"
[[routes]]

policy = "b"
match = [
  "c",
  "d",
]
'''


@pytest.mark.parametrize(
    ("at", "line"),
    [
        (("top",), 2),
        (("web",), 3),
        (("web", "listen"), 3),
        (("people",), 5),
        (("people", "alice"), 6),
        (("people", "alice", "accounts", "console"), 6),
        (("people", "bob"), 7),
        (("people", "bob", "accounts", "console"), 8),
        (("people", "bob", "accounts", "irc"), 11),
        (("routes", 0, "policy"), 14),
        (("routes", 1), 15),
        (("routes", 1, "policy"), 17),
        (("routes", 1, "match", 1), 18),
        # not there: the nearest table above
        (("people", "carol"), 5),
        (("routes", 0, "match"), 13),
        (("routes", 2, "policy"), 13),
        (("nothing",), None),
        ((), None),
    ],
)
def test_a_setting_is_found(at: KeyPath, line: int | None) -> None:
    assert Document(Path("x"), TEXT, tomllib.loads(TEXT)).line_of(at) == line


KEYS = st.text("abc-é .", min_size=1, max_size=4)


@given(
    st.recursive(
        st.integers(0, 9) | st.text("x\n[]='\"#", max_size=6),
        lambda inner: (
            st.dictionaries(KEYS, inner, max_size=3)
            | st.lists(st.dictionaries(KEYS, inner, max_size=2), max_size=2)
        ),
    ).filter(lambda tables: isinstance(tables, dict)),
)
def test_a_setting_is_found_where_the_parser_first_sees_it(tables: dict[str, Any]) -> None:
    text = tomlkit.dumps(tables)
    document = Document(Path("x"), text, tomllib.loads(text))
    for at in _paths(document.tables):
        line = document.line_of(at)
        assert line is not None
        assert line == _first_seen(text, at)


def _paths(value: Any, at: KeyPath = ()) -> list[KeyPath]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(*at, key) for key, _ in inner] + [
        path for key, each in inner for path in _paths(each, (*at, key))
    ]


def _first_seen(text: str, at: KeyPath) -> int:
    """By trying every beginning of the file in turn: the line after the last that is whole without it."""
    lines, start = text.split("\n"), 1
    for end in range(1, len(lines) + 1):
        try:
            value: Any = tomllib.loads("\n".join(lines[:end]))
        except tomllib.TOMLDecodeError:
            continue
        try:
            for key in at:
                value = value[key]
        except (KeyError, IndexError, TypeError):
            start = end + 1
        else:
            return start
    raise AssertionError(f"{at} is nowhere in the file")
