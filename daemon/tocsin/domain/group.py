"""The groups that alerts ring in: what is paged for, acknowledged and resolved; and what happens to them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from tocsin.domain.alert import Alert, and_more, first_of, rank
from tocsin.domain.event import Event
from tocsin.domain.flapping import (
    MOST_STARTS,
    FlappingBegan,
    FlappingEnded,
    GroupFiredAgain,
    GroupQuieted,
)
from tocsin.domain.page import PageDelivered, PersonPaged, PersonReleased
from tocsin.domain.words import counted, spelled
from tocsin.errors import Refused

LONGEST_SEVERITY = 20

_NO_WORD = re.compile(r"[^\w.+-]+")


class GroupState(StrEnum):
    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    SILENCED = "silenced"
    RESOLVED = "resolved"


@dataclass(frozen=True, kw_only=True)
class GroupOpened(Event):
    """key: what makes its alerts one group, as the sender says. receiver: which sender. alerts: the first.

    unlisted: how many more there are that the sender did not list. Opened by hand it has no receiver.
    """

    kind: ClassVar[str] = "group.opened"
    matters: ClassVar[bool] = True
    key: str
    receiver: str
    alerts: tuple[Alert, ...]
    unlisted: int = 0

    def headline(self) -> str:
        return f"reported by {self.receiver or self.by}: {first_of(self.alerts, self.unlisted) or self.key}"


@dataclass(frozen=True, kw_only=True)
class GroupReopened(Event):
    """It fires again a short while after it was resolved. alerts, unlisted: as for `GroupOpened`."""

    kind: ClassVar[str] = "group.reopened"
    matters: ClassVar[bool] = True
    alerts: tuple[Alert, ...]
    unlisted: int = 0

    def headline(self) -> str:
        return f"fires again: {first_of(self.alerts, self.unlisted)}"


@dataclass(frozen=True, kw_only=True)
class AlertFired(Event):
    """An alert of the group fires: a new one, or as it has become."""

    kind: ClassVar[str] = "alert.fired"
    matters: ClassVar[bool] = True
    alert: Alert

    def headline(self) -> str:
        return f"firing: {self.alert.severity} {self.alert}".replace("  ", " ")


@dataclass(frozen=True, kw_only=True)
class AlertResolved(Event):
    """An alert of the group fires no more. called: as people read it."""

    kind: ClassVar[str] = "alert.resolved"
    matters: ClassVar[bool] = True
    fingerprint: str
    called: str

    def headline(self) -> str:
        return f"no longer firing: {self.called}"


@dataclass(frozen=True, kw_only=True)
class AlertsUnlisted(Event):
    """The sender left alerts out for want of room."""

    kind: ClassVar[str] = "group.truncated"
    count: int

    def headline(self) -> str:
        return (
            f"{counted(self.count, 'more alert')} that the sender did not list"
            if self.count
            else "all are listed again"
        )


@dataclass(frozen=True, kw_only=True)
class GroupAcknowledged(Event):
    """Somebody has it: paging stops."""

    kind: ClassVar[str] = "group.acknowledged"
    matters: ClassVar[bool] = True

    def headline(self) -> str:
        return f"acknowledged by {self.by}"


@dataclass(frozen=True, kw_only=True)
class AcknowledgementRenewed(Event):
    """Who has it still has it."""

    kind: ClassVar[str] = "group.acknowledgement_renewed"

    def headline(self) -> str:
        return f"{self.by} still has it"


@dataclass(frozen=True, kw_only=True)
class GroupUnacknowledged(Event):
    """because: why, if nobody took it back."""

    kind: ClassVar[str] = "group.unacknowledged"
    matters: ClassVar[bool] = True
    because: str = ""

    def headline(self) -> str:
        return f"rings again: {self.because}" if self.because else f"acknowledgement taken back by {self.by}"


@dataclass(frozen=True, kw_only=True)
class GroupSilenced(Event):
    """Nobody is paged until then, whatever it does, unless it becomes worse. because: why, if that was said."""

    kind: ClassVar[str] = "group.silenced"
    matters: ClassVar[bool] = True
    until: datetime
    because: str = ""

    def headline(self) -> str:
        why = f" ({self.because})" if self.because else ""
        return f"silenced by {self.by} until {self.until:%H:%M} UTC{why}"


@dataclass(frozen=True, kw_only=True)
class SilenceEnded(Event):
    """because: why, if nobody ended it before its time."""

    kind: ClassVar[str] = "group.silence_ended"
    matters: ClassVar[bool] = True
    because: str = ""

    def headline(self) -> str:
        return self.because or f"silence ended by {self.by}"


@dataclass(frozen=True, kw_only=True)
class GroupResolved(Event):
    """acknowledged: whether a human had answered; if not, the source may have died rather than healed.

    flapped: how often it fired before it was quiet for so long; 0 if it did not flap.
    """

    kind: ClassVar[str] = "group.resolved"
    matters: ClassVar[bool] = True
    acknowledged: bool
    flapped: int = 0
    quiet_for: timedelta = timedelta(0)

    def headline(self) -> str:
        how = f" by {self.by}" if self.by else " by its source"
        if self.flapped:
            how = f": quiet for {spelled(self.quiet_for)} after flapping {counted(self.flapped, 'time')}"
        return f"resolved{how}" + ("" if self.acknowledged else ", without an answer")


EVENTS: Sequence[type[Event]] = (
    GroupOpened,
    GroupReopened,
    AlertFired,
    AlertResolved,
    AlertsUnlisted,
    GroupAcknowledged,
    AcknowledgementRenewed,
    GroupUnacknowledged,
    GroupSilenced,
    SilenceEnded,
    FlappingBegan,
    GroupQuieted,
    GroupFiredAgain,
    FlappingEnded,
    GroupResolved,
)


@dataclass
class AlertGroup:
    """A group as its events made it.

    opened_by: who opened it by hand, if anybody did. began_at: when it opened last; opened_at is the first time.
    rang_at: when it began to ring last, be it that it opened or that nobody has it any more.
    reached_by: the page that was delivered first since then.
    alerts: every alert that was ever in it, by fingerprint. firing: the fingerprints of those that fire.
    starts: when it began to fire, since people were told last that it stays as it is. flapping: since it flaps.
    times: how often it has fired then. quiet: it flaps, and does not fire now. released: who was called for it and is
    no more, since another has the pager.
    """

    id: str
    key: str = ""
    receiver: str = ""
    opened_by: str = ""
    opened_at: datetime | None = None
    began_at: datetime | None = None
    rang_at: datetime | None = None
    reached_by: int | None = None
    state: GroupState = GroupState.TRIGGERED
    alerts: dict[str, Alert] = field(default_factory=dict)
    firing: set[str] = field(default_factory=set)
    unlisted: int = 0
    acknowledged_by: str = ""
    acknowledged_at: datetime | None = None
    silenced_by: str = ""
    silenced_until: datetime | None = None
    starts: tuple[datetime, ...] = ()
    flapping: FlappingBegan | None = None
    times: int = 0
    quiet: bool = False
    released: frozenset[str] = frozenset()

    def apply(self, event: Event) -> None:
        """Go on by one event; those of others are passed over."""
        match event:
            case GroupOpened():
                self.key, self.receiver = event.key, event.receiver
                self.opened_by, self.opened_at = event.by, event.at
                self._begin(event)
            case GroupReopened():
                self._answer(GroupState.TRIGGERED)
                self._begin(event)
            case AlertFired():
                self.alerts[event.alert.fingerprint] = event.alert
                self.firing.add(event.alert.fingerprint)
            case AlertResolved():
                self.firing.discard(event.fingerprint)
            case AlertsUnlisted():
                self.unlisted = event.count
            case GroupAcknowledged():
                self._answer(GroupState.ACKNOWLEDGED)
                self.acknowledged_by, self.acknowledged_at = event.by, event.at
            case GroupUnacknowledged() | SilenceEnded():
                self._answer(GroupState.TRIGGERED)
                self._ring(event.at)
            case GroupSilenced():
                self._answer(GroupState.SILENCED)
                self.silenced_by, self.silenced_until = event.by, event.until
                self._settle(event.at)
            case GroupResolved():
                self._answer(GroupState.RESOLVED)
                self._end(event)
            case _:
                self._go_on(event)

    def _go_on(self, event: Event) -> None:
        match event:
            case FlappingBegan():
                self.flapping, self.times = event, event.times
            case GroupQuieted():
                self.firing, self.unlisted, self.quiet = set(), 0, True
            case GroupFiredAgain():
                self._fire(event)
                self.times, self.quiet = event.times, False
            case FlappingEnded():
                self._settle(event.at)
            case PageDelivered():
                self.reached_by = self.reached_by or event.page
            case PersonReleased():
                self.released |= {event.person}
            case PersonPaged():
                self.released -= {event.person}
            case _:
                pass

    def _begin(self, event: GroupOpened | GroupReopened) -> None:
        self._fire(event)
        self.began_at = event.at
        self._ring(event.at)
        self.starts = (*self.starts, event.at)[-MOST_STARTS:]

    def _ring(self, at: datetime) -> None:
        self.rang_at, self.reached_by = at, None

    def _fire(self, event: GroupOpened | GroupReopened | GroupFiredAgain) -> None:
        fires = {alert.fingerprint: alert for alert in event.alerts}
        self.alerts |= fires
        self.firing = set(fires)
        self.unlisted = event.unlisted

    def _end(self, event: GroupResolved) -> None:
        """Of an end that its source alone has said it is counted how soon it fires again."""
        if self.flapping or event.by:
            self._settle()

    def _settle(self, *starts: datetime) -> None:
        """What was counted until now counts no more."""
        self.starts = starts
        self.flapping, self.times, self.quiet = None, 0, False

    def _answer(self, state: GroupState) -> None:
        self.state = state
        self.acknowledged_by, self.acknowledged_at = "", None
        self.silenced_by, self.silenced_until = "", None

    @property
    def unanswered(self) -> bool:
        """Nobody has answered yet."""
        return self.state is GroupState.TRIGGERED

    @property
    def rings(self) -> bool:
        """Nobody has answered yet, and it goes on: whoever pages should. While it flaps, not in its quiet parts."""
        return self.unanswered and not self.quiet

    @property
    def open(self) -> bool:
        return self.state is not GroupState.RESOLVED

    @property
    def fires(self) -> bool:
        """Something of it fires, listed or not."""
        return bool(self.firing or self.unlisted)

    def acknowledge(
        self, by: str, at: datetime
    ) -> GroupAcknowledged | AcknowledgementRenewed | GroupResolved:
        """Someone has it from now on, or says that they still do; what ended in silence is over. Raises Refused."""
        self._refuse_resolved()
        if self.state is GroupState.SILENCED and not self.fires:
            return self._over(at)
        if self.state is GroupState.ACKNOWLEDGED:
            if self.acknowledged_by == by:
                return AcknowledgementRenewed(subject=self.id, at=at, by=by)
            raise Refused(f"{self.id}: {self.acknowledged_by} has it already")
        return GroupAcknowledged(subject=self.id, at=at, by=by)

    def unacknowledge(self, by: str, at: datetime) -> GroupUnacknowledged:
        """Nobody has it any more, and it rings again. Raises Refused."""
        self._refuse_resolved()
        if self.state is not GroupState.ACKNOWLEDGED:
            raise Refused(f"{self.id}: nobody has acknowledged it")
        return GroupUnacknowledged(subject=self.id, at=at, by=by)

    def silence(self, by: str, at: datetime, until: datetime, because: str = "") -> GroupSilenced:
        """It rings no more until then. Raises Refused."""
        self._refuse_resolved()
        return GroupSilenced(subject=self.id, at=at, by=by, until=until, because=because)

    def end_silence(self, at: datetime, *, by: str = "", because: str = "") -> SilenceEnded | GroupResolved:
        """It rings again; or it is over, if it stopped firing in silence. Raises Refused."""
        self._refuse_resolved()
        if self.state is not GroupState.SILENCED:
            raise Refused(f"{self.id}: is not silenced")
        if not self.fires:
            return self._over(at)
        return SilenceEnded(subject=self.id, at=at, by=by, because=because)

    def resolve(self, by: str, at: datetime) -> GroupResolved:
        """It is over, whatever its source says. Raises Refused."""
        self._refuse_resolved()
        return GroupResolved(subject=self.id, at=at, by=by, acknowledged=True)

    def settle(self, at: datetime) -> GroupResolved | FlappingEnded:
        """It flaps no more: it has stayed as it is for long enough. Raises Refused."""
        if self.flapping is None:
            raise Refused(f"{self.id}: does not flap")
        hold, times = self.flapping.hold, self.times
        if not self.quiet:
            return FlappingEnded(subject=self.id, at=at, times=times, fired_for=hold)
        answered = not self.unanswered
        return GroupResolved(subject=self.id, at=at, acknowledged=answered, flapped=times, quiet_for=hold)

    def _over(self, at: datetime) -> GroupResolved:
        """Its source said so while it was silenced, and says it once: nobody else would ever resolve it."""
        return GroupResolved(subject=self.id, at=at, acknowledged=True)

    def _refuse_resolved(self) -> None:
        if not self.open:
            raise Refused(f"{self.id}: is already resolved")

    def severity(self, order: Sequence[str]) -> str:
        """The worst severity of what fires, one of `order`; one that is missing or unknown counts as the worst."""
        return order[min((rank(alert.severity, order) for alert in self._shown()), default=0)]

    def describe(self, order: Sequence[str]) -> str:
        """`critical DiskFull db1: 97 % of / used, and 3 more`: the worst alert first."""
        shown = self._worst_first(order)
        if not shown:
            return self.key
        return and_more(f"{self._sort(shown[0], order)}{shown[0]}", len(shown) - 1 + self.unlisted)

    def brief(self, order: Sequence[str]) -> str:
        """`critical DiskFull, and 3 more`: as `describe`, without what not everybody may know."""
        shown = self._worst_first(order)
        if not shown:
            return "an alert"
        return and_more(f"{self._sort(shown[0], order)}{shown[0].name}", len(shown) - 1 + self.unlisted)

    def called(self, order: Sequence[str]) -> tuple[str, str]:
        """What `brief` says of the worst alert: its severity as people read it, if it has one; and its name."""
        shown = self._worst_first(order)
        return (self._sort(shown[0], order).strip(), shown[0].name) if shown else ("", "alert")

    def _sort(self, alert: Alert, order: Sequence[str]) -> str:
        """What stands before an alert's name: a word of ours, or one in quotes, so that no label can begin a sentence
        that passes for one of ours.
        """
        if alert.severity in order:
            return f"{alert.severity} "
        if alert.severity:
            return f"'{_NO_WORD.sub('-', alert.severity)[:LONGEST_SEVERITY]}' "
        return "" if self.opened_by or not alert.labels.get("alertname") else "alert "

    def _worst_first(self, order: Sequence[str]) -> Sequence[Alert]:
        def place(alert: Alert) -> tuple[bool, int, str]:
            return alert.severity in order, rank(alert.severity, order), str(alert)

        return sorted(self._shown(), key=place)

    def labels(self) -> Mapping[str, str]:
        """The labels that all its alerts share."""
        shown = list(self._shown())
        first = shown[0].labels if shown else {}
        return {
            name: value for name, value in first.items() if all(a.labels.get(name) == value for a in shown)
        }

    @property
    def link(self) -> str:
        return next((alert.link for alert in self._shown() if alert.link), "")

    def _shown(self) -> Iterable[Alert]:
        """What fires, or what did when nothing fires any more."""
        return [self.alerts[one] for one in self.alerts if one in self.firing] or self.alerts.values()
