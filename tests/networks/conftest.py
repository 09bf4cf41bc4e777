"""The servers that tests of networks share, and who is there."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.networks.irc_peers import PASSWORD
from tests.networks.matrix_peers import World
from tests.servers.certificates import Certificates, fingerprint
from tests.servers.ircd import Inspircd, Ngircd
from tests.servers.matrix_proxy import Proxy
from tests.servers.programs import running
from tests.servers.synapse import Synapse

CHANSERV = "".join(
    f'loadmodule "modules/chanserv/{name}";\n'
    for name in ("main", "drop", "info", "invite", "op", "register", "set_core", "set_mlock")
) + (
    'chanserv { nick = "ChanServ"; user = "services"; host = "services.tocsin.test"; real = "Channels"; '
    "maxchans = 500; };\n"
)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls") / "certificates")


@pytest.fixture(scope="session")
def ngircd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ngircd]:
    with running(Ngircd(tmp_path_factory.mktemp("irc") / "ngircd")) as server:
        yield server


@pytest.fixture(scope="session")
def inspircd(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Inspircd]:
    """With accounts for alice, bob, mallory and Tocsin, who has a certificate too."""
    folder = tmp_path_factory.mktemp("irc") / "inspircd"
    prepared = Inspircd(folder, tls=certificates.server, services=True)
    with (folder / "atheme.conf").open("a") as services:
        services.write('loadmodule "modules/nickserv/logout";\n' + CHANSERV)
    with running(prepared) as server:
        for account in ("alice", "bob", "mallory"):
            server.register(account, PASSWORD)
        server.register("tocsin", PASSWORD, fingerprint(certificates.client("tocsin")))
        yield server


@pytest.fixture
async def world(synapse: Synapse, tmp_path: Path) -> AsyncIterator[World]:
    """Tocsin is in the room, and has one with each of its people."""
    async with World(synapse, tmp_path) as there:
        there.joins(there.room)
        await there.private_rooms()
        yield there


@pytest.fixture
async def proxy(synapse: Synapse) -> AsyncIterator[Proxy]:
    """Stands between Tocsin and the homeserver."""
    async with Proxy(synapse.url) as between:
        yield between
