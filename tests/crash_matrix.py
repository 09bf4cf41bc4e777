"""Matrix, where people talk while daemons are killed, and now and then their homeserver is killed or stands still."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import aiohttp

from tocsin.domain.taps import emoji_of

from tests.crash_kept import shortened
from tests.crash_matrix_judge import MESSAGE, REACTION, Held, counts, faults, taken
from tests.crash_seen import BOT, KILLED, LOST, PEOPLE, ROOM, Peer, Seen
from tests.networks.matrix_account import account_of, logs_in
from tests.servers.matrix_user import Event, User
from tests.servers.synapse import DOMAIN, Account, Refused, Synapse

FROZEN_IN = 0.2
"""In how many of the lives the homeserver stands still."""

LOST_IN = 0.15
"""In how many of them it is killed."""

BACK_IN = 0.7
"""How often it is back before the daemon is killed."""

WAIT = 0.5
"""How many seconds somebody waits for news before they ask again."""

TRY_AGAIN = 0.1
"""After so many seconds people try again what the homeserver did not take; as one and the same event."""

SETTINGS = """\
[networks.matrix]
homeserver = "{url}"
user = "{user}"
room = "{room}"
burst = 1000
pace = "0s"
"""

_ACK = emoji_of("ack")

Do = Callable[[], Any]


class Matrix(Peer):
    """A real Synapse with a room, and alice and bob, who ask it by its bare API and take down all that they are told.

    Each taking down says between which places of the homeserver's own stream the event stands, by the two sync tokens:
    so it is known of any two rooms what was said later.
    """

    network = "matrix"
    forgets = False
    side_by_side = 1
    taps = True

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for name in ("typed", "terminal"):
            (folder / name).touch()
        self._synapse = Synapse(folder / "synapse")
        self._file = self.seen.open("ab", buffering=0)
        self._rooms: dict[str, str] = {}
        self._people: dict[str, Person] = {}

    @property
    def settings(self) -> str:
        return SETTINGS.format(url=self._synapse.url, user=self.account(BOT), room=f"{ROOM}:{DOMAIN}")

    @staticmethod
    def account(who: str) -> str:
        return f"@{who}:{DOMAIN}"

    @staticmethod
    def read(text: str) -> Sequence[Seen]:
        """What was said, each line of it; edits and reactions are judged for themselves."""
        seen = []
        for one in taken(text):
            if one.event.type == MESSAGE and not one.edits:
                for words in map(shortened, one.event.body.splitlines()):
                    raw = f"{one.event.id} {words}"
                    seen.append(Seen(one.life, one.place, one.by, words, one.after + 1, one.before, raw))
        return seen

    def types(self, who: str, text: str, *, private: bool) -> None:
        room = self._rooms[f"@{who}" if private else ROOM]
        self._people[who].does(room, MESSAGE, {"msgtype": "m.text", "body": text})

    def acknowledges(self, chance: Random, call: Seen | None, named: str) -> Do:
        """By a command, a reply or a tap."""
        way = chance.choice(("type", "reply", "reply", "tap", "tap")) if call else "type"
        if call is None or way == "type":
            return super().acknowledges(chance, call, named)
        who = self._reader(chance, call)
        if way == "tap":
            return partial(self._tap, who, call)
        text = chance.choice(("ack", "!ack"))
        return partial(self._reply, who, call, text)

    def slips(self, chance: Random, call: Seen) -> tuple[Do, Do]:
        """Somebody taps what they did not mean to, and takes that back."""
        who = self._reader(chance, call)
        takes_back = partial(self._people[who].takes_back, self._rooms[call.place], _event_id(call))
        return partial(self._tap, who, call), takes_back

    def _reader(self, chance: Random, call: Seen) -> str:
        return chance.choice(PEOPLE) if call.place == ROOM else call.place[1:]

    def _tap(self, who: str, call: Seen) -> None:
        relation = {"rel_type": "m.annotation", "event_id": _event_id(call), "key": _ACK}
        self._people[who].does(self._rooms[call.place], REACTION, {"m.relates_to": relation})

    def _reply(self, who: str, call: Seen, text: str) -> None:
        relation = {"m.in_reply_to": {"event_id": _event_id(call)}}
        content = {"msgtype": "m.text", "body": text, "m.relates_to": relation}
        self._people[who].does(self._rooms[call.place], MESSAGE, content)

    async def upset(
        self,
        daemon: int,  # noqa: ARG002 (what was said while it was not there it hears later)
        chance: Random,
    ) -> None:
        """The homeserver stands still, or is killed; and may come back."""
        fate = chance.random()
        if fate > FROZEN_IN + LOST_IN:
            return
        self.away = True
        self.lost += 1
        if fate < FROZEN_IN:
            self._synapse.freezes()
            self._frozen = True
            await asyncio.sleep(chance.uniform(0, 1.5))
        else:
            await asyncio.to_thread(self._synapse.ends)
            self._take_down(LOST)
            await asyncio.sleep(chance.uniform(0, 0.5))
        if chance.random() < BACK_IN:
            await self._comes_back()
            await asyncio.sleep(chance.uniform(0, 3))

    async def bury(self) -> None:
        """What it said may stand below that: nothing is ever marked here, so that its life says nothing."""
        self._take_down(KILLED)
        if self.away:
            await self._comes_back()

    async def _comes_back(self) -> None:
        if self._frozen:
            self._synapse.thaws()
        else:
            await asyncio.to_thread(self._synapse.start)
        self._frozen = self.away = False

    _frozen = False

    async def open(self) -> None:
        await asyncio.to_thread(self._synapse.start)
        bot, *accounts = await asyncio.to_thread(
            lambda: [self._synapse.register(who) for who in (BOT, *PEOPLE)]
        )
        await asyncio.to_thread(self._logs_in, bot)
        for who, account in zip(PEOPLE, accounts, strict=True):
            self._people[who] = person = Person(self._synapse.url, account, partial(self._take, who))
            await person.__aenter__()
            self._rooms[f"@{who}"] = await person.create(invite=[bot.user_id], direct=True)
        alice, bob = self._people.values()
        self._rooms[ROOM] = await alice.create(
            "ops", invite=[bot.user_id, bob.id], room_alias_name=ROOM.removeprefix("#")
        )
        await bob.join(self._rooms[ROOM])
        for room in self._rooms.values():
            await asyncio.to_thread(
                self._synapse.call, "POST", f"/_matrix/client/v3/join/{room}", {}, bot.token
            )
        for person in self._people.values():
            person.begins()

    def _logs_in(self, bot: Account) -> None:
        account_of(self._synapse, bot, self.folder / "state", room=f"{ROOM}:{DOMAIN}").keep(
            logs_in(self._synapse, bot)
        )

    async def close(self) -> None:
        async with AsyncExitStack() as ends:
            ends.callback(self._file.close)
            ends.push_async_callback(asyncio.to_thread, self._synapse.close)
            for person in self._people.values():
                ends.push_async_callback(person.ends, up_to_date=not self.away)

    def _take(self, who: str, event: Event, after: int, before: int) -> None:
        place = next((place for place, room in self._rooms.items() if room == event.room), "")
        if place and (place != ROOM or who == PEOPLE[0]):  # what is said there all see; one takes it down
            told = {"place": place, "after": after, "before": before, "event": event.raw}
            self._take_down(json.dumps(told))

    def _take_down(self, line: str) -> None:
        self._file.write(f"{line}\n".encode())

    def found(self) -> tuple[Mapping[str, int], Sequence[str]]:
        events = list(taken(self.seen.read_text()))
        return counts(events), faults(events, Held.read(self.folder / "state" / "tocsin.db"))


def _event_id(call: Seen) -> str:
    return call.raw.partition(" ")[0]


class Person(User):
    """Asks for news all the time; what they say they try until the homeserver has taken it, one thing after another."""

    def __init__(self, url: str, account: Account, on_event: Callable[[Event, int, int], None]) -> None:
        super().__init__(url, account)
        self._on_event = on_event
        self._told = 0
        self._to_do = asyncio.Queue[Callable[[str], Awaitable[None]]]()
        self._taps: dict[str, str] = {}  # by the event that they are on
        self._tasks: list[asyncio.Task[None]] = []

    def begins(self) -> None:
        self._tasks = [asyncio.create_task(each) for each in (self._listens(), self._speaks())]

    async def ends(self, *, up_to_date: bool) -> None:
        """Once they have heard all there is."""
        for task in self._tasks:
            task.cancel()
        ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            if up_to_date and self._tasks:
                await self._hears(wait=0)
        finally:
            await self.__aexit__()
        for found in ended:
            assert isinstance(found, asyncio.CancelledError), found

    def does(self, room: str, kind: str, content: Mapping[str, Any]) -> None:
        """Send an event, as soon as that can be."""
        self._to_do.put_nowait(partial(self._say, room, kind, content))

    def takes_back(self, room: str, event_id: str) -> None:
        """Their tap on that, if by then they have put one there."""
        self._to_do.put_nowait(partial(self._take_back, room, event_id))

    async def _listens(self) -> None:
        while True:
            try:
                await self._hears(wait=WAIT)
            except (aiohttp.ClientError, TimeoutError, OSError, Refused):
                await asyncio.sleep(TRY_AGAIN)

    async def _hears(self, *, wait: float) -> None:
        after = _stands_at(self._since)
        await self._ask_for_news(wait=wait)
        for event in self.events[self._told :]:
            self._on_event(event, after, _stands_at(self._since))
        self._told = len(self.events)

    async def _speaks(self) -> None:
        while True:
            do, txn_id = await self._to_do.get(), next(self._txn_ids)
            while True:
                try:
                    await do(txn_id)
                except (aiohttp.ClientError, TimeoutError, OSError):
                    await asyncio.sleep(TRY_AGAIN)
                except Refused as refused:
                    if refused.code == "M_DUPLICATE_ANNOTATION":
                        break
                    assert refused.status >= 500, refused
                    await asyncio.sleep(TRY_AGAIN)
                else:
                    break

    async def _say(self, room: str, kind: str, content: Mapping[str, Any], txn_id: str) -> None:
        answer = await self.call("PUT", "rooms", room, "send", kind, txn_id, body=content)
        if kind == REACTION:
            self._taps[content["m.relates_to"]["event_id"]] = answer["event_id"]

    async def _take_back(self, room: str, event_id: str, txn_id: str) -> None:
        if tap := self._taps.get(event_id):
            await self.call("PUT", "rooms", room, "redact", tap, txn_id, body={})


def _stands_at(token: str) -> int:
    """A place in the stream: of a single Synapse `s` and a number come first in a token."""
    return int(token.removeprefix("s").partition("_")[0]) if token else 0
