"""Who is told of handoffs, and how people and times are named."""

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from tocsin.api import HANDOFF, Call, Message, Place, Transaction, written

_UTC = ZoneInfo("UTC")


def new_handoff(tx: Transaction) -> str:
    """The id of something that people agree on."""
    return tx.open(HANDOFF, secrets.token_hex(8))


def rooms_of(names: Iterable[str], tx: Transaction) -> list[Place]:
    """The default rooms, and those of the teams that any of these people are in."""
    people = set(names)
    teams = [name for name, team in tx.config.teams.items() if people & set(team.members)]
    return list(dict.fromkeys([*tx.default_rooms(), *(room for team in teams for room in tx.rooms(team))]))


def tell_rooms(text: str, people: Iterable[str], tx: Transaction, *, but_not: Place | None = None) -> None:
    """Tell the teams of these people."""
    for room in rooms_of(people, tx):
        if room != but_not:
            tx.say(room, text)


def tell_person(
    person: str, text: str, about: str, tx: Transaction, *, command: str = "", lines: Iterable[str] = ()
) -> None:
    """Tell somebody wherever they are; what they may type next goes with it, with a code where that is needed."""
    message = Message(text, command=tx.typed(command) if command else "", lines=tuple(lines))
    for place in tx.private_places(person):
        tx.say(place, tx.proven(place, message, about=about, person=person), about=about)


def when(at: datetime, person: str, tx: Transaction) -> str:
    """An instant in absolute terms, where that person is."""
    return written(at, tx.person(person).timezone, tx.now)


def when_there(at: datetime, call: Call, tx: Transaction) -> str:
    """The same for whoever asks; others in a room may live elsewhere, so it is said in UTC besides."""
    zone = tx.person(call.by).timezone
    theirs = written(at, zone, tx.now)
    if call.place.private or zone.utcoffset(at.astimezone(zone)) == UTC.utcoffset(None):
        return theirs
    return f"{theirs} ({written(at, _UTC, tx.now)})"
