"""What the tests of the plugins share."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import ClientSession

from tests.engine import Start
from tests.plugins.alertmanager_parts import Sender, declared
from tests.plugins.notify_parts import Ntfy, Sink, served
from tests.servers.certificates import Certificates
from tests.tower import Tower


@pytest.fixture
def tower(write_config: Callable[..., Path], tmp_path: Path) -> Tower:
    """Two steps, twice: alice at 03:00 and 03:15, bob at 03:05 and 03:20, the end at 03:30."""
    return Tower(write_config, tmp_path / "state")


@pytest.fixture
def rung(tower: Tower, tmp_path: Path) -> Callable[[], list[str]]:
    """Configures a fallback; the first lines of what it was given."""
    program, heard = tmp_path / "ring", tmp_path / "heard"
    program.write_text(f"#!/bin/sh\nhead -n 1 >> {heard}\n")
    program.chmod(0o755)
    tower.people += f'[fallback]\ncommand = ["{program}"]\n'
    return lambda: heard.read_text().splitlines() if heard.exists() else []


@pytest.fixture
async def ntfy(start: Start) -> AsyncIterator[Ntfy]:
    sink = Ntfy(start.clock)
    async with served(sink):
        yield sink


@pytest.fixture
async def gateway(start: Start) -> AsyncIterator[Sink]:
    sink = Sink(start.clock)
    async with served(sink):
        yield sink


@pytest.fixture
async def sender(start: Start) -> AsyncIterator[Sender]:
    """An Alertmanager whose posts are paged."""
    async with start(declared()) as engine, ClientSession() as session:
        yield Sender(session, engine)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls") / "certificates")
