"""An answer: it is given where it was asked for; what is long, in private."""

from collections.abc import Sequence
from dataclasses import replace

from tocsin.domain.message import Line, Message
from tocsin.domain.words import counted
from tocsin.store.outbox import Lane
from tocsin.transaction import Transaction

MOST_IN_ROOM = 4
"""An answer with more lines is given in private; strangers get so many."""


def answer(line: Line, by: str, said: Message | str | None, tx: Transaction) -> None:
    """Say it, if it is anything. by: who asked; empty for a stranger."""
    if said:
        message = Message(said) if isinstance(said, str) else said
        if len(message.lines) >= MOST_IN_ROOM and not line.place.private:
            message = _shorter(line, by, message, tx)
        tx.say(line.place, message, lane=Lane.ANSWER)


def _shorter(line: Line, by: str, message: Message, tx: Transaction) -> Message:
    """What of a long answer is said in the room; the people that we know get all of it in private."""
    if by:
        theirs = replace(line.place, name=line.account or line.claimed, private=True)
        tx.say(theirs, message, lane=Lane.ANSWER)
        rest = " \u2026 I told you the rest in private"
        return replace(
            message,
            text=f"{message.text}{rest}",
            brief=f"{message.brief}{rest}" if message.brief else "",
            lines=(),
            brief_lines=(),
        )
    kept = MOST_IN_ROOM - 1
    return replace(message, lines=_first(kept, message.lines), brief_lines=_first(kept, message.brief_lines))


def _first(kept: int, lines: Sequence[str]) -> tuple[str, ...]:
    more = len(lines) - kept
    return (*lines[:kept], f"\u2026 and {counted(more, 'more line')}") if more > 0 else tuple(lines)
