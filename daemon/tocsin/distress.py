"""Past the outbox: what people must know when what carries messages to them may be what fails."""

import asyncio
import logging
import secrets
from collections.abc import Mapping
from datetime import timedelta

from tocsin.config import Config
from tocsin.domain.message import Message, Place
from tocsin.errors import NetworkError
from tocsin.networks.base import Network, Rank
from tocsin.transaction import FALLBACK

log = logging.getLogger(__name__)

SEND_FOR = timedelta(seconds=10)


async def cry(text: str, networks: Mapping[str, Network], config: Config) -> None:
    """Say it at once in the room of every network, and by what is not chat, to whoever can hear it.

    networks: by name, the fallback among them.
    """
    rooms = [Place(name, network.room) for name, network in config.networks.items()]
    if config.fallback.command:
        rooms.append(FALLBACK)
    message = Message(text)
    sends = [
        network.send(place, message, secrets.token_hex(16), tried=None, rank=Rank.PAGE)
        for place in rooms
        if (network := networks.get(place.network))
    ]
    for result in await asyncio.gather(
        *(asyncio.wait_for(one, SEND_FOR.total_seconds()) for one in sends), return_exceptions=True
    ):
        if isinstance(result, NetworkError | TimeoutError):
            log.error("not even that could be said: %s", result)
