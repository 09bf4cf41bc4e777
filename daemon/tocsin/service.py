"""systemd: it is told when Tocsin can page and that its engine turns, and gives it the sockets to listen on.

Without systemd nothing of this does anything. The protocols are sd_notify(3) and sd_listen_fds(3).
"""

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from tocsin.clock import Clock
from tocsin.domain.message import clean
from tocsin.engine import Engine

log = logging.getLogger(__name__)

FIRST_PASSED = 3
"""The number of the first file that systemd passes."""

LOOK_EVERY = timedelta(seconds=0.02)

TELL_EVERY = timedelta(seconds=10)
"""How often it is told how it goes if it has no watchdog."""

NETWORKS_WITHIN = timedelta(seconds=20)
"""So long a start waits for networks to come up: with one that stays away Tocsin pages by the others, and by its fallback."""


class Manager:
    """The one that started this process, if it wants to be told how it goes.

    feed_every: so often it must be told that the engine turns; None if it doesn't ask.
    """

    def __init__(self, address: str, feed_every: timedelta | None) -> None:
        """address: of its socket; empty if nobody wants to be told."""
        self._address = address
        self.feed_every = feed_every

    @classmethod
    def found(cls) -> "Manager":
        """As the environment says, in which nothing of it is left: a program that Tocsin starts is no service."""
        address = os.environ.pop("NOTIFY_SOCKET", "")
        period, process = os.environ.pop("WATCHDOG_USEC", ""), os.environ.pop("WATCHDOG_PID", "")
        meant = process in ("", str(os.getpid()))
        # A third of it, so that one that is late kills nobody.
        every = (
            timedelta(microseconds=int(period)) / 3 if meant and period.isdigit() and int(period) else None
        )
        return cls(address, every)

    def __bool__(self) -> bool:
        return bool(self._address)

    def tell(self, *lines: str) -> None:
        """Tell it these, such as `READY=1`."""
        if not self._address:
            return
        address = self._address
        if address.startswith("@"):
            address = "\0" + address[1:]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
                link.setblocking(False)  # noqa: FBT003 (as it is called there)
                link.connect(address)
                link.send("\n".join(lines).encode())
        except OSError as error:
            log.warning("systemd can't be told %s: %s", lines[0], error.strerror)


NOBODY = Manager("", None)
"""Nobody asks how it goes."""


def passed_sockets() -> Sequence[socket.socket]:
    """Those that systemd listens on for this process, and keeps open while there is none."""
    process, number = os.environ.pop("LISTEN_PID", ""), os.environ.pop("LISTEN_FDS", "0")
    os.environ.pop("LISTEN_FDNAMES", None)
    if process != str(os.getpid()):
        return []
    passed = []
    for file in range(FIRST_PASSED, FIRST_PASSED + int(number)):
        one = socket.socket(fileno=file)
        one.set_inheritable(False)
        if one.family in (socket.AF_INET, socket.AF_INET6):
            passed.append(one)
        else:
            log.error("systemd passes a socket that is none of TCP: ListenStream= must be ADDRESS:PORT")
            one.close()
    return passed


class Service:
    """Tells systemd how it goes, for as long as the daemon runs."""

    def __init__(
        self,
        manager: Manager,
        clock: Clock,
        engine: Engine,
        standing: Callable[[], Mapping[str, str]],
        listening: Callable[[], str],
    ) -> None:
        """standing: network -> why it is down, or empty. listening: where alerts come in, or empty."""
        self._manager = manager
        self._clock = clock
        self._engine = engine
        self._standing = standing
        self._listening = listening
        self._tick = asyncio.Event()

    async def run(self) -> None:
        """Tell it when all is there that pages, and again and again that the engine turns, until cancelled."""
        if not self._manager:
            return
        self._clock.every("service", LOOK_EVERY, self._tick.set)
        await self._until_ready()
        self._manager.tell("READY=1", f"STATUS={self._status()}")
        self._clock.every("service", self._manager.feed_every or TELL_EVERY, self._tick.set)
        while True:
            await self._feed()
            await self._next()

    def stopping(self) -> None:
        self._manager.tell("STOPPING=1", "STATUS=what is under way is being said")

    async def _next(self) -> None:
        await self._tick.wait()
        self._tick.clear()

    async def _until_ready(self) -> None:
        """Alerts come in, each network is up unless that takes too long, and the engine turns."""
        until = self._clock.boot() + NETWORKS_WITHIN
        while not self._listening() or any(self._standing().values()):
            if self._clock.boot() >= until:
                log.warning("not all is there that pages: %s", self._status())
                break
            await self._next()
        while await self._engine.hangs():
            await self._next()

    async def _feed(self) -> None:
        """A store that refuses is no reason to be started anew: a full disk gets no larger by that."""
        why = await self._engine.hangs()
        if self._engine.stuck:
            log.error("systemd is not told that the engine turns: %s", why)
        else:
            self._manager.tell("WATCHDOG=1", f"STATUS={why or self._status()}")

    def _status(self) -> str:
        networks = [f"{name} {f'down: {why}' if why else 'up'}" for name, why in self._standing().items()]
        address = self._listening()
        return clean(", ".join([f"listening on {address}" if address else "not listening", *networks]))
