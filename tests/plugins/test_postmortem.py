"""The postmortem: each sentence happened or is a blank to fill, and nobody is named."""

import json
import re
from typing import Any

import pytest

from tocsin.domain.document import Bullets
from tocsin.domain.incident_events import (
    EVENTS,
    IncidentDeclared,
    IncidentMitigated,
    IncidentReopened,
    IncidentResolved,
    StatusUpdated,
)
from tocsin.errors import Refused, UnknownSubject
from tocsin.exports import export
from tocsin.postmortems import Reading, Section, Sections
from tocsin.transaction import Transaction
from tocsin_postmortem.hints import went_badly, went_well

from tests.domain.test_documents import HOSTILE
from tests.engine import Engine, fires, over
from tests.plugins.incident_parts import INCIDENTS
from tests.plugins.postmortem_parts import BEGIN, FORMS, TABLES, after, exported, happens, story
from tests.tower import TWO_STEPS, Tower, asks


async def whole(engine: Engine, **options: Any) -> str:
    """An incident of an alert that fired 5 minutes before; its number."""
    subject = await engine.report(fires())
    await engine.advance(minutes=6)
    await engine.says("bob", f"!ack {subject}", room="#ops")
    await engine.report(over())
    return await happens(engine, (subject,), **options)


def chapter(document: str, title: str) -> list[str]:
    """The lines of a section of Markdown."""
    found = re.search(rf"(?ms)^## {re.escape(title)}\n(.*?)(?=^## |\Z)", document)
    assert found, document
    return [line for line in found[1].splitlines() if line]


async def test_since_when_it_was_as_before_stands_with_the_clocks(tower: Tower) -> None:
    async with tower(TWO_STEPS, *TABLES) as engine:
        number = await whole(engine)
        assert json.loads(await exported(engine, number, "json"))["recovered_at"] is None
        assert "as before" not in await exported(engine, number, "html")

        def clears(tx: Transaction) -> None:
            tx.record(IncidentReopened(subject=number, at=after(61), because="errors at 3 % again"))
            tx.record(IncidentMitigated(subject=number, at=after(63), by="bob"))
            at = after(70)
            tx.record(tx.incident(number).clear("errors at 0.3 %", "", at, recovered_at=after(65)))

        await engine.run.tocsin.turn(clears)
        lines = chapter(await exported(engine, number, "md"), "The five clocks")
        assert (
            "What is measured was as before from 04:05:00 on, 1h after it was declared and 2m after it was mitigated."
        ) in lines
        assert (
            json.loads(await exported(engine, number, "json"))["recovered_at"] == "2026-11-21T04:05:00+00:00"
        )
        assert "as before 04:05" in await exported(engine, number, "html")
        [told] = await asks(engine, "alice", "postmortem 1")
        assert "all-clear +1h5m" in told
        assert "as before 1h after it was declared" in told


async def test_a_whole_one(tower: Tower) -> None:
    async with tower(TWO_STEPS, *TABLES) as engine:
        number = await whole(engine)
        text = await exported(engine, number, "md")
    assert text.startswith("# Incident 1: all disks are full\n")
    assert re.findall("(?m)^## (.*)$", text) == [
        "Description",
        "Severity and impact",
        "The five clocks",
        "Timeline",
        "How it was triaged, mitigated and resolved",
        "Who took part",
        "What went well",
        "What went badly",
        "Issues and improvements",
        "The alert that started it",
    ]
    assert chapter(text, "Description")[:4] == [
        "all disks are full",
        "Declared at 2026-11-21 03:05:00 UTC by responder 1 (data is lost); it is closed.",
        "The last status update: logs are being removed",
        "The closing message: thanks to everybody",
    ]
    assert "- who is hit: all of them" in chapter(text, "Severity and impact")
    assert chapter(text, "The five clocks")[1:] == [
        "| clock | time | from start | from last |",
        "|---|---|---|---|",
        "| declared | 03:05:00 |  |  |",
        "| acked | 03:05:00 | 0s | 0s |",
        "| mitigated | 03:44:00 | 39m | 39m |",
        "| all-clear | 03:45:00 | 40m | 1m |",
        "| resolved | 03:46:00 | 41m | 1m |",
        "| closed | 04:00:00 | 55m | 14m |",
        "All but the first are those since it was reopened last:",
        "- 03:43:00 reopened: full again (the commander)",
    ]
    told = chapter(text, "Timeline")
    assert "| 03:00:00 | r3zj | step 1: paging responder 1 |" in told
    assert "| 03:06:00 | r3zj | acknowledged by responder 2 |" in told
    assert "| 03:20:00 |  | the role of commander was handed on |" in told
    assert "| 03:30:00 |  | mitigated: old logs were removed (responder 3) |" in told
    assert chapter(text, "How it was triaged, mitigated and resolved") == [
        "Triage:",
        "- 03:02:00 note: a deploy went out (responder 2)",
        "- 03:09:00 severity sev2 \u2192 sev1 (it spreads) (the commander)",
        "- 03:09:00 called: all disks are full (the commander)",
        "Mitigation:",
        "- 03:30:00 mitigated: old logs were removed (responder 3)",
        "- 03:31:00 mitigated at 03:29 UTC, corrected (the commander)",
        "- 03:44:00 mitigated: the loop was stopped (the commander)",
        "Resolution:",
        "- 03:40:00 all clear: the disks stay at 40 % (the commander)",
        "- 03:40:00 not clear after all: one is at 90 %",
        "- 03:41:00 resolved all the same: it is an old one (one is at 90 %) (the commander)",
        "- 03:42:00 cause: a loop that logs (responder 3)",
        "- 03:43:00 reopened: full again (the commander)",
        "- 03:45:00 all clear: stable (the commander)",
        "- 03:46:00 resolved (the commander)",
    ]
    assert chapter(text, "Who took part") == [
        "- commander: 2 people, one after the other (from 03:08:00, 03:20:00)",
        "- responders: 1 person",
    ]
    assert chapter(text, "What went well")[:3] == [
        "What Tocsin knows:",
        "- acknowledged as it was declared",
        "- somebody led from 3m after its declaration on",
    ]
    assert chapter(text, "What went badly")[1:4] == [
        "- its first alert was acknowledged only 6m after it fired",
        "- 1 of 1 promised updates came late, or not at all",
        "- it was reopened 1 time",
    ]
    assert chapter(text, "Issues and improvements")[0] == "| Issue | Improvement | Owner | Until when |"
    assert chapter(text, "The alert that started it")[0] == (
        "- r3zj critical DiskFull db1: 97 % of / used: fired at 03:00:00, 5m before it was declared"
    )


async def test_its_html_draws_the_times(tower: Tower) -> None:
    async with tower(TWO_STEPS, *TABLES) as engine:
        page = await exported(engine, await whole(engine), "html")
    drawn = page[page.index("<svg") : page.index("</svg>")]
    for label in (
        "declared 03:05:00",
        "acked 03:05:00",
        "mitigated 03:44:00",
        "all-clear 03:45:00",
        "resolved 03:46:00",
        "closed 04:00:00",
        "r3zj critical DiskFull db1",
        "status updates",
        "notes",
        "2026-11-21 03:00:00 UTC",
    ):
        assert label in drawn
    assert (drawn.count('class="mark"'), drawn.count('class="bar"'), drawn.count('class="tick"')) == (6, 1, 2)


async def test_its_json_is_complete(tower: Tower) -> None:
    async with tower(TWO_STEPS, *TABLES) as engine:
        number = await whole(engine)
        found = json.loads(await exported(engine, number, "json"))
        rows = await engine.sql(
            "select seq, kind from events where subject = '1' and kind != 'page.begun_for'"
        )
    timeline = found.pop("timeline")
    assert {one["seq"]: one["kind"] for one in timeline if one["source"] == "1"} == dict(rows)
    assert found == {
        "format": "tocsin.incident",
        "version": 1,
        "number": "1",
        "title": "all disks are full",
        "severity": "sev1",
        "drill": False,
        "state": "closed",
        "declared_at": "2026-11-21T03:05:00+00:00",
        "declared_by": "responder 1",
        "because": "data is lost",
        "clocks": {
            "acked": "2026-11-21T03:05:00+00:00",
            "mitigated": "2026-11-21T03:44:00+00:00",
            "all-clear": "2026-11-21T03:45:00+00:00",
            "resolved": "2026-11-21T03:46:00+00:00",
            "closed": "2026-11-21T04:00:00+00:00",
        },
        "recovered_at": None,
        "reopened": 1,
        "how": "the loop was stopped",
        "cause": "a loop that logs",
        "scope": {"who is hit": "all of them"},
        "people": [
            {"who": "responder 1", "since": "2026-11-21T03:05:00+00:00"},
            {"who": "responder 2", "since": "2026-11-21T03:02:00+00:00"},
            {"who": "responder 3", "since": "2026-11-21T03:21:00+00:00"},
        ],
        "roles": [
            {
                "role": "commander",
                "who": "the commander",
                "since": "2026-11-21T03:08:00+00:00",
                "until": "2026-11-21T03:20:00+00:00",
            },
            {
                "role": "commander",
                "who": "the commander",
                "since": "2026-11-21T03:20:00+00:00",
                "until": None,
            },
        ],
        "alerts": [
            {
                "id": "r3zj",
                "text": "critical DiskFull db1: 97 % of / used",
                "severity": "critical",
                "state": "resolved",
                "opened_at": "2026-11-21T03:00:00+00:00",
            }
        ],
    }
    [note] = [one for one in timeline if one["kind"] == "timeline.noted"]
    assert note == {
        "seq": note["seq"],
        "at": "2026-11-21T03:02:00+00:00",
        "recorded_at": "2026-11-21T03:06:00+00:00",
        "kind": "timeline.noted",
        "source": "1",
        "by": "responder 2",
        "text": "note: a deploy went out (responder 2)",
        "data": {"text": "a deploy went out", "author": ""},
    }


async def test_with_nothing_but_a_declaration_nothing_is_invented(tower: Tower) -> None:
    async with tower(TWO_STEPS, *TABLES) as engine:

        def declare(tx: Transaction) -> str:
            number = tx.open_incident()
            tx.record(IncidentDeclared(subject=number, at=tx.now, title="it is slow", severity="sev3"))
            return number

        number = await engine.run.tocsin.turn(declare)
        text = await exported(engine, number, "md")
        assert "<svg" in await exported(engine, number, "html")
    assert chapter(text, "Description")[:2] == [
        "it is slow",
        "Declared at 2026-11-21 03:00:00 UTC; it is not over yet (declared).",
    ]
    assert [line.split("|")[2].strip() for line in chapter(text, "The five clocks")[4:]] == [
        "not recorded"
    ] * 5
    assert chapter(text, "How it was triaged, mitigated and resolved") == [
        "Triage:",
        "- not recorded",
        "Mitigation:",
        "- not recorded",
        "Resolution:",
        "- cause: not recorded",
    ]
    assert chapter(text, "Who took part") == ["- commander: nobody"]
    assert "It was declared without an alert." in chapter(text, "The alert that started it")
    assert chapter(text, "What went badly")[1:3] == [
        "- nobody acknowledged it",
        "- there was no status update",
    ]


@pytest.mark.parametrize("form", ["md", "html"])
async def test_a_drill_is_marked_everywhere(tower: Tower, form: str) -> None:
    async with tower(TWO_STEPS, INCIDENTS, *TABLES) as engine:
        await engine.says("alice", "!declare drill sev1 the database is lost", room="#ops")
        text = await exported(engine, "1", form)
        [told] = await asks(engine, "bob", "postmortem 1")
        assert json.loads(await exported(engine, "1", "json"))["drill"] is True
    titles = re.findall(r"(?m)^## .*$|<h2>.*?</h2>", text)
    assert len(titles) == 10
    assert all("(drill)" in title for title in titles)
    assert text.lower().index("drill") < text.index("Description")
    assert told.startswith("1 drill postmortem: sev1 the database is lost")


async def test_the_essential_of_it_is_told_in_chat(tower: Tower) -> None:
    async with tower(TWO_STEPS, *TABLES) as engine:
        await whole(engine)
        [told] = await asks(engine, "carol", "postmortem 1")
        assert told.splitlines() == [
            "1 postmortem: sev1 all disks are full: closed",
            (
                "declared 2026-11-21 03:05:00 UTC \u00b7 acked +0s \u00b7 mitigated +39m \u00b7 all-clear +40m \u00b7 "
                "resolved +41m \u00b7 closed +55m"
            ),
            "cause: a loop that logs",
            "well: acknowledged as it was declared; somebody led from 3m after its declaration on",
            (
                "badly: its first alert was acknowledged only 6m after it fired; "
                "1 of 1 promised updates came late, or not at all; it was reopened 1 time"
            ),
            "timeline: 32 entries \u00b7 !timeline 1",
            "the whole: tocsin export 1 --format md|html|json",
        ]
        [told] = await asks(engine, "carol", "!postmortem 1", room="#ops")
        assert told == "1 postmortem: sev1 all disks are full: closed \u2026 I told you the rest in private"


async def test_the_operator_may_want_names(tower: Tower) -> None:
    async with tower(TWO_STEPS, TABLES[0], "[plugins.postmortem]\nnames = true\n") as engine:
        text = await exported(engine, await whole(engine), "md")
    assert "| 03:20:00 |  | commander: bob, before: alice |" in text
    assert chapter(text, "Who took part") == [
        "- commander: alice (from 03:08:00), bob (from 03:20:00)",
        "- responders: carol",
    ]


@pytest.mark.parametrize(
    ("updates", "hints"),
    [
        ([(1, 10), (9, 20), (20.5, 0)], "2 promised updates came in time"),
        ([(1, 10), (9, 20), (25, 0)], "1 of 2 promised updates came late, or not at all"),
        ([(1, 10)], "1 of 1 promised updates came late, or not at all"),
        ([(1, 60), (2, 0)], "1 promised update came in time"),
        ([], "there was no status update"),
    ],
)
async def test_promises(tower: Tower, updates: list[tuple[float, float]], hints: str) -> None:
    async with tower(TWO_STEPS, *TABLES) as engine:

        def happens(tx: Transaction) -> list[str]:
            number = tx.open_incident()
            tx.record(IncidentDeclared(subject=number, at=BEGIN, title="it is slow", severity="sev3"))
            for minute, following in updates:
                following_at = after(following) if following else None
                tx.record(
                    StatusUpdated(subject=number, at=after(minute), by="bob", text="so", next_at=following_at)
                )
            tx.record(IncidentResolved(subject=number, at=after(30), by="bob"))
            reading = Reading(number, tx)
            return [*went_well(reading), *went_badly(reading)]

        assert hints in await engine.run.tocsin.turn(happens)


async def test_a_plugin_adds_its_section(tower: Tower) -> None:
    class Extra:
        """A plugin of somebody else's, one of whose sections fails."""

        def postmortem_sections(self) -> list[Section]:
            return [
                Section("What was deployed", 45, self.deployed),
                Section("Nothing", 46, lambda _: []),
                Section("What broke", 47, self.breaks),
            ]

        def deployed(self, reading: Reading) -> list[Bullets | str]:
            return [Bullets(("Alice deployed it",)), f"by {reading.who('alice', reading.end)}"]

        def breaks(self, reading: Reading) -> list[str]:
            raise ZeroDivisionError(reading.title)

    async with tower(TWO_STEPS, *TABLES) as engine:
        number = await whole(engine)

        def write(tx: Transaction) -> str:
            own = tx.rules.of(Sections).declared
            extra = [("extra", one) for one in Extra().postmortem_sections()]
            return export(number, "md", tx, Sections([*extra, *own]))

        text = await engine.run.tocsin.turn(write)
    titles = re.findall("(?m)^## (.*)$", text)
    assert titles[3:6] == ["Timeline", "What was deployed", "What broke"]
    assert chapter(text, "What was deployed") == ["- responder 1 deployed it", "by responder 1"]
    assert chapter(text, "What broke") == ["This section can't be written: see the log."]


async def test_what_can_not_be_written_is_refused(tower: Tower) -> None:
    async with tower(TWO_STEPS, "[plugins.incidents]") as engine:
        await engine.says("alice", "!declare it is slow", room="#ops")
        with pytest.raises(Refused, match=r"add \[plugins.postmortem\]"):
            await exported(engine, "1", "md")
        with pytest.raises(Refused, match="there is no form 'pdf': say md, html, json"):
            await exported(engine, "1", "pdf")
        with pytest.raises(UnknownSubject, match="there is no incident 7"):
            await exported(engine, "7", "json")
        assert json.loads(await exported(engine, "1", "json"))["title"] == "it is slow"


@pytest.mark.parametrize("text", HOSTILE)
async def test_whatever_is_typed_it_is_only_text(tower: Tower, text: str) -> None:
    async with tower(TWO_STEPS, *TABLES) as engine:
        plain = await whole(engine, say="plain")
        hostile = await happens(engine, ("r3zj",), say=text)
        lines = [(await exported(engine, number, "md")).splitlines() for number in (plain, hostile)]
        pages = [await exported(engine, number, "html") for number in (plain, hostile)]
        found = json.loads(await exported(engine, hostile, "json"))
    assert len(lines[0]) == len(lines[1])
    tags = [re.findall(r"<[a-z/!][^>]*", re.sub('"[^"]*"', '""', page)) for page in pages]
    assert len(tags[0]) == len(tags[1])
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e\u2028]", pages[1] + "".join(lines[1]))
    assert len(found["timeline"]) > 25


async def test_a_long_closing_message_is_kept_whole(tower: Tower) -> None:
    async with tower(TWO_STEPS, *TABLES) as engine:
        number = await happens(engine, say="it took long " * 500 + "and is over")
        for form in FORMS:
            assert "it took long and is over" in await exported(engine, number, form)


async def test_five_hundred_events(tower: Tower) -> None:
    async with tower(TWO_STEPS, *TABLES) as engine:
        number = await whole(engine)

        def more(tx: Transaction) -> None:
            for count in range(500):
                at = after(5 + count / 20)
                tx.record(StatusUpdated(subject=number, at=at, by="bob", text=f"update {count} of Alice's"))

        await engine.run.tocsin.turn(more)
        for form in FORMS:
            text = await exported(engine, number, form)
            assert "update 499 of " in text
            assert not re.search(r"(?i)\balice\b", text)


async def test_a_kind_that_nobody_knows_any_more_is_read_by_its_headline(tower: Tower) -> None:
    async with tower(TWO_STEPS, *TABLES) as engine:
        number = await whole(engine)
    async with tower(TWO_STEPS, TABLES[1]) as engine:
        assert "| 03:02:00 |  | note: a deploy went out (responder 2) |" in await exported(
            engine, number, "md"
        )
        found = json.loads(await exported(engine, number, "json"))
    [note] = [one for one in found["timeline"] if one["kind"] == "timeline.noted"]
    assert note["data"] is None


def test_every_kind_of_event_of_an_incident_is_in_the_story() -> None:
    missing = {kind.__name__ for kind in EVENTS} - {type(one).__name__ for one in story("1")}
    assert missing <= {"AlertsAttached"}, "it holds ids alone"
