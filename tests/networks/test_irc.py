"""IRC, on the poorest server and on the richest."""

from collections.abc import AsyncIterator

import pytest

from tests.networks.contract import NetworkContract, RoomsContract
from tests.networks.irc_peers import IrcPeer
from tests.servers.ircd import Inspircd, Ngircd


class TestNgircd(NetworkContract, RoomsContract):
    @pytest.fixture
    async def peer(self, ngircd: Ngircd) -> AsyncIterator[IrcPeer]:
        async with IrcPeer(ngircd) as running:
            yield running


class TestInspircd(NetworkContract, RoomsContract):
    @pytest.fixture
    async def peer(self, inspircd: Inspircd) -> AsyncIterator[IrcPeer]:
        async with IrcPeer(inspircd) as running:
            yield running
