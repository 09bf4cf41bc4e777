"""A daemon in a process of its own reads its configuration again, by SIGHUP, by chat and by the command line."""

import os
import pty
import re
import signal
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from pathlib import Path
from threading import Event

import pytest

from tests.conftest import RUNNABLE
from tests.posted import payload
from tests.processes import PATIENCE, TOKEN, Process, command, started, tocsin, until

OTHER = TOKEN[::-1]
PRIMARY = RUNNABLE.replace('page = "alice"', 'page = "primary"')
HOLDS = "configuration not reloaded, the old one holds"
RELOADED = "INFO tocsin.reload: configuration reloaded by SIGHUP: receivers.prod changed"
RELOADS = 50
SENDERS = 2

Write = Callable[[str], Path]


@pytest.fixture
def running(write_config: Write) -> Iterator[Process]:
    with started(write_config(RUNNABLE)) as process:
        yield process


def fires(process: Process, name: str, token: str = TOKEN) -> int:
    return process.post("alertmanager/prod", payload(name, "firing"), token)


def shows(process: Process, line: str) -> None:
    """Wait until a line of it reads so, whoever says it where."""
    until(lambda: re.search(line, process.shown()))


def hup(process: Process) -> None:
    process.popen.send_signal(signal.SIGHUP)


def config_of(process: Process) -> Path:
    return process.folder.parent / "config.toml"


def test_by_signal_the_new_file_holds_and_what_rings_keeps_its_policy(
    running: Process, write_config: Write
) -> None:
    assert fires(running, "Old") == 202
    shows(running, r"#ops +<tocsin> \w+ paging alice: critical Old")
    write_config(RUNNABLE.replace('page = "alice"', 'page = "bob"').replace("5m", "6m"))
    hup(running)
    shows(running, r"#ops +<tocsin> configuration reloaded: plugins\.escalation changed")
    assert fires(running, "New") == 202
    shows(running, r"#ops +<tocsin> \w+ paging bob: critical New")
    running.says("!up " + re.findall(r"(\w+) paging alice", running.shown())[0])
    shows(running, r"#ops +<tocsin> \w+ step 2.*: paging bob: critical Old")
    assert running.ends(signal.SIGTERM) == 0


def test_a_bad_file_is_told_in_the_rooms_and_the_old_one_goes_on(
    running: Process, write_config: Write
) -> None:
    path = write_config(
        RUNNABLE.replace("token.file", "tokn.file").replace('"ops"', '"opps"') + "prefx = 1\n"
    )
    hup(running)
    shows(running, rf"#ops +<tocsin> {HOLDS}: {path}:\d+: .*; and \d more: see the log")
    assert "receivers.prod.tokn: no such setting" in running.shown()
    assert fires(running, "DiskFull") == 202
    shows(running, r"#ops +<tocsin> \w+ paging alice")
    running.says("!ack")
    shows(running, "acknowledged by alice")
    said = tocsin("reload", path)
    assert (said.returncode, said.stdout) == (2, "")
    assert f"{path}: can't be used: " in said.stderr


def test_the_command_line_says_what_became_of_it(running: Process, write_config: Write) -> None:
    path = config_of(running)
    said = tocsin("reload", path)
    assert (said.returncode, said.stdout) == (0, "configuration reloaded: nothing has changed\n")
    write_config(f'prefix = "."\n{RUNNABLE}')
    said = tocsin("reload", path)
    assert (said.returncode, said.stdout) == (0, "configuration reloaded: prefix changed\n")
    assert "fallback.command: is not set" in said.stderr
    running.says(".whoami")
    shows(running, "you are alice")
    write_config(RUNNABLE.replace('page = "bob"', 'page = "bbo"'))
    said = tocsin("reload", path)
    assert (said.returncode, said.stdout) == (2, "")
    assert "is called 'bbo'; did you mean 'bob'?" in said.stderr
    write_config(RUNNABLE + '[networks.radio]\nkind = "console"\n')
    said = tocsin("reload", path)
    assert said.returncode == 2
    assert said.stderr.splitlines() == [
        f"{path}:14: networks.radio: added: restart Tocsin for that",
        "configuration not reloaded, the old one holds",
    ]
    assert running.ends(signal.SIGTERM) == 0
    said = tocsin("reload", path)
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr == f"no Tocsin runs with its state in {running.folder}\n"


def test_who_comes_on_call_by_it_is_paged(write_config: Write) -> None:
    with started(write_config(f'{PRIMARY}[schedules.primary]\non_call = "alice"\n')) as running:
        assert fires(running, "DiskFull") == 202
        shows(running, r"@alice +<tocsin> \w+ critical DiskFull")
        write_config(f'{PRIMARY}[schedules.primary]\non_call = ["alice", "bob"]\n')
        running.says("!reload")
        shows(running, r"#ops +<tocsin> configuration reloaded by alice: schedules\.primary changed")
        shows(running, r"@bob +<tocsin> \w+ critical DiskFull")
        shows(running, r"#ops +<tocsin> \w+ bob came on call: paging bob: critical DiskFull")


def test_a_rotated_token_holds_and_the_old_one_no_more(running: Process) -> None:
    token = running.folder.parent / "prod.token"
    token.write_text(f"{OTHER}\n")
    assert fires(running, "Before", OTHER) == 401
    said = tocsin("reload", config_of(running))
    assert said.stdout == "configuration reloaded: receivers.prod changed\n"
    assert (fires(running, "Old"), fires(running, "New", OTHER)) == (401, 202)
    token.write_text("short\n")
    said = tocsin("reload", config_of(running))
    assert (said.returncode, "is too short to be safe" in said.stderr) == (2, True)
    assert fires(running, "Still", OTHER) == 202
    assert not any(secret in running.shown() + said.stderr for secret in (TOKEN, OTHER, "short\n"))


def test_when_its_terminal_is_closed_it_ends(write_config: Write) -> None:
    ours, theirs = pty.openpty()
    path = write_config(RUNNABLE)
    # Whoever leads a session has for its terminal what it opens first.
    opens = ["setsid", "sh", "-c", 'exec "$@" <"$0"', os.ttyname(theirs), *command("run", path)]
    with started(path, opens, {"PATH": os.environ["PATH"]}) as running:
        os.close(theirs)
        hup(running)
        shows(running, "configuration reloaded: nothing has changed")
        os.close(ours)
        assert running.popen.wait(PATIENCE) == 0


def test_what_is_posted_during_fifty_reloads_arrives_once(write_config: Write) -> None:
    text, over = f"digests = false\n{RUNNABLE}", Event()

    def posts(sender: int) -> int:
        """Post one alert after another until it is over; how many."""
        for number in count():
            assert fires(busy, f"Alert{sender}x{number}") == 202
            if over.is_set():
                break
        return number + 1

    with started(write_config(text)) as busy, ThreadPoolExecutor(SENDERS) as pool:
        senders = [pool.submit(posts, sender) for sender in range(SENDERS)]
        try:
            for number in range(RELOADS):
                write_config(text.replace('"prod.token"\n', f'"prod.token"\nlimit = {4000 + number}\n'))
                hup(busy)
                until(lambda wanted=number + 1: busy.shown().count(RELOADED) == wanted)  # type: ignore[misc]
        finally:
            over.set()
        posted = sum(sender.result() for sender in senders)
        until(lambda: (busy.status() or {}).get("bodies waiting") == 0)
        assert busy.ends(signal.SIGTERM) == 0
        assert "Traceback" not in busy.shown()
    with closing(sqlite3.connect(busy.folder / "tocsin.db")) as kept:
        taken = kept.execute("select outcome, count(*) from intake group by outcome").fetchall()
        opened = kept.execute("select count(*) from events where kind = 'group.opened'").fetchall()
    assert (taken, opened) == ([("taken", posted)], [(posted,)])
