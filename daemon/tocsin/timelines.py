"""The timeline of an incident, read from the journal."""

from collections.abc import Iterator, Sequence

from tocsin.domain.group import GroupOpened, GroupReopened
from tocsin.domain.incident import Incident
from tocsin.domain.incident_events import Clock
from tocsin.domain.timeline import LEAD, Moment, merged
from tocsin.facts import Facts
from tocsin.store import journal
from tocsin.store.journal import Entry


def timeline(incident: Incident, facts: Facts) -> Sequence[Moment]:
    """What happened to an incident, and what of its alerts is a part of it, the oldest first."""
    own = facts.story(incident.number)
    return merged(own, (entry for group in incident.groups for entry in _of_alert(group, incident, facts)))


def _of_alert(group: str, incident: Incident, facts: Facts) -> Iterator[Entry]:
    """From shortly before it was declared until it is closed; and since when it fires, if that was before."""
    declared = incident.declared_at
    if declared is None or facts.find_group(group) is None:
        return
    matters = [kind for kind in facts.kinds.values() if kind.matters]
    before = journal.last_before(facts.connection, group, declared - LEAD)
    if before:
        opened = [one for one in facts.story(group, (GroupOpened, GroupReopened)) if one.seq <= before]
        yield from opened[-1:]
    closed = incident.clocks.get(Clock.CLOSED)
    for entry in facts.story(group, matters, after=before):
        if closed is None or entry.at <= closed:
            yield entry
