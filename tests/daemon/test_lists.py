"""What is open fits a screen however much that is, and every alert is in one of its numbers."""

import re
from collections.abc import Iterable

import pytest

from tocsin.alerts import report

from tests.engine import Engine, Start, alert, fires
from tests.tower import asks

NAMES = [f"Name{number:02}" for number in range(30)]


async def storm(engine: Engine, kinds: Iterable[tuple[str, str]]) -> list[str]:
    """A group for each name and severity; their ids."""
    news = [fires(alert(name, severity=severity), key=str(at)) for at, (name, severity) in enumerate(kinds)]
    ids = await engine.run.tocsin.turn(lambda tx: [report(tx, one) for one in news])
    await engine.run.settled()
    return ids


async def lists(engine: Engine, what: str = "") -> list[str]:
    """The lines of what bob is told in private."""
    (answer,) = await asks(engine, "bob", f"alerts {what}".strip())
    return answer.splitlines()


def counted(lines: Iterable[str]) -> int:
    return sum(int(line.split(": ")[1].split(", ")[0].replace(",", "")) for line in lines)


async def test_few_stand_each_for_itself_and_what_rings_first(start: Start) -> None:
    async with start() as engine:
        ids = await storm(engine, [("Load", "info"), *[("Load", "warning")] * 10, ("DiskFull", "critical")])
        await engine.says("alice", f"!ack {ids[-1]}")
        head, *lines = await lists(engine)
        assert head == "12 alerts open, 11 without an answer"
        assert [line.split()[0] for line in lines] == [*ids[1:11], ids[0], ids[11]]
        assert lines[-2:] == [
            f"{ids[0]} info Load db1: 97 % of / used (since 03:00:00; nobody has answered)",
            f"{ids[11]} critical DiskFull db1: 97 % of / used (since 03:00:00; alice has it)",
        ]


async def test_many_are_counted_by_severity_and_name(start: Start) -> None:
    async with start() as engine:
        kinds = (
            [("Load", "warning")] * 9
            + [("DiskFull", "critical")] * 5
            + [("Load", "info"), ("Port", "critical")]
        )
        ids = await storm(engine, kinds)
        await engine.says("alice", f"!ack {ids[9]} {ids[15]} {' '.join(ids[:3])}")
        await engine.says("bob", f"!ack {ids[3]}")
        assert await lists(engine) == [
            "16 alerts open, 10 without an answer",
            f"critical DiskFull: 5, {ids[10]}, {ids[11]}, {ids[12]} and 2 more (alice has 1)",
            f"warning Load: 9, {ids[4]}, {ids[5]}, {ids[6]} and 6 more (alice has 3 and bob has 1)",
            f"info Load: 1, {ids[14]}",
            f"critical Port: 1, {ids[15]} (alice has 1)",
        ]


async def test_pages_add_up_to_all_that_is_open(start: Start) -> None:
    async with start() as engine:
        kinds = [(name, "warning") for at, name in enumerate(NAMES) for _ in range(1 + at % 3)]
        await storm(engine, kinds)
        pages = [await lists(engine, page) for page in ("", "2", "3")]
        title = f"{len(kinds)} alerts open, {len(kinds)} without an answer"
        assert [page[0] for page in pages] == [title] * 3
        assert [page[-1] for page in pages[:2]] == [
            "… and 18 more names: !alerts 2 shows them",
            "… and 6 more names: !alerts 3 shows them",
        ]
        lines = [*pages[0][1:-1], *pages[1][1:-1], *pages[2][1:]]
        assert (len(lines), counted(lines)) == (len(NAMES), len(kinds))
        assert sorted(line.split()[1].rstrip(":") for line in lines) == NAMES
        assert await lists(engine, "1") == pages[0]
        for page in ("0", "4", "123456"):
            refused = [f"there is no page {page}: !alerts shows the first of 3 pages"]
            assert await lists(engine, page) == refused


async def test_the_alerts_of_one_name_are_listed_in_pages(start: Start) -> None:
    async with start() as engine:
        ids = await storm(
            engine, [("Load", "warning"), *[("DiskFull", "critical")] * 13, ("DISKFULL", "info")]
        )
        await engine.says("alice", f"!ack {ids[1]}")
        head, *lines = await lists(engine, "diskfull")
        assert head == "14 such alerts open, 13 without an answer"
        assert lines[-1] == "… and 2 more: !alerts diskfull 2 shows them"
        assert [line.split()[0] for line in lines[:-1]] == ids[2:14]
        second = await lists(engine, "DiskFull 2")
        assert [line.split()[0] for line in second[1:]] == [ids[14], ids[1]]
        refused = ["there is no page 3: !alerts DiskFull shows the first of 2 pages"]
        assert await lists(engine, "DiskFull 3") == refused
        assert await lists(engine, "2") == ["there is no page 2: !alerts shows all"]


async def test_a_name_of_several_words_that_ends_in_a_number_is_a_name(start: Start) -> None:
    async with start() as engine:
        ids = await storm(engine, [("Load 5", "warning")] * 13 + [("Slow", "info")])
        counts = await lists(engine)
        assert counts[1] == f"warning 'Load 5': 13, {ids[0]}, {ids[1]}, {ids[2]} and 10 more"
        for asked in ("load 5", "'Load 5'", "Load 5 1"):
            assert (await lists(engine, asked))[0] == "13 such alerts open, 13 without an answer"
        assert [line.split()[0] for line in (await lists(engine, "Load 5 2"))[1:]] == [ids[12]]


async def test_an_id_shows_that_one_alert_whatever_became_of_it(start: Start) -> None:
    async with start() as engine:
        one, other = await storm(engine, [("DiskFull", "critical"), ("Load", "info")])
        line = f"{one} critical DiskFull db1: 97 % of / used (since 03:00:00; {{}})"
        assert await lists(engine, f"#{one.upper()}") == [line.format("nobody has answered")]
        await engine.says("alice", f"!done {one}")
        assert await lists(engine, one) == [line.format("resolved")]
        told = engine.chat.said[-1].message
        assert told.brief == "critical DiskFull (since 03:00:00; resolved)"
        assert (await lists(engine, other))[0].startswith(f"{other} info Load")


@pytest.mark.parametrize(
    ("asked", "end"), [("DiskFul", "; did you mean 'DiskFull'?"), ("zz9z", ": !alerts lists what is open")]
)
async def test_what_is_neither_a_name_nor_an_id_is_said(start: Start, asked: str, end: str) -> None:
    async with start() as engine:
        await storm(engine, [("DiskFull", "critical")])
        answer = f"nothing that is open is called '{asked}', and no alert has that id{end}"
        assert await lists(engine, asked) == [answer]


async def test_in_a_room_the_counts_come_in_private_and_strangers_see_the_first(start: Start) -> None:
    async with start() as engine:
        kinds = [(name, "warning") for name in NAMES[:14]]
        await storm(engine, kinds)
        title = "14 alerts open, 14 without an answer"
        (told,) = await asks(engine, "bob", "!alerts", room="#ops")
        assert told == f"{title} … I told you the rest in private"
        assert (
            engine.chat.texts("person/bob")[-1].splitlines()[-1] == "… and 2 more names: !alerts 2 shows them"
        )
        (told,) = await asks(engine, "mallory", "!alerts", room="#ops")
        head, *lines, last = told.splitlines()
        assert (head, len(lines), last) == (title, 3, "… and 10 more lines")


async def test_where_all_the_world_reads_no_more_than_names_and_numbers_are_told(start: Start) -> None:
    async with start() as engine:
        await storm(engine, [("DiskFull", "critical")] * 13)
        for asked in ("", "DiskFull"):
            await engine.says("bob", f"alerts {asked}")
            brief = engine.chat.said[-1].message.summary().all_lines()
            assert len(brief) > 1
            assert not re.search("db1|97 %", " ".join(brief))
