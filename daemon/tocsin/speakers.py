"""Who speaks: by the account that the network vouches for, by a one-time code, or nobody that we know."""

import re
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta

from tocsin.digests import alerts_of
from tocsin.domain.message import Line, Message, Place
from tocsin.domain.oncall import Identity
from tocsin.errors import NotAllowed
from tocsin.store import codes
from tocsin.transaction import Transaction

STRANGER_SAYS = 5
STRANGERS_SAY = 20
"""So often a stranger, or all strangers of a network together, are answered within `WITHIN`."""

WITHIN = timedelta(seconds=10)

TELL_EVERY = timedelta(minutes=10)

_CODES = re.compile(rf"[0-9]{{{codes.DIGITS},}}")


@dataclass(frozen=True)
class Speaker:
    """by: the person; empty for a stranger. rest: what stands behind the command's word, with ids for codes.

    used: the codes that prove it, and what they are for.
    """

    by: str
    rest: str
    used: tuple[tuple[str, str], ...] = ()


def speaker(line: Line, rest: str, tx: Transaction) -> Speaker:
    """Who gives a command. Raises NotAllowed if a code stands where it should and is wrong."""
    by = tx.person_of(line.place.network, line.account) or ""
    claimed = tx.person_of(line.place.network, line.claimed)
    if by or claimed is None:
        return Speaker(by, rest)
    words, used = rest.split(), list[tuple[str, str]]()
    for place, word in enumerate(words):
        code = word.strip(".,;")
        if len(code) < codes.DIGITS or not (code.isascii() and code.isdigit()):
            break
        subject = codes.find(tx.connection, line.place.network, claimed, code)
        if not subject:
            void = codes.wrong(tx.connection, line.place.network, claimed)
            end = (
                "all of yours are void now: the next page brings a new one"
                if void
                else "look at your page again"
            )
            raise NotAllowed(f"the code {code} is not one of yours, or is used up; {end}")
        used.append((code, subject))
        words[place] = subject
    return Speaker(claimed if used else "", " ".join(words), tuple(used))


def use(who: Speaker, network: str, tx: Transaction) -> None:
    """The codes were good for this once."""
    for code, _ in who.used:
        codes.use(tx.connection, network, who.by, code)


def give_next(who: Speaker, line: Line, tx: Transaction) -> None:
    """Who used up a code gets another one for what is still open."""
    for _, subject in who.used:
        group = tx.find_group(subject)
        groups = [group] if group is not None else alerts_of(subject, tx) or ()
        if any(group.open for group in groups):
            place = Place(line.place.network, line.claimed, private=True)
            code = codes.new(tx.connection, place.network, who.by, subject, tx.now)
            tx.say(
                place, Message(f"your code for the next word on it, such as done: {code}", subject=subject)
            )


def without_codes(text: str, line: Line, tx: Transaction) -> str:
    """What somebody typed, as it may be written down: one of the codes may still be good."""
    by_code = tx.config.networks[line.place.network].identity is Identity.CODES
    return _CODES.sub("\u2026", text) if by_code else text


def refusal(line: Line, name: str, tx: Transaction, *, of_alert: bool, in_rooms: bool) -> str:
    """What somebody is told who may not have that command.

    of_alert: whether it takes an alert, for which a code could stand. in_rooms: whether all may give it in a room.
    """
    command = tx.typed(name)
    settings = tx.config.networks[line.place.network]
    match settings.identity:
        case Identity.CODES if line.claimed and not of_alert:
            end = (
                f"ask in {settings.room}" if in_rooms else "a code answers for an alert, and for nothing else"
            )
            return f"your nick alone proves nothing, so {command} is not for anybody here: {end}"
        case Identity.CODES if line.claimed:
            return f"your nick alone proves nothing: type the code of the page that I sent you, as in {command} 7351"
        case Identity.NOBODY:
            return f"{line.place.network} proves nothing of who you are, so {command} is not for anybody here"
        case _:
            return f"I don't know you here, so {command} is not for you: {tx.typed('whoami')}"


def introduce(line: Line, by: str, tx: Transaction) -> str:
    """Who we take somebody for, and why."""
    network = line.place.network
    identity = tx.config.networks[network].identity
    if by:
        why = f"by your account {line.account!r} on {network}"
        if identity is Identity.NICKS:
            why = f"by your nick {line.called!r} alone, which I am told to trust on {network}"
        return f"you are {by}, {why}"
    if identity is Identity.CODES and line.claimed:
        return f"you have the nick of {tx.person_of(network, line.claimed)}, which proves nothing: each page that I send you there brings a code"
    if line.account:
        return f"I don't know the account {line.account!r}: people.NAME.accounts.{network} would name it"
    if identity is Identity.ACCOUNTS:
        return f"I see no account of yours on {network}, so you may read here and not act"
    return f"{network} does not prove who you are, so you may read here and not act"


@dataclass
class Strangers:
    """Keeps people whom we don't know from keeping us busy."""

    lately: dict[str, deque[tuple[timedelta, str]]] = field(default_factory=dict)
    told: dict[str, timedelta] = field(default_factory=dict)

    def too_many(self, line: Line, now: timedelta, *, claims: bool) -> bool:
        """Whether this one is left unanswered. now: on the boot clock.

        claims: whether they bear the name of a person that we know: others don't use up what that one may say.
        """
        lately = self.lately.setdefault(line.place.network, deque())
        while lately and lately[0][0] <= now - WITHIN:
            lately.popleft()
        same = sum(who == line.called for _, who in lately)
        if same >= STRANGER_SAYS or (len(lately) >= STRANGERS_SAY and not claims):
            return True
        lately.append((now, line.called))
        return False

    def worth_telling(self, network: str, now: timedelta) -> bool:
        """Whether the rooms should hear of it: once in a while."""
        if network in self.told and now - self.told[network] < TELL_EVERY:
            return False
        self.told[network] = now
        return True
