"""The handle to the running daemon: turns, reads, and its parts' way to wake one another."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from tocsin import rooms
from tocsin.clock import Clock
from tocsin.config import Config
from tocsin.domain.event import Event
from tocsin.domain.message import Place
from tocsin.errors import NetworkError, StoreUnavailable
from tocsin.facts import Known
from tocsin.networks.base import Network
from tocsin.people import People
from tocsin.rules import Rules
from tocsin.sources import Source, Sources
from tocsin.store import Database, State, Writer, inbox
from tocsin.store.timers import Now, microseconds
from tocsin.transaction import Transaction

T = TypeVar("T")

MOST_BEGUN = 2
"""What was begun so often after unclean stops, and never ended, is given up: with the first, which was not counted,
the daemon went down three times."""

STORE_PAUSE = timedelta(seconds=0.2)
"""How long to wait for a store that is not available."""


async def until_kept(work: Callable[[], Awaitable[T]]) -> T:
    """Do it, and do it again for as long as the store is not available."""
    while True:
        try:
            return await work()
        except StoreUnavailable:
            await asyncio.sleep(STORE_PAUSE.total_seconds())


class Nudge:
    """Wakes a part of the daemon that works through a table and then waits.

    idle: it found nothing to do, and was not nudged since. passes: how often it came to that. steps: how many parts of its work
    it has done.
    """

    def __init__(self) -> None:
        """Not idle: it has yet to look for the first time."""
        self.idle = False
        self.passes = self.steps = 0
        self._given = asyncio.Event()
        self._passed = asyncio.Event()

    def give(self) -> None:
        """There may be something to do."""
        self.idle = False
        self._given.set()

    async def wait(self) -> None:
        """Nothing is left to do; wait for the next nudge."""
        self.idle = not self._given.is_set()
        self.passes += 1
        self._passed.set()
        await self._given.wait()
        self.idle = False
        self._given.clear()

    def step(self) -> None:
        """A part of the work is done; there may be more."""
        self.steps += 1
        self._passed.set()

    async def whole_pass(self, *, or_step: bool = False) -> None:
        """Wait until it has worked through its table once more, from the beginning.

        or_step: or gets on with what stands there, which in a storm is long.
        """
        wanted, steps = self.passes + (1 if self.idle else 2), self.steps
        while self.passes < wanted and not (or_step and self.steps != steps):
            self._passed.clear()
            self.give()
            await self._passed.wait()


@dataclass(frozen=True)
class Setup:
    """All that a configuration makes of the daemon; another one takes its place as a whole.

    kinds: the events that are known. key: what this daemon signs with.
    """

    config: Config
    kinds: Mapping[str, type[Event]]
    key: bytes
    rules: Rules


class Tocsin:
    """What each part of the daemon holds.

    on_say, on_timer, on_body, on_people, on_rooms, on_setup: called in the event loop after a turn was kept in which something
    was said, a timer was set, a body was kept, people said something new of themselves, a room of our own was made or left, or
    another configuration came to hold. on_kept: called after all these, with the turns that were kept.
    people, setup: everybody, and what holds, as was kept last; for those who can't wait for a turn.
    networks: all that there are, by name.
    """

    def __init__(self, *, clock: Clock, state: State, database: Database, known: Known, rules: Rules) -> None:
        """Start the writer."""
        self.setup = Setup(known.config, known.kinds, known.key, rules)
        self._in_turns = self.setup  # what holds for the writer's thread
        self.clock = clock
        self.state = state
        self.known = known
        self.on_say: Callable[[set[Place]], None] = lambda _: None
        self.on_timer: Callable[[], None] = lambda: None
        self.on_body: Callable[[], None] = lambda: None
        self.on_people: Callable[[People], None] = lambda _: None
        self.on_rooms: Callable[[Iterable[Place]], None] = lambda _: None
        self.on_setup: Callable[[Setup], None] = lambda _: None
        self.on_kept: Callable[[Sequence[Transaction]], None] = lambda _: None
        self.networks: Mapping[str, Network] = {}
        self._making = defaultdict[str, asyncio.Lock](asyncio.Lock)
        self.people = People.of(known.config)
        self._database = database
        self._reader: AsyncEngine | None = None
        self.writer = Writer(
            database.writer, self._begin, committed=self._committed, make_room=state.drop_ballast
        )

    @property
    def config(self) -> Config:
        return self.setup.config

    @property
    def rules(self) -> Rules:
        return self.setup.rules

    @property
    def sources(self) -> Mapping[str, Source]:
        """Where metrics can be read, by name; another object once another configuration holds."""
        return self.setup.rules.of(Sources)

    async def turn(self, run: Callable[[Transaction], T]) -> T:
        """Run a turn: all that it does is kept in one commit, or none of it.

        Raises what the turn raised, or StoreUnavailable. It may be run a second time if the first could not
        be kept, so it touches nothing but what it is given.
        """

        def whole(tx: Transaction) -> T:
            result = run(tx)
            tx.finish()
            return result

        return await self.writer.turn(whole)

    async def must(self, run: Callable[[Transaction], T]) -> T:
        """Run a turn until it is kept, however long the store is not available. Raises what the turn raised."""
        return await until_kept(lambda: self.turn(run))

    def use(self, setup: Setup, tx: Transaction) -> None:
        """From here on that holds: in the rest of this turn, which may undo no part of itself, and in all that follow."""
        setup = replace(setup, rules=replace(setup.rules, breaker=self._in_turns.rules.breaker))
        tx.if_undone = partial(self._hold, self._in_turns)
        tx.once_kept = partial(self._held, setup)
        self._hold(setup)
        tx.rules = setup.rules
        tx.change_people()

    def _hold(self, setup: Setup) -> None:
        """In the writer's thread."""
        self._in_turns = setup
        self.known.config, self.known.kinds, self.known.key = setup.config, setup.kinds, setup.key
        self.known.people = None

    def _held(self, setup: Setup) -> None:
        """In the event loop."""
        self.setup = setup
        self.on_setup(setup)

    async def make_room(
        self, network: str, name: str, title: str, people: Collection[str], about: str
    ) -> Place:
        """Make a room of our own, into which only these people come, and whoever is invited later; where it is.

        Asked again for the same name, as after a crash, it is the same room. name: short, such as `inc-42`. title: what it
        is about, in one line. people: who has no account on that network is left out. about: the id of the subject that it
        is made for. Raises NetworkError.
        """
        makes = self._makes_rooms(network)
        accounts = [account for person in people if (account := self._account(network, person))]
        async with self._making[network]:
            place = Place(network, await makes.make_room(name, title, accounts))
            await self.must(partial(rooms.made, place, about))
        return place

    async def invite(self, place: Place, person: str) -> bool:
        """Invite somebody to a room of our own; False if they have no account on its network. Raises NetworkError."""
        account = self._account(place.network, person)
        if account:
            await self._makes_rooms(place.network).invite(place.name, account)
        return bool(account)

    async def entitle(self, place: Place, title: str) -> None:
        """What a room of our own is about is another from now on. Raises NetworkError."""
        await self._makes_rooms(place.network).entitle(place.name, title)

    async def came(self, place: Place, account: str) -> None:
        """Somebody came to a room; where one is just being made it is taken down only once that is kept as ours."""
        async with self._making[place.network]:
            await self.must(partial(rooms.came, place, account))

    def _makes_rooms(self, network: str) -> Network:
        found = self.networks.get(network)
        if found is None or not found.makes_rooms:
            why = "makes no rooms" if found is not None else "is no network: see [networks]"
            raise NetworkError(f"{network} {why}", permanent=True, unsent=True)
        return found

    def _account(self, network: str, person: str) -> str:
        responder = self.people.by_name.get(person)
        return responder.accounts.get(network, "") if responder is not None else ""

    async def keep_something(self) -> None:
        """Prove that something can be kept. Raises StoreUnavailable."""
        await self.turn(lambda tx: inbox.move(tx.connection, "", ""))  # any write will do

    @property
    def reader(self) -> AsyncEngine:
        """For questions that decide nothing, beside the writer."""
        if self._reader is None:
            self._reader = self._database.reader()
        return self._reader

    def time(self) -> Now:
        """The time on both clocks."""
        return Now(self.clock.now(), microseconds(self.clock.boot()), self.clock.boot_id)

    async def close(self) -> None:
        """Run the turns that wait, and let go of the database."""
        await self.writer.close()
        if self._reader is not None:
            await self._reader.dispose()
        self._database.close()

    def _begin(self, connection: Connection) -> Transaction:
        return Transaction(connection, self.known, self.time(), self._in_turns.rules)

    def _committed(self, turns: Sequence[Transaction]) -> None:
        for tx in turns:
            tx.once_kept()
        for people in (tx.new_people for tx in turns):
            if people is not None:  # before anything is said to them
                self.people = people
                self.on_people(people)
        for made in (tx.new_rooms for tx in turns):
            if made is not None:
                self.on_rooms(made)
        places = set[Place]().union(*(tx.places | tx.amended for tx in turns))
        if places:
            self.on_say(places)
        if any(tx.bodies_kept for tx in turns):
            self.on_body()
        if any(tx.timers_changed for tx in turns):
            self.on_timer()
        self.on_kept(turns)  # last: nobody who is paged waits for what is counted
