"""What every chat network is to the rest of Tocsin."""

from collections.abc import Mapping
from datetime import timedelta
from enum import IntEnum
from typing import Protocol

from tocsin.domain.message import Line, Message, Place


class Rank(IntEnum):
    """What goes first where more waits for one network than it lets out at once, in whatever place it is said."""

    PAGE = 0
    """Somebody is to wake up, or must know this before anything else."""
    ANSWER = 1
    STATUS = 2
    NEWS = 3
    EDIT = 4
    """What was said is put right; whoever needs to know is told besides."""


class Listener(Protocol):
    """Whom a network tells what it hears, and how it stands."""

    async def heard(self, line: Line) -> None:
        """Take a line. When this returns, the line is kept: it takes effect once, whatever crashes."""

    def wants(self, text: str, *, private: bool, us: str = "") -> bool:
        """Whether it matters who says this: only then need a network find out, where that costs something.

        us: what we are called there, as in `Line`.
        """

    def tell(self, text: str) -> None:
        """Say something that people must know in the rooms where all alerts are told."""

    def up(self, network: str) -> None:
        """The network takes messages from now on."""

    def down(self, network: str, reason: str) -> None:
        """The network takes none until `up`; the reason is for people."""


class Network(Protocol):
    """One chat network: it hears, it speaks, and it keeps its own limits.

    It never sees a row of the store, and decides nothing.
    """

    name: str
    send_for: timedelta
    """How long one message may take before its answer counts as lost."""
    deaf_while_away: bool
    """Whether what is said while it is down is never heard."""

    async def run(self, listener: Listener) -> None:
        """Be there until cancelled: connect, listen, and connect again when the link is lost.

        Returns only if there will never be anything to hear again; `send` may work on nonetheless.
        """

    async def send(self, place: Place, message: Message, txn_id: str, *, again: bool, rank: Rank) -> str:
        """Say a message, and return the receipt: that the network took it, in its own words.

        txn_id: the same for each try of one message; a network that can makes them one.
        again: an earlier try may have been seen, so one that can't makes them recognisable.
        rank: what goes first among all that is to be said at the same time; where nothing waits, it is no matter.
        Raises NetworkError, `unsent` if surely nobody can have seen it. Cancelled, it may have been seen.
        """

    def know(self, accounts: Mapping[str, str]) -> None:
        """From now on these are the people's accounts here: account -> the person's name."""

    def reaches(self, account: str) -> bool:
        """Whether something said to this account in private would be taken now, as far as is known."""
