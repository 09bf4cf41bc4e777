"""docs/first-page.md: what it says to type works, and brings what it says."""

import re
import subprocess
from pathlib import Path
from signal import SIGINT, SIGKILL

from tests.conftest import ROOT
from tests.processes import Process, started, until

PAGE = (ROOT / "docs" / "first-page.md").read_text()

CLONE, SET_UP, RUN, POST, RESOLVE = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
PAGED, ANSWERED = (
    block.splitlines() for block in re.findall(r"^```irc\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
)

ID, TIME = re.compile(r"\b[a-z][0-9][a-z0-9]{2}\b"), re.compile(r"^\d\d:\d\d:\d\d ")


def plain(line: str) -> str:
    """Without what is another each time."""
    return ID.sub("ID", TIME.sub("", line))


def types(text: str, folder: Path) -> str:
    """What a shell answers there."""
    ran = subprocess.run(
        ["/bin/sh", "-euc", text],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout + ran.stderr


def reads(process: Process, block: list[str]) -> None:
    """Wait until all of that was said. What one turn says in several places may stand there in any order."""
    wanted = {plain(line) for line in block}
    until(lambda: wanted <= {plain(line) for line in process.shown().splitlines()}, what=process.shown)


def test_what_it_says_to_type_brings_a_page_and_its_answer(tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    assert CLONE.split("\n")[:2] == ["git clone URL tocsin", "cd tocsin"]
    said = types(SET_UP, tmp_path)
    config = tmp_path / "first" / "config.toml"
    assert re.search(r"`(good: .*)`", PAGE)[1] in said  # type: ignore[index]
    assert "fallback.command: is not set" in said
    # Two things are not as the page has them: the port, which another test may have, and bob's patience.
    config.write_text('web.listen = "127.0.0.1:0"\n' + config.read_text().replace('"20s"', '"2s"'))
    run = ["sh", "-c", f"cd {tmp_path} && exec {RUN}"]
    with started(config, run) as process:
        status = process.status()
        assert status
        here = status["listening on"]
        assert types(POST.replace("127.0.0.1:8627", here), tmp_path).strip() == "accepted"
        reads(process, PAGED[:2])
        process.ends(SIGKILL)
    with started(config, run) as process:
        reads(process, PAGED[2:])
        process.says("!ack")
        reads(process, ANSWERED)
        status = process.status()
        assert status
        assert (
            types(RESOLVE.replace("127.0.0.1:8627", status["listening on"]), tmp_path).strip() == "accepted"
        )
        until(lambda: "resolved by its source" in process.shown())
        assert process.ends(SIGINT) == 0
