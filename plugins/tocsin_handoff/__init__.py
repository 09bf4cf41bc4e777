"""Handoff: who has the pager passes it on in a line, with what rings."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tocsin.api import (
    HANDOFF,
    Answers,
    Call,
    Command,
    Duration,
    Event,
    GroupAcknowledged,
    OnCallChanged,
    OverrideEnded,
    OverrideSet,
    Reaction,
    Refused,
    TimerKind,
    Transaction,
    hookimpl,
    on,
    spelled,
)
from tocsin_handoff import events
from tocsin_handoff.ahead import PLAN, WARN, Ahead
from tocsin_handoff.events import PagerTaken
from tocsin_handoff.offering import GIVE, OFFER, SWAP, Offering, open_offers
from tocsin_handoff.overriding import USAGE as OVERRIDE
from tocsin_handoff.overriding import Overriding
from tocsin_handoff.taking import HOLD, TAKE, Taking
from tocsin_handoff.turnover import CONFIRM, NOTE, Turnover, shift_of, waiting_for


@dataclass(frozen=True)
class Handoff:
    """Lets people hand over the pager in chat.

    default: for how long somebody takes or gives it, if they don't say. longest: for how long at most; what is planned
    may be longer. undo: how long somebody from whom it was taken may have it back at once. answer: how long somebody has
    to accept what was offered. confirm: how long somebody whose shift begins has to accept it before their team hears of
    it; "0s" if nobody is to be asked. warn: how long before their shift begins people are told.
    """

    default: Duration = timedelta(hours=1)
    longest: Duration = timedelta(days=1)
    undo: Duration = timedelta(seconds=30)
    answer: Duration = timedelta(minutes=15)
    confirm: Duration = timedelta(minutes=15)
    warn: tuple[Duration, ...] = (timedelta(days=1), timedelta(hours=1))

    def __post_init__(self) -> None:
        if not timedelta(minutes=1) <= self.default <= self.longest:
            raise ValueError(
                f"default is {spelled(self.default)}: it must be at least 1m, "
                f"and at most longest, which is {spelled(self.longest)}"
            )
        if not self.answer:
            raise ValueError("answer leaves no time to accept")

    @property
    def _taking(self) -> Taking:
        return Taking(self.default, self.longest, self.undo)

    @property
    def _offering(self) -> Offering:
        return Offering(self.default, self.longest, self.answer)

    @property
    def _turnover(self) -> Turnover:
        return Turnover(self.confirm)

    @property
    def _ahead(self) -> Ahead:
        return Ahead(self.warn)

    @hookimpl
    def register_events(self) -> Iterable[type[Event]]:
        return events.EVENTS

    @hookimpl
    def register_reactions(self) -> Iterable[Reaction[Any]]:
        taking, turnover, ahead = self._taking, self._turnover, self._ahead
        return [
            on(OverrideEnded, taking.over),
            on(OnCallChanged, turnover.changed),
            on(GroupAcknowledged, turnover.answered),
            on(PagerTaken, turnover.taken),
            on(OverrideSet, ahead.changed),
            on(OverrideEnded, ahead.changed),
        ]

    @hookimpl
    def register_timers(self) -> Iterable[TimerKind]:
        return [
            TimerKind(OFFER, self._offering.lapse),
            TimerKind(CONFIRM, self._turnover.ask_again),
            TimerKind(PLAN, self._ahead.plan, at_start=True),
            TimerKind(WARN, self._ahead.warn),
        ]

    @hookimpl
    def register_commands(self) -> Iterable[Command]:
        taking, offering = self._taking, self._offering
        overriding, turnover = Overriding(offering), self._turnover
        words = "[WORDS…]"
        return [
            Command(
                TAKE,
                taking.take,
                "I have the pager, with all that rings",
                often=True,
                expires=True,
                grammar=f"take {words}",
            ),
            Command(
                GIVE, offering.give, "ask somebody to take your pager", expires=True, grammar=f"give {words}"
            ),
            Command(
                HOLD,
                taking.hold,
                "shield somebody: their pages come to you",
                expires=True,
                grammar=f"hold {words}",
            ),
            Command("undo [HANDOFF]", taking.undo, "have the pager back that was taken from you"),
            Command(SWAP, offering.swap, "swap shifts with somebody", expires=True, grammar=f"swap {words}"),
            Command(NOTE, turnover.note, "leave a note for whoever comes next", grammar=f"handoff {words}"),
            Command(
                OVERRIDE,
                overriding.override,
                "who is on call for a while; override list, override cancel ID",
                also=("overrides",),
                expires=True,
                grammar=f"override {words}",
            ),
        ]

    @hookimpl
    def register_answers(self) -> Iterable[Answers]:
        words = {"accept": self.accept, "ack": self.accept, "decline": self._offering.decline}
        return [Answers(HANDOFF, words, _waiting)]

    def accept(self, call: Call, ids: Sequence[str], tx: Transaction) -> str:
        """Take what was offered, or is one's turn."""
        said = [
            self._turnover.accept(call, one, tx)
            if shift_of(one, tx)
            else self._offering.accept(call, one, tx)
            for one in ids
        ]
        return "; ".join(said)


def _waiting(call: Call, tx: Transaction) -> Sequence[str]:
    """What the speaker was asked; by a bare `ack` people mean what rings, and whose turn it is can't be declined."""
    offers = open_offers(call.by, tx) if call.name != "ack" else []
    found = [*offers, *(waiting_for(call.by, tx) if call.name == "accept" else [])]
    if not found:
        raise Refused("nobody waits for an answer of yours")
    return found
