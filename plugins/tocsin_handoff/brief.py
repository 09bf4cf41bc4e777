"""What whoever takes over is told: what is open, what fired in the shift before, which silences end, what was noted."""

from collections import Counter
from collections.abc import Iterator, Sequence
from operator import itemgetter

from tocsin.api import AlertGroup, GroupState, Transaction, counted, first_few
from tocsin_handoff.events import NoteLeft, ShiftBriefed, ShiftHandedOver, shifts_of
from tocsin_handoff.telling import when

MOST_OPEN = 4
MOST_NAMED = 5
MOST_LOOKED_FOR = 100
"""Of a storm of thousands, which would each be read, those that called most tell enough."""

MOST_NOTES = 3
MOST_SILENCES = 3


def lines(handed: ShiftHandedOver, reader: str, tx: Transaction) -> Sequence[str]:
    """The brief, for that person; in UTC for nobody."""
    return [*for_all(handed, reader, tx), *_notes(handed.schedule, reader, tx)]


def for_all(handed: ShiftHandedOver, reader: str, tx: Transaction) -> Sequence[str]:
    """What of it all the world may read: not what people noted."""
    return [*_open(handed, tx), *_fired(handed, reader, tx), *_silences(reader, tx)]


def _open(handed: ShiftHandedOver, tx: Transaction) -> Iterator[str]:
    """What calls whoever had the pager, or is theirs; the rest is somebody else's."""
    groups = [group for group in tx.open_groups() if _concerns(group, handed, tx)]
    for group in groups[:MOST_OPEN]:
        yield f"open: {group.id} {group.brief(tx.config.severities)}{_state(group)}"
    if len(groups) > MOST_OPEN:
        yield f"open: {counted(len(groups) - MOST_OPEN, 'more alert')} \u00b7 {tx.typed('alerts')}"


def _concerns(group: AlertGroup, handed: ShiftHandedOver, tx: Transaction) -> bool:
    people = {*handed.of, *handed.to}
    return group.acknowledged_by in people or bool(tx.paged(group.id) & people)


def _state(group: AlertGroup) -> str:
    match group.state:
        case GroupState.ACKNOWLEDGED:
            return f" ({group.acknowledged_by} has it)"
        case GroupState.SILENCED:
            return " (silenced)"
        case _:
            return " (rings)" if group.rings else " (flaps, quiet now)"


def _fired(handed: ShiftHandedOver, reader: str, tx: Transaction) -> Iterator[str]:
    """How often whoever had the pager was called since the last handoff, and for what."""
    began = tx.last(shifts_of(handed.schedule), ShiftBriefed)
    if began is None or not handed.of:
        return
    pages = Counter(alert for person, alert, _ in tx.pages_since(began.at) if person in handed.of)
    since = f"since {when(began.at, reader, tx)}"
    if not pages:
        yield f"{since}: no page"
        return
    names = Counter[str]()
    for alert, _ in pages.most_common(MOST_LOOKED_FOR):
        group = tx.find_group(alert)
        names[group.called(tx.config.severities)[1] if group is not None else alert] += 1
    most = first_few([f"{number} {name}" for name, number in names.most_common()], MOST_NAMED)
    yield f"{since}: {counted(pages.total(), 'page')} for {counted(len(pages), 'alert')}: {most}"


def _silences(reader: str, tx: Transaction) -> Iterator[str]:
    silenced = ((group.silenced_until, group) for group in tx.open_groups() if group.silenced_until)
    for until, group in sorted(silenced, key=itemgetter(0))[:MOST_SILENCES]:
        yield f"silence ends {when(until, reader, tx)}: {group.id} {group.brief(tx.config.severities)}"


def _notes(schedule: str, reader: str, tx: Transaction) -> Iterator[str]:
    """What was noted since the last handoff."""
    notes = list[NoteLeft]()
    for entry in tx.story(shifts_of(schedule), (NoteLeft, ShiftBriefed)):
        match entry.event:
            case NoteLeft():
                notes.append(entry.event)
            case _:
                notes = []
    for note in notes[-MOST_NOTES:]:
        yield f"note by {note.by}, {when(note.at, reader, tx)}: {note.text}"
