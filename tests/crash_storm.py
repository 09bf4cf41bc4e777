"""A dozen alerts at once, which are told in digests; played as in `tests.crash`."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from tocsin.alerts import report
from tocsin.config import Config
from tocsin.domain.alert import Alert
from tocsin.domain.words import parse_duration
from tocsin.intake import Route
from tocsin.testing import HandClock, Running, running

from tests.crash import Record, Wire
from tests.crash_judge import Verdict, judge
from tests.crash_kept import Kept, seen_in
from tests.crash_seen import BOT, Seen
from tests.engine import Pager, fires, over

NAMES = [f"alert-{number}" for number in range(1, 13)]


async def storm(config: Config, folder: Path, record: Record) -> None:
    """One alert fires, then all others at once; nobody answers alice's digest, bob answers his; then all is over."""
    record.write(begins=True)
    wire = Wire("console", {"alice": "alice", "bob": "bob"})
    wire.record = record
    route = Route("", lambda _, body: body.decode(), _take)
    declared = replace(Pager().declared(), routes={"test": route})
    async with running(
        config, folder / "state", declared=declared, networks={"console": wire}, clock=HandClock()
    ) as run:
        await _post(run, record, "accepted", NAMES[0])
        await asyncio.gather(*(_post(run, record, "accepted", name) for name in NAMES[1:]))
        await run.advance(parse_duration("5m10s"))
        if not any("acknowledged by bob" in one["said"] for one in record.said()):
            digest = next(
                one["said"].removeprefix("(again) ").split()[0]
                for one in record.said()
                if one["place"].endswith("/bob")
            )
            record.write(asked=digest)
            await wire.hears("bob", f"!ack {digest}", line_id="ack")
        await run.advance(timedelta(seconds=20))
        await asyncio.gather(*(_post(run, record, "resolved", name) for name in NAMES))
        await run.advance(timedelta(seconds=20))


async def _post(run: Running, record: Record, what: str, name: str) -> None:
    """Post until it is accepted, as any sender does."""
    if not any(one.get(what) == name for one in record.read()):
        await run.daemon.intake.keep("test", "prod", f"{what} {name}".encode())
        record.write(**{what: name})
    await run.settled()


def _take(body: str, tx: Any) -> None:
    what, name = body.split()
    key = f'alertname="{name}"'
    alert = Alert(name, {"alertname": name, "severity": "critical"}, "invented")
    report(tx, over(key) if what == "resolved" else fires(alert, key=key))


def judge_storm(folder: Path) -> Verdict:
    """By the rules of those who are killed at random."""
    kept = Kept.read(folder / "state" / "tocsin.db")
    did, seen, life = [], list[Seen](), -1
    for number, one in enumerate(Record(folder / "seen").read()):
        life += "begins" in one
        did += [{"what": what, "name": one[what]} for what in ("accepted", "resolved") if what in one]
        did += [{"what": "asked", "name": name} for name in kept.listed(one.get("asked", ""))]
        for line in one.get("said", "").splitlines():
            words = f"(again) {line}" if one["again"] and line == one["said"].splitlines()[0] else line
            seen.append(Seen(life, seen_in(one["place"]), BOT, words, number, number, line))
    assert {one["name"] for one in did if one["what"] == "asked"} == set(NAMES)
    did += [{"what": "posted", "name": name} for name in NAMES]
    return judge(did, seen, kept)
