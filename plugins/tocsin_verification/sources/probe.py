"""Looks for itself whether something answers: for those who have no metrics of it."""

import asyncio
import re
import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from pydantic import Field

from tocsin.api import Duration, FilePath, NetworkError, tls_context
from tocsin_verification.sources.addresses import Sockets, forbidden, literal
from tocsin_verification.sources.http import why
from tocsin_verification.sources.settings import check_patience, check_url

Status = Annotated[int, Field(ge=100, le=599)]


@dataclass(frozen=True)
class Probed:
    """What came of a probe. ok: it is well. took: in seconds. why: it is not, in words."""

    ok: bool
    took: float
    why: str = ""


@dataclass(frozen=True)
class ProbeSettings:
    """What is asked for an answer: exactly one of url and tcp.

    url: asked with GET; well is the status that it `expects`. tcp: `host:port`; well is that it takes a connection. tls_ca: who
    signs its certificate, if the system doesn't know them. answers_within: how long it may take.
    """

    url: str = ""
    tcp: str = ""
    expects: Status = 200
    tls_ca: FilePath | None = None
    answers_within: Duration = timedelta(seconds=5)

    def __post_init__(self) -> None:
        if bool(self.url) is bool(self.tcp):
            raise ValueError("is one of url and tcp")
        if self.url:
            check_url(self.url, "https://shop.example.org/health")
        else:
            host, _ = _host_and_port(self.tcp)
            if literal(host) and forbidden(host):
                raise ValueError(f"tcp: nothing is asked at {host}: machines learn their secrets there")
        check_patience(self.answers_within)

    async def probe(self) -> Probed:
        """Look once. Whatever is wrong is what is found: it raises nothing."""
        loop, sockets = asyncio.get_running_loop(), Sockets()
        within = self.answers_within.total_seconds()
        begun, wrong = loop.time(), ""
        try:
            async with asyncio.timeout(within):
                wrong = await (self._ask(sockets) if self.url else self._connect(sockets))
        except TimeoutError:
            wrong = f"did not answer within {within:g} s"
        except NetworkError as error:  # of who signs certificates
            wrong = f"can't be asked: {error}"
        except (ClientError, OSError) as error:
            wrong = f"can't be reached: {why(error, sockets)}"
        return Probed(ok=not wrong, took=loop.time() - begun, why=wrong)

    async def _ask(self, sockets: Sockets) -> str:
        """What is wrong with its answer, or nothing; what it says besides is not read."""
        trusted = await tls_context(self.tls_ca) if self.url.startswith("https:") else True
        async with (
            ClientSession(
                connector=TCPConnector(ssl=trusted, socket_factory=sockets),
                timeout=ClientTimeout(total=None),  # the time is up for all of it at once
                trust_env=False,
                cookie_jar=DummyCookieJar(),
                auto_decompress=False,
            ) as session,
            session.get(self.url, allow_redirects=False) as answer,
        ):
            return "" if answer.status == self.expects else f"answers {answer.status}, not {self.expects}"

    async def _connect(self, sockets: Sockets) -> str:
        """Connect to the first of its addresses that takes it. Raises OSError."""
        loop = asyncio.get_running_loop()
        host, port = _host_and_port(self.tcp)
        error: OSError = ConnectionError("there is no address")
        for info in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            try:
                with sockets(info) as link:
                    link.setblocking(False)  # noqa: FBT003 (the socket module's own)
                    await loop.sock_connect(link, info[4])
                    return ""
            except OSError as one:
                error = one
        raise error


def _host_and_port(text: str) -> tuple[str, int]:
    """Raises ValueError."""
    found = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]{1,253})):([0-9]{1,5})", text)
    if found is None or not 0 < int(found[3]) <= 65_535:
        raise ValueError(f"tcp must be a host and a port such as 'db.example.org:5432', not {text!r}")
    return found[1] or found[2], int(found[3])
