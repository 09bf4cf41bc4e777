"""How far an incident has come: mitigated, all clear, resolved, closed, and reopened; each time can be put right."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tocsin.api import (
    SEVERITIES,
    Call,
    CauseFound,
    Clock,
    Incident,
    IncidentClosed,
    IncidentDeclared,
    IncidentMitigated,
    IncidentReopened,
    IncidentResolved,
    Refused,
    SeverityChanged,
    Timer,
    Transaction,
    UsageError,
    answer_there,
    bare,
    did_you_mean,
    incident_in,
    meant_incident,
    number_first,
    of_incident,
    parse_past,
    spelled,
    tell_incident,
)
from tocsin_incidents.ending import End, ask_why
from tocsin_incidents.events import BudgetSpent
from tocsin_incidents.settings import Budgets
from tocsin_incidents.severity import asking
from tocsin_incidents.telling import tell_person, utc

MITIGATED = "mitigated [INCIDENT] [at TIME] [HOW\u2026]"
ALL_CLEAR = "allclear [INCIDENT] [at TIME] BECAUSE\u2026"
CAUSE = "cause [INCIDENT] TEXT\u2026"
CLOSE = "close [INCIDENT] TEXT\u2026"
REOPEN = "reopen [INCIDENT] [BECAUSE\u2026]"
CLOCK = "clock [INCIDENT] acked|mitigated|all-clear|resolved|closed TIME"

BUDGET = "incidents.budget"
CLOSING = "incidents.closing"
LEAVE = "incidents.leave"

LEAVE_AFTER = timedelta(hours=1)
"""So long its own rooms are kept after the end: people may still have something to say."""

CLOSING_AGAIN = timedelta(days=1)
MOST_REMINDERS = 7

LONGEST_TEXT = 1500

HALF, WHOLE = "half", "all"

_UNEXPLAINED = frozenset({"unexplained", "unknown"})


@dataclass(frozen=True)
class Clocks:
    """budgets: how long it may take until it is mitigated. closing_after: when whoever led is reminded of the long message."""

    budgets: Budgets
    closing_after: timedelta

    # By command.

    def mitigated(self, call: Call, tx: Transaction) -> None:
        """`!mitigated at 14:05 rolled back`: users are hurt no more."""
        incident, words = meant_incident(call, tx)
        at, how = _when(words, call, tx)
        if at == tx.now and Clock.RESOLVED in incident.clocks:
            over = utc(incident.clocks[Clock.RESOLVED], tx)
            again = tx.typed(f"mitigated {incident.number} at TIME")
            raise Refused(f"{incident.number} is over since {over}: when was it mitigated? {again}")
        event = tx.record(incident.mitigate(how, call.by, at))
        took = spelled(max(at - (incident.declared_at or at), timedelta(0)))
        text = f"{event.headline()} ({call.by}, {utc(at, tx)}), after {took}"
        answer_there(call, incident, of_incident(incident, text, brief=f"mitigated after {took}"), tx)

    def all_clear(self, call: Call, tx: Transaction) -> None:
        """`!allclear the queue is empty again`: it is as it was before, and why that is sure."""
        incident, words = meant_incident(call, tx)
        at, because = _when(words, call, tx)
        if not because:
            raise UsageError(f"how do you know? say {tx.typed(ALL_CLEAR)}")
        tx.record(incident.clear(because, call.by, at))
        message = of_incident(incident, f"all clear ({call.by}): {because}", brief="all clear")
        answer_there(call, incident, message, tx)

    def done(self, call: Call, ids: Sequence[str], tx: Transaction) -> str:
        """`!done the disk was full`: it is over; what is not said is asked for, and why, if something speaks against it."""
        (number,) = ids[:1]
        incident = tx.incident(number)
        _, words = number_first(call["ALERT"], call.place, tx)
        at, said = _when(words, call, tx)
        over = incident.resolve(call.by, at)
        end = End.read(incident, said[:LONGEST_TEXT], call.by, tx)
        if not end.asks:
            tx.record(replace(over, despite=end.despite, because=end.because))
        if end.cause and bare(end.cause) not in _UNEXPLAINED and end.cause != incident.cause:
            tx.record(CauseFound(subject=number, at=tx.now, by=call.by, cause=end.cause))
        if end.asks:
            return ask_why(incident, end.despite, call.by, tx)
        took = spelled(max(at - (incident.declared_at or at), timedelta(0)))
        known = f"cause: {incident.cause}" if incident.cause else "unexplained"
        command = "" if incident.cause else tx.typed(f"cause {number} TEXT")
        text = f"resolved by {call.by} after {took}{end.told}; {known}"
        message = of_incident(incident, text, brief=f"resolved after {took}", command=command)
        tell_incident(incident, message, tx, but_not=call.place, team=True)
        missing = []
        if Clock.MITIGATED not in incident.clocks:
            missing.append(f"since when was nobody hurt? {tx.typed(f'mitigated {number} at TIME')}")
        asks = f" \u00b7 {command}" if command else ""
        return " \u00b7 ".join([f"{number} {text}{asks}", *missing])

    def cause(self, call: Call, tx: Transaction) -> None:
        """`!cause 42 a full disk`: why it happened, also long after."""
        incident, words = meant_incident(call, tx, ended=True)
        if not words:
            raise UsageError(f"say {tx.typed(CAUSE)}")
        tx.record(CauseFound(subject=incident.number, at=tx.now, by=call.by, cause=words[:LONGEST_TEXT]))
        message = of_incident(incident, f"cause: {words} ({call.by})", brief="the cause is known")
        answer_there(call, incident, message, tx)

    def close(self, call: Call, tx: Transaction) -> None:
        """`!close 42 TEXT`: the long message, and nothing is left to do."""
        incident, words = meant_incident(call, tx)
        at, text = _when(words, call, tx)
        if incident.active:
            raise Refused(
                f"{incident.number} is not over: {tx.typed(f'done {incident.number} CAUSE')} says that it is"
            )
        event = incident.close(text[:LONGEST_TEXT], call.by, at)
        if not text and _owes_message(incident):
            raise Refused(
                "what do you tell everybody? What happened, whom it hit, why, what follows: "
                f"{tx.typed(f'close {incident.number} TEXT')}"
            )
        tx.record(event)
        message = of_incident(incident, f"{event.headline()} ({call.by})", brief="closed")
        answer_there(call, incident, message, tx, team=True)

    def reopen(self, call: Call, tx: Transaction) -> None:
        """`!reopen 42 it is back`."""
        incident, words = meant_incident(call, tx, ended=True)
        if incident.active:
            raise Refused(f"{incident.number} is open; {tx.typed('reopen NUMBER')} opens one that is over")
        tx.record(incident.reopen(words, call.by, tx.now))
        incident = tx.incident(incident.number)
        why = f": {words}" if words else ""
        message = of_incident(incident, f"reopened by {call.by}{why}", brief="reopened")
        answer_there(call, incident, message, tx, team=True)

    def correct(self, call: Call, tx: Transaction) -> None:
        """`!clock 42 resolved 14:05`."""
        incident, words = meant_incident(call, tx, ended=True)
        named, _, then = words.partition(" ")
        try:
            clock = Clock(bare(named).replace("allclear", "all-clear"))
        except ValueError:
            near = did_you_mean(named, map(str, Clock))
            raise UsageError(f"{named!r} is none of its times: say {tx.typed(CLOCK)}{near}") from None
        at, rest = _when(f"at {then.removeprefix('at ')}", call, tx)
        if not then or rest:
            raise UsageError(f"say {tx.typed(CLOCK)}")
        tx.record(incident.correct(clock, at, call.by, tx.now))
        text = f"{clock} at {utc(at, tx)} ({call.by} put it right)"
        incident = tx.incident(incident.number)
        answer_there(call, incident, of_incident(incident, text, brief=f"{clock} at {utc(at, tx)}"), tx)

    # Which one `!done` means.

    def here(self, call: Call, tx: Transaction) -> Sequence[str]:
        """It is named first, or the line answers what is about it; or it names no alert, and is said in its own room, or says
        why where nothing else is talked about.
        """
        number, _ = number_first(call["ALERT"], call.place, tx)
        if tx.find_incident(number) is not None:
            return [number]
        words = call["ALERT"].split()
        about = call.about.subjects[0] if call.about is not None else ""
        if tx.find_incident(about) is not None:
            return [about]
        names_alerts = bool(words) and (
            bare(words[0]) in ("mine", "all") or tx.find_group(bare(words[0])) is not None
        )
        if names_alerts:
            return []
        incident = incident_in(call.place, tx)
        if incident is not None:
            return [incident.number]
        # A cause is several words, of which none could be an id that was mistyped.
        explains = len(words) > 1 and not any(sign.isdigit() for sign in words[0])
        there = [one.number for one in tx.open_incidents() if one.active and call.place in one.team_rooms]
        return there if explains and len(there) == 1 else []

    def waiting(self, call: Call, tx: Transaction) -> Sequence[str]:
        """What is not over and the speaker leads: only that is surely meant where nothing else is. Raises Refused."""
        theirs = [one.number for one in tx.open_incidents() if one.active and one.commander == call.by]
        if not theirs:
            raise Refused("you lead no incident")
        return theirs

    # By what happens.

    def began(self, event: IncidentDeclared | SeverityChanged | IncidentReopened, tx: Transaction) -> None:
        """The time until it is mitigated runs from the declaration on, by how severe it is now."""
        incident = tx.incident(event.subject)
        if not incident.active:
            self._owe(incident, tx)
            return
        tx.cancel_timer(CLOSING, incident.number)
        tx.cancel_timer(LEAVE, incident.number)
        if Clock.MITIGATED in incident.clocks:
            return
        since = incident.began_at or tx.now
        budget = self.budgets.of(incident.severity)
        for part, length in ((HALF, budget / 2), (WHOLE, budget)):
            left = since + length - tx.now
            key = f"{incident.number}/{part}"
            tx.cancel_timer(BUDGET, key)
            if left > timedelta(0):
                tx.set_timer(BUDGET, key, after=left)

    def stopped(self, event: IncidentMitigated | IncidentResolved, tx: Transaction) -> None:
        """No time runs any more."""
        for part in (HALF, WHOLE):
            tx.cancel_timer(BUDGET, f"{event.subject}/{part}")
        if isinstance(event, IncidentResolved):
            self._owe(tx.incident(event.subject), tx)

    def _owe(self, incident: Incident, tx: Transaction) -> None:
        """Have whoever led be reminded of the long message, if one is owed and still to be written."""
        if not (incident.open and _owes_message(incident)):
            tx.cancel_timer(CLOSING, incident.number)
        elif not tx.timer_is_set(CLOSING, incident.number):
            tx.set_timer(CLOSING, incident.number, after=self.closing_after)

    def closed(self, event: IncidentClosed, tx: Transaction) -> None:
        """Its rooms are left, a while later."""
        tx.cancel_timer(CLOSING, event.subject)
        tx.set_timer(LEAVE, event.subject, after=LEAVE_AFTER)

    def spent(self, timer: Timer, tx: Transaction) -> None:
        """Half of the time is over, or all of it."""
        number, _, part = timer.key.partition("/")
        incident = tx.find_incident(number)
        if incident is None or not incident.active or Clock.MITIGATED in incident.clocks:
            return
        budget = spelled(self.budgets.of(incident.severity))
        tx.record(BudgetSpent(subject=number, at=tx.now, part=part))
        text = f"half of {budget} to mitigate is over"
        if part == WHOLE:
            text = f"not mitigated within {budget}"
            if incident.severity != SEVERITIES[0]:
                text += f": is it worse than {incident.severity}? {asking(incident, tx)}"
        command = tx.typed(f"mitigated {number}")
        brief = text.partition(":")[0]
        tell_incident(incident, of_incident(incident, text, brief=brief, command=command), tx)

    def remind(self, timer: Timer, tx: Transaction) -> None:
        """The long message is still to be written."""
        incident = tx.find_incident(timer.key)
        if incident is None or not incident.open or incident.active:
            return
        resolved_at = incident.clocks[Clock.RESOLVED]
        days = (tx.now - resolved_at) // CLOSING_AGAIN
        text = f"{incident.title}: over since {utc(resolved_at, tx)}, and the long message is not written"
        command = f"close {incident.number} TEXT"
        owner = incident.commander or incident.declared_by
        if owner and tx.private_places(owner) and days < MOST_REMINDERS:
            tell_person(incident, owner, text, tx, command=command)
        else:
            message = of_incident(incident, text, brief="not closed yet", command=tx.typed(command))
            tell_incident(incident, message, tx)
        if days < MOST_REMINDERS:
            tx.set_timer(CLOSING, incident.number, after=CLOSING_AGAIN)

    def leave(self, timer: Timer, tx: Transaction) -> None:
        """Its own rooms are needed no more."""
        incident = tx.find_incident(timer.key)
        if incident is not None and not incident.open:
            for place in tx.rooms_for(timer.key):
                tx.leave_room(place)


def _when(words: str, call: Call, tx: Transaction) -> tuple[datetime, str]:
    """When something was, if that stands first, and the words behind it. Raises UsageError."""
    split = words.split()
    if not split or bare(split[0]) != "at":
        return tx.now, words
    try:
        at, taken = parse_past(split[1:], tx.now, tx.person(call.by).timezone)
    except ValueError as error:
        raise UsageError(f"the time {error}") from None
    return at, " ".join(split[1 + taken :])


def _owes_message(incident: Incident) -> bool:
    """Whether everybody is owed the long message at the end."""
    return incident.severity in SEVERITIES[:2] and not incident.drill
