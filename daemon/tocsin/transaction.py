"""A turn: what happened, what must happen later and what must be said, in one commit."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import Connection

from tocsin import bridged, edits
from tocsin.domain.event import Event
from tocsin.domain.group import AlertGroup, GroupAcknowledged, GroupReopened, GroupResolved, GroupSilenced
from tocsin.domain.incident_events import INCIDENT, IncidentClosed, IncidentReopened
from tocsin.domain.message import Message, Place
from tocsin.domain.oncall import Identity
from tocsin.domain.page import PageDelivered, PersonPaged, PersonReleased
from tocsin.domain.room import ROOMS, RoomLeft
from tocsin.domain.words import counted
from tocsin.errors import TocsinError
from tocsin.facts import GROUP, Facts, Known
from tocsin.logs import about
from tocsin.rules import MOST_FAULTS, Owned, Rules
from tocsin.store import codes, journal, outbox, subjects, timers
from tocsin.store.outbox import Lane
from tocsin.store.timers import Now
from tocsin.store.writer import savepoint

log = logging.getLogger(__name__)

E = TypeVar("E", bound=Event)

Then = Callable[[], None]

PAGE_DEADLINE = timedelta(seconds=58)
"""A page that no network took for so long goes to the fallback, so that it rings within a minute."""

NEXT_WAY = "core.next_way"
NEXT_WAY_AFTER = timedelta(seconds=19)
"""A page that no network took for so long is said on the next one besides, and is there within 20 s."""

PAGE_DEADLINE_TIMER = "core.page_deadline"

FALLBACK = Place("fallback", "command")
"""Where a page goes when chat can't take it."""

WATCH_AGAIN = timedelta(minutes=5)
"""How long after it said that nothing will page for an alert the core says so again."""

SILENCE_OVER = "core.silence_over"
SILENCE_GRACE = timedelta(minutes=1)
"""A silence that nobody has ended so long after its time is ended by the core: else it would never ring again."""

RETRY_REACTION = timedelta(seconds=10)
"""How long after it failed a reaction is tried again."""

DEEPEST = 50
"""How many events may follow from one another before that is taken for a loop."""


class Endless(TocsinError):
    """Events follow from one another without end; all of them are undone."""


@dataclass(frozen=True)
class Recorded:
    """An event of a turn.

    after: how long its alert had rung by then, if it is an answer, or the first page that was delivered since it rings.
    """

    event: Event
    after: timedelta | None = None


@dataclass(frozen=True)
class Standing:
    """How an alert group stands at the end of a turn that had to do with it, or an incident.

    kind: which of both it is. open: a drill counts nowhere, and so is not. state: of an alert group. severity: one of the configured ones, or an incident's.
    groups: the alert groups that belong to an incident.
    """

    kind: str
    open: bool
    severity: str
    state: str = ""
    groups: tuple[str, ...] = ()


class Transaction(Facts):
    """What a handler gets: four verbs, and the questions of `Facts`."""

    def __init__(self, connection: Connection, known: Known, time: Now, rules: Rules) -> None:
        """Made by the daemon for each turn."""
        super().__init__(connection, known, time)
        self.rules = rules
        self._touched: set[str] = set()
        self._next_steps: set[str] = set()  # which surely have one
        self._depth = 0
        self._said_in_rooms: list[int] = []
        # Kept past what is undone, and said when the turn ends: a fault must not take its own alarm with it.
        self._alarms: dict[str, tuple[str, str]] = {}
        self.recorded: list[Recorded] = []
        """What happened in this turn, in order, without what was undone."""
        self.standing: dict[str, Standing] = {}
        """How the alert groups and incidents stand at its end that it had to do with, by id."""
        self.sent: list[tuple[str, str]] = []
        """Of each message that was sent, on which network, and in a word what came of it."""
        self.accepted_at: datetime | None = None
        """When that came in of which this is the turn, if it was posted."""
        self.faults: list[str] = []
        """What failed in this turn and was undone by itself, in words."""
        self.places: set[Place] = set()
        """Where something is to be said since this turn."""
        self.amended: set[Place] = set()
        """Where something that was said is to be put right since this turn."""
        self.timers_changed = False
        self.bodies_kept = False
        self.once_kept: Then = lambda: None
        """Called in the event loop once this turn is kept, before anybody is told of it."""
        self.if_undone: Then = lambda: None
        """Takes back what this turn changed beside the store."""

    @property
    def now(self) -> datetime:
        """The time of this turn, in UTC."""
        return self.time.at

    # The four verbs.

    def record(self, event: E) -> E:
        """Write down what happened; whoever reacts to it does so now."""
        if self._depth >= DEEPEST:
            raise Endless(f"{event.kind}: reactions follow from one another without end")
        seq = journal.add(self.connection, event, self.now)
        self.follow(event)
        self.recorded.append(Recorded(event, self._rang_for(event)))
        self._touched.add(event.subject)
        if isinstance(event, GroupAcknowledged | GroupSilenced | GroupResolved):
            outbox.cancel_pages(self.connection, event.subject, self.time)
        if isinstance(event, PersonReleased):
            outbox.cancel_pages(self.connection, event.subject, self.time, event.person)
        if isinstance(event, GroupSilenced):
            left = max(event.until - self.now, timedelta(0))
            self.set_timer(SILENCE_OVER, event.subject, after=left + SILENCE_GRACE)
        if isinstance(event, GroupResolved | IncidentClosed):
            subjects.close(self.connection, event.subject, event.at)
        elif isinstance(event, GroupReopened | IncidentReopened):
            subjects.reopen(self.connection, event.subject)
        self._depth += 1
        try:
            for reaction in self.rules.reactions.get(type(event), ()):
                self._react(reaction, event, seq)
        finally:
            self._depth -= 1
        return event

    def set_timer(
        self, kind: str, key: str, *, after: timedelta | None = None, at: datetime | None = None
    ) -> None:
        """Ring later: after a length of time, exact over clock steps, or at a time of the wall clock.

        The same kind and key set again moves the timer. Raises ValueError for a kind that nobody declared.
        """
        if kind not in self.rules.timers:
            raise ValueError(f"no timer of kind {kind!r} was declared")
        if (after is None) is (at is None):
            raise TypeError("set_timer takes either after= or at=")
        if after is not None:
            timers.set_after(self.connection, kind, key, after, self.time)
        elif at is not None:
            timers.set_at(self.connection, kind, key, at)
        self.timers_changed = True
        if self.rules.timers[kind].pages:
            self._next_steps.add(key)

    def cancel_timer(self, kind: str, key: str) -> None:
        """Don't ring; nothing happens if it was not set."""
        timers.cancel(self.connection, kind, key)
        self._next_steps.discard(key)

    def say(
        self,
        place: Place,
        message: Message | str,
        *,
        about: str = "",
        lane: Lane = Lane.STATUS,
        settle: bool = False,
    ) -> None:
        """Say something, once this turn is kept. about: the subject's id, which stands before a plain text.

        settle: only once no page of that subject can be seen any more.
        """
        self._put(place, message, lane=lane, subject=about, settle=settle)

    def page(self, place: Place, message: Message | str, *, about: str, person: str = "") -> int:
        """Call somebody, before anything else is said there; the page's number.

        Cancelled if an acknowledgement comes first. If no network takes it in time, the fallback rings, and
        `PageFailed` is recorded; else `PageDelivered`. Of many at once a digest is said.
        """
        if isinstance(message, str):
            message = Message(message, subject=about)
        if message.told is None:
            message = replace(message, told="")
        row = self._put(place, message, lane=Lane.PAGE, subject=about, person=person)
        if place != FALLBACK:
            self.set_timer(PAGE_DEADLINE_TIMER, str(row), after=PAGE_DEADLINE)
        return row

    def page_person(self, person: str, message: Message | str, *, about: str, urgent: bool = False) -> int:
        """Call somebody who has an account, by one network after another until one takes it; the page's number.

        As for `page`, of which all that becomes of it is recorded once, whatever ways it goes. urgent: as for
        `PersonPaged`, which is recorded.
        """
        first, *others = self.private_places(person)
        number = self.page(first, message, about=about, person=person)
        if others:
            outbox.begin_ways(self.connection, number)
            wait = NEXT_WAY_AFTER if self.reaches(first) else timedelta(0)
            self.set_timer(NEXT_WAY, str(number), after=wait)
        self.record(PersonPaged(subject=about, at=self.now, page=number, person=person, urgent=urgent))
        return number

    # What the verbs add up to.

    def proven(self, place: Place, message: Message, *, about: str, person: str) -> Message:
        """The message with a code for its command, if it goes to somebody in private who can't be known otherwise.

        A page gets its code by itself, once it is said.
        """
        network = self.config.networks.get(place.network)
        if network is None or network.identity is not Identity.CODES or not (place.private and person):
            return message
        if not message.command:
            return message
        code = codes.new(self.connection, place.network, person, about, self.now)
        word = message.command.split()[0].removeprefix(self.config.prefix)
        return replace(message, command=f"{word} {code}")

    def _may_be_typed(self, command: str, place: Place) -> bool:
        """Whether what is to be typed next is heard there: an alert's id is not where only its code is."""
        network = self.config.networks.get(place.network)
        by_code = network is not None and network.identity is Identity.CODES
        alert = "".join(command.split()[1:2])
        return not (by_code and alert) or alert.isdigit()

    def tell(self, message: Message | str, *, about: str = "", but_not: Place | None = None) -> None:
        """Say something in the default room of every network."""
        for room in self.default_rooms():
            if room != but_not:
                self.say(room, message, about=about)

    def news(self, place: Place, message: Message | str, *, about: str, anew: bool = False) -> None:
        """Say what is being done about an alert that rings; not any more once somebody has answered.

        Where a line about it stands that can be put right, that shows it. anew: it is said nonetheless.
        """
        told = None if anew or isinstance(message, str) else message.told
        group = self.find_group(about)
        rings = group if group is not None and group.unanswered else None
        # A bridge would make of an edit what it likes, and of the other side's line another one here.
        told = None if self.bridges.leads(place) else told
        if rings and told is not None and edits.show_progress(self, place, rings, told):
            self.amended.add(place)
        else:
            self.say(place, message, about=about, lane=Lane.NEWS)

    def amend(self, place: Place, message: Message, *, about: str) -> bool:
        """Put right what was said of an alert, or of an incident by `news`, in a place; False if it can't be, or does not
        stand there by itself.

        It rings nobody: whoever needs to know is told besides.
        """
        group = self.find_group(about)
        incident = self.find_incident(about) if group is None else None
        since = group.began_at if group else incident.declared_at if incident else None
        if not edits.show_state(self, place, about, since, message):
            return False
        self.amended.add(place)
        return True

    def fall_back(self, message: Message, *, about: str) -> bool:
        """Ring by what is not chat; False if the configuration names nothing for it."""
        if not self.config.fallback.command:
            return False
        self.page(FALLBACK, message, about=about)
        return True

    def take_back_first(self, network: str) -> None:
        """What was to be said first there, and was not yet, is old by now."""
        outbox.cancel_first(self.connection, network, self.time)

    def alarm(self, subject: str, why: str, *, brief: str = "") -> None:
        """Say an alert plainly in the default rooms, and ring the fallback: nobody else may be paging for it.

        It is said when the turn ends, once, if it still rings then; whatever of the turn is undone until then.
        """
        self._alarms.setdefault(subject, (why, brief or why))

    def open(self, kind: str, key: str) -> str:
        """A new subject, to which events can happen; its id."""
        return subjects.add(self.connection, kind, key, self.now)

    def open_incident(self) -> str:
        """A new subject for an incident; its number. Whoever opens it records `IncidentDeclared` next."""
        return subjects.add_counted(self.connection, INCIDENT, self.now)

    def close(self, subject: str) -> None:
        """Nothing more will happen to a subject of a plugin's own; its id stays what it was."""
        subjects.close(self.connection, subject, self.now)

    def leave_room(self, place: Place) -> None:
        """Be in a room of our own no more, once this turn is kept; what is still to be said there then is not.

        Nothing happens if it is none, or was left already.
        """
        if place in self.made_rooms:
            self.record(RoomLeft(subject=ROOMS, at=self.now, network=place.network, room=place.name))

    # For the machinery around a turn.

    def look_after(self, subject: str) -> None:
        """See at the end of the turn that it has a next step, if it rings."""
        self._touched.add(subject)

    def part(self) -> "Part":
        """A part of this turn that is kept whole or undone; what it raised is in `error`."""
        return Part(self)

    def finish(self) -> None:
        """The turn is about to be kept: nothing that rings may be left without a next step."""
        for subject in self._touched:
            group = self.find_group(subject)
            if (
                group is not None
                and group.rings
                and subject not in self._next_steps
                and not timers.any_for(self.connection, subject, self.rules.steps)
            ):
                self.alarm(subject, "No plugin will page anybody for it.")
                self.set_timer("core.watch", subject, after=WATCH_AGAIN)
        for subject, (why, brief) in self._alarms.items():
            group = self.find_group(subject)
            if group is not None and group.rings:
                self._sound(group, why, brief)
        for owner in sorted(self.rules.breaker.untold):
            self.tell(f"plugin {owner} fails again and again: it is left out for a minute. See the log.")
        self.rules.breaker.untold.clear()
        bridged.hold(self, self._said_in_rooms)
        self.standing = {subject: found for subject in self._touched if (found := self._stands(subject))}
        self.new_people = self.people if self.people_changed else None
        self.new_rooms = self.made_rooms if self.rooms_changed else None
        self.forget_closed()

    def _sound(self, group: AlertGroup, why: str, brief: str) -> None:
        message = replace(self.about(group, command="ack", lines=[why]), brief_lines=(brief,))
        for room in self.default_rooms():
            self.page(room, message, about=group.id)
        self.fall_back(message, about=group.id)

    def _stands(self, subject: str) -> Standing | None:
        if (group := self.find_group(subject)) is not None:
            return Standing(GROUP, group.open, group.severity(self.config.severities), state=group.state)
        if (known := self.find_incident(subject)) is not None:
            return Standing(
                INCIDENT, known.open and not known.drill, known.severity, groups=tuple(known.groups)
            )
        return None

    def _rang_for(self, event: Event) -> timedelta | None:
        if not isinstance(event, GroupAcknowledged | PageDelivered):
            return None
        group = self.find_group(event.subject)
        if group is None or group.rang_at is None:
            return None
        if isinstance(event, PageDelivered) and group.reached_by != event.page:
            return None
        return event.at - group.rang_at

    def undone(self) -> None:
        """Something of this turn, or all of it, was not kept."""
        self.forget_replayed()
        self._next_steps.clear()
        self.if_undone()

    def _put(
        self,
        place: Place,
        message: Message | str,
        *,
        lane: Lane,
        subject: str,
        person: str = "",
        settle: bool = False,
    ) -> int:
        if isinstance(message, str):
            message = Message(message, subject=subject)
        if not (lane is Lane.PAGE and person) and not self._may_be_typed(message.command, place):
            message = replace(message, command="")
        if message.told is not None and (lane is Lane.ANSWER or self.find_group(subject) is None):
            message = replace(
                message, told=None
            )  # a digest tells alerts, and whoever asked need not wait for it
        self.places.add(place)
        row = outbox.add(
            self.connection,
            place,
            message,
            self.time,
            lane=lane,
            subject=subject,
            person=person,
            settle=settle,
        )
        if not place.private:
            self._said_in_rooms.append(row)
        return row

    def _react(self, reaction: Owned, event: Event, seq: int) -> None:
        """Run a reaction by itself: what it did is undone if it fails, and the rest of the turn goes on."""
        if self.rules.breaker.left_out_for(reaction.owner, self.time.boot):
            why = f"{reaction.owner} is left out: it failed {counted(MOST_FAULTS, 'time')} within a minute"
        else:
            with self.part() as part:
                reaction.call(event, self)
            if part.error is None:
                return
            if isinstance(part.error, Endless) and self._depth > 1:
                raise part.error  # none of the loop is kept
            log.error(
                "%s: %s failed on %s",
                event.subject,
                reaction.name,
                event.kind,
                exc_info=part.error,
                extra=about(event.subject),
            )
            why = f"{reaction.name} failed: {type(part.error).__name__}"
            self.rules.breaker.note(reaction.owner, self.time.boot)
        self.faults.append(why)
        self.set_timer("core.reaction", f"{event.subject}/{seq}/{reaction.name}", after=RETRY_REACTION)
        self.alarm(event.subject, f"{why}. It is tried again.")

    def react(self, reaction: Owned, event: Event) -> None:
        """Let a reaction to an event run once more. Raises what it raises, after the breaker took that down."""
        self._depth += 1
        try:
            reaction.call(event, self)
        except Exception:
            self.rules.breaker.note(reaction.owner, self.time.boot)
            raise
        finally:
            self._depth -= 1
        self.look_after(event.subject)


class Part(savepoint):
    """A part of a turn; undone, nothing that it recorded has happened."""

    def __init__(self, tx: Transaction) -> None:
        super().__init__(tx.connection)
        self._tx = tx
        self._before = len(tx.recorded)

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        undone = super().__exit__(kind, error, traceback)
        if undone:
            del self._tx.recorded[self._before :]
            self._tx.undone()
        return undone
