"""What is old is taken out beside a daemon that runs, or without one; who asks for it is told, and all else is as before."""

import asyncio
import re
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result

from tocsin import pruning
from tocsin.cli import main
from tocsin.cli import prune as asking
from tocsin.domain.message import Place
from tocsin.errors import Refused
from tocsin.exports import export
from tocsin.postmortems import Sections
from tocsin.store import backup, invariants
from tocsin.store.database import read_only
from tocsin.store.invariants import NextSteps, Stranded
from tocsin.store.old import Plan
from tocsin.transaction import Transaction

from tests.conftest import RUNNABLE
from tests.engine import Engine, alert, fires, gone, over
from tests.killed import killed_at
from tests.posted import payload
from tests.processes import Process, started, tocsin, until
from tests.tower import TWO_STEPS, Tower, asks
from tests.typed import typed

YEAR = timedelta(days=365)
PLUGINS = TWO_STEPS + "\n".join(f"[plugins.{name}]" for name in ("incidents", "timeline", "postmortem"))
ROOM = Place("console", "#inc-1")
SECRET = "the password was swordfish"


@pytest.fixture
def tower(write_config: Callable[..., Path], tmp_path: Path) -> Tower:
    return Tower(write_config, tmp_path / "state")


def found(tower: Tower, engine: Engine) -> Plan:
    """What ended half a year ago."""
    tocsin = engine.run.tocsin
    before = tower.clock.now() - YEAR / 2
    path = tower.folder / "tocsin.db"
    return pruning.found(path, tocsin.config, tocsin.setup.kinds, tocsin.time(), before)


async def prunes(tower: Tower, engine: Engine) -> dict[str, int]:
    """As the command line does it, over the control socket."""
    plan = await asyncio.to_thread(found, tower, engine)
    hand = pruning.ByDaemon(tower.folder)
    taken = dict(await asyncio.to_thread(pruning.taken_out, hand, plan, "root"))
    assert taken == dict(plan.counts)
    return taken


async def an_old_incident(tower: Tower) -> tuple[str, str]:
    """An alert by itself, and one with an incident, a year ago."""
    async with tower(PLUGINS) as engine:
        alone = await engine.report(fires())
        await engine.says("alice", f"!ack {alone}")
        await engine.report(over())
        of_it = await engine.report(fires(alert("CpuHot"), key="cpu"))
        await engine.says("alice", f"!declare sev2 it is slow from {of_it}", room="#ops")
        await engine.says("alice", f"!note 1 {SECRET}", room="#ops")
        await engine.says("alice", f"!ack {of_it}")
        await engine.report(over("cpu"))
        await engine.says("alice", "!done 1 a bad disk", room="#ops")
        await engine.says("alice", "!close 1 all of it is well again", room="#ops")
        await engine.advance(days=3)
    tower.clock.move(YEAR)
    return alone, of_it


async def test_who_asks_for_what_is_gone_is_told_that(tower: Tower) -> None:
    alone, of_it = await an_old_incident(tower)
    async with tower(PLUGINS) as engine:
        taken = await prunes(tower, engine)
        assert (taken["group"], taken["incident"]) == (2, 1)
        told = r"was pruned on 2027-11-24: what ended before 2027-05-2\d is not kept"
        for asked, subject in (
            (f"!why {alone}", alone),
            (f"!alerts {of_it}", of_it),
            (f"!ack {of_it}", of_it),
            (f"!done {alone}", alone),
            ("!incident 1", "1"),
            ("!timeline 1", "1"),
            ("!reopen 1 it is back", "1"),
            ("!note 1 more", "1"),
            ("!done 1", "1"),
            ("!postmortem 1", "1"),
        ):
            [said] = await asks(engine, "alice", asked)
            assert re.search(f"{subject} {told}", said), (asked, said)
        tocsin = engine.run.tocsin
        with pytest.raises(Refused, match=f"1 {told}"):
            await tocsin.turn(lambda tx: export("1", "json", tx, Sections()))
        [said] = await asks(engine, "alice", "!incident 7")
        assert said == "there is no incident 7: !incidents lists what is open"


async def test_nothing_of_it_is_left_and_its_ids_are_given_to_nobody(tower: Tower) -> None:
    alone, of_it = await an_old_incident(tower)
    async with tower(PLUGINS) as engine:
        [before] = await engine.sql(f"SELECT count(*) FROM events WHERE body LIKE '%{SECRET}%'")  # noqa: S608
        assert before == (1,)
        await prunes(tower, engine)
        assert await engine.sql("SELECT count(*) FROM subjects WHERE kind IN ('group', 'incident')") == [(0,)]
        events = await engine.sql("SELECT kind, subject FROM events ORDER BY seq DESC LIMIT 2")
        assert events == [("prune.ended", "pruning"), ("prune.begun", "pruning")]
        [(who, at)] = await engine.sql("SELECT headline, at FROM events WHERE kind = 'prune.begun'")
        assert who.startswith("root prunes what ended before 2027-05-2")
        assert at.startswith("2027-11-24T")
        again = await engine.report(fires())
        assert again not in {alone, of_it}
        await engine.says("alice", "!declare sev3 something else", room="#ops")
        [number] = await engine.run.tocsin.turn(lambda tx: [one.number for one in tx.open_incidents()])
        assert number == "2"
    with closing(sqlite3.connect(tower.folder / "tocsin.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert SECRET.encode() not in (tower.folder / "tocsin.db").read_bytes()


async def test_what_goes_on_is_as_before_and_goes_on_after_a_restart(tower: Tower) -> None:
    """An incident, an alert and a silence of a year ago that are open still, a schedule, and what pages now."""
    tables = (PLUGINS, "[plugins.silence]", '[schedules.always]\non_call = ["alice"]\n')
    async with tower(*tables) as engine:
        held = await engine.report(fires(key="held"))
        await engine.says("alice", f"!ack {held}")
        quiet = await engine.report(fires(alert("CpuHot"), key="cpu"))
        await engine.says("alice", f"!silence {quiet} until 2028-01-01")
        for number in range(5):
            await engine.report(fires(key=f"old {number}"))
            await engine.report(over(f"old {number}"))
        await engine.says("bob", f"!declare sev2 it is slow from {held}", room="#ops")
    tower.clock.move(YEAR)
    async with tower(*tables) as engine:
        await engine.advance(minutes=5)
        rings = await engine.report(fires(alert("Fire"), key="fire"))
        before = await all_that_stands(engine)
        taken = await prunes(tower, engine)
        assert taken["group"] == 5
        assert await all_that_stands(engine) == before
    async with tower(*tables) as engine:
        assert await all_that_stands(engine) == before
        said = len(engine.chat.said)
        await engine.advance(minutes=5)
        assert any(str(one.place) == "console/person/bob" for one in engine.chat.said[said:])
        assert rings in await asks_for(engine, "!alerts")
        await engine.says("alice", "!done 1 nothing", room="#ops")
        assert await engine.state(rings) == "triggered"


async def asks_for(engine: Engine, text: str) -> str:
    return "\n".join(await asks(engine, "alice", text))


async def all_that_stands(engine: Engine) -> object:
    """All that is to happen still, and is on call."""
    tables = ("subjects WHERE closed_at IS NULL", "timers WHERE key <> ''", "profiles", "links", "codes")
    rows = [await engine.sql(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]  # noqa: S608
    steps = NextSteps(("escalation.step",), "silence.end", "core.flapping_over")

    def of_turn(tx: Transaction) -> object:
        stranded = invariants.stranded(tx.connection, "group", steps)
        assert stranded == Stranded([], [], [])
        groups = [(one.id, one.state, one.acknowledged_by, one.rang_at) for one in tx.open_groups()]
        incidents = [(one.number, one.stands, *one.groups) for one in tx.open_incidents()]
        return groups, incidents, tx.callees("always"), sorted(map(str, tx.made_rooms))

    return rows, await engine.run.tocsin.turn(of_turn)


async def test_what_an_open_incident_holds_stays_until_that_is_over(tower: Tower) -> None:
    async with tower(PLUGINS) as engine:
        group = await engine.report(fires())
        await engine.says("alice", f"!declare sev2 it is slow from {group}", room="#ops")
        await engine.report(over())
    tower.clock.move(YEAR)
    async with tower(PLUGINS) as engine:
        assert "group" not in await prunes(tower, engine)
        await engine.says("alice", "!done 1 a bad disk", room="#ops")
        await engine.says("alice", "!close 1 all of it is well again", room="#ops")
        await engine.advance(days=3)
        assert await prunes(tower, engine) == {}
    tower.clock.move(YEAR)
    async with tower(PLUGINS) as engine:
        taken = await prunes(tower, engine)
        assert (taken["group"], taken["incident"]) == (1, 1)


async def test_a_room_that_it_still_has_keeps_an_incident(tower: Tower) -> None:
    async with tower(PLUGINS) as engine:
        await an_incident_with_a_room(engine)
    tower.clock.move(YEAR)
    async with tower(PLUGINS) as engine:
        assert "incident" not in await prunes(tower, engine)
        await engine.run.tocsin.turn(lambda tx: tx.leave_room(ROOM))
        assert (await prunes(tower, engine))["incident"] == 1


async def an_incident_with_a_room(engine: Engine) -> None:
    await engine.says("alice", "!declare sev2 it is slow", room="#ops")
    place = await engine.run.tocsin.make_room("console", "inc-1", "it is slow", [], "1")
    assert place == ROOM
    await engine.says("alice", "!done 1 a bad disk", room="#ops")
    await engine.says("alice", "!close 1 all of it is well again", room="#ops")
    await engine.run.tocsin.turn(lambda tx: tx.cancel_timer("incidents.leave", "1"))


async def test_a_report_that_reaches_further_back_says_from_when_it_counts(tower: Tower) -> None:
    async with tower(PLUGINS, '[schedules.always]\non_call = ["alice"]\n') as engine:
        await engine.report(fires())
        await engine.report(gone("DiskFull"))
    tower.clock.move(YEAR)
    async with tower(PLUGINS, '[schedules.always]\non_call = ["alice"]\n') as engine:
        assert "alice: 1 shift 8,760h, 1 page" in await asks_for(engine, "!oncall load 365d")
        await prunes(tower, engine)
        told = await asks_for(engine, "!oncall load 365d")
        assert "alice: 1 shift 8,760h, 0 pages" in told
        assert told.endswith("counted from 2027-05-22 on: what was before is pruned, as far as it had ended")
        assert "counted from" not in await asks_for(engine, "!oncall load 30d")


# ── The command ─────────────────────────────────────────────────────────────────────────────────────────────

OLD = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def path(write_config: Callable[..., Path]) -> Path:
    """A configuration with a state folder, in which an alert ended years ago that said something, and one is open."""
    path = write_config(RUNNABLE)
    with started(path) as running:
        for name, status in (("Old", "firing"), ("New", "firing"), ("Old", "resolved")):
            assert running.post("alertmanager/prod", payload(name, status)) == 202
        until(
            lambda: "resolved by its source" in running.shown() and stands(running, "messages waiting") == 0
        )
        assert running.ends(signal.SIGTERM) == 0
    made_old(path)
    return path


def made_old(path: Path, copies: int = 0) -> None:
    """Let it have been years ago. copies: of it, under further ids."""
    with closing(sqlite3.connect(path.parent / "state" / "tocsin.db", isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER IF EXISTS events_update")
        (old,) = connection.execute("SELECT id FROM subjects WHERE closed_at IS NOT NULL").fetchone()
        at = OLD.isoformat(timespec="microseconds")
        connection.execute("UPDATE events SET at = ?, recorded_at = ? WHERE subject = ?", (at, at, old))
        connection.execute("UPDATE subjects SET opened_at = ?, closed_at = ? WHERE id = ?", (at, at, old))
        connection.execute(
            "UPDATE events SET body = json_set(body, '$.said', ?) WHERE subject = ?", (SECRET, old)
        )
        columns = "at, recorded_at, kind, by, headline, body"
        for number in range(100, 100 + copies):
            connection.execute(
                f"INSERT INTO events ({columns}, subject) SELECT {columns}, ? FROM events WHERE subject = ?",  # noqa: S608
                (f"copy{number}", old),
            )
            connection.execute(
                "INSERT INTO subjects VALUES (?, ?, 'group', ?, ?, ?)",
                (number, f"copy{number}", f"copy{number}", at, at),
            )


def run(path: Path, *words: str, answers: str = "") -> Result:
    return typed("prune", "--config", path, *words, answers=answers)


def subjects_of(path: Path) -> int:
    with closing(sqlite3.connect(path.parent / "state" / "tocsin.db")) as connection:
        return int(connection.execute("SELECT count(*) FROM subjects").fetchone()[0])


def holds(path: Path, text: str) -> bool:
    return text.encode() in (path.parent / "state" / "tocsin.db").read_bytes()


def test_it_says_what_would_go_and_changes_nothing(path: Path) -> None:
    ran = run(path, "--before", "2y", "--dry-run")
    assert ran.exit_code == 0, ran.output
    first, what, then = ran.stdout.splitlines()
    assert first.startswith(f"{path.parent}/state/tocsin.db, what ended before 20")
    assert re.fullmatch(r"  1 alert and \d events, since 2024-01-01; about 0\.0 MB", what)
    assert then == "nothing was changed: without --dry-run it goes"
    assert subjects_of(path) == 2
    assert not list((path.parent / "state" / "backups").glob("*.db"))


def test_without_a_daemon_it_is_done_after_a_backup_and_is_not_in_the_file_any_more(path: Path) -> None:
    assert holds(path, SECRET)
    ran = run(path, "--before", "2y", "--yes")
    assert ran.exit_code == 0, ran.output
    assert re.search(r"^pruned 1 alert and \d events in \d+ s: ", ran.stdout, re.MULTILINE)
    [made] = backup.found(path.parent / "state" / "backups")
    assert f"backup {made}: " in ran.stdout
    assert f"backups still hold it: those that Tocsin makes in {made.parent} until 20" in ran.stdout
    assert backup.read(made).counts["alerts"] == 2
    assert SECRET.encode() in made.read_bytes()
    assert subjects_of(path) == 1
    assert not holds(path, SECRET)
    ran = run(path, "--before", "2y", "--yes")
    assert ran.exit_code == 0
    assert ran.stdout.endswith("there is nothing to take out\n")
    with started(path) as running:
        assert stands(running) == 1
        assert running.ends(signal.SIGTERM) == 0


def stands(running: Process, what: str = "open alerts") -> object:
    status = running.status()
    assert status is not None
    return status[what]


def test_the_law_may_want_no_backup_and_what_was_set_aside_is_named(path: Path) -> None:
    aside = path.parent / "state" / "tocsin.db.replaced-20261121T040000Z"
    aside.touch()
    ran = run(path, "--before", "2024-06-01", "--yes", "--no-backup")
    assert ran.exit_code == 0, ran.output
    assert not (path.parent / "state" / "backups").exists() or not backup.found(aside.parent / "backups")
    assert ran.stdout.endswith(f"keep them; tocsin.db.replaced-20261121T040000Z in {aside.parent} too\n")


def test_it_asks_and_no_is_no(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = run(path, "--before", "2y")
    assert (ran.exit_code, subjects_of(path)) == (2, 2)
    assert ran.stderr == "nothing was changed: say --yes, since nobody is there to be asked\n"
    monkeypatch.setattr(asking, "_asks", lambda: True)
    ran = run(path, "--before", "2y", answers="n\n")
    assert (ran.exit_code, subjects_of(path)) == (1, 2)
    assert ran.stderr.endswith("nothing was changed\n")
    ran = run(path, "--before", "2y", answers="y\n")
    assert (ran.exit_code, subjects_of(path)) == (0, 1)


def test_what_is_young_is_refused_and_an_age_must_be_said(path: Path) -> None:
    ran = run(path, "--before", "30d", "--yes")
    assert ran.exit_code == 2
    assert "--before must lie 90 days back at least: '30d' is 20" in ran.stderr
    ran = run(path, "--yes")
    assert ran.exit_code == 2
    assert "Missing option '--before'" in ran.stderr


def test_a_clock_that_is_years_ahead_takes_nothing_out(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.cli.prune.clock.now", lambda: datetime(2099, 1, 1, tzinfo=UTC))
    ran = run(path, "--before", "2y", "--yes")
    assert (ran.exit_code, subjects_of(path)) == (1, 2)
    assert "all that is in it is older, the newest of 20" in ran.stderr
    assert "is the clock right? Nothing was changed" in ran.stderr


def test_without_a_backup_nothing_goes(path: Path) -> None:
    (path.parent / "state" / "backups").write_text("in the way")
    ran = run(path, "--before", "2y", "--yes")
    assert (ran.exit_code, subjects_of(path)) == (1, 2)
    assert ran.stderr.startswith("nothing was changed, for there is no backup: ")


def test_the_file_is_made_smaller_with_tocsin_stopped(path: Path) -> None:
    with started(path) as running:
        shrinks = tocsin("prune", path, "--before", "2y", "--yes", "--shrink")
        assert (shrinks.returncode, shrinks.stdout) == (1, "")
        assert shrinks.stderr == (
            f"Tocsin runs with its state in {running.folder}: stop it, or leave out --shrink\n"
        )
        assert running.ends(signal.SIGTERM) == 0
    database = path.parent / "state" / "tocsin.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE large AS SELECT randomblob(1000000) AS it")
        connection.execute("DROP TABLE large")
    before = database.stat().st_size
    ran = run(path, "--before", "2y", "--yes", "--shrink")
    assert ran.exit_code == 0, ran.output
    assert re.search(r"tocsin\.db: 1\.\d MB smaller, 0\.\d MB now\n$", ran.stdout)
    assert database.stat().st_size < before - 1_000_000
    with read_only(database) as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


def test_beside_a_daemon_it_is_done_by_that_and_a_kill_stops_it_at_worst(path: Path) -> None:
    made_old(path, copies=300)
    killed = {"TOCSIN_FAILPOINT": "pruned-turn:kill:3"}
    with started(path, environment=killed) as running:
        ran = tocsin("prune", path, "--before", "2y", "--yes", "--no-backup")
        assert ran.returncode == 1
        assert "What is gone by now stays gone: say the same again to go on" in ran.stderr
        assert running.popen.wait() == -signal.SIGKILL
    left = subjects_of(path)
    assert 1 < left < 302
    with started(path) as running:
        assert running.post("alertmanager/prod", payload("Fire", "firing")) == 202
        ran = tocsin("prune", path, "--before", "2y", "--yes")
        assert (ran.returncode, ran.stderr) == (0, "")
        assert running.post("alertmanager/prod", payload("New", "resolved")) == 202
        until(lambda: stands(running) == 1)
        assert running.ends(signal.SIGTERM) == 0
        assert "Traceback" not in running.shown()
    assert_all_gone(path)


@pytest.mark.parametrize("point", ["pruned-part:1", "pruned-part:3"])
def test_killed_without_a_daemon_the_next_one_goes_on(path: Path, point: str) -> None:
    made_old(path, copies=300)
    killed_at(point, by_hand, path.parent / "state")
    assert 1 < subjects_of(path) < 302
    assert run(path, "--before", "2y", "--yes", "--no-backup").exit_code == 0
    assert_all_gone(path)


def by_hand(folder: Path) -> None:
    """In small parts."""
    pruning.LONGEST_ALONE = 0.001
    raise SystemExit(
        main(["prune", "--config", str(folder.parent / "config.toml"), "--before", "2y", "--yes"])
    )


def assert_all_gone(path: Path) -> None:
    with closing(sqlite3.connect(path.parent / "state" / "tocsin.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM pruning").fetchone() == (0,)
        old = "SELECT count(*) FROM events WHERE recorded_at < '2025'"
        assert connection.execute(old).fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM pruned").fetchone() == (301,)
        orphans = "SELECT subject FROM events WHERE subject IN (SELECT id FROM pruned)"
        assert connection.execute(orphans).fetchall() == []
