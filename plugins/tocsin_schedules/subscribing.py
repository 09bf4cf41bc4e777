"""`!calendar`: addresses for people's calendar programs, told once and in private."""

import secrets
from dataclasses import dataclass

from tocsin.api import Call, Message, Refused, Transaction, UsageError, bare, did_you_mean
from tocsin_schedules.calendars import ENDING, PATH, digest, schedules_of, standing
from tocsin_schedules.events import CALENDARS, CalendarMade, CalendarRevoked

_BYTES = 16
"""Of chance in an address: 128 bits, beside its signature."""


@dataclass(frozen=True)
class Subscribing:
    """public_url: how calendar programs reach this daemon's listener."""

    public_url: str

    def calendar(self, call: Call, tx: Transaction) -> Message | str:
        """Make an address, or revoke one."""
        words = [bare(word) for word in call["WORDS"].split()]
        if words[:1] == ["revoke"]:
            return self._revoke(_which(words[1:], tx), call.by, tx)
        if not self.public_url:
            raise Refused("calendar programs can't get here: plugins.schedules.public_url is not set")
        if not call.place.private:
            raise Refused(f"the address is a secret: say {tx.typed(call.name)} to me in private")
        names = words[-1:] == ["names"]
        of = _which(words[: len(words) - names], tx)
        if names and not of:
            raise UsageError(f"your own shifts need no names: say {tx.typed('calendar SCHEDULE names')}")
        return self._make(of, call.by, tx, names=names)

    def _make(self, of: str, by: str, tx: Transaction, *, names: bool) -> Message | str:
        again = tx.typed(f"calendar revoke {of}".strip())
        if (made := standing(tx).get((by, of))) is not None:
            since = f"{made.at.astimezone(tx.person(by).timezone):%Y-%m-%d}"
            raise Refused(
                f"you were told the address of {_named(of)} on {since}, and I kept none: {again} ends it"
            )
        secret = secrets.token_urlsafe(_BYTES)
        tx.record(
            CalendarMade(subject=CALENDARS, at=tx.now, by=by, digest=digest(secret), of=of, names=names)
        )
        holds = "" if not of else ", with names" if names else ", without names"
        text = f"{_named(of)}{holds}, for a calendar program. Whoever has this address can read it; {again} ends it"
        return Message(text, link=f"{self.public_url.rstrip('/')}/{tx.signed(PATH, secret)}{ENDING}")

    def _revoke(self, of: str, by: str, tx: Transaction) -> str:
        if (by, of) not in standing(tx):
            raise Refused(f"you have no address of {_named(of)}")
        tx.record(CalendarRevoked(subject=CALENDARS, at=tx.now, by=by, of=of))
        return f"the address of {_named(of)} is good no more"


def _which(words: list[str], tx: Transaction) -> str:
    """The schedule or team that they name; nothing if that is left out."""
    if not words:
        return ""
    known = [*tx.config.schedules, *tx.config.teams]
    if len(words) > 1:
        raise UsageError(f"{words[1]!r} is too much: say {tx.typed('calendar [SCHEDULE|TEAM] [names]')}")
    if words[0] not in known:
        raise Refused(f"no schedule or team is called {words[0]!r}{did_you_mean(words[0], known)}")
    if not schedules_of(words[0], tx):
        raise Refused(f"nobody of {words[0]} is on a schedule")
    return words[0]


def _named(of: str) -> str:
    return f"the calendar of {of}" if of else "the calendar of your own shifts"
