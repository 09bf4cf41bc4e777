"""`!schedule gaps`: what is wrong with schedules, for who asks."""

from collections.abc import Sequence
from datetime import timedelta

from tocsin.api import (
    Call,
    Message,
    Refused,
    Transaction,
    UsageError,
    bare,
    did_you_mean,
    parse_length,
    spelled,
)
from tocsin_schedules.faults import AHEAD, Plan, reached, unreachable

LONGEST = timedelta(days=731)
MOST_GAPS = 20
"""So many of a schedule are told one by one."""


def ask(call: Call, tx: Transaction) -> Message | str:
    """Say when nobody is on call, and what else is wrong."""
    word, *words = call["WORDS"].split() or [""]
    if bare(word) != "gaps":
        raise UsageError(f"say {tx.typed('schedule gaps [SCHEDULE] [90d]')}")
    names, length = _read(words, tx)
    plans = [Plan.of(name, length, tx) for name in names]
    lines = [line for plan in plans for line in _of(plan.name, plan.gaps())]
    lines += unreachable(plans, reached(tx))
    lines += [line for plan in plans for line in plan.empty_layers(planned=True)]
    if not lines:
        return f"no gap in {spelled(length)}"
    return Message(lines[0], lines=tuple(lines[1:]))


def _read(words: Sequence[str], tx: Transaction) -> tuple[Sequence[str], timedelta]:
    """The schedules that are meant, and how far ahead."""
    schedules = tx.config.schedules
    if not schedules:
        raise Refused("there is no schedule: add [schedules.NAME] to the configuration")
    wanted = list(schedules)
    if words and bare(words[0]) in schedules:
        wanted, words = [bare(words[0])], words[1:]
    try:
        length, taken = parse_length(words)
    except ValueError as error:
        raise UsageError(f"how far ahead {error}") from None
    if words[taken:]:
        odd = words[taken]
        raise Refused(f"no schedule is called {odd!r}{did_you_mean(bare(odd), schedules)}")
    if taken and not timedelta(0) < length <= LONGEST:
        raise UsageError("look ahead from a minute to two years")
    return wanted, length or AHEAD


def _of(name: str, found: Sequence[str]) -> Sequence[str]:
    lines = [f"{name}: {gap}" for gap in found[:MOST_GAPS]]
    more = len(found) - MOST_GAPS
    return [*lines, f"{name}: \u2026 and {more:,} more times"] if more > 0 else lines
