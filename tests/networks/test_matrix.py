"""Matrix, on a real homeserver."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.networks.contract import NetworkContract, RoomsContract
from tests.networks.matrix_peers import EncryptedPeer, MatrixPeer
from tests.servers.synapse import Synapse


class TestMatrix(NetworkContract):
    @pytest.fixture
    async def peer(self, synapse: Synapse, tmp_path: Path) -> AsyncIterator[MatrixPeer]:
        async with MatrixPeer(synapse, tmp_path) as running:
            yield running


class TestEncrypted(NetworkContract, RoomsContract):
    @pytest.fixture
    async def peer(self, synapse: Synapse, tmp_path: Path) -> AsyncIterator[EncryptedPeer]:
        async with EncryptedPeer(synapse, tmp_path) as running:
            yield running
