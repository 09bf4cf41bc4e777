"""What people say of themselves: time zones, quiet hours, and further accounts, which one-time codes prove."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from tocsin.domain.event import ALPHABET
from tocsin.store import schema
from tocsin.store.schema import link_codes, upsert

GOOD_FOR = timedelta(minutes=10)
"""How long a code is good."""

MOST_WRONG = 5
"""A code in whose life so many wrong ones were tried is void."""

LENGTH = 8

OFF = "off"
"""As quiet hours: none, whatever the configuration says."""


@dataclass(frozen=True)
class Profile:
    """What a person said; empty where it is as in the configuration."""

    timezone: str = ""
    quiet: str = ""


@dataclass(frozen=True)
class Link:
    """An account that a person proved to be theirs."""

    network: str
    account: str
    person: str


def everybody(connection: Connection) -> Mapping[str, Profile]:
    """What each person said."""
    rows = connection.execute(select(schema.profiles))
    return {row.person: Profile(row.timezone, row.quiet) for row in rows}


def links(connection: Connection) -> Sequence[Link]:
    """All accounts that were linked, the first one first."""
    rows = connection.execute(select(schema.links).order_by(schema.links.c.linked_at))
    return [Link(row.network, row.account, row.person) for row in rows]


def set_timezone(connection: Connection, person: str, key: str) -> None:
    """key: empty for that of the configuration."""
    _say(connection, person, timezone=key)


def set_quiet(connection: Connection, person: str, hours: str) -> None:
    """hours: as `QuietHours` are written, `OFF`, or empty for those of the configuration."""
    _say(connection, person, quiet=hours)


def link(connection: Connection, network: str, account: str, person: str, at: datetime) -> None:
    """An account is this person's from now on, in place of the one that was linked there."""
    unlink(connection, network, person)
    for other in links(connection):  # a row may be left of somebody who is gone
        if other.network == network and other.account.lower() == account.lower():
            unlink(connection, network, other.person)
    values = {"network": network, "account": account, "person": person, "linked_at": at}
    connection.execute(insert(schema.links).values(values))


def unlink(connection: Connection, network: str, person: str) -> str:
    """The account that was linked to this person there; empty if none was."""
    theirs = schema.links.c.network == network, schema.links.c.person == person
    account = connection.execute(select(schema.links.c.account).where(*theirs)).scalar()
    connection.execute(delete(schema.links).where(*theirs))
    return account or ""


def new_code(connection: Connection, person: str, at: datetime) -> str:
    """A code by which an account can be linked to this person; their last one is void, so nobody has more than one."""
    connection.execute(delete(link_codes).where(link_codes.c.person == person))
    code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    connection.execute(insert(link_codes).values(code=code, person=person, made_at=at, wrong=0))
    return code


def use_code(connection: Connection, code: str, now: datetime) -> str:
    """Whose code that is; empty if it is none or too old. It is used up."""
    this = link_codes.c.code == code
    good = this, link_codes.c.made_at > now - GOOD_FOR
    person = connection.execute(select(link_codes.c.person).where(*good)).scalar()
    connection.execute(delete(link_codes).where(this))
    return person or ""


def wrong_code(connection: Connection, now: datetime) -> bool:
    """Somebody guessed wrong; whether that was once too often, so that good codes are void now."""
    alive = link_codes.c.made_at > now - GOOD_FOR
    connection.execute(update(link_codes).where(alive).values(wrong=link_codes.c.wrong + 1))
    return connection.execute(delete(link_codes).where(link_codes.c.wrong >= MOST_WRONG)).rowcount > 0


def _say(connection: Connection, person: str, **said: str) -> None:
    values = {"person": person, "timezone": "", "quiet": "", **said}
    made = upsert(schema.profiles).values(values)
    connection.execute(made.on_conflict_do_update(index_elements=["person"], set_=said))
