"""Whether a homeserver is one, and lets Tocsin into its room: tried once, before that is written into a configuration."""

import asyncio

import aiohttp

from tocsin.errors import NetworkError
from tocsin.networks.matrix.account import Account
from tocsin.networks.matrix.joining import why_out
from tocsin.networks.matrix.replies import MatrixError
from tocsin.networks.matrix.settings import MatrixSettings
from tocsin.networks.matrix.wire import Wire, at, tls_context

_VERSIONS = "/_matrix/client/versions"
_WHERE = "/.well-known/matrix/client"


async def reach(settings: MatrixSettings) -> None:
    """Whether a homeserver answers there. Raises NetworkError, which says where it is if a domain was meant."""
    wire = await _wire(settings)
    try:
        await wire.ask("GET", _VERSIONS, None, "application/json")
    except NetworkError as error:
        if isinstance(error.__context__, aiohttp.ClientConnectorCertificateError):
            raise NetworkError(f"{error}; --matrix-tls-ca FILE says who signs its certificate") from None
        if elsewhere := await _elsewhere(wire):
            raise NetworkError(f"no homeserver takes requests there: it is at {elsewhere}") from None
        if isinstance(error, MatrixError) and not error.code:
            raise NetworkError(f"no homeserver answers there: {error}") from None
        raise
    finally:
        await wire.close()


async def _elsewhere(wire: Wire) -> str:
    """Where the homeserver of that domain is, if the domain says so."""
    try:
        found = await wire.ask("GET", _WHERE, None, "application/json")
    except NetworkError:
        return ""
    about = found.get("m.homeserver")
    url = about.get("base_url") if isinstance(about, dict) else None
    return url if isinstance(url, str) and url.isprintable() and len(url) < 200 else ""


async def join(account: Account) -> None:
    """Go into the room, by the login that is kept. Raises NetworkError."""
    settings = account.settings
    wire = await _wire(settings)
    try:
        wire.token = (await asyncio.to_thread(account.credentials)).token
        await wire.call("POST", at("join", settings.room), {})
    except NetworkError as error:
        raise NetworkError(f"not let into {settings.room}: {why_out(error)}", unsent=True) from None
    finally:
        await wire.close()


async def knows(account: Account, user: str) -> bool:
    """Whether there is somebody of that Matrix ID, as far as their homeserver tells. Raises NetworkError."""
    wire = await _wire(account.settings)
    try:
        wire.token = (await asyncio.to_thread(account.credentials)).token
        await wire.call("GET", at("profile", user))
    except MatrixError as error:
        return error.status != 404  # with several codes
    finally:
        await wire.close()
    return True


async def _wire(settings: MatrixSettings) -> Wire:
    return Wire(settings.homeserver, await asyncio.to_thread(tls_context, settings.tls_ca))
