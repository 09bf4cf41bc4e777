"""The same done with each of several alerts, and what is answered to who asked for it: one message."""

from collections.abc import Callable, Iterable

from tocsin.domain.group import AlertGroup
from tocsin.domain.message import Message
from tocsin.errors import Refused
from tocsin.listing import MOST_LISTED
from tocsin.transaction import Transaction

Said = Message | str | None


def each(ids: Iterable[str], do: Callable[[AlertGroup], Said], tx: Transaction) -> Message | None:
    """Do it with each of these groups; the answers as one.

    What is refused is said, and keeps nothing else from being done: `do` raises Refused before it has done anything.
    """
    said = list[Said]()
    for named in ids:
        try:
            said.append(do(tx.group(named)))
        except Refused as error:
            said.append(str(error))
    return together(said)


def together(said: Iterable[Said]) -> Message | None:
    """Several answers as one; of very many the first, and how many more there are."""
    messages = [Message(one) if isinstance(one, str) else one for one in said if one]
    if len(messages) < 2:
        return messages[0] if messages else None
    text, *lines = [line for message in messages for line in message.all_lines()]
    brief, *brief_lines = [line for message in messages for line in message.summary().all_lines()]
    return Message(text, lines=_first(lines), brief=brief, brief_lines=_first(brief_lines))


def _first(lines: list[str]) -> tuple[str, ...]:
    left = len(lines) - MOST_LISTED
    return (*lines[:MOST_LISTED], f"\u2026 and {left:,} more") if left > 0 else tuple(lines)
