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
    OverrideEnded,
    PersonPaged,
    Reaction,
    Refused,
    TimerKind,
    Transaction,
    hookimpl,
    on,
    spelled,
)
from tocsin_handoff import events
from tocsin_handoff.offering import GIVE, OFFER, SWAP, Offering, open_offers
from tocsin_handoff.overriding import USAGE as OVERRIDE
from tocsin_handoff.overriding import Overriding
from tocsin_handoff.taking import HOLD, TAKE, Taking


@dataclass(frozen=True)
class Handoff:
    """Lets people hand over the pager in chat.

    default: for how long somebody takes or gives it, if they don't say. longest: for how long at most; what is planned
    may be longer. undo: how long somebody from whom it was taken may have it back at once. answer: how long somebody has
    to accept what was offered.
    """

    default: Duration = timedelta(hours=1)
    longest: Duration = timedelta(days=1)
    undo: Duration = timedelta(seconds=30)
    answer: Duration = timedelta(minutes=15)

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

    @hookimpl
    def register_events(self) -> Iterable[type[Event]]:
        return events.EVENTS

    @hookimpl
    def register_reactions(self) -> Iterable[Reaction[Any]]:
        taking = self._taking
        return [on(PersonPaged, taking.absorb), on(OverrideEnded, taking.over)]

    @hookimpl
    def register_timers(self) -> Iterable[TimerKind]:
        return [TimerKind(OFFER, self._offering.lapse)]

    @hookimpl
    def register_commands(self) -> Iterable[Command]:
        taking, offering = self._taking, self._offering
        overriding = Overriding(offering)
        words = "[WORDS…]"
        return [
            Command(
                TAKE,
                taking.take,
                "I have the pager now, with all that rings",
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
        offering = self._offering
        words = {"accept": offering.accept, "ack": offering.accept, "decline": offering.decline}
        return [Answers(HANDOFF, words, _waiting)]


def _waiting(call: Call, tx: Transaction) -> Sequence[str]:
    """What was offered to the speaker; by a bare `ack` people mean what rings."""
    found = open_offers(call.by, tx) if call.name != "ack" else []
    if not found:
        raise Refused("nobody waits for an answer of yours")
    return found
