"""Who names a source wrongly reads so a minute after the start, and whenever they ask."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from tocsin.plugins import Plugins
from tocsin_verification import Verification
from tocsin_verification.sources.probe import ProbeSettings
from tocsin_verification.sources.settings import SourceSettings

from tests.engine import Engine, Start
from tests.plugins.source_parts import Peer, serving
from tests.tower import asks

MATRIX = '{"status": "success", "data": {"resultType": "matrix", "result": []}}'
OPS = "#ops"
OTHER = "answers with something else than Graphite does"


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with serving(Peer(text=MATRIX)) as server:
        yield server


def declared(**sources: str) -> Any:
    named = {
        name: SourceSettings("graphite" if name == "graphite" else "prometheus", url)
        for name, url in sources.items()
    }
    return Plugins({"verification": Verification(named)}).declared()


def told(engine: Engine) -> list[str]:
    return engine.chat.texts("room/#ops")


async def test_a_wrong_address_is_told_a_minute_after_the_start(start: Start, peer: Peer) -> None:
    peer.status, peer.text = 404, ""
    async with start(declared(main=peer.url)) as engine:
        await engine.advance(seconds=59)
        before = told(engine)
        await engine.advance(seconds=1)
        new = told(engine)[len(before) :]
    assert before == []
    assert [said.splitlines() for said in new] == [
        [
            "source main answers 404: is plugins.verification.sources.main.url right? · !sources",
            "no check there can tell whether something is over",
        ]
    ]


async def test_of_several_each_is_told(start: Start, peer: Peer) -> None:
    async with start(declared(good=peer.url, gone="http://nosuch.invalid", graphite=peer.url)) as engine:
        await engine.advance(minutes=2)
        (said,) = told(engine)
    assert said.splitlines() == [
        "2 sources can't be read · !sources",
        "source gone can't be reached: its host's name is not known",
        f"source graphite {OTHER}: is plugins.verification.sources.graphite.url right?",
        "no check there can tell whether something is over",
    ]


async def test_what_is_well_is_told_only_to_who_asks(start: Start, peer: Peer) -> None:
    async with start(declared(main=peer.url)) as engine:
        await engine.advance(hours=1)
        assert told(engine) == []
        asking, answer = await asks(engine, "alice", "!sources", room=OPS)
    assert asking == "asking main"
    assert re.fullmatch(r"source main answers in \d+ ms", answer)


async def test_probes_are_asked_too(start: Start, peer: Peer) -> None:
    probes = {
        "shop": ProbeSettings(url=peer.url),
        "mail": ProbeSettings(url=peer.url, expects=204, answers_within=timedelta(seconds=2)),
    }
    async with start(Plugins({"verification": Verification(probes=probes)}).declared()) as engine:
        asking, answer = await asks(engine, "alice", "!sources", room=OPS)
    assert asking == "asking shop and mail"
    assert re.fullmatch(r"probe shop is well, in \d+ ms\nprobe mail answers 200, not 204", answer)


async def test_where_there_is_none_it_says_where_to_name_one(start: Start) -> None:
    async with start(Plugins({"verification": Verification()}).declared()) as engine:
        (answer,) = await asks(engine, "alice", "!sources", room=OPS)
    assert answer == "there is none: plugins.verification.sources in the configuration names them"
