"""A network that takes what is said, and hands nothing on, is found out and told."""

from dataclasses import dataclass

import pytest

from tocsin.errors import NetworkError
from tocsin.testing import Loudspeaker

from tests.engine import Engine, Start


@dataclass
class Echoing(Loudspeaker):
    """It can say something to itself. lost: that does not come back. tried: how often it was."""

    lost: bool = False
    tried: int = 0

    async def prove(self) -> None:
        self.tried += 1
        if self.lost:
            raise NetworkError("it was lost")


@pytest.fixture
def echoing(start: Start) -> Echoing:
    start.chat = echoing = Echoing("console", {"alice": "alice", "bob": "bob"})
    return echoing


async def minutes(engine: Engine, count: int) -> None:
    for _ in range(count):
        await engine.advance(minutes=1)


async def test_it_is_tried_now_and_then_and_nobody_hears_of_it(start: Start, echoing: Echoing) -> None:
    async with start() as engine:
        await minutes(engine, 31)
        assert echoing.tried == 6
        assert engine.chat.texts() == []


async def test_what_does_not_come_back_thrice_is_told_once(start: Start, echoing: Echoing) -> None:
    async with start() as engine:
        await minutes(engine, 2)
        assert echoing.tried == 1
        proving = engine.run.daemon.proving
        echoing.lost = True
        await minutes(engine, 6)
        assert (engine.chat.texts(), proving.doubt("console")) == ([], "")
        await minutes(engine, 10)
        doubt = "nothing that is said there has come back since 03:02 UTC"
        assert proving.doubt("console") == doubt
        told = f"console: {doubt}: it may carry no page. See its server, and Tocsin's log"
        assert engine.chat.texts("room/#ops") == [told]
        echoing.lost = False
        await minutes(engine, 2)
        assert proving.doubt("console") == ""
        assert engine.chat.texts("room/#ops")[1:] == ["console: what is said there comes back again"]


async def test_one_that_is_down_is_not_tried_and_has_no_doubt(start: Start, echoing: Echoing) -> None:
    async with start() as engine:
        assert engine.chat.listener
        engine.chat.listener.down("console", "no link")
        echoing.lost = True
        await minutes(engine, 20)
        assert echoing.tried == 0
        echoing.lost = False
        engine.chat.listener.up("console")
        await minutes(engine, 3)
        assert echoing.tried == 1
        assert engine.run.daemon.proving.doubt("console") == ""


async def test_a_network_that_cannot_is_not_asked(start: Start) -> None:
    async with start() as engine:
        await minutes(engine, 20)
        assert engine.run.daemon.proving.doubt("console") == ""
        assert engine.chat.texts() == []
