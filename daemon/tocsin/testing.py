"""For tests, anyone's: a running Tocsin with a clock that is wound by hand, and a network in the same process."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tocsin.backups import open_database
from tocsin.config import Address, Config
from tocsin.config.tables import Web
from tocsin.core import Tocsin
from tocsin.daemon import Daemon
from tocsin.domain.message import Line, Message, Place
from tocsin.errors import NetworkError
from tocsin.networks.base import Listener, Network, Rank
from tocsin.plugins import Declared
from tocsin.store import State

SETTLED_WITHIN = 60.0
"""How many seconds of real time the daemon has to come to rest."""


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = datetime(2026, 11, 21, 3, tzinfo=UTC)) -> None:
        """now: what the wall clock shows at first."""
        self.boot_id = "test"
        self._now = now
        self._boot = timedelta(hours=1)
        self._alarms: dict[str, tuple[datetime, Callable[[], None]]] = {}
        self._ticks: dict[str, Callable[[], None]] = {}

    def now(self) -> datetime:
        return self._now

    def boot(self) -> timedelta:
        return self._boot

    def wake_at(self, name: str, at: datetime, call: Callable[[], None]) -> None:
        self._alarms[name] = (at, call)

    def every(self, name: str, period: timedelta, call: Callable[[], None]) -> None:  # noqa: ARG002 (called whenever time moves)
        self._ticks[name] = call

    def close(self) -> None:
        self._alarms.clear()
        self._ticks.clear()

    def next_alarm(self) -> timedelta | None:
        """How long until the next alarm."""
        return min((max(at - self._now, timedelta(0)) for at, _ in self._alarms.values()), default=None)

    def move(self, length: timedelta) -> None:
        """Time passes; what is due is called."""
        self._now += length
        self._boot += length
        due = [name for name, (at, _) in self._alarms.items() if at <= self._now]
        calls = [self._alarms.pop(name)[1] for name in due]
        for call in [*calls, *self._ticks.values()]:
            call()

    def step(self, length: timedelta) -> None:
        """Somebody sets the wall clock; no time passes."""
        self._now += length
        for call in list(self._ticks.values()):
            call()

    def reboot(self) -> None:
        """The machine starts anew: the boot clock begins again."""
        self.boot_id += "'"
        self._boot = timedelta(0)


@dataclass(frozen=True)
class Said:
    """Something that a network was given to say."""

    place: Place
    message: Message
    txn_id: str
    again: bool
    rank: Rank
    amends: str = ""

    def __str__(self) -> str:
        return "\n".join(self.message.all_lines())


@dataclass
class MadeRoom:
    """A room that a network made. title: what it is about now. invited: the accounts, each as often as it was."""

    title: str
    invited: list[str] = field(default_factory=list)


@dataclass
class Loudspeaker:
    """A network in the same process: it keeps what it is given to say.

    fails: what to raise for a message, if anything; `after_saying`: raised once it was heard all the same. unseen: the
    accounts that it knows to be nowhere. completed: the pages that it was to complete. made: the rooms that it made, by name.
    own_rooms: those of our own where it is to be. rooms_fail: raised for all that is asked of these.
    """

    name: str
    accounts: Mapping[str, str] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)
    fails: Callable[[Said], Exception | None] = lambda _: None
    answer_lost: bool = False
    send_for: timedelta = timedelta(seconds=10)
    deaf_while_away: bool = False
    edits: bool = False
    sees: bool = False
    makes_rooms: bool = True
    listener: Listener | None = None
    lines: int = 0
    unseen: set[str] = field(default_factory=set)
    completed: list[tuple[Place, Message, str, str]] = field(default_factory=list)
    made: dict[str, MadeRoom] = field(default_factory=dict)
    own_rooms: frozenset[str] = frozenset()
    rooms_fail: Exception | None = None

    async def run(self, listener: Listener) -> None:
        """Be there until cancelled."""
        self.listener = listener
        listener.up(self.name)
        await asyncio.Event().wait()

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
        """Keep it, or fail as told to."""
        said = Said(place, message, txn_id, tried is not None, rank, amends)
        error = self.fails(said)
        if error is not None and not self.answer_lost:
            raise error
        self.said.append(said)
        if error is not None:
            raise error
        return str(len(self.said))

    def complete(self, place: Place, message: Message, txn_id: str, receipt: str) -> None:
        self.completed.append((place, message, txn_id, receipt))

    def know(self, accounts: Mapping[str, str]) -> None:
        self.accounts = accounts

    def reaches(self, account: str) -> bool:
        """Everybody is there who is not said to be nowhere."""
        return account in self.accounts and account not in self.unseen

    async def make_room(self, name: str, title: str, accounts: Collection[str]) -> str:
        """`inc-42` becomes `#inc-42`."""
        self._fail_if_told_to()
        room = f"#{name}"
        self.made.setdefault(room, MadeRoom(title)).title = title
        self.made[room].invited.extend(accounts)
        return room

    async def invite(self, room: str, account: str) -> None:
        self._fail_if_told_to()
        self.made[room].invited.append(account)

    async def entitle(self, room: str, title: str) -> None:
        self._fail_if_told_to()
        self.made[room].title = title

    def be_in(self, rooms: Collection[str]) -> None:
        self.own_rooms = frozenset(rooms)

    def _fail_if_told_to(self) -> None:
        if self.rooms_fail is not None:
            raise self.rooms_fail

    def comes(self, account: str, room: str) -> None:
        """Somebody comes to a room; it is taken down once the daemon has come to rest."""
        if self.listener is None:
            raise NetworkError(f"{self.name} does not run")
        self.listener.came(Place(self.name, room), account)

    async def hears(
        self,
        account: str,
        text: str,
        *,
        room: str = "",
        line_id: str = "",
        claimed: str = "",
        us: str = "",
        at: datetime | None = None,
        about: str = "",
        about_id: str = "",
        tapped: bool = False,
        takes_back: str = "",
    ) -> None:
        """Somebody says a line, in a room or in private; when this returns, it is kept.

        claimed: whose name they bear where that proves nothing. us: what we are called there. at: when it was said.
        about, about_id, tapped, takes_back: as in `Line`.
        """
        self.lines += 1
        who = account or claimed
        place = Place(self.name, room) if room else Place(self.name, who, private=True)
        if self.listener is None:
            raise NetworkError(f"{self.name} does not run")
        await self.listener.heard(
            Line(
                line_id or f"line-{self.lines}",
                place,
                account,
                text,
                called=who,
                claimed=claimed,
                us=us,
                at=at,
                about=about,
                about_id=about_id,
                tapped=tapped,
                takes_back=takes_back,
            )
        )

    def texts(self, place: str = "") -> list[str]:
        """What was said, in all places or in one such as `room/#ops`."""
        return [str(each) for each in self.said if not place or str(each.place) == f"{self.name}/{place}"]


@dataclass
class Running:
    """A daemon that runs."""

    daemon: Daemon
    clock: HandClock

    @property
    def tocsin(self) -> Tocsin:
        return self.daemon.tocsin

    async def settled(self) -> None:
        """Wait until there is nothing to do before time passes."""
        daemon = self.daemon
        async with asyncio.timeout(SETTLED_WITHIN):
            rest = 0
            while rest < 3:
                await asyncio.sleep(0 if rest else 0.0005)
                parts = (daemon.ringer, daemon.intake.nudge, daemon.courier, daemon.auditor, daemon.heartbeat)
                idle = all(part.idle for part in parts)
                rest = rest + 1 if idle and not self.tocsin.writer.waiting else 0

    async def advance(self, length: timedelta) -> None:
        """Let time pass, from one alarm to the next; the daemon comes to rest at each."""
        left = length
        await self.settled()
        while (wait := self.clock.next_alarm()) is not None and wait <= left:
            self.clock.move(wait)
            left -= wait
            await self.settled()
        self.clock.move(left)
        await self.settled()


@asynccontextmanager
async def running(
    config: Config,
    folder: Path,
    *,
    declared: Declared | None = None,
    networks: Mapping[str, Network],
    clock: HandClock | None = None,
    path: Path | None = None,
    crash: bool = False,
) -> AsyncIterator[Running]:
    """A daemon with its state in a folder; started again on the same folder, it goes on from there.

    It listens on a port of its own: `daemon.web.address`. path: the file that it reads again when it is told to, which
    has to say so too: `web.listen = "127.0.0.1:0"`.
    crash: at the end it is torn down in the middle, as if it had been killed.
    """
    clock = clock or HandClock()
    config = replace(config, web=Web(Address("127.0.0.1", 0)))
    state = State.open(folder, clock.now())
    in_order = False
    try:
        database = open_database(state, config, clock)
        daemon = Daemon(
            config,
            declared or Declared(),
            clock=clock,
            state=state,
            database=database,
            networks=networks,
            path=path,
        )
        task = asyncio.create_task(daemon.run())
        running = Running(daemon, clock)
        try:
            await running.settled()
            yield running
        finally:
            if crash:
                task.cancel()
                await asyncio.wait([task])
            else:
                daemon.stop()
                in_order = await task == 0
    finally:
        clock.close()
        state.close(in_order=in_order)
