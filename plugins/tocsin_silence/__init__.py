"""Silence: an alert that people know of rings no more until a time, and then again if it still fires."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
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
    each,
    hookimpl,
    meant,
    on,
    spelled,
    together,
    unknown_name,
)
from tocsin_silence.asked import Asked
from tocsin_silence.events import SilencePushed, SilenceWithdrawn
from tocsin_silence.pushing import matched, push
from tocsin_silence.standing import OVER, TELLING, Standing
from tocsin_silence.telling import Ended, clock, clock_there, end_all, remind, tell_of
from tocsin_silence.upstream import Upstream

END = "silence.end"
REMIND = "silence.remind"
PUSH = "silence.push"

SHORTEST = timedelta(minutes=1)

LATELY = timedelta(minutes=10)
"""A silence that ended so long ago can still be extended."""

MOST_AT_ONCE = 500
"""So many end in one turn, which must not take so long that it passes for hung; the others have timers of their own."""


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
                "silence [ALERT] [LENGTH|until TIME] [BECAUSE…]",
                self.silence,
                "it may wait, stop paging until then",
                also=("snooze",),
                expires=True,
                grammar="silence [ALERT] [LENGTH] [BECAUSE…]",
            ),
            Command(
                "extend [ALERT…] [LENGTH|until TIME]",
                self.extend,
                "silence it for longer",
                expires=True,
                grammar="extend [ALERT…] [LENGTH]",
            ),
            Command("unsilence [ALERT…]", self.unsilence, "end a silence now", also=("unsnooze",)),
        ]

    # What people ask for.

    def silence(self, call: Call, tx: Transaction) -> Message | None:
        """Page nobody for it for a while."""
        asked = _asked([call["ALERT"], call["LENGTH"], *call["BECAUSE"].split()], call, tx)
        length = self._allowed(self.default if asked.length is None else asked.length, tx)
        silenced = list[GroupSilenced]()

        def silence(group: AlertGroup) -> None:
            silenced.append(_silence(group, length, asked.because, call, tx))

        fitting = {GroupState.TRIGGERED, GroupState.ACKNOWLEDGED}
        refused = each(_named(asked.alerts, call, tx, fitting), silence, tx)
        return together([self._tell(silenced, call, tx), refused])

    def extend(self, call: Call, tx: Transaction) -> Message | None:
        """Silence again what is silenced, or was until lately."""
        asked = _asked(call["ALERT"].split(), call, tx)
        if asked.because:
            raise Refused(
                f"{asked.because!r} is too much: say {tx.typed('extend [ALERT…] [LENGTH|until TIME]')}"
            )
        wanted_length = None if asked.length is None else self._allowed(asked.length, tx)
        silenced = list[GroupSilenced]()

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
                until = clock_there(group.silenced_until, call, tx)
                raise Refused(f"{group.id}: is silenced until {until} as it is")
            because = standing.last.because if standing.last else ""
            silenced.append(_silence(group, length, because, call, tx))

        silence = {GroupState.SILENCED}
        named = asked.alerts or call.about
        wanted = _named(asked.alerts, call, tx, silence) if named else [_nearest(call.by, tx)]
        refused = each(wanted, extend, tx)
        return together([self._tell(silenced, call, tx), refused])

    def unsilence(self, call: Call, tx: Transaction) -> Message | None:
        """Let it ring again, if it still fires."""
        ends = list[Ended]()

        def end(group: AlertGroup) -> None:
            ends.append(group.end_silence(tx.now, by=call.by))

        refused = each(meant(call, tx, {GroupState.SILENCED}), end, tx)
        end_all(ends, tx, call)
        return refused

    def _allowed(self, length: timedelta, tx: Transaction) -> timedelta:
        if length < SHORTEST:
            raise Refused(f"a silence lasts for {spelled(SHORTEST)} at least")
        if length > self.longest:
            raise Refused(
                f"{spelled(length)} is too long: plugins.silence.longest allows {spelled(self.longest)} at a time, "
                f"and {tx.typed('extend')} as much again"
            )
        return length

    def _tell(self, silenced: Sequence[GroupSilenced], call: Call, tx: Transaction) -> str | None:
        """Tell of these silences; what else the one who asked should know."""
        groups = [tx.group(event.subject) for event in silenced]
        alone = [one.id for one in groups if one.receiver in self.receivers and not matched(one)]
        return tell_of(silenced, alone, call, tx) if silenced else None

    # What time brings.

    def follow(self, event: Event, tx: Transaction) -> None:
        """An alert is silenced, or not any more: set the clocks for that, and let Alertmanager know."""
        group = tx.group(event.subject)
        tx.cancel_timer(REMIND, group.id)
        if group.silenced_until is not None:
            # By length, and not by the wall clock, which may be set while everybody relies on the silence to end.
            left = max(group.silenced_until - tx.now, timedelta(0))
            tx.set_timer(END, group.id, after=left)
            if self.warn and left > self.warn and _length(event, tx) >= 2 * self.warn:
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
        who, at = group.silenced_by, clock(until, group.silenced_by, tx)
        same = [one for one in _silenced_with(group, tx) if one.silenced_by == who and one.fires]
        due = [one for one in same if one is group or tx.timer_is_set(REMIND, one.id)]
        for one in due:
            tx.cancel_timer(REMIND, one.id)
        remind(who, due, f"at {at} (your silence ends)", tx)

    def end(self, timer: Timer, tx: Transaction) -> None:
        """The silence has lasted as long as it should; and so have those that the same word began."""
        group = tx.find_group(timer.key)
        if group is not None and group.state is GroupState.SILENCED:
            end_all([one.end_silence(tx.now, because=OVER) for one in _silenced_with(group, tx)], tx)

    # What Alertmanager is told.

    async def push(self, timer: Timer, tocsin: Tocsin) -> None:
        """Bring Alertmanager to keep what holds here."""
        await push(timer.key, self.receivers, tocsin)


def _standing(subject: str, tx: Transaction) -> Standing:
    return Standing.of(entry.event for entry in tx.story(subject, TELLING))


def _asked(words: Sequence[str], call: Call, tx: Transaction) -> Asked:
    return Asked.read(words, tx.now, tx.person(call.by).timezone)


def _named(alerts: str, call: Call, tx: Transaction, fitting: Iterable[GroupState]) -> Iterable[str]:
    return meant(replace(call, words={"ALERT": alerts}), tx, set(fitting))


def _silence(
    group: AlertGroup, length: timedelta, because: str, call: Call, tx: Transaction
) -> GroupSilenced:
    return tx.record(group.silence(call.by, tx.now, tx.now + length, because))


def _silenced_with(group: AlertGroup, tx: Transaction) -> list[AlertGroup]:
    """What is silenced until the same instant, by the same word therefore: the group itself, and some with it."""
    found = [one for one in tx.open_groups() if one.silenced_until == group.silenced_until]
    begin = found.index(group) // MOST_AT_ONCE * MOST_AT_ONCE
    return found[begin : begin + MOST_AT_ONCE]


def _length(event: Event, tx: Transaction) -> timedelta:
    """For how long a group is silenced by that event, or was last."""
    if isinstance(event, GroupSilenced):
        return event.until - event.at
    return _standing(event.subject, tx).length


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
