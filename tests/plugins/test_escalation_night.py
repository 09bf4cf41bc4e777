"""Whatever happens, in whatever order."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tocsin.domain.event import Event
from tocsin.domain.group import (
    AcknowledgementRenewed,
    AlertGroup,
    GroupAcknowledged,
    GroupReopened,
    GroupState,
    GroupUnacknowledged,
    SilenceEnded,
)
from tocsin.transaction import Transaction
from tocsin_escalation.events import EscalationExhausted, EscalationStarted, StepTaken

from tests.engine import alert, fires, gone, over
from tests.tower import Tower, down, mends, policy, timers

WARNING, CRITICAL = alert("Load", severity="warning"), alert()
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
TRIGGERED, ACKNOWLEDGED, SILENCED, RESOLVED = (
    GroupState.TRIGGERED,
    GroupState.ACKNOWLEDGED,
    GroupState.SILENCED,
    GroupState.RESOLVED,
)
ANSWERS = (GroupAcknowledged, AcknowledgementRenewed)


class Night(RuleBasedStateMachine):
    """One alert after another, people, a network that comes and goes, and a daemon that falls."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.folder = TemporaryDirectory()
        self.tower = Tower(self.write, Path(self.folder.name, "state"))
        self.tower.people = self.tower.people.replace("ack_timeout = {}\n", "").replace(
            "[people.bob]\n", '[people.bob]\nquiet = "03:30-04:30"\n'
        )
        self.subject, self.state, self.known = "", RESOLVED, "warning"
        self.starts(crash=False, on_call="")

    def write(self, text: str) -> Path:
        for name, content in {"prod.token": "0123456789abcdef", "config.toml": text}.items():
            Path(self.folder.name, name).write_text(content)
            Path(self.folder.name, name).chmod(0o600)
        return Path(self.folder.name, "config.toml")

    def starts(self, *, crash: bool, on_call: str) -> None:
        tables = (LOW, OPS, WORST, f"[schedules.primary]\non_call = [{on_call}]\n")
        self.stack = AsyncExitStack()
        self.engine = self.loop.run(self.stack.enter_async_context(self.tower(*tables, crash=crash)))

    def teardown(self) -> None:
        self.loop.run(self.stack.aclose())
        self.loop.close()
        self.folder.cleanup()

    def pages(self) -> list[str]:
        """Who was paged; a question to whoever has it is none."""
        return [said.place.name for said in self.tower.chat.said if said.place.private and is_page(str(said))]

    @precondition(lambda self: self.state is RESOLVED)
    @rule(worst=st.booleans())
    def fires(self, *, worst: bool) -> None:
        self.subject = self.loop.run(self.engine.report(fires(CRITICAL if worst else WARNING)))
        self.state, self.known = TRIGGERED, "critical" if worst else "warning"

    @precondition(lambda self: self.state is not RESOLVED)
    @rule()
    def becomes_worse(self) -> None:
        before = len(self.pages())
        self.loop.run(self.engine.report(fires(WARNING, CRITICAL)))
        if self.known == "warning":
            self.state, self.known = TRIGGERED, "critical"
        elif self.state is not TRIGGERED:
            assert len(self.pages()) == before

    @precondition(lambda self: self.state is not RESOLVED)
    @rule()
    def becomes_better(self) -> None:
        self.loop.run(self.engine.report(fires(WARNING, *([CRITICAL] if self.known == "critical" else []))))
        self.loop.run(self.engine.report(gone(CRITICAL.fingerprint)))

    @rule(
        word=st.sampled_from(["!ack", "!unack", "!done", "!up", "!up", "!up"]),
        room=st.sampled_from(["#ops", ""]),
    )
    def says(self, word: str, room: str) -> None:
        before = len(self.pages())
        self.loop.run(self.engine.says("dave", f"{word} {self.subject}", room=room))
        self.state = {
            ("!ack", TRIGGERED): ACKNOWLEDGED,
            ("!ack", SILENCED): ACKNOWLEDGED,
            ("!unack", ACKNOWLEDGED): TRIGGERED,
            ("!done", TRIGGERED): RESOLVED,
            ("!done", ACKNOWLEDGED): RESOLVED,
            ("!done", SILENCED): RESOLVED,
        }.get((word, self.state), self.state)
        if self.state is not TRIGGERED:
            assert len(self.pages()) == before

    @precondition(lambda self: self.state is not RESOLVED)
    @rule()
    def is_silenced(self) -> None:
        def silence(tx: Transaction) -> None:
            tx.record(tx.group(self.subject).silence("dave", tx.now, tx.now + timedelta(days=1)))

        self.loop.run(self.engine.run.tocsin.turn(silence))
        self.state = SILENCED

    @precondition(lambda self: self.state is SILENCED)
    @rule()
    def may_be_heard(self) -> None:
        self.loop.run(
            self.engine.run.tocsin.turn(
                lambda tx: tx.record(tx.group(self.subject).end_silence(tx.now, by="dave"))
            )
        )
        self.loop.run(self.engine.run.settled())
        self.state = TRIGGERED

    @precondition(lambda self: self.state in (TRIGGERED, ACKNOWLEDGED))
    @rule()
    def heals(self) -> None:
        self.loop.run(self.engine.report(over()))
        self.state = RESOLVED

    @rule(seconds=st.sampled_from([1, 30, 60, 119, 120, 299, 300, 600, 600, 1800, 3600]))
    def waits(self, seconds: int) -> None:
        before = len(self.pages())
        self.loop.run(self.engine.advance(seconds=seconds))
        self.holder_may_have_been_silent()
        if self.state is not TRIGGERED:
            assert len(self.pages()) == before

    def holder_may_have_been_silent(self) -> None:
        """An hour and a quarter after the answer, unless it was given again."""
        if self.state is not ACKNOWLEDGED:
            return
        story = self.loop.run(self.story())
        last = next(event for event in reversed(story) if isinstance(event, (GroupUnacknowledged, *ANSWERS)))
        if isinstance(last, GroupUnacknowledged):
            answer = next(event for event in reversed(story) if isinstance(event, ANSWERS))
            assert last.because == "dave did not say that they still have it"
            assert last.at - answer.at >= timedelta(minutes=75)
            self.state = TRIGGERED

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
        away=st.sampled_from([0, 60, 3600]),
        on_call=st.sampled_from(["", '"carol"', '"carol", "bob"']),
    )
    def falls(self, *, crash: bool, reboots: bool, away: int, on_call: str) -> None:
        self.loop.run(self.stack.aclose())
        self.tower.clock.move(timedelta(seconds=away))
        if reboots:
            self.tower.clock.reboot()
        self.starts(crash=crash, on_call=on_call)
        self.holder_may_have_been_silent()

    async def story(self) -> list[Event | None]:
        entries = await self.engine.run.tocsin.turn(lambda tx: tx.story(self.subject))
        return [entry.event for entry in entries]

    @precondition(lambda self: self.subject)
    @invariant()
    def what_rings_has_one_next_step_and_all_else_none(self) -> None:
        rings = self.state is TRIGGERED
        assert self.loop.run(timers(self.engine)) == [self.subject] * rings

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
                case GroupUnacknowledged() | SilenceEnded() | GroupReopened():
                    came = []
                case StepTaken():
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

    @invariant()
    def no_page_comes_twice(self) -> None:
        sent = [said.txn_id for said in self.tower.chat.said]
        assert len(sent) == len(set(sent))


def is_page(text: str) -> bool:
    return "!ack" in text and "still on it" not in text


TestTheNight = Night.TestCase
TestTheNight.settings = settings(max_examples=10, stateful_step_count=25)
