"""`tocsin demo --irc`: the same outage on a real ngIRCd, in which anybody can join."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from tocsin.clock import Clock
from tocsin.config import Config
from tocsin.daemon import own_networks
from tocsin.demo import PATIENCE, PEOPLE, GoneWrong, Stage
from tocsin.domain.message import Place
from tocsin.networks.base import Network
from tocsin.networks.console import Console, ConsoleSettings
from tocsin.networks.irc.lines import line
from tocsin.networks.irc.wire import Wire

HOST = "127.0.0.1"
ROOM = "#ops"

_CONFIG = """\
server = "{host}:{port}"
tls = false
room = "{room}"
detail = {{ "{room}" = "full" }}
identity = "trust-nicks"
pace = "0s"
[people.you]
accounts.irc = "you"
[[plugins.escalation.routes]]
match = 'alertname="HighLoad"'
policy = "you"
[plugins.escalation.policies.you]
steps = [{{ page = "you" }}, {{ page = "bob", after = "1m" }}]
"""

_NGIRCD = """\
[Global]
Name = irc.demo.test
Info = a demo of Tocsin
Listen = {host}
Ports = {port}
ServerUID = {uid}
ServerGID = {gid}
MotdPhrase = An outage is played in {room}.
PidFile =
[Limits]
MaxPenaltyTime = 0
[Options]
DNS = no
Ident = no
PAM = no
IncludeDir = {folder}/none
"""


class Server:
    """An ngIRCd of the demo's own, on loopback."""

    def __init__(self, folder: Path) -> None:
        """Start it; it takes people in then. Raises GoneWrong if it is not installed, or does not start."""
        program = shutil.which("ngircd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
        if program is None:
            raise GoneWrong(
                "it needs ngircd, an IRC server: install Debian's package of that name, and try again"
            )
        with socket.socket() as free:
            free.bind((HOST, 0))
            self.port: int = free.getsockname()[1]
        (folder / "none").mkdir()
        settings = folder / "ngircd.conf"
        settings.write_text(
            _NGIRCD.format(
                host=HOST, port=self.port, uid=os.getuid(), gid=os.getgid(), room=ROOM, folder=folder
            )
        )
        with (folder / "ngircd.log").open("wb") as log:
            self._popen = subprocess.Popen(  # noqa: S603 (nothing of it comes from outside)
                [program, "-n", "-f", settings], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.perf_counter() + PATIENCE
        while not self._takes():
            if self._popen.poll() is not None or time.perf_counter() > deadline:
                self.stop()
                raise GoneWrong(f"ngircd does not start: {(folder / 'ngircd.log').read_text()[-500:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """It ends, and whoever is there is cut off."""
        self._popen.kill()
        self._popen.wait()

    def _takes(self) -> bool:
        with socket.socket() as link:
            return link.connect_ex((HOST, self.port)) == 0


class Actor:
    """Somebody on IRC who plays a part."""

    def __init__(self, nick: str, stage: "IrcStage") -> None:
        self.nick = nick
        self._stage = stage
        self._wire = Wire(self._take, lambda _: None)
        self._there: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def enter(self, port: int) -> None:
        """Come in, and join the room."""
        await self._wire.open(HOST, port, None)
        self._wire.send_raw(line("NICK", self.nick))
        self._wire.send_raw(line("USER", self.nick, "0", "*", text=self.nick))
        self._wire.send_raw(line("JOIN", ROOM))
        async with asyncio.timeout(PATIENCE):
            await self._there

    def say(self, text: str) -> None:
        """Say something in the room."""
        self._wire.send_raw(line("PRIVMSG", ROOM, text=text))

    def leave(self) -> None:
        with suppress(ConnectionError):
            self._wire.send_raw(line("QUIT"))
        self._wire.close()

    def _take(self, text: str) -> None:
        heard = self._wire.parse(text)
        match heard.command:
            case "PING":
                self._wire.send_raw(line("PONG", text=heard.last))
            case "366" if not self._there.done():
                self._there.set_result(None)
            case "PRIVMSG":
                self._stage.heard(self.nick, heard.sender, heard.word(0), heard.last)


class IrcStage(Stage):
    """A channel is the stage; the terminal shows what is said in it, and to the actors in private."""

    network = "irc"

    def __init__(self, clock: Clock, folder: Path) -> None:
        """Starts the server."""
        super().__init__()
        self._server = Server(folder)
        self.more_config = _CONFIG.format(host=HOST, port=self._server.port, room=ROOM)
        self._screen = Console(
            "irc", ConsoleSettings(room=ROOM), PEOPLE, stdin=None, stdout=sys.stdout, now=clock.now
        )
        self._actors = {nick: Actor(nick, self) for nick in PEOPLE}

    def networks(self, config: Config, clock: Clock) -> Mapping[str, Network]:
        return own_networks(config, clock)

    def note(self, text: str) -> None:
        self._screen.note(text)

    async def begin(self) -> None:
        await asyncio.gather(*(actor.enter(self._server.port) for actor in self._actors.values()))
        self.note(
            f"An IRC server runs on {HOST}, port {self._server.port}. To be there, type in another terminal:"
        )
        self.note(f"irssi -c {HOST} -p {self._server.port} -n you   (and there: /join {ROOM})")

    async def act(self, account: str, text: str) -> None:
        self._actors[account].say(text)
        if account == "alice":  # by whose eyes the room is seen
            self._screen.show(Place("irc", ROOM), account, text)

    async def over_to(self, stdin: IO[Any]) -> None:  # noqa: ARG002 (what is typed is typed elsewhere)
        self.note(
            "It pages you there, if you are called 'you'. !help says what you can type; Ctrl-C here ends it."
        )
        await asyncio.Event().wait()

    def end(self) -> None:
        for actor in self._actors.values():
            actor.leave()
        self._server.stop()

    def heard(self, by: str, sender: str, target: str, text: str) -> None:
        """An actor heard something."""
        private = target != ROOM
        if not private and by != "alice":
            return
        self._screen.show(Place("irc", by if private else ROOM, private=private), sender, text)
        if sender == "tocsin":
            self.seen(by if private else ROOM, text)
