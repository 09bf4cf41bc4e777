"""Silence: an alert that people know of rings no more until a time, and then again if it still fires."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tocsin.api import (
    AlertGroup,
    Call,
    Command,
    Config,
    Duration,
    Event,
    GroupAcknowledged,
    GroupResolved,
    GroupSilenced,
    GroupState,
    Message,
    Name,
    Problem,
    Reaction,
    Refused,
    SilenceEnded,
    Timer,
    TimerKind,
    Tocsin,
    Transaction,
    announce,
    hookimpl,
    meant,
    on,
    spelled,
    time_of_day,
    unknown_name,
)
from tocsin_silence.asked import Asked
from tocsin_silence.events import SilencePushed, SilenceWithdrawn
from tocsin_silence.pushing import matched, push
from tocsin_silence.standing import OVER, TELLING, Standing
from tocsin_silence.upstream import Upstream

END = "silence.end"
REMIND = "silence.remind"
PUSH = "silence.push"

SHORTEST = timedelta(minutes=1)

LATELY = timedelta(minutes=10)
"""A silence that ended so long ago can still be extended."""


@dataclass(frozen=True)
class Silence:
    """Silences an alert for a while, here and in Alertmanager.

    longest: for how long a responder may silence an alert at a time. default: for how long, if that is not said.
    warn: how long before the end they are told. receivers: whose alerts are silenced in an Alertmanager as well.
    """

    longest: Duration = timedelta(hours=2)
    default: Duration = timedelta(hours=1)
    warn: Duration = timedelta(minutes=10)
    receivers: Mapping[Name, Upstream] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not SHORTEST <= self.default <= self.longest:
            raise ValueError(
                f"default is {spelled(self.default)}: it must be at least {spelled(SHORTEST)}, "
                f"and at most longest, which is {spelled(self.longest)}"
            )

    @hookimpl
    def check_settings(self, config: Config) -> Iterable[Problem]:
        for name in self.receivers:
            if name not in config.receivers:
                yield unknown_name(("receivers", name), name, "no receiver", config.receivers)

    @hookimpl
    def register_events(self) -> Iterable[type[Event]]:
        return [SilencePushed, SilenceWithdrawn]

    @hookimpl
    def register_reactions(self) -> Iterable[Reaction[Any]]:
        return [
            on(kind, self.follow) for kind in (GroupSilenced, SilenceEnded, GroupAcknowledged, GroupResolved)
        ]

    @hookimpl
    def register_timers(self) -> Iterable[TimerKind]:
        return [
            TimerKind(END, self.end),
            TimerKind(REMIND, self.remind),
            TimerKind(PUSH, self.push),
        ]

    @hookimpl
    def register_commands(self) -> Iterable[Command]:
        return [
            Command(
                "silence [ALERT] [LENGTH] [BECAUSE…]", self.silence, "it may wait, stop paging until then"
            ),
            Command("extend [ALERT] [LENGTH]", self.extend, "silence it for longer"),
            Command("unsilence [ALERT…]", self.unsilence, "end a silence now"),
        ]

    # What people ask for.

    def silence(self, call: Call, tx: Transaction) -> Message | None:
        """Page nobody for it for a while."""
        asked = Asked.read([call["ALERT"], call["LENGTH"], *call["BECAUSE"].split()])
        length = self._allowed(self.default if asked.length is None else asked.length, tx)

        def silence(group: AlertGroup) -> None:
            self._silence(group, length, asked.because, call, tx)

        wanted = _named(asked.alerts, call, tx, {GroupState.TRIGGERED, GroupState.ACKNOWLEDGED})
        return _each(wanted, silence, tx)

    def extend(self, call: Call, tx: Transaction) -> Message | None:
        """Silence again what is silenced, or was until lately."""
        asked = Asked.read([call["ALERT"], call["LENGTH"]])
        if asked.because:
            raise Refused(f"{asked.because!r} is too much: say {tx.typed('extend [ALERT] [LENGTH]')}")
        wanted_length = None if asked.length is None else self._allowed(asked.length, tx)

        def extend(group: AlertGroup) -> None:
            standing = _standing(group.id, tx)
            if (
                group.open
                and group.state is not GroupState.SILENCED
                and not _rings_lately(group, standing, tx)
            ):
                raise Refused(f"{group.id}: is not silenced: {tx.typed(f'silence {group.id}')} does that")
            length = wanted_length or min(standing.length, self.longest)
            if group.silenced_until is not None and group.silenced_until >= tx.now + length:
                until = _clock_there(group.silenced_until, call, tx)
                raise Refused(f"{group.id}: is silenced until {until} as it is")
            self._silence(group, length, standing.last.because if standing.last else "", call, tx)

        wanted = _named(asked.alerts, call, tx, ()) if asked.alerts else [_nearest(call.by, tx)]
        return _each(wanted, extend, tx)

    def unsilence(self, call: Call, tx: Transaction) -> Message | None:
        """Let it ring again, if it still fires."""

        def end(group: AlertGroup) -> None:
            _end(group, tx, group.end_silence(tx.now, by=call.by), call)

        return _each(meant(call, tx, {GroupState.SILENCED}), end, tx)

    def _allowed(self, length: timedelta, tx: Transaction) -> timedelta:
        if length < SHORTEST:
            raise Refused(f"a silence lasts for {spelled(SHORTEST)} at least")
        if length > self.longest:
            raise Refused(
                f"{spelled(length)} is too long: plugins.silence.longest allows {spelled(self.longest)} at a time, "
                f"and {tx.typed('extend')} as much again"
            )
        return length

    def _silence(
        self, group: AlertGroup, length: timedelta, because: str, call: Call, tx: Transaction
    ) -> None:
        event = tx.record(group.silence(call.by, tx.now, tx.now + length, because))
        why = f" ({because})" if because else ""
        text = f"silenced by {call.by} until {_clock_there(event.until, call, tx)} ({spelled(length)})"
        alone = group.receiver in self.receivers and not matched(group)
        lines = ["Alertmanager is not told of it: its alerts have no label in common."] if alone else []
        answer = replace(
            tx.about(group, f"{text}{why}: ", command="unsilence", lines=lines),
            link="",
            brief=tx.about(group, f"{text}: ").brief,
        )
        # The reason is for those who may know everything: it may name whom the alert concerns.
        announce(tx, event, call.place, answer=answer, brief=replace(event, because="").headline())

    # What time brings.

    def follow(self, event: Event, tx: Transaction) -> None:
        """An alert is silenced, or not any more: set the clocks for that, and let Alertmanager know."""
        group = tx.group(event.subject)
        tx.cancel_timer(REMIND, group.id)
        if group.silenced_until is not None:
            # By length, and not by the wall clock, which may be set while everybody relies on the silence to end.
            left = max(group.silenced_until - tx.now, timedelta(0))
            tx.set_timer(END, group.id, after=left)
            if self.warn and left > self.warn and _standing(group.id, tx).length >= 2 * self.warn:
                tx.set_timer(REMIND, group.id, after=left - self.warn)
        else:
            tx.cancel_timer(END, group.id)
        if group.receiver in self.receivers and _standing(group.id, tx).last is not None:
            tx.set_timer(PUSH, group.id, after=timedelta(0))

    def remind(self, timer: Timer, tx: Transaction) -> None:
        """Tell who silenced it that it will ring."""
        group = tx.find_group(timer.key)
        until = group.silenced_until if group is not None else None
        if group is None or until is None or until <= tx.now or not group.fires:
            return
        at = _clock(until, group.silenced_by, tx)
        _tell_in_private(
            group.silenced_by,
            Message(
                f"rings again at {at} (your silence ends)",
                subject=group.id,
                command=tx.typed(f"extend {group.id}"),
            ),
            tx,
        )

    def end(self, timer: Timer, tx: Transaction) -> None:
        """The silence has lasted as long as it should."""
        group = tx.find_group(timer.key)
        if group is not None and group.state is GroupState.SILENCED:
            _end(group, tx, group.end_silence(tx.now, because=OVER))

    # What Alertmanager is told.

    async def push(self, timer: Timer, tocsin: Tocsin) -> None:
        """Bring Alertmanager to keep what holds here."""
        await push(timer.key, self.receivers, tocsin)


def _standing(subject: str, tx: Transaction) -> Standing:
    return Standing.of(entry.event for entry in tx.story(subject, TELLING))


def _clock(at: datetime, person: str, tx: Transaction) -> str:
    """`05:12`, where the person is."""
    return time_of_day(at, tx.person(person).timezone, tx.now)[:-3]


def _clock_there(at: datetime, call: Call, tx: Transaction) -> str:
    """As `_clock` for whoever asks; the others in a room may live elsewhere."""
    if call.place.private:
        return _clock(at, call.by, tx)
    return f"{time_of_day(at, UTC, tx.now)[:-3]} UTC"


def _named(alerts: str, call: Call, tx: Transaction, fitting: Iterable[GroupState]) -> Iterable[str]:
    return meant(replace(call, words={"ALERT": alerts}), tx, set(fitting))


def _each(ids: Iterable[str], do: Callable[[AlertGroup], None], tx: Transaction) -> Message | None:
    """Do it with each of these alerts; what was refused is said, and keeps nothing else from being done."""
    refused = []
    for named in ids:
        try:
            do(tx.group(named))
        except Refused as error:
            refused.append(str(error))
    return Message(refused[0], lines=tuple(refused[1:])) if refused else None


def _rings_lately(group: AlertGroup, standing: Standing, tx: Transaction) -> bool:
    """Whether it rings because its silence came to an end just now."""
    return group.rings and standing.over_at is not None and tx.now - standing.over_at <= LATELY


def _nearest(person: str, tx: Transaction) -> str:
    """The alert whose silence, one of this person's, ends next, or ended last: what is nearest. Raises Refused."""
    ends = sorted(_own_ends(person, tx))
    if not ends:
        raise Refused(f"there is no silence of yours: {tx.typed('silence ALERT 1h')} begins one")
    return ends[0][1]


def _own_ends(person: str, tx: Transaction) -> Iterator[tuple[timedelta, str]]:
    for group in tx.open_groups():
        if group.silenced_until is not None and group.silenced_by == person:
            yield abs(group.silenced_until - tx.now), group.id
        elif group.rings:
            standing = _standing(group.id, tx)
            over_at, last = standing.over_at, standing.last
            if over_at and last and last.by == person and _rings_lately(group, standing, tx):
                yield tx.now - over_at, group.id


def _end(
    group: AlertGroup, tx: Transaction, event: SilenceEnded | GroupResolved, call: Call | None = None
) -> None:
    """End a silence: what still fires rings again, what does not is over. call: who asked for it, if anybody did."""
    silenced_by = group.silenced_by
    said = "silence over: it had stopped firing" if isinstance(event, GroupResolved) else ""
    announce(
        tx, event, call.place if call else None, said=said
    )  # first: whom it pages now needs no more words
    tx.record(event)
    if call and call.by == silenced_by:
        return
    told = tx.paged_places(group.id)
    command = "ack" if group.rings else ""
    message = replace(tx.about(group, f"{said or event.headline()}: ", command=command), link="")
    _tell_in_private(silenced_by, message, tx, but_not=told)


def _tell_in_private(person: str, message: Message, tx: Transaction, *, but_not: Iterable[Any] = ()) -> None:
    for place in tx.private_places(person):
        if place not in but_not:
            proven = tx.proven(place, message, about=message.subject, person=person)
            tx.say(place, proven, about=message.subject)
