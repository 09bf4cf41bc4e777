"""Alerts that must always fire, such as Prometheus' Watchdog: they page nobody, and their absence does."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from tocsin.api import (
    Alert,
    Duration,
    LabelMatchers,
    Name,
    Report,
    Timer,
    Transaction,
    report,
    spelled,
)

MISSING = "alertmanager.missing"
BEGIN = "alertmanager.expect"

RECEIVER = "watchdog"
"""As whom Tocsin itself reports."""

LATE = timedelta(minutes=1)
"""If a timer rings so much later than it should have, Tocsin was away, and heard nothing meanwhile."""


@dataclass(frozen=True)
class Expected:
    """An alert that fires as long as its source lives.

    receiver: who posts it. match: what it is known by. within: it is posted at least so often. severity: what its absence
    has; without it that counts as the worst. labels: more of them, to be routed by.
    """

    receiver: Name
    match: LabelMatchers
    within: Duration
    severity: Name = ""
    labels: Mapping[str, str] = field(default_factory=dict)


Expects = Mapping[str, Expected]


def without(expects: Expects, news: Report, tx: Transaction) -> Report:
    """What is left to be paged for, once those that are expected were taken down as heard of."""
    mine = {name: one for name, one in expects.items() if one.receiver == news.receiver}
    left = news.firing
    for name, one in mine.items():
        if any(one.match.matches(alert.labels) for alert in news.firing):
            tx.set_timer(MISSING, name, after=one.within)
            report(tx, Report(RECEIVER, name, over=True))
        left = [alert for alert in left if not one.match.matches(alert.labels)]
    if len(left) == len(news.firing):
        return news
    return replace(news, firing=left, over=not (left or news.unlisted))


def missing(expects: Expects, timer: Timer, tx: Transaction) -> None:
    """It was not posted in time."""
    name, one = timer.key, expects.get(timer.key)
    if one is None:  # it is expected no more, and nobody would ever say that it is back
        report(tx, Report(RECEIVER, name, over=True))
        return
    tx.set_timer(MISSING, name, after=one.within)
    if tx.now - timer.due_at > LATE:
        return
    labels = {**one.labels, "alertname": "WatchdogMissing", "source": name}
    if one.severity:
        labels["severity"] = one.severity
    text = f"{one.receiver} has not posted {one.match} for {spelled(one.within)}: other alerts may not come either"
    alert = Alert(f"expected {name}", labels, text, starts_at=tx.now)
    report(tx, Report(RECEIVER, name, firing=[alert]))


def begin(expects: Expects, tx: Transaction) -> None:
    """The daemon starts, or has another configuration: what is new has its whole time."""
    for name, one in expects.items():
        left = tx.timer_left(MISSING, name)
        if left is None or left > one.within:
            tx.set_timer(MISSING, name, after=one.within)
