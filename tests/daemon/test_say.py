"""What somebody has a person say at the command line is done as if they had typed it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tocsin import control

from tests.conftest import RUNNABLE
from tests.processes import PATIENCE, started, until


def say(config: Path, *words: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "tocsin", "say", "--config", str(config), *words]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env={}, timeout=PATIENCE)
    return ran.returncode, ran.stdout, ran.stderr


def test_it_does_what_they_would_type(write_config: Callable[..., Path]) -> None:
    config = write_config(RUNNABLE + "[plugins.incidents]\n")
    with started(config) as running:
        code, out, _ = say(config, "--as", "alice", "declare", "sev2", "mail is slow")
        assert (code, out) == (0, "done\n")
        until(lambda: "1 sev2 declared by alice: mail is slow" in running.shown())
        code, out, _ = say(config, "--as", "bob", "!incidents")
        assert (code, out.splitlines()[0]) == (0, "1 incident open, 1 not over")
        assert out.splitlines()[1].startswith("1 sev2 mail is slow (declared, since ")
        assert say(config, "--as", "bob", "Done", "1", "a full disk")[0] == 0
        until(lambda: "1 resolved by bob" in running.shown())


def test_what_can_not_be_done_is_said_and_ends_otherwise(write_config: Callable[..., Path]) -> None:
    config = write_config(RUNNABLE + "[plugins.incidents]\n")
    assert say(config, "--as", "alice", "incidents")[0] == 1  # nothing runs
    with started(config) as running:
        assert say(config, "--as", "alcie", "incidents") == (
            1,
            "",
            "nobody is called 'alcie'; did you mean 'alice'?\n",
        )
        assert say(config, "--as", "alice", "declare") == (
            1,
            "",
            "what is wrong? say !declare [drill] [sev1|\u2026|sev4] [TEXT\u2026] [from ALERT\u2026]\n",
        )
        assert say(config, "--as", "alice", "decalre", "x")[2] == "there is no !decalre\n"
        assert say(config, "incidents")[0] == 2
        asked = control.ask(
            running.folder,
            "say",
            by="alice",
            text="declare sev1 a\nsev2 b\x00\ud800".encode(errors="replace").decode(),
        )
        assert asked == {"told": "", "done": True}
        assert control.ask(running.folder, "say") == {"told": "nobody is called ''", "done": False}
        until(lambda: "1 sev1 declared by alice: a" in running.shown())
