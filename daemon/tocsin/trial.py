"""A test page: posted as Alertmanager posts, sent as any page is, and followed until a human answers.

The daemon does nothing for it that it would not do for any alert; what becomes of it is read from the journal.
"""

import asyncio
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from signal import SIGTERM
from typing import cast

from aiohttp import ClientError

from tocsin import clock, control
from tocsin.config.tables import Receiver
from tocsin.domain.event import Event
from tocsin.domain.group import GroupAcknowledged, GroupResolved, GroupSilenced
from tocsin.domain.message import Place
from tocsin.domain.page import PageDelivered, PageFailed, PageSeen, PersonPaged
from tocsin.domain.words import spelled
from tocsin.errors import StateError, TocsinError
from tocsin.facts import GROUP
from tocsin.posting import address_of, post
from tocsin.status import first_address
from tocsin.store import journal, subjects
from tocsin.store.database import read_only
from tocsin.store.journal import Entry

NAME = "TestPage"
TEXT = "this is a test: answer it as you would a real one"

TAKEN_WITHIN = timedelta(seconds=20)
"""What was accepted, and has not become an alert after so long, never will."""

UP_WITHIN = timedelta(seconds=60)
"""How long the networks of a daemon that runs may take to come up."""

LOOK_EVERY = 0.25
PATIENT_FOR = 1.0
"""So many seconds nothing is said while it is only just coming up."""

REMIND_EVERY = timedelta(seconds=15)

Say = Callable[[str], None]
_TOLD = (PersonPaged, PageDelivered, PageFailed, PageSeen, GroupAcknowledged, GroupSilenced, GroupResolved)


class TrialFailed(TocsinError):
    """Nobody has answered, or it came not so far; the message says what to do."""


@dataclass(frozen=True)
class Page:
    """What is posted, and where it is read what becomes of it.

    labels: all that the alert has. name, receiver: who takes it. database: the daemon's. kinds: the events that are known.
    by_code: the networks where a page brings a code, by which alone it is answered.
    """

    labels: Mapping[str, str]
    name: str
    receiver: Receiver
    database: Path
    kinds: Mapping[str, type[Event]]
    by_code: Collection[str] = ()


async def listening(folder: Path, within: timedelta, say: Say) -> str:
    """Where the daemon takes posts, once it does and one of its networks is up. within: how long it may be before it runs.

    Raises StateError if none runs, TrialFailed if it can page nobody.
    """
    loop = asyncio.get_running_loop()
    began, found, told = loop.time(), dict[str, str](), False
    while True:
        try:
            said = await asyncio.to_thread(control.ask, folder, "status")
        except StateError:
            if loop.time() - began > within.total_seconds():
                raise
        else:
            found = said["networks"]
            if (address := first_address(said)) and not all(found.values()):
                return address
            if loop.time() - began > (within + UP_WITHIN).total_seconds():
                break
            if not told and loop.time() - began > PATIENT_FOR:
                say(f"waiting until Tocsin can page: {_lacks(found)}")
                told = True
        await asyncio.sleep(LOOK_EVERY)
    raise TrialFailed(f"no network is up, so nobody can be paged: {_lacks(found)}")


def _lacks(standing: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {why}" for name, why in standing.items() if why) or "it does not listen yet"


async def send(page: Page, address: str, within: timedelta, say: Say) -> str:
    """Post it, tell what becomes of it, and wait until somebody answers: who, and when. It is over then, answered or not.

    address: where the daemon listens. Raises TrialFailed.
    """
    key = f"{NAME} {secrets.token_hex(8)}"
    asyncio.get_running_loop().add_signal_handler(
        SIGTERM, cast("asyncio.Task[str]", asyncio.current_task()).cancel
    )
    url = address_of(page.name, address)
    await _post(page, url, key, "firing")
    say(f"posted to {url}: accepted")
    try:
        return await _follow(page, key, clock.now(), within, say)
    except asyncio.CancelledError:
        say("ended: the test is taken back")
        raise
    finally:
        await _post(page, url, key, "resolved")


async def _follow(page: Page, key: str, posted: datetime, within: timedelta, say: Say) -> str:
    seen, subject, remind, asked = 0, "", REMIND_EVERY, set[str]()
    while (passed := clock.now() - posted) < within:
        if not subject and passed > TAKEN_WITHIN:
            raise TrialFailed("it was accepted, but became no alert: see the daemon's log, and tocsin doctor")
        subject, entries = await asyncio.to_thread(_news, page, key, subject, seen)
        for entry in entries:
            seen = entry.seq
            if isinstance(entry.event, _TOLD):
                say(f"{_after(entry.recorded_at - posted)}  {subject}: {entry.headline}")
            if isinstance(entry.event, PageDelivered) and entry.event.person not in {"", *asked}:
                asked.add(entry.event.person)
                say(
                    f"          now answer it, as {entry.event.person}{_how(page, entry.event.place, subject)}"
                )
            if isinstance(entry.event, GroupAcknowledged | GroupSilenced | GroupResolved) and entry.by:
                return f"{entry.by} answered {spelled(entry.recorded_at - posted)} after it was posted"
        if passed > remind:
            say(f"{_after(passed)}  nobody has answered yet")
            remind += REMIND_EVERY
        await asyncio.sleep(LOOK_EVERY)
    raise TrialFailed(
        f"nobody answered in {spelled(within)}: tocsin doctor says what is wrong, if anything is"
    )


def _how(page: Page, place: str, subject: str) -> str:
    network = Place.parse(place).network
    if network in page.by_code:
        return f", to Tocsin alone on {network}, by the code in the page: ack CODE"
    return f": !ack {subject}"


def _after(passed: timedelta) -> str:
    return f"{max(passed.total_seconds(), 0):6.1f} s"


def _news(page: Page, key: str, subject: str, seen: int) -> tuple[str, Sequence[Entry]]:
    """The alert's id, once there is one, and what happened to it since."""
    try:
        with read_only(page.database) as connection:
            if not subject:
                found = subjects.open_for(connection, GROUP, f"{page.name}\n{key}")
                subject = found.id if found is not None else ""
            return subject, list(journal.read(connection, page.kinds, subject, after=seen)) if subject else []
    except StateError as error:
        raise TrialFailed(str(error)) from None


async def _post(page: Page, url: str, key: str, status: str) -> None:
    alert = {"status": status, "labels": page.labels, "annotations": {"summary": TEXT}}
    body = {"version": "4", "status": status, "groupKey": key, "alerts": [alert]}
    try:
        answered, said = await post(url, page.receiver, body)
    except (ClientError, TimeoutError, OSError) as error:
        raise TrialFailed(f"{url}: no answer: {type(error).__name__}: systemctl status tocsin") from None
    except ValueError as error:
        raise TrialFailed(str(error)) from None
    if answered != 202:
        raise TrialFailed(f"{url} answers {answered}: {said}: tocsin doctor says more")
