"""What every chat network is to the rest of Tocsin."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Protocol, runtime_checkable

from tocsin.domain.finding import Finding
from tocsin.domain.message import Line, Message, Place
from tocsin.errors import NetworkError


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

    async def position(self, network: str) -> str:
        """Where the network's stream stood; empty at first."""

    async def moved(self, network: str, position: str) -> None:
        """All up to that position was heard, and is kept."""

    def wants(self, text: str, *, private: bool, us: str = "") -> bool:
        """Whether it matters who says this: only then need a network find out, where that costs something.

        us: what we are called there, as in `Line`.
        """

    def tell(self, text: str) -> None:
        """Say something that people must know in the rooms where all alerts are told."""

    def seen(self, place: Place, receipt: str, at: datetime) -> None:
        """Whoever is called in that private place has seen all that was said there up to the message with that receipt."""

    def came(self, place: Place, account: str) -> None:
        """Somebody with this account has come to a room of our own; not those whom we find there when we come."""

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
    edits: bool
    """Whether what was said can be put right."""
    sees: bool
    """Whether it tells when somebody has seen what was said to them in private."""
    makes_rooms: bool
    """Whether it can make rooms of our own."""

    async def run(self, listener: Listener) -> None:
        """Be there until cancelled: connect, listen, and connect again when the link is lost.

        Returns only if there will never be anything to hear again; `send` may work on nonetheless.
        """

    async def send(
        self,
        place: Place,
        message: Message,
        txn_id: str,
        *,
        tried: datetime | None,
        rank: Rank,
        amends: str = "",
    ) -> str:
        """Say a message, and return the receipt: that the network took it, in its own words.

        txn_id: the same for each try of one message; a network that can makes them one.
        tried: when it was first to be said, if a try of it may have been seen; a network that can't make them one makes
        them recognisable. None: surely none was.
        rank: what goes first among all that is to be said at the same time; where nothing waits, it is no matter.
        amends: the receipt of the message in whose place this one stands from now on, where `edits`.
        Raises NetworkError, `unsent` if surely nobody can have seen it. Cancelled, it may have been seen.
        """

    def complete(self, place: Place, message: Message, txn_id: str, receipt: str) -> None:
        """Put there again what goes with a page that it took before the daemon was started anew; it may be missing."""

    def know(self, accounts: Mapping[str, str]) -> None:
        """From now on these are the people's accounts here: account -> the person's name."""

    def reaches(self, account: str) -> bool:
        """Whether something said to this account in private would be taken now, as far as is known."""

    async def make_room(self, name: str, title: str, accounts: Collection[str]) -> str:
        """Make a room into which only invited people come, and invite these; the room's name, as in `Place`.

        name: short, such as `inc-42`; asked again for the same name, as after a crash, it is the same room, if that is ours
        (never one that somebody else made by that name: that one is hostile until proven otherwise).
        title: what it is about, in one line; it is set anew if the room is there already.
        Raises NetworkError, `permanent` if the server never lets us make rooms.
        """

    async def invite(self, room: str, account: str) -> None:
        """Invite somebody to a room that we made; nothing happens if they are there. Raises NetworkError."""

    async def entitle(self, room: str, title: str) -> None:
        """What a room that we made is about is another from now on. Raises NetworkError."""

    def be_in(self, rooms: Collection[str]) -> None:
        """From now on these are the rooms of our own where we are to be, beside those of the configuration.

        One that is being made, or was and is not among them yet, stays what it is.
        """


@runtime_checkable
class Proves(Protocol):
    """What a network has besides where it can say something to itself."""

    async def prove(self) -> None:
        """Say something to ourselves that nobody else sees; returns once it has come back over what we read.

        Raises NetworkError. It may wait for ever: whoever asks bounds it.
        """


@runtime_checkable
class Examines(Protocol):
    """What a network has besides that can tell whether it is set up as it must be."""

    async def examine(self) -> Sequence[Finding]:
        """Look at rooms, rights, encryption and who proves who speaks, unseen by people. Raises NetworkError."""


class MakesNoRooms:
    """What a network that makes no rooms of our own has in the place of that."""

    makes_rooms = False

    async def make_room(self, name: str, title: str, accounts: Collection[str]) -> str:  # noqa: ARG002
        """Raises NetworkError."""
        raise NetworkError(f"{name}: no rooms are made here", permanent=True, unsent=True)

    async def invite(self, room: str, account: str) -> None:  # noqa: ARG002
        """Raises NetworkError."""
        raise NetworkError(f"{room}: no rooms are made here", permanent=True, unsent=True)

    async def entitle(self, room: str, title: str) -> None:  # noqa: ARG002
        """Raises NetworkError."""
        raise NetworkError(f"{room}: no rooms are made here", permanent=True, unsent=True)

    def be_in(self, rooms: Collection[str]) -> None:
        """There are none."""
