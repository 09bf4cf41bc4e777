"""When a group flaps, and how it stands while it does."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tocsin.domain.alert import Alert, Report
from tocsin.domain.event import Event
from tocsin.domain.flapping import MOST_STARTS, FlapRule, GroupFiredAgain, GroupQuieted
from tocsin.domain.group import AlertGroup, GroupReopened, GroupResolved, GroupState
from tocsin.domain.news import changes, opening, reopening
from tocsin.errors import Refused

AT = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DISK, SWAP = (Alert(name, {"alertname": name}) for name in ("DiskFull", "Swap"))

firing = st.sampled_from([(DISK,), (SWAP,), (DISK, SWAP)])
left_out = st.sampled_from([0, 0, 2])


def minutes(*numbers: int) -> list[datetime]:
    return [AT + number * MINUTE for number in numbers]


@pytest.mark.parametrize(
    ("after", "starts", "times"),
    [
        (3, [0], 0),
        (3, [0, 2, 4], 0),
        (3, [0, 2, 4, 6], 4),
        (3, [0, 10, 20, 29], 4),
        (3, [0, 10, 20, 30], 0),
        (3, [0, 20, 22, 24, 49], 4),
        (3, [0, 1, 2, 3, 4, 5], 6),
        (1, [0, 29], 2),
        (1, [0, 30], 0),
        (0, [0, 1, 2, 3, 4, 5], 0),
        (3, [60, 62, 64, 6], 0),
    ],
)
def test_it_flaps_once_it_fired_again_so_often_within_so_long(
    after: int, starts: Sequence[int], times: int
) -> None:
    found = FlapRule(after=after).flaps(minutes(*starts))
    assert list(found) == minutes(*starts)[len(starts) - times :]


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"hold": timedelta(seconds=59)}, "hold is 59s: it must be at least 1m; after = 0 lets nothing"),
        ({"after": MOST_STARTS}, "after is 50: it must be less than 50"),
    ],
)
def test_a_rule_that_could_not_work_is_refused(wrong: dict[str, int | timedelta], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        FlapRule(**wrong)  # type: ignore[arg-type]


@given(st.lists(st.integers(0, 100), min_size=1).map(sorted), st.integers(1, 10))
def test_what_flaps_by_a_rule_flaps_by_every_one_that_is_less_strict(starts: list[int], after: int) -> None:
    strict = FlapRule(after=after).flaps(minutes(*starts))
    assert len(strict) > after or not strict
    assert len(FlapRule(after=after, within=60 * MINUTE).flaps(minutes(*starts))) >= len(strict)
    assert len(FlapRule(after=max(1, after - 1)).flaps(minutes(*starts))) >= len(strict)


class Life(RuleBasedStateMachine):
    """A group that comes and goes, is answered and settles in any order."""

    @initialize(alerts=firing, more=left_out)
    def opens(self, alerts: Sequence[Alert], more: int) -> None:
        self.group, self.events, self.now = AlertGroup("k7f3"), list[Event](), AT
        self.apply(opening("k7f3", self.report(*alerts, more=more), AT))

    @rule(length=st.integers(1, 12))
    def time_passes(self, length: int) -> None:
        self.now += length * MINUTE

    @rule(alerts=firing, more=left_out)
    def fires(self, alerts: Sequence[Alert], more: int) -> None:
        news, times, quiet = self.report(*alerts, more=more), self.group.times, self.group.quiet
        if self.group.open:
            state = self.group.state
            self.apply(changes(self.group, news, self.now))
            assert changes(self.group, news, self.now) == []
            assert self.group.state is state
            assert self.group.times == times + quiet
        else:
            events = reopening(self.group, news, self.now, FlapRule())
            assert isinstance(events[0], GroupReopened)
            self.apply(events)
            assert self.group.rings
        assert self.group.fires
        assert set(self.group.firing) >= {alert.fingerprint for alert in alerts}

    @precondition(lambda self: self.group.open)
    @rule()
    def is_over(self) -> None:
        news, flaps, fires = Report("prod", "disk", over=True), self.group.flapping, self.group.fires
        silenced = self.group.state is GroupState.SILENCED
        events = changes(self.group, news, self.now)
        self.apply(events)
        assert self.group.open is bool(flaps or silenced)
        assert any(isinstance(event, GroupQuieted) for event in events) is bool(flaps and fires)
        assert not self.group.open or changes(self.group, news, self.now) == []

    @precondition(lambda self: self.group.open)
    @rule(answer=st.sampled_from(["ack", "unack", "silence", "end_silence", "done"]))
    def is_answered(self, answer: str) -> None:
        group, now, flaps = self.group, self.now, self.group.flapping
        try:
            match answer:
                case "ack":
                    event: Event = group.acknowledge("alice", now)
                case "unack":
                    event = group.unacknowledge("alice", now)
                case "silence":
                    event = group.silence("alice", now, now + 60 * MINUTE)
                case "end_silence":
                    event = group.end_silence(now, by="alice")
                case _:
                    event = group.resolve("alice", now)
        except Refused:
            return
        self.apply([event])
        kept = answer in ("ack", "unack")
        assert group.flapping == (flaps if kept else None)

    @rule()
    def stays_as_it_is(self) -> None:
        group = self.group
        if group.flapping is None:
            with pytest.raises(Refused, match="k7f3: does not flap"):
                group.settle(self.now)
            return
        quiet, answered = group.quiet, not group.unanswered
        event = group.settle(self.now)
        assert isinstance(event, GroupResolved) is quiet
        assert not isinstance(event, GroupResolved) or event.acknowledged is answered
        self.apply([event])
        assert self.group.open is not quiet

    @invariant()
    def what_fires_rings_or_has_an_answer(self) -> None:
        group = self.group
        if group.open and group.fires:
            assert group.rings or group.state is not GroupState.TRIGGERED
        assert not (group.quiet and (group.fires or group.rings or not group.open))
        assert not group.quiet or group.flapping
        assert bool(group.flapping) is (group.times > 0)

    @invariant()
    def its_events_say_so(self) -> None:
        again = AlertGroup("k7f3")
        for event in self.events:
            again.apply(event)
            assert event.headline()
        assert again == self.group

    def report(self, *alerts: Alert, more: int = 0) -> Report:
        return Report("prod", "disk", alerts, unlisted=more)

    def apply(self, events: Sequence[Event]) -> None:
        self.events += events
        for event in events:
            self.group.apply(event)


TestTheLifeOfAGroupThatComesAndGoes = Life.TestCase


def test_of_what_fires_again_the_alerts_are_those_that_fire_now() -> None:
    group = AlertGroup("k7f3")
    for event in opening("k7f3", Report("prod", "disk", (DISK, SWAP), unlisted=3), AT):
        group.apply(event)
    for _ in range(3):
        for event in (
            *changes(group, Report("prod", "disk", over=True), AT),
            *reopening(group, Report("prod", "disk", (DISK, SWAP), unlisted=3), AT, FlapRule()),
        ):
            group.apply(event)
    (quiet,) = changes(group, Report("prod", "disk", over=True, unlisted=3), AT)
    group.apply(quiet)
    again = changes(group, Report("prod", "disk", (SWAP,)), AT)
    assert again == [GroupFiredAgain(subject="k7f3", at=AT, alerts=(SWAP,), times=5)]
    group.apply(again[0])
    assert (group.firing, group.unlisted) == ({"Swap"}, 0)
