"""The listener and real peers: what is answered with 202 is kept."""

import asyncio
import logging
import socket
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from tocsin import control, intake
from tocsin import engine as turning
from tocsin.intake import Route
from tocsin.transaction import Transaction
from tocsin.web import listener

from tests.conftest import MINIMAL
from tests.daemon.web_parts import (
    BEARER,
    HERE,
    KEPT,
    Sender,
    posts,
    read,
    take,
)
from tests.engine import Pager, Start
from tests.processes import PATIENCE, started, until


async def test_what_is_accepted_is_kept_by_then_and_then_paged(sender: Sender) -> None:
    answer = await sender.asks("POST", HERE, data=b"Disk", headers={"Authorization": BEARER})
    with closing(sqlite3.connect(sender.engine.run.tocsin.state.database)) as beside:
        assert beside.execute("select receiver, body from intake").fetchall() == [("prod", b"Disk")]
    assert (answer.status, answer.text) == (202, "accepted\n")
    await sender.engine.run.settled()
    (page,) = sender.heard("person/alice")
    assert "critical Disk db1" in page


async def test_a_post_is_answered_once_it_is_in_the_store_and_no_earlier(sender: Sender) -> None:
    blocked, goes_on = threading.Event(), threading.Event()

    def block(_: Transaction) -> None:
        blocked.set()
        goes_on.wait(PATIENCE)

    turn = asyncio.create_task(sender.engine.run.tocsin.turn(block))
    await asyncio.to_thread(blocked.wait, PATIENCE)
    async with sender.begins(b"Disk", of=4) as (answer, _):
        asked = sender.engine.run.tocsin.writer.waiting
        while sender.engine.run.tocsin.writer.waiting == asked:
            await asyncio.sleep(0)
        first = asyncio.create_task(answer.readline())
        await asyncio.wait([first], timeout=0)
        assert not first.done()
        goes_on.set()
        await turn
        assert b" 202 " in await first
    await sender.engine.run.settled()


async def test_a_reader_that_crashes_loses_nothing(sender: Sender, caplog: pytest.LogCaptureFixture) -> None:
    assert (await sender.posts(b"crash")).status == 202
    assert "stumbles its reader: ZeroDivisionError" in caplog.text
    assert await sender.kept() == [("fault", b"crash")]
    assert sender.heard() == [
        "prod posted an alert that could not be taken in (ZeroDivisionError). Body 1 is kept and tried again."
    ]
    await sender.engine.advance(minutes=2)
    assert await sender.kept() == [("parked", b"crash")]
    assert "given up" in sender.heard()[-1]


async def test_who_hangs_up_in_the_middle_leaves_nothing(
    sender: Sender, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with sender.begins(b"half") as (_, writer):
        await writer.drain()
    async with asyncio.timeout(PATIENCE):
        while "broke off" not in caplog.text:
            await asyncio.sleep(0)
    assert (await sender.kept(), sender.heard()) == ([], [])
    assert (await sender.posts()).status == 202
    assert "Traceback" not in caplog.text


async def test_it_stops_in_order_while_a_post_is_under_way(
    receiving: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "LEAVE_WITHIN", timedelta(seconds=0.05))
    async with receiving(posts()) as engine, ClientSession() as session:
        sender = Sender(session, engine)
        async with sender.begins(b"half"):
            await sender.posts()
            engine.run.daemon.stop()
    async with receiving(posts()) as engine:
        assert not engine.run.tocsin.state.unclean
        assert await engine.sql(KEPT) == [("taken", b"Disk")]


@pytest.mark.parametrize("turns", [1, 2, 3])
async def test_who_is_connected_when_it_stops_is_answered_still(receiving: Start, turns: int) -> None:
    async with receiving(posts()) as engine:
        (web,) = (task for task in asyncio.all_tasks() if task.get_name() == "Web")
        host, port = engine.run.daemon.web.address.split(":")
        with socket.create_connection((host, int(port)), PATIENCE) as link:
            for _ in range(turns):  # it is about to be taken, is being taken, was taken
                await asyncio.sleep(0)
            web.cancel()
            while engine.run.daemon.web.address:
                await asyncio.sleep(0)
            head = f"POST {HERE} HTTP/1.1\r\nHost: x\r\nAuthorization: {BEARER}\r\nContent-Length: 4\r\n\r\n"
            await asyncio.to_thread(link.sendall, head.encode() + b"Disk")
            assert b" 202 " in await asyncio.to_thread(link.recv, 1000)
        await asyncio.wait([web])
    async with receiving(posts()) as engine:
        assert await engine.sql(KEPT) == [("taken", b"Disk")]


@pytest.mark.parametrize(("remembered", "often"), [(3, 1), (2, 2)])
async def test_a_body_is_read_once_if_there_is_room_to_remember_what_was_read(
    receiving: Start, monkeypatch: pytest.MonkeyPatch, remembered: int, often: int
) -> None:
    bodies = list[bytes]()

    def reads(receiver: str, body: bytes) -> str:
        bodies.append(body)
        return read(receiver, body)

    monkeypatch.setattr(intake, "MOST_READ", remembered)
    routes = {"post": Route("", reads, take)}
    async with receiving(replace(Pager().declared(), routes=routes)) as engine, ClientSession() as session:
        sender = Sender(session, engine)
        for body in (b"one", b"two"):
            await sender.posts(body)
        assert bodies == [b"one"] * often + [b"two"] * often
        assert set(await sender.kept()) == {("taken", b"one"), ("taken", b"two")}


async def test_a_crowd_without_end_keeps_nobody_from_being_paged(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"CROWD": 0, "PORTION": 1, "MOST_GIVEN_WAY": 2, "GIVE_WAY": timedelta(0)}.items():
        monkeypatch.setattr(intake, name, value)
    bodies = [f"disk{number}".encode() for number in range(5)]
    await asyncio.gather(*map(sender.posts, bodies))
    assert set(await sender.kept()) == {("taken", body) for body in bodies}


async def test_health_is_a_whole_cycle_of_the_engine(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = await sender.asks("GET", "/healthz")
    assert (answer.status, answer.text) == (200, "ok\n")
    goes_on = threading.Event()
    turn = asyncio.create_task(sender.engine.run.tocsin.turn(lambda _: goes_on.wait(PATIENCE)))
    with monkeypatch.context() as patch:
        patch.setattr(turning, "CYCLE_WITHIN", timedelta(seconds=0.05))
        answer = await sender.asks("GET", "/healthz")
    assert (answer.status, answer.text) == (503, "the store takes nothing\n")
    goes_on.set()
    await turn
    assert (await sender.asks("GET", "/healthz")).status == 200


@pytest.mark.parametrize("part", ["ringer", "intake"])
async def test_a_part_that_does_not_turn_is_seen(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    nudge = getattr(sender.engine.run.daemon, part).nudge
    with monkeypatch.context() as patch:
        patch.setattr(turning, "CYCLE_WITHIN", timedelta(seconds=0.05))
        patch.setattr(nudge, "give", lambda: None)
        answer = await sender.asks("GET", "/healthz")
    assert (answer.status, answer.text) == (503, "timers or bodies are not looked at\n")
    assert (await sender.asks("GET", "/healthz")).status == 200


async def test_all_who_ask_at_once_share_one_cycle(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    tocsin, goes_on = sender.engine.run.tocsin, asyncio.Event()
    cycles, keep = 0, tocsin.keep_something

    async def counted() -> None:
        nonlocal cycles
        cycles += 1
        await goes_on.wait()
        await keep()

    monkeypatch.setattr(tocsin, "keep_something", counted)
    asked = [asyncio.create_task(sender.asks("GET", "/healthz")) for _ in range(20)]
    async with asyncio.timeout(PATIENCE):
        while not cycles:
            await asyncio.sleep(0)
        goes_on.set()
        answers = await asyncio.gather(*asked)
    assert {answer.status for answer in answers} == {200}
    assert cycles == 1


def test_a_port_in_use_holds_nothing_up_and_is_taken_once_it_is_free(
    write_config: Callable[..., Path],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, ThreadPoolExecutor() as pool:
        host, port = other.getsockname()
        config = write_config(f'web.listen = "{host}:{port}"\n{MINIMAL}')
        log = config.parent / "log"

        def free() -> Any:
            until(
                lambda: (
                    log.exists() and f"<tocsin> can't listen on {host}:{port}: no alert" in log.read_text()
                )
            )
            stands = control.ask(config.parent / "state", "status")
            other.close()
            return stands

        freed = pool.submit(free)
        with started(config) as running:
            assert freed.result()["listening on"] == "nothing yet"
            until(lambda: f"<tocsin> listening on {host}:{port}: alerts can come in" in log.read_text())
            assert (running.status() or {})["listening on"] == f"{host}:{port}"
            socket.create_connection((host, port)).close()
