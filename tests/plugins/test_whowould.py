"""Who would be paged, without paging: in chat and at the command line."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result

from tocsin import daemon
from tocsin.config import Document
from tocsin.domain.labels import parse_labels
from tocsin.errors import PluginError
from tocsin.hookspecs import hookimpl
from tocsin.plugins import Plugins
from tocsin_escalation.whowould import UNKNOWN

from tests.engine import fires
from tests.plugins.test_escalation_hold import nights
from tests.tower import Tower, asks, policy
from tests.typed import typed

# It is Saturday, 21 November, 03:00 UTC, which is 04:00 in Berlin.

ROUTE = """\
[[plugins.escalation.routes]]
match = ['team="db"']
policy = "db"
urgency = "low"
team = "db"
"""
TEAM = '[teams.db]\nmembers = ["alice", "bob"]\nrooms.console = "#db"\n'
NIGHT = policy(
    '{ page = "db", room = "db" }, { page = "primary", hold = true, after = "10m" }, '
    '{ page = "carol", after = "1h" }',
    "repeat = 0",
    name="db",
)
OPS = policy(
    '{ page = ["primary", "alice"] }, { page = "db", after = "5m", who = "awake" }, '
    '{ page = "dave", after = "5m", severity = ["error", "warning"] }, '
    '{ page = "dave", after = "5m", hours = "Mon-Fri 08:00-20:00", timezone = "Europe/Berlin" }, '
    '{ page = "db", after = "10m", round_robin = true }'
)
TABLES = (ROUTE, TEAM, NIGHT, OPS, nights("alice"))


def lives(tower: Tower) -> None:
    """Alice sleeps in Berlin, bob is awake in Auckland."""
    for name, lines in (
        ("alice", 'timezone = "Europe/Berlin"\nquiet = "22:00-07:00"'),
        ("bob", 'timezone = "Pacific/Auckland"'),
    ):
        tower.people = tower.people.replace(f"[people.{name}]\n", f"[people.{name}]\n{lines}\n")


async def test_it_is_told_step_by_step_and_nobody_is_paged(tower: Tower) -> None:
    lives(tower)
    async with tower(*TABLES) as engine:
        before = await engine.sql("select max(seq) from events")
        (answer,) = await asks(engine, "carol", "!whowould severity=critical service=web")
        assert answer.splitlines() == [
            "policy ops (the default)",
            "step 1 at once: alice; nobody is on call by primary",
            "step 2 after 5m: bob (db); not alice, for whom it is night",
            "step 3 is passed over: only for error or warning",
            "step 4 is passed over: outside of Mon-Fri 08:00-20:00 Europe/Berlin",
            "step 5 after 15m: alice (db, in turn)",
            (
                "without an answer: 5m later all of it again, 3 times; 5m after the last step nothing more: "
                "no fallback is configured"
            ),
        ]
        assert await engine.sql("select max(seq) from events") == before
        assert await engine.sql("select count(*) from subjects") == [(0,)]
        assert tower.chat.pages() == []
        assert tower.chat.told() == []


async def test_what_may_wait_is_told_with_the_morning_and_the_shift_it_waits_for(tower: Tower) -> None:
    lives(tower)
    async with tower(*TABLES) as engine:
        (answer,) = await asks(engine, "carol", "!whowould team=db severity=catastrophe")
        assert answer.splitlines() == [
            'policy db (routes[0]: team="db"), low urgency, which counts as critical, told in the rooms of db',
            "step 1 at once: bob (db) and #db; alice when it may wake them (07:00 UTC+1)",
            "step 2 after 5h, when alice is on call by primary (08:00 UTC): alice (primary)",
            "step 3 after 6h: carol",
            "without an answer: 5m after the last step nothing more: no fallback is configured",
        ]


async def test_at_another_time_other_people_would_be_called(tower: Tower) -> None:
    lives(tower)
    async with tower(*TABLES) as engine:
        (answer,) = await asks(engine, "alice", "!whowould severity=critical at mon 09:30")
        head, first, second, _, fourth, *_ = answer.splitlines()
        assert head == "at Mon 23 Nov 09:30 Europe/Berlin: policy ops (the default)"
        assert first == "step 1 at once: alice; nobody is on call by primary"
        assert second == "step 2 after 5m: alice (db) and bob (db)"
        assert fourth == "step 4 after 10m: dave"
        (answer,) = await asks(engine, "alice", "!whowould severity=critical at 09:30")
        assert "step 1 at once: alice (primary)" in answer


async def test_overrides_count_and_whose_turn_it_is_and_who_is_not_reached(tower: Tower) -> None:
    steps = policy('{ page = "db", round_robin = true }, { page = "alice" }')
    async with tower(steps, TEAM) as engine:
        await engine.report(fires())
        engine.chat.unseen = {"alice"}
        (answer,) = await asks(engine, "carol", "!whowould severity=critical")
        assert answer.splitlines()[1:3] == [
            "step 1 at once: bob (db, in turn)",
            "step 2 at once: alice (not reached now)",
        ]
        engine.chat.unseen = set()
        (answer,) = await asks(engine, "carol", "!whowould severity=critical at tomorrow 09:00")
        assert answer.splitlines()[2] == "step 2 at once: alice"


async def test_where_no_step_comes_or_nobody_can_be_paged_it_says_what_rings(tower: Tower) -> None:
    for steps, first, last in (
        (
            '{ page = "alice", hours = "Sun" }',
            "step 1 is passed over: outside of Sun UTC",
            "no step comes: no fallback is configured",
        ),
        (
            '{ page = "empty" }',
            "step 1 at once: nobody (nobody is on call by empty)",
            "nobody can be paged: no fallback is configured",
        ),
    ):
        async with tower(policy(steps), "[schedules.empty]\non_call = []\n") as engine:
            (answer,) = await asks(engine, "carol", "!whowould a=b")
            assert answer.splitlines()[1:] == [first, last]


async def test_with_a_fallback_it_says_when_that_rings(tower: Tower) -> None:
    tower.people += '[fallback]\ncommand = ["/bin/true"]\n'
    async with tower(policy('{ page = "alice" }', "repeat = 0")) as engine:
        (answer,) = await asks(engine, "carol", "!whowould a=b")
        assert answer.splitlines()[-1] == "without an answer: 5m after the last step the fallback rings"
    async with tower(policy('{ page = "alice", severity = "info" }')) as engine:
        (answer,) = await asks(engine, "carol", "!whowould a=b")
        assert answer.splitlines()[-1] == "no step comes: the fallback rings at once"


async def test_in_a_room_a_long_answer_comes_in_private(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        (said,) = await asks(engine, "carol", "!whowould severity=critical", room="#ops")
        assert said == "policy ops (the default) … I told you the rest in private"
        assert "step 1 at once" in engine.chat.texts("person/carol")[-1]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("", ""),
        ("critical", "an alert has labels, written NAME=VALUE"),
        ("severity=critical db", "'db' is no label: they are written NAME=VALUE"),
        ("severity=critical at", "must be a time such as"),
        ("severity=critical at 25:00", "there is no time '25:00'"),
        ("severity=critical at 09:00 service=db", "'service=db' is too much behind 'at 09:00'"),
        ("a=b a=c", "there are two labels called 'a'"),
        ("severity=~critical", "an alert has labels, written NAME=VALUE"),
    ],
)
async def test_what_can_not_be_read_says_what_to_type(tower: Tower, said: str, why: str) -> None:
    async with tower() as engine:
        (answer,) = await asks(engine, "carol", f"!whowould {said}")
        assert why in answer
        assert "!whowould" in answer


@pytest.mark.parametrize(
    ("text", "labels", "left"),
    [
        ("a=b", {"a": "b"}, []),
        ("a=b c=d at 09:00", {"a": "b", "c": "d"}, ["at", "09:00"]),
        ("{alertname=\"Disk Full\", x='y z'}", {"alertname": "Disk Full", "x": "y z"}, []),
        ("a=b,c=d, e=", {"a": "b", "c": "d", "e": ""}, []),
        ('a="" url=http://x/y?z=1', {"a": "", "url": "http://x/y?z=1"}, []),
        ("a=b =c", {"a": "b"}, ["=c"]),
        ('a="b', {}, None),
        ("a~b", {}, None),
        ("", {}, None),
    ],
)
def test_labels_are_read_as_people_type_them(
    text: str, labels: dict[str, str], left: list[str] | None
) -> None:
    if left is None:
        with pytest.raises(ValueError, match=r"^an alert has labels, written NAME=VALUE$"):
            parse_labels(text)
    else:
        assert parse_labels(text) == (labels, left)


# At the command line.


def run(*words: str | Path) -> Result:
    return typed("whowould", *words)


def test_at_the_command_line_the_configuration_alone_is_asked(tower: Tower) -> None:
    lives(tower)
    path = tower.write("\n".join([tower.people, *TABLES]))
    ran = run("-c", path, "team=db", "severity=info", "--at", "2026-11-21T03:00")
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert ran.stdout.splitlines() == [
        "at Sat 21 Nov 2026 03:00 UTC:",
        'policy db (routes[0]: team="db"), low urgency, told in the rooms of db',
        "step 1 at once: bob (db) and #db; alice when it may wake them (07:00 UTC+1)",
        "step 2 after 5h, when alice is on call by primary (08:00 UTC): alice (primary)",
        "step 3 after 6h: carol",
        "without an answer: 5m after the last step nothing more: no fallback is configured",
        UNKNOWN,
    ]


def test_what_can_not_be_read_at_the_command_line_is_refused(tower: Tower) -> None:
    path = tower.write("\n".join([tower.people, *TABLES]))
    for words, why in (
        (["critical"], "'critical' is no label"),
        (["a=b", "--at", "noonish"], "must be a time"),
        (["a=b", "--at", "09:00 10:00"], "must be a time"),
        ([], "Missing argument"),
    ):
        ran = run("-c", path, *words)
        assert (ran.exit_code, ran.stdout) == (2, "")
        assert why in ran.stderr


def test_secrets_need_not_be_there_to_ask_it_but_names_do(tower: Tower) -> None:
    path = tower.write("\n".join([tower.people, *TABLES]))
    (path.parent / "prod.token").unlink()
    assert run("-c", path, "a=b").exit_code == 0
    path.write_text(path.read_text().replace('page = "carol"', 'page = "carl"'))
    ran = run("-c", path, "a=b")
    assert ran.exit_code == 2
    assert "no person, schedule or team is called 'carl'" in ran.stderr


def test_a_configuration_that_pages_nobody_says_so(tower: Tower) -> None:
    path = tower.write(tower.people.partition("[plugins.alertmanager]")[0])
    ran = run("-c", path, "a=b")
    assert (ran.exit_code, ran.stdout) == (0, "no plugin that is enabled pages anybody\n")


def test_plugins_are_asked_by_the_hook_foresee_pages(tower: Tower) -> None:
    config = daemon.read(Document.open(tower.write("\n".join([tower.people, policy('{ page = "alice" }')]))))
    at = datetime(2026, 11, 21, 3, tzinfo=UTC)
    lines = list(Plugins(config.plugins).foresee({"severity": "critical"}, at, config))
    assert lines[1] == "step 1 at once: alice"


@dataclass(frozen=True)
class Prophet:
    said: tuple[object, ...]

    @hookimpl
    def foresee_pages(self, labels: Mapping[str, str], at: datetime) -> Iterator[object]:
        yield from self.said
        yield f"{labels['a']} at {at:%H:%M}"


def test_whoever_pages_may_say_whom_in_lines_of_text(tower: Tower) -> None:
    config = daemon.read(Document.open(tower.write("\n".join([tower.people, policy('{ page = "alice" }')]))))
    at = datetime(2026, 11, 21, 3, tzinfo=UTC)
    prophets = {"two": Prophet(("x",)), "one": Prophet(())}
    assert list(Plugins(prophets).foresee({"a": "b"}, at, config)) == ["b at 03:00", "x", "b at 03:00"]
    with pytest.raises(PluginError, match="foresee_pages returned 3, which is no str"):
        list(Plugins({"one": Prophet((3,))}).foresee({"a": "b"}, at, config))
