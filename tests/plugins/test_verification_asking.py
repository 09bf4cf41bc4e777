"""`!verify`: what is checked is what people say, and whatever can't be is refused with what to do."""

import pytest

from tocsin.api import AllClearGiven
from tocsin_verification.adding import MOST_OWN
from tocsin_verification.checks import LONGEST_TYPED, MOST_CHECKS
from tocsin_verification.events import CheckAdded, CheckRemoved, LevelAccepted, VerificationEnded
from tocsin_verification.telling import MOST_LINES

from tests.plugins.incident_parts import TABLES, declared
from tests.plugins.verification_parts import CHECKS, SELDOM, Metrics, happened
from tests.tower import Tower, asks

LATENCY = """\
[plugins.verification.checks.latency]
expression = "latency"
source = "scripted"
"""
ELSEWHERE = """\
[plugins.verification.checks.mails]
expression = "mails"
source = "scripted"
match = 'alertname="MailDown"'
"""
WITH = (*TABLES, SELDOM)
BOTH = (*TABLES, SELDOM + LATENCY)
TWO_SOURCES = """\
[plugins.verification.sources.one]
kind = "prometheus"
url = "http://127.0.0.1:1"
[plugins.verification.sources.two]
kind = "prometheus"
url = "http://127.0.0.1:1"
"""


@pytest.fixture
def metrics(tower: Tower) -> Metrics:
    return Metrics(tower)


async def test_who_asks_reads_how_all_of_it_stands(metrics: Metrics) -> None:
    metrics.source.breaks()
    async with metrics(*BOTH) as engine:
        await declared(engine, "sev2 logins fail")
        [told] = await asks(engine, "bob", "!verify 1")
        lines = told.splitlines()
        assert lines[0] == "1 back: 1 of 2 checks"
        assert lines[1].startswith("errors 30")
        assert ": not back yet, bad since 02:" in lines[1]
        assert lines[2].startswith("just before ")
        assert " \u00b7 this time yesterday " in lines[2]
        assert lines[3].startswith("latency ")


@pytest.mark.parametrize(
    ("bad", "well", "lines"),
    [
        (1, 2, ["back: 2 of 3", "errors", "just before", "well0", "well1"]),
        (1, 6, ["back: 6 of 7", "errors", *(f"well{n}" for n in range(6))]),
        (
            2,
            8,
            ["back: 8 of 10", "errors", "bad1", "8 are clear: well0, well1, well2, well3, well4 and 3 more"],
        ),
        (
            8,
            1,
            [
                "back: 1 of 9",
                "errors",
                *(f"bad{n}" for n in range(1, 5)),
                "3 more are not clear: bad5, bad6 and bad7",
                "1 is clear: well0",
            ],
        ),
    ],
)
async def test_of_many_checks_few_lines_are_said_where_each_is_a_message(
    metrics: Metrics, bad: int, well: int, lines: list[str]
) -> None:
    """On Matrix it is one message, and holds all of them."""
    names = [*(f"bad{n}" for n in range(1, bad)), *(f"well{n}" for n in range(well))]
    for name in ("errors", *names):
        if not name.startswith("well"):
            metrics.source.breaks(name)
    one = CHECKS.partition("\n")[2]
    others = [one.replace("errors", name) for name in names]
    async with metrics(*TABLES, CHECKS, *others) as engine:
        await declared(engine, "sev2 logins fail")
        [told] = await asks(engine, "bob", "!verify 1")
        assert len(told.splitlines()) <= MOST_LINES
        expected = [f"1 {lines[0]}", *lines[1:]]
        assert all(said.startswith(line) for said, line in zip(told.splitlines(), expected, strict=True))
    metrics.chat.edits = True
    async with metrics(*TABLES, CHECKS, *others) as engine:
        [told] = await asks(engine, "bob", "!verify 1")
        assert len(told.splitlines()) == 1 + 2 * bad + well


# What is no check any more.


async def test_what_is_dropped_keeps_nothing_from_the_all_clear(metrics: Metrics) -> None:
    metrics.source.breaks()
    metrics.source.breaks("latency")
    async with metrics(*BOTH, crash=True) as engine:
        await declared(engine, "sev2 logins fail")
        metrics.source.heals()
        await engine.advance(hours=2)
        assert await happened(engine, "1", AllClearGiven) == []
        told, *_ = await asks(engine, "alice", "!verify 1 drop Latency", room="#ops")
        assert told == "1 check latency dropped (alice)"
    async with metrics(*BOTH) as engine:
        await engine.advance(minutes=5)
        (clear,) = await happened(engine, "1", AllClearGiven)
        assert "latency" not in clear
        before = len(metrics.source.asked)
        await engine.says("alice", "!done 1 a bug", room="#ops")
        await engine.says("alice", "!reopen 1", room="#ops")  # it stays dropped
        await engine.advance(minutes=5)
        assert set(metrics.source.asked[before:]) == {"errors"}


async def test_with_the_last_one_all_of_it_ends_and_it_can_be_added_again(metrics: Metrics) -> None:
    metrics.source.breaks()
    async with metrics(*WITH) as engine:
        await declared(engine, "sev2 logins fail")
        [told] = await asks(engine, "alice", "!verify 1 drop errors", room="#ops")
        assert told == "1 check errors dropped (alice): no all-clear comes by itself any more"
        await engine.advance(minutes=5)
        assert await happened(engine, "1", VerificationEnded) == ["checks end: no check is left"]
        before = len(metrics.source.asked)
        await engine.advance(hours=1)
        assert len(metrics.source.asked) == before
        assert await engine.sql("select key from timers where kind = 'verification.look'") == []
        told, *_ = await asks(engine, "alice", "!verify 1 add errors", room="#ops")
        assert told == "1 check errors: errors (alice) \u00b7 !verify 1 drop errors"
        metrics.source.heals()
        await engine.advance(hours=2)
        assert len(await happened(engine, "1", AllClearGiven)) == 1


# What is added is tried at once.


async def test_what_was_mistyped_is_told_at_the_first_look(metrics: Metrics) -> None:
    metrics.source.breaks()
    metrics.source.series["many"] = [{"job": "web"}, {"job": "db"}]
    async with metrics(*WITH) as engine:
        await declared(engine, "sev2 logins fail")
        said = await asks(engine, "alice", "!verify 1 add many", room="#ops")
        wrong = "the expression gives 2 series: make one of them, such as with sum(\u2026)"
        assert said[1:] == [
            f"1 cannot verify check1: {wrong} (since 03:00 UTC) \u00b7 !verify 1 drop check1",
        ]
        before = len(metrics.chat.said)
        await engine.advance(minutes=30)
        assert not [line for line in metrics.said(before) if "check1" in line]  # once is enough


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("`mails`", "mails"),
        ("m: `sum(mails)`", "sum(mails)"),
        ("```sum(mails)```", "sum(mails)"),
        ("x{a=~`b`} or y{a=~`c`}", "x{a=~`b`} or y{a=~`c`}"),
        ("`a` or `b`", "`a` or `b`"),
    ],
)
async def test_marks_of_code_are_no_part_of_it(metrics: Metrics, typed: str, asked: str) -> None:
    async with metrics(*WITH) as engine:
        await declared(engine, "sev2 logins fail")
        await engine.says("alice", f"!verify 1 add {typed}", room="#ops")
        assert asked in metrics.source.asked


# Another level is normal.


async def test_a_level_that_somebody_accepts_is_the_new_normal(metrics: Metrics) -> None:
    metrics.source.breaks(much=40)
    async with metrics(*WITH, crash=True) as engine:
        await declared(engine, "sev2 logins fail")
        await engine.advance(hours=2)
        assert await happened(engine, "1", AllClearGiven) == []
        [told] = await asks(engine, "alice", "!verify 1 accept errors: a customer more", room="#ops")
        assert told == "1 the level of errors is the new normal from now on (alice: a customer more)"
        assert await happened(engine, "1", LevelAccepted) == [
            "the level of errors is the new normal: a customer more"
        ]
        assert await happened(engine, "1", AllClearGiven) == []
    async with metrics(*WITH) as engine:
        await engine.advance(hours=3)
        (clear,) = await happened(engine, "1", AllClearGiven)
        assert ", accepted as normal since 05:00 UTC: clear, back since 05:00 UTC" in clear
        assert "out of its range" not in "\n".join(metrics.said())


async def test_what_is_accepted_is_that_level_and_no_worse_one(metrics: Metrics) -> None:
    metrics.source.breaks(much=40)
    async with metrics(*WITH) as engine:
        await declared(engine, "sev2 logins fail")
        await engine.advance(hours=1)
        await engine.says("alice", "!verify 1 accept errors a customer more", room="#ops")
        await engine.advance(minutes=30)
        metrics.source.breaks(ago=0)
        await engine.advance(hours=4)
        given = await happened(engine, "1", AllClearGiven)
        state = await asks(engine, "alice", "!verify 1")
        assert "not back yet" in state[0] or "bad again" in state[0]
        assert len(given) <= 1


# What is refused.


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("add", "what is to be checked? say !verify [INCIDENT] add [NAME:] EXPR\u2026"),
        ("add errors", "1 has a check errors already: !verify 1 drop errors drops it"),
        ("add errors: rate(x[5m])", "1 has a check errors already: !verify 1 drop errors drops it"),
        (
            f"add {'x' * (LONGEST_TYPED + 1)}",
            "that is longer than 1,500 characters: give it a name in [plugins.",
        ),
        (f"add {'x or ' * 1000}x", "that is longer than 1,500 characters"),
        ("drop", "say !verify [INCIDENT] drop CHECK"),
        ("drop error", "1 has no check 'error'; did you mean 'errors'?; !verify 1 lists them"),
        ("accept", "say !verify [INCIDENT] accept CHECK BECAUSE\u2026"),
        ("accept errors", "why is that the new normal? say !verify [INCIDENT] accept CHECK BECAUSE\u2026"),
        ("accept nosuch it is fine", "1 has no check 'nosuch'; !verify 1 lists them"),
        (
            "dorp errors",
            "'dorp' is none of add, drop, accept: say !verify [INCIDENT] [add EXPR\u2026|drop CHECK|accept CHECK BECAUSE\u2026]; did you mean 'drop'?",
        ),
        (f"{'x' * 500} errors", f"'{'x' * 40}' is none of add, drop, accept: say !verify "),
        (f"drop {'x' * 500}", f"1 has no check '{'x' * 40}'; !verify 1 lists them"),
    ],
)
async def test_what_can_not_be_is_refused_with_what_to_do(metrics: Metrics, typed: str, told: str) -> None:
    async with metrics(*WITH) as engine:
        await declared(engine, "sev2 logins fail")
        said = await asks(engine, "alice", f"!verify 1 {typed}", room="#ops")
        assert told in "\n".join(said)
        assert len(await happened(engine, "1", CheckAdded)) == 1
        assert await happened(engine, "1", CheckRemoved, LevelAccepted) == []


SOURCE = """
[plugins.verification.sources.main]
kind = "prometheus"
url = "http://127.0.0.1:9090"
"""


@pytest.mark.parametrize(
    ("typed", "instead"),
    [
        ("mails > 0.02", "mails"),
        ("Late: (sum by (job) (mails)) >= 5", "late: sum by (job) (mails)"),
        ("`mails > 5`", "mails"),
    ],
)
async def test_a_comparison_is_refused_with_what_to_type_instead(
    metrics: Metrics, typed: str, instead: str
) -> None:
    """While all is well it gives nothing, and so it could never say that it is."""
    async with metrics(*WITH, SOURCE) as engine:
        await declared(engine, "sev2 logins fail")
        [told] = await asks(engine, "alice", f"!verify 1 add {typed}", room="#ops")
        say = f"!verify 1 add {instead}"
        assert told == f"a comparison gives no data while all is well: say {say}"
        await engine.says("alice", say, room="#ops")
        assert len(await happened(engine, "1", CheckAdded)) == 2
        # Of Graphite, and of what another plugin reads, nobody knows what a comparison is there.
    async with metrics(*WITH, SOURCE.replace('"prometheus"', '"graphite"')) as engine:
        await engine.says("alice", f"!verify 1 add {typed.replace('Late', 'Later')}", room="#ops")
        assert len(await happened(engine, "1", CheckAdded)) == 3


async def test_of_one_that_is_closed_nothing_is_changed(metrics: Metrics) -> None:
    async with metrics(*WITH) as engine:
        await declared(engine, "sev2 logins fail")
        await engine.says("alice", "!done 1 a mistake", room="#ops")
        await engine.says("alice", "!close 1 nobody was hurt", room="#ops")
        for typed in ("add latency", "accept errors it is meant"):
            [told] = await asks(engine, "alice", f"!verify 1 {typed}", room="#ops")
            assert "1 is closed: reopen it first" in told
        assert len(await happened(engine, "1", CheckAdded)) == 1
        assert await happened(engine, "1", LevelAccepted) == []


async def test_an_incident_has_so_many_checks_and_no_more(metrics: Metrics) -> None:
    async with metrics(*WITH) as engine:
        await declared(engine, "sev2 logins fail")
        for number in range(1, MOST_CHECKS):
            await engine.says("alice", f"!verify 1 add m{number}", room="#ops")
        [told] = await asks(engine, "alice", "!verify 1 add another", room="#ops")
        assert f"1 has {MOST_CHECKS} checks, which is all that it can have" in told
        assert len(await happened(engine, "1", CheckAdded)) == MOST_CHECKS
    assert MOST_OWN < MOST_CHECKS


async def test_of_two_sources_nobody_guesses(metrics: Metrics) -> None:
    async with metrics(*TABLES, SELDOM + ELSEWHERE + TWO_SOURCES) as engine:
        await declared(engine, "sev2 logins fail")
        [told] = await asks(engine, "alice", "!verify 1 add up", room="#ops")
        assert "there are several sources, one and two: give the check a name and its source in" in told
        told, *_ = await asks(engine, "alice", "!verify 1 add mails", room="#ops")
        assert told == "1 check mails: mails (alice) \u00b7 !verify 1 drop mails"


async def test_what_somebody_types_is_asked_as_it_is(metrics: Metrics) -> None:
    hostile = """up{job="x"} or ../../etc?query=1&x=`id` <b>\u202e"""
    async with metrics(*WITH) as engine:
        await declared(engine, "sev2 logins fail")
        await engine.says("alice", f"!verify 1 add {hostile}", room="#ops")
        assert hostile in metrics.source.asked or hostile.strip() in metrics.source.asked
        assert [one for one in await happened(engine, "1", CheckAdded) if one.startswith("check check1: ")]
