"""Rings by Apprise, which knows a hundred services more, in threads of our own: its pool is six wide, and one service
that hangs would hold up all. One call at a time goes to each target; a call that hangs keeps its thread, and what
comes meanwhile is refused at once.
"""

import asyncio
import hashlib
import threading
from contextlib import suppress

from tocsin.api import NetworkError
from tocsin_notify.ring import Ring
from tocsin_notify.settings import Reach, Way

TAKES_WITHIN = 10
"""So many seconds a service has to take it."""

_UNUSABLE = "apprise knows no service with that address"

_busy: set[bytes] = set()


async def send(way: Way, ring: Ring, reach: Reach) -> None:  # noqa: ARG001 (every kind gets the same)
    """Have Apprise send it. Raises NetworkError."""
    url = way.apprise.reveal() if way.apprise is not None else ""
    target = hashlib.sha256(url.encode()).digest()
    if target in _busy:
        raise NetworkError("apprise still hangs with the one before", unsent=True)
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[str] = loop.create_future()

    def settle(why: str) -> None:
        _busy.discard(target)
        if not ended.done():
            ended.set_result(why)

    def run() -> None:
        try:
            why = _notify(url, ring)
        except Exception as error:  # noqa: BLE001 (whatever a service's own code raises; its text may hold the address)
            why = f"apprise failed: {type(error).__name__}"
        with suppress(RuntimeError):  # the daemon has left
            loop.call_soon_threadsafe(settle, why)

    _busy.add(target)
    threading.Thread(target=run, name="apprise", daemon=True).start()
    try:
        async with asyncio.timeout(TAKES_WITHIN):
            why = await ended
    except TimeoutError:
        raise NetworkError(f"apprise took more than {TAKES_WITHIN} s") from None
    if why:
        raise NetworkError(why, permanent=why == _UNUSABLE)


def _notify(url: str, ring: Ring) -> str:
    """Why it was not taken; empty if it was."""
    import apprise  # noqa: PLC0415 (170 services are loaded with it, which most never need)

    service = apprise.Apprise()
    if not service.add(url):
        return _UNUSABLE
    body = "\n".join([ring.text, *ring.addresses])
    taken = service.notify(body=body, title=ring.title, body_format=apprise.NotifyFormat.TEXT)
    return "" if taken else "apprise could not hand it over"
