"""The fallback, with real programs."""

import asyncio
import contextlib
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tocsin.domain.message import Message, Place
from tocsin.errors import NetworkError
from tocsin.networks.base import Rank
from tocsin.networks.fallback import Fallback

from tests.networks.contract import PAGE, Recorder
from tests.processes import PATIENCE

PLACE = Place("fallback", "", private=True)
SOON = timedelta(seconds=PATIENCE)

Script = Callable[[str], Path]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Write a program; what it keeps goes to its own folder."""

    def write(body: str) -> Path:
        path = tmp_path / "ring"
        path.write_text(f'#!/bin/sh\ncd "$(dirname "$0")"\n{body}\n')
        path.chmod(0o755)
        return path

    return write


async def ring(path: Path, message: Message = PAGE, timeout: timedelta = SOON) -> str:
    return await Fallback([str(path), "--to", "+1 202"], timeout).send(
        PLACE, message, "1", tried=None, rank=Rank.PAGE
    )


async def test_it_gets_the_page_as_it_is(script: Script, tmp_path: Path) -> None:
    page = Message("DiskFull on döner-1", subject="k7f3", command="!ack k7f3", lines=("$(id)", "", "two"))
    assert await ring(script('cat >page; printf "%s|" "$@" >arguments'), page) == "exit code 0"
    assert (tmp_path / "page").read_text() == f"{page.first_line()}\n$(id)\ntwo\n"
    assert (tmp_path / "arguments").read_text() == "--to|+1 202|"


async def test_it_gets_the_page_each_time(script: Script, tmp_path: Path) -> None:
    path = script("cat >>pages")
    for _ in range(2):
        await ring(path)
    assert (tmp_path / "pages").read_text() == f"{PAGE.first_line()}\n" * 2


async def test_any_other_exit_code_is_tried_again(script: Script) -> None:
    with pytest.raises(NetworkError, match=r"ring: exit code 3$") as caught:
        await ring(script("exit 3"))
    assert not caught.value.permanent
    assert not caught.value.unsent


async def test_what_dies_has_not_rung(script: Script) -> None:
    with pytest.raises(NetworkError, match="exit code -9"):
        await ring(script("kill -KILL $$"))


async def test_what_takes_too_long_is_killed(script: Script, tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="ring: took more than") as caught:
        await ring(script("echo $$ >pid; exec sleep 60"), timeout=timedelta(seconds=0.2))
    assert not caught.value.permanent
    assert is_gone(tmp_path)


async def test_cancelled_it_leaves_no_program_behind(script: Script, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "started")
    ringing = asyncio.create_task(ring(script("echo $$ >pid; echo >started; exec sleep 60")))
    async with asyncio.timeout(PATIENCE):
        await asyncio.to_thread((tmp_path / "started").read_text)
    ringing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await ringing
    assert is_gone(tmp_path)


def is_gone(folder: Path) -> bool:
    """Whether the program that left its number here has ended, and was waited for."""
    try:
        os.kill(int((folder / "pid").read_text()), 0)
    except ProcessLookupError:
        return True
    return False


async def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match=r"ring: can't be started: No such file") as caught:
        await ring(tmp_path / "ring")
    assert not caught.value.permanent
    assert caught.value.retry_after


async def test_a_program_that_may_not_run_is_named(script: Script) -> None:
    path = script("exit 0")
    path.chmod(0o644)
    with pytest.raises(NetworkError, match=r"ring: can't be started: Permission denied"):
        await ring(path)


LONG = Message("long", lines=("x" * 2000,) * 50)


@pytest.mark.parametrize("body", ["exit 0", "exec <&-; exit 0"], ids=["ends", "shuts its input"])
async def test_a_program_need_not_read(script: Script, body: str) -> None:
    assert await ring(script(body), LONG) == "exit code 0"


async def test_a_program_that_never_reads_is_killed(script: Script, tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="took more than"):
        await ring(script("echo $$ >pid; exec sleep 60"), LONG, timeout=timedelta(seconds=0.2))
    assert is_gone(tmp_path)


async def test_a_long_page_arrives_whole(script: Script, tmp_path: Path) -> None:
    await ring(script("cat >page"), LONG)
    assert (tmp_path / "page").read_text().splitlines() == LONG.all_lines()


async def test_it_is_always_there_and_calls_nobody_by_name() -> None:
    fallback, recorder = Fallback(["ring"], SOON), Recorder()
    async with asyncio.timeout(PATIENCE):
        await fallback.run(recorder)
        await recorder.is_up()
    assert fallback.reaches("")
    assert not fallback.reaches("alice")
    assert fallback.send_for > SOON
