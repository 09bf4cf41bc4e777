"""Label matchers in Alertmanager's own syntax, so that a route can be taken over as it is.

Both of its syntaxes are read, the way Alertmanager itself does by default: what the classic parser takes
means what it always meant, anything else is read as UTF-8 matchers.
Source: https://prometheus.io/docs/alerting/latest/configuration/#matcher
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import re2

_BLANK = r"[\t\n\f\r ]"  # what Go's \s takes
_CLASSIC = re.compile(
    rf"{_BLANK}*([a-zA-Z_:][a-zA-Z0-9_:]*){_BLANK}*(=~|!=|!~|=){_BLANK}*(.*?){_BLANK}*", re.DOTALL
)
_TOKEN = re.compile(
    r"""\s*(?:(?P<brace>[{}])|(?P<comma>,)|(?P<operator>=~|!=|!~|=)|"(?P<quoted>(?:[^"\\]|\\.)*)"|"""
    r"""(?P<bare>[^\s{}!=~,"'`\\]+))""",
    re.DOTALL,
)
_ESCAPE = re.compile(
    r"""\\(?:(?P<plain>[abfnrtv"\\])|x(?P<hex>[0-9a-fA-F]{2})|(?P<octal>[0-3][0-7]{2})"""
    r"""|u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8})|(?P<wrong>.?))""",
    re.DOTALL,
)
_PLAIN = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", '"': '"', "\\": "\\"}


@dataclass(frozen=True)
class Matcher:
    """One condition on one label; a label that is missing counts as empty.

    operator: `=` and `!=` compare, `=~` and `!~` take `value` as an RE2 expression for the whole label.
    Raises ValueError for an expression that RE2 refuses.
    """

    name: str
    operator: str
    value: str

    def __post_init__(self) -> None:
        if self.operator in ("=~", "!~"):
            _ = self._expression

    def __str__(self) -> str:
        value = self.value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
        return f'{self.name}{self.operator}"{value}"'

    @cached_property
    def _expression(self) -> Any:
        options = re2.Options()
        options.log_errors = False
        try:
            return re2.compile(self.value, options)
        except re2.error as error:
            reason = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
            raise ValueError(f"{self} is no RE2 expression: {reason}") from None

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.name, "")
        if self.operator in ("=", "!="):
            same = value == self.value
        else:
            same = self._expression.fullmatch(value) is not None
        return same is not self.operator.startswith("!")


@dataclass(frozen=True)
class Matchers:
    """Conditions that must all hold; none at all matches everything."""

    conditions: tuple[Matcher, ...] = ()

    def __str__(self) -> str:
        return ", ".join(map(str, self.conditions))

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(matcher.matches(labels) for matcher in self.conditions)

    @classmethod
    def parse(cls, text: str) -> "Matchers":
        """Read `team="db", severity=~"critical|page"`, braces optional.

        Raises ValueError with what was expected instead.
        """
        found = _classic(text)
        return cls(tuple(Matcher(*parts) for parts in (_utf8(text) if found is None else found)))


_LABEL = re.compile(
    r"""[{,\s]*(?P<name>[a-zA-Z_:][a-zA-Z0-9_:.-]*)=(?:"(?P<quoted>[^"]*)"|'(?P<plain>[^']*)'|(?P<bare>[^\s,}"'~=][^\s,}"']*|))(?=[\s,}]|$)[,}]*"""
)


def parse_labels(text: str) -> tuple[Mapping[str, str], Sequence[str]]:
    """The labels at the front of a text, `severity=critical service="data base"`, and the words behind them.

    Raises ValueError if there are none, or one is there twice.
    """
    labels, at = dict[str, str](), 0
    while found := _LABEL.match(text, at):
        if found["name"] in labels:
            raise ValueError(f"there are two labels called {found['name']!r}")
        labels[found["name"]] = next((part for part in found.group("quoted", "plain", "bare") if part), "")
        at = found.end()
    if not labels:
        raise ValueError("an alert has labels, written NAME=VALUE")
    return labels, text[at:].split()


def _classic(text: str) -> list[tuple[str, str, str]] | None:
    """The parts of each matcher as the classic parser reads them; None if it refuses one of them."""
    read = []
    for part in _comma_separated(text.removeprefix("{").removesuffix("}")):
        found = _CLASSIC.fullmatch(part)
        value = _classic_value(found[3]) if found else None
        if found is None or value is None:
            return None
        read.append((found[1], found[2], value))
    return read


def _comma_separated(text: str) -> Iterator[str]:
    start, quoted, escaped = 0, False, False
    for at, char in enumerate(text):
        if char == "," and not quoted:
            yield text[start:at]
            start = at + 1
        elif char == '"' and not escaped:
            quoted = not quoted
        escaped = char == "\\" and not escaped
    if last := text[start:].strip():  # of the last one alone, Alertmanager takes off any blank that there is
        yield last


def _classic_value(raw: str) -> str | None:
    """A value without its quotes and escapes (quote, backslash, n: any other backslash stands for itself)."""
    opened = raw.startswith('"')
    closed = re.fullmatch(r'"(?:[^"\\]|\\.)*"', raw, re.DOTALL) is not None
    inner = raw[1:-1] if closed else raw
    if opened is not closed or re.search(r'(?<!\\)(?:\\\\)*"', inner):
        return None
    return re.sub(r'\\(["\\n])', lambda escape: "\n" if escape[1] == "n" else escape[1], inner)


def _utf8(text: str) -> Iterator[tuple[str, str, str]]:
    tokens = list(_tokens(text))
    if tokens[:1] == [("brace", "{")]:
        tokens.pop(0)
        if tokens[-1:] != [("brace", "}")]:
            raise ValueError("expected a closing brace at the end")
        tokens.pop()
    while tokens:
        name = _take(tokens, "a label's name", "bare", "quoted")
        operator = _take(tokens, "an operator (=, !=, =~ or !~) after " + repr(name), "operator")
        value = _take(tokens, f"a value after {name}{operator}", "bare", "quoted")
        yield name, operator, value
        if tokens:
            _take(tokens, f"a comma after {name}{operator}{value!r}", "comma")


def _take(tokens: list[tuple[str, str]], expected: str, *kinds: str) -> str:
    kind, value = tokens.pop(0) if tokens else ("end", "the end")
    if kind not in kinds:
        raise ValueError(f"expected {expected}, found {value}")
    return value


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise ValueError(f"can't read {text[at:].strip()!r}: put names and values in double quotes")
        value = found[found.lastgroup]
        yield found.lastgroup, _unescaped(value) if found.lastgroup == "quoted" else value
        at = found.end()


def _unescaped(text: str) -> str:
    """Undo the escapes of a Go string, byte escapes as UTF-8."""

    def replace(escape: re.Match[str]) -> bytes:
        if escape["plain"]:
            return _PLAIN[escape["plain"]].encode()
        if escape["hex"] or escape["octal"]:
            return bytes([int(escape["hex"], 16) if escape["hex"] else int(escape["octal"], 8)])
        if escape["wrong"] is not None:
            raise ValueError(f"{escape[0]} is no escape: write a backslash as \\\\")
        return chr(int(escape["short"] or escape["long"], 16)).encode()

    parts, at = [], 0
    for escape in _ESCAPE.finditer(text):
        parts += [text[at : escape.start()].encode(), replace(escape)]
        at = escape.end()
    return b"".join([*parts, text[at:].encode()]).decode()  # its error is a ValueError too
