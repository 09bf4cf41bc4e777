"""Engines that escalate, on a network that remembers when it said what."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from tocsin import daemon
from tocsin.config import Document
from tocsin.domain.message import Message, Place
from tocsin.doubts import Doubt
from tocsin.errors import NetworkError
from tocsin.networks.base import Rank
from tocsin.testing import HandClock, Loudspeaker, Said, running

from tests.engine import Engine

FACT = "critical DiskFull db1: 97 % of / used"

PEOPLE = """\
digests = false
web.listen = "127.0.0.1:0"
[networks.console]
[receivers.prod]
token.file = "prod.token"
[people.alice]
accounts.console = "alice"
[people.bob]
accounts.console = "bob"
[people.carol]
accounts.console = "carol"
[people.dave]
accounts.console = "dave"
[plugins.alertmanager]
[plugins.escalation]
default = "ops"
ack_timeout = {}
"""


def policy(steps: str, *more: str, name: str = "ops") -> str:
    """A policy's table."""
    return "\n".join([f"[plugins.escalation.policies.{name}]", f"steps = [{steps}]", *more, ""])


TWO_STEPS = policy('{ page = "alice" }, { page = "bob", after = "5m" }', "repeat = 1", 'repeat_after = "10m"')


EMPTY = "[schedules.empty]\non_call = []\n"

ROUTES = (
    """\
[[plugins.escalation.routes]]
match = ['severity=~"critical|error"', 'alertname!~"Test.*"', 'instance!="db9"']
policy = "loud"
[[plugins.escalation.routes]]
match = ['alertname="DiskFull"']
policy = "disks"
"""
    + policy('{ page = "alice" }')
    + policy('{ page = "bob" }', name="loud")
    + policy('{ page = "carol" }', name="disks")
)


@dataclass
class Chat(Loudspeaker):
    """A network that remembers when it said what."""

    clock: HandClock = field(default_factory=HandClock)
    times: list[str] = field(default_factory=list)

    async def send(
        self,
        place: Place,
        message: Message,
        txn_id: str,
        *,
        tried: datetime | None,
        rank: Rank,
        amends: str = "",
    ) -> str:
        try:
            return await super().send(place, message, txn_id, tried=tried, rank=rank, amends=amends)
        finally:
            self.times += [f"{self.clock.now():%H:%M:%S}"] * (len(self.said) - len(self.times))

    def pages(self) -> list[str]:
        """Who was paged in private, and when: `03:00:00 alice`."""
        return [
            f"{time} {said.place.name}"
            for time, said in zip(self.times, self.said, strict=True)
            if said.place.private and said.message.command
        ]

    def told(self, room: str = "#ops") -> list[str]:
        """What was said in a room, and when, without the alert itself."""
        return [
            f"{time} {said.message.text.removesuffix(f': {FACT}')}"
            for time, said in zip(self.times, self.said, strict=True)
            if said.place == Place(self.name, room)
        ]


class Tower:
    """Starts engines that escalate, one after another on one state folder."""

    def __init__(self, write: Callable[..., Path], folder: Path) -> None:
        self.write = write
        self.people = PEOPLE
        self.folder = folder
        self.clock = HandClock()
        self.chat = Chat("console", clock=self.clock)
        self.radio = Chat("radio", clock=self.clock)
        self.others = list[Chat]()
        self.doubts = list[tuple[str, Doubt]]()

    def joined(self, name: str, alice: str) -> Chat:
        """A further network, where alice has that account; she is paged there last."""
        chat = Chat(name, clock=self.clock)
        self.others.append(chat)
        self.people = self.people.replace("[people.bob]", f'accounts.{name} = "{alice}"\n[people.bob]', 1)
        self.people += f'[networks.{name}]\nkind = "console"\nroom = "#{name}"\n'
        return chat

    @asynccontextmanager
    async def __call__(self, *tables: str, crash: bool = False) -> AsyncIterator[Engine]:
        """An engine with these tables beside the people; with none of its own, with two steps."""
        prepared = daemon.prepare(Document.open(self.edit(*(tables or [TWO_STEPS]))))
        async with running(
            prepared.config,
            self.folder,
            declared=replace(prepared.declared, doubts=[*prepared.declared.doubts, *self.doubts]),
            networks={network.name: network for network in (self.chat, self.radio, *self.others)},
            clock=self.clock,
            path=prepared.document.path,
            crash=crash,
        ) as run:
            yield Engine(run, self.chat)

    def edit(self, *tables: str) -> Path:
        """Write the configuration anew: these tables, and the people."""
        return self.write("\n".join([self.people, *tables]))


async def timers(engine: Engine) -> list[str]:
    """The alerts that have a next step, once for each."""
    return [key for (key,) in await engine.sql("select key from timers where kind = 'escalation.step'")]


def away(*accounts: str) -> Callable[[Said], NetworkError | None]:
    """Who bears these accounts is nowhere online."""
    error = NetworkError("nowhere online", absent=True, unsent=True)
    return lambda said: error if said.place.name in accounts else None


def down(*accounts: str, permanent: bool = False) -> Callable[[Said], NetworkError | None]:
    """Nothing reaches these accounts, or anybody."""
    error = NetworkError("no such account" if permanent else "no link", permanent=permanent, unsent=True)
    return lambda said: error if not accounts or said.place.name in accounts else None


async def mends(engine: Engine) -> None:
    """The network takes everything again, at once."""
    engine.chat.fails = lambda _: None
    assert engine.chat.listener
    engine.chat.listener.up(engine.chat.name)
    await engine.run.settled()


async def asks(engine: Engine, account: str, text: str, *, room: str = "") -> list[str]:
    """What is said where it was asked."""
    return await asks_on(engine.chat, engine, account, text, room=room)


async def asks_on(chat: Loudspeaker, engine: Engine, account: str, text: str, *, room: str = "") -> list[str]:
    """The same on a network."""
    place = f"room/{room}" if room else f"person/{account}"
    before = len(chat.texts(place))
    await chat.hears(account, text, room=room)
    await engine.run.settled()
    return chat.texts(place)[before:]
