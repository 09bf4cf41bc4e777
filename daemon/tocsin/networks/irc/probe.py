"""Whether an IRC server would have Tocsin, and its channel too: tried once, before that is written into a configuration.

It connects, logs in and joins as the network does, says nothing, and leaves.
"""

import asyncio
import ssl
from dataclasses import dataclass

from tocsin.domain.pace import Pace
from tocsin.errors import NetworkError
from tocsin.networks.irc.examining import tells_accounts
from tocsin.networks.irc.lines import checked_key, fold, joins
from tocsin.networks.irc.link import ANSWER_WITHIN, Link, connecting
from tocsin.networks.irc.login import Login
from tocsin.networks.irc.network import INTRODUCED_WITHIN
from tocsin.networks.irc.rooms import NO_ENTRY
from tocsin.networks.irc.settings import IrcSettings
from tocsin.networks.irc.wire import Heard, Wire

REACHED_WITHIN = 15.0
WRONG_KEY = "475"
INVITED_ONLY = "473"


class KeptOut(NetworkError):
    """The server has us, the channel has not. code: what the server answered."""

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text, unsent=True)
        self.code = code


@dataclass(frozen=True)
class Visit:
    """What was found there. nick: what we were called. tells_accounts: whether the server tells who has which account."""

    nick: str
    tells_accounts: bool


async def reach(settings: IrcSettings) -> None:
    """Whether somebody answers there, by TLS if that is meant. Raises NetworkError."""
    host, port = settings.server.host, settings.server.port
    wire = Wire(lambda _: None, lambda _: None)
    try:
        tls = await asyncio.to_thread(settings.trust) if settings.tls else None
        async with asyncio.timeout(REACHED_WITHIN):
            with connecting(host, port):
                await wire.open(host, port, tls)
    except NetworkError as error:
        if isinstance(error.__context__, ssl.SSLCertVerificationError):
            raise NetworkError(f"{error}; --irc-tls-ca FILE says who signs it", unsent=True) from None
        raise
    except TimeoutError:
        why = "; does it take TLS there?" if settings.tls else ""
        raise NetworkError(
            f"no answer from {host}:{port} in {REACHED_WITHIN:.0f} s{why}", unsent=True
        ) from None
    except ValueError as error:
        raise NetworkError(str(error), unsent=True) from None
    finally:
        wire.close()


async def visit(settings: IrcSettings, sasl: tuple[str, ...], password: str = "", key: str = "") -> Visit:
    """Log in, and join the room. sasl, password: as in `Login`. key: the room's.

    Raises NetworkError; KeptOut if it is about the room.
    """
    heard = asyncio.Queue[Heard]()
    login = Login((settings.nick, settings.second_nick), password, sasl)
    loop = asyncio.get_running_loop()
    link = Link(login, Pace(settings.burst, settings.pace, loop.time), heard.put_nowait)
    try:
        tls = await asyncio.to_thread(settings.trust) if settings.tls else None
        await link.open(settings.server.host, settings.server.port, tls)
        try:
            async with asyncio.timeout(INTRODUCED_WITHIN):
                await link.introduced.wait()
        except TimeoutError:
            pass  # it says nothing of itself
        await _join(link, heard, settings.room, key)
        return Visit(link.nick, tells_accounts(link))
    except ValueError as error:
        raise NetworkError(str(error), unsent=True) from None
    finally:
        await link.close()


async def _join(link: Link, heard: asyncio.Queue[Heard], room: str, key: str) -> None:
    for text in joins({room: checked_key(key)}):
        link.command(text)
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            while True:
                one = await heard.get()
                ours = fold(one.sender) == fold(link.nick)
                if one.command == "JOIN" and ours and fold(one.word(0)) == fold(room):
                    return
                if one.command in NO_ENTRY and fold(one.word(1)) == fold(room):
                    raise KeptOut(f"not let into {room}: {NO_ENTRY[one.command]}", one.command)
    except TimeoutError:
        why = link.ended.result() if link.ended.done() else "the server does not answer that"
        raise KeptOut(f"not let into {room}: {why}") from None
