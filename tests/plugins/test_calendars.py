"""Calendars: their addresses are secrets that can be revoked, and a calendar program shows the right times."""

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import icalendar
import pytest
from aiohttp import ClientSession

from tocsin.domain.duty import HANDOFF, OverrideSet
from tocsin.domain.rota import EVERYBODY, Override
from tocsin.oncall import set_override
from tocsin.testing import HandClock
from tocsin.transaction import Transaction
from tocsin_schedules import Schedules

from tests.engine import Engine
from tests.tower import TWO_STEPS, Tower, asks

URL = "https://tocsin.example.org/base"
PUBLIC = f'[plugins.schedules]\npublic_url = "{URL}/"\n'
# The clock of these tests shows 03:00 UTC on Saturday, 21 November 2026.
PRIMARY = """\
[schedules.primary]
[[schedules.primary.layers]]
people = ["alice", "bob"]
begins = "2026-11-16 09:00"
[[schedules.primary.layers]]
people = ["alice"]
begins = "2026-11-24 00:00"
until = "2026-11-25 00:00"
"""
NIGHTS = """\
[schedules.nights]
nobody_needed = ["06:00-20:00"]
[[schedules.nights.layers]]
people = ["alice"]
hours = ["22:00-06:00"]
until = "2026-11-23 00:00"
"""
TEAM = '[teams.web]\nmembers = ["bob", "dave"]\n'


def events(text: str) -> list[Any]:
    """The events of a calendar."""
    return list(icalendar.Calendar.from_ical(text).walk("VEVENT"))


@dataclass
class Program:
    """A calendar program, as far as it fetches."""

    session: ClientSession
    engine: Engine

    async def subscribes(self, person: str, asked: str = "calendar") -> str:
        """The address that they are told."""
        [said] = await asks(self.engine, person, asked)
        return said.rpartition(" ")[2]

    async def fetches(self, address: str, **how: Any) -> Any:
        at = f"http://{self.engine.run.daemon.web.address}{urlsplit(address).path.removeprefix('/base')}"
        async with self.session.get(at, **how) as answer:
            return SimpleNamespace(status=answer.status, text=await answer.text(), headers=answer.headers)

    async def reads(self, address: str) -> list[str]:
        """What stands in it, in order: from when until when, and what."""
        found = sorted(
            (one.start, one.end, str(one["summary"])) for one in events((await self.fetches(address)).text)
        )
        return [f"{start:%d %b %H:%M}-{end:%d %b %H:%M} {what}" for start, end, what in found]


@asynccontextmanager
async def program(tower: Tower, *tables: str) -> AsyncIterator[Program]:
    async with (
        tower(TWO_STEPS, *(tables or (PUBLIC, PRIMARY, NIGHTS, TEAM))) as engine,
        ClientSession() as session,
    ):
        yield Program(session, engine)


async def test_everybody_has_a_calendar_of_their_own_shifts(tower: Tower) -> None:
    async with program(tower) as reader:
        address = await reader.subscribes("alice")
        assert address.startswith(f"{URL}/calendar/")
        answer = await reader.fetches(address)
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/calendar; charset=utf-8")
        assert (await reader.reads(address))[:7] == [
            "07 Nov 00:00-07 Nov 06:00 nights on call",
            *(f"{day:02} Nov 22:00-{day + 1:02} Nov 06:00 nights on call" for day in range(7, 13)),
        ]
        mine = [line for line in await reader.reads(address) if "primary" in line]
        assert mine[:3] == [
            "16 Nov 09:00-23 Nov 09:00 primary on call",
            "24 Nov 00:00-25 Nov 00:00 primary on call",
            "30 Nov 09:00-07 Dec 09:00 primary on call",
        ]


async def test_a_shared_one_shows_handoffs_and_gaps_and_names_nobody_unless_asked_to(tower: Tower) -> None:
    async with program(tower) as reader:
        plain = await reader.subscribes("alice", "calendar primary")
        assert (await reader.reads(plain))[:6] == [
            "07 Nov 00:00-16 Nov 09:00 primary: nobody",
            "16 Nov 09:00-23 Nov 09:00 primary: covered",
            "23 Nov 09:00-24 Nov 00:00 primary: covered",
            "24 Nov 00:00-25 Nov 00:00 primary: covered",
            "25 Nov 00:00-30 Nov 09:00 primary: covered",
            "30 Nov 09:00-07 Dec 09:00 primary: covered",
        ]
        assert not {"alice", "bob"} & set((await reader.fetches(plain)).text.replace(":", " ").split())
        named = await reader.subscribes("bob", "calendar primary names")
        assert (await reader.reads(named))[1:5] == [
            "16 Nov 09:00-23 Nov 09:00 primary: alice",
            "23 Nov 09:00-24 Nov 00:00 primary: bob",
            "24 Nov 00:00-25 Nov 00:00 primary: bob and alice",
            "25 Nov 00:00-30 Nov 09:00 primary: bob",
        ]
        nights = await reader.subscribes("bob", "calendar nights")
        assert "22 Nov 20:00-22 Nov 22:00 nights: nobody" in await reader.reads(nights)
        assert "23 Nov 20:00-24 Nov 06:00 nights: nobody" in await reader.reads(nights)
        team = await reader.subscribes("bob", "calendar web names")
        assert await reader.reads(team) == await reader.reads(named)


async def test_overrides_are_in_it_while_they_last_and_afterwards(tower: Tower) -> None:
    async with program(tower) as reader:
        address = await reader.subscribes("bob")

        def begin(tx: Transaction) -> None:
            one = Override(tx.now, tx.now + timedelta(hours=2), EVERYBODY, "bob", "primary")
            set_override(OverrideSet(subject=tx.open(HANDOFF, "x"), at=tx.now, overrides=(one,)), tx)

        await reader.engine.run.tocsin.turn(begin)
        taken = "21 Nov 03:00-21 Nov 05:00 primary on call"
        assert (await reader.reads(address))[0] == taken
        before = (await reader.fetches(address)).text
        await reader.engine.advance(hours=5)
        assert (await reader.reads(address))[0] == taken
        assert (await reader.fetches(address)).text == before


async def test_what_stands_in_it_keeps_its_identity_and_is_fetched_only_if_it_has_changed(
    tower: Tower,
) -> None:
    async with program(tower) as reader:
        address = await reader.subscribes("alice", "calendar primary names")
        first = await reader.fetches(address)
        assert (await reader.fetches(address, headers={"If-None-Match": first.headers["ETag"]})).status == 304
        await reader.engine.advance(days=2)
        second = await reader.fetches(address, headers={"If-None-Match": first.headers["ETag"]})
        assert second.status == 200
        before, after = ({one["uid"]: one.end for one in events(each.text)} for each in (first, second))
        assert set(before) == set(after)  # the first one has lost two days, the last one has two more
        assert sum(before[one] != after[one] for one in before) == 1


async def test_an_address_is_revoked_at_once_and_another_one_made(tower: Tower) -> None:
    async with program(tower) as reader:
        mine, shared = await reader.subscribes("alice"), await reader.subscribes("alice", "calendar primary")
        theirs = await reader.subscribes("bob", "calendar primary")
        [said] = await asks(reader.engine, "alice", "calendar primary names")
        assert said == (
            "you were told the address of the calendar of primary on 2026-11-21, and I kept none: "
            "!calendar revoke primary ends it"
        )
        [said] = await asks(reader.engine, "alice", "!calendar revoke primary", room="#ops")
        assert said == "the address of the calendar of primary is good no more"
        answer = await reader.fetches(shared)
        assert (answer.status, answer.text) == (404, "there is nothing here\n")
        assert [(await reader.fetches(one)).status for one in (mine, theirs)] == [200, 200]
        again = await reader.subscribes("alice", "calendar primary")
        assert again != shared
        assert (await reader.fetches(again)).status == 200
        assert await asks(reader.engine, "alice", "calendar revoke nights") == [
            "you have no address of the calendar of nights"
        ]
        assert await asks(reader.engine, "alice", "calendar revoke") == [
            "the address of the calendar of your own shifts is good no more"
        ]
        assert (await reader.fetches(mine)).status == 404


async def test_whoever_has_left_leaves_no_calendar_and_a_schedule_that_is_gone_has_none(tower: Tower) -> None:
    async with program(tower) as reader:
        dave, nights = await reader.subscribes("dave"), await reader.subscribes("alice", "calendar nights")
        assert [(await reader.fetches(one)).status for one in (dave, nights)] == [200, 200]
    tower.people = tower.people.replace('[people.dave]\naccounts.console = "dave"\n', "")
    async with program(tower, PUBLIC, PRIMARY) as reader:
        assert [(await reader.fetches(one)).status for one in (dave, nights)] == [404, 404]


async def test_the_secret_is_told_in_private_and_kept_nowhere_else(
    tower: Tower, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    async with program(tower) as reader:
        [said] = await asks(reader.engine, "alice", "!calendar", room="#ops")
        assert said == "the address is a secret: say !calendar to me in private"
        address = await reader.subscribes("alice", "calendar primary")
        secret, signature = address.removesuffix(".ics").rpartition("/")[2].split(".")
        assert len(secret) == len(signature) == 22
        assert (await reader.fetches(address)).status == 200
        assert (await reader.fetches(address.replace(secret, secret[::-1]))).status == 404
        for table in ("events", "audit", "timers", "subjects", "inbox"):
            assert secret not in str(await reader.engine.sql(f"select * from {table}"))  # noqa: S608
        assert await reader.engine.sql("select what, verdict from audit where verdict = 'done'") == [
            ("calendar primary", "done")
        ]
        assert not any(secret in text for text in reader.engine.chat.texts("room/#ops"))
    assert secret not in caplog.text
    assert signature not in caplog.text


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("calendar primry", "no schedule or team is called 'primry'; did you mean 'primary'?"),
        ("calendar names", "your own shifts need no names: say !calendar SCHEDULE names"),
        ("calendar primary please", "'please' is too much: say !calendar [SCHEDULE|TEAM] [names]"),
        ("calendar desk", "nobody of desk is on a schedule"),
    ],
)
async def test_what_is_no_calendar_is_refused(tower: Tower, asked: str, said: str) -> None:
    async with program(tower, PUBLIC, PRIMARY, '[teams.desk]\nmembers = ["dave"]\n') as reader:
        assert await asks(reader.engine, "alice", asked) == [said]


async def test_without_an_address_of_its_own_it_says_what_to_set(tower: Tower) -> None:
    async with program(tower, "[plugins.schedules]\n", PRIMARY) as reader:
        assert await asks(reader.engine, "alice", "calendar") == [
            "calendar programs can't get here: plugins.schedules.public_url is not set"
        ]
        assert (await reader.fetches(f"{URL}/calendar/x.y.ics")).status == 404


@pytest.mark.parametrize("url", ["tocsin.example.org", "ftp://x", "https://x/?a", "https://u@x"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="public_url must be"):
        Schedules(public_url=url)


# ── In a real program ───────────────────────────────────────────────────────────────────────────────────────

CONFIG = """\
[calendars]
[[ours]]
path = {folder}/ours
[locale]
local_timezone = {zone}
default_timezone = {zone}
timeformat = %H:%M
dateformat = %Y-%m-%d
longdateformat = %Y-%m-%d
datetimeformat = %Y-%m-%d %H:%M
longdatetimeformat = %Y-%m-%d %H:%M
[sqlite]
path = {folder}/khal.db
[default]
default_calendar = ours
"""


def khal_shows(folder: Path, text: str, zone: str, day: str) -> list[str]:
    """What khal shows of a calendar on a day and the three after it, by clocks in that zone."""
    config, file = folder / "khal.conf", folder / "ours.ics"
    (folder / "ours").mkdir()
    config.write_text(CONFIG.format(folder=folder, zone=zone))
    file.write_text(text)
    khal = [sys.executable, "-c", "from khal.cli import main_khal; main_khal()", "-c", str(config)]
    subprocess.run([*khal, "import", "--batch", str(file)], check=True, capture_output=True)
    form = ["--once", "--format", "{start-long} {end-long} {title}", "--day-format", ""]
    shown = subprocess.run([*khal, "list", *form, day, "3d"], check=True, capture_output=True, text=True)
    return shown.stdout.splitlines()


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        (
            "Europe/Berlin",
            [
                "2026-03-27 09:00 2026-03-28 09:00 s: bob",
                "2026-03-28 09:00 2026-03-29 09:00 s: alice",
                "2026-03-29 09:00 2026-03-30 09:00 s: bob",
                "2026-03-30 09:00 2026-03-31 09:00 s: alice",
            ],
        ),
        (
            "America/New_York",
            [
                "2026-10-30 09:00 2026-10-31 09:00 s: bob",
                "2026-10-31 09:00 2026-11-01 09:00 s: alice",
                "2026-11-01 09:00 2026-11-02 09:00 s: bob",
                "2026-11-02 09:00 2026-11-03 09:00 s: alice",
            ],
        ),
    ],
)
async def test_a_program_shows_the_right_times_when_clocks_change(
    tower: Tower, tmp_path: Path, zone: str, shown: list[str]
) -> None:
    day = shown[1][:10]
    tower.clock = HandClock(datetime.fromisoformat(f"{day}T12:00Z") - timedelta(days=3))
    begins = {"Europe/Berlin": "2026-03-02 09:00", "America/New_York": "2026-10-03 09:00"}[zone]
    layer = f'[[schedules.s.layers]]\npeople = ["alice", "bob"]\nevery = "day"\nbegins = "{begins}"\n'
    async with program(tower, PUBLIC, f'[schedules.s]\ntimezone = "{zone}"\n{layer}') as reader:
        answer = await reader.fetches(await reader.subscribes("alice", "calendar s names"))
    assert khal_shows(tmp_path, answer.text, zone, day)[:4] == shown
