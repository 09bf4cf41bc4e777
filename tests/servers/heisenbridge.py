"""A real bridge between Matrix and IRC: heisenbridge, from the venv that `.ci/synapse` makes."""

import json
from functools import partial
from pathlib import Path

from tests.servers.matrix_user import Event, User
from tests.servers.programs import HOST, Child, Server
from tests.servers.synapse import DOMAIN, installed

BRIDGE = f"@heisenbridge:{DOMAIN}"

NICK = "bridge"
"""What it is called on IRC."""

_TOKEN = "token-of-tests"


class Heisenbridge(Server):
    """One whose registration the homeserver must know before either is started. registration: where that is."""

    starts_within = 60.0

    def __init__(self, folder: Path) -> None:
        """Prepare one in a new folder."""
        super().__init__(folder)
        self._child = Child([], self.folder)  # until it is known whom it serves
        self.registration = self.folder / "registration.yaml"  # JSON is YAML
        self.registration.write_text(
            json.dumps(
                {
                    "id": "heisenbridge",
                    "url": f"http://{HOST}:{self.port}",
                    "as_token": f"bridge-{_TOKEN}",
                    "hs_token": f"homeserver-{_TOKEN}",
                    "rate_limited": False,
                    "sender_localpart": "heisenbridge",
                    "namespaces": {
                        "users": [{"regex": "@irc_.*", "exclusive": True}],
                        "aliases": [],
                        "rooms": [],
                    },
                }
            )
        )

    def starts(self, homeserver: str, owner: User) -> None:
        """Start it. homeserver: the address of its client API. owner: whom it obeys."""
        words: list[str | Path] = ["-m", "heisenbridge", "-c", self.registration, "-o", owner.id, homeserver]
        self._child = Child([installed(), *words], self.folder / "heisenbridge.log")
        self.start()

    async def plumbs(self, owner: User, room: str, port: int, channel: str, *, notices: bool) -> None:
        """Let it join a room, where the owner is, with a channel. port: of the IRC server. notices: whether it carries them."""
        control = await owner.invited()
        await owner.join(control)
        for order in ("ADDNETWORK net", f"ADDSERVER net {HOST} {port}", "OPEN net"):
            await owner.says(control, order)
        network = await owner.knows(lambda: next((each for each in owner.invites if each != control), None))
        await owner.join(network)
        await owner.sees(partial(_tells, network, "Following commands"))  # until then it hears nothing there
        await owner.says(network, f"NICK {NICK}")
        await owner.says(network, "CONNECT")
        await owner.sees(partial(_tells, network, "Welcome to the Internet Relay Network"))
        await owner.invite(room, BRIDGE)
        await owner.says(network, f"PLUMB {room} {channel}")
        await owner.sees(partial(_tells, network, "Plumbed"))
        if notices:
            await owner.says(network, f"ROOM {channel} NOTICERELAY --enable")
            await owner.sees(partial(_tells, network, "Notice relay is enabled"))

    def _answers(self) -> bool:
        return b"bridge is now running" in self._child.log.read_bytes()


def _tells(room: str, text: str, event: Event) -> bool:
    return event.room == room and event.sender == BRIDGE and event.shows(text)
