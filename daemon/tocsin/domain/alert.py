"""Alerts, and what their senders report of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import ClassVar

from tocsin.domain.message import identity, safe_link, storable

MOST_LABELS = 250

LONGEST_EXPRESSION = 3000
"""In characters; a part of one would say something else."""


@dataclass(frozen=True)
class Alert:
    """One thing that fires, known by the sender's fingerprint and never by its text.

    starts_at: since when it fires, as the sender says. link: where to look; one that is unfit to be clicked is
    left out. expression: what it fires by, in the language of whoever evaluates it; one that is too long is left out. All of it comes from outside; it is made storable here, and labels beyond `MOST_LABELS` are dropped,
    but for those in `TELLING`, which say what it is.
    """

    TELLING: ClassVar[Sequence[str]] = ("alertname", "severity", "instance", "service")

    fingerprint: str
    labels: Mapping[str, str]
    summary: str = ""
    link: str = ""
    starts_at: datetime | None = None
    expression: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "fingerprint", identity(self.fingerprint))
        object.__setattr__(self, "summary", storable(self.summary))
        object.__setattr__(self, "link", safe_link(self.link))
        shown = self.expression if len(self.expression) <= LONGEST_EXPRESSION else ""
        object.__setattr__(self, "expression", storable(shown, LONGEST_EXPRESSION))
        given = self.labels
        if len(given) > MOST_LABELS:
            given = {name: given[name] for name in self.TELLING if name in given} | dict(given)
        some = islice(given.items(), MOST_LABELS)
        labels = {storable(name): storable(value) for name, value in some}
        object.__setattr__(self, "labels", labels)

    @property
    def name(self) -> str:
        return self.labels.get("alertname", "") or "alert"

    @property
    def severity(self) -> str:
        return self.labels.get("severity", "")

    def __str__(self) -> str:
        """`DiskFull db1: 97 % of / used`."""
        where = self.labels.get("instance") or self.labels.get("service") or ""
        return f"{self.name} {where}".strip() + (f": {self.summary}" if self.summary else "")


@dataclass(frozen=True)
class Report:
    """What a sender says of one group of alerts.

    key: what makes them one group. firing: those that fire. resolved: the fingerprints of those that don't any
    more, each with the time at which it ended, if that is known. over: none of the group fires any more,
    listed or not. unlisted: how many were left out.
    """

    receiver: str
    key: str
    firing: Sequence[Alert] = ()
    resolved: Mapping[str, datetime | None] = field(default_factory=dict)
    over: bool = False
    unlisted: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", identity(self.key))
        ended = {identity(one): at for one, at in self.resolved.items()}
        object.__setattr__(self, "resolved", ended)


def rank(severity: str, order: Sequence[str]) -> int:
    """How severe that is, 0 being the worst; so is one that is missing or unknown."""
    return order.index(severity) if severity in order else 0


def and_more(first: str, more: int) -> str:
    """The first of several, and how many more there are."""
    return f"{first}, and {more} more" if more else first


def first_of(alerts: Sequence[Alert], unlisted: int) -> str:
    """The first alert, and how many more there are, those included that were not listed; empty if there is none."""
    more = max(0, len(alerts) - 1) + unlisted
    return and_more(f"{alerts[0].severity} {alerts[0]}".strip(), more) if alerts else ""
