"""Rooms of our own: what is kept of them, whom networks are told of, and who came."""

import asyncio
from dataclasses import dataclass, field

import pytest

from tocsin.domain.message import Place
from tocsin.domain.room import ROOMS, PersonCame, RoomMade
from tocsin.errors import NetworkError
from tocsin.plugins import Declared
from tocsin.rules import on
from tocsin.testing import Loudspeaker
from tocsin.transaction import Transaction

from tests.engine import Engine, Start

ROOM = Place("console", "#inc-42")


async def make(engine: Engine, title: str = "the disk", *people: str) -> Place:
    return await engine.run.tocsin.make_room("console", "inc-42", title, people, "42")


async def story(engine: Engine, subject: str) -> list[str]:
    entries = await engine.run.tocsin.turn(lambda tx: tx.story(subject))
    return [entry.headline for entry in entries]


async def leave(engine: Engine) -> None:
    await engine.run.tocsin.turn(lambda tx: tx.leave_room(ROOM))


async def test_a_room_is_made_once_and_only_who_has_an_account_is_invited(start: Start) -> None:
    async with start() as engine:
        assert await make(engine, "the disk", "alice", "nobody") == ROOM
        assert await make(engine, "the whole host", "bob") == ROOM
        assert engine.chat.made["#inc-42"].invited == ["alice", "bob"]
        assert engine.chat.made["#inc-42"].title == "the whole host"
        assert await story(engine, ROOMS) == ["#inc-42 on console was made for 42"]
        assert await engine.run.tocsin.turn(lambda tx: tx.rooms_for("42")) == [ROOM]
        assert await engine.run.tocsin.turn(lambda tx: tx.rooms_for("43")) == []


async def test_who_is_called_later_is_invited_and_the_title_changes(start: Start) -> None:
    async with start() as engine:
        await make(engine)
        assert await engine.run.tocsin.invite(ROOM, "bob")
        assert not await engine.run.tocsin.invite(ROOM, "nobody")
        await engine.run.tocsin.entitle(ROOM, "resolved")
        assert engine.chat.made["#inc-42"].invited == ["bob"]
        assert engine.chat.made["#inc-42"].title == "resolved"


async def test_the_network_is_told_where_to_be_at_once_and_after_a_start(start: Start) -> None:
    async with start() as engine:
        await make(engine)
        assert engine.chat.own_rooms == {"#inc-42"}
    start.chat = Loudspeaker("console", start.chat.accounts)
    async with start() as engine:
        assert engine.chat.own_rooms == {"#inc-42"}
        await leave(engine)
        await leave(engine)
        assert engine.chat.own_rooms == set()
        assert (await story(engine, ROOMS))[1:] == ["#inc-42 on console was left"]
    async with start() as engine:
        assert engine.chat.own_rooms == set()


async def test_what_is_undone_is_no_room(start: Start) -> None:
    def fails(_: RoomMade, tx: Transaction) -> None:
        tx.leave_room(ROOM)
        raise ZeroDivisionError

    async with start(Declared(reactions=[("fails", on(RoomMade, fails))])) as engine:
        await make(engine)
        assert engine.chat.own_rooms == {"#inc-42"}

        def undone(tx: Transaction) -> None:
            tx.leave_room(ROOM)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await engine.run.tocsin.turn(undone)
        assert engine.chat.own_rooms == {"#inc-42"}
        assert await engine.run.tocsin.turn(lambda tx: tx.rooms_for("42")) == [ROOM]


@dataclass
class Slow(Loudspeaker):
    """Makes a room, and does not answer for long."""

    made_one: asyncio.Event = field(default_factory=asyncio.Event)
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    async def make_room(self, name: str, title: str, accounts: object) -> str:  # noqa: ARG002
        room = await super().make_room(name, title, ())
        self.made_one.set()
        await self.answers.wait()
        return room


async def test_killed_before_it_was_kept_the_same_room_is_asked_for_again(start: Start) -> None:
    chat = start.chat = Slow("console", start.chat.accounts)
    async with start(crash=True) as engine:
        making = asyncio.create_task(make(engine))
        await chat.made_one.wait()
        making.cancel()
    async with start() as engine:
        assert chat.own_rooms == set()
        assert await story(engine, ROOMS) == []
        chat.answers.set()
        assert await make(engine) == ROOM
        assert list(chat.made) == ["#inc-42"]
        assert await story(engine, ROOMS) == ["#inc-42 on console was made for 42"]
        assert chat.own_rooms == {"#inc-42"}


async def test_who_comes_is_written_down_and_plugins_react(start: Start) -> None:
    came = list[PersonCame]()
    async with start(
        Declared(reactions=[("test", on(PersonCame, lambda event, _: came.append(event)))])
    ) as run:
        await make(run)
        for account, room in [("alice", "#inc-42"), ("mallory", "#inc-42"), ("bob", "#ops")]:
            run.chat.comes(account, room)
        await run.run.settled()
        assert await story(run, "42") == ["alice came to #inc-42 on console"]
        assert [(event.subject, event.person, event.by, event.place) for event in came] == [
            ("42", "alice", "alice", "console/room/#inc-42")
        ]
        await leave(run)
        run.chat.comes("bob", "#inc-42")
        await run.run.settled()
        assert len(came) == 1


async def test_who_comes_before_the_room_is_kept_is_not_forgotten(start: Start) -> None:
    chat = start.chat = Slow("console", start.chat.accounts)
    async with start() as engine:
        making = asyncio.create_task(make(engine))
        await chat.made_one.wait()
        chat.comes("alice", "#inc-42")
        await engine.run.settled()
        assert await story(engine, "42") == []
        chat.answers.set()
        await making
        await engine.run.settled()
        assert await story(engine, "42") == ["alice came to #inc-42 on console"]


async def test_what_a_network_refuses_is_kept_by_nobody(start: Start) -> None:
    async with start() as engine:
        engine.chat.rooms_fail = NetworkError("too many channels")
        with pytest.raises(NetworkError, match="too many channels"):
            await make(engine)
        assert await story(engine, ROOMS) == []


@pytest.mark.parametrize(
    ("network", "why"), [("irc", "irc is no network"), ("console", "console makes no rooms")]
)
async def test_where_no_rooms_are_made_nobody_need_ask_again(start: Start, network: str, why: str) -> None:
    start.chat.makes_rooms = False
    async with start() as engine:
        with pytest.raises(NetworkError, match=why) as caught:
            await engine.run.tocsin.make_room(network, "inc-42", "the disk", ["alice"], "42")
        assert caught.value.permanent


async def test_it_is_a_room_as_any_other(start: Start) -> None:
    async with start() as engine:
        await make(engine)
        await engine.says("alice", "!help", room="#inc-42")
        assert engine.chat.texts("room/#inc-42")
