"""The demo, as it is played."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.processes import PATIENCE, until

DEMO = [sys.executable, "-m", "tocsin", "demo", "--pace", "20"]

STORY = [
    "full",
    r"POST http://127\.0\.0\.1:\d+/hooks/alertmanager/demo: 202 accepted",
    r"@alice <tocsin> (?P<id>\w+) critical DiskFull db1: 97 % of / used · !ack (?P=id)",
    "Alice was paged. She sleeps",
    "@bob   <tocsin> (?P=id) critical DiskFull",
    "<bob> !ack (?P=id)",
    "#ops   <tocsin> (?P=id) acknowledged by bob",
    "POST .*: 202 accepted",
    "#ops   <tocsin> (?P=id) resolved by its source",
    "!why (?P=id)",
    "<tocsin> [0-9:]+ step 1: paging alice",
    "<tocsin> [0-9:]+ step 2: paging bob",
    "<tocsin> [0-9:]+ resolved by its source",
]


def test_the_outage_is_played_to_its_end(tmp_path: Path) -> None:
    ran = subprocess.run(
        DEMO,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=3 * PATIENCE,
        env={"TMPDIR": str(tmp_path)},
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert re.search(".*".join(STORY), ran.stdout, re.DOTALL)
    assert ran.stdout.count("@bob   <tocsin>") == 3, "a page, and two who are told"
    assert not list(tmp_path.iterdir()), "something is left behind"


@contextmanager
def terminal(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The demo on a terminal of its own."""
    ours, theirs = pty.openpty()
    popen = subprocess.Popen(
        DEMO, stdin=theirs, stdout=theirs, stderr=theirs, env={"TMPDIR": str(folder)}, start_new_session=True
    )
    os.close(theirs)
    try:
        yield popen, ours
    finally:
        popen.kill()
        popen.wait(PATIENCE)
        os.close(ours)


def test_on_a_terminal_the_prompt_is_yours_and_you_can_fire_an_alert(tmp_path: Path) -> None:
    with terminal(tmp_path) as (popen, ours):
        seen = b""

        def shows(text: str) -> bool:
            nonlocal seen
            seen += os.read(ours, 65536)
            return re.search(text.encode(), seen, re.DOTALL) is not None

        until(lambda: shows(r"curl .*alice #ops> $"))
        line = re.findall(r"\* (curl .*)\r\n", seen.decode())[0]
        fired = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=True)
        assert fired.stdout == "accepted\n"
        until(lambda: shows("paging alice: critical HighLoad"))
        os.write(ours, b"!ack\n")
        until(lambda: shows("#ops   <tocsin> .{4} acknowledged by alice"))
        os.write(ours, b"/quit\n")
        assert popen.wait(PATIENCE) == 0
    assert not list(tmp_path.iterdir())
