"""What is old: what ended long ago and nothing needs any more, found beside the writer; it takes its time."""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, Select, exists, func, literal_column, select

from tocsin.domain.digest import DIGEST, DigestSaid
from tocsin.domain.event import Event
from tocsin.domain.incident_events import INCIDENT, AlertsAttached, IncidentDeclared
from tocsin.domain.page import PageBegun
from tocsin.store.prune import MOST_AT_ONCE, Part, ended
from tocsin.store.schema import audit, events, pruned, subjects, timers

_HAS_GROUPS = (IncidentDeclared.kind, AlertsAttached.kind, PageBegun.kind)


@dataclass(frozen=True)
class Plan:
    """What can go. counts: of subjects by their kind, of `events` and of `audit` lines. since: when the oldest of it was
    written down. size: about how many bytes that is. kept: of the subjects that ended before, by their kind, how many stay.
    newest: when something was written down last, of all that there is.
    """

    before: datetime
    parts: Sequence[Part] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    since: datetime | None = None
    size: int = 0
    kept: Mapping[str, int] = field(default_factory=dict)
    newest: datetime | None = None


def plan(
    connection: Connection, before: datetime, kinds: Mapping[str, type[Event]], held: Collection[str] = ()
) -> Plan:
    """Find what ended before that time, and nothing needs any more; it takes its time.

    kinds: the events that are known. held: subjects that are needed still.
    """
    old = {row.id: str(row.kind) for row in connection.execute(_ended(before))}
    busy = {*held, *_with_timers(connection)}
    there = set(connection.execute(select(subjects.c.id)).scalars())
    groups_of = _groups(connection, INCIDENT, _HAS_GROUPS)
    fit = {one for one in old if one not in busy and old[one] != DIGEST}
    together = list(_together(groups_of, there))
    for members in together:
        if not members <= fit:
            fit -= members
    told = _groups(connection, DIGEST, (DigestSaid.kind,))
    digests = {
        one for one, kind in old.items() if kind == DIGEST and not (told.get(one, set()) & there) - fit
    }
    going = fit | (digests - busy)
    gone = set(connection.execute(select(pruned.c.id)).scalars())
    counts, since, size = Counter(old[one] for one in going), list[datetime](), 0
    left_over, written = list[str](), connection.execute(_WRITTEN).all()
    for row in written:
        if row.subject in gone:
            left_over.append(row.subject)
        elif row.subject not in going:
            continue
        counts["events"] += row.number
        size += row.size
        since.append(row.since)
    outdated = [seq for seq, subject in _outdated(connection, before, kinds) if subject not in going | gone]
    counts["events"] += len(outdated)
    lines = connection.execute(_lines(before)).one()
    counts["audit"] = lines.number
    return Plan(
        before,
        [
            *_in_parts([one for one in old if one in going], together),
            *(Part((one,)) for one in left_over),
            *(Part(events=outdated[at : at + MOST_AT_ONCE]) for at in range(0, len(outdated), MOST_AT_ONCE)),
            *([Part(audit=lines.last)] if lines.number else []),
        ],
        {name: number for name, number in counts.items() if number},
        min([*since, *filter(None, [lines.since])], default=None),
        size + lines.size,
        Counter(kind for one, kind in old.items() if one not in going and kind != DIGEST),
        max((row.newest for row in written), default=None),
    )


def _ended(before: datetime) -> Select[tuple[str, str]]:
    """Those to which nothing happened since then, and of which nothing is still to be said, in their order."""
    return select(subjects.c.id, subjects.c.kind).where(*ended(before)).order_by(subjects.c.number)


def _with_timers(connection: Connection) -> Iterator[str]:
    """All that timers are about."""
    for row in connection.execute(select(timers.c.kind, timers.c.key)):
        if not (
            row.kind.startswith("core.") and row.key.isdigit()
        ):  # that is a message's number, not an incident's
            yield row.key.partition("/")[0]


def _groups(connection: Connection, kind: str, only: Collection[str]) -> Mapping[str, set[str]]:
    """The alert groups of each subject of a kind, of those that were ever named by these kinds of events."""
    query = (
        select(events.c.subject, events.c.body)
        .join(subjects, subjects.c.id == events.c.subject)
        .where(subjects.c.kind == kind, events.c.kind.in_(only))
    )
    found = defaultdict[str, set[str]](set)
    for row in connection.execute(query):
        body = json.loads(row.body)
        found[row.subject] |= {*body.get("groups", ()), *filter(None, [body.get("group")])}
    return found


def _together(groups_of: Mapping[str, set[str]], there: Collection[str]) -> Iterator[set[str]]:
    """Incidents with their alerts, and with all others that share one with them."""
    linked = defaultdict[str, set[str]](set)
    for incident, groups in groups_of.items():
        for group in groups:
            if group in there:
                linked[incident].add(group)
                linked[group].add(incident)
    while linked:
        members, ahead = set[str](), [next(iter(linked))]
        while ahead:
            one = ahead.pop()
            if one not in members:
                members.add(one)
                ahead += linked.pop(one)
        yield members


_WRITTEN = select(
    events.c.subject,
    func.count().label("number"),
    func.sum(func.length(events.c.body) + func.length(events.c.headline) + literal_column("160")).label(
        "size"
    ),
    func.min(events.c.recorded_at).label("since"),
    func.max(events.c.recorded_at).label("newest"),
).group_by(events.c.subject)


def _lines(before: datetime) -> Select[tuple[int, int, int, datetime]]:
    return select(
        func.count().label("number"),
        func.coalesce(func.max(audit.c.seq), 0).label("last"),
        func.coalesce(func.sum(func.length(audit.c.what) + literal_column("120")), 0).label("size"),
        func.min(audit.c.at).label("since"),
    ).where(audit.c.at < before)


def _outdated(
    connection: Connection, before: datetime, kinds: Mapping[str, type[Event]]
) -> Iterator[tuple[int, str]]:
    """The events that nobody reads any more though what they are about goes on: the place of each, and its subject."""
    passing = [kind for kind, event in kinds.items() if event.passing]
    old = events.c.recorded_at < before
    yield from _places(connection, select(events).where(events.c.kind.in_(passing), old))
    outdated = defaultdict[str, list[str]](list)
    for kind, event in kinds.items():
        if event.outdated_by:
            outdated[event.outdated_by].append(kind)
    for by, those in outdated.items():
        later = events.alias()
        newer = exists().where(
            later.c.subject == events.c.subject,
            later.c.kind == by,
            later.c.seq > events.c.seq,
            later.c.recorded_at < before,
        )
        yield from _places(connection, select(events).where(events.c.kind.in_(those), old, newer))


def _places(connection: Connection, of: Select[tuple[object, ...]]) -> Iterator[tuple[int, str]]:
    query = of.with_only_columns(events.c.seq, events.c.subject).order_by(events.c.seq)
    yield from ((row.seq, row.subject) for row in connection.execute(query))


def _in_parts(going: Sequence[str], together: Iterable[set[str]]) -> Iterator[Part]:
    """Incidents first, each with those that share alerts with it; their alerts once they are gone."""
    place, behind = {one: at for at, one in enumerate(going)}, set[str]()
    for members in together:
        if members <= place.keys():
            incidents = [one for one in members if one.isdigit()]
            yield Part(sorted(incidents, key=int))
            alerts = sorted(members.difference(incidents), key=lambda one: place[one])
            yield from (Part((one,), after=incidents[0]) for one in alerts)
            behind |= members
    yield from (Part((one,)) for one in going if one not in behind)
