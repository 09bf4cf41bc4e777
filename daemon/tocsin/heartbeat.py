"""Calls somebody outside while all is well, and tells them why if not: they wake people when Tocsin itself can't.

The address is a secret: who knows it can keep up the pretence that all is well. So it stands in no log and no error.
"""

import asyncio
import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientError,
    ClientSession,
    ClientSSLError,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)
from yarl import URL

from tocsin.auditor import Auditor
from tocsin.config.tables import Heartbeat as Settings
from tocsin.config.tables import HeartbeatForm
from tocsin.core import Tocsin
from tocsin.domain.message import clean
from tocsin.domain.words import spelled
from tocsin.engine import Engine
from tocsin.errors import NetworkError, StoreUnavailable
from tocsin.proving import Proving
from tocsin.tls import tls_context

log = logging.getLogger(__name__)

TICK = timedelta(seconds=1)
ANSWERED_WITHIN = timedelta(seconds=10)

FAIL_AFTER = timedelta(minutes=1)
"""What is wrong for less is kept silent of, and heals within the grace that the outside gives; then it is told there, so
that people are woken before that grace is over.
"""

UNREACHED_FOR = timedelta(minutes=10)
"""After so long in which nothing came through people are told inside."""

MOST_REASONS = 4
LONGEST_REASON = 300


class Heartbeat:
    """Looks each second whether it is time. What it told is not kept: a daemon that starts says that it did."""

    def __init__(
        self,
        tocsin: Tocsin,
        engine: Engine,
        auditor: Auditor,
        standing: Mapping[str, str],
        proving: Proving,
    ) -> None:
        """standing: network -> why it is down; empty if it is up."""
        self._tocsin = tocsin
        self._engine = engine
        self._auditor = auditor
        self._standing = standing
        self._proving = proving
        self._tick = asyncio.Event()
        self._beating = False
        self._beat_at = tocsin.clock.boot()
        self._silence = _Silence(f"started at {_written(tocsin.clock.now())}")
        self._wrong_since: timedelta | None = None
        self._told_wrong = ""
        self._unreached_since: timedelta | None = None
        self._told_unreached = False

    @property
    def idle(self) -> bool:
        """Whether it is not beating, nor about to."""
        return not (self._beating or self._tick.is_set())

    async def run(self) -> None:
        """Beat until cancelled."""
        self._beat_at = self._tocsin.clock.boot()
        self._tocsin.clock.every("heartbeat", TICK, self._tick.set)
        while True:
            await self._tick.wait()
            self._tick.clear()
            settings = self._tocsin.config.heartbeat
            if settings.url is not None and self._tocsin.clock.boot() - self._beat_at >= settings.every:
                self._beat_at = self._tocsin.clock.boot()
                self._beating = True
                await self._beat(settings)
                self._beating = False

    async def _beat(self, settings: Settings) -> None:
        boot = self._tocsin.clock.boot()
        if wrong := await self._wrong():
            self._silence.because(wrong)
            self._wrong_since = boot if self._wrong_since is None else self._wrong_since
            lasts = boot - self._wrong_since >= FAIL_AFTER
            news = lasts and wrong != self._told_wrong and settings.form is not HeartbeatForm.PLAIN
            if news and await self._reaches(settings, wrong, fails=True):
                self._told_wrong = wrong
            return
        self._wrong_since, self._told_wrong = None, ""
        if await self._reaches(settings, self._silence.told(self._tocsin.clock.now())):
            self._silence = _Silence(at=self._tocsin.clock.now())

    async def _wrong(self) -> str:
        """Why nobody may believe that all is well; empty if they may."""
        wrong = [await self._engine.hangs(), self._auditor.told_outside()]
        people = self._tocsin.people
        reach = {
            name: why or self._proving.doubt(name)
            for name, why in self._standing.items()
            if people.accounts_on(name)
        }
        if all(reach.values()):
            down = ", ".join(f"{name} ({why})" for name, why in reach.items())
            wrong.append(f"no network is up: {down}" if down else "nobody has an account on any network")
        return clean("; ".join(filter(None, wrong)), LONGEST_REASON)

    async def _reaches(self, settings: Settings, text: str, *, fails: bool = False) -> bool:
        """Whether it was taken outside; people inside are told if nothing is for long. text: what to say; may be empty."""
        problem = await _call(settings, text, fails=fails)
        boot = self._tocsin.clock.boot()
        if problem:
            log.warning("the heartbeat was not taken outside: %s", problem)
            self._silence.because(f"not taken here ({problem})")
            self._unreached_since = boot if self._unreached_since is None else self._unreached_since
            lasts = boot - self._unreached_since
            if lasts >= UNREACHED_FOR and not self._told_unreached:
                ends = "whoever watches from there takes Tocsin for dead. See heartbeat.url"
                told = f"the heartbeat has not been taken outside for {spelled(lasts)} ({problem}): {ends}"
                self._told_unreached = await self._tell(told)
            return False
        if self._told_unreached:
            self._told_unreached = not await self._tell("the heartbeat is taken outside again")
        self._unreached_since = None
        return True

    async def _tell(self, text: str) -> bool:
        try:
            await self._tocsin.turn(lambda tx: tx.tell(text))
        except StoreUnavailable:
            return False
        return True


class _Silence:
    """Since when the outside was told nothing good, and why."""

    def __init__(self, began: str = "", *, at: datetime | None = None) -> None:
        """began: what to say if nothing was said yet. at: when the last heartbeat was taken."""
        self._began = began
        self._at = at
        self._reasons = dict[str, None]()

    def because(self, reason: str) -> None:
        """One more reason, if it is another one; the first and the last are kept."""
        self._reasons.pop(reason, None)
        if len(self._reasons) == MOST_REASONS:
            del self._reasons[list(self._reasons)[1]]
        self._reasons[reason] = None

    def told(self, now: datetime) -> str:
        """What the next heartbeat says: why there was none, from when to when; empty if none was missed."""
        reasons = "; ".join(self._reasons)
        if self._at is None:
            return f"{self._began}; not heard of until {_written(now)}: {reasons}" if reasons else self._began
        until = f"well again: not heard of from {_written(self._at)} to {_written(now)}"
        return f"{until}: {reasons}" if reasons else ""


def _written(at: datetime) -> str:
    return f"{at.astimezone(UTC):%F %T} UTC"


async def _call(settings: Settings, text: str, *, fails: bool) -> str:
    """Call the outside; why it did not take that, in words that hold nothing of the address, or empty."""
    if settings.url is None:
        return ""
    try:
        url = await asyncio.to_thread(settings.url.reveal)
    except ValueError as error:
        return _reason(error)
    return await call(url, settings, text, fails=fails)


async def call(address: str, settings: Settings, text: str, *, fails: bool = False) -> str:
    """The same by an address that stands in no file yet."""
    try:
        method, url, body = _request(settings.form, URL(address), text, fails=fails)
        connector = TCPConnector(ssl=await tls_context(settings.tls_ca), limit=1)
        within = ClientTimeout(total=ANSWERED_WITHIN.total_seconds())
        async with (
            ClientSession(connector=connector, cookie_jar=DummyCookieJar(), timeout=within) as session,
            session.request(
                method, url, data=body, headers={"User-Agent": "tocsin"}, allow_redirects=False
            ) as answer,
        ):
            return _judged(answer.status)
    except NetworkError as error:
        return str(error)
    except (ClientError, TimeoutError, OSError, ValueError) as error:
        return _reason(error)


def _request(form: HeartbeatForm, url: URL, text: str, *, fails: bool) -> tuple[str, URL, bytes | None]:
    """How that is said there: the method, the address and the body."""
    if form is HeartbeatForm.UPTIME_KUMA:
        query = {"status": "down" if fails else "up", "msg": text or "OK"}
        return "GET", url.with_query(query), None
    if form is HeartbeatForm.PLAIN:
        return "GET", url, None
    if fails:
        url = (url / "fail").with_query(url.query)
    return ("POST", url, text.encode()) if text else ("GET", url, None)


def _judged(status: int) -> str:
    if 200 <= status < 300:
        return ""
    elsewhere = ", which leads elsewhere, and is not followed" if 300 <= status < 400 else ""
    return f"it answers {status}{elsewhere}"


def _reason(error: Exception) -> str:
    """Never the error's own words: they may hold the address."""
    match error:
        case TimeoutError():
            return f"no answer within {ANSWERED_WITHIN.seconds} s"
        case ClientConnectorDNSError():
            return "its name can't be looked up"
        case ClientConnectorCertificateError() | ClientSSLError():
            return "its certificate is not to be trusted"
        case ClientConnectorError():
            return os.strerror(error.errno) if error.errno else "it can't be reached"
        case _:
            return type(error).__name__
