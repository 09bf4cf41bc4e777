"""Taking the pager, with the open pages of whoever has it; and how it goes back."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tocsin.config import Document
from tocsin.daemon import prepare
from tocsin.errors import ConfigError

from tests.engine import Engine, alert, fires, over
from tests.plugins.handoff_parts import HANDOFF, PRIMARY, STEPS, TABLES, paged
from tests.tower import Tower, asks, down, mends, policy

TEAMS = '[teams.web]\nmembers = ["alice", "bob"]\n[teams.db]\nmembers = ["carol"]\n'


@pytest.fixture
def tower(write_config: Callable[..., Path], tmp_path: Path) -> Tower:
    return Tower(write_config, tmp_path / "state")


async def three(engine: Engine) -> list[str]:
    return [await engine.report(fires(alert(f"A{n}"), key=f"k{n}")) for n in range(3)]


async def test_the_open_pages_go_with_it_and_it_comes_back_by_itself(tower: Tower) -> None:
    tower.people = tower.people.replace("digests = false\n", "")
    async with tower(*TABLES) as engine:
        ids = await three(engine)
        await engine.advance(seconds=10)
        assert {page.split()[1] for page in paged(tower)} == {"alice"}
        before = len(tower.chat.said)
        said = (await asks(engine, "bob", "!take 30m", room="#ops"))[0]
        assert said.startswith(
            f"bob has the pager of alice, with {ids[0]}, {ids[1]} and {ids[2]} until 03:31 UTC"
        )
        await engine.advance(seconds=20)
        heard = tower.chat.said[before:]
        [page] = [one.message for one in heard if one.place.name == "bob"]
        assert page.text == "3 alerts: 1 critical A0, 1 critical A1 and 1 critical A2"
        assert page.command.startswith("!ack ")
        [told] = [one.message for one in heard if one.place.name == "alice"]
        assert (
            told.text
            == f"bob has your pager until 03:31 UTC, with {ids[0]}, {ids[1]} and {ids[2]}; within 30s you can undo that"
        )
        assert told.command == "!undo"

        later = len(tower.chat.said)
        await engine.advance(minutes=9)
        assert not [one for one in tower.chat.said[later:] if one.place.name == "carol"]
        await engine.advance(minutes=1, seconds=30)  # bob had all the time of the step
        assert [one.place.name for one in tower.chat.said[later:] if one.place.private] == ["carol"]
        await engine.says("bob", "!ack", room="#ops")
        assert not [one for one in tower.chat.said[later:] if one.place.name == "alice"]

        await engine.advance(minutes=20)
        summary = f"alice has the pager again; bob was paged for 3 alerts in 30m: bob has {ids[0]}, {ids[1]} and {ids[2]}"
        assert engine.chat.texts("person/alice")[-1] == summary
        assert engine.chat.texts("person/bob")[-1] == summary
        assert engine.chat.texts("room/#ops")[-1] == summary
        assert (await asks(engine, "alice", "oncall"))[0].startswith(
            "primary: alice until Sat 21 Nov 08:00 UTC"
        )


async def test_what_still_rings_when_it_comes_back_pages_who_has_it_again(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        subject = await engine.report(fires())
        await engine.says("bob", "!take primary for 5m", room="#ops")
        await engine.advance(minutes=6)
        assert paged(tower)[:1] == ["03:00:00 alice"]
        bobs = [page for page in paged(tower) if "bob" in page]
        assert bobs == ["03:00:00 bob"]
        assert paged(tower)[-1] == "03:05:00 alice"
        said = engine.chat.texts("person/alice")[-2:]
        assert (
            f"alice has the pager of primary again; bob was paged for 1 alert in 5m: {subject} still ringing"
            in said
        )


async def test_a_kill_in_between_changes_nothing(tower: Tower) -> None:
    async with tower(*TABLES, crash=True) as engine:
        subject = await engine.report(fires())
        await engine.says("bob", "!take 30m", room="#ops")
    pages = paged(tower)
    async with tower(*TABLES, crash=True) as engine:
        await engine.advance(minutes=9)
        assert paged(tower) == pages
        await engine.says("bob", f"!ack {subject}", room="#ops")
    async with tower(*TABLES) as engine:
        await engine.advance(minutes=25)
        assert engine.chat.texts("person/alice")[-1].startswith(
            "alice has the pager again; bob was paged for 1 alert"
        )
        assert paged(tower) == pages


async def test_it_comes_back_while_the_daemon_is_down(tower: Tower) -> None:
    async with tower(*TABLES, crash=True) as engine:
        await engine.says("bob", "!take primary 5m", room="#ops")
    tower.clock.move(timedelta(minutes=20))
    async with tower(*TABLES) as engine:
        await engine.run.settled()
        assert engine.chat.texts("room/#ops")[-1].startswith("alice has the pager of primary again")
        await engine.report(fires())
        assert paged(tower)[-1].endswith("alice")


async def test_who_had_it_can_undo_that_at_once_and_not_later(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        subject = await engine.report(fires())
        await engine.says("bob", "!take 30m", room="#ops")
        await engine.advance(seconds=25)
        said = await asks(engine, "alice", "undo")
        assert any(
            line.startswith("alice has the pager again; bob was paged for 1 alert in 25s") for line in said
        )
        assert paged(tower) == ["03:00:00 alice", "03:00:00 bob", "03:00:25 alice"]
        assert f"{subject} still ringing" in engine.chat.texts("person/bob")[-1]
        await engine.says("bob", "!take 30m", room="#ops")
        await engine.advance(seconds=31)
        assert await asks(engine, "alice", "undo") == [
            "that was more than 30s ago: !take alice takes it back"
        ]
        assert (await asks(engine, "carol", "undo")) == ["nobody has taken a pager from you"]
        assert "bob ended that" in "".join(await asks(engine, "bob", "undo"))  # one may always give it back


async def test_what_is_on_its_way_to_whoever_had_it_is_not_sent_any_more(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        tower.chat.fails = down("alice")
        await engine.report(fires())
        await engine.says("bob", "!take 30m", room="#ops")
        await mends(engine)
        await engine.advance(minutes=3)
        assert [page.split()[1] for page in paged(tower)] == ["bob"]


async def test_what_somebody_has_acknowledged_stays_theirs(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        subject = await engine.report(fires())
        await engine.says("alice", f"!ack {subject}", room="#ops")
        [said] = await asks(engine, "bob", "!hold alice for 45m", room="#ops")
        assert said.startswith("bob shields alice, whose pages come to bob until 03:45 UTC")
        assert (
            engine.chat.texts("person/alice")[-1]
            == "bob shields you until 03:45 UTC; within 30s you can undo that · !undo"
        )
        assert paged(tower)[:1] == ["03:00:00 alice"]
        await engine.report(fires(alert("Other"), key="other"))
        assert paged(tower)[-1] == "03:00:00 bob"
        assert (await asks(engine, "alice", f"why {subject}"))[0]
        await engine.says("alice", f"!done {subject}", room="#ops")


async def test_every_target_means_whoever_stands_in(tower: Tower) -> None:
    steps = policy('{ page = ["alice", "web"] }')
    teams = '[teams.web]\nmembers = ["alice", "dave"]\n'
    async with tower(steps, teams, HANDOFF) as engine:
        await engine.says("dave", "!take alice", room="#ops")
        await engine.report(fires())
        assert paged(tower) == ["03:00:00 dave"]
        subject = (await engine.sql("select id from subjects where kind = 'group'"))[0][0]
        assert await asks(engine, "dave", f"!ack {subject}", room="#ops")
        await engine.says("dave", "!page alice are you there", room="#ops")
        assert paged(tower)[-1].endswith("dave")
        await engine.advance(minutes=61)
        await engine.report(fires(alert("Next"), key="next"))
        assert sorted(paged(tower)[-2:]) == ["04:01:00 alice", "04:01:00 dave"]


async def test_of_two_who_were_paged_the_other_takes_it_without_a_second_page(tower: Tower) -> None:
    both = '[schedules.primary]\non_call = ["alice", "bob"]\n'
    async with tower(STEPS, both, HANDOFF) as engine:
        await engine.report(fires())
        assert sorted(paged(tower)) == ["03:00:00 alice", "03:00:00 bob"]
        await engine.says("bob", "!take alice 30m", room="#ops")
        assert len(paged(tower)) == 2
        said = await asks(engine, "carol", "take primary")
        assert said[-1].startswith("carol has the pager of primary (so far bob)")


async def test_it_goes_from_hand_to_hand(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        subject = await engine.report(fires())
        await engine.says("bob", "!take alice 30m", room="#ops")
        said = await asks(engine, "dave", "take alice 1h")
        taken = f"dave has the pager of alice (so far bob), with {subject} until 04:00 UTC"
        assert any(line.startswith(taken) for line in said)
        summary = "dave has the pager now; bob was paged for 1 alert in 0s: "
        assert any(text.startswith(summary) for text in engine.chat.texts("person/bob"))
        assert paged(tower) == ["03:00:00 alice", "03:00:00 bob", "03:00:00 dave"]
        assert await asks(engine, "alice", "give carol") == [
            "dave has the pager of alice, not you: !take alice"
        ]
        await engine.advance(minutes=31)  # bob's half hour is over, dave has it
        has = (await asks(engine, "carol", "oncall"))[0]
        assert has.startswith("primary: dave (for alice) until Sat 21 Nov 04:00")
        said = await asks(engine, "alice", "take alice")
        assert any(
            line.startswith("alice has the pager again; dave was paged for 1 alert in 31m") for line in said
        )
        assert (await asks(engine, "carol", "oncall"))[0].startswith("primary: alice")
        assert not await engine.sql("select 1 from subjects where kind = 'handoff' and closed_at is null")


async def test_to_take_it_again_is_to_have_it_for_longer(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await engine.says("bob", "!take primary 30m", room="#ops")
        await engine.advance(minutes=20)
        [said] = await asks(engine, "bob", "!take primary 30m", room="#ops")
        assert "until 03:50 UTC" in said
        assert (
            len(await engine.sql("select 1 from subjects where kind = 'handoff' and closed_at is null")) == 1
        )
        await engine.advance(minutes=25)
        assert (await asks(engine, "alice", "oncall"))[0].startswith("primary: bob")
        await engine.advance(minutes=6)
        assert (await asks(engine, "alice", "oncall"))[0].startswith("primary: alice")


async def test_a_take_of_a_schedule_outlasts_the_handoff_of_it(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await engine.says("carol", "!take primary until 09:00", room="#ops")
        await engine.advance(hours=5, minutes=30)
        await engine.report(fires())
        assert paged(tower)[-1] == "08:30:00 carol"
        await engine.advance(minutes=31)
        assert (await asks(engine, "alice", "oncall"))[0].startswith("primary: bob")


async def test_what_flaps_and_is_quiet_pages_who_has_the_pager_once_it_fires(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        for _ in range(4):
            await engine.report(fires())
            await engine.advance(minutes=1)
            await engine.report(over())
            await engine.advance(minutes=1)
        pages = paged(tower)
        await engine.says("bob", "!take primary 1h", room="#ops")
        assert [page for page in paged(tower) if page not in pages] in ([], ["03:08:00 alice"])
        await engine.report(fires())
        assert paged(tower)[-1].endswith("bob")


@pytest.mark.parametrize(
    ("who", "asked", "said"),
    [
        ("alice", "take primary", "you have the pager of primary already"),
        ("alice", "take alice", "that is yours already: !give PERSON offers it to somebody"),
        ("alice", "take primry", "no schedule or person is called 'primry'; did you mean 'primary'?"),
        ("alice", "take bob carol", "'carol' is too much: say !take [NAME] [LENGTH|until TIME]"),
        ("alice", "take bob 30", "the time must be a length of time such as '30s', '5m' or '1h30m', not '30': say !take [NAME] [LENGTH|until TIME]"),
        ("alice", "take bob until", "the time must be a time such as '09:00', 'tomorrow 09:00', 'fri 18:00' or '2026-12-24 18:00', not '': say !take [NAME] [LENGTH|until TIME]"),
        ("alice", "take bob until today 01:00", "that is over already: say !take [NAME] [LENGTH|until TIME]"),
        ("alice", "take bob for 3 days", "that is too long: plugins.handoff.longest allows 1d at a time; !override is for what was planned"),
        ("alice", "take", "nothing rings for somebody else; whose pager? !take [NAME] [LENGTH|until TIME]"),
        ("alice", "hold", "say !hold PERSON [LENGTH|until TIME]"),
        ("alice", "hold primary", "that is a schedule, not a person: !take primary"),
        ("carol", "take primary", "the pager of primary is not yours to move: ask alice and bob"),
        ("carol", "hold alice", "the pager of alice is not yours to move: ask alice and bob"),
    ],
)  # fmt: skip
async def test_what_can_not_be_taken(tower: Tower, who: str, asked: str, said: str) -> None:
    async with tower(*TABLES, TEAMS) as engine:
        assert await asks(engine, who, asked) == [said]
        assert not await engine.sql("select 1 from events where kind like 'oncall.override%'")


async def test_strangers_take_nothing(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await asks(engine, "mallory", "!take primary", room="#ops")
        await asks(engine, "mallory", "take primary")
        assert not await engine.sql("select 1 from events where kind like 'oncall.override%'")


async def test_where_nobody_is_on_call_whoever_comes_is_welcome(tower: Tower) -> None:
    empty = "[schedules.primary]\non_call = []\n"
    async with tower(STEPS, empty, HANDOFF, TEAMS) as engine:
        await engine.report(fires())
        assert paged(tower) == ["03:00:00 carol"]
        said = await asks(engine, "bob", "!take primary", room="#ops")
        assert any(line.startswith("bob has the pager of primary until 04:00 UTC") for line in said)
        assert paged(tower)[-1] == "03:00:00 bob"


async def test_together_is_said_whose(tower: Tower) -> None:
    both = '[schedules.primary]\non_call = ["alice", "bob"]\n'
    async with tower(STEPS, both, HANDOFF) as engine:
        assert await asks(engine, "carol", "take primary") == [
            "alice and bob have primary together: !take alice or !take bob"
        ]


async def test_somebody_who_left_the_configuration_stands_in_for_nobody(tower: Tower) -> None:
    async with tower(*TABLES, crash=True) as engine:
        await engine.says("dave", "!take primary 2h", room="#ops")
    tower.people = tower.people.replace('[people.dave]\naccounts.console = "dave"\n', "")
    async with tower(*TABLES) as engine:
        await engine.report(fires())
        assert paged(tower)[-1].endswith("alice")


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ('default = "2d"', "default is 2d: it must be at least 1m, and at most longest, which is 1d"),
        ('default = "0s"', "default is 0s: it must be at least 1m"),
        ('answer = "0s"', "answer leaves no time to accept"),
    ],
)
def test_settings_that_can_not_be(
    write_config: Callable[..., Path], tower: Tower, table: str, problem: str
) -> None:
    text = f"{tower.people}{STEPS}{PRIMARY}{HANDOFF}{table}\n"
    with pytest.raises(ConfigError, match=problem):
        prepare(Document.open(write_config(text)))
