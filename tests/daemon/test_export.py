"""An incident is written down by the command line, whether a daemon runs or not."""

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tocsin import control
from tocsin.store.state import DATABASE

from tests.conftest import RUNNABLE
from tests.processes import PATIENCE, Process, started, until

TABLES = RUNNABLE + "[plugins.incidents]\n[plugins.timeline]\n[plugins.postmortem]\n"


def export(config: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tocsin", "export", "--config", config, *words],
        capture_output=True,
        text=True,
        check=False,
        env={},
        timeout=PATIENCE,
    )


def declares(running: Process) -> None:
    """Alice declares an incident and notes something."""
    running.says("!declare sev2 it is slow")
    until(lambda: "1 sev2 declared by alice" in running.shown())
    running.says("!note alice restarted it")
    until(lambda: "1 noted" in running.shown())


def test_it_is_the_same_from_a_daemon_that_runs_and_from_its_database(
    write_config: Callable[..., Path], tmp_path: Path
) -> None:
    config = write_config(TABLES)
    forms = ("md", "html", "json")
    with started(config) as running:
        declares(running)
        live = {form: export(config, "1", "--format", form) for form in forms}
        assert running.ends(signal.SIGTERM) == 0
    kept = {form: export(config, "#01", "--format", form) for form in forms}
    for form in forms:
        assert (live[form].returncode, live[form].stderr) == (0, "")
        assert (kept[form].returncode, kept[form].stderr) == (0, "")
        assert kept[form].stdout == live[form].stdout
    assert "note: the commander restarted it |" in kept["md"].stdout
    assert kept["html"].stdout.startswith("<!DOCTYPE html>")
    assert json.loads(kept["json"].stdout)["title"] == "it is slow"
    out = tmp_path / "incident.md"
    assert export(config, "1", "--out", out).stdout == ""
    assert out.read_text() == kept["md"].stdout
    with started(config) as running:
        assert running.ends(signal.SIGTERM) == 0, "whoever read it left nothing that is in the way"


def test_after_a_kill_nothing_is_missing(write_config: Callable[..., Path]) -> None:
    config = write_config(TABLES)
    with started(config) as running:
        declares(running)
        running.popen.kill()
        running.popen.wait(PATIENCE)
    ran = export(config, "1")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "note: the commander restarted it" in ran.stdout


def test_what_can_not_be_is_said(write_config: Callable[..., Path], tmp_path: Path) -> None:
    config = write_config(TABLES)
    ran = export(config, "1")
    database = tmp_path / "state" / DATABASE
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == f"{database}: there is no database: has Tocsin ever run with this configuration?\n"
    with started(config) as running:
        missing = export(config, "7")
        assert (missing.returncode, missing.stdout) == (1, "")
        assert missing.stderr == "there is no incident 7: !incidents lists what is open\n"
        assert export(config, "1", "--format", "pdf").returncode == 2
        assert control.ask(running.folder, "export", number="7", form="pdf") == {
            "refused": "there is no form 'pdf': say md, html, json"
        }
        assert control.ask(running.folder, "export") == {"refused": "there is no form '': say md, html, json"}
        assert running.ends(signal.SIGTERM) == 0
        assert "Traceback" not in running.log.read_text()
    assert export(config, "7").stderr == missing.stderr
    assert export(config, "7", "--out", tmp_path / "no" / "file").returncode == 1
    database.write_bytes(b"this is no database, and never was one" * 100)
    ran = export(config, "1")
    assert (ran.returncode, ran.stderr) == (1, f"{database}: can't be read: file is not a database\n")


def test_a_file_that_can_not_be_written_is_named(write_config: Callable[..., Path], tmp_path: Path) -> None:
    config = write_config(TABLES)
    with started(config) as running:
        declares(running)
        out = tmp_path / "no" / "file"
        ran = export(config, "1", "--out", out)
        assert (ran.returncode, ran.stderr) == (1, f"{out}: can't be written: No such file or directory\n")
        assert running.ends(signal.SIGTERM) == 0


def test_the_database_of_another_version_is_left_alone(write_config: Callable[..., Path]) -> None:
    config = write_config(TABLES)
    with started(config) as running:
        assert running.ends(signal.SIGTERM) == 0
        database = running.folder / DATABASE
    with sqlite3.connect(database) as raw:
        raw.execute("UPDATE schema_core SET version_num = 'beyond'")
    raw.close()
    ran = export(config, "1")
    assert ran.returncode == 1
    assert ran.stderr == f"{database}: was written by another version: start this one once, then ask again\n"
