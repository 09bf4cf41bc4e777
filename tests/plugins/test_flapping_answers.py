"""What people answer to an alert that comes and goes, and what others do with it meanwhile."""

import pytest

from tests.engine import alert, fires, gone, over
from tests.plugins.flapping_parts import SLOW, SWAP, begins_to_flap, comes_and_goes, is_open
from tests.tower import FACT, TWO_STEPS, Tower, asks, policy


@pytest.mark.parametrize("quiet", [False, True])
async def test_an_answer_holds_while_it_flaps(tower: Tower, *, quiet: bool) -> None:
    async with tower() as engine:
        subject = await begins_to_flap(engine)
        if quiet:
            await engine.report(over())
        pages = tower.chat.pages()
        await engine.says("alice", "ack")
        told = f"{subject} acknowledged by alice, paging stops: {FACT}"
        assert engine.chat.texts("room/#ops")[-1] == told
        before = len(engine.chat.said)
        await engine.report(over())
        await engine.advance(minutes=1)
        assert await comes_and_goes(engine, 20) == subject
        assert engine.chat.said[before:] == []
        assert tower.chat.pages() == pages
        assert "alice has it; flapping, 24 times, quiet now" in str(await asks(engine, "bob", "alerts"))
        await engine.advance(minutes=15)
        assert tower.chat.told()[-1] == "04:01:00 resolved: quiet for 15m after flapping 24 times"


async def test_what_is_more_severe_pages_through_an_answer(tower: Tower) -> None:
    async with tower() as engine:
        subject = await engine.report(fires(SWAP))
        for _ in range(3):
            await engine.report(over())
            await engine.report(fires(SWAP))
        await engine.says("alice", f"ack {subject}")
        await engine.report(over())
        await engine.report(fires(SWAP))
        before = len(tower.chat.pages())
        await engine.report(over())
        await engine.report(fires(SWAP, alert()))
        assert tower.chat.pages()[before:] == ["03:00:00 alice"]
        assert "rings again: it is critical now" in engine.chat.texts("room/#ops")[-2]


async def test_what_is_more_severe_begins_anew_and_no_step_of_the_old_plan_comes_with_it(
    tower: Tower,
) -> None:
    loud = '[[plugins.escalation.routes]]\nmatch = \'severity="critical"\'\npolicy = "loud"\n'
    async with tower(TWO_STEPS, policy('{ page = "carol" }', name="loud"), loud) as engine:
        for _ in range(4):
            await engine.report(fires(SWAP))
            await engine.report(over())
        await engine.advance(minutes=10)  # bob's step came due
        before = len(tower.chat.pages())
        await engine.report(fires(SWAP, alert()))
        assert tower.chat.pages()[before:] == ["03:10:00 carol"]


async def test_of_an_alert_that_was_never_in_it_who_has_it_is_told(tower: Tower) -> None:
    async with tower() as engine:
        await begins_to_flap(engine)
        await engine.says("alice", "ack")
        await engine.report(over())
        before = len(engine.chat.said)
        for _ in range(3):
            await engine.report(fires(alert(), SWAP))
            await engine.advance(minutes=1)
            await engine.report(gone("DiskFull", "Swap"))
        line = "1 more alert since alice has it: error Swap db1: 97 % of / used"
        assert [said.message.text for said in engine.chat.said[before:]] == [line, line]


async def test_an_answer_taken_back_while_it_is_quiet_pages_anew_when_it_fires(tower: Tower) -> None:
    async with tower() as engine:
        subject = await begins_to_flap(engine)
        await engine.says("alice", "ack")
        await engine.report(over())
        before = len(tower.chat.pages())
        await engine.says("alice", f"unack {subject}")
        assert tower.chat.pages()[before:] == []
        await engine.report(fires())
        assert tower.chat.pages()[before:] == ["03:06:00 alice"]


async def test_the_answer_to_a_digest_holds_for_those_that_are_quiet_too(tower: Tower) -> None:
    tower.people = tower.people.replace("digests = false", "digests = true")
    keys = ["disk", *(f"disk{number}" for number in range(9))]
    async with tower() as engine:
        for _ in range(4):
            for key in keys:
                await engine.report(fires(key=key))
            await engine.advance(minutes=1)
            for key in keys:
                await engine.report(over(key=key))
            await engine.advance(minutes=1)
        await engine.report(fires())
        told = [said.message for said in engine.chat.said if said.message.text.startswith("flapping")]
        (digest,) = {message.subject for message in told if "alerts: " in message.text}
        before = len(tower.chat.pages())
        await engine.says("alice", f"ack {digest}")
        assert "acknowledged by alice, paging stops: " in engine.chat.texts("room/#ops")[-1]
        await engine.advance(minutes=6)
        for key in keys:
            await engine.report(fires(key=key))
        await engine.advance(minutes=1)
        assert tower.chat.pages()[before:] == []


async def test_who_gives_no_answer_while_it_is_quiet_has_it_no_more_and_nothing_is_said_to_ring(
    tower: Tower,
) -> None:
    asked = 'ack_timeout.critical = "5m"\nack_grace = "5m"\n'
    tower.people = tower.people.replace("ack_timeout = {}\n", asked)
    async with tower() as engine:
        await begins_to_flap(engine)
        await engine.says("alice", "ack")
        await engine.report(over())
        before = len(tower.chat.pages())
        await engine.advance(minutes=10)
        assert tower.chat.told()[-1] == "03:16:00 alice gave no answer; pages again once it fires"
        assert tower.chat.pages()[before:] == ["03:11:00 alice"]  # the question
        await engine.report(fires())
        assert tower.chat.pages()[before + 1 :] == ["03:16:00 alice"]


@pytest.mark.parametrize("quiet", [False, True])
async def test_done_ends_it_at_once_and_the_next_time_is_the_first(tower: Tower, *, quiet: bool) -> None:
    async with tower() as engine:
        subject = await begins_to_flap(engine)
        if quiet:
            await engine.report(over())
        await engine.says("alice", f"done {subject}")
        assert not await is_open(engine, subject)
        before = len(tower.chat.pages())
        assert await comes_and_goes(engine) == subject
        assert tower.chat.pages()[before:] == ["03:06:00 alice"]
        assert not await is_open(engine, subject)
        said = len(engine.chat.said)
        await engine.advance(minutes=30)
        assert engine.chat.said[said:] == []


async def test_somebody_else_can_be_called_while_it_is_quiet(tower: Tower) -> None:
    async with tower(SLOW) as engine:
        subject = await begins_to_flap(engine)
        await engine.report(over())
        await engine.says("alice", f"up {subject}")
        assert tower.chat.pages()[-1] == "03:06:00 bob"


async def test_a_silence_ends_the_flapping_and_what_ended_in_it_is_over(tower: Tower) -> None:
    async with tower(TWO_STEPS, "[plugins.silence]\n") as engine:
        subject = await begins_to_flap(engine)
        await engine.report(over())
        await engine.says("alice", f"silence {subject} 1h")
        before = len(tower.chat.pages())
        await comes_and_goes(engine, 5)
        assert "silenced by alice)" in str(await asks(engine, "bob", "alerts"))
        await engine.advance(hours=1)
        assert tower.chat.pages()[before:] == []
        assert not await is_open(engine, subject)
