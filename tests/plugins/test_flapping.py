"""What comes and goes is one alert: said once, paged on where its plan stood, and over when it stays quiet."""

import random
from datetime import timedelta

import pytest

from tocsin.alerts import report
from tocsin.transaction import Transaction

from tests.engine import Engine, alert, fires, gone, over
from tests.tower import FACT, TWO_STEPS, Tower, asks, away, down, mends, policy, timers

BEGAN = (
    "flapping: fired 4 times in 6m; I say no more of each change until it has been quiet or firing for 15m"
)
HELD = "select count(*) from timers where kind = 'core.flapping_over'"
SLOW = policy('{ page = "alice" }, { page = "bob", after = "20m" }, { page = "carol", after = "20m" }')
SWAP = alert("Swap", severity="error")
LOW = "[[plugins.escalation.routes]]\nmatch = []\npolicy = 'ops'\nurgency = 'low'\n"


def sleeps_until(tower: Tower, wakes: str) -> None:
    """Somebody sleeps since ten, and what is low can wait for them."""
    tower.people += f'[people.erin]\naccounts.console = "erin"\nquiet = "22:00-{wakes}"\n'


async def comes_and_goes(engine: Engine, times: int = 1) -> str:
    """It fires for a minute of two; the last time it is quiet."""
    subjects = set()
    for _ in range(times):
        subjects.add(await engine.report(fires()))
        await engine.advance(minutes=1)
        await engine.report(over())
        await engine.advance(minutes=1)
    (subject,) = subjects
    return subject


async def begins_to_flap(engine: Engine) -> str:
    """It fires for the fourth time, six minutes after the first."""
    await comes_and_goes(engine, 3)
    return await engine.report(fires())


async def rings(engine: Engine, subject: str) -> bool:
    return await engine.run.tocsin.turn(lambda tx: tx.group(subject).rings)


async def flaps(engine: Engine, subject: str) -> bool:
    return await engine.run.tocsin.turn(lambda tx: tx.group(subject).flapping is not None)


async def is_open(engine: Engine, subject: str) -> bool:
    return await engine.run.tocsin.turn(lambda tx: tx.group(subject).open)


# Before it flaps.


async def test_what_fires_again_calls_who_was_told_it_is_over_and_leaves_them_what_was_left_of_their_time(
    tower: Tower,
) -> None:
    async with tower() as engine:
        await comes_and_goes(engine, 2)
        await engine.report(fires())
        assert tower.chat.pages() == ["03:00:00 alice", "03:02:00 alice", "03:04:00 alice"]
        assert tower.chat.told()[-1].startswith("03:04:00 fires again: paging alice")
        await engine.advance(minutes=4)  # it fired for two of the five minutes before
        assert tower.chat.pages()[3:] == ["03:07:00 bob"]


async def test_what_fires_again_and_is_more_severe_begins_anew(tower: Tower) -> None:
    async with tower() as engine:
        await engine.report(fires(SWAP))
        await engine.advance(minutes=3)
        await engine.report(over())
        await engine.report(fires())
        await engine.advance(minutes=5)
        assert tower.chat.pages() == ["03:00:00 alice", "03:03:00 alice", "03:08:00 bob"]


async def test_all_whom_this_round_called_are_called_again(tower: Tower) -> None:
    async with tower() as engine:
        await engine.report(fires())
        await engine.advance(minutes=6)
        await engine.report(over())
        await engine.advance(minutes=9)
        await engine.report(fires())
        assert sorted(tower.chat.pages()[2:]) == ["03:15:00 alice", "03:15:00 bob"]
        await engine.advance(minutes=9)
        assert tower.chat.pages()[4:] == ["03:24:00 alice"]


async def test_when_their_time_is_over_the_next_step_comes_at_once(tower: Tower) -> None:
    async with tower(TWO_STEPS.replace("5m", "1s")) as engine:
        await engine.report(fires())
        tower.clock.move(timedelta(seconds=1))
        await engine.report(over())
        await engine.report(fires())
        assert tower.chat.pages()[-1] == "03:00:01 bob"


async def test_after_the_end_of_all_steps_it_begins_anew(tower: Tower) -> None:
    async with tower(policy('{ page = "alice" }, { page = "bob", after = "5m" }', "repeat = 0")) as engine:
        await engine.report(fires())
        await engine.advance(minutes=20)
        assert "nobody answers" in tower.chat.told()[-1]
        await engine.report(over())
        await engine.report(fires())
        assert tower.chat.pages()[2:] == ["03:20:00 alice"]
        await engine.advance(minutes=5)
        assert tower.chat.pages()[3:] == ["03:25:00 bob"]


async def test_that_it_waits_for_somebodys_morning_is_said_anew(tower: Tower) -> None:
    sleeps_until(tower, "07:00")
    async with tower(policy('{ page = "erin" }'), LOW) as engine:
        for _ in range(2):
            await engine.report(fires())
            assert tower.chat.told()[-1].endswith("waits for erin's morning (07:00 UTC)")
            await engine.report(over())
        assert tower.chat.told()[-2].startswith("03:00:00 fires again: ")


async def test_the_rooms_that_were_told_that_it_is_over_are_told_that_it_fires(tower: Tower) -> None:
    team = '[teams.db]\nmembers = ["bob"]\nrooms.console = "#db"\n'
    async with tower(policy('{ page = "alice", room = "db" }'), team) as engine:
        await engine.report(fires())
        await engine.report(over())
        await engine.report(fires())
        assert "fires again: paging alice" in tower.chat.told("#db")[-1]


async def test_if_who_is_called_again_is_nowhere_the_next_step_comes_at_once(tower: Tower) -> None:
    async with tower() as engine:
        await engine.report(fires())
        await engine.advance(minutes=1)
        await engine.report(over())
        tower.chat.fails = away("alice")
        await engine.report(fires())
        assert tower.chat.pages() == ["03:00:00 alice", "03:01:00 bob"]
        await engine.advance(minutes=11)
        assert tower.chat.pages()[2:] == []


async def test_who_was_never_reached_before_it_was_over_has_their_whole_time_when_they_are(
    tower: Tower,
) -> None:
    async with tower() as engine:
        tower.chat.fails = down()
        await engine.report(fires())
        await engine.advance(seconds=30)
        await engine.report(over())
        await engine.advance(seconds=30)
        await engine.report(fires())
        await engine.advance(seconds=50)
        tower.chat.fails = lambda _: None
        await mends(engine)
        assert tower.chat.pages() == ["03:01:50 alice"]
        await engine.advance(minutes=6)
        assert tower.chat.pages()[1:] == ["03:06:50 bob"]


@pytest.mark.parametrize("first", ["", '{ page = ["alice", "erin"] }, '], ids=["the first", "another"])
async def test_when_the_next_step_waits_for_the_morning_it_is_said_again_and_who_was_called_is_called(
    tower: Tower, first: str
) -> None:
    tower.people += '[people.erin]\naccounts.console = "erin"\nquiet = "22:00-03:10"\n'
    tower.people += '[people.finn]\naccounts.console = "finn"\nquiet = "22:00-07:00"\n'
    low = '[[plugins.escalation.routes]]\nmatch = \'severity="critical"\'\npolicy = "ops"\nurgency = "low"\n'
    async with tower(policy(f'{first}{{ page = "finn", after = "5m" }}'), low) as engine:
        await engine.report(fires())
        await engine.advance(minutes=8)
        assert tower.chat.told()[-1].endswith("waits for finn's morning (07:00 UTC)")
        await engine.report(over())
        pages, told = len(tower.chat.pages()), len(tower.chat.told())
        await engine.advance(minutes=1)
        await engine.report(fires())
        await engine.advance(hours=1)
        if first:
            assert tower.chat.pages()[pages:] == ["03:09:00 alice", "03:10:00 erin"]
            assert tower.chat.told()[told] == "03:09:00 fires again: paging alice, and erin in the morning"
        else:
            assert tower.chat.pages()[pages:] == []
            assert tower.chat.told()[told:] == ["03:09:00 fires again: waits for finn's morning (07:00 UTC)"]
        await engine.advance(hours=3)
        assert "07:00:00 finn" in tower.chat.pages()


async def test_when_nobody_can_be_called_once_more_the_next_step_comes_at_once(tower: Tower) -> None:
    async with tower(policy('{ room = "console" }, { page = "bob", after = "5m" }')) as engine:
        await engine.report(fires())
        await engine.report(over())
        assert tower.chat.pages() == []
        await engine.report(fires())
        assert tower.chat.pages() == ["03:00:00 bob"]


async def test_after_an_answer_it_pages_anew_until_it_flaps(tower: Tower) -> None:
    async with tower() as engine:
        for minute in range(4):
            subject = await engine.report(fires())
            assert tower.chat.pages()[-1] == f"03:0{minute}:00 alice"
            await engine.says("bob", f"ack {subject}")
            await engine.advance(minutes=1)
            await engine.report(over())
        before = len(tower.chat.pages())
        await comes_and_goes(engine, 5)
        assert tower.chat.pages()[before:] == []


# While it flaps.


async def test_it_is_said_once_to_all_who_know_of_it_and_then_no_change_is(tower: Tower) -> None:
    async with tower(SLOW) as engine:
        subject = await begins_to_flap(engine)
        line = f"{subject} {BEGAN}: {FACT} · !ack {subject}"
        for place in ("room/#ops", "person/alice"):
            assert engine.chat.texts(place).count(line) == 1
        await engine.advance(minutes=1)
        before = len(engine.chat.said)
        await engine.report(over())
        await engine.advance(minutes=1)
        assert await comes_and_goes(engine, 3) == subject
        assert engine.chat.said[before:] == []
        (listed,) = await asks(engine, "alice", "alerts")
        assert listed.startswith("1 alert open, 1 without an answer\n")
        assert "(since 03:00:00; nobody has answered; flapping, 7 times, quiet now)" in listed
        (why,) = await asks(engine, "alice", f"why {subject}")
        assert why.startswith(f"{subject} triggered; flapping, 7 times, quiet now: {FACT}")
        assert "03:06:00 flapping: fired 4 times in 6m" in why
        assert why.endswith("03:07:00 came and went until 03:13:00: fired 3 times")


async def test_it_climbs_on_and_nobody_is_called_by_each_change(tower: Tower) -> None:
    async with tower() as engine:
        await begins_to_flap(engine)
        began = len(tower.chat.pages())
        await engine.advance(minutes=1)
        await engine.report(over())
        await engine.advance(minutes=1)
        await comes_and_goes(engine, 10)
        # Bob's step comes due at 03:08, while it is quiet, and again the first ten minutes later.
        assert tower.chat.pages()[began:] == ["03:08:00 bob", "03:18:00 alice", "03:23:00 bob"]


async def test_while_it_is_quiet_nobody_is_called_and_what_came_due_comes_when_it_fires_again(
    tower: Tower,
) -> None:
    async with tower() as engine:
        subject = await begins_to_flap(engine)
        await engine.report(over())
        before = len(engine.chat.said)
        await engine.advance(minutes=14, seconds=59)
        assert engine.chat.said[before:] == []
        assert not await rings(engine, subject)
        assert await engine.report(fires()) == subject
        assert tower.chat.pages()[-1] == "03:20:59 bob"
        assert await timers(engine) == [subject]


async def test_what_has_stayed_quiet_is_over_and_says_so_once(tower: Tower) -> None:
    async with tower(SLOW) as engine:
        subject = await begins_to_flap(engine)
        await engine.advance(minutes=1)
        await engine.report(over())
        await engine.advance(minutes=14)
        await engine.report(over())  # once more the same
        before = len(engine.chat.said)
        await engine.advance(minutes=2)
        line = f"resolved: quiet for 15m after flapping 4 times, without an answer: {FACT}"
        assert [said.message.text for said in engine.chat.said[before:]] == [line, line]
        assert not await is_open(engine, subject)
        assert await timers(engine) == []
        # What fires after that counts from the beginning.
        assert await comes_and_goes(engine, 3) == subject
        assert not await is_open(engine, subject)


async def test_what_has_fired_on_flaps_no_more_and_its_end_is_its_end(tower: Tower) -> None:
    async with tower(SLOW) as engine:
        subject = await begins_to_flap(engine)
        await engine.says("bob", f"ack {subject}")
        await engine.advance(minutes=14, seconds=59)
        before = len(engine.chat.said)
        await engine.advance(seconds=1)
        line = f"fires without a break for 15m after flapping 4 times: {FACT}"
        assert {said.message.text for said in engine.chat.said[before:]} == {line}
        assert "flapping" not in str(await asks(engine, "alice", "alerts"))
        await engine.report(over())
        assert tower.chat.told()[-1] == "03:21:00 resolved by its source"
        assert not await is_open(engine, subject)
        await engine.report(fires())
        await comes_and_goes(engine, 2)
        assert "flapping" not in str(await asks(engine, "alice", "alerts"))
        await engine.report(fires())
        assert "flapping, 4 times" in str(await asks(engine, "alice", "alerts"))


# Answers.


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


# Nothing is lost.


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
        assert "page to alice failed: not taken within 60 s" in str(tower.chat.told())


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


# Restarts.


@pytest.mark.parametrize("reboots", [False, True])
@pytest.mark.parametrize("crash", [False, True], ids=["stopped", "killed"])
async def test_it_flaps_on_over_restarts_and_is_over_in_time(
    tower: Tower, *, crash: bool, reboots: bool
) -> None:
    async with tower(SLOW, crash=crash) as engine:
        subject = await begins_to_flap(engine)
        await engine.report(over())
    tower.clock.move(timedelta(minutes=5))
    if reboots:
        tower.clock.reboot()
    async with tower(SLOW, crash=crash) as engine:
        before = len(engine.chat.said)
        assert await engine.report(fires()) == subject
        await engine.report(over())
        assert engine.chat.said[before:] == []
    async with tower(SLOW) as engine:
        assert "flapping, 5 times, quiet now" in str(await asks(engine, "alice", "alerts"))
        await engine.advance(minutes=14, seconds=59)
        assert await is_open(engine, subject)
        await engine.advance(seconds=1)
        assert "resolved: quiet for 15m after flapping 5 times" in tower.chat.told()[-1]


async def test_nothing_is_called_quiet_that_nobody_could_hear(tower: Tower) -> None:
    async with tower(SLOW, crash=True) as engine:
        subject = await begins_to_flap(engine)
        await engine.report(over())
        before = len(engine.chat.said)
    tower.clock.move(timedelta(hours=2))
    async with tower(SLOW) as engine:
        assert await is_open(engine, subject)
        assert engine.chat.said[before:] == []
        assert await engine.sql(HELD) == [(1,)]
        await engine.report(fires())
        assert tower.chat.pages()[-1] == "05:06:00 bob"  # whose time had come
        await engine.report(over())
        await engine.advance(minutes=15)
        assert not await is_open(engine, subject)


@pytest.mark.parametrize("reboots", [False, True])
@pytest.mark.parametrize("crash", [False, True], ids=["stopped", "killed"])
async def test_nothing_is_called_quiet_soon_after_a_time_in_which_nobody_could_hear(
    tower: Tower, *, crash: bool, reboots: bool
) -> None:
    async with tower(SLOW, crash=crash) as engine:
        subject = await begins_to_flap(engine)
        await engine.report(over())
        await engine.advance(minutes=1)
    tower.clock.move(timedelta(minutes=14, seconds=30))
    if reboots:
        tower.clock.reboot()
    async with tower(SLOW) as engine:
        await engine.advance(minutes=14, seconds=59)
        assert await is_open(engine, subject)
        await engine.advance(seconds=1)
        assert "resolved: quiet for 15m after flapping 4 times" in tower.chat.told()[-1]


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_comes_little_is_told_and_what_fires_has_an_answer_or_a_next_step(
    tower: Tower, seed: int
) -> None:
    dice, subject, silent = random.Random(seed), "", 0  # noqa: S311
    for life in range(4):
        async with tower(SLOW, crash=bool(life % 2)) as engine:
            for _ in range(25):
                flapped = subject and await flaps(engine, subject)
                told = len(tower.chat.told())
                match dice.choice(["fires"] * 4 + ["over"] * 4 + ["ack", "unack", "wait"]):
                    case "fires":
                        subject = await engine.report(fires())
                    case "over":
                        await engine.report(over())
                    case "wait":
                        await engine.advance(minutes=dice.choice([5, 16]))
                    case word if subject:
                        await engine.says("bob", f"{word} {subject}")
                if flapped and await flaps(engine, subject):
                    changes = str(tower.chat.told()[told:])
                    assert "fires again" not in changes
                    assert "by its source" not in changes
                    silent += 1
                await engine.advance(seconds=dice.randrange(60))
                assert not subject or not await rings(engine, subject) or subject in await timers(engine)
            assert "No plugin" not in str(engine.chat.said)
    assert silent


# Settings.


@pytest.mark.parametrize(
    ("setting", "flaps"),
    [
        ("after = 0", False),
        ("after = 4", False),
        ("after = 3", True),
        ("after = 1", True),
        ('within = "6m"', False),
        ('within = "6m1s"', True),
    ],
)
async def test_how_often_it_has_to_fire_is_a_setting(tower: Tower, setting: str, *, flaps: bool) -> None:
    async with tower(SLOW, f"[flapping]\n{setting}\n") as engine:
        subject = await begins_to_flap(engine)
        await engine.report(over())
        assert await is_open(engine, subject) is flaps


async def test_how_long_it_has_to_stay_as_it_is_is_a_setting_and_holds_for_what_flaps(tower: Tower) -> None:
    async with tower(SLOW, '[flapping]\nhold = "2m"\n') as engine:
        subject = await begins_to_flap(engine)
        assert "quiet or firing for 2m" in str(engine.chat.texts("room/#ops"))
    async with tower(SLOW, "[flapping]\nafter = 0\n") as engine:
        await engine.report(over())
        await engine.advance(minutes=1, seconds=59)
        assert await is_open(engine, subject)
        await engine.advance(seconds=1)
        assert not await is_open(engine, subject)
