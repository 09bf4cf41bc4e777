"""Looks at everything that must be well before people rely on being woken: a line each, with what to do.

It changes nothing and pages nobody: the sample that it posts tells of an alert that is over, and never was.
"""

import asyncio
import ctypes
import ssl
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from shutil import disk_usage
from socket import AF_INET, AF_INET6, SOCK_DGRAM, SOCK_STREAM, socket
from sqlite3 import sqlite_version
from typing import Any
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout

from tocsin import backups, calendars, control
from tocsin.config import Config
from tocsin.config.tables import NetworkSettings, Receiver
from tocsin.domain.finding import Finding, Level, green, red, yellow
from tocsin.domain.words import counted, listed, spelled
from tocsin.errors import NetworkError, NotRunning, StateError
from tocsin.networks.irc.settings import IrcSettings
from tocsin.networks.matrix.settings import MatrixSettings
from tocsin.networks.troubles import in_short
from tocsin.posting import address_of, post
from tocsin.status import ALL_IS_WELL
from tocsin.store.backup import spelled_size
from tocsin.store.database import read_only
from tocsin.store.state import DATABASE
from tocsin.tls import tls_context

WITHIN = ClientTimeout(total=10)

RUNS_OUT = timedelta(days=14)
"""A certificate that is good for less is to be renewed."""

CLOCK_OFF = timedelta(seconds=5)

LOOK_AHEAD = 28
"""So many days of each schedule are looked at."""

LEAST_ROOM = 2**29
"""So many bytes are to be free where the database lies."""

SAMPLE = {"version": "4", "status": "resolved", "groupKey": "tocsin doctor", "alerts": []}

_CLOCK_ERROR = 5  # TIME_ERROR of adjtimex(2): nobody keeps it right
_SIZE_OF_TIMEX = 512  # bytes; it is smaller everywhere


def of_state(folder: Path) -> Iterator[Finding]:
    """What is kept, seen from outside; whoever may look into it, and how much room is left."""
    database = folder / DATABASE
    if not database.exists():
        yield red("state", f"there is no database in {folder}", "start Tocsin once: systemctl start tocsin")
        return
    for path, mode in ((folder, 0o700), (database, 0o600)):
        if path.stat().st_mode & 0o777 & ~mode:
            yield red("state", f"{path}: others may look into it", f"chmod {mode:o} {path}")
    try:
        with read_only(database) as connection:
            journal = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
    except StateError as error:
        yield red(
            "state", str(error), "see docs/backup.md: tocsin restore --newest brings back the last backup"
        )
        return
    size, free = database.stat().st_size, disk_usage(folder).free
    if journal != "wal":
        yield red("state", f"{database}: its journal is {journal}, not wal", "restart Tocsin, which sets it")
    elif free < max(LEAST_ROOM, 2 * size):  # as much as a backup takes, and that again
        yield yellow(
            "state", f"{database}: {spelled_size(size)}, and but {spelled_size(free)} are free", "make room"
        )
    else:
        text = f"{spelled_size(size)}, {spelled_size(free)} free, by SQLite {sqlite_version}"
        yield green("state", f"{database}: {text}")


def of_daemon(folder: Path) -> tuple[Sequence[Finding], Mapping[str, Any]]:
    """What the daemon that runs says of itself; and its answer, empty if none runs."""
    try:
        said: Mapping[str, Any] = control.ask(folder, "status")
    except NotRunning as error:
        return [red("daemon", f"{error}: nobody is paged", "systemctl start tocsin, or tocsin run")], {}
    except StateError as error:
        return [red("daemon", str(error), "systemctl restart tocsin, and look into journalctl -u tocsin")], {}
    return list(_said(said)), said


def _said(said: Mapping[str, Any]) -> Iterator[Finding]:
    networks = said["networks"]
    for name, down in networks.items():
        if down:
            worst = all(networks.values())
            level = Level.RED if worst else Level.YELLOW
            yield Finding(name, level, f"is down: {down}", "journalctl -u tocsin TOCSIN_NETWORK=" + name)
        else:
            yield green(name, "is up, and what is said there comes back")
    if said["self-check"] == ALL_IS_WELL:
        yield green("self-check", ALL_IS_WELL)
    else:
        yield red("self-check", said["self-check"], "see docs/selfwatch.md; a restart loses nothing")
    if said["disk"] == "full":
        yield red("disk", "is full: new alerts are refused", "make room")


def of_backups(config: Config, folder: Path, now: datetime) -> Finding:
    """Whether there is one that is new enough."""
    newest = backups.newest(config, folder, now)
    if newest.due:
        return yellow("backup", newest.text, "tocsin backup says why none is made; see docs/backup.md")
    return green("backup", newest.text)


@dataclass(frozen=True)
class OnDuty:
    """What the daemon knows of people. on_call: by each schedule, now. reached: whether each person would get a page now."""

    on_call: Mapping[str, Sequence[str]] = field(default_factory=dict)
    reached: Mapping[str, bool] = field(default_factory=dict)


def of_inside(folder: Path) -> tuple[Sequence[Finding], OnDuty]:
    """What the daemon sees of its rooms, rights, ringers and people."""
    try:
        said = control.ask(folder, "examine")
    except StateError as error:
        return [red("daemon", str(error), "look into journalctl -u tocsin")], OnDuty()
    found = [Finding.read(one) for one in said["findings"]]
    rung = {one.reaches for one in found}
    reached = {name: bool(networks) or name in rung for name, networks in said["reached"].items()}
    return found, OnDuty(said["on_call"], reached)


def of_clock() -> Finding:
    """Whether somebody keeps the machine's clock right: adjtimex(2)."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_SIZE_OF_TIMEX))
    except (OSError, AttributeError):
        state = -1
    if state == _CLOCK_ERROR:
        todo = "let chrony or systemd-timesyncd do it; on Debian: apt-get install systemd-timesyncd"
        return yellow("clock", "nobody keeps this machine's clock right", todo)
    if state < 0:
        return yellow("clock", "can't be asked whether it is kept right", "look yourself: timedatectl")
    return green("clock", "is kept right")


def of_fallback(config: Config) -> Finding:
    """What rings when chat can't."""
    if config.fallback.command:
        return green("fallback", f"{config.fallback.command[0]}: try it: tocsin ring 'this is a test'")
    todo = "set fallback.command to a program that rings somebody by SMS or phone; see config.example.toml"
    return yellow("fallback", "is not set: when chat is down, nothing rings", todo)


async def of_heartbeat(config: Config) -> Finding:
    """Who outside learns that Tocsin is dead; on another host than what it watches."""
    if config.heartbeat.url is None:
        todo = "set heartbeat.url to that of healthchecks.io or the like; see docs/selfwatch.md"
        return yellow("heartbeat", "is not set: if this machine dies, nobody learns of it", todo)
    try:
        host = urlsplit(config.heartbeat.url.reveal()).hostname or ""
    except ValueError as error:
        return red("heartbeat", str(error), "mend heartbeat.url")
    near = await _near(host, {name: _host(settings) for name, settings in config.networks.items()})
    if near:
        todo = "take one that shares neither machine, address range nor DNS zone with your chat"
        return yellow("heartbeat", near, todo)
    return green("heartbeat", f"goes to {host}")


async def _near(host: str, servers: Mapping[str, str]) -> str:
    """Why a host may die together with us, or with the chat servers; empty if nothing speaks for that."""
    if near := sorted(name for name, server in servers.items() if _related(host, server)):
        return f"{host} is under the same name as {listed(near)}, and may die with it"
    theirs, *ours = await asyncio.gather(*map(_addresses, (host, *servers.values())))
    if not theirs:
        return f"{host}: its name can't be looked up"
    if any(map(_is_here, theirs)):
        return "is on this very machine"
    ranges = set(map(_range, theirs))
    found = zip(servers, ours, strict=True)
    near = sorted(name for name, addresses in found if ranges & set(map(_range, addresses)))
    return f"{host} is in the same address range as {listed(near)}, and may die with it" if near else ""


async def _addresses(host: str) -> frozenset[IPv4Address | IPv6Address]:
    """Where a host is; nowhere if that can't be looked up."""
    if not host:
        return frozenset()
    try:
        async with asyncio.timeout(WITHIN.total):
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError):
        return frozenset()
    return frozenset(ip_address(str(address[0]).partition("%")[0]) for *_, address in found)


def _is_here(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is one of this machine: only there can a socket be bound to it."""
    with socket(AF_INET if address.version == 4 else AF_INET6, SOCK_DGRAM) as one:
        try:
            one.bind((str(address), 0))
        except OSError:
            return False
    return True


def _range(address: IPv4Address | IPv6Address) -> IPv4Network | IPv6Network:
    """What one is given as a whole, and is cut off as a whole."""
    return ip_network((address, 24 if address.version == 4 else 48), strict=False)


def _host(settings: NetworkSettings) -> str:
    match settings:
        case IrcSettings():
            return settings.server.host
        case MatrixSettings():
            return urlsplit(settings.homeserver).hostname or ""
        case _:
            return ""


def _related(one: str, other: str) -> bool:
    """Whether both are the same host, or their last two labels are the same: as good as one DNS zone."""
    return bool(other) and (one == other or (not _is_number(one) and _zone(one) == _zone(other)))


def _zone(host: str) -> list[str]:
    return host.lower().rstrip(".").split(".")[-2:]


def _is_number(host: str) -> bool:
    return host.replace(".", "").isdigit() or ":" in host


def of_people(config: Config, duty: OnDuty, now: datetime) -> Iterator[Finding]:
    """Whether somebody is on call by each schedule who can be reached. What the daemon doesn't tell is as the file has it."""
    for name, schedule in config.schedules.items():
        rota, day = schedule.rota, now.astimezone(schedule.rota.zone).date()
        moment = list(rota.shifts(now, now + timedelta(minutes=1)))
        on_call = duty.on_call.get(name, moment[0].people if moment else ())
        unreached = [one for one in on_call if not duty.reached.get(one, True)]
        gaps = list(calendars.gaps(rota, day, LOOK_AHEAD))
        about = f"schedule {name}"
        if unreached:
            todo = "let them come to chat, or give them a way to ring: see docs/notify.md"
            yield red(about, f"{listed(unreached)} is on call and can't be reached now", todo)
        elif not on_call and any(rota.gaps(moment)):
            yield red(
                about, f"nobody is on call now: {gaps[0]}", f"in chat: !override {name} NAME FROM UNTIL"
            )
        elif gaps:
            todo = f"tocsin schedule gaps {name}"
            yield yellow(
                about, f"nobody from {gaps[0]}; {counted(len(gaps), 'gap')} in {LOOK_AHEAD} days", todo
            )
        else:
            yield green(about, f"{listed(on_call) or 'nobody'} is on call; no gap in {LOOK_AHEAD} days")


async def of_outside(config: Config, listening: str, now: Callable[[], datetime]) -> Iterable[Finding]:
    """What is seen over connections: our own receivers, the chat servers, the heartbeat. listening: where, or empty."""
    receivers, servers, heartbeat = await asyncio.gather(
        of_receivers(config, listening), of_servers(config, now), of_heartbeat(config)
    )
    return [*receivers, *servers, heartbeat]


async def of_receivers(config: Config, listening: str) -> Sequence[Finding]:
    """Whether what is posted is taken: with a sample by each receiver, the whole way into the database."""
    if not listening or "alertmanager" not in config.plugins:
        return []
    found = [_post(address_of(name, listening), name, one) for name, one in config.receivers.items()]
    return await asyncio.gather(*found)


async def _post(url: str, name: str, receiver: Receiver) -> Finding:
    about = f"receiver {name}"
    try:
        answered, said = await post(url, receiver, SAMPLE)
    except ValueError as error:
        return red(about, str(error), "give it a secret that can be read")
    except (ClientError, TimeoutError, OSError) as error:
        return red(
            about,
            f"a sample that was posted got no answer: {type(error).__name__}",
            "systemctl status tocsin",
        )
    if answered == 202:
        return green(about, "takes what is posted to it, and keeps it")
    return red(
        about, f"a sample that was posted got {answered}: {said}", "tocsin reload, if its secret is new"
    )


async def of_servers(config: Config, now: Callable[[], datetime]) -> Sequence[Finding]:
    """The certificates of the chat servers, and by homeservers whether our clock is right."""
    asked: list[Awaitable[Sequence[Finding]]] = []
    for name, settings in config.networks.items():
        match settings:
            case IrcSettings() if settings.tls:
                asked.append(
                    _certificate(name, settings.server.host, settings.server.port, settings.tls_ca, now())
                )
            case MatrixSettings():
                url = urlsplit(settings.homeserver)
                asked.append(_date(name, settings, now))
                if url.scheme == "https" and url.hostname:
                    asked.append(_certificate(name, url.hostname, url.port or 443, settings.tls_ca, now()))
            case _:
                pass
    return [one for found in await asyncio.gather(*asked) for one in found]


async def _certificate(
    name: str, host: str, port: int, authority: Path | None, now: datetime
) -> Sequence[Finding]:
    about = f"{name} certificate"
    try:
        async with asyncio.timeout(WITHIN.total):
            _, writer = await asyncio.open_connection(
                host, port, ssl=await tls_context(authority), server_hostname=host
            )
            with closing(writer):
                text = writer.get_extra_info("peercert")["notAfter"]
    except ssl.SSLCertVerificationError as error:
        return [red(about, f"{host}: {error.verify_message}", "renew it, or name who signs it in tls_ca")]
    except (OSError, NetworkError, KeyError) as error:
        why = in_short(error) if isinstance(error, OSError) else str(error)
        return [red(about, f"{host}:{port}: can't be looked at: {why}", "see whether the server runs")]
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)
    if ends - now < RUNS_OUT:
        return [yellow(about, f"{host}: ends {ends:%F}, in {spelled(ends - now)}", "renew it")]
    return [green(about, f"{host}: good until {ends:%F}")]


async def _date(name: str, settings: MatrixSettings, now: Callable[[], datetime]) -> Sequence[Finding]:
    url = f"{settings.homeserver.rstrip('/')}/_matrix/client/versions"
    try:
        context = await tls_context(settings.tls_ca)
        async with ClientSession(timeout=WITHIN) as session, session.get(url, ssl=context) as answer:
            theirs = parsedate_to_datetime(answer.headers.get("Date", ""))
    except ValueError:
        return []
    except (ClientError, OSError, TimeoutError, NetworkError) as error:
        return [red(name, f"{settings.homeserver}: no answer: {error}", "see whether the homeserver runs")]
    off = abs(now() - theirs)
    if off <= CLOCK_OFF:
        return []
    text = f"this machine and {name} differ by {spelled(off)}"
    return [yellow("clock", text, "see which of both is right: timedatectl")]
