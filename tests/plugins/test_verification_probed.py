"""A probe as a check: what does not answer is not back, and what does must do so for a while."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tocsin.api import AllClearGiven, AllClearWithdrawn
from tocsin_verification.events import CannotVerify, LevelAccepted

from tests.plugins.incident_parts import TABLES, declared
from tests.plugins.source_parts import Peer, serving
from tests.plugins.verification_parts import Metrics, happened
from tests.tower import Tower, asks


@pytest.fixture
def metrics(tower: Tower) -> Metrics:
    return Metrics(tower)


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with serving(Peer()) as server:
        yield server


def probed(peer: Peer, more: str = "") -> tuple[str, ...]:
    table = f"""\
[plugins.verification]
[plugins.verification.probes.shop]
url = "{peer.url}/health"
[plugins.verification.checks.shop]
probe = "shop"
{more}"""
    return (*TABLES, table)


def of_shop(metrics: Metrics, since: int = 0) -> list[str]:
    return [line for line in metrics.said(since) if "shop" in line]


async def test_from_an_error_to_the_all_clear(metrics: Metrics, peer: Peer) -> None:
    peer.status = 503
    async with metrics(*probed(peer)) as engine:
        await declared(engine, "sev2 no orders")
        assert of_shop(metrics) == ["03:00 1 shop answers 503, not 200: not back yet"]
        await engine.advance(minutes=5)
        peer.status = 200
        await engine.advance(minutes=9)
        assert of_shop(metrics)[-1] == "03:06 1 shop answers: back for 0 s of 10 min"
        assert await happened(engine, "1", AllClearGiven) == []
        await engine.advance(minutes=5)
        assert len(await happened(engine, "1", AllClearGiven)) == 1
        clear = of_shop(metrics)[-1]
        assert clear.startswith(
            "03:16 1 all clear, 16 min after it was declared: shop answers: all clear, back"
        )
        before = len(metrics.chat.said)
        peer.status = 500
        await engine.advance(minutes=2)
        (told,) = of_shop(metrics, before)
        assert "not clear after all: shop answers 500, not 200" in told
        peer.status = 200
        await engine.advance(minutes=15)
        assert len(await happened(engine, "1", AllClearGiven)) == 1  # it must answer for longer now
        await engine.advance(minutes=10)
        assert len(await happened(engine, "1", AllClearGiven)) == 2
        assert len(await happened(engine, "1", AllClearWithdrawn)) == 1


async def test_what_nobody_looked_at_meanwhile_is_not_taken_for_well(metrics: Metrics, peer: Peer) -> None:
    peer.status = 503
    async with metrics(*probed(peer)) as engine:
        await declared(engine, "sev2 no orders")
        await engine.advance(minutes=5)
        peer.status = 200
        await engine.advance(minutes=8)
    metrics.clock.move(timedelta(hours=1))
    async with metrics(*probed(peer)) as engine:
        await engine.advance(minutes=9)
        assert await happened(engine, "1", AllClearGiven) == []
        await engine.advance(minutes=3)
        assert len(await happened(engine, "1", AllClearGiven)) == 1


async def test_one_that_answers_all_the_time_shows_nothing(metrics: Metrics, peer: Peer) -> None:
    async with metrics(*probed(peer)) as engine:
        await declared(engine, "sev2 no orders")
        assert of_shop(metrics) == ["03:00 1 shop answers: nothing is seen there"]
        await engine.advance(hours=1)
        assert await happened(engine, "1", AllClearGiven) == []


async def test_it_has_no_level_that_could_be_accepted(metrics: Metrics, peer: Peer) -> None:
    async with metrics(*probed(peer)) as engine:
        await declared(engine, "sev2 no orders")
        [told] = await asks(engine, "alice", "!verify 1 accept shop it is meant", room="#ops")
        assert "shop is a probe: it answers or it does not, and has no level" in told
        assert await happened(engine, "1", LevelAccepted) == []


async def test_one_that_is_taken_out_of_the_settings_can_not_be_verified(
    metrics: Metrics, peer: Peer
) -> None:
    peer.status = 503
    async with metrics(*probed(peer)) as engine:
        await declared(engine, "sev2 no orders")
    async with metrics(*TABLES, "[plugins.verification]\n") as engine:
        await engine.advance(minutes=10)
        (told,) = await happened(engine, "1", CannotVerify)
        assert told == "cannot verify shop: there is no probe 'shop' any more"
        assert await happened(engine, "1", AllClearGiven) == []
