"""`tocsin demo --irc`: the same outage on a real ngIRCd, in which anybody can join."""

import asyncio
import os
import shutil
import socket
from contextlib import suppress
from pathlib import Path

from tocsin.clock import Clock
from tocsin.demo import PATIENCE, PEOPLE, GoneWrong
from tocsin.demo_server import HOST, ROOM, Server, ServerStage
from tocsin.networks.irc.lines import line
from tocsin.networks.irc.wire import Wire

_CONFIG = """\
server = "{host}:{port}"
tls = false
room = "{room}"
detail = {{ "{room}" = "full" }}
identity = "trust-nicks"
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


class Ngircd(Server):
    """An ngIRCd of the demo's own, on loopback."""

    def __init__(self, folder: Path) -> None:
        """Start it; it takes people in then. Raises GoneWrong if it is not installed, or does not start."""
        program = shutil.which("ngircd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
        if program is None:
            raise GoneWrong(
                "it needs ngircd, an IRC server: install Debian's package of that name, and try again"
            )
        super().__init__()
        (folder / "none").mkdir()
        settings = folder / "ngircd.conf"
        settings.write_text(
            _NGIRCD.format(
                host=HOST, port=self.port, uid=os.getuid(), gid=os.getgid(), room=ROOM, folder=folder
            )
        )
        self.start([program, "-n", "-f", settings], folder / "ngircd.log")

    def answers(self) -> bool:
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
                self._stage.heard(self.nick, heard.sender, heard.last, private=heard.word(0) != ROOM)


class IrcStage(ServerStage):
    """A channel is the room."""

    network = "irc"
    your_turn = (
        "It pages you there, if you are called 'you'. !help says what you can type; Ctrl-C here ends it."
    )

    def __init__(self, clock: Clock, folder: Path) -> None:
        """Starts the server."""
        server = Ngircd(folder)
        super().__init__(server, clock, _CONFIG.format(host=HOST, port=server.port, room=ROOM))
        self._port = server.port
        self._actors = {nick: Actor(nick, self) for nick in PEOPLE}

    async def begin(self) -> None:
        await asyncio.gather(*(actor.enter(self._port) for actor in self._actors.values()))
        self.note(f"An IRC server runs on {HOST}, port {self._port}. To be there, type in another terminal:")
        self.note(f"irssi -c {HOST} -p {self._port} -n you   (and there: /join {ROOM})")

    async def say(self, account: str, text: str) -> None:
        self._actors[account].say(text)

    def end(self) -> None:
        for actor in self._actors.values():
            actor.leave()
        super().end()
