"""The IRC network: joins the rooms, says what is to be said there and to people, and comes back when it must."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from tocsin.domain.finding import Finding
from tocsin.domain.message import Message, Place
from tocsin.domain.oncall import Identity
from tocsin.domain.pace import Pace
from tocsin.errors import NetworkError
from tocsin.networks.base import Listener, Rank
from tocsin.networks.irc import modes
from tocsin.networks.irc.examining import UNTOLD, Examining, tells_accounts
from tocsin.networks.irc.hearing import Hearing
from tocsin.networks.irc.lines import AGAIN, MARKED, checked_key, fold, harmless, joins, line, plain, room_for
from tocsin.networks.irc.link import Link
from tocsin.networks.irc.login import LATER, Login
from tocsin.networks.irc.making import Making
from tocsin.networks.irc.receipts import Refusal
from tocsin.networks.irc.rooms import LASTING, MANY, NO_ENTRY, NOT_THERE, Room, Rooms
from tocsin.networks.irc.settings import IrcSettings
from tocsin.networks.irc.users import WHO_FORM
from tocsin.networks.irc.whereabouts import Whereabouts
from tocsin.networks.irc.wire import Heard
from tocsin.networks.knocking import Knocking

log = logging.getLogger(__name__)

SHORT_LIFE = 20.0
"""A link that lasts no longer than so many seconds counts as one that failed."""

ANSWERED_WITHIN = 60.0
"""How many seconds a server has to answer a JOIN before it is asked again."""

JOIN_WITHIN = 10.0
"""How many seconds the rooms have to let us in before we talk in those that did."""

DECIDED_WITHIN = 3.0
"""For so many seconds after we came to a room a message waits for the server's word on who else can; then it is said
as if anybody could."""

INTRODUCED_WITHIN = 1.0
"""How many seconds we wait for what the server says of itself, such as how many channels it allows."""

WAIT_AT_MOST = 20.0
"""How many seconds a message waits for its turn before the courier has it back."""

NICK_EVERY = 30.0
ROOMS_EVERY = 1.0


class Irc:
    """One IRC network, which is what one or more linked servers make up."""

    send_for = timedelta(seconds=45)
    deaf_while_away = True
    edits = False
    sees = False
    makes_rooms = True

    def __init__(
        self,
        name: str,
        settings: IrcSettings,
        *,
        accounts: Collection[str],
        rooms: Collection[str],
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """accounts: those of the people; nicks where nicks are all there is. rooms: all that we are to be in."""
        self.name = name
        self._settings = settings
        self._accounts = {fold(account): account for account in accounts}
        self._rooms = Rooms([settings.room, *rooms], settings.keys, settings.detail)
        self._knocking = Knocking(jitter)
        self._people = Whereabouts(name, settings.identity, self._accounts)
        self._link: Link | None = None
        self._why = "not connected yet"
        self._up = False
        self._listener: Listener
        self._hearing = Hearing(
            name,
            settings.identity,
            self._accounts,
            self._rooms,
            link=lambda: self._link,
            on_spoke=self._spoke,
        )
        self._making = Making(
            name,
            settings,
            self._accounts,
            self._rooms,
            self._people,
            link=lambda: self._link,
            last_nick=self._last_nick,
            came=self._somebody_came,
        )
        self._examining = Examining(name, settings, self._rooms)
        self._nick_at = 0.0
        self._changed = asyncio.Event()

    async def run(self, listener: Listener) -> None:
        """Be there until cancelled."""
        self._listener = listener
        pace = Pace(self._settings.burst, self._settings.pace, asyncio.get_running_loop().time)
        listening = asyncio.create_task(self._hearing.run(listener))
        try:
            while True:
                self._why, asked = await self._once(pace)
                self._listener.down(self.name, self._why)
                await asyncio.sleep(self._knocking.pause(asked))
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _once(self, pace: Pace) -> tuple[str, timedelta | None]:
        """Connect, and be there until the link is lost; why, and how long to leave the server in peace."""
        loop = asyncio.get_running_loop()
        link: Link | None = None
        try:
            link = self._link = Link(await asyncio.to_thread(self._login), pace, self._take)
            tls = await asyncio.to_thread(self._settings.trust) if self._settings.tls else None
            await link.open(self._settings.server.host, self._settings.server.port, tls)
            began = loop.time()
            why = await self._be_there(link)
        except NetworkError as error:
            return str(error), error.retry_after
        except (ValueError, OSError) as error:
            return str(error), LATER
        else:
            return why, LATER if loop.time() - began < SHORT_LIFE else timedelta(0)
        finally:
            if link is not None:
                await link.close()
            self._forget()

    def _login(self) -> Login:
        """Reads secrets, so in a thread. Raises ValueError if one can't be read."""
        asked, password = self._settings.sasl, self._settings.password
        sasl: Sequence[str] = ()
        if asked is not None and asked.password is not None:
            sasl = ("PLAIN", asked.account, asked.password.reveal())
        elif asked is not None:
            sasl = ("EXTERNAL",)
        nicks = (self._settings.nick, self._settings.second_nick)
        return Login(nicks, password.reveal() if password else "", sasl)

    def _forget(self) -> None:
        """What we knew of others holds no more."""
        self._link = None
        self._up = False
        self._people.forget()
        self._hearing.forget()
        self._making.forget()
        self._rooms.leave_all()

    # What is said.

    async def send(
        self,
        place: Place,
        message: Message,
        txn_id: str,  # noqa: ARG002 (IRC knows no such thing)
        *,
        tried: datetime | None,
        rank: Rank,
        amends: str = "",  # noqa: ARG002 (nor this)
    ) -> str:
        """Say it in a channel, as far as all may read it who can come there, or to every nick of an account.

        Raises NetworkError.
        """
        link = self._there()
        room = None if place.private else await self._decided(self._entered(place.name))
        full = room is None or room.full
        if not full:
            message = message.summary()

        if place.private and fold(place.name) in self._accounts:
            rank = min(rank, Rank.ANSWER)  # a page to them may come behind it

        def fits() -> bool:
            return room is None or not full or room.full

        targets = (
            [room.name]
            if room is not None
            else await self._people.nicks(link, place.name, self._last_nick(place.name))
        )
        results = await asyncio.gather(
            *(
                self._say(link, target, message, again=tried is not None, rank=rank, fits=fits)
                for target in targets
            ),
            return_exceptions=True,
        )
        receipts = [result for result in results if isinstance(result, str)]
        if receipts:
            return ", ".join(receipts)
        errors = [result for result in results if isinstance(result, BaseException)]
        in_doubt = [error for error in errors if not (isinstance(error, NetworkError) and error.unsent)]
        error = [*in_doubt, *errors][0]
        if isinstance(error, Refusal) and place.private and error.retry_after is None:
            for target in targets if error.code == "401" else ():
                self._people.gone(target)
            raise self._people.absent(
                place.name, f"{place.name} can't be reached: {error}", unsent=error.unsent
            )
        if isinstance(error, Refusal) and not place.private:
            self._silenced(place.name, error)
        raise error

    def _silenced(self, name: str, error: Refusal) -> None:
        """A room does not take what we say."""
        room = self._rooms.find(name)
        if error.code in NOT_THERE:
            self._out(name, str(error))
        elif room is not None and room.why != str(error):
            room.why = str(error)
            self._listener.tell(f"I can't speak in {room.name} on {self.name}: {error}")

    async def _say(
        self,
        link: Link,
        target: str,
        message: Message,
        *,
        again: bool,
        rank: Rank,
        fits: Callable[[], bool],
    ) -> str:
        limit = room_for(link.nick, target) - MARKED - (len(AGAIN) if again else 0)
        first, *more = message.all_lines(limit)
        texts = [harmless(text) for text in (f"{AGAIN}{first}" if again else first, *more)]
        spoken = link.say(target, [text for text in texts if text] or ["…"], rank, fits)
        try:
            async with asyncio.timeout(WAIT_AT_MOST):
                await spoken.begun.wait()
        except TimeoutError:
            if not spoken.begun.is_set():
                raise NetworkError("too much is being said", unsent=True) from None
        finally:
            if not spoken.begun.is_set():
                spoken.done.cancel()  # so that it is never begun
        return await spoken.done

    def _there(self) -> Link:
        if self._link is None or not self._up:
            raise NetworkError(f"not connected: {self._why}", unsent=True)
        return self._link

    async def prove(self) -> None:
        """Send ourselves a notice, which comes back through the server. Raises NetworkError."""
        await self._there().prove()

    async def examine(self) -> Sequence[Finding]:
        """Whether channels and accounts are as they must be. Raises NetworkError."""
        return await self._examining.examine(self._there())

    def _last_nick(self, account: str) -> str:
        return self._hearing.last_nick.get(fold(account), account)

    def _entered(self, name: str) -> Room:
        room = self._rooms.find(name)
        if room is None or not room.joined:
            why = "it is none of our rooms" if room is None else room.why
            raise NetworkError(f"not in {name}: {why}", permanent=room is None, unsent=True)
        return room

    def know(self, accounts: Mapping[str, str]) -> None:
        """Take these for the accounts of the people; who was a stranger may be one of them now."""
        self._accounts.clear()
        self._accounts.update((fold(account), account) for account in accounts)
        self._people.other_people()
        self._hearing.forget()

    async def _decided(self, room: Room) -> Room:
        """Wait a moment if we have just come, until it is known how much may be said. Raises NetworkError."""
        left = room.since + DECIDED_WITHIN - asyncio.get_running_loop().time()
        if room.undecided and left > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await room.decided.wait()
        return self._entered(room.name)

    def complete(self, place: Place, message: Message, txn_id: str, receipt: str) -> None:
        """Nothing goes with a page."""

    def reaches(self, account: str) -> bool:
        """Whether somebody with that account, or by that nick, is where we see them."""
        return self._up and fold(account) in self._accounts and self._people.sees(account)

    # Rooms of our own.

    async def make_room(self, name: str, title: str, accounts: Collection[str]) -> str:
        """Make `#NAME`, or another channel if somebody has that. Raises NetworkError."""
        return await self._making.make(name, title, accounts)

    async def invite(self, room: str, account: str) -> None:
        """Invite each nick of theirs, now or once they are seen. Raises NetworkError."""
        await self._making.invite(room, account)

    async def entitle(self, room: str, title: str) -> None:
        """Set the topic. Raises NetworkError."""
        await self._making.entitle(room, title)

    def be_in(self, rooms: Collection[str]) -> None:
        """Join what is new, and leave what is gone."""
        self._making.be_in(rooms)
        self._changed.set()

    # Being there.

    async def _be_there(self, link: Link) -> str:
        """Join, talk, and look after it all; why it ended."""
        loop = asyncio.get_running_loop()
        self._nick_at = loop.time() + NICK_EVERY
        if self._settings.sasl is not None and fold(link.nick) != fold(self._settings.nick):
            link.command(line("PRIVMSG", "NickServ", text=f"REGAIN {self._settings.nick}"))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(INTRODUCED_WITHIN):
                await link.introduced.wait()
        deadline = loop.time() + JOIN_WITHIN
        while not link.ended.done():
            self._changed.clear()
            await self._enter(link, loop.time())
            all_known = all(room.seen or room.tries for room in self._rooms)
            if not self._up and (all_known or loop.time() > deadline):
                if self._settings.identity is Identity.ACCOUNTS and not tells_accounts(link):
                    log.warning("%s: %s; see networks.%s.identity", self.name, UNTOLD, self.name)
                self._go_up()
            self._making.look_after_all(link, loop.time())
            if fold(link.nick) != fold(self._settings.nick) and loop.time() > self._nick_at:
                self._want_nick(link, loop.time())
            changed = asyncio.ensure_future(self._changed.wait())
            waits: list[asyncio.Future[Any]] = [changed, link.ended]
            await asyncio.wait(waits, timeout=ROOMS_EVERY, return_when=asyncio.FIRST_COMPLETED)
            changed.cancel()
        return link.ended.result()

    def _go_up(self) -> None:
        self._up = True
        self._listener.up(self.name)

    async def _enter(self, link: Link, now: float) -> None:
        """Join where we are not and may try, by as few lines as can be."""
        for room in self._rooms.beyond(link.features):
            if room.at <= now:
                self._kept_out(room.name, "405")
        due = [room for room in self._rooms if not room.joined and room.at <= now]
        keys: dict[str, str] = {}
        for room in due:
            room.at = now + ANSWERED_WITHIN  # unless the server answers
            try:
                key = await asyncio.to_thread(room.key.reveal) if room.key is not None else ""
                keys[room.name] = checked_key(key)
            except ValueError as error:
                self._out(room.name, f"{error}: networks.{self.name}.keys")
        with contextlib.suppress(ConnectionError):  # that the link has ended is seen by who called
            for text in joins(keys):
                link.command(text)

    def _want_nick(self, link: Link, now: float) -> None:
        self._nick_at = now + NICK_EVERY
        with contextlib.suppress(ConnectionError):
            link.command(line("NICK", self._settings.nick))

    # What is heard.

    def _take(self, heard: Heard) -> None:
        """Called for each line, in order; must not wait."""
        link = self._link
        if link is None:
            return
        self._follow(heard, link)
        ours = fold(heard.sender) == fold(link.nick)
        match heard.command:
            case "PRIVMSG" | "NOTICE" if not ours:
                self._hearing.take(heard, link)
            case "JOIN" if ours:
                self._joined(heard.word(0), link)
            case "PART" if ours:
                self._out(heard.word(0), "we were sent away")
            case "KICK" if fold(heard.word(1)) == fold(link.nick):
                self._out(heard.word(0), f"{heard.sender} kicked us ({plain(heard.last)})")
            case "QUIT" | "NICK":
                self._nick_is_free(heard.sender, link)
            case "315" | "366":
                self._seen(heard, link)
            case "INVITE":
                self._invited(heard.word(1))
            case code if code in NO_ENTRY and not self._making.kept_out(heard.word(1), code, link):
                self._kept_out(heard.word(1), code)

    def _follow(self, heard: Heard, link: Link) -> None:
        """See who comes and goes: one of them may be somebody for whom there is a page."""
        self._people.follow(heard, link.caps)
        if heard.command in {"324", "MODE"}:
            self._modes(heard, link)
        self._making.follow(heard, link)
        self._examining.follow(heard, link)
        if heard.command in {"ACCOUNT", "NICK", "QUIT"}:
            self._hearing.changed_hands(heard.sender)
        if self._up and self._people.have_come(heard):
            self._listener.up(self.name)  # what waits for them goes on

    def _somebody_came(self, place: Place, account: str) -> None:
        self._listener.came(place, account)

    def _spoke(self, account: str) -> None:
        if self._people.spoke(account) and self._up:
            self._listener.up(self.name)
        if self._link is not None and account in self._hearing.last_nick:
            self._making.guests.seen(self._hearing.last_nick[account], self._link, account)

    def _joined(self, name: str, link: Link) -> None:
        room = self._rooms.find(name)
        if room is None:
            link.command(line("PART", name))  # we go nowhere else, whoever sends us there
            return
        log.info("%s: joined %s", self.name, room.name)
        if not room.made:  # of those it is asked once they are closed
            self._ask_for_modes(room, link)
        if "WHOX" in link.features:
            link.command_some_time(line("WHO", room.name, WHO_FORM))
        room.enter(asyncio.get_running_loop().time())

    def _seen(self, heard: Heard, link: Link) -> None:
        """We know who is in a room: only now it is known where people are."""
        room = self._rooms.find(heard.word(1))
        if room is None or not room.joined or (heard.command == "366" and "WHOX" in link.features):
            return
        first = not room.seen
        room.seen = True
        self._making.all_seen(room, link)
        if first and self._up:
            self._go_up()  # what waited for this room goes on
        self._changed.set()

    def _ask_for_modes(self, room: Room, link: Link) -> None:
        """Whether strangers get in decides how much is said there, unless that is decided already."""
        if room.detail is not None:
            return
        question = line("MODE", room.name)
        if fold(room.name) == fold(self._settings.room):
            link.command(question)  # here the most is said, and pages may be waiting
        else:
            link.command_some_time(question)

    def _modes(self, heard: Heard, link: Link) -> None:
        answer = heard.command == "324"
        room = self._rooms.find(heard.word(1 if answer else 0))
        if room is None or not room.joined:
            return
        if answer:
            room.learn(modes.told(heard.word(2)))
        elif room.closing is not None:  # else it is asked for already
            closing = modes.changed(room.closing, heard.words[1:], link.features)
            room.learn(closing)
            if closing is None:
                self._ask_for_modes(room, link)
        if room.closing is not None and room.told != room.full and room.detail is None:
            room.told = room.full
            sort, told = ("closed", "full") if room.full else ("open", "short")
            text = f"{sort}: alerts are told there in {told}; see networks.{self.name}.detail"
            log.info("%s: %s is %s", self.name, room.name, text)

    def _out(self, name: str, why: str) -> None:
        self._people.closed(name)
        room = self._rooms.find(name)
        if room is None:
            return
        if room.stay_out(why, asyncio.get_running_loop().time()):
            log.warning("%s: not in %s: %s", self.name, room.name, why)
            self._listener.tell(f"I am not in {room.name} on {self.name}: {why}")
        self._changed.set()

    def _kept_out(self, name: str, code: str) -> None:
        room = self._rooms.find(name)
        if room is not None and not room.joined:
            room.tries = MANY if code in LASTING else room.tries
            self._out(name, NO_ENTRY[code])

    def _invited(self, name: str) -> None:
        room = self._rooms.find(name)
        if room is not None and not room.joined:
            room.at = 0.0
            self._changed.set()

    def _nick_is_free(self, nick: str, link: Link) -> None:
        if fold(nick) == fold(self._settings.nick) != fold(link.nick):
            self._want_nick(link, asyncio.get_running_loop().time())
