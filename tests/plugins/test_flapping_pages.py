"""Of an alert that comes and goes no page is lost, whatever happens while it is quiet."""

from datetime import timedelta

from tocsin.alerts import report
from tocsin.transaction import Transaction

from tests.engine import fires, over
from tests.plugins.flapping_parts import BEGAN, LOW, SLOW, begins_to_flap, comes_and_goes, sleeps_until
from tests.tower import FACT, Tower, asks, away, down, mends, policy, timers


async def test_a_page_that_nobody_could_take_before_it_was_quiet_is_not_lost(tower: Tower) -> None:
    async with tower() as engine:
        await comes_and_goes(engine, 3)
        tower.chat.fails = down("alice")
        subject = await engine.report(fires())
        await engine.report(over())
        tower.chat.fails = lambda _: None
        await engine.advance(seconds=30)
        page = f"{subject} {FACT} · !ack {subject}"
        assert engine.chat.texts("person/alice").count(page) == 4
        await engine.report(fires())
        assert await timers(engine) == [subject]


async def test_if_who_is_called_is_nowhere_the_next_step_comes_as_soon_as_it_fires(tower: Tower) -> None:
    async with tower() as engine:
        tower.chat.fails = away("alice")
        await comes_and_goes(engine, 4)
        assert "03:00:00 bob" in tower.chat.pages()


async def test_who_comes_on_call_while_it_is_quiet_is_paged_when_it_fires(tower: Tower) -> None:
    primary = '[schedules.primary]\non_call = ["{}"]\n'
    plan = policy('{ page = "primary" }', 'repeat_after = "2h"')
    async with tower(plan, primary.format("alice")) as engine:
        subject = await begins_to_flap(engine)
        await engine.report(over())
        before = len(tower.chat.pages())
    async with tower(plan, primary.format("carol")) as engine:
        await engine.advance(minutes=2)
        assert tower.chat.pages()[before:] == []
        assert await engine.report(fires()) == subject
        assert tower.chat.pages()[before:] == ["03:08:00 carol"]
        assert "03:08:00 carol came on call: paging carol" in tower.chat.told()


async def test_whose_quiet_hours_end_while_it_is_quiet_is_paged_when_it_fires(tower: Tower) -> None:
    sleeps_until(tower, "03:10")
    plan = policy('{ page = ["alice", "erin"] }', 'repeat_after = "2h"')
    async with tower(plan, LOW) as engine:
        await begins_to_flap(engine)
        await engine.report(over())
        await engine.advance(minutes=10)
        assert not [page for page in tower.chat.pages() if "erin" in page]
        await engine.report(fires())
        assert [page for page in tower.chat.pages() if "erin" in page] == ["03:16:00 erin"]


async def test_who_says_while_it_is_quiet_that_they_are_awake_is_paged_when_it_fires(tower: Tower) -> None:
    sleeps_until(tower, "07:00")
    async with tower(policy('{ page = "erin" }'), LOW) as engine:
        await begins_to_flap(engine)
        await engine.report(over())
        await engine.says("erin", "!me quiet off")
        before = len(tower.chat.pages())
        await engine.advance(minutes=14)
        assert tower.chat.pages()[before:] == []
        await engine.report(fires())
        assert tower.chat.pages()[before:] == ["03:20:00 erin"]


async def test_a_page_that_fails_while_it_is_quiet_is_told(tower: Tower) -> None:
    async with tower(SLOW) as engine:
        await comes_and_goes(engine, 3)
        tower.chat.fails = down("alice")
        await engine.report(fires())
        await engine.report(over())
        await engine.advance(minutes=1)
        assert "page to alice failed: not taken within a minute" in str(tower.chat.told())


async def test_of_a_page_that_is_delivered_while_it_is_quiet_the_wait_begins(tower: Tower) -> None:
    async with tower() as engine:
        await begins_to_flap(engine)
        tower.chat.fails = down("bob")
        await engine.advance(minutes=2)
        await engine.report(over())
        await engine.advance(seconds=10)
        await mends(engine)
        assert tower.chat.pages()[-1] == "03:08:10 bob"
        await engine.advance(minutes=9)
        await engine.report(fires())
        await engine.advance(minutes=1)
        assert tower.chat.pages()[-1] == "03:18:10 alice"


async def test_of_a_page_that_finds_nobody_while_it_is_quiet_the_next_step_comes_when_it_fires(
    tower: Tower,
) -> None:
    steps = '{ page = "alice" }, { page = "bob", after = "5m" }, { page = "carol", after = "1h" }'
    async with tower(policy(steps)) as engine:
        await begins_to_flap(engine)
        await engine.report(over())
        await engine.advance(minutes=3)  # bob's step came due
        tower.chat.fails = away("bob")

        def for_a_moment(tx: Transaction) -> None:
            report(tx, fires())
            report(tx, over())

        await engine.run.tocsin.turn(for_a_moment)
        await engine.run.settled()
        assert "step 2: paging bob" in str(tower.chat.told())
        await engine.advance(minutes=4)
        assert "carol" not in str(tower.chat.pages())
        await engine.report(fires())
        assert tower.chat.pages()[-1] == "03:13:00 carol"


async def test_a_bare_answer_takes_what_is_quiet_too(tower: Tower) -> None:
    async with tower(SLOW) as engine:
        subject = await begins_to_flap(engine)
        await engine.report(over())
        other = await engine.report(fires(key="other"))
        await engine.says("alice", "ack")
        assert str(await asks(engine, "bob", "alerts")).count("alice has it") == 2, (subject, other)


async def test_after_the_clock_was_set_back_it_is_counted_anew_how_often_it_fires(tower: Tower) -> None:
    async with tower(SLOW) as engine:
        await comes_and_goes(engine, 3)
        tower.clock.step(timedelta(hours=-1))
        await begins_to_flap(engine)
        (line,) = [text for text in engine.chat.texts("room/#ops") if "flapping" in text]
        assert BEGAN in line
