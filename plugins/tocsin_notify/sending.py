"""Sends a ring by whatever way it goes; of one place at most a few at a time, so that none that hangs holds up all."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from tocsin.api import NetworkError, run_program
from tocsin_notify import long_tail, mail, over_http
from tocsin_notify.ring import Ring
from tocsin_notify.settings import Reach, Way

WITHIN = timedelta(seconds=10)
"""How long whoever carries a ring may take for it."""

MOST_AT_ONCE = 6
"""Of one server, or all programs together, in this process."""

_under_way: Counter[str] = Counter()


async def send(way: Way, ring: Ring, reach: Reach) -> None:
    """Send it; when this returns, whoever carries it has taken it. Raises NetworkError, which holds no secret."""
    if _under_way[way.target] >= MOST_AT_ONCE:
        raise NetworkError(f"too many wait for {way.kind} already", unsent=True)
    _under_way[way.target] += 1
    try:
        await _KINDS[way.kind](way, ring, reach)
    except ValueError as error:  # a secret that can't be read
        raise NetworkError(str(error), unsent=True) from None
    finally:
        _under_way[way.target] -= 1


async def _command(way: Way, ring: Ring, reach: Reach) -> None:  # noqa: ARG001 (every kind gets the same)
    await run_program(way.command, "\n".join([ring.short, *ring.addresses]) + "\n", WITHIN)


_KINDS: Mapping[str, Callable[[Way, Ring, Reach], Awaitable[None]]] = {
    "ntfy": over_http.ntfy,
    "webhook": over_http.webhook,
    "smtp": mail.send,
    "command": _command,
    "apprise": long_tail.send,
}
