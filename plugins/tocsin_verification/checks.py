"""What the file says about checks, and which of them an incident or an alert has. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from tocsin.api import AlertGroup, Duration, LabelMatchers, Matchers, Name
from tocsin_verification.judge.verdict import Direction

MOST_CHECKS = 20
"""Of one incident: each is read and judged every minute."""

LONGEST_EXPRESSION = 2000

LONGEST_TYPED = 1500
"""The same of one that is typed: a line of chat is cut at 2,000 characters, and half an expression says something else."""

LONGEST_HOLD = timedelta(days=1)

_ANY = Matchers()
_DIRECTIONS = {"high": Direction.HIGH, "low": Direction.LOW, "both": Direction.BOTH}


@dataclass(frozen=True)
class Check:
    """What is looked at to see whether it is over.

    match: the alerts of whose incidents it is a check; without it, it is one of every incident. source: where the
    expression is read; the only one if it is left out. probe: what is tried in place of an expression. direction: which
    side does harm. kind: a counter only grows, but for restarts. tolerance: what part of the baseline a deviation may have.
    hold: for how long at least it must be back. must: whether there is no all-clear without it. unit: of its values.
    """

    expression: str = ""
    source: Name = ""
    probe: Name = ""
    match: LabelMatchers = _ANY
    direction: Literal["high", "low", "both"] = "both"
    kind: Literal["gauge", "counter"] = "gauge"
    tolerance: float = 0.10
    hold: Duration = timedelta(0)
    must: bool = True
    unit: str = ""

    def __post_init__(self) -> None:
        if bool(self.expression) is bool(self.probe):
            raise ValueError("takes either an expression or a probe")
        if len(self.expression) > LONGEST_EXPRESSION:
            raise ValueError(f"expression is longer than {LONGEST_EXPRESSION:,} characters")
        if not 0 < self.tolerance <= 1:
            raise ValueError("tolerance is a part of the baseline: more than 0, and at most 1")
        if self.hold > LONGEST_HOLD:
            raise ValueError("hold must be at most 1d")

    @property
    def side(self) -> Direction:
        return _DIRECTIONS[self.direction]

    def is_of(self, groups: Iterable[AlertGroup]) -> bool:
        """Whether it is a check of an incident with these alerts."""
        every = [alert.labels for group in groups for alert in group.alerts.values()]
        return any(self.match.matches(labels) for labels in every or [{}])


_NAMED = re.compile(r"([A-Za-z][\w.-]{0,39}):\s+(\S.*)", re.DOTALL)


def named(words: str, taken: Iterable[str]) -> tuple[str, str]:
    """The name and the expression that somebody types: `errors: rate(x[5m])`, or without a name the next that is free."""
    found = _NAMED.fullmatch(words.strip())
    if found is not None:
        return found[1].lower(), _bare(found[2])
    return free("check", taken, always=True), _bare(words.strip())


def _bare(expression: str) -> str:
    """Without the marks of code that people put around it in chat; as they stand they make a string of it, which has no series."""
    inside = expression.strip("`")
    marked = expression.startswith("`") and expression.endswith("`") and inside and "`" not in inside
    return inside.strip() if marked else expression


def free(name: str, taken: Iterable[str], *, always: bool = False) -> str:
    """The name, with a number behind it if it is taken. always: a number in any case."""
    there = {one.lower() for one in taken}
    if not always and name.lower() not in there:
        return name
    return next(one for one in _numbered(name, 1 if always else 2) if one.lower() not in there)


def _numbered(name: str, first: int) -> Iterator[str]:
    while True:
        yield f"{name}{first}"
        first += 1


def shared(labels: Mapping[str, str]) -> Mapping[str, str]:
    """What of an alert's labels a series may have too: not its name, and not how severe it is."""
    return {name: value for name, value in labels.items() if name not in ("alertname", "severity")}
