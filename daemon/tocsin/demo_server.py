"""What the demos on a chat server share: the server, and a terminal that shows what is said there."""

import asyncio
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from tocsin.chats import own_networks
from tocsin.clock import Clock
from tocsin.config import Config
from tocsin.demo import PATIENCE, PEOPLE, GoneWrong, Stage
from tocsin.domain.message import Place
from tocsin.networks.base import Network
from tocsin.networks.console import Console, ConsoleSettings

HOST = "127.0.0.1"
ROOM = "#ops"

_YOU = """\
pace = "0s"
[people.you]
accounts.{network} = "{you}"
[[plugins.escalation.routes]]
match = 'alertname="HighLoad"'
policy = "you"
[plugins.escalation.policies.you]
steps = [{{ page = "you" }}, {{ page = "bob", after = "1m" }}]
"""


class Server(ABC):
    """A chat server of the demo's own, on loopback. port: that nobody else listens on."""

    def __init__(self) -> None:
        """It is not started yet."""
        with socket.socket() as free:
            free.bind((HOST, 0))
            self.port: int = free.getsockname()[1]

    def start(self, command: Sequence[str | Path], log: Path) -> None:
        """Start it; it takes people in then. Raises GoneWrong if it does not start."""
        with log.open("wb") as output:
            self._popen = subprocess.Popen(  # noqa: S603 (nothing of it comes from outside)
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        deadline = time.perf_counter() + PATIENCE
        while not self.answers():
            if self._popen.poll() is not None or time.perf_counter() > deadline:
                self.stop()
                raise GoneWrong(f"{log.stem} does not start: {log.read_text()[-500:]}")
            time.sleep(0.02)

    @abstractmethod
    def answers(self) -> bool:
        """Whether it takes people in."""

    def stop(self) -> None:
        """It ends, and whoever is there is cut off."""
        self._popen.kill()
        self._popen.wait()


class ServerStage(Stage):
    """A room is the stage; the terminal shows what is said in it, and to the actors in private."""

    your_turn: str
    """What the person at the terminal is told at the end of the play."""

    def __init__(self, server: Server, clock: Clock, settings: str, you: str = "you") -> None:
        """settings: of the network. you: the account that is there for the person at the terminal."""
        super().__init__()
        self._server = server
        self.more_config = settings + _YOU.format(network=self.network, you=you)
        self._screen = Console(
            self.network, ConsoleSettings(room=ROOM), PEOPLE, stdin=None, stdout=sys.stdout, now=clock.now
        )

    @abstractmethod
    async def say(self, account: str, text: str) -> None:
        """An actor says something in the room."""

    def networks(self, config: Config, clock: Clock) -> Mapping[str, Network]:
        return own_networks(config, clock)

    def note(self, text: str) -> None:
        self._screen.note(text)

    async def act(self, account: str, text: str) -> None:
        await self.say(account, text)
        if account == "alice":  # by whose eyes the room is seen
            self._screen.show(Place(self.network, ROOM), account, text)

    async def over_to(self, stdin: IO[Any]) -> None:  # noqa: ARG002 (what is typed is typed elsewhere)
        self.note(self.your_turn)
        await asyncio.Event().wait()

    def end(self) -> None:
        self._server.stop()

    def heard(self, by: str, sender: str, text: str, *, private: bool) -> None:
        """An actor heard a line, in private or in the room."""
        place = by if private else ROOM
        if not private and by != "alice":
            return
        self._screen.show(Place(self.network, place, private=private), sender, text)
        if sender == "tocsin":
            self.seen(place, text)
