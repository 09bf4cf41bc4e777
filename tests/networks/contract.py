"""What every network must do, asked of its real far side.

A test module joins in with a fixture `peer` that yields its running `Peer`, and a class:

    class TestIrc(NetworkContract): ...
"""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import Self

import pytest

from tocsin.domain.message import Line, Message, Place
from tocsin.errors import NetworkError
from tocsin.networks.base import Network, Rank

from tests.processes import PATIENCE

EARLIER = datetime(2026, 1, 1, tzinfo=UTC)
"""When a message was first to be said that is tried again."""


class Recorder:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.notices: list[Line] = []
        self.downs: list[str] = []
        self.told: list[str] = []
        self.ups = 0
        self.stands_at = ""
        self.receipts: list[tuple[Place, str, datetime]] = []
        self.comers: list[tuple[Place, str]] = []
        self.refuses = ""
        """A text for which it fails."""
        self._up = asyncio.Event()
        self._heard = asyncio.Condition()
        self._came = asyncio.Event()

    async def heard(self, line: Line) -> None:
        if self.refuses and line.text == self.refuses:
            raise RuntimeError("the recorder is full")
        async with self._heard:
            (self.notices if line.notice else self.lines).append(line)
            self._heard.notify_all()

    def wants(self, text: str, *, private: bool, us: str = "") -> bool:  # noqa: ARG002 (it may matter who says anything)
        return True

    async def position(self, network: str) -> str:  # noqa: ARG002 (there is but one)
        return self.stands_at

    async def moved(self, network: str, position: str) -> None:  # noqa: ARG002
        self.stands_at = position

    def seen(self, place: Place, receipt: str, at: datetime) -> None:
        self.receipts.append((place, receipt, at))

    def tell(self, text: str) -> None:
        self.told.append(text)

    def came(self, place: Place, account: str) -> None:
        self.comers.append((place, account))
        self._came.set()

    def up(self, network: str) -> None:  # noqa: ARG002 (there is but one)
        self.ups += 1
        self._up.set()

    def down(self, network: str, reason: str) -> None:  # noqa: ARG002 (there is but one)
        self._up.clear()
        self.downs.append(reason)

    async def is_up(self) -> None:
        """Wait until the network takes messages."""
        async with asyncio.timeout(PATIENCE):
            await self._up.wait()

    async def sees(self, place: Place, account: str) -> None:
        """Wait until it was told that somebody came to a room of our own."""
        async with asyncio.timeout(PATIENCE):
            while (place, account) not in self.comers:
                self._came.clear()
                await self._came.wait()

    async def hears(self, text: str, times: int = 1) -> list[Line]:
        """Wait until this was heard so often."""

        def found() -> list[Line]:
            return [line for line in self.lines if line.text == text]

        async with asyncio.timeout(PATIENCE), self._heard:
            await self._heard.wait_for(lambda: len(found()) >= times)
            return found()


class Peer(ABC):
    """The far side, and alice, bob and a stranger on it. As a context, it and the network are running.

    alice, bob: their accounts; both are the network's people. stranger: the account of one who isn't.
    room: where all of them and the network are. us: what the network is called there.
    """

    network: Network
    room: str
    us: str = "tocsin"
    alice: str
    bob: str
    stranger: str
    running: asyncio.Task[None]

    def __init__(self) -> None:
        self.recorder = Recorder()

    @abstractmethod
    async def connect(self) -> None:
        """Start the far side, and make `network`, which is not running yet."""

    async def arrive(self) -> None:  # noqa: B027 (they may be there from the start)
        """Bring the people there, while the network starts."""

    @abstractmethod
    async def disconnect(self) -> None:
        """Leave nothing behind."""

    @abstractmethod
    async def says(self, account: str, place: Place, text: str) -> None:
        """Somebody says something, in a room or to us in private."""

    @abstractmethod
    async def lines(self, room: str) -> list[str]:
        """All that people in a room have seen from us, line by line, of what `send` has returned for."""

    @abstractmethod
    async def private_lines(self, account: str) -> list[str]:
        """All that this person, and nobody else, has seen from us, of what `send` has returned for."""

    @property
    def place(self) -> Place:
        return Place(self.network.name, self.room)

    def private(self, account: str) -> Place:
        return Place(self.network.name, account, private=True)

    async def send(self, place: Place, *messages: Message) -> None:
        """Say messages one after another, as the courier does: each has some time, and must have a receipt."""
        for number, message in enumerate(messages):
            async with asyncio.timeout(self.network.send_for.total_seconds()):
                assert await self.network.send(
                    place, message, f"{place}-{id(self)}-{number}", tried=None, rank=Rank.PAGE
                )

    async def __aenter__(self) -> Self:
        await self.connect()
        self.running = asyncio.create_task(self.network.run(self.recorder))
        await asyncio.gather(self.recorder.is_up(), self.arrive())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.running
        await self.disconnect()


class RoomsPeer(Peer):
    """A far side where rooms of our own can be made."""

    @abstractmethod
    async def squats(self, name: str) -> str:
        """The stranger makes a room of that name, and is alone there; the room."""

    @abstractmethod
    async def invited(self, account: str, room: str) -> None:
        """Wait until somebody is invited to a room."""

    @abstractmethod
    async def enters(self, account: str, room: str) -> bool:
        """Somebody tries to come to a room; whether they are there now."""

    @abstractmethod
    async def title(self, room: str, title: str = "") -> str:
        """Wait until alice, who is there, has read that this is what the room is about, or whatever it is."""

    @abstractmethod
    async def is_there(self, account: str, room: str) -> bool:
        """Whether we are in a room, as somebody sees who is there."""

    @abstractmethod
    def again(self) -> Network:
        """The network anew, with the same settings, which is not running yet."""

    async def restarts(self, *rooms: str) -> None:
        """The daemon is started again, and is to be in these rooms of our own; the network is up then."""
        self.running.cancel()
        await asyncio.wait([self.running])
        self.network = self.again()
        self.network.be_in(rooms)
        stood_at, self.recorder = self.recorder.stands_at, Recorder()
        self.recorder.stands_at = stood_at
        self.running = asyncio.create_task(self.network.run(self.recorder))
        await self.recorder.is_up()

    def own(self, room: str) -> Place:
        return Place(self.network.name, room)

    async def make(self, title: str = "the disk of db-1", *accounts: str) -> str:
        """A room for an incident, made anew or once more; that it is ours is kept."""
        room = await self.network.make_room(self.name, title, accounts)
        self.network.be_in([room])
        return room

    @property
    def name(self) -> str:
        """What a room is asked for by: another one for each test, as they share the far side."""
        return f"inc-{id(self) % 10**6}"


PAGE = Message("critical DiskFull on db-1", subject="k7f3", command="!ack k7f3")

HOSTILE = {
    "nul": "a\0b",
    "lines": "a\r\n!ack k7f3\nQUIT :x\r/quit",
    "terminal": "\x1b[2J\x1b]0;title\x07\x9b31m\x1b[5n",
    "formatting": "\x02bold\x0304,08colour\x0f",
    "ctcp": "\x01ACTION waves\x01",
    "bidi": "\u202egnp.exe\u2066 \u200f",
    "separators": "a\u2028b\u2029c\x85d\x0be\x0cf",
    "markup": "<b onclick=x>&lt;</b> <mx-reply> **bold** `code` [a](javascript:b) | tee",
    "long": "x" * 10_000,
    "long, of four bytes each": "🔥" * 10_000,
    "command": "/quit",
    "everybody": "@room @alice @here",
    "surrogates": "a\ud800b\udfff",
    "blank": " \t\u200b ",
}


class NetworkContract:
    """Each test gets a peer of its own."""

    async def test_a_room_sees_what_it_is_about_and_what_to_type(self, peer: Peer) -> None:
        await peer.send(peer.place, PAGE)
        assert await peer.lines(peer.room) == [PAGE.first_line()]
        assert PAGE.first_line().startswith("k7f3 ")
        assert PAGE.first_line().endswith(" !ack k7f3")

    async def test_what_is_private_reaches_that_person_alone(self, peer: Peer) -> None:
        await peer.send(peer.private(peer.alice), PAGE)
        assert await peer.private_lines(peer.alice) == [PAGE.first_line()]
        assert await peer.private_lines(peer.bob) == []
        assert await peer.lines(peer.room) == []

    async def test_in_private_everything_is_said(self, peer: Peer) -> None:
        page = Message("DiskFull on db-1", "k7f3", link="https://x.test/", lines=("a",), brief="DiskFull")
        await peer.send(peer.private(peer.alice), page)
        assert await peer.private_lines(peer.alice) == page.all_lines()

    async def test_order_is_kept(self, peer: Peer) -> None:
        texts = [f"message {number}" for number in range(50)]
        await peer.send(peer.place, *(Message(text) for text in texts))
        assert await peer.lines(peer.room) == texts

    async def test_each_line_of_a_message_is_a_line(self, peer: Peer) -> None:
        await peer.send(peer.place, Message("three alerts", lines=("one", "", "two", "three")))
        assert await peer.lines(peer.room) == ["three alerts", "one", "two", "three"]

    @pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
    async def test_hostile_text_stays_text(self, peer: Peer, text: str) -> None:
        await peer.send(peer.place, Message(text, subject="k7f3", command="!ack k7f3"))
        await peer.send(peer.private(peer.alice), Message(text, subject="k7f3", command="!ack k7f3"))
        [line] = await peer.lines(peer.room)
        [private] = await peer.private_lines(peer.alice)
        for seen in (line, private):
            assert seen.startswith("k7f3 ")
            assert seen.endswith(" !ack k7f3")
            assert seen.isprintable()

    @pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
    async def test_hostile_text_alone_on_its_line_is_no_command(self, peer: Peer, text: str) -> None:
        await peer.send(peer.place, Message(text, lines=(text,)), PAGE)
        lines = await peer.lines(peer.room)
        assert len(lines) <= 3
        assert all(line.isprintable() for line in lines)
        assert lines[-1] == PAGE.first_line()
        await peer.says(peer.alice, peer.place, "still here")
        await peer.recorder.hears("still here")
        assert len(peer.recorder.lines) == 1

    async def test_what_is_said_in_a_room_is_heard(self, peer: Peer) -> None:
        await peer.says(peer.alice, peer.place, "!ack k7f3")
        [line] = await peer.recorder.hears("!ack k7f3")
        assert (line.place, line.account, line.us) == (peer.place, peer.alice, peer.us)
        assert line.called

    async def test_what_is_said_in_private_is_heard_as_private(self, peer: Peer) -> None:
        await peer.says(peer.bob, peer.private(peer.bob), "!ack k7f3")
        [line] = await peer.recorder.hears("!ack k7f3")
        assert (line.place, line.account, line.us) == (peer.private(peer.bob), peer.bob, peer.us)

    async def test_a_stranger_is_heard_as_a_stranger(self, peer: Peer) -> None:
        await peer.says(peer.stranger, peer.place, "hello")
        [line] = await peer.recorder.hears("hello")
        assert line.account not in {peer.alice, peer.bob}

    async def test_the_same_line_said_twice_is_two_lines(self, peer: Peer) -> None:
        for _ in range(2):
            await peer.says(peer.alice, peer.place, "!ack k7f3")
        first, second = await peer.recorder.hears("!ack k7f3", times=2)
        assert first.id
        assert first.id != second.id

    async def test_lines_are_heard_in_their_order(self, peer: Peer) -> None:
        texts = [f"line {number}" for number in range(10)]
        for text in texts:
            await peer.says(peer.alice, peer.place, text)
        await peer.recorder.hears(texts[-1])
        assert [line.text for line in peer.recorder.lines] == texts

    async def test_we_do_not_hear_ourselves(self, peer: Peer) -> None:
        await peer.send(peer.place, PAGE)
        await peer.send(peer.private(peer.alice), PAGE)
        await peer.says(peer.alice, peer.place, "what now?")
        await peer.recorder.hears("what now?")
        assert len(peer.recorder.lines) == 1

    async def test_a_listener_that_fails_ends_nothing(self, peer: Peer) -> None:
        peer.recorder.refuses = "one"
        await peer.says(peer.alice, peer.place, "one")
        await peer.says(peer.alice, peer.place, "two")
        await peer.recorder.hears("two")
        await peer.send(peer.place, PAGE)
        assert await peer.lines(peer.room) == [PAGE.first_line()]

    async def test_a_resend_is_the_same_message_or_says_that_it_is_one(self, peer: Peer) -> None:
        for tried in (None, EARLIER):
            assert await peer.network.send(peer.place, PAGE, "the same", tried=tried, rank=Rank.PAGE)
        assert await peer.lines(peer.room) in (
            [PAGE.first_line()],
            [PAGE.first_line(), f"(again) {PAGE.first_line()}"],
        )

    async def test_it_knows_whom_it_reaches(self, peer: Peer) -> None:
        assert peer.network.reaches(peer.alice)
        assert not peer.network.reaches("nobody-at-all")

    async def test_cancelled_it_ends_at_once(self, peer: Peer) -> None:
        peer.running.cancel()
        async with asyncio.timeout(5):
            await asyncio.wait([peer.running])
        assert peer.running.cancelled()


class RoomsContract:
    """What networks do besides that make rooms of our own. Each test gets a peer of its own."""

    async def test_only_who_is_invited_comes_in(self, peer: RoomsPeer) -> None:
        room = await peer.make("the disk of db-1", peer.alice)
        await peer.invited(peer.alice, room)
        assert not await peer.enters(peer.stranger, room)
        assert not await peer.enters(peer.bob, room)
        assert await peer.enters(peer.alice, room)
        await peer.network.invite(room, peer.bob)
        await peer.invited(peer.bob, room)
        assert await peer.enters(peer.bob, room)
        await peer.network.invite(room, peer.bob)  # who is there already
        assert not await peer.enters(peer.stranger, room)

    async def test_asked_again_it_is_the_same_with_another_title(self, peer: RoomsPeer) -> None:
        room = await peer.make("the disk of db-1", peer.alice)
        await peer.invited(peer.alice, room)
        assert await peer.enters(peer.alice, room)
        await peer.title(room, "the disk of db-1")
        assert await peer.make("all of rack 7", peer.alice, peer.bob) == room
        await peer.invited(peer.bob, room)
        await peer.title(room, "all of rack 7")
        await peer.network.entitle(room, "resolved")
        await peer.title(room, "resolved")

    @pytest.mark.parametrize("title", HOSTILE.values(), ids=HOSTILE)
    async def test_a_hostile_title_is_a_title(self, peer: RoomsPeer, title: str) -> None:
        room = await peer.make(f"x {title}", peer.alice)
        await peer.invited(peer.alice, room)
        assert await peer.enters(peer.alice, room)
        seen = await peer.title(room)
        assert seen.startswith("x")
        assert seen.isprintable()
        await peer.says(peer.alice, peer.place, "still here")
        await peer.recorder.hears("still here")

    async def test_what_somebody_else_made_by_that_name_is_not_ours(self, peer: RoomsPeer) -> None:
        theirs = await peer.squats(peer.name)
        ours = await peer.make("the disk of db-1", peer.alice)
        assert ours != theirs
        assert not await peer.is_there(peer.stranger, theirs)
        await peer.invited(peer.alice, ours)
        assert await peer.enters(peer.alice, ours)
        assert not await peer.enters(peer.stranger, ours)
        assert await peer.make("the disk of db-1") == ours

    async def test_it_is_a_room_as_any_other(self, peer: RoomsPeer) -> None:
        room = await peer.make("the disk of db-1", peer.bob)
        await peer.invited(peer.bob, room)
        assert await peer.enters(peer.bob, room)
        await peer.send(peer.own(room), Message("everything", link="https://x.test/", brief="in short"))
        assert await peer.lines(room) == ["everything · https://x.test/"]
        await peer.says(peer.bob, peer.own(room), "!status it is the disk")
        [line] = await peer.recorder.hears("!status it is the disk")
        assert (line.place, line.account) == (peer.own(room), peer.bob)

    async def test_who_comes_is_told(self, peer: RoomsPeer) -> None:
        room = await peer.make("the disk of db-1", peer.alice, peer.bob)
        for account in (peer.alice, peer.bob):
            await peer.invited(account, room)
            assert await peer.enters(account, room)
            await peer.recorder.sees(peer.own(room), account)
        assert peer.recorder.comers == [(peer.own(room), account) for account in (peer.alice, peer.bob)]

    async def test_after_a_restart_it_is_there_again_and_tells_nobody_whom_it_finds(
        self, peer: RoomsPeer
    ) -> None:
        room = await peer.make("the disk of db-1", peer.bob)
        await peer.invited(peer.bob, room)
        assert await peer.enters(peer.bob, room)
        await peer.recorder.sees(peer.own(room), peer.bob)
        peer.recorder.comers.clear()
        await peer.restarts(room)
        await peer.send(peer.own(room), PAGE)
        assert await peer.lines(room) == [PAGE.first_line()]
        await peer.says(peer.bob, peer.own(room), "!status better")
        await peer.recorder.hears("!status better")
        assert peer.recorder.comers == []
        assert not await peer.enters(peer.stranger, room)

    async def test_once_left_it_is_none_of_our_rooms(self, peer: RoomsPeer) -> None:
        room = await peer.make("the disk of db-1", peer.alice)
        await peer.invited(peer.alice, room)
        assert await peer.enters(peer.alice, room)
        peer.network.be_in([])
        await peer.says(peer.alice, peer.place, "are you gone?")
        await peer.recorder.hears("are you gone?")
        await peer.says(peer.alice, peer.own(room), "!ack k7f3")
        await peer.says(peer.alice, peer.place, "what now?")
        await peer.recorder.hears("what now?")
        assert "!ack k7f3" not in [line.text for line in peer.recorder.lines]

    async def test_what_is_no_room_of_ours_is_changed_by_nobody(self, peer: RoomsPeer) -> None:
        for done in (peer.network.invite(peer.room, peer.alice), peer.network.entitle(peer.room, "ours")):
            with pytest.raises(NetworkError) as caught:
                await done
            assert caught.value.permanent
