"""Pings: what other people's programs call to say that they are alive, each by a key that it alone has."""

from collections.abc import Callable
from dataclasses import dataclass

from tocsin.transaction import Transaction


@dataclass(frozen=True)
class Ping:
    """What is called at `/PATH/KEY` or `/PATH/KEY/WORD`, by GET, HEAD or POST.

    path: one word. find: gets the key; whose it is, or None for nobody's. Pure, and as fast for a key that is none. take: gets
    whose it is, the word (or nothing), what was sent along, and a turn. Raises BadPayload for a word that it does not know.
    """

    path: str
    find: Callable[[str], str | None]
    take: Callable[[str, str, str, Transaction], None]


class PingsByPath(dict[str, Ping]):
    """All of them."""
