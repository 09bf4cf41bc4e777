"""What the tests of the daemon share."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import ClientSession

from tocsin import daemon
from tocsin.config import Document

from tests.daemon.web_parts import BOTH_KINDS, OTHER, PASSWORD, Sender, posts
from tests.engine import Start


@pytest.fixture
def receiving(write_config: Callable[..., Path], tmp_path: Path) -> Start:
    """Makes engines with receivers of each kind."""
    for name, secret in (("staging.token", OTHER), ("old.password", PASSWORD)):
        (tmp_path / name).write_text(secret + "\n")
        (tmp_path / name).chmod(0o600)
    config = daemon.prepare(Document.open(write_config(BOTH_KINDS))).config
    return Start(config, tmp_path / "state")


@pytest.fixture
async def sender(receiving: Start) -> AsyncIterator[Sender]:
    """Posts to an engine that takes whatever it can read for an alert."""
    async with receiving(posts()) as engine, ClientSession() as session:
        yield Sender(session, engine)
        await engine.run.settled()
