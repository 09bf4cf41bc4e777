"""`tocsin test-page`: a real page to whoever is on call, followed until somebody answers."""

import asyncio
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import RUNNABLE
from tests.processes import PATIENCE, TOKEN, Process, command, started, tocsin, until
from tests.servers.irc_user import people
from tests.servers.ircd import Ngircd
from tests.servers.programs import HOST, running

ROUTED = (
    RUNNABLE
    + """\
[[plugins.escalation.routes]]
match = ['team="db"']
policy = "db"
[plugins.escalation.policies.db]
steps = [{ page = "bob" }]
"""
)


def typed(config: Path, *words: str) -> subprocess.Popen[str]:
    """Type it at another terminal."""
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*command("test-page", config), *words], stdout=pipe, stderr=pipe, text=True, env={}
    )


def said(popen: subprocess.Popen[str], text: str) -> str:
    """The next line that holds this."""
    assert popen.stdout is not None
    return next(line.strip() for line in popen.stdout if text in line)


def over(process: Process) -> bool:
    """Whether nothing rings any more."""
    status = process.status()
    return status is not None and status["open alerts"] == 0


def test_it_pages_and_ends_with_the_first_answer(write_config: Callable[..., Path]) -> None:
    config = write_config(ROUTED)
    with started(config) as process:
        popen = typed(config)
        until(lambda: re.search(r"@alice <tocsin> \w+ critical TestPage: this is a test", process.shown()))
        process.says("!ack")
        out, err = popen.communicate(timeout=PATIENCE)
        assert (popen.returncode, err) == (0, "")
        story = [
            r"posted to http://127\.0\.0\.1:\d+/hooks/alertmanager/prod: accepted",
            r" +\d+\.\d s  (?P<id>\w+): alice paged",
            r" +\d+\.\d s  (?P=id): page to alice on console: delivered",
            r" +now answer it, as alice: !ack (?P=id)",
            r" +\d+\.\d s  (?P=id): acknowledged by alice",
            r"alice answered \d+s after it was posted: paging works\. The test is over",
        ]
        assert re.fullmatch("\n(?:.*nobody has answered yet\n)*".join(story) + "\n", out)
        until(lambda: over(process))
        assert TOKEN not in out


async def test_by_a_code_where_that_is_all_that_proves_who_answers(
    write_config: Callable[..., Path], tmp_path: Path
) -> None:
    with running(Ngircd(tmp_path / "ngircd")) as ircd:
        network = (
            f'[networks.irc]\nserver = "{HOST}:{ircd.port}"\ntls = false\nroom = "#ops"\nidentity = "codes"\n'
        )
        text = RUNNABLE.replace("[networks.console]\n", network).replace("accounts.console", "accounts.irc")
        config = write_config(text)
        async with people("alice") as [alice]:
            await alice.connect(ircd.port)
            with started(config):
                popen = typed(config)
                hint = await asyncio.to_thread(said, popen, "now answer it")
                (page,) = await alice.sees(lambda line: "ack " in line.text and line.params[0] == "alice")
                code = re.search(r"ack (\d{4})", page.text)
                assert code is not None
                alice.send(f"PRIVMSG tocsin :ack {code[1]}")
                out, _ = await asyncio.to_thread(popen.communicate, timeout=PATIENCE)
    assert hint == "now answer it, as alice, to Tocsin alone on irc, by the code in the page: ack CODE"
    assert (popen.returncode, "paging works" in out) == (0, True)


def test_its_labels_choose_whom_it_pages(write_config: Callable[..., Path]) -> None:
    config = write_config(ROUTED)
    with started(config) as process:
        ran = tocsin("test-page", config, "team=db", "severity=warning", "--within", "2s")
        assert ran.returncode == 1
        assert "bob paged" in ran.stdout
        assert "alice" not in ran.stdout
        assert ran.stderr == "nobody answered in 2s: tocsin doctor says what is wrong, if anything is\n"
        assert "@bob   <tocsin>" in process.shown()
        assert "warning TestPage" in process.shown()
        until(lambda: over(process))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_gives_up_leaves_nothing_that_rings(write_config: Callable[..., Path], number: int) -> None:
    config = write_config(RUNNABLE)
    with started(config) as process:
        popen = typed(config)
        until(lambda: "@alice <tocsin>" in process.shown())
        popen.send_signal(number)
        popen.communicate(timeout=PATIENCE)
        assert popen.returncode == 1
        until(lambda: "resolved by its source" in process.shown() and over(process))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 1, "no Tocsin runs with its state in "),
        (("--receiver", "prodd"), 2, "no receiver is called 'prodd'; did you mean 'prod'?"),
        (("severity",), 2, "'severity' is no label: they are written NAME=VALUE"),
        (("--within", "5"), 2, "must be a length of time such as '30s'"),
    ],
)
def test_what_can_not_be_is_said(
    write_config: Callable[..., Path], words: tuple[str, ...], code: int, said: str
) -> None:
    ran = tocsin("test-page", write_config(RUNNABLE), *words)
    assert (ran.returncode, ran.stdout) == (code, "")
    assert said in ran.stderr


def test_a_token_that_does_not_hold_is_said(write_config: Callable[..., Path]) -> None:
    config = write_config(RUNNABLE)
    with started(config):
        config.with_name("prod.token").write_text("f" * 32)
        ran = tocsin("test-page", config)
    assert ran.returncode == 1
    assert "answers 401: the token is missing or wrong" in ran.stderr
    assert "f" * 32 not in ran.stdout + ran.stderr
