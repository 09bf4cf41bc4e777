"""How far an incident has come: its five times, the budget, the two steps of its end, and what brings it back."""

from datetime import timedelta

import pytest

from tocsin.api import Clock, Refused, Transaction

from tests.daemon.hands import CHECK, THUMB, Hands
from tests.engine import Engine, fires
from tests.plugins.incident_parts import TABLES, declared, said
from tests.plugins.reminder_parts import happens
from tests.tower import Tower, asks


async def times(engine: Engine, number: str = "1") -> dict[str, str]:
    """What its clocks show."""
    return await engine.run.tocsin.turn(
        lambda tx: {str(clock): f"{at:%H:%M}" for clock, at in tx.incident(number).clocks.items()}
    )


async def test_an_incident_from_its_beginning_to_its_end(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine, "sev2 mail is slow")
        await engine.advance(minutes=20)
        told = await asks(engine, "alice", "!mitigated at 03:10 rolled back", room="#ops")
        assert told[0] == "1 mitigated: rolled back (alice, 03:10 UTC), after 10m"
        told = await asks(engine, "alice", "!allclear the queue is empty", room="#ops")
        assert told[0] == "1 all clear (alice): the queue is empty"
        told = await asks(engine, "alice", "!done 1 a full disk", room="#ops")
        assert told[0] == "1 resolved by alice after 20m; cause: a full disk"
        assert (await asks(engine, "alice", "incidents"))[0].splitlines()[0] == "1 incident open, 0 not over"
        told = await asks(engine, "alice", "!close 1", room="#ops")
        assert told[0].startswith("what do you tell everybody?")
        await engine.advance(minutes=5)
        told = await asks(engine, "alice", "!close 1 We are sorry", room="#ops")
        assert told[0] == "1 closed: We are sorry (alice)"
        assert await asks(engine, "alice", "incidents") == ["no incident is open \u00b7 !declare TEXT"]
        assert await times(engine) == {
            "acked": "03:00",
            "mitigated": "03:10",
            "all-clear": "03:20",
            "resolved": "03:20",
            "closed": "03:25",
        }


async def clears(engine: Engine, because: str = "errors at 0.3 %", *, minutes_ago: int = 5) -> None:
    """Nobody but Tocsin gives the all-clear: what is measured is as before since then."""

    def record(tx: Transaction) -> None:
        since = tx.now - timedelta(minutes=minutes_ago)
        tx.record(tx.incident("1").clear(because, "", tx.now, recovered_at=since))

    await engine.run.tocsin.turn(record)
    await engine.run.settled()


async def recovered(engine: Engine) -> str:
    found = await engine.run.tocsin.turn(lambda tx: tx.incident("1").recovered_at)
    return f"{found:%H:%M}" if found else ""


async def test_since_when_it_is_as_before_is_kept_until_it_is_not(tower: Tower) -> None:
    async with tower(*TABLES, "[plugins.timeline]\n") as engine:
        await declared(engine, "sev2 mail is slow")
        await engine.advance(minutes=20)
        await clears(engine)
        [shown] = await asks(engine, "alice", "incident 1")
        assert "all-clear 03:20 UTC (+20m) \u00b7 as before since 03:15 UTC" in shown
        await engine.says("bob", "!allclear it looks well", room="#ops")
        assert await recovered(engine) == "03:15"
        [told] = await asks(engine, "alice", "timeline 1")
        assert "all clear: errors at 0.3 % (back since 03:15 UTC)" in told
    async with tower(*TABLES) as engine:
        assert await recovered(engine) == "03:15"
        await happens(engine, "1", "withdraw_clear", "the queue grows", by="")
        assert await recovered(engine) == ""
        await clears(engine)
        await engine.says("alice", "!done 1 x", room="#ops")
        assert await recovered(engine) == "03:15"
        await engine.says("alice", "!reopen 1 it is back", room="#ops")
        assert await recovered(engine) == ""


async def test_an_all_clear_that_is_taken_back_stops_no_clock(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine, "sev2 mail is slow")
        await engine.says("alice", "!mitigated", room="#ops")
        await engine.says("alice", "!allclear the queue is empty", room="#ops")
        await happens(engine, "1", "withdraw_clear", "the queue grows", by="")
        assert sorted(await times(engine)) == ["acked", "mitigated"]
        [shown] = await asks(engine, "alice", "incident 1")
        assert "mail is slow: mitigated" in shown
    async with tower(*TABLES) as engine:
        assert sorted(await times(engine)) == ["acked", "mitigated"]
        with pytest.raises(Refused, match="has no all-clear"):
            await happens(engine, "1", "withdraw_clear", "the queue grows", by="")


async def test_without_a_cause_it_is_unexplained_until_somebody_says(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine)
        [told] = await asks(engine, "alice", "!done 1", room="#ops")
        assert told == (
            "1 resolved by alice after 0s; unexplained \u00b7 !cause 1 TEXT"
            " \u00b7 since when was nobody hurt? !mitigated 1 at TIME"
        )
        assert "cause: unexplained" in (await asks(engine, "alice", "incident 1"))[0]
        await engine.says("alice", "!close 1", room="#ops")  # sev3 owes nobody a long message
        await engine.says("bob", "!cause 1 a full disk", room="#ops")
        assert "cause: a full disk" in (await asks(engine, "alice", "incident 1"))[0]


@pytest.mark.parametrize("word", ["unexplained", "Unknown."])
async def test_unexplained_is_no_cause(tower: Tower, word: str) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine)
        assert "; unexplained" in (await asks(engine, "alice", f"!done 1 {word}", room="#ops"))[0]


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("!mitigated at today 03:30", "the time 'today 03:30' is yet to come"),
        ("!mitigated at 02:59", "that is 02:59 UTC, and 1 was declared at 03:00 UTC"),
        ("!mitigated at 23:59", "that is Fri 20 Nov 23:59 UTC, and 1 was declared at Sat 21 Nov 03:00 UTC"),
        ("!mitigated at noonish", "the time must be a time such as"),
        ("!mitigated at", "the time must be a time such as"),
        ("!allclear", "how do you know? say !allclear"),
        ("!allclear at 03:05", "how do you know? say !allclear"),
        ("!close 1 x", "1 is not over: !done 1 CAUSE says that it is"),
        ("!reopen 1", "1 is open; !reopen NUMBER opens one that is over"),
        ("!clock 1 mitigated 03:05", "1 is not mitigated yet"),
        ("!clock 1 mitgated 03:05", "'mitgated' is none of its times: say !clock"),
        ("!clock 1 acked", "the time must be a time such as"),
        ("!clock 1 acked 03:05 or so", "say !clock"),
        ("!clock 1 acked 02:00", "that is 02:00 UTC, and 1 was declared at 03:00 UTC"),
        ("!cause 1", "say !cause"),
        ("!done 7", "there is no alert '7': !alerts lists what is open"),
        ("!rename 1", "say !rename"),
        ("!attach 1", "say !attach"),
        ("!attach 1 k7f3", "there is no alert 'k7f3'"),
        ("!yes", "1: nothing was asked; !sev #1 asks how severe it is"),
        ("!sev 1 sev3", "1 is sev3 already"),
        ("!sev 1 sev9", "'sev9' is no severity: say !sev"),
        ("!scope 1 hit", "say !scope"),
        ("!scope 1 colour red", "say !scope"),
        ("!room", "no network makes rooms: name one in plugins.incidents.rooms"),
    ],
)
async def test_what_can_t_be_is_answered(tower: Tower, typed: str, told: str) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine)
        await engine.advance(minutes=10)
        [answer] = await asks(engine, "alice", typed, room="#ops")
        assert answer.startswith(told)
        assert await times(engine) == {"acked": "03:00"}


async def test_what_is_over_already_needs_no_reopening(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine)
        await engine.says("alice", "!done 1 x", room="#ops")
        assert await asks(engine, "bob", "!done 1", room="#ops") == ["1 is resolved already"]


async def test_the_question_that_is_named_is_asked(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine, "sev3 mail is slow")
        await engine.advance(hours=8)
        [late] = [one for one in said(tower, "room/#ops") if "is it worse than" in one]
        assert late == "1 not mitigated within 8h: is it worse than sev3? !sev #1 \u00b7 !mitigated 1"
        [told] = await asks(engine, "alice", "!sev #1", room="#ops")
        assert told.startswith("1 is it down for all")
        await declared(engine, "sev3 dns is slow", by="bob")
        [which] = await asks(engine, "alice", "!sev", room="#ops")
        assert which == "which one, 1 (mail is slow) and 2 (dns is slow)? Say !sev 2 \u2026"
        [told] = await asks(engine, "alice", "!sev 2", room="#ops")
        assert told.startswith("2 is it down for all")
        [which] = await asks(engine, "alice", "!sev 4", room="#ops")
        assert which.startswith("which one")


async def test_the_minute_of_the_declaration_is_not_before_it(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await engine.advance(seconds=31)
        await declared(engine)
        await engine.advance(seconds=50)
        [told] = await asks(engine, "alice", "!mitigated at 03:00 rolled back", room="#ops")
        assert told == "1 mitigated: rolled back (alice, 03:00 UTC), after 0s"
        [told] = await asks(engine, "alice", "!clock 1 mitigated 03:00", room="#ops")
        assert told == "1 mitigated at 03:00 UTC (alice put it right)"
        found = (await engine.run.tocsin.turn(lambda tx: tx.incident("1"))).clocks
        assert f"{found[Clock.MITIGATED]:%H:%M:%S}" == "03:00:31"


async def test_each_time_can_be_put_right(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine)
        await engine.advance(minutes=10)
        await engine.says("alice", "!mitigated", room="#ops")
        await engine.says("alice", "!mitigated at 03:05", room="#ops")
        await engine.says("alice", "!done 1 x", room="#ops")
        await engine.advance(minutes=10)
        await engine.says("alice", "!close 1", room="#ops")
        for clock in ("acked", "resolved", "closed"):
            [told] = await asks(engine, "bob", f"!clock 1 {clock} 5m ago", room="#ops")
            assert told == f"1 {clock} at 03:15 UTC (bob put it right)"
        assert await times(engine) == {
            "acked": "03:15",
            "mitigated": "03:05",
            "resolved": "03:15",
            "closed": "03:15",
        }


async def test_the_time_to_mitigate_is_told_at_half_and_at_the_end(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine, "sev1 all is lost")
        before = len(tower.chat.said)
        await engine.advance(hours=1)
        told = [
            f"{time} {one}"
            for time, one in zip(tower.chat.times[before:], tower.chat.said[before:], strict=True)
            if "mitigate" in str(one)
        ]
        assert told == [
            "03:15:00 1 half of 30m to mitigate is over \u00b7 !mitigated 1",
            "03:30:00 1 not mitigated within 30m \u00b7 !mitigated 1",
        ]


async def test_it_runs_by_how_severe_it_is_now_and_no_more_once_it_is_mitigated(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine, "sev2 all is slow")
        await engine.advance(minutes=20)
        await engine.says("alice", "!sev 1 sev1 worse", room="#ops")
        before = len(tower.chat.said)
        await engine.advance(minutes=10)
        assert [one for one in said(tower, "room/#ops", before) if "not mitigated within 30m" in one]
        await engine.says("alice", "!reopen 1", room="#ops")
        await engine.says("alice", "!sev 1 sev2", room="#ops")
        await engine.says("alice", "!mitigated", room="#ops")
        before = len(tower.chat.said)
        await engine.advance(hours=5)
        assert not [one for one in said(tower, "room/#ops", before) if "mitigate" in one]


async def test_who_led_is_reminded_of_the_long_message(tower: Tower) -> None:
    async with tower(*TABLES, crash=True) as engine:
        await declared(engine, "sev2 all is slow")
        await engine.says("alice", "!done 1 x", room="#ops")
    async with tower(*TABLES) as engine:
        before = len(tower.chat.said)
        await engine.advance(hours=49)
        reminders = said(tower, "person/alice", before)
        assert [one.split(": over")[0] for one in reminders] == ["1 all is slow"] * 2
        assert reminders[0].endswith("the long message is not written \u00b7 !close 1 TEXT")
        await engine.says("alice", "!close 1 We are sorry", room="#ops")
        before = len(tower.chat.said)
        await engine.advance(hours=72)
        assert not said(tower, "person/alice", before)


async def test_it_is_reopened_with_its_number(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        subject = await engine.report(fires())
        await declared(engine, f"sev2 all is slow from {subject}")
        await engine.says("alice", "!mitigated", room="#ops")
        await engine.says("alice", "!done 1 x", room="#ops")
        await engine.says("alice", "!close 1 bye", room="#ops")
        refused = await asks(engine, "bob", "!sev 1 sev1", room="#ops")
        assert refused == ["1 is closed: !reopen 1 opens it again"]
        told = await asks(engine, "bob", "!reopen 1 it is back", room="#ops")
        assert "1 reopened by bob: it is back" in told
        assert await times(engine) == {"acked": "03:00"}
        assert (await asks(engine, "bob", "incidents"))[0].splitlines()[0] == "1 incident open, 1 not over"


async def test_questions_say_how_severe_it_is(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        told = await asks(engine, "alice", "!declare mail is slow", room="#ops")
        assert told[-1].startswith("1 is it down for all or most users")
        assert told[-1].endswith("!no 1 \u00b7 !yes 1")
        told = await asks(engine, "alice", "!no", room="#ops")
        assert told[0].startswith("1 is something that users need unusable for many of them?")
        told = await asks(engine, "bob", "!y 1", room="#ops")
        assert told[0].startswith("1 severity sev3 \u2192 sev2 (yes: is something that users need")
        refused = await asks(engine, "bob", "!no", room="#ops")
        assert refused[0].startswith("1: nothing was asked")


async def test_no_to_all_is_the_least(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine, "mail is slow")
        for _ in range(3):
            await engine.says("alice", "!no", room="#ops")
        assert "1 sev4 mail is slow" in (await asks(engine, "alice", "incident 1"))[0]


async def test_what_it_is_already_is_answered_all_the_same(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine, "mail is slow")
        for word in ("no", "no"):
            await engine.says("alice", f"!{word}", room="#ops")
        told = await asks(engine, "alice", "!yes", room="#ops")
        assert told == ["1 sev3 it stays (yes: do users notice it at all?)"]
        assert (await asks(engine, "alice", "!no", room="#ops"))[0].startswith("1: nothing was asked")


@pytest.mark.parametrize(
    "typed", ["!sev 1 all logins fail", "!sev sev1 all logins fail", "!sev 1 sev1 all logins fail"]
)
async def test_a_severity_is_understood_with_and_without_the_number(tower: Tower, typed: str) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine)
        told = await asks(engine, "alice", typed, room="#ops")
        assert told[0] == "1 severity sev3 \u2192 sev1 (all logins fail) by alice"


async def test_what_else_it_is(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        subject = await engine.report(fires())
        await declared(engine)
        told = await asks(engine, "alice", f"!attach 1 {subject}", room="#ops")
        assert told == [f"1 {subject} belongs to it now"]
        assert await asks(engine, "alice", f"!attach 1 {subject}", room="#ops") == ["1 has them already"]
        await declared(engine, "sev3 other")
        refused = await asks(engine, "alice", f"!attach 2 {subject}", room="#ops")
        assert refused == [f"{subject} belongs to incident 1"]
        told = await asks(engine, "alice", "!rename 1 mail is lost", room="#ops")
        assert told == ["1 called 'mail is lost' from now on"]


async def test_a_tap_answers_a_question(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        hands = Hands(engine)
        await declared(engine, "mail is slow")
        question = str(len(tower.chat.said))
        assert await hands.tap("eve", CHECK, question, room="#ops") == ""
        assert await hands.tap("bob", THUMB, question, room="#ops") == ""
        assert "unusable for many of them?" in await hands.tap("bob", "\u274c", question, room="#ops")
        question = next(
            str(number) for number, one in enumerate(tower.chat.said, 1) if "unusable" in str(one)
        )
        await hands.tap("alice", CHECK, question, room="#ops")
        assert "1 sev2 mail is slow" in (await asks(engine, "alice", "incident 1"))[0]


@pytest.mark.parametrize(("emoji", "leader"), [(CHECK, "bob"), ("\u274c", "alice"), (THUMB, "alice")])
async def test_a_tap_answers_an_offer(tower: Tower, emoji: str, leader: str) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine)
        await engine.says("alice", "!hat pass bob", room="#ops")
        offer = next(
            str(number) for number, one in enumerate(tower.chat.said, 1) if "asks you to lead" in str(one)
        )
        await tower.chat.hears("bob", emoji, about=offer, tapped=True)
        await engine.run.settled()
        assert await engine.run.tocsin.turn(lambda tx: tx.incident("1").commander) == leader


async def test_why_it_is_over_is_understood_where_it_is_the_only_one(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        subject = await engine.report(fires())
        await declared(engine)
        told = await asks(engine, "alice", "!done k7f9 all good", room="#ops")
        assert told[0].startswith("there is no alert 'k7f9'")
        await declared(engine, "sev3 the site is slow", by="bob")
        told = await asks(engine, "alice", "!done a loop that logs", room="#ops")
        assert told[0].startswith("there is no alert 'a'")
        await engine.says("bob", "!done 2 it was the net", room="#ops")
        told = await asks(engine, "alice", "!done a loop that logs", room="#ops")
        assert told[0].startswith("1 resolved by alice after 0s; cause: a loop that logs")
        assert (await asks(engine, "alice", f"!done {subject}", room="#ops"))[0].startswith(
            f"{subject} resolved"
        )


async def test_what_is_over_was_mitigated_before(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine)
        await engine.advance(minutes=10)
        await engine.says("alice", "!done 1 x", room="#ops")
        await engine.advance(minutes=10)
        told = await asks(engine, "alice", "!mitigated 1", room="#ops")
        assert told == ["1 is over since 03:10 UTC: when was it mitigated? !mitigated 1 at TIME"]
        await engine.says("alice", "!mitigated 1 at 03:05", room="#ops")
        assert (await times(engine))["mitigated"] == "03:05"


async def test_the_long_message_is_owed_by_how_severe_it_was_as_is_known_later(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine, "sev2 all is slow")
        await declared(engine, "sev3 mail is slow")
        for number in "12":
            await engine.says("alice", f"!done {number} x", room="#ops")
        await engine.says("alice", "!sev 1 sev1 it was all of them", room="#ops")
        await engine.says("alice", "!sev 2 sev2", room="#ops")
        before = len(tower.chat.said)
        await engine.advance(hours=25)
        reminders = [one.split(": over")[0] for one in said(tower, "person/alice", before)]
        assert sorted(reminders) == ["1 all is slow", "2 mail is slow"]
        for number in "12":
            await engine.says("alice", f"!sev {number} sev3", room="#ops")
        before = len(tower.chat.said)
        await engine.advance(hours=49)
        assert not said(tower, "person/alice", before)


async def test_the_time_to_mitigate_runs_anew_once_it_is_reopened(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine, "sev2 all is slow")
        await engine.says("alice", "!mitigated rolled back", room="#ops")
        await engine.says("alice", "!done 1 x", room="#ops")
        await engine.advance(hours=5)
        await engine.says("alice", "!reopen 1", room="#ops")
        await engine.says("alice", "!sev 1 sev1", room="#ops")
        before = len(tower.chat.said)
        await engine.advance(minutes=31)
        told = [one for one in said(tower, "room/#ops", before) if "mitigate" in one]
        assert [one.split(" \u00b7 ")[0] for one in told] == [
            "1 half of 30m to mitigate is over",
            "1 not mitigated within 30m",
        ]
        assert (await asks(engine, "alice", "!mitigated", room="#ops"))[0].startswith("1 mitigated (alice, ")
