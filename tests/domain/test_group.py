"""A group of alerts from its first report to its end, and what is said of it meanwhile."""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tocsin.domain.alert import Alert, Report
from tocsin.domain.event import Event
from tocsin.domain.flapping import FlapRule
from tocsin.domain.group import AlertFired, AlertGroup, AlertResolved, GroupResolved, GroupState
from tocsin.domain.news import changes, opening, reopening
from tocsin.errors import Refused

AT = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
ORDER = ("critical", "warning", "info")
LINK = "https://example.org/graph"

DISK = Alert("d1", {"alertname": "DiskFull", "instance": "db1", "severity": "critical"}, "97 % of / used")
LOAD = Alert("l1", {"alertname": "Load", "service": "web", "severity": "warning", "team": "ops"}, link=LINK)
LOAD_TOO = Alert("l2", {"alertname": "Load", "service": "api", "severity": "warning", "team": "ops"})
PORT = Alert("p1", {"alertname": "PortDown", "instance": "db1"})
ODD = Alert("o1", {"severity": "urgent"})
FULL = "critical DiskFull db1: 97 % of / used"
ALL = [DISK, LOAD, LOAD_TOO, PORT, ODD]

alerts = st.sets(st.sampled_from(range(len(ALL))), min_size=1).map(lambda found: [ALL[one] for one in found])
gone_ones = st.sets(st.sampled_from([*(alert.fingerprint for alert in ALL), "never-seen"]))
left_out = st.sampled_from([0, 0, 1, 3])
people = st.sampled_from(["alice", "bob"])

Answer = Callable[[AlertGroup, str, datetime], Event]
acknowledge, unacknowledge, resolve = AlertGroup.acknowledge, AlertGroup.unacknowledge, AlertGroup.resolve
TRIGGERED, ACKNOWLEDGED, SILENCED, RESOLVED = GroupState


def silence(group: AlertGroup, by: str, at: datetime) -> Event:
    return group.silence(by, at, at + timedelta(hours=2))


def end_silence(group: AlertGroup, by: str, at: datetime) -> Event:
    return group.end_silence(at, by=by)


# What comes of each answer, by the state that it fits.
ANSWERS: dict[Answer, dict[GroupState, GroupState]] = {
    acknowledge: {TRIGGERED: ACKNOWLEDGED, SILENCED: ACKNOWLEDGED},
    unacknowledge: {ACKNOWLEDGED: TRIGGERED},
    silence: {TRIGGERED: SILENCED, ACKNOWLEDGED: SILENCED, SILENCED: SILENCED},
    end_silence: {SILENCED: TRIGGERED},
    resolve: {TRIGGERED: RESOLVED, ACKNOWLEDGED: RESOLVED, SILENCED: RESOLVED},
}


def report(*firing: Alert, gone: Collection[str] = (), over: bool = False, more: int = 0) -> Report:
    return Report("prod", "{}:{db}", firing, dict.fromkeys(gone), over=over, unlisted=more)


def replayed(events: Iterable[Event]) -> AlertGroup:
    group = AlertGroup("k7f3")
    for event in events:
        group.apply(event)
    return group


def told(first: Report, *others: Report) -> AlertGroup:
    """The group that the first report opened, after the others."""
    events = opening("k7f3", first, AT)
    for other in others:
        events += changes(replayed(events), other, AT)
    return replayed(events)


class Life(RuleBasedStateMachine):
    """Reports and people in any order, beside a plain account of what must come of them."""

    @initialize(firing=alerts, more=left_out)
    def opens(self, firing: Sequence[Alert], more: int) -> None:
        first = report(*firing, more=more)
        self.group, self.events = AlertGroup("k7f3"), list[Event]()
        self.firing, self.unlisted = {alert.fingerprint for alert in firing}, more
        self.state, self.holder = TRIGGERED, ""
        self.apply(*opening("k7f3", first, AT))
        assert not changes(self.group, first, AT)

    @precondition(lambda self: not self.group.open)
    @rule(firing=alerts, more=left_out)
    def opens_anew(self, firing: Sequence[Alert], more: int) -> None:
        self.opens(firing, more)

    @precondition(lambda self: not self.group.open)
    @rule(firing=alerts, more=left_out)
    def opens_again(self, firing: Sequence[Alert], more: int) -> None:
        again = report(*firing, more=more)
        self.apply(*reopening(self.group, again, AT, FlapRule(after=0)))
        self.firing, self.unlisted = {alert.fingerprint for alert in firing}, more
        self.state, self.holder = TRIGGERED, ""
        assert not changes(self.group, again, AT)

    @precondition(lambda self: self.group.open)
    @rule(firing=alerts, gone=gone_ones, more=left_out)
    def fires(self, firing: Sequence[Alert], gone: set[str], more: int) -> None:
        self.unlisted = more or self.unlisted
        self.take(report(*firing, gone=gone, more=self.unlisted))
        self.firing = self.firing - gone | {alert.fingerprint for alert in firing}

    @precondition(lambda self: self.group.open)
    @rule(gone=gone_ones, over=st.booleans())
    def heals(self, gone: set[str], over: bool) -> None:  # noqa: FBT001
        healed = self.firing if over else self.firing & gone
        ends = over or (bool(healed) and healed == self.firing and not self.unlisted)
        answered = self.state is ACKNOWLEDGED
        events = self.take(report(gone=gone, over=over, more=self.unlisted))
        if self.state is SILENCED:  # which outlasts the end
            ends, self.unlisted = False, 0 if over else self.unlisted
        assert [event.fingerprint for event in events if isinstance(event, AlertResolved)] == sorted(healed)
        end = GroupResolved(subject="k7f3", at=AT, acknowledged=answered)
        assert [event for event in events if isinstance(event, GroupResolved)] == [end] * ends
        self.firing = self.firing - healed
        if ends:
            self.state, self.holder = RESOLVED, ""

    @rule(by=people, answer=st.sampled_from(list(ANSWERS)))
    def is_answered(self, by: str, answer: Answer) -> None:
        if self.state in ANSWERS[answer]:
            healed = self.state is SILENCED and not self.firing and not self.unlisted
            over = answer is resolve or (
                healed and answer is not silence
            )  # else nobody would ever resolve it
            event = answer(self.group, by, AT)
            assert event.by == ("" if over and answer is not resolve else by)
            assert isinstance(event, GroupResolved) is over
            assert not isinstance(event, GroupResolved) or event.acknowledged
            self.apply(event)
            self.state = RESOLVED if over else ANSWERS[answer][self.state]
            self.holder = by if self.state in (ACKNOWLEDGED, SILENCED) else ""
        elif answer is acknowledge and self.state is ACKNOWLEDGED and by == self.holder:
            self.apply(answer(self.group, by, AT))
        else:
            with pytest.raises(Refused, match=r"^k7f3: "):
                answer(self.group, by, AT)

    @invariant()
    def stands_as_it_must_and_its_events_say_so(self) -> None:
        group = self.group
        assert (group.firing, group.unlisted, group.state) == (self.firing, self.unlisted, self.state)
        assert group.acknowledged_by + group.silenced_by == self.holder
        assert (group.rings, group.open) == (self.state is TRIGGERED, self.state is not RESOLVED)
        assert replayed(self.events) == group

    def apply(self, *events: Event) -> None:
        self.events += events
        for event in events:
            self.group.apply(event)

    def take(self, one: Report) -> list[Event]:
        """Apply what is new in a report: while the group is open, a second time nothing is."""
        events = changes(self.group, one, AT)
        self.apply(*events)
        assert not self.group.open or not changes(self.group, one, AT)
        return events


TestTheLifeOfAGroup = Life.TestCase


@pytest.mark.parametrize(
    ("reports", "rings"),
    [
        ([report(DISK, LOAD), report(gone=["d1"])], True),
        ([report(DISK, LOAD), report(gone=["d1"]), report(gone=["l1"])], False),
        ([report(DISK, LOAD), report(PORT, gone=["d1", "l1"])], True),
        ([report(DISK), report(DISK, gone=["d1"])], True),
        ([report(DISK), report(gone=["never-seen"])], True),
        ([report(DISK), report(over=True)], False),
        # With some left out, the end of those that are listed says nothing about the rest.
        ([report(DISK, more=3), report(gone=["d1"], more=3)], True),
        ([report(DISK, more=3), report(gone=["d1"], over=True, more=3)], False),
    ],
)
def test_a_group_rings_until_all_of_it_is_over(reports: list[Report], rings: bool) -> None:  # noqa: FBT001
    assert told(*reports).rings is rings


@pytest.mark.parametrize(
    ("answers", "refusal"),
    [
        ([end_silence], "k7f3: is not silenced"),
        ([silence, unacknowledge], "k7f3: nobody has acknowledged it"),
        ([lambda group, _, at: acknowledge(group, "bob", at), acknowledge], "k7f3: bob has it already"),
        ([unacknowledge], "k7f3: nobody has acknowledged it"),
        ([acknowledge, unacknowledge, unacknowledge], "k7f3: nobody has acknowledged it"),
        *(([resolve, answer], "k7f3: is already resolved") for answer in ANSWERS),
    ],
)
def test_an_answer_that_changes_nothing_is_refused_in_words(answers: list[Answer], refusal: str) -> None:
    group = told(report(DISK))
    for answer in answers[:-1]:
        group.apply(answer(group, "alice", AT))
    with pytest.raises(Refused) as refused:
        answers[-1](group, "alice", AT)
    assert str(refused.value) == refusal


@pytest.mark.parametrize(
    ("reports", "severity", "text"),
    [
        ([report(DISK)], "critical", FULL),
        ([report(LOAD, DISK)], "critical", f"{FULL}, and 1 more"),
        ([report(LOAD, LOAD_TOO)], "warning", "warning Load api, and 1 more"),
        ([report(DISK, PORT, LOAD)], "critical", "alert PortDown db1, and 2 more"),
        ([report(DISK, ODD)], "critical", "'urgent' alert, and 1 more"),
        ([report(LOAD, more=3)], "warning", "warning Load web, and 3 more"),
        ([report(LOAD, DISK), report(gone=["d1"])], "warning", "warning Load web"),
        ([report(LOAD, DISK), report(over=True)], "critical", f"{FULL}, and 1 more"),
        ([report(more=2)], "critical", "{}:{db}"),
    ],
)
def test_the_worst_that_fires_stands_for_the_rest(reports: list[Report], severity: str, text: str) -> None:
    assert told(*reports).severity(ORDER) == severity
    assert told(*reports).describe(ORDER) == text


@pytest.mark.parametrize(
    ("reports", "labels", "link"),
    [
        ([report()], {}, ""),
        ([report(LOAD, LOAD_TOO)], {"alertname": "Load", "severity": "warning", "team": "ops"}, LINK),
        ([report(DISK, PORT, LOAD)], {}, LINK),
        ([report(DISK, PORT)], {"instance": "db1"}, ""),
        ([report(LOAD, PORT), report(gone=["p1"])], LOAD.labels, LINK),
        ([report(LOAD, PORT), report(over=True)], {}, LINK),
    ],
)
def test_labels_are_those_that_all_share(reports: list[Report], labels: dict[str, str], link: str) -> None:
    assert told(*reports).labels() == labels
    assert told(*reports).link == link


BEFORE, AFTER = AT - timedelta(minutes=5), AT + timedelta(minutes=5)


def since(at: datetime | None, alert: Alert = DISK) -> Alert:
    return replace(alert, starts_at=at)


def healed(at: datetime | None, *, over: bool = False, **others: datetime | None) -> Report:
    return Report("prod", "{}:{db}", (), {"d1": at, **others}, over=over)


@pytest.mark.parametrize(
    ("reports", "firing", "is_open"),
    [
        ([report(since(AT)), healed(AT)], [], False),
        ([report(since(AT)), healed(AFTER)], [], False),
        ([report(since(AT)), healed(None)], [], False),
        ([report(since(None)), healed(AT)], [], False),
        ([report(since(None)), healed(None, over=True)], [], False),
        # Late: it is about a firing before this one.
        ([report(since(AT)), healed(BEFORE)], ["d1"], True),
        ([report(since(AT)), healed(BEFORE, over=True)], ["d1"], True),
        ([report(since(BEFORE)), report(since(AT)), healed(BEFORE, over=True)], ["d1"], True),
        ([report(since(BEFORE)), report(since(AT)), healed(AT, over=True)], [], False),
        ([report(since(AT)), report(since(BEFORE)), healed(BEFORE, over=True)], ["d1"], True),
        # What is late of one alert is not late of the others.
        ([report(since(AT), since(AT, LOAD)), healed(BEFORE, over=True, l1=AT)], ["d1"], True),
        ([report(since(AT), since(AT, LOAD)), healed(BEFORE, l1=AT), healed(AT)], [], False),
        # About one that does not fire it can't be late.
        ([report(since(AT)), healed(AT, over=True, l1=BEFORE)], [], False),
        ([report(since(AT), since(AT, LOAD)), healed(AT), healed(BEFORE, over=True, l1=AT)], [], False),
    ],
)
def test_the_end_of_an_earlier_firing_ends_nothing(
    reports: list[Report],
    firing: list[str],
    is_open: bool,  # noqa: FBT001
) -> None:
    group = told(*reports)
    assert (sorted(group.firing), group.open) == (firing, is_open)


@pytest.mark.parametrize(
    ("first", "again", "fired"),
    [(AT, AT, 0), (AT, AFTER, 1), (AT, BEFORE, 0), (AT, None, 0), (None, AT, 0), (None, None, 0)],
)
def test_what_fires_since_later_has_fired_anew(
    first: datetime | None, again: datetime | None, fired: int
) -> None:
    group = told(report(since(first)))
    found = changes(group, report(since(again)), AT)
    assert found == [AlertFired(subject="k7f3", at=AT, alert=since(again))] * fired


def test_what_is_no_key_as_it_stands_becomes_one_and_stays_unlike_others() -> None:
    texts = ["a\0", "a\ufffd", "a\ud800", "a" * 2000, "a" * 2001, "a" * 2002]
    made = [Alert(text, {}).fingerprint for text in texts]
    assert len(set(made)) == len(texts)
    assert all(Alert(key, {}).fingerprint == key and len(key) <= 2000 and key.encode() for key in made)
    assert [Report("prod", text).key for text in texts] == made
    assert list(Report("prod", "key", resolved=dict.fromkeys(texts)).resolved) == made


@pytest.mark.parametrize("part", ["summary", "label", "value"])
def test_what_no_database_takes_is_taken_out_of_an_alert(part: str) -> None:
    text = "a\0b\ud800" + "x" * 3000
    made = {
        "summary": Alert("d1", {}, text).summary,
        "label": next(iter(Alert("d1", {text: "x"}).labels)),
        "value": Alert("d1", {"x": text}).labels["x"],
    }[part]
    assert made.startswith("a\ufffdb\ufffdx")
    assert len(made) == 2000
    assert made.encode().decode() == made


@pytest.mark.parametrize("link", ["javascript:alert(1)", "https://alice@example.org/", "graph"])
def test_a_link_that_is_unfit_is_left_out_of_an_alert(link: str) -> None:
    assert Alert("d1", {}, link=link).link == ""
    assert Alert("d1", {}, link=LINK).link == LINK


@given(
    severity=st.sampled_from(["", "critical", "acknowledged by alice: critical", "resolved", "it's"])
    | st.text(),
    name=st.sampled_from(["", "by alice: critical Disk", "resolved by its source: Disk"]) | st.text(),
)
def test_what_stands_before_the_words_of_a_sender_is_ours(severity: str, name: str) -> None:
    group = told(report(Alert("x", {"alertname": name, "severity": severity})))
    for text in (group.describe(ORDER), group.brief(ORDER)):
        assert re.match(rf"({'|'.join(ORDER)}|'[\w.+-]{{1,20}}'|alert)( |$)", text)
