"""Whom we trust: read once, beside the event loop, since the authorities that a system knows are many."""

import asyncio
import ssl
from functools import cache
from pathlib import Path

from tocsin.errors import NetworkError


async def tls_context(authority: Path | None) -> ssl.SSLContext:
    """What verifies a server's certificate. authority: who signs it; None for those that the system knows."""
    try:
        return await asyncio.to_thread(_context, authority)
    except OSError as error:
        why = f"{authority}: can't be read: {error.strerror or type(error).__name__}"
        raise NetworkError(why, unsent=True) from None


@cache
def _context(authority: Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority)
