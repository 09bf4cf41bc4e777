"""The daemon as it is, but for its clocks: they go ahead of the machine's by as many seconds as the file "ahead" says.

Run as a script, with the words of `tocsin` behind it. The file lies beside the configuration, and may change at any time: then so
much time has passed, without anybody having waited for it.
"""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tocsin import cli, daemon
from tocsin.clock import SystemClock

NAME = "ahead"

_LOOKS_EVERY = 0.02


@dataclass
class Ahead:
    """What moves the clocks of a daemon on, from outside. folder: where its configuration is."""

    folder: Path
    by: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        self.passes(timedelta(0))

    def passes(self, length: timedelta) -> None:
        """So much time passes at once."""
        self.by += length
        written = self.folder / f"{NAME}.new"
        written.write_text(str(self.by.total_seconds()))
        written.replace(self.folder / NAME)


class FastClock(SystemClock):
    """The machine's clocks, put on. What is due then is woken within moments."""

    path: Path

    def __init__(self) -> None:
        """As the machine's."""
        super().__init__()
        self._alarms: dict[str, tuple[datetime, Callable[[], None]]] = {}
        self._look()

    def now(self) -> datetime:
        return super().now() + self._ahead()

    def boot(self) -> timedelta:
        return super().boot() + self._ahead()

    def wake_at(self, name: str, at: datetime, call: Callable[[], None]) -> None:
        self._alarms[name] = at, call

    def close(self) -> None:
        self._next.cancel()
        super().close()

    def _ahead(self) -> timedelta:
        return timedelta(seconds=float(self.path.read_text()))

    def _look(self) -> None:
        self._next = asyncio.get_running_loop().call_later(_LOOKS_EVERY, self._look)
        now = self.now()
        for name in [name for name, (at, _) in self._alarms.items() if at <= now]:
            self._alarms.pop(name)[1]()


if __name__ == "__main__":
    FastClock.path = Path(sys.argv[sys.argv.index("--config") + 1]).parent / NAME
    vars(daemon)["SystemClock"] = FastClock  # where it is made
    cli.main()
