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
from tocsin.domain.group import GroupReopened, GroupState, GroupUnacknowledged
from tocsin_escalation.events import EscalationExhausted, StepTaken

from tests.engine import fires, over
from tests.tower import EMPTY, Tower, down, mends, policy, timers


class Night(RuleBasedStateMachine):
    """One alert after another, people, a network that comes and goes, and a daemon that falls."""

    steps = '{ page = "alice" }, { page = "empty", after = "2m" }, { page = ["bob", "carol"], after = "5m" }'
    tables = (policy(steps, "repeat = 1", 'repeat_after = "10m"'), EMPTY)
    walk = tuple((number, step) for number in range(2) for step in range(3))

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.folder = TemporaryDirectory()
        self.tower = Tower(self.write, Path(self.folder.name, "state"))
        self.subject, self.state, self.begun = "", GroupState.RESOLVED, 0
        self.starts(crash=False)

    def write(self, text: str) -> Path:
        for name, content in {"prod.token": "0123456789abcdef", "config.toml": text}.items():
            Path(self.folder.name, name).write_text(content)
            Path(self.folder.name, name).chmod(0o600)
        return Path(self.folder.name, "config.toml")

    def starts(self, *, crash: bool) -> None:
        self.stack = AsyncExitStack()
        self.engine = self.loop.run(self.stack.enter_async_context(self.tower(*self.tables, crash=crash)))

    def teardown(self) -> None:
        self.loop.run(self.stack.aclose())
        self.loop.close()
        self.folder.cleanup()

    @precondition(lambda self: self.state is GroupState.RESOLVED)
    @rule()
    def fires(self) -> None:
        self.subject = self.loop.run(self.engine.report(fires()))
        self.state = GroupState.TRIGGERED

    @rule(
        word=st.sampled_from(["!ack", "!unack", "!done", "!up", "!up", "!up"]),
        room=st.sampled_from(["#ops", ""]),
    )
    def says(self, word: str, room: str) -> None:
        before = len(self.tower.chat.pages())
        self.loop.run(self.engine.says("dave", f"{word} {self.subject}", room=room))
        self.state = {
            ("!ack", GroupState.TRIGGERED): GroupState.ACKNOWLEDGED,
            ("!unack", GroupState.ACKNOWLEDGED): GroupState.TRIGGERED,
            ("!done", GroupState.TRIGGERED): GroupState.RESOLVED,
            ("!done", GroupState.ACKNOWLEDGED): GroupState.RESOLVED,
        }.get((word, self.state), self.state)
        if self.state is not GroupState.TRIGGERED:
            assert len(self.tower.chat.pages()) == before

    @precondition(lambda self: self.state is not GroupState.RESOLVED)
    @rule()
    def heals(self) -> None:
        self.loop.run(self.engine.report(over()))
        self.state = GroupState.RESOLVED

    @rule(seconds=st.sampled_from([1, 30, 60, 119, 120, 299, 300, 600, 600, 3600]))
    def waits(self, seconds: int) -> None:
        before = len(self.tower.chat.pages())
        self.loop.run(self.engine.advance(seconds=seconds))
        if self.state is not GroupState.TRIGGERED:
            assert len(self.tower.chat.pages()) == before

    @rule(accounts=st.sampled_from([("alice",), ("bob",), ("bob", "carol"), ()]), permanent=st.booleans())
    def breaks(self, accounts: tuple[str, ...], *, permanent: bool) -> None:
        self.tower.chat.fails = down(*accounts, permanent=permanent)

    @rule()
    def mends(self) -> None:
        before = len(self.tower.chat.pages())
        self.loop.run(mends(self.engine))
        if self.state is not GroupState.TRIGGERED:
            assert len(self.tower.chat.pages()) == before

    @rule(crash=st.booleans(), reboots=st.booleans(), away=st.sampled_from([0, 60, 3600]))
    def falls(self, *, crash: bool, reboots: bool, away: int) -> None:
        self.loop.run(self.stack.aclose())
        self.tower.clock.move(timedelta(seconds=away))
        if reboots:
            self.tower.clock.reboot()
        self.starts(crash=crash)

    async def story(self) -> list[Event | None]:
        entries = await self.engine.run.tocsin.turn(lambda tx: tx.story(self.subject))
        return [entry.event for entry in entries]

    @precondition(lambda self: self.subject)
    @invariant()
    def what_rings_has_one_next_step_and_all_else_none(self) -> None:
        rings = self.state is GroupState.TRIGGERED
        assert self.loop.run(timers(self.engine)) == [self.subject] * rings

    @precondition(lambda self: self.subject)
    @invariant()
    def every_step_comes_in_order_and_then_the_end(self) -> None:
        came: list[tuple[int, int]] = []
        for event in self.loop.run(self.story()):
            match event:
                case GroupUnacknowledged() | GroupReopened():
                    came = []
                case StepTaken():
                    came.append((event.at_step.round, event.at_step.step))
                case EscalationExhausted():
                    assert len(came) == len(self.walk)
        assert tuple(came) == self.walk[: len(came)]

    @invariant()
    def no_page_comes_twice(self) -> None:
        sent = [said.txn_id for said in self.tower.chat.said]
        assert len(sent) == len(set(sent))


TestTheNight = Night.TestCase
TestTheNight.settings = settings(max_examples=10, stateful_step_count=25)
