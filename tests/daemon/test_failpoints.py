"""The daemon is killed at every edge that it passes, one after another, and goes on as if nothing had been."""

import itertools
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tocsin import failpoints
from tocsin.config import Config
from tocsin.errors import StoreUnavailable

from tests.crash import Record, judge, played, three_alerts
from tests.crash_kept import unrest
from tests.crash_storm import judge_storm, storm
from tests.engine import Start, fires


@pytest.mark.parametrize(
    "point", ["before-commit", "after-commit", "before-send", "after-send", "before-take"]
)
def test_killed_at_any_passage_nothing_is_lost(point: str, config: Config, tmp_path: Path) -> None:
    for passage in itertools.count(1):
        folder = tmp_path / str(passage)
        folder.mkdir()
        killed = played(three_alerts, config, folder, f"{point}:kill:{passage}")
        judge(Record(folder / "seen"))
        with closing(sqlite3.connect(folder / "state" / "tocsin.db")) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert database.execute("SELECT count(*) FROM events WHERE kind = 'group.opened'").fetchone() == (
                3,
            )
        if not killed:  # it ran to its end before it passed there so often
            break
    assert passage > 3, f"{point} is hardly ever passed: this test has lost its meaning"


@pytest.mark.parametrize(
    "point", ["before-commit", "after-commit", "before-send", "after-send", "digest-made", "before-delivered"]
)
def test_killed_at_any_passage_of_a_storm_nothing_is_lost(point: str, config: Config, tmp_path: Path) -> None:
    for passage in itertools.count(1):
        folder = tmp_path / str(passage)
        folder.mkdir()
        killed = played(storm, config, folder, f"{point}:kill:{passage}")
        verdict = judge_storm(folder)
        assert verdict.faults == []
        assert verdict.digests > 4
        assert unrest(folder / "state" / "tocsin.db") == []
        if not killed:  # it ran to its end before it passed there so often
            break
    assert passage > 3, f"{point} is hardly ever passed: this test has lost its meaning"


async def test_a_commit_that_fails_for_whatever_reason_is_an_answer(start: Start) -> None:
    async with start() as engine:
        failpoints.arm("before-commit:raise:1")
        with pytest.raises(StoreUnavailable, match="failpoint before-commit"):
            await engine.report(fires())
        await engine.report(fires())
        assert len(engine.chat.texts("person/alice")) == 1


async def test_an_answer_that_was_not_kept_silences_nothing(start: Start) -> None:
    async with start() as engine:
        subject = await engine.report(fires())
        failpoints.arm("before-commit:raise:1")
        with pytest.raises(StoreUnavailable):
            await engine.run.tocsin.turn(lambda tx: tx.record(tx.group(subject).acknowledge("alice", tx.now)))
        assert await engine.run.tocsin.turn(lambda tx: tx.group(subject).rings)
        await engine.advance(minutes=5)
        assert len(engine.chat.texts("person/bob")) == 1
