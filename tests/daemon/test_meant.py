"""Which alerts a line means that names none: nothing that came since it was said, nothing that others have."""

from datetime import timedelta

import pytest

from tocsin.domain.group import GroupState
from tocsin.errors import NetworkError
from tocsin.testing import Said
from tocsin.transaction import Transaction

from tests.engine import Engine, Start, alert, fires, over


async def states(engine: Engine, *subjects: str) -> list[GroupState]:
    return await engine.run.tocsin.turn(lambda tx: [tx.group(subject).state for subject in subjects])


TRIGGERED, ACKNOWLEDGED, SILENCED, RESOLVED = GroupState


@pytest.mark.parametrize("line", ["!ack", "!ack mine", "!ack all", "!ack all {}", "!done"])
async def test_what_opened_again_after_a_line_was_said_is_not_meant(start: Start, line: str) -> None:
    async with start() as engine:
        subject = await engine.report(fires())
        await engine.advance(seconds=1)
        said_at = engine.run.clock.now()
        await engine.advance(seconds=1)
        await engine.report(over())
        await engine.advance(seconds=1)
        assert await engine.report(fires()) == subject
        await engine.chat.hears("alice", line.format(subject), room="#ops", at=said_at)
        await engine.run.settled()
        assert await states(engine, subject) == [TRIGGERED]
        await engine.says("alice", line.format(subject))
        assert await states(engine, subject) != [TRIGGERED]


async def test_a_page_before_it_opened_again_makes_it_nobodys(start: Start) -> None:
    async with start() as engine:
        again = await engine.report(fires(key="again"))
        await engine.advance(minutes=5)  # bob is paged
        await engine.advance(seconds=1)
        await engine.report(over("again"))
        await engine.report(fires(key="again"))
        await engine.advance(minutes=1)
        other = await engine.report(fires(key="other"))
        await engine.says("bob", "!ack", room="#ops")
        assert await states(engine, again, other) == [TRIGGERED, TRIGGERED]
        await engine.advance(minutes=4)
        await engine.says("bob", "!ack", room="#ops")
        assert await states(engine, again, other) == [ACKNOWLEDGED, TRIGGERED]


@pytest.mark.parametrize("crash", [False, True])
async def test_a_page_that_began_after_a_line_was_said_does_not_count(start: Start, crash: bool) -> None:  # noqa: FBT001
    def lost(said: Said) -> NetworkError | None:
        return NetworkError("no answer") if said.place.name == "bob" else None

    async with start(crash=crash) as engine:
        subjects = [await engine.report(fires(key=key)) for key in ("one", "two")]
        await engine.advance(seconds=1)
        said_at = engine.run.clock.now()
        engine.chat.fails, engine.chat.answer_lost = lost, True
        await engine.advance(minutes=5)
    async with start() as engine:
        await engine.chat.hears("bob", "!ack", room="#ops", at=said_at)
        await engine.run.settled()
        assert await states(engine, *subjects) == [TRIGGERED, TRIGGERED]
        await engine.says("bob", "!ack", room="#ops")
        assert await states(engine, *subjects) == [ACKNOWLEDGED, ACKNOWLEDGED]


@pytest.mark.parametrize(("word", "state"), [("unack", TRIGGERED), ("done", RESOLVED)])
async def test_what_somebody_else_has_is_not_mine_though_i_was_paged(
    start: Start, word: str, state: GroupState
) -> None:
    async with start() as engine:
        alices, bobs = [await engine.report(fires(key=key)) for key in ("alice", "bob")]
        await engine.advance(minutes=5)
        await engine.says("alice", f"!ack {alices}")
        await engine.says("bob", f"!ack {bobs}")
        await engine.says("bob", f"!{word} mine")
        assert await states(engine, alices, bobs) == [ACKNOWLEDGED, state]


def silence(tx: Transaction, subject: str) -> None:
    tx.record(tx.group(subject).silence("alice", tx.now, tx.now + timedelta(hours=2)))


@pytest.mark.parametrize("line", ["!ack", "!ack mine", "!ack all {}"])
async def test_what_is_silenced_is_not_meant_while_something_rings(start: Start, line: str) -> None:
    async with start() as engine:
        silenced, rings = [await engine.report(fires(key=key)) for key in ("silenced", "rings")]
        await engine.run.tocsin.turn(lambda tx: silence(tx, silenced))
        await engine.says("alice", line.format(rings))
        assert await states(engine, silenced, rings) == [SILENCED, ACKNOWLEDGED]
        await engine.says("alice", "!ack")  # nothing else can be meant
        assert await states(engine, silenced) == [ACKNOWLEDGED]


@pytest.mark.parametrize("word", ["ack all", "done all"])
async def test_one_line_is_answered_in_few_whatever_may_still_arrive(start: Start, word: str) -> None:
    async with start() as engine:
        engine.chat.fails, engine.chat.answer_lost = (
            (lambda said: NetworkError("no answer") if said.message.command else None),
            True,
        )
        subjects = [await engine.report(fires(alert(str(number)), key=str(number))) for number in range(30)]
        before = len(engine.chat.texts("room/#ops"))
        await engine.says("bob", f"!{word} {subjects[-1]}", room="#ops")
        await engine.advance(seconds=30)
        told = engine.chat.texts("room/#ops")[before:]
        assert len(told) == 1
        assert "A page to alice may still arrive." in told[0]
        assert len(told[0].splitlines()) < 10


@pytest.mark.parametrize("line", ["!ack", "!ack mine", "!ack all"])
async def test_a_clock_that_is_set_back_hides_nothing_that_rings(start: Start, line: str) -> None:
    async with start() as engine:
        subject = await engine.report(fires())
        engine.run.clock.step(timedelta(hours=-1))
        await engine.says("alice", line)
        assert await states(engine, subject) == [ACKNOWLEDGED]
