"""Declaring an incident: by hand, or by a rule as soon as an alert fires."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tocsin.api import (
    SEVERITIES,
    AlertGroup,
    AlertsAttached,
    Call,
    GroupOpened,
    GroupReopened,
    Incident,
    IncidentAcknowledged,
    IncidentDeclared,
    Message,
    Place,
    Refused,
    TitleChanged,
    Transaction,
    UsageError,
    answer_there,
    bare,
    first_few,
    groups_of,
    listed,
    meant_incident,
    of_incident,
    rank,
    tell_incident,
)
from tocsin_incidents.settings import Rule
from tocsin_incidents.severity import Severities
from tocsin_incidents.telling import alert_line, has_updates

ATTACH = "attach [INCIDENT] ALERT\u2026"
RENAME = "rename [INCIDENT] TEXT\u2026"
DECLARE = "declare [drill] [sev1|\u2026|sev4] [TEXT\u2026] [from ALERT\u2026]"

LONGEST_TITLE = 200

MOST_TOLD = 5
"""Of so many alerts at most that join an incident by themselves each is told in its room."""

MOST_NAMED = 3

_SEVERITY = re.compile("sev-?[0-9]+")


@dataclass(frozen=True)
class Asked:
    """What somebody declares. severity: empty if they did not say."""

    title: str
    severity: str
    groups: tuple[str, ...]
    drill: bool

    @classmethod
    def read(cls, words: str, tx: Transaction) -> "Asked":
        """Raises UsageError."""
        left: Sequence[str] = words.split()
        drill = bool(left) and bare(left[0]) == "drill"
        left = left[drill:]
        severity = bare(left[0]) if left and bare(left[0]) in SEVERITIES else ""
        if left and not severity and _SEVERITY.fullmatch(bare(left[0])):
            raise UsageError(f"{left[0]!r} is no severity: they go from {SEVERITIES[0]} to {SEVERITIES[-1]}")
        left = left[bool(severity) :]
        groups, left = _named(left, tx)
        return cls(" ".join(left)[:LONGEST_TITLE], severity, groups, drill)


def _named(words: Sequence[str], tx: Transaction) -> tuple[tuple[str, ...], Sequence[str]]:
    """The alerts behind the last `from`, if there stand nothing but their ids, and the words before it."""
    found = [place for place, word in enumerate(words) if bare(word) == "from"]
    ids = [bare(word) for word in words[found[-1] + 1 :] if bare(word) != "and"] if found else []
    if not ids or any(tx.find_group(one) is None for one in ids):
        return (), words
    return tuple(dict.fromkeys(ids)), words[: found[-1]]


@dataclass(frozen=True)
class Declaring:
    """default: how severe it is if nobody says. rules: which alerts are an incident. severities: asks how severe it is."""

    default: str
    rules: Sequence[Rule]
    severities: Severities

    def declare(self, call: Call, tx: Transaction) -> Message | None:
        """`!declare sev2 the queue stands still from k7f3`."""
        asked = Asked.read(call["WORDS"], tx)
        groups = asked.groups or self._answered(call, tx)
        if not asked.title and not groups:
            raise UsageError(f"what is wrong? say {tx.typed(DECLARE)}")
        taken = next((one for one in map(tx.incident_of, groups) if one is not None), None)
        if taken is not None:
            raise Refused(f"that is incident {taken.number} already: {taken.called}")
        order = tx.config.severities
        title = asked.title or tx.group(groups[0]).describe(order)[:LONGEST_TITLE]
        incident = self._open(
            IncidentDeclared(
                subject=tx.open_incident(),
                at=tx.now,
                by=call.by,
                title=title,
                severity=asked.severity or self.default,
                groups=tuple(groups),
                drill=asked.drill,
                rooms=tuple(map(str, self._rooms(call.place, groups, tx))),
            ),
            tx,
        )
        tx.record(IncidentAcknowledged(subject=incident.number, at=tx.now, by=call.by))
        first = opening(incident, tx)
        if not groups and not asked.drill and (fires := _of_none(tx)):
            number = incident.number
            theirs = tx.typed(f"attach {number} {fires[0] if len(fires) == 1 else 'ALERT'}")
            firing = f"{first_few(fires, MOST_NAMED)} {'fires' if len(fires) == 1 else 'fire'}"
            first = replace(first, lines=(*first.lines, f"{firing}: does that belong to it? {theirs}"))
        answer_there(call, incident, first, tx)
        return None if asked.severity else self.severities.ask(incident, 0, tx)

    def _answered(self, call: Call, tx: Transaction) -> Sequence[str]:
        """The alerts that the message is about to which the line replies."""
        return [one for one in call.about.subjects if tx.find_group(one)] if call.about is not None else []

    def fired(self, event: GroupOpened | GroupReopened, tx: Transaction) -> None:
        """See whether a rule makes an incident of it. What that rule declared and is not over is the same: a storm of
        alerts is one.
        """
        group = tx.group(event.subject)
        if not group.receiver:  # somebody is paged by name, perhaps for an incident
            return
        rule = next((rule for rule in self.rules if _matches(rule, group)), None)
        if rule is None or tx.incident_of(group.id) is not None:
            return
        because = f"by rule {rule.match}"
        known = [one for one in tx.open_incidents() if one.active and one.because == because]
        if known:
            self._join(known[-1], group, tx)
            return
        rooms = tx.rooms(rule.team) if rule.team else []
        incident = self._open(
            IncidentDeclared(
                subject=tx.open_incident(),
                at=tx.now,
                title=group.describe(tx.config.severities)[:LONGEST_TITLE],
                severity=rule.severity,
                groups=(group.id,),
                because=because,
                rooms=tuple(map(str, dict.fromkeys([*rooms, *tx.default_rooms()]))),
            ),
            tx,
        )
        tell_incident(incident, opening(incident, tx), tx)

    def _join(self, incident: Incident, group: AlertGroup, tx: Transaction) -> None:
        tx.record(AlertsAttached(subject=incident.number, at=tx.now, groups=(group.id,)))
        number = len(incident.groups)
        if (
            not incident.own_rooms or number > MOST_TOLD
        ):  # the team's rooms hear of it anyway, in a storm in few lines
            return
        order = tx.config.severities
        more = f"; of more {tx.typed(f'incident {incident.number}')} tells" if number == MOST_TOLD else ""
        text = f"alert {group.id} belongs to it too: {group.describe(order)}{more}"
        tell_incident(incident, of_incident(incident, text, brief=f"alert {group.id} belongs to it too"), tx)

    def attach(self, call: Call, tx: Transaction) -> None:
        """`!attach 42 k7f3 w2x9`: further alerts belong to it."""
        incident, words = meant_incident(call, tx)
        incident.refuse_if_closed()
        if not words:
            raise UsageError(f"say {tx.typed(ATTACH)}")
        new = []
        for one in dict.fromkeys(bare(word) for word in words.split() if bare(word) != "and"):
            group, other = tx.group(one), tx.incident_of(one)
            if other is not None and other is not incident:
                raise Refused(f"{one} belongs to incident {other.number}")
            if other is None:
                new.append(group.id)
        if not new:
            raise Refused(f"{incident.number} has them already")
        tx.record(AlertsAttached(subject=incident.number, at=tx.now, by=call.by, groups=tuple(new)))
        text = f"{listed(new)} {'belong' if len(new) > 1 else 'belongs'} to it now"
        answer_there(call, incident, of_incident(incident, text, brief=text), tx)

    def rename(self, call: Call, tx: Transaction) -> None:
        """`!rename 42 logins fail`."""
        incident, words = meant_incident(call, tx)
        incident.refuse_if_closed()
        if not words:
            raise UsageError(f"say {tx.typed(RENAME)}")
        tx.record(TitleChanged(subject=incident.number, at=tx.now, by=call.by, title=words[:LONGEST_TITLE]))
        message = of_incident(incident, f"called {incident.title!r} from now on", brief="called otherwise")
        answer_there(call, incident, message, tx)

    def _open(self, event: IncidentDeclared, tx: Transaction) -> Incident:
        tx.record(event)
        return tx.incident(event.subject)

    def _rooms(self, place: Place, groups: Iterable[str], tx: Transaction) -> Sequence[Place]:
        """Where it is talked about as long as it has no room of its own: where it was declared, and where its alerts
        were told; else everywhere. Not in a room of another one, which is left when that is over.
        """
        told = [room for one in groups for room in tx.told_places(one) if not room.private]
        here = [] if place.private else [place]
        rooms = [room for room in [*here, *sorted(told, key=str)] if room not in tx.made_rooms]
        return list(dict.fromkeys([*rooms, *tx.default_rooms()]))


def _of_none(tx: Transaction) -> Sequence[str]:
    """The alerts that fire and belong to no incident, the oldest first; not what somebody was paged with."""
    taken = {one for incident in tx.open_incidents() for one in incident.groups}
    return [
        group.id for group in tx.open_groups() if group.fires and group.receiver and group.id not in taken
    ]


def _matches(rule: Rule, group: AlertGroup) -> bool:
    return any(rule.match.matches(alert.labels) for alert in group.alerts.values()) or (
        not group.alerts and rule.match.matches({})
    )


def opening(incident: Incident, tx: Transaction) -> Message:
    """The first that is said of it."""
    who = f" by {incident.declared_by or 'rule'}"
    order = tx.config.severities
    groups = sorted(groups_of(incident, tx), key=lambda group: rank(group.severity(order), order))
    alerts = [alert_line(group, tx) for group in groups[:3]]
    following = "status {0} TEXT" if has_updates(tx) else "mitigated {0} HOW"
    return of_incident(
        incident,
        f"{incident.severity} declared{who}: {incident.title}",
        brief=f"{incident.severity} incident declared{who}",
        command=tx.typed(following.format(incident.number)),
        lines=alerts,
    )
