"""One-time codes: where a network proves nothing, who was sent one in private shows that they have read it."""

import secrets
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from tocsin.store.schema import codes
from tocsin.store.statement import Statement, given

MOST_WRONG = 5
"""After so many wrong ones in a row all of that person's codes there are void."""

DIGITS = 4

_THEIRS = (codes.c.network == given("there"), codes.c.person == given("whom"))
_ADD = Statement(insert(codes))
_ALL = Statement(select(codes.c.code).where(*_THEIRS))
_FIND = Statement(select(codes.c.subject).where(*_THEIRS, codes.c.code == given("one_code")))
_USE = Statement(delete(codes).where(*_THEIRS, codes.c.code == given("one_code")))
_WRONG = Statement(update(codes).where(*_THEIRS).values(wrong=codes.c.wrong + 1))
_RIGHT = Statement(update(codes).where(*_THEIRS).values(wrong=0))
_VOID = Statement(delete(codes).where(*_THEIRS, codes.c.wrong >= MOST_WRONG))


def new(connection: Connection, network: str, person: str, subject: str, at: datetime) -> str:
    """A code by which this person can answer for a subject there, once."""
    taken = {row.code for row in _ALL.run(connection, there=network, whom=person)}
    digits = DIGITS
    while len(taken) * 10 >= 10**digits:
        digits += 1  # so that one in ten at most would fit by chance, however many there are
    code = ""
    while not code or code in taken:
        code = f"{secrets.randbelow(10**digits):0{digits}}"
    values = {
        "network": network,
        "person": person,
        "code": code,
        "subject": subject,
        "made_at": at,
        "wrong": 0,
    }
    _ADD.run(connection, **values)
    return code


def find(connection: Connection, network: str, person: str, code: str) -> str:
    """What a code is for; empty if this person has no such code there."""
    return str(_FIND.run(connection, there=network, whom=person, one_code=code).value() or "")


def use(connection: Connection, network: str, person: str, code: str) -> None:
    """It is used up."""
    _USE.run(connection, there=network, whom=person, one_code=code)
    _RIGHT.run(connection, there=network, whom=person)


def wrong(connection: Connection, network: str, person: str) -> bool:
    """Somebody guessed wrong; whether that was once too often, so that all of this person's codes are void now."""
    _WRONG.run(connection, there=network, whom=person)
    return _VOID.run(connection, there=network, whom=person).rowcount > 0


def forget(connection: Connection, before: datetime) -> None:
    """Forget codes that nobody used."""
    connection.execute(delete(codes).where(codes.c.made_at < before))
