"""Asks a server that the operator named: no other, no longer than allowed, and no answer that is longer than allowed."""

import asyncio
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientError,
    ClientSession,
    ClientSSLError,
    ClientTimeout,
    DummyCookieJar,
    InvalidURL,
    TCPConnector,
)

from tocsin.api import NetworkError, Unreadable, authorization, tls_context
from tocsin_verification.sources.addresses import Sockets
from tocsin_verification.sources.settings import SourceSettings

AT_ONCE = 4
"""So many questions are under way at one source: a minute's are soon asked, and its other users hardly notice."""

LONGEST_ANSWER = 4 * 1024 * 1024
"""In bytes: twenty series of 5,000 samples are 2.6 MB, and take 30 ms to read."""

MOST_PARTS = 125_000
"""So many lists, objects and members an answer may have, and twice as many values. Twenty series of 5,000 samples have 100,000.
While JSON is read nothing else goes on, in whichever thread: for so much it is 70 ms, for 4 MB of empty lists a second.
"""

MOST_SERIES = 20
"""So many series an expression may give: each is watched by itself, and more are nothing that people look at."""

SIMPLY_WITHIN = 2
"""So many seconds the simplest question may take, once another took too long."""

_LONGEST_WORDS = 200


@dataclass(frozen=True)
class Answer:
    """What a server answered. kind: of its content, such as `application/json`."""

    status: int
    kind: str
    body: bytes


@dataclass(frozen=True)
class Server:
    """One that is asked. name: as people know the source. path: the only one there that is. simplest: a question that it
    answers at once, if it answers at all.
    """

    name: str
    settings: SourceSettings
    path: str
    simplest: Mapping[str, str]
    _turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE), compare=False)

    async def ask(self, form: Mapping[str, str]) -> Answer:
        """Post a form. Raises Unreadable."""
        within = self.settings.answers_within.total_seconds()
        async with self._turn:
            try:
                return await self._post(form, within)
            except TimeoutError:
                down = not await self._lives(min(within, SIMPLY_WITHIN))
                self.fails(f"did not answer within {within:g} s", down=down)

    def fails(self, what: str, *, down: bool = True) -> NoReturn:
        """Raise Unreadable. down: it is the server's fault, and not the expression's."""
        raise Unreadable(f"source {self.name} {what}", down=down) from None

    def misplaced(self, what: str) -> NoReturn:
        """As `fails`, for what is probably not the server that was meant."""
        self.fails(f"{what}: is plugins.verification.sources.{self.name}.url right?")

    def judge(self, answer: Answer) -> None:
        """Raise Unreadable for an answer that any server gives which can't be asked, whatever the question."""
        status = answer.status
        if 300 <= status < 400:
            self.misplaced(f"answers {status}, which leads elsewhere, and is not followed")
        if status in (401, 403):
            self.fails(f"does not take our credential (it answers {status})")
        if status in (404, 405, 501):
            self.misplaced(f"answers {status}")

    def words(self, text: object) -> str:
        """What a server says is wrong, on one line, unless it repeats how we prove who we are."""
        if not isinstance(text, str):
            return ""
        plain = "".join(sign if sign.isprintable() else " " for sign in text[: 20 * _LONGEST_WORDS])
        plain = " ".join(plain.split())
        settings = self.settings
        shown = [secret.reveal() for secret in (settings.token, settings.password) if secret is not None]
        shown += [value.partition(" ")[2] for value in self._credential().values()]
        if any(secret in plain for secret in shown):
            return ""
        return plain if len(plain) <= _LONGEST_WORDS else plain[:_LONGEST_WORDS] + "\u2026"

    async def _lives(self, within: float) -> bool:
        """Whether it answers the simplest question: then it is what was asked that takes long."""
        try:
            await self._post(self.simplest, within)
        except (TimeoutError, Unreadable):
            return False
        return True

    async def _post(self, form: Mapping[str, str], within: float) -> Answer:
        """Raises TimeoutError or Unreadable."""
        settings, sockets = self.settings, Sockets()
        url = f"{settings.url.rstrip('/')}/{self.path}"
        headers = {"Accept-Encoding": "identity", **self._credential()}
        try:
            trusted = await tls_context(settings.tls_ca) if url.startswith("https:") else True
            async with (
                ClientSession(
                    connector=TCPConnector(ssl=trusted, socket_factory=sockets),
                    timeout=ClientTimeout(total=within),
                    trust_env=False,
                    cookie_jar=DummyCookieJar(),
                    auto_decompress=False,
                ) as session,
                session.post(url, data=form, headers=headers, allow_redirects=False) as answer,
            ):
                body = bytearray()
                async for part in answer.content.iter_chunked(64 * 1024):
                    body += part
                    if len(body) > LONGEST_ANSWER:
                        most = f"{LONGEST_ANSWER // 1024 // 1024} MB"
                        self.fails(f"answers with more than {most}: ask for less", down=False)
                if sum(map(body.count, b"[{:")) > MOST_PARTS or body.count(b",") > 2 * MOST_PARTS:
                    self.fails("answers with more than can be read at once: ask for less", down=False)
                return Answer(answer.status, answer.content_type, bytes(body))
        except TimeoutError:
            raise
        except NetworkError as error:  # of who signs certificates
            self.fails(f"can't be asked: {error}")
        except (ClientError, OSError) as error:
            self.fails(f"can't be reached: {why(error, sockets)}")

    def _credential(self) -> Mapping[str, str]:
        settings = self.settings
        try:
            return authorization(settings.token, settings.user, settings.password)
        except ValueError as error:
            self.fails(f"can't be asked, for lack of a credential: {error}")


def why(error: Exception, sockets: Sockets) -> str:
    """Why nothing could be asked, in words without an address of ours."""
    if sockets.refused:
        return f"its name leads to {sockets.refused}, where nothing is asked"
    if isinstance(error, InvalidURL):
        return "its url is no address"
    if isinstance(error, (ClientConnectorDNSError, socket.gaierror)):
        return "its host's name is not known"
    if isinstance(error, ClientConnectorCertificateError):
        said = getattr(error.certificate_error, "verify_message", "") or "it can't be verified"
        return f"its certificate is not good ({said}): tls_ca names who signs it"
    if isinstance(error, ClientSSLError):
        return "no TLS is spoken there: should url begin with http://?"
    number = error.os_error.errno if isinstance(error, ClientConnectorError) else getattr(error, "errno", 0)
    return os.strerror(number).lower() if number and number > 0 else type(error).__name__
