"""What people read of the checks of an incident, and where."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from tocsin.api import (
    Incident,
    Message,
    Place,
    Transaction,
    counted,
    first_few,
    incident_rooms,
    of_incident,
    written,
)
from tocsin_verification.events import CannotVerify
from tocsin_verification.figures import length, part_of, said
from tocsin_verification.judge.verdict import Judgement, Verdict
from tocsin_verification.judging import Found
from tocsin_verification.verified import Checked, Verified
from tocsin_verification.words import Lines, lines, reported

MOST_NAMED = 5

MOST_LINES = 8
"""So many an answer has where each line is a message by itself, as on IRC, but for what an all-clear waits for."""

_UTC = ZoneInfo("UTC")

_BETTER = {
    None: 0,
    Verdict.CANT_TELL: 1,
    Verdict.NOT_YET: 2,
    Verdict.RECOVERING: 3,
    Verdict.ALL_CLEAR: 4,
}


def line_of(check: Checked, judgement: Judgement, zone: ZoneInfo = _UTC) -> Lines:
    """How a check stands, and what explains it."""
    if check.added.probe:
        known = judgement.verdict is not Verdict.CANT_TELL
        return Lines(_probed(check, judgement, zone), "", "", known)
    added = check.added
    accepted = check.accepted.timestamp() if check.accepted is not None else None
    if judgement.verdict is Verdict.ALL_CLEAR and judgement.onset is None and accepted is None:
        return Lines(report_of(check, judgement, zone), "", "", known=True)
    unit, direction = added.unit, added.direction
    return lines(check.name, judgement, unit=unit, direction=direction, zone=zone, accepted=accepted)


def report_of(check: Checked, judgement: Judgement, zone: ZoneInfo = _UTC) -> str:
    """What a check says of an incident that was just declared."""
    if check.added.probe:
        return _probed(check, judgement, zone)
    added = check.added
    return reported(check.name, judgement, unit=added.unit, direction=added.direction, zone=zone)


def _probed(check: Checked, judgement: Judgement, zone: ZoneInfo) -> str:
    within = f" within {said(judgement.value, 's')}" if judgement.value is not None else ""
    answers = f"{check.name} answers{within}"
    match judgement.verdict:
        case Verdict.CANT_TELL:
            return f"{check.name}: cannot verify: {judgement.missing}"
        case Verdict.NOT_YET:
            return f"{check.name} {judgement.missing}: not back yet"
        case Verdict.RECOVERING:
            return f"{answers}: back for {part_of(judgement.held, judgement.hold)}"
    since = judgement.back_since
    if not check.seen or since is None:
        return f"{answers}: nothing is seen there"
    return f"{answers}: all clear, back since {_clock(since, zone, judgement.at)}"


def _clock(at: float, zone: ZoneInfo, now: float) -> str:
    return written(datetime.fromtimestamp(at, UTC), zone, datetime.fromtimestamp(now, UTC))


def progress(incident: Incident, facts: Sequence[str], state: Verified) -> Message:
    """How all checks stand. facts: each in a line."""
    return message(incident, facts, summary(state))


def summary(state: Verified) -> str:
    """`back: 1 of 3 checks`: nothing that not everybody may know; behind an incident's number it begins with a word."""
    checks = list(state.checks.values())
    back = sum(one.verdict is Verdict.ALL_CLEAR for one in checks)
    unknown = sum(one.verdict in (None, Verdict.CANT_TELL) for one in checks)
    of = counted(len(checks), "check")
    text = f"back: {back} of {of}" if back else f"none of {of} is back"
    return f"{text}, {unknown} cannot be verified" if unknown else text


def message(incident: Incident, facts: Sequence[str], text: str, *, command: str = "") -> Message:
    if len(facts) == 1:
        return of_incident(incident, facts[0], brief=text, command=command)
    return of_incident(incident, text, brief=text, command=command, lines=facts)


def show(incident: Incident, message: Message, tx: Transaction, *, anew: bool) -> None:
    """Put right the line that shows how the checks stand, where the network can do that.

    anew: where it does not stand yet it is said.
    """
    for room in incident_rooms(incident, tx):
        if tx.edits(room) and not tx.amend(room, message, about=incident.number) and anew:
            tx.news(room, message, about=incident.number, anew=True)


def show_anew(incident: Incident, message: Message, tx: Transaction, lasting: Message | None = None) -> None:
    """Say how the checks stand; it is put right from then on where the network can do that.

    lasting: what is said instead where it can't.
    """
    for room in incident_rooms(incident, tx):
        told = message if lasting is None or tx.edits(room) else lasting
        tx.news(room, told, about=incident.number, anew=True)


def tell_changes(incident: Incident, facts: Sequence[str], text: str, tx: Transaction) -> None:
    """Say what changed where nothing can be put right."""
    told = message(incident, facts, text)
    for room in incident_rooms(incident, tx):
        if not tx.edits(room):
            tx.say(room, told, about=incident.number)


def until(check: Checked, state: Verified, incident: Incident, now: datetime) -> str:
    """Behind how it stands: until when it must hold, if it was clear before somebody said that it is not over."""
    if check.verdict is not Verdict.ALL_CLEAR or state.said_at is None or not check.seen:
        return ""
    at = check.holds_until(state.said_at)
    return f" (before it was {begun(incident)}: must hold until {written(at, _UTC, now)})" if at > now else ""


def begun(incident: Incident) -> str:
    """How it last came to be an incident, after `it was`."""
    return "reopened" if incident.reopened else "declared"


def with_spark(fact: str, found: Found | None) -> str:
    """A fact with the last hours of its metric behind it."""
    return f"{fact} {found.spark}" if found is not None and found.spark else fact


def worst_first(checks: Iterable[Checked]) -> list[Checked]:
    """What keeps from the all-clear stands first."""
    return sorted(checks, key=lambda one: (not one.added.must, _BETTER[one.verdict]))


def lacking(
    state: Verified, found: Mapping[str, Found], before: datetime
) -> Sequence[tuple[Checked, CannotVerify]]:
    """The checks that can't be verified since that time or longer, and were not told to be so; with what is to be kept of it.

    One that somebody added, and that never gave anything, is among them at once: they may have mistyped it.
    """
    lacks = []
    for check in state.checks.values():
        judged, one = check.judged, found.get(check.name)
        if judged is None or one is None or judged.verdict is not Verdict.CANT_TELL:
            continue
        long_enough = judged.at <= before or (check.added.by and check.stood is None)
        if one.judgement.verdict is Verdict.CANT_TELL and check.cannot is None and long_enough:
            at = datetime.fromtimestamp(one.judgement.at, UTC)
            missing = one.judgement.missing
            told = CannotVerify(
                subject=judged.subject, at=at, check=check.name, missing=missing, since=judged.at
            )
            lacks.append((check, told))
    return lacks


def cannot_line(check: Checked, missing: str, tx: Transaction) -> str:
    """`cannot verify errors: no data (since 13:52 UTC)`."""
    since = check.judged.at if check.judged is not None else tx.now
    return f"cannot verify {check.name}: {missing} (since {written(since, _UTC, tx.now)})"


def clear_text(since: datetime | None, what: str, now: datetime, facts: Sequence[str]) -> str:
    """`all clear, 42 min after it was mitigated`, with the fact behind it if there is one alone."""
    after = f", {length((now - since).total_seconds())} after {what}" if since is not None else ""
    behind = f": {facts[0]}" if len(facts) == 1 else ""
    return f"all clear{after}{behind}"


def answer(
    incident: Incident,
    state: Verified,
    found: Mapping[str, Found],
    place: Place,
    tx: Transaction,
) -> Message:
    """How all checks stand, with what explains it, for somebody who asks; in few lines where each is a message by itself."""
    checks, lasts = worst_first(state.checks.values()), tx.edits(place)
    at_length = lasts or 2 * len(checks) < MOST_LINES
    shown = checks if lasts or len(checks) < MOST_LINES else _not_clear(checks)[: MOST_LINES - 3]
    facts = []
    for check in shown:
        one = found.get(check.name)
        if one is None:
            facts.append(f"{check.name}: not looked at yet")
            continue
        line = line_of(check, one.judgement)
        fact = line.fact if lasts else with_spark(line.fact, one)
        facts.append(fact if check.added.must else f"{fact} (nice to have)")
        if at_length and line.why and one.judgement.verdict is not Verdict.CANT_TELL:
            facts.append(line.why)
    facts += _rest(checks, shown)
    if state.all_clear and not state.cleared and incident.open and (at := state.holds_until(tx.now)):
        until_then = written(at, _UTC, tx.now)
        facts.append(f"clear before it was {begun(incident)}: all clear once it holds until {until_then}")
    text = summary(state)
    return of_incident(incident, text, brief=text, lines=facts)


def _not_clear(checks: Sequence[Checked]) -> Sequence[Checked]:
    return [one for one in checks if one.verdict is not Verdict.ALL_CLEAR]


def _rest(checks: Sequence[Checked], shown: Sequence[Checked]) -> Iterator[str]:
    """Those that are not shown, by their names."""
    left = [one for one in checks if one not in shown]
    bad = [one.name for one in _not_clear(left)]
    clear = [one.name for one in left if one.name not in bad]
    if bad:
        yield f"{len(bad)} more {'is' if len(bad) == 1 else 'are'} not clear: {first_few(bad, MOST_NAMED)}"
    if clear:
        yield f"{len(clear)} {'is' if len(clear) == 1 else 'are'} clear: {first_few(clear, MOST_NAMED)}"


def with_awaited(message: Message, number: str, alerts: Sequence[str], tx: Transaction) -> Message:
    """The same, with what the all-clear waits for, if it waits for that alone."""
    if not alerts:
        return message
    line = f"{_awaits(alerts)}: {tx.typed(f'allclear {number} BECAUSE')}"
    return replace(message, lines=(*message.lines, line))


def awaits(incident: Incident, alerts: Sequence[str], tx: Transaction) -> Message:
    """What the all-clear waits for, though all that is checked is clear."""
    command = tx.typed(f"allclear {incident.number} BECAUSE")
    return of_incident(incident, _awaits(alerts), brief="no all-clear yet", command=command)


def _awaits(alerts: Sequence[str]) -> str:
    fires, watch = ("still fires", "it watches") if len(alerts) == 1 else ("still fire", "they watch")
    return f"no all-clear yet: {first_few(alerts, MOST_NAMED)} {fires}, and no check looks at what {watch}"
