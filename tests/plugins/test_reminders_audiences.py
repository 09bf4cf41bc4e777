"""Audiences are told beside those who work on an incident: in rooms, each in words of its own."""

import pytest

from tocsin.api import Role

from tests.plugins.incident_parts import declared
from tests.plugins.reminder_parts import WITH, happens, led, told
from tests.shown import edits, shown
from tests.tower import Tower, asks

EXECS = """\
[teams.execs]
rooms.console = "#execs"
[plugins.reminders.audiences.execs]
teams = ["execs"]
"""


def heard(tower: Tower, room: str = "#execs", since: int = 0) -> list[str]:
    """What was said in an audience's room, and when."""
    lines = (line.split(" ", 2) for line in told(tower, since))
    return [f"{time[:5]} {text}" for time, place, text in lines if place == room]


async def test_they_are_told_from_the_beginning_to_the_end(tower: Tower) -> None:
    async with tower(*WITH, EXECS) as engine:
        number = await led(engine)
        await engine.advance(minutes=30)
        await engine.says("alice", "!status half of the disks are back next 20m", room="#ops")
        await engine.advance(minutes=10)
        await happens(engine, number, "assign", Role.SCRIBE, "dave")
        await happens(engine, number, "mitigate", "moved the data")
        await happens(engine, number, "resolve")
        await happens(engine, number, "close", "a firmware fault, thanks to all")
        await happens(engine, number, "reopen", "it is back")
        assert heard(tower) == [
            "03:00 1 sev2 declared: the disks are full \u00b7 next by 05:00 UTC",
            "03:30 1 sev2 the disks are full: half of the disks are back \u00b7 next by 03:50 UTC",
            "03:40 1 sev2 the disks are full: mitigated, users are hurt no more \u00b7 next by 03:50 UTC",
            "03:40 1 sev2 the disks are full: it is over",
            "03:40 1 sev2 the disks are full: closed: a firmware fault, thanks to all",
            "03:40 1 sev2 the disks are full: it goes on after all \u00b7 next by 04:40 UTC",
        ]


@pytest.mark.parametrize("crash_at", [50, 60, 64, 70, 74, 75, 76])
async def test_they_are_told_once_that_the_promised_update_is_late(tower: Tower, crash_at: int) -> None:
    async with tower(*WITH, EXECS, crash=True) as engine:
        await led(engine)
        await engine.says("alice", "!status it is slow", room="#ops")
        before = len(tower.chat.said)
        await engine.advance(minutes=crash_at)
    async with tower(*WITH, EXECS) as engine:
        await engine.advance(minutes=80 - crash_at)
        assert heard(tower, since=before) == [
            "04:15 1 sev2 the disks are full: the promised update is late; the next one comes as soon as possible"
        ]
        await engine.says("alice", "!status it is quick", room="#ops")
        assert heard(tower)[-1] == "04:20 1 sev2 the disks are full: it is quick \u00b7 next by 05:20 UTC"


async def test_what_passes_unkept_is_told_though_something_else_was_meanwhile(tower: Tower) -> None:
    async with tower(*WITH, EXECS) as engine:
        number = await led(engine)
        await engine.says("alice", "!status it is slow", room="#ops")
        await engine.advance(minutes=65)
        await happens(engine, number, "mitigate", "")
        assert heard(tower)[-1] == "04:05 1 sev2 the disks are full: mitigated, users are hurt no more"
        await engine.advance(minutes=11)
        assert "the promised update is late" in heard(tower)[-1]


async def test_that_the_time_was_another_is_no_news_to_them(tower: Tower) -> None:
    async with tower(*WITH, EXECS) as engine:
        await led(engine)
        await engine.advance(minutes=10)
        await engine.says("alice", "!mitigated rolled back", room="#ops")
        before = len(tower.chat.said)
        await engine.says("alice", "!mitigated at 03:05", room="#ops")
        assert heard(tower, since=before) == []
        await engine.says("alice", "!done 1 a leak", room="#ops")
        await engine.says("alice", "!reopen 1", room="#ops")
        await engine.says("alice", "!mitigated", room="#ops")
        assert heard(tower, since=before)[-1].split(" \u00b7 ")[0] == (
            "03:10 1 sev2 the disks are full: mitigated, users are hurt no more"
        )
        await engine.says("alice", "!reopen 1", room="#ops")
        await engine.says("alice", "!done 1", room="#ops")
        before = len(tower.chat.said)
        await engine.says("alice", "!mitigated 1 at 03:07", room="#ops")
        assert heard(tower, since=before) == []


async def test_they_are_told_that_it_is_clear_and_if_it_is_not_after_all(tower: Tower) -> None:
    async with tower(*WITH, EXECS) as engine:
        number = await led(engine)
        before = len(tower.chat.said)
        await engine.says("alice", "!allclear errors are as before", room="#ops")
        await engine.says("alice", "!allclear at 03:00 errors are as before, really", room="#ops")
        await happens(engine, number, "withdraw_clear", "errors at 3 % again", by="")
        await happens(engine, number, "clear", "errors are gone", by="")
        assert heard(tower, since=before) == [
            "03:00 1 sev2 the disks are full: all clear: errors are as before \u00b7 next by 04:00 UTC",
            "03:00 1 sev2 the disks are full: not clear after all: errors at 3 % again \u00b7 next by 04:00 UTC",
            "03:00 1 sev2 the disks are full: all clear: errors are gone \u00b7 next by 04:00 UTC",
        ]
        await engine.says("alice", "!done 1 a leak", room="#ops")
        before = len(tower.chat.said)
        await engine.says("alice", "!allclear 1 at 03:00 errors are gone", room="#ops")
        await happens(engine, number, "withdraw_clear", "errors at 3 % again", by="")
        assert heard(tower, since=before) == []


async def test_that_it_is_not_clear_is_told_to_who_heard_that_it_is(tower: Tower) -> None:
    async with tower(*WITH, EXECS) as engine:
        number = await declared(engine, "sev3 the disks are full")
        await engine.says("alice", "!allclear errors are as before", room="#ops")
        await engine.says("alice", "!sev 1 sev2 worse", room="#ops")
        before = len(tower.chat.said)
        await happens(engine, number, "withdraw_clear", "errors at 3 % again", by="")
        assert heard(tower, since=before) == []


async def test_who_is_alone_keeps_the_promise_to_others_too(tower: Tower) -> None:
    async with tower(*WITH, EXECS) as engine:
        await declared(engine, "sev2 the disks are full")
        await engine.advance(hours=9)
        assert heard(tower) == [
            "03:00 1 sev2 declared: the disks are full \u00b7 next by 05:00 UTC",
            "05:15 1 sev2 the disks are full: the promised update is late; the next one comes as soon as possible",
        ]


async def test_one_is_promised_what_comes_by_its_own_cadence(tower: Tower) -> None:
    async with tower(*WITH, EXECS + 'every = "3h"\n') as engine:
        await led(engine)
        await engine.says("alice", "!status it is slow", room="#ops")
        assert heard(tower)[-1].endswith("next by 06:00 UTC")
        await engine.advance(minutes=179)
        assert len(heard(tower)) == 2
        await engine.advance(minutes=2)
        assert heard(tower)[-1].startswith("06:00 1 sev2 the disks are full: the promised update is late")
        await engine.advance(hours=9)
        assert len(heard(tower)) == 3
        await engine.says("alice", "!status it is slow next 5h", room="#ops")
        assert heard(tower)[-1].endswith("next by 20:01 UTC")


async def test_only_of_what_is_severe_enough_but_then_to_the_end(tower: Tower) -> None:
    async with tower(*WITH, EXECS) as engine:
        number = await led(engine, "sev3")
        await engine.says("alice", "!status it is slow", room="#ops")
        assert heard(tower) == []
        await happens(engine, number, "change_severity", "sev1", "")
        assert heard(tower) == ["03:00 1 sev1 declared: the disks are full \u00b7 next by 03:30 UTC"]
        await happens(engine, number, "change_severity", "sev4", "")
        await engine.says("alice", "!status it is slow", room="#ops")
        await happens(engine, number, "resolve")
        assert [line.split(": ", 1)[1] for line in heard(tower)[1:]] == [
            "it is slow \u00b7 next by Sun 22 Nov 03:00 UTC",
            "it is over",
        ]


async def test_what_is_over_is_news_to_nobody_who_did_not_know(tower: Tower) -> None:
    async with tower(*WITH, EXECS) as engine:
        number = await led(engine, "sev3")
        await happens(engine, number, "resolve")
        await happens(engine, number, "change_severity", "sev1", "")
        await happens(engine, number, "close", "")
        assert heard(tower) == []


async def test_where_it_is_talked_about_nothing_is_said_twice(tower: Tower) -> None:
    ops = '[teams.ops]\nrooms.console = "#ops"\n[plugins.reminders.audiences.ops]\nteams = ["ops"]\n'
    async with tower(*WITH, ops) as engine:
        await led(engine)
        before = len(tower.chat.said)
        await engine.says("alice", "!status it is slow", room="#ops")
        assert len(tower.chat.said) == before + 1


async def test_words_and_a_link_of_its_own(tower: Tower) -> None:
    words = (
        "link = 'https://status.test/{number}'\n"
        "wording.updated = '''{{ severity | upper }}{% if drill %} (exercise){% endif %}:\n {{ text | truncate(9) }}"
        " {{ state }} {{ next or \"soon\" }} {{ number }} {{ title }}'''\n"
    )
    async with tower(*WITH, EXECS + words) as engine:
        await led(engine)
        await engine.says("alice", "!status {{ 7 * 7 }} <b> half of the disks", room="#ops")
        assert heard(tower)[-1] == (
            "03:00 1 SEV2: {{ 7... declared 04:00 UTC 1 the disks are full \u00b7 https://status.test/1"
        )


async def test_a_drill_is_one_for_them_too(tower: Tower) -> None:
    async with tower(*WITH, EXECS) as engine:
        number = await led(engine, "drill sev1")
        await engine.says("alice", "!status it is slow", room="#ops")
        await engine.advance(minutes=50)
        await happens(engine, number, "resolve")
        assert len(heard(tower)) == 4
        assert all(line.split(" ", 1)[1].startswith("1 drill sev1 ") for line in heard(tower))


async def test_two_at_once_are_told_apart(tower: Tower) -> None:
    async with tower(*WITH, EXECS) as engine:
        await led(engine)
        await led(engine, "sev1", "mail is gone")
        await engine.says("alice", "!status 2 mail is back", room="#ops")
        assert heard(tower)[-1].startswith("03:00 2 sev1 mail is gone: mail is back")
        assert len(heard(tower)) == 3


async def test_hostile_texts_are_one_line_of_text(tower: Tower) -> None:
    async with tower(*WITH, EXECS) as engine:
        await led(engine)
        await engine.says(
            "alice", "!status \x02{% for x in y %}\u202e @room <script>{{ title }}", room="#ops"
        )
        assert heard(tower)[-1].startswith(
            "03:00 1 sev2 the disks are full: {% for x in y %} @room <script>{{ title }}"
        )


async def test_the_first_line_shows_the_newest_where_it_can_be_put_right(tower: Tower) -> None:
    tower.chat.edits = True
    async with tower(*WITH, EXECS, crash=True) as engine:
        number = await led(engine)
        await engine.advance(minutes=5)
        await engine.says("alice", "!status half is back", room="#ops")
        half = "1 sev2 the disks are full: half is back \u00b7 next by 04:05 UTC"
        assert shown(tower.chat, "room/#execs") == [half, half]
    async with tower(*WITH, EXECS) as engine:
        await happens(engine, number, "resolve")
        over = "1 sev2 the disks are full: it is over"
        assert shown(tower.chat, "room/#execs") == [over, half, over]
        assert edits(tower.chat) == []


# Who asks where people work.

OPEN = EXECS + "bystanders = true\n"


async def test_who_has_no_part_in_it_is_pointed_once(tower: Tower) -> None:
    async with tower(*WITH, OPEN) as engine:
        await led(engine)
        for _ in range(2):
            await engine.says("dave", "!status", room="#ops")
            await engine.says("alice", "!status", room="#ops")
        where = "all updates are told in #execs on console"
        assert [where in text for text in tower.chat.texts("person/dave")] == [True, False]
        assert where not in "".join(tower.chat.texts("person/alice"))
        await led(engine, "sev1", "mail is gone")
        await engine.says("dave", "!status 2", room="#ops")
        assert where in tower.chat.texts("person/dave")[-1]


async def test_a_crash_between_points_nobody_twice(tower: Tower) -> None:
    async with tower(*WITH, OPEN, crash=True) as engine:
        await led(engine)
        await engine.says("dave", "!status", room="#ops")
    async with tower(*WITH, OPEN) as engine:
        await engine.says("dave", "!status", room="#ops")
        texts = tower.chat.texts("person/dave")
        assert ["#execs" in text for text in texts] == [True, False]
        story = await engine.run.tocsin.turn(lambda tx: [one.headline for one in tx.story("1")])
        assert story[-1] == "dave was pointed to the updates"
        assert "dave" not in await engine.run.tocsin.turn(lambda tx: list(tx.incident("1").people))


async def test_nobody_is_pointed_to_a_room_that_is_not_for_all(tower: Tower) -> None:
    async with tower(*WITH, EXECS) as engine:
        await led(engine)
        await engine.says("dave", "!status", room="#ops")
        assert "#execs" not in tower.chat.texts("person/dave")[-1]
        assert "#execs" not in (await asks(engine, "mallory", "!status", room="#ops"))[0]


async def test_a_stranger_is_told_where_too(tower: Tower) -> None:
    async with tower(*WITH, OPEN) as engine:
        await led(engine)
        assert await asks(engine, "mallory", "!status", room="#ops") == [
            "1 sev2 incident: declared \u00b7 next by 04:00 UTC \u00b7 all updates are told in #execs on console"
        ]


# What the file may say.


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ('teams = ["exec"]', "no team is called 'exec'; did you mean 'execs'"),
        ('teams = ["silent"]', "silent has no room"),
        ("drills = true", "is told nothing: give it teams, mail or a page"),
        ('mail = ["x@example.org"]', r"needs a server for mail: add \[plugins.reminders.smtp\]"),
        ('mail = ["nobody"]', "mail must be addresses"),
        ('mail = ["a@b.c", "a@b.c"]', "names an address twice"),
        ('page = "/nowhere/at/all"', "must be a folder in which Tocsin may write"),
        ('teams = ["execs"]\nevery = "1s"', "every must be at least 1m"),
        ('teams = ["execs"]\nlink = "javascript:alert(1)"', "link must be a link"),
        ('teams = ["execs"]\nseverities = ["sev9"]', "must be 'sev1', 'sev2', 'sev3' or 'sev4', not 'sev9'"),
    ],
)
async def test_wrong_settings_are_refused(tower: Tower, table: str, why: str) -> None:
    teams = '[teams.execs]\nrooms.console = "#execs"\n[teams.silent]\nmembers = ["alice"]\n'
    with pytest.raises(Exception, match=why):
        async with tower(*WITH, f"{teams}[plugins.reminders.audiences.execs]\n{table}\n"):
            pass
