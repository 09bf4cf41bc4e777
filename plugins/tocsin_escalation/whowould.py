"""Who would be paged: asked in chat with what the daemon knows, and at the command line with the configuration alone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from tocsin.api import (
    Alert,
    Call,
    Config,
    Message,
    Transaction,
    UsageError,
    bare,
    parse_labels,
    parse_moment,
    rank,
    written,
)
from tocsin_escalation.foreseen import Foresight
from tocsin_escalation.plan import Plan, Routing
from tocsin_escalation.policy import Urgency
from tocsin_escalation.sight import Configured, Imagined

UNKNOWN = "Overrides, and whose turn it is, only the daemon knows: ask it by !whowould."


@dataclass(frozen=True)
class WhoWould:
    """Answers by today's configuration. routing: which plan an alert takes."""

    routing: Routing

    def ask(self, call: Call, tx: Transaction) -> Message:
        """Whom an alert with these labels would page, now or at a time; nothing comes of it."""
        person = tx.person(call.by)
        try:
            labels, at = _read(call["LABEL"], tx.now, person.timezone)
        except ValueError as error:
            example = tx.typed("whowould severity=critical service=db at tomorrow 03:00")
            raise UsageError(f"{error}; say {example}") from None
        zone = person.timezone if call.place.private else ZoneInfo("UTC")
        first, brief, *lines = self._foreseen(labels, Imagined(tx, at), zone, tx.now)
        return Message(first, lines=tuple(lines), brief=brief, brief_lines=tuple(lines))

    def foresee(self, labels: Mapping[str, str], at: datetime, config: Config) -> Iterator[str]:
        """The same by the configuration alone, in UTC."""
        first, _, *lines = self._foreseen(labels, Configured(config, at), ZoneInfo("UTC"), at)
        yield from [first, *lines, UNKNOWN]

    def _foreseen(
        self, labels: Mapping[str, str], sight: Imagined | Configured, zone: ZoneInfo, now: datetime
    ) -> Iterator[str]:
        """What is said first, the same where all the world reads, and a line for each step."""
        alert, order = Alert("whowould", labels), sight.config.severities
        plan, because = self.routing.plan([alert.labels])
        severity = order[rank(alert.severity, order)]
        counts = "" if alert.severity == severity else f", which counts as {severity}"
        when = "" if sight.now == now else f"at {written(sight.now, zone, now)}: "
        rest = f"{_urgency(plan)}{counts}{_rooms(plan)}"
        yield f"{when}policy {plan.policy} ({because}){rest}"
        yield f"{when}policy {plan.policy}{rest}"
        yield from Foresight(plan, severity, sight, zone).lines()


def _read(said: str, now: datetime, zone: ZoneInfo) -> tuple[Mapping[str, str], datetime]:
    labels, left = parse_labels(said)
    if not left:
        return labels, now
    if bare(left[0]) != "at":
        raise ValueError(f"{left[0]!r} is no label: they are written NAME=VALUE")
    at, taken = parse_moment(left[1:], now, zone)
    if left[1 + taken :]:
        raise ValueError(f"{left[1 + taken]!r} is too much behind {' '.join(left[: 1 + taken])!r}")
    return labels, at


def _urgency(plan: Plan) -> str:
    return "" if plan.urgency is Urgency.NORMAL else f", {plan.urgency} urgency"


def _rooms(plan: Plan) -> str:
    return f", told in the rooms of {plan.team}" if plan.team else ""
