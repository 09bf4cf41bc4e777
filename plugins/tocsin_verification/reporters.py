"""Who reported an incident from outside, and whether they say that it is over for them too."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from tocsin.api import (
    AllClearGiven,
    AllClearWithdrawn,
    Call,
    Clock,
    Event,
    Incident,
    IncidentReopened,
    Message,
    NotAllowed,
    Refused,
    Timer,
    Transaction,
    UsageError,
    answer_there,
    bare,
    counted,
    first_few,
    listed,
    meant_incident,
    of_incident,
    tell_incident,
)

REPORTER = "reporter [INCIDENT] [add|drop WHO\u2026]"
CONFIRM = "confirm [INCIDENT] [WHO] [TEXT\u2026]"

ASK = "verification.ask_reporters"

MOST_REPORTERS = 50
MOST_NAMED = 5
LONGEST_NAME = 80
LONGEST_TEXT = 500

_NOT = frozenset({"no", "not", "never", "still"})


@dataclass(frozen=True, kw_only=True)
class ReporterAdded(Event):
    """Somebody reported it, who is to say whether it is over for them. reporter: a person that we know, or how others call them."""

    kind: ClassVar[str] = "verification.reporter_added"
    reporter: str

    def headline(self) -> str:
        return f"reported by {self.reporter} too"


@dataclass(frozen=True, kw_only=True)
class ReporterDropped(Event):
    """They need not say anything."""

    kind: ClassVar[str] = "verification.reporter_dropped"
    reporter: str

    def headline(self) -> str:
        return f"{self.reporter} need not confirm"


@dataclass(frozen=True, kw_only=True)
class ReporterConfirmed(Event):
    """It is over for them. by: who said so for them; empty if they did. text: what they say, if anything."""

    kind: ClassVar[str] = "verification.reporter_confirmed"
    reporter: str
    text: str = ""

    def headline(self) -> str:
        return f"{self.reporter} confirmed that it is over{f': {self.text}' if self.text else ''}"


EVENTS: tuple[type[Event], ...] = (ReporterAdded, ReporterDropped, ReporterConfirmed)


class Reporters:
    """Who reported an incident, by all that happened to it. of: reporter -> whether it is over for them, as they said."""

    def __init__(self) -> None:
        """Before anything happened."""
        self.of: dict[str, bool] = {}

    def apply(self, event: Event) -> None:
        """Go on by one event; those of others are passed over."""
        match event:
            case ReporterAdded():
                self.of.setdefault(event.reporter, False)
            case ReporterDropped():
                self.of.pop(event.reporter, None)
            case ReporterConfirmed():
                self.of[event.reporter] = True
            case IncidentReopened() | AllClearWithdrawn():
                self.of = dict.fromkeys(self.of, False)


def reporters(number: str, tx: Transaction) -> Reporters:
    return tx.replay(number, Reporters, (*EVENTS, IncidentReopened, AllClearWithdrawn))


def waiting(number: str, tx: Transaction) -> Sequence[str]:
    """Those who have not said yet that it is over for them, in the order in which they were added."""
    return [one for one, confirmed in reporters(number, tx).of.items() if not confirmed]


# By command.


def reporter(call: Call, tx: Transaction) -> Message | None:
    """`!reporter 42 add carol, ACME support`; alone it says who there is."""
    incident, words = meant_incident(call, tx, ended=True)
    if not words:
        return _standing(incident, tx)
    word, _, names = words.partition(" ")
    named = _names(names, tx)
    if bare(word) not in ("add", "drop") or not named:
        raise UsageError(f"say {tx.typed(REPORTER)}: several with commas between them")
    if bare(word) == "add":
        _add(incident, named, call, tx)
    else:
        _drop(incident, named, call, tx)
    return None


def _add(incident: Incident, named: Sequence[str], call: Call, tx: Transaction) -> None:
    known = reporters(incident.number, tx).of
    new = [one for one in named if _found(one, known) is None]
    if not new:
        raise Refused(f"{incident.number}: {listed(named)} reported it already")
    if len(known) + len(new) > MOST_REPORTERS:
        raise Refused(f"{incident.number}: at most {MOST_REPORTERS} are asked whether it is over")
    for one in new:
        tx.record(ReporterAdded(subject=incident.number, at=tx.now, by=call.by, reporter=one))
    clear = Clock.ALL_CLEAR in incident.clocks
    then = "asked now" if clear else "asked once it is clear"
    text = f"reported by {listed(new)}: {then} whether it is over for them"
    brief = f"{counted(len(new), 'reporter')} more, {then}"
    answer_there(call, incident, of_incident(incident, text, brief=brief), tx)
    if clear:
        _ask(incident, new, tx)


def _drop(incident: Incident, named: Sequence[str], call: Call, tx: Transaction) -> None:
    known = reporters(incident.number, tx).of
    for one in named:
        found = _found(one, known)
        if found is None:
            raise Refused(f"{incident.number}: {one!r} did not report it: {_who(incident, tx)}")
        tx.record(ReporterDropped(subject=incident.number, at=tx.now, by=call.by, reporter=found))
    text = f"{listed(named)} need not confirm that it is over"
    message = of_incident(incident, text, brief=f"{counted(len(named), 'reporter')} fewer")
    answer_there(call, incident, message, tx)


def confirm(call: Call, tx: Transaction) -> None:
    """`!confirm` by who reported it, `!confirm carol` by somebody who heard it from them."""
    incident, words = meant_incident(call, tx, ended=True)
    known = reporters(incident.number, tx).of
    by, own = call.by, _found(call.by or call.line.account, known)
    if not by and own is None:
        raise NotAllowed("only who reported it, and people that I know, say whether it is over")
    if not known:
        add = tx.typed(f"reporter {incident.number} add WHO")
        raise Refused(f"{incident.number}: nobody is noted who reported it: {add}")
    who, text = _first(words, known) if by else (None, words)
    who = who or own
    if who is None:
        who = _only(incident, call, tx)
    if bare(text.partition(" ")[0]) in _NOT:
        updates = "reminders" in tx.config.plugins
        tells = tx.typed(f"status {incident.number} TEXT") if updates else "say here"
        alone = tx.typed(f"confirm {incident.number}")
        raise Refused(f"{incident.number}: {alone} says that it is over; {tells} what is not")
    by = "" if who == own else by
    tx.record(
        ReporterConfirmed(subject=incident.number, at=tx.now, by=by, reporter=who, text=text[:LONGEST_TEXT])
    )
    left = waiting(incident.number, tx)
    rest = f"waiting for {first_few(left, MOST_NAMED)}" if left else "so has everybody who reported it"
    said = f": {text}" if text else ""
    through = f" ({by})" if by else ""
    message = of_incident(
        incident,
        f"{who} confirms that it is over{said}{through}; {rest}",
        brief=f"{counted(len(known) - len(left), 'reporter')} of {len(known)} confirmed that it is over",
    )
    answer_there(call, incident, message, tx)


def _only(incident: Incident, call: Call, tx: Transaction) -> str:
    """Somebody speaks for another and does not say for whom. Raises Refused."""
    left = waiting(incident.number, tx)
    if not left:
        raise Refused(f"{incident.number}: everybody who reported it has confirmed")
    example = tx.typed(f"{call.name} {incident.number} {left[0]}")
    raise Refused(f"{incident.number}: for whom, {first_few(left, MOST_NAMED)}? Say {example}")


# By what happens.


def cleared(event: AllClearGiven, tx: Transaction) -> None:
    """Who reported it is asked, once people have read that it is clear."""
    if waiting(event.subject, tx):
        tx.set_timer(ASK, event.subject, after=timedelta(0))


def ask(timer: Timer, tx: Transaction) -> None:
    """Ask them. An all-clear of our own says in the rooms for whom it waits; behind one by hand that is said here."""
    incident, left = tx.find_incident(timer.key), waiting(timer.key, tx)
    given = tx.last(timer.key, AllClearGiven)
    if incident is None or Clock.ALL_CLEAR not in incident.clocks or not left or given is None:
        return
    _ask(incident, left, tx)
    if given.by:
        tell_incident(incident, _standing(incident, tx), tx)


def _ask(incident: Incident, people: Iterable[str], tx: Transaction) -> None:
    """Ask those that are reached in private; others hear of it from whoever noted them."""
    text = f"{incident.title}: it looks as it did before. Is it over for you too?"
    message = of_incident(incident, text, command=tx.typed(f"confirm {incident.number}"))
    for person in people:
        for place in tx.private_places(person):
            tx.say(place, message, about=incident.number)


# How they are named.


def _names(words: str, tx: Transaction) -> Sequence[str]:
    """Who is named, with commas between them; people that we know by their name."""
    found = dict[str, None]()
    for one in words.split(","):
        name = " ".join(one.split())[:LONGEST_NAME].strip()
        person = bare(name).removeprefix("@")
        if name:
            found[person if person in tx.config.people else name] = None
    return list(found)


def _found(name: str, known: Iterable[str]) -> str | None:
    return next((one for one in known if name and one.casefold() == name.casefold()), None)


def _first(words: str, known: Iterable[str]) -> tuple[str | None, str]:
    """The reporter with whom words begin, the longest name first, and what stands behind that."""
    for one in sorted(known, key=len, reverse=True):
        size = len(one)
        end = words[size : size + 1]
        if words[:size].casefold() == one.casefold() and end in ("", " ", ":", ",", "."):
            return one, words[size:].lstrip(" :,.")
    return None, words


def _who(incident: Incident, tx: Transaction) -> str:
    known = reporters(incident.number, tx).of
    return f"{first_few(list(known), MOST_NAMED)} did" if known else "nobody is noted"


def _standing(incident: Incident, tx: Transaction) -> Message:
    known, left = reporters(incident.number, tx).of, waiting(incident.number, tx)
    if not known:
        command = tx.typed(f"reporter {incident.number} add WHO")
        return of_incident(incident, "nobody is noted who reported it", command=command)
    brief = f"{len(known) - len(left)} of {counted(len(known), 'reporter')} confirmed that it is over"
    if not left:
        return of_incident(incident, f"{listed(known)} confirmed that it is over", brief=brief)
    command = tx.typed(f"confirm {incident.number} {left[0]}")
    return of_incident(
        incident, f"waiting for {first_few(left, MOST_NAMED)} to confirm", brief=brief, command=command
    )
