"""Whatever happens, in whatever order."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tocsin.domain.alert import Report
from tocsin.domain.event import Event
from tocsin.domain.group import (
    AlertGroup,
    GroupReopened,
    GroupResolved,
    GroupState,
    GroupUnacknowledged,
    SilenceEnded,
)
from tocsin_escalation.calls import progress_of
from tocsin_escalation.events import (
    EscalationExhausted,
    EscalationStarted,
    PeopleJoined,
    StepPutOff,
    StepTaken,
)
from tocsin_escalation.progress import TELLING, Progress

from tests.engine import alert
from tests.tower import Tower, down, mends, policy, timers

ORDER = ("critical", "error", "warning", "info")

OPS = policy(
    '{ page = "alice" }, { page = "primary", after = "2m" }, { policy = "worst", after = "1m", severity = "critical" }, '
    '{ page = ["bob", "carol"], after = "5m" }',
    "repeat = 1",
    'repeat_after = "10m"',
)
WORST = policy('{ page = "dave" }, { page = "alice", after = "3m" }', name="worst")
LOW = """\
[[plugins.escalation.routes]]
match = 'severity="warning"'
policy = "ops"
urgency = "low"
"""
SILENCE = "[plugins.silence]\n"
TRIGGERED, ACKNOWLEDGED, SILENCED, RESOLVED = (
    GroupState.TRIGGERED,
    GroupState.ACKNOWLEDGED,
    GroupState.SILENCED,
    GroupState.RESOLVED,
)
ENDS = (GroupUnacknowledged, SilenceEnded, GroupResolved)
ALERTS = ["DiskFull", "Load", "Load1", "Load2"]
ROOMS = st.sampled_from(["#ops", ""])


class Night(RuleBasedStateMachine):
    """One alert after another, people, a network that comes and goes, and a daemon that falls."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.folder = TemporaryDirectory()
        self.tower = Tower(self.write, Path(self.folder.name, "state"))
        self.tower.people = self.tower.people.replace("ack_timeout = {}\n", "")
        self.subject, self.state, self.known = "", RESOLVED, "warning"
        self.firing = set[str]()
        # quiet: it flaps, and nothing of it fires; quiet_since: on that clock, so far as somebody could hear it.
        self.quiet, self.quiet_since = False, 0.0
        # In seconds: what the boot clock lacks; on that clock, when dave answered and until when it is silenced; and
        # how far the wall clock was set ahead since the boot, which a reboot takes for time that has passed.
        self.off = self.answered_at = self.silent_until = self.ahead = 0.0

    @initialize(asleep=st.sampled_from([("bob",), ("alice", "bob", "carol")]), after=st.sampled_from([1, 3]))
    def begins(self, asleep: tuple[str, ...], after: int) -> None:
        self.tower.people = f"flapping.after = {after}\n{self.tower.people}"
        for number, person in enumerate(asleep):
            quiet = f'[people.{person}]\nquiet = "0{number}:30-0{4 + number}:30"\n'
            self.tower.people = self.tower.people.replace(f"[people.{person}]\n", quiet)
        self.starts(crash=False, on_call="")

    def write(self, text: str) -> Path:
        for name, content in {"prod.token": "0123456789abcdef", "config.toml": text}.items():
            Path(self.folder.name, name).write_text(content)
            Path(self.folder.name, name).chmod(0o600)
        return Path(self.folder.name, "config.toml")

    def starts(self, *, crash: bool, on_call: str) -> None:
        tables = (LOW, OPS, WORST, f"[schedules.primary]\non_call = [{on_call}]\n", SILENCE)
        self.stack = AsyncExitStack()
        self.engine = self.loop.run(self.stack.enter_async_context(self.tower(*tables, crash=crash)))

    def teardown(self) -> None:
        self.loop.run(self.stack.aclose())
        self.loop.close()
        self.folder.cleanup()

    def pages(self) -> list[str]:
        """Who was paged; a question to whoever has it is none."""
        return [said.place.name for said in self.tower.chat.said if said.place.private and is_page(str(said))]

    def seconds(self) -> float:
        """On a clock that nobody sets."""
        return self.off + self.tower.clock.boot().total_seconds()

    def group(self) -> AlertGroup:
        return self.loop.run(self.engine.run.tocsin.turn(lambda tx: tx.group(self.subject)))

    def rests(self, before: int) -> None:
        """What time did by itself was its to do, and nothing pages unless it rings. before: how many pages there were."""
        self.time_may_have_ended_an_answer()
        if self.state is not TRIGGERED:
            assert len(self.pages()) == before

    def time_may_have_ended_an_answer(self) -> None:
        if not self.subject or (state := self.group().state) is self.state:
            return
        story = self.loop.run(self.story())
        last = next(event for event in reversed(story) if isinstance(event, ENDS))
        if self.quiet and isinstance(last, GroupResolved):
            assert last.flapped
            assert self.seconds() - self.quiet_since >= 15 * 60
            self.quiet = False
        elif self.state is ACKNOWLEDGED:
            assert isinstance(last, GroupUnacknowledged)
            assert last.because == "dave gave no answer"
            assert self.seconds() - self.answered_at >= 75 * 60
        else:
            assert self.state is SILENCED
            assert self.seconds() >= self.silent_until
            assert isinstance(last, SilenceEnded if self.firing else GroupResolved)
        self.state = state

    @rule(alerts=st.lists(st.sampled_from(ALERTS), unique=True))
    def reports(self, alerts: list[str]) -> None:
        """A report of all that fires."""
        before, gone = len(self.pages()), self.firing - set(alerts)
        flaps = bool(self.subject and self.group().flapping)
        worst = "critical" if "DiskFull" in alerts else "warning"
        firing = [alert(name, severity="critical" if name == "DiskFull" else "warning") for name in alerts]
        news = Report("prod", "disk", firing, dict.fromkeys(gone), over=not alerts)
        subject = self.loop.run(self.engine.report(news))
        if self.state is RESOLVED and alerts:
            self.subject, self.state, self.known = subject, TRIGGERED, worst
        elif not alerts and self.state in (TRIGGERED, ACKNOWLEDGED):
            if not flaps:
                self.state = RESOLVED
            elif not self.quiet:
                self.quiet, self.quiet_since = True, self.seconds()
        elif alerts and (worst, self.known) == ("critical", "warning"):
            self.state, self.known = TRIGGERED, worst
        self.firing = set(alerts)
        self.quiet = self.quiet and not alerts
        self.rests(before)

    @precondition(lambda self: self.subject)
    @rule(word=st.sampled_from(["ack", "unack", "done", "decline", "up", "unsilence"]), room=ROOMS)
    def says(self, word: str, room: str) -> None:
        before = len(self.pages())
        self.loop.run(self.engine.says("dave", f"!{word} {self.subject}", room=room))
        after = TRIGGERED if self.firing else RESOLVED
        self.state = {
            ("ack", TRIGGERED): ACKNOWLEDGED,
            ("ack", SILENCED): ACKNOWLEDGED if self.firing else RESOLVED,
            ("unack", ACKNOWLEDGED): TRIGGERED,
            ("unsilence", SILENCED): after,
            ("done", TRIGGERED): RESOLVED,
            ("done", ACKNOWLEDGED): RESOLVED,
            ("done", SILENCED): RESOLVED,
        }.get((word, self.state), self.state)
        assert self.group().state is self.state
        if (word, self.state) == ("ack", ACKNOWLEDGED):
            self.answered_at = self.seconds()
            self.answers()
        self.quiet = self.quiet and self.state is not RESOLVED
        self.firing = self.firing if self.state is not RESOLVED else set()
        self.rests(before)

    def answers(self) -> None:
        """What is worse than what fires now was not answered for."""
        if self.firing and "DiskFull" not in self.firing:
            self.known = "warning"

    @precondition(lambda self: self.state is not RESOLVED)
    @rule(minutes=st.sampled_from([10, 30, 120]), room=ROOMS)
    def silences(self, minutes: int, room: str) -> None:
        before, silenced = len(self.pages()), self.state is SILENCED
        word = "extend" if silenced else "silence"
        self.loop.run(self.engine.says("dave", f"!{word} {self.subject} {minutes}m", room=room))
        self.state, self.quiet = SILENCED, False
        self.answers()
        assert self.group().state is SILENCED
        until = self.seconds() + 60 * minutes
        rows = self.loop.run(self.engine.sql("select due_boot from timers where kind = 'silence.end'"))
        self.silent_until = rows[0][0] / 1e6 + self.off
        # One that goes on already may last longer, and by the wall clock, which was set, more may be refused.
        assert silenced or self.silent_until <= until
        self.rests(before)

    @rule(
        quiet=st.sampled_from(["off", "default", "00:00-12:00", "21:00-23:00"]),
        who=st.sampled_from(["alice", "bob"]),
    )
    def sleeps_otherwise(self, quiet: str, who: str) -> None:
        before = len(self.pages())
        self.loop.run(self.engine.says(who, f"!me quiet {quiet}"))
        self.rests(before)

    @rule(seconds=st.sampled_from([1, 30, 60, 119, 120, 299, 300, 600, 600, 1800, 3600]))
    def waits(self, seconds: int) -> None:
        before = len(self.pages())
        self.loop.run(self.engine.advance(seconds=seconds))
        self.rests(before)

    @rule(hours=st.sampled_from([-25, -1, 1, 5]))
    def clock_is_set(self, hours: int) -> None:
        before = len(self.pages())
        self.tower.clock.step(timedelta(hours=hours))
        self.ahead += max(0, hours) * 3600
        self.loop.run(self.engine.run.settled())
        self.rests(before)

    @rule(accounts=st.sampled_from([("alice",), ("bob",), ("bob", "carol"), ()]), permanent=st.booleans())
    def breaks(self, accounts: tuple[str, ...], *, permanent: bool) -> None:
        self.tower.chat.fails = down(*accounts, permanent=permanent)

    @rule()
    def mends(self) -> None:
        before = len(self.pages())
        self.loop.run(mends(self.engine))
        if self.state is not TRIGGERED:
            assert len(self.pages()) == before

    @rule(
        crash=st.booleans(),
        reboots=st.booleans(),
        stepped=st.sampled_from([0, 0, 100, 4000]),
        away=st.sampled_from([0, 60, 3600]),
        on_call=st.sampled_from(["", '"carol"', '"carol", "bob"']),
    )
    def falls(self, *, crash: bool, reboots: bool, stepped: int, away: int, on_call: str) -> None:
        self.loop.run(self.stack.aclose())
        self.tower.clock.move(timedelta(seconds=away))
        if reboots:
            self.off += self.tower.clock.boot().total_seconds()
            self.tower.clock.reboot()
            self.tower.clock.step(timedelta(seconds=stepped))
            self.off += self.ahead + stepped  # for all that anybody can know
            self.ahead = 0.0
        self.quiet_since = self.seconds()
        self.starts(crash=crash, on_call=on_call)
        self.time_may_have_ended_an_answer()

    async def story(self) -> list[Event | None]:
        entries = await self.engine.run.tocsin.turn(lambda tx: tx.story(self.subject))
        return [entry.event for entry in entries]

    @precondition(lambda self: self.subject)
    @invariant()
    def what_rings_has_one_next_step_and_all_else_none(self) -> None:
        found = self.loop.run(timers(self.engine))
        if not (self.state is TRIGGERED and self.quiet):  # its step may come due, and waits until it fires
            assert found == [self.subject] * (self.state is TRIGGERED)

    @precondition(lambda self: self.subject)
    @invariant()
    def every_step_comes_in_order_if_it_applies_and_then_the_end(self) -> None:
        group, came = AlertGroup(self.subject), list[tuple[int, int]]()
        started: EscalationStarted | None = None
        for event in self.loop.run(self.story()):
            if event is not None:
                group.apply(event)
            match event:
                case EscalationStarted():
                    started, came = event, []
                case GroupUnacknowledged() | SilenceEnded():
                    came = []
                case PeopleJoined():
                    assert group.rings
                case StepTaken():
                    assert group.rings or event.by
                    assert started is not None
                    assert started.plan.steps[event.at_step.step].applies(group.severity(ORDER))
                    came.append((event.at_step.round, event.at_step.step))
                    assert came == sorted(set(came))
                case EscalationExhausted(count=1):
                    assert started is not None
                    plan = started.plan
                    last_round = [step for number, step in came if number == plan.rounds - 1]
                    left = plan.steps[max(last_round) + 1 :] if last_round else plan.steps
                    assert not any(step.applies(group.severity(ORDER)) for step in left)

    @precondition(lambda self: self.subject)
    @invariant()
    def what_is_silenced_has_an_end(self) -> None:
        rows = self.loop.run(self.engine.sql("select key from timers where kind = 'silence.end'"))
        assert rows == [(self.subject,)] * (self.state is SILENCED)

    @precondition(lambda self: self.subject)
    @invariant()
    def what_is_replayed_is_what_is_live(self) -> None:
        group = AlertGroup(self.subject)
        for event in self.loop.run(self.story()):
            assert event is not None
            group.apply(event)
        assert group == self.group()
        assert group.state is self.state
        assert group.quiet is self.quiet
        anew = Progress()
        for event in self.loop.run(self.story()):
            if isinstance(event, TELLING):
                anew.apply(event)
        assert anew == self.loop.run(self.engine.run.tocsin.turn(lambda tx: progress_of(self.subject, tx)))

    @precondition(lambda self: self.subject)
    @invariant()
    def what_flaps_will_be_over(self) -> None:
        rows = self.loop.run(self.engine.sql("select key from timers where kind = 'core.flapping_over'"))
        assert not self.group().flapping or rows == [(self.subject,)]

    @precondition(lambda self: self.subject and self.state is TRIGGERED and not self.quiet)
    @invariant()
    def its_next_step_is_near(self) -> None:
        """Within an hour (the longest rest) and the deadline, unless it waits for a morning."""
        query = "select due_boot from timers where kind = 'escalation.step'"
        ((due,),) = self.loop.run(self.engine.sql(query))
        if due is not None:
            assert due / 1e6 - self.tower.clock.boot().total_seconds() <= 3660
        else:
            assert isinstance(self.steps()[-1], StepPutOff | PeopleJoined)

    @precondition(lambda self: self.subject and self.state is TRIGGERED and not self.quiet)
    @invariant()
    def what_rings_has_called_somebody(self) -> None:
        assert any(not isinstance(step, StepTaken) or step.pages for step in self.steps())

    def steps(self) -> list[Event]:
        """What came since it rings."""
        begun: list[Event] = []
        for event in self.loop.run(self.story()):
            match event:
                case GroupUnacknowledged() | SilenceEnded() | GroupReopened() | EscalationStarted():
                    begun = []
                case StepTaken() | StepPutOff() | EscalationExhausted() | PeopleJoined():
                    begun.append(event)
                case _:
                    pass
        return begun

    @invariant()
    def no_page_comes_twice(self) -> None:
        sent = [said.txn_id for said in self.tower.chat.said]
        assert len(sent) == len(set(sent))


def is_page(text: str) -> bool:
    return "!ack" in text and "still on it" not in text


TestTheNight = Night.TestCase
TestTheNight.settings = settings(max_examples=10, stateful_step_count=25)
