"""The Matrix network: it follows the stream, is in its rooms, speaks when it is its turn, and comes back when it must."""

import asyncio
import contextlib
import logging
import random
import secrets
from collections import defaultdict
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from tocsin.domain.finding import Finding
from tocsin.domain.message import Message, Place
from tocsin.domain.words import first_few
from tocsin.errors import NetworkError
from tocsin.networks.base import Listener, Rank
from tocsin.networks.knocking import Knocking
from tocsin.networks.matrix.account import Account
from tocsin.networks.matrix.arrivals import Arrivals
from tocsin.networks.matrix.client import Client
from tocsin.networks.matrix.examining import Examining
from tocsin.networks.matrix.gate import Gate
from tocsin.networks.matrix.hearing import Hearing
from tocsin.networks.matrix.inviting import Inviting
from tocsin.networks.matrix.joining import Joining
from tocsin.networks.matrix.making import Making
from tocsin.networks.matrix.replies import SHUT_OUT, LoggedOut, MatrixError
from tocsin.networks.matrix.rooms import World
from tocsin.networks.matrix.sending import Sending
from tocsin.networks.matrix.syncing import Stream

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

SHORT_LIFE = 20.0
"""A connection that lasts no longer than so many seconds counts as one that failed."""

LATER = timedelta(seconds=5)
LEAST_PAUSE = 1.0
"""Whatever happens, no more than one try in so many seconds."""

ENTER_WITHIN = 10.0
"""How many seconds the rooms have to let us in before we talk in those that did."""

CHORES_EVERY = 1.0
"""In so many seconds there is one try to join a room, or to invite somebody."""

LOGIN_EVERY = 60
"""After so many seconds it is tried whether the homeserver takes the same token after all; a new one is seen at once."""

TAPS_AGAIN = 5.0
MOST_TAPS = 360
"""After so many seconds, and so often, it is tried again to put what need only be tapped on a page: for half an hour."""

MOST_NAMED = 10
"""So many of those who can't read what is said are named in one line."""

_NO_MATTER = {"M_FORBIDDEN", "M_NOT_FOUND"}
"""Where taps can't be put, and trying again would not help."""


class Matrix:
    """One account on one homeserver."""

    send_for = timedelta(seconds=45)
    deaf_while_away = False
    edits = True
    sees = True
    makes_rooms = True

    def __init__(
        self,
        name: str,
        account: Account,
        *,
        accounts: Collection[str],
        rooms: Collection[str],
        now: Callable[[], datetime],
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """accounts: those of the people. rooms: all that we are to be in, beside the settings' own."""
        self.name = name
        self._account = account
        self._settings = account.settings
        self._people = dict.fromkeys(accounts)
        self._knocking = Knocking(jitter, least=LEAST_PAUSE)
        self._client = Client(account)
        self._world = World(name, self._settings.user, [self._settings.room, *rooms])
        gate = Gate(self._settings.burst, self._settings.pace)
        self._sending = Sending(name, self._client, self._world, gate, tell=self._tell, now=now)
        self._inviting = Inviting(name, self._client, self._world, gate, people=self._people.keys)
        self._making = Making(name, self._client, self._world, gate, tell=self._tell)
        self._arrivals = Arrivals(self._world)
        self._joining = Joining(name, self._client, self._world, self._people, self._tell)
        self._hearing = Hearing(name, self._client, self._world, self._people, say=self._answer, now=now)
        self._examining = Examining(
            name, self._settings, self._client, self._world, gate, people=self._people.keys()
        )
        self._stream = Stream(
            name, self._client, self._world, self._hearing, arrivals=self._arrivals, on_left=self._left
        )
        self._listener: Listener
        self._up = False
        self._why = "not connected yet"
        self._here: set[str] = set()
        self._blind: set[str] = set()
        self._expelled: asyncio.Future[MatrixError] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._chores = asyncio.Event()

    async def run(self, listener: Listener) -> None:
        """Be there until cancelled."""
        self._listener = listener
        told = ""
        try:
            while True:
                self._why, asked, shut_out = await self._once()
                self._up = False
                listener.down(self.name, self._why)
                if shut_out:
                    if told != self._why:
                        self._tell(f"{self.name} is {self._why}")
                    told = self._why
                    await self._wait_for_login()
                else:
                    told = ""
                    await asyncio.sleep(self._knocking.pause(asked))
        finally:
            await self._end(listener)

    async def prove(self) -> None:
        """Send our own device something, which comes back over the stream: no room and nobody else sees it.

        Raises NetworkError.
        """
        if not self._up:
            raise NetworkError(f"not connected: {self._why}", unsent=True)
        try:
            await self._stream.prove(secrets.token_hex(16))
        except LoggedOut as error:
            self._expel(error)
            raise

    async def examine(self) -> Sequence[Finding]:
        """Whether the account and its rooms are as they must be. Raises NetworkError."""
        return await self._ask(self._examining.examine())

    async def _end(self, listener: Listener) -> None:
        self._up = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(Exception):
            async with asyncio.timeout(0.5):
                await self._stream.stop(listener)
        await self._client.close()

    async def _once(self) -> tuple[str, timedelta | None, bool]:
        """Connect, and be there until the connection is lost.

        Why; how long to leave the server in peace; whether somebody has to log in.
        """
        loop = asyncio.get_running_loop()
        began: float | None = None
        self._expelled = loop.create_future()
        try:
            await self._client.open()
            await self._client.call("GET", "/account/whoami")
            began = loop.time()
            await self._client.ready()
            await self._joining.resolve()
            await self._be_there(self._expelled)
        except LoggedOut as error:
            return f"logged out: {error}", None, True
        except NetworkError as error:
            if isinstance(error, MatrixError) and error.code in SHUT_OUT:
                return f"logged out: {error}: say tocsin matrix login", None, True
            if began is None:
                return str(error), error.retry_after, False
            short = loop.time() - began < SHORT_LIFE
            return str(error), error.retry_after or (LATER if short else timedelta(0)), False
        raise AssertionError("nobody leaves without a reason")

    async def _wait_for_login(self) -> None:
        """Until the account's token is another one; no request is made meanwhile."""
        for _ in range(LOGIN_EVERY):
            if await asyncio.to_thread(self._account.changed):
                break
            await asyncio.sleep(1)

    async def _be_there(self, expelled: asyncio.Future[MatrixError]) -> None:
        """Listen, and look after rooms. Raises LoggedOut, NetworkError when that ends."""
        deadline = asyncio.get_running_loop().time() + ENTER_WITHIN
        await self._stream.connect(self._listener)
        chores = asyncio.create_task(self._look_after(deadline))
        try:
            while True:
                self._changed(deadline)
                following = asyncio.ensure_future(self._stream.go_on(self._listener))
                try:
                    waits: list[asyncio.Future[Any]] = [following, expelled]
                    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                    if expelled.done():
                        raise expelled.result()
                    await following
                    self._chores.set()
                finally:
                    following.cancel()
                    await asyncio.gather(following, return_exceptions=True)
        finally:
            chores.cancel()
            await asyncio.gather(chores, return_exceptions=True)

    async def _look_after(self, deadline: float) -> None:
        """One after another, join rooms and invite people."""
        while True:
            self._chores.clear()
            try:
                busy = await self._chore(deadline)
            except LoggedOut as error:
                self._expel(error)
                return
            except Exception:
                busy = True
                log.exception("%s: a chore failed", self.name)
            if busy:
                await asyncio.sleep(CHORES_EVERY)
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(CHORES_EVERY):
                        await self._chores.wait()

    async def _chore(self, deadline: float) -> bool:
        """Do one thing at most; whether there was one."""
        now = asyncio.get_running_loop().time()
        self._changed(deadline)
        self._hearing.complain()
        chore = self._joining.due(now) or (self._inviting.due(now) if self._up else None)
        if chore is not None:
            await chore
        return chore is not None

    def _changed(self, deadline: float) -> None:
        """See who and what is there now, after a sync or a chore."""
        world = self._world
        for room in world.ours:
            world.follow(room)
            if world.joined(room):
                room.why, room.tries = "", 0
        self._joining.invited()
        self._making.looked()
        self._arrivals.tell(self._listener)
        for text in self._client.news:
            self._tell(text)
        self._client.news.clear()
        self._tell_of_blind()
        here = {room.name for room in world.ours if world.joined(room)}
        here |= {account for account in self._people if world.reached(account)}
        tried = all(room.name in here or room.tries for room in world.ours) and not self._joining.expects()
        if self._up and here - self._here:
            self._listener.up(self.name)  # what waits for them goes on
        elif not self._up and (tried or asyncio.get_running_loop().time() > deadline):
            self._up = True
            self._listener.up(self.name)
        self._here = here

    def _tell_of_blind(self) -> None:
        """Each of the people who can't read what is said to them is told of once, until they can again."""
        blind = self._client.blind(self._people.keys())
        why = defaultdict[str, list[str]](list)
        for user in sorted(blind.keys() - self._blind):
            why[blind[user]].append(user)
        for reason, users in why.items():
            names = first_few(users, MOST_NAMED)
            self._tell(f"{names} can't read what I say in encrypted rooms on {self.name}: {reason}")
        self._blind = set(blind)

    def _left(self, room_id: str, why: str) -> None:
        room = self._world.found(room_id)
        if room is not None:
            self._joining.out(room, why, asyncio.get_running_loop().time())

    def _tell(self, text: str) -> None:
        self._listener.tell(text)

    def _expel(self, error: MatrixError) -> None:
        """The homeserver does not let us in any more, wherever that was seen."""
        if self._expelled is not None and not self._expelled.done():
            self._expelled.set_result(error)

    def _look_at(self, error: MatrixError) -> None:
        """What the homeserver refused may be us."""
        if isinstance(error, LoggedOut) or error.code in SHUT_OUT:
            self._expel(error)

    # What is said.

    def _must_be_up(self) -> None:
        """Raises NetworkError."""
        if not self._up:
            raise NetworkError(f"not connected: {self._why}", unsent=True)

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
        """Say it in a room, or to a person in the room that is theirs and ours. Raises NetworkError."""
        self._must_be_up()
        if place.private and not self._world.reached(place.name):
            self._inviting.wanted(place.name)
            self._chores.set()
        try:
            receipt = await self._sending.say(place, message, txn_id, tried=tried, rank=rank, amends=amends)
        except MatrixError as error:
            self._look_at(error)
            raise
        if rank is Rank.PAGE and not amends:
            self.complete(place, message, txn_id, receipt)
        if message.picture is not None and not amends:
            self._later(self._sending.show(place, message.picture, txn_id))
        return receipt

    def complete(self, place: Place, message: Message, txn_id: str, receipt: str) -> None:
        """Put on a page what need only be tapped."""
        if self._settings.reactions and place.private and _is_to_ack(message):
            self._later(self._put_taps(place, receipt, txn_id))

    async def _put_taps(self, place: Place, receipt: str, txn_id: str) -> None:
        """Put them there as soon as there is room; what is there already stays one."""
        for _ in range(MOST_TAPS):
            if not self._up:
                await asyncio.sleep(TAPS_AGAIN)
                continue
            try:
                await self._sending.put_taps(place, receipt, txn_id)
                break
            except LoggedOut:
                raise
            except NetworkError as error:
                if error.permanent or (isinstance(error, MatrixError) and error.code in _NO_MATTER):
                    raise
                wait = error.retry_after.total_seconds() if error.retry_after else 0.0
                log.info("%s: what is to be tapped comes later: %s", self.name, error)
            await asyncio.sleep(max(wait, TAPS_AGAIN))

    def _answer(self, room_id: str, text: str, event_id: str, txn_id: str) -> None:
        self._later(self._sending.answer(room_id, text, event_id, txn_id))

    def _later(self, what: Coroutine[Any, Any, None]) -> None:
        """Do something beside all else; no matter if it fails."""

        async def done() -> None:
            try:
                await what
            except LoggedOut as error:
                self._expel(error)
            except NetworkError as error:
                log.info("%s: left out: %s", self.name, error)
            except Exception:
                log.exception("%s: left out", self.name)

        task = asyncio.create_task(done())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Rooms of our own.

    async def make_room(self, name: str, title: str, accounts: Collection[str]) -> str:
        """Make a room for one matter, invite-only and encrypted, or find the one that we made. Raises NetworkError."""
        return await self._ask(self._making.make(name, title, accounts))

    async def invite(self, room: str, account: str) -> None:
        """Invite somebody there. Raises NetworkError."""
        await self._ask(self._making.invite(room, account))

    async def entitle(self, room: str, title: str) -> None:
        """It is about this from now on. Raises NetworkError."""
        await self._ask(self._making.entitle(room, title))

    async def _ask(self, what: Coroutine[Any, Any, Answer]) -> Answer:
        with contextlib.closing(what):
            self._must_be_up()
            try:
                return await what
            except MatrixError as error:
                self._look_at(error)
                raise

    def be_in(self, rooms: Collection[str]) -> None:
        """Listen there, and in no other room of our own but what was made just now."""
        self._world.be_in(rooms)
        self._chores.set()

    # Who there is.

    def know(self, accounts: Mapping[str, str]) -> None:
        """Take these for the accounts of the people; who is new is invited."""
        self._people.clear()
        self._people.update(dict.fromkeys(accounts))
        self._chores.set()

    def reaches(self, account: str) -> bool:
        """Whether somebody is in their private room."""
        return self._up and self._world.reached(account)


def _is_to_ack(message: Message) -> bool:
    """Whether what to type next is an ack, whatever the prefix of commands."""
    word = message.command.split(" ")[0].lower()
    return word.endswith("ack") and not word.removesuffix("ack").isalpha()
