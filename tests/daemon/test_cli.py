"""The command line as a shell runs it."""

import logging
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from tocsin.logs import OneLine

from tests.conftest import MINIMAL

TOCSIN = Path(sys.executable).with_name("tocsin")


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize(
    "command", [[TOCSIN], [sys.executable, "-m", "tocsin"]], ids=["tocsin", "python -m tocsin"]
)
def test_it_runs_as_a_command_and_as_a_module(command: list[str | Path]) -> None:
    ran = run(*command, "--version")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"tocsin {version('tocsin')}\n", "")
    ran = run(*command, "--help")
    assert ran.returncode == 0
    assert "check-config" in ran.stdout


def test_what_is_logged_is_one_line_of_text_whatever_a_server_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine("%(levelname)s %(name)s: %(message)s"))
    for said in ("bye\nERROR tocsin: all is lost", "\x1b[2Jbye\x07\x9b", "eyb\u202e\u2028bye"):
        handler.handle(
            logging.makeLogRecord({"msg": "the server says: %s", "args": (said,), "name": "tocsin"})
        )
    assert capsys.readouterr().err.splitlines() == [
        "Level None tocsin: the server says: bye ERROR tocsin: all is lost",
        "Level None tocsin: the server says: [2Jbye",
        "Level None tocsin: the server says: eyb bye",
    ]


def test_scripts_can_tell_good_from_bad(write_config: Callable[..., Path]) -> None:
    good = run(TOCSIN, "check-config", "--config", write_config())
    assert good.returncode == 0
    assert good.stdout.count("\n") == 1
    bad = run(TOCSIN, "check-config", "--config", write_config("people = 3"))
    assert (bad.returncode, bad.stdout) == (2, "")
    assert "Traceback" not in bad.stderr


def test_the_environment_may_name_the_file(write_config: Callable[..., Path]) -> None:
    path = write_config()
    ran = run(TOCSIN, "check-config", TOCSIN_CONFIG=str(path))
    assert ran.returncode == 0
    assert ran.stdout.startswith(f"{path}: good")


def test_plugins_are_listed_without_a_configuration() -> None:
    ran = run(TOCSIN, "plugins")
    assert ran.returncode == 0
    names = [line.split()[0] for line in ran.stdout.splitlines()]
    assert names == [
        "alertmanager",
        "escalation",
        "handoff",
        "heartbeats",
        "incidents",
        "notify",
        "postmortem",
        "reminders",
        "schedules",
        "silence",
        "timeline",
        "verification",
    ]


def test_plugins_are_not_listed_from_a_configuration_that_is_bad(tmp_path: Path) -> None:
    ran = run(TOCSIN, "plugins", "--config", tmp_path / "none.toml")
    assert ran.returncode == 2
    assert "No such file" in ran.stderr


def test_the_fallback_rings_by_hand_whatever_else_is_wrong(
    write_config: Callable[..., Path], tmp_path: Path
) -> None:
    broken = MINIMAL.replace("bob", "bbo", 1) + "[nonsense]\n"
    assert run(TOCSIN, "ring", "it burns", "--config", write_config(broken)).stderr.endswith(
        "config.toml: fallback.command: is not set: nothing rings\n"
    )
    rang = tmp_path / "rang"
    fallback = f'[fallback]\ncommand = ["/bin/sh", "-c", "cat > {rang}"]\n'
    ran = run(TOCSIN, "ring", "it burns", "--config", write_config(broken + fallback))
    assert (ran.returncode, ran.stdout, rang.read_text()) == (0, "/bin/sh has taken it\n", "it burns\n")
    ran = run(
        TOCSIN, "ring", "x", "--config", write_config(broken + '[fallback]\ncommand = ["/bin/false"]\n')
    )
    assert (ran.returncode, ran.stderr) == (1, "/bin/false: exit code 1\n")
    ran = run(TOCSIN, "ring", "x", "--config", write_config(broken + '[fallback]\ncomand = ["/bin/false"]\n'))
    assert ran.returncode == 2
    assert "fallback.comand: no such setting; did you mean 'command'?" in ran.stderr
