"""Rooms of two networks that somebody bridges: our own echo is known as that, and one side posts."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from tocsin.domain.message import Line, Place
from tocsin.testing import Loudspeaker

from tests.engine import Engine, alert, fires
from tests.tower import FACT, Chat, Tower, asks, down, timers

IRC, MATRIX = "#ops", "#matrix"


@pytest.fixture
def tower(write_config: Callable[..., Path], tmp_path: Path) -> Tower:
    return Tower(write_config, tmp_path / "state")


@pytest.fixture
def matrix(tower: Tower) -> Chat:
    """Where all that is told in the IRC room is told as well, and what was said can be put right."""
    chat = tower.joined("matrix", "@alice:example.org")
    chat.edits = True
    return chat


@dataclass
class Bridge:
    """Repeats what we say in one room in another one."""

    engine: Engine
    source: Loudspeaker
    target: Loudspeaker
    before: str = "<tocsin> "
    nick: str = "relay"
    taken: int = 0

    async def carries(self, change: Callable[[str], str] = lambda text: text) -> None:
        """All that was said since the last time, as it comes out of the bridge."""
        said, self.taken = self.source.said[self.taken :], len(self.source.said)
        for one in said:
            if not one.place.private and not one.amends:
                text = f"{self.before}{change(one.message.first_line())}"
                await self.target.hears("", text, room=f"#{self.name}", claimed=self.nick)
        await self.engine.run.settled()

    @property
    def name(self) -> str:
        return "ops" if self.target.name == "console" else self.target.name


def texts(chat: Loudspeaker) -> list[str]:
    """What was said anew in its room, without the alert."""
    lines = [str(said) for said in chat.said if not said.place.private and not said.amends]
    return [text.partition(":")[0].partition(" · ")[0] for text in lines]


async def learn(engine: Engine, matrix: Chat, before: str = "<tocsin> ", nick: str = "relay") -> Bridge:
    """An alert is told in both rooms; a bridge repeats the one in the other, and all is as before."""
    bridge = Bridge(engine, matrix, engine.chat, before, nick)
    await engine.report(fires(key="first"))
    await bridge.carries()
    bridge.taken = len(matrix.said)
    engine.chat.said.clear()
    return bridge


async def test_what_a_bridge_repeats_is_said_on_one_side_alone(tower: Tower, matrix: Chat) -> None:
    async with tower() as engine:
        bridge = await learn(engine, matrix)
        assert matrix.texts("room/#matrix")[-1].startswith("relay repeats in #ops on console what I say here")
        subject = await engine.report(fires())
        assert texts(matrix)[-1] == f"{subject} paging alice"
        assert texts(engine.chat) == []
        await bridge.carries()
        await engine.advance(minutes=1)
        assert texts(engine.chat) == []
        await engine.says("alice", f"ack {subject}")
        await engine.run.settled()
        await bridge.carries()
        await engine.advance(minutes=1)
        assert texts(matrix)[-1] == f"{subject} acknowledged by alice, paging stops"
        assert texts(engine.chat) == []


@pytest.mark.parametrize(
    "before", ["", "<tocsin> ", "[m] <tocsin> ", "tocsin: ", "[matrix] ", "<Tocsin Bot> "]
)
async def test_a_bridge_is_known_by_the_text_whatever_it_puts_before_it(
    before: str, tower: Tower, matrix: Chat
) -> None:
    async with tower() as engine:
        bridge = await learn(engine, matrix, before=before)
        await engine.report(fires())
        await bridge.carries(lambda text: text.replace("!ack", '"!ack').replace(" · ", " · *_"))
        await engine.advance(minutes=1)
        assert texts(engine.chat) == []


async def test_a_bridge_that_dies_keeps_no_line_from_anybody(tower: Tower, matrix: Chat) -> None:
    async with tower() as engine:
        bridge = await learn(engine, matrix)
        subject = await engine.report(fires())
        await engine.advance(seconds=9)
        assert texts(engine.chat) == []
        await engine.advance(seconds=2)
        assert sorted(texts(engine.chat)) == [
            f"{subject} paging alice",
            "what I say in #matrix on matrix does not come here any more",
        ]
        other = await engine.report(fires(key="other"))
        assert texts(engine.chat)[-1] == f"{other} paging alice"  # at once
        bridge.taken = len(matrix.said)
        await engine.advance(minutes=9)
        third = await engine.report(fires(key="third"))
        await bridge.carries()
        assert texts(engine.chat)[-1] == f"{third} paging alice"
        fourth = await engine.report(fires(key="fourth"))
        assert texts(engine.chat)[-1] == f"{fourth} paging alice"  # one is not believed again so soon
        await engine.advance(minutes=2)
        await engine.report(fires(key="fifth"))
        await bridge.carries()
        sixth = await engine.report(fires(key="sixth"))
        assert f"{sixth} paging alice" not in texts(engine.chat)


async def test_of_several_lines_that_come_as_one_message_each_is_known(tower: Tower, matrix: Chat) -> None:
    async with tower() as engine:
        await learn(engine, matrix)
        await engine.report(fires(key="second"))
        await engine.report(fires(key="third"))
        both = "\n".join(
            said.message.first_line()
            for said in matrix.said
            if not said.place.private and not said.amends and "paging alice" in str(said)
        )
        await engine.chat.hears("", both, room=IRC, claimed="relay")
        await engine.run.settled()
        await engine.advance(minutes=1)
        assert texts(engine.chat) == []


async def test_who_repeats_us_without_being_a_bridge_silences_nothing(tower: Tower, matrix: Chat) -> None:
    async with tower() as engine:
        bridge = await learn(engine, matrix, nick="mallory")
        subject = await engine.report(fires())
        said = matrix.texts("room/#matrix")[-1]
        for forged in (
            said[:20],
            said.partition(" · ")[0],
            said.replace("DiskFull", "DiskFine"),
            said.replace(subject, "zzzz"),
            f"never mind, it is over {said}",
            said.replace("!ack", "!nothing"),
        ):
            await engine.chat.hears("", forged, room=IRC, claimed="mallory")
        await bridge.source.hears("", said, room=MATRIX, claimed="mallory")  # not where it is to be heard
        await engine.chat.hears("bob", said, room=IRC)  # whom we know
        await engine.chat.hears("", said, claimed="mallory")
        await engine.advance(seconds=11)
        assert f"{subject} paging alice" in texts(engine.chat)


async def test_what_waits_is_said_or_heard_although_the_daemon_is_killed(tower: Tower, matrix: Chat) -> None:
    async with tower(crash=True) as engine:
        await learn(engine, matrix)
        first = await engine.report(fires())
        assert texts(engine.chat) == []
    async with tower(crash=True) as engine:
        await engine.advance(seconds=5)
        assert texts(engine.chat) == []
        await engine.chat.hears("", matrix.texts("room/#matrix")[-1], room=IRC, claimed="relay")
        await engine.advance(minutes=1)
        assert texts(engine.chat) == []
        second = await engine.report(fires(key="second"))
    async with tower() as engine:
        assert texts(engine.chat) == []
        await engine.advance(seconds=11)
        assert f"{second} paging alice" in texts(engine.chat)
        assert f"{first} paging alice" not in texts(engine.chat)


async def test_where_the_better_side_is_down_the_other_one_posts_at_once(tower: Tower, matrix: Chat) -> None:
    async with tower() as engine:
        await learn(engine, matrix)
        assert matrix.listener
        matrix.fails = down()
        matrix.listener.down("matrix", "gone")
        subject = await engine.report(fires())
        assert texts(engine.chat) == [f"{subject} paging alice"]


async def test_what_goes_down_as_it_should_post_keeps_the_other_side_waiting_for_no_longer(
    tower: Tower, matrix: Chat
) -> None:
    async with tower() as engine:
        await learn(engine, matrix)
        assert matrix.listener
        matrix.fails = down()
        subject = await engine.report(fires())
        assert texts(engine.chat) == []
        matrix.listener.down("matrix", "gone")
        await engine.advance(seconds=10)
        assert texts(engine.chat) == [f"{subject} paging alice"]


async def test_the_other_direction_is_learned_by_itself(tower: Tower, matrix: Chat) -> None:
    async with tower() as engine:
        await engine.report(fires(key="first"))
        await Bridge(engine, engine.chat, matrix).carries()
        before = len(texts(matrix))
        subject = await engine.report(fires())
        assert texts(engine.chat)[-1] == f"{subject} paging alice"
        assert len(texts(matrix)) == before
        await engine.advance(seconds=11)
        assert f"{subject} paging alice" in texts(matrix)


async def test_what_is_done_is_a_line_where_a_bridge_repeats_it(tower: Tower, matrix: Chat) -> None:
    async with tower() as engine:
        bridge = await learn(engine, matrix)
        subject = await engine.report(fires())
        await bridge.carries()
        await engine.advance(minutes=5)
        assert f"{subject} step 2" in texts(matrix)
        await bridge.carries()
        await engine.advance(seconds=30)
        assert texts(engine.chat) == []


async def test_who_asks_is_answered_where_they_are_and_the_other_side_hears_it_from_the_bridge(
    tower: Tower, matrix: Chat
) -> None:
    async with tower() as engine:
        bridge = await learn(engine, matrix)
        subject = await engine.report(fires())
        await bridge.carries()
        answer = await asks(engine, "bob", f"!ack {subject}", room=IRC)
        assert answer == [f"{subject} acknowledged by bob, paging stops: {FACT}"]  # at once
        assert await timers(engine)


@pytest.mark.parametrize("more", ["", "\nwhat is it?", "\n!alerts"])
async def test_a_puppet_is_nobody_and_is_not_answered_besides(more: str, tower: Tower, matrix: Chat) -> None:
    async with tower() as engine:
        bridge = await learn(engine, matrix)
        subject = await engine.report(fires())
        await bridge.carries()
        await matrix.hears("@alice:example.org", f"!ack {subject}", room=MATRIX)
        # A bridge may make one message of several lines that were typed quickly.
        await engine.chat.hears("", f"!ack {subject}{more}", room=IRC, claimed="alice[m]")
        await engine.run.settled()
        assert texts(matrix)[-1] == f"{subject} acknowledged by alice, paging stops"
        await engine.advance(seconds=5)
        assert not [text for text in engine.chat.texts(f"room/{IRC}") if "know you" in text]


async def test_a_puppet_that_is_faster_than_the_network_is_not_answered_either(
    tower: Tower, matrix: Chat
) -> None:
    async with tower() as engine:
        await learn(engine, matrix)
        await engine.chat.hears("", "!alerts", room=IRC, claimed="alice[m]")
        await matrix.hears("@alice:example.org", "!alerts", room=MATRIX)
        await engine.advance(seconds=3)
        assert engine.chat.texts(f"room/{IRC}") == []


async def test_a_stranger_in_a_bridged_room_is_answered_a_moment_later(tower: Tower, matrix: Chat) -> None:
    async with tower() as engine:
        await learn(engine, matrix)
        await engine.chat.hears("", "!ack all", room=IRC, claimed="eve")
        await engine.advance(seconds=3)
        [answer] = engine.chat.texts(f"room/{IRC}")
        assert "!ack is not for" in answer


@pytest.mark.parametrize("before", ["tocsin: ", "<tocsin> ", ""])
async def test_our_echo_asks_for_nothing(before: str, tower: Tower, matrix: Chat) -> None:
    async with tower() as engine:
        bridge = Bridge(engine, matrix, engine.chat, before=before)
        await engine.report(fires())
        said = len(engine.chat.said)
        await bridge.carries()
        assert len(engine.chat.said) == said
        assert not [row for row in await engine.sql("select what from audit") if "ack" in row[0]]


async def test_of_a_storm_the_digests_come_from_the_bridge_as_well(tower: Tower, matrix: Chat) -> None:
    tower.people = tower.people.replace("digests = false\n", "")
    async with tower() as engine:
        bridge = await learn(engine, matrix)
        await engine.advance(minutes=2)
        await bridge.carries()
        engine.chat.said.clear()
        before = len(texts(matrix))
        for number in range(40):
            await engine.report(fires(alert(f"Storm{number % 3}", fingerprint=f"{number}"), key=f"{number}"))
        for _ in range(40):
            await engine.advance(seconds=1)
            await bridge.carries()
        assert any("26 alerts: 13 critical Storm1" in str(said) for said in matrix.said)
        assert 1 <= len(texts(matrix)) - before <= 6
        assert texts(engine.chat) == []
        assert not await engine.sql("select id from outbox where state = 'PENDING' and echo_of is not null")


async def test_of_a_storm_all_is_said_where_the_bridge_is_dead(tower: Tower, matrix: Chat) -> None:
    tower.people = tower.people.replace("digests = false\n", "")
    async with tower() as engine:
        await learn(engine, matrix)
        await engine.advance(minutes=2)
        engine.chat.said.clear()
        for number in range(40):
            await engine.report(fires(alert(f"Storm{number % 3}", fingerprint=f"{number}"), key=f"{number}"))
        for _ in range(60):
            await engine.advance(seconds=1)
        room = Place("console", IRC)
        told = [str(said) for said in engine.chat.said if said.place == room]
        assert any("alerts" in text for text in told)
        assert await engine.sql("select id from outbox where settled_at is null and lane = 3") == []
        assert not [row for row in await engine.sql("select echo_of from outbox") if row[0] is not None]


async def test_a_clock_that_is_set_back_keeps_no_line_from_anybody(tower: Tower, matrix: Chat) -> None:
    async with tower() as engine:
        await learn(engine, matrix)
        subject = await engine.report(fires())
        engine.run.clock.step(timedelta(hours=-1))
        await engine.advance(minutes=1)
        assert f"{subject} paging alice" in texts(engine.chat)


async def test_a_line_that_comes_twice_is_waited_for_once(tower: Tower, matrix: Chat) -> None:
    async with tower() as engine:
        await learn(engine, matrix)
        ears = engine.run.daemon.ears
        line = Line("twice", Place("console", IRC), "", "!ack all", called="eve")
        await ears.heard(line)
        await ears.heard(line)
        await engine.advance(seconds=3)
        assert not ears._put_off  # noqa: SLF001 (else who says something later is not waited for)
