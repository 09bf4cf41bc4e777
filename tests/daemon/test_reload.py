"""The configuration is read again: all of it holds from one turn on, or nothing of it does, and people hear which."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import MethodType

import pytest

from tocsin import daemon
from tocsin.api import TimerKind, hookimpl
from tocsin.commands import Vocabulary
from tocsin.config import Document
from tocsin.core import Setup
from tocsin.errors import StoreUnavailable
from tocsin.reload import SIGNAL
from tocsin.store import profiles
from tocsin.transaction import Transaction
from tocsin_escalation.steps import Steps
from tocsin_silence import Silence

from tests.engine import Engine, fires
from tests.tower import EMPTY, TWO_STEPS, Tower, asks, policy

ALICE, BOB, CAROL, PRIMARY = (
    policy(f'{{ page = "{name}" }}', 'repeat_after = "1h"') for name in ("alice", "bob", "carol", "primary")
)
RADIO = '[networks.radio]\nkind = "console"\nroom = "#radio"\n'
AUDIT = "select place, person, what, verdict from audit"
HOLDS = "configuration not reloaded, the old one holds"


def on_call(people: str) -> str:
    return f"[schedules.primary]\non_call = {people}\n"


@pytest.fixture
def tower(write_config: Callable[..., Path], tmp_path: Path) -> Tower:
    tower = Tower(write_config, tmp_path / "state")
    tower.people += RADIO
    return tower


async def reloads(engine: Engine, by: str = "alice") -> str:
    """What somebody is told in private who asks for it."""
    [said] = await asks(engine, by, "reload")
    return said


async def paged(tower: Tower, engine: Engine, key: str) -> list[str]:
    """Who is paged at once when something else fires."""
    before = len(tower.chat.pages())
    await engine.report(fires(key=key))
    return [page.split()[1] for page in tower.chat.pages()[before:]]


# ── What holds then ─────────────────────────────────────────────────────────────────────────────────────────


async def test_a_policy_holds_for_what_fires_next_and_what_rings_keeps_its_own(tower: Tower) -> None:
    async with tower(TWO_STEPS) as engine:
        assert await paged(tower, engine, "old") == ["alice"]
        tower.edit(CAROL)
        assert await reloads(engine) == "configuration reloaded by alice: plugins.escalation changed"
        assert await paged(tower, engine, "new") == ["carol"]
        await engine.advance(minutes=5)
        assert tower.chat.pages() == ["03:00:00 alice", "03:00:00 carol", "03:05:00 bob"]


async def test_words_people_and_severities_hold_from_the_next_line_on(tower: Tower) -> None:
    async with tower(ALICE) as engine:
        tower.people = f'prefix = "."\nseverities = ["warning", "critical"]\n{tower.people}'
        tower.people += '[people.erin]\naccounts.console = "erin"\n[teams.db]\nmembers = ["alice", "erin"]\n'
        tower.edit(policy('{ page = "db" }'))
        assert (
            await reloads(engine)
            == "configuration reloaded by alice: people.erin, teams.db, severities, prefix and plugins.escalation changed"
        )
        assert tower.chat.accounts["erin"] == "erin"
        assert sorted(await paged(tower, engine, "disk")) == ["alice", "erin"]
        assert await asks(engine, "alice", "!alerts", room="#ops") == []
        [said] = await asks(engine, "erin", ".ack", room="#ops")
        assert "acknowledged by erin" in said
        assert engine.run.tocsin.people.person_of("console", "erin") == "erin"


async def test_who_is_gone_is_a_stranger_and_what_people_said_of_themselves_holds(tower: Tower) -> None:
    def say(tx: Transaction) -> None:
        profiles.set_timezone(tx.connection, "alice", "Asia/Kolkata")
        profiles.link(tx.connection, "radio", "al2", "alice", tx.now)
        tx.change_people()

    async with tower(TWO_STEPS) as engine:
        await engine.run.tocsin.turn(say)
        tower.people = tower.people.replace('[people.dave]\naccounts.console = "dave"\n', "")
        tower.people = tower.people.replace('"carol"\n', '"carol"\ntimezone = "Europe/Berlin"\n', 1)
        tower.edit(TWO_STEPS)
        assert (
            await reloads(engine) == "configuration reloaded by alice: people.carol and people.dave changed"
        )
        people = engine.run.tocsin.people
        assert people.person_of("console", "dave") is None
        assert people.person_of("radio", "al2") == "alice"
        assert people.by_name["alice"].timezone.key == "Asia/Kolkata"
        assert people.by_name["carol"].timezone.key == "Europe/Berlin"
        assert "dave" not in tower.chat.accounts
        assert tower.radio.accounts == {"al2": "alice"}
        [said] = await asks(engine, "dave", "!ack", room="#ops")
        assert said.startswith("I don't know you here")


async def test_the_fallback_is_the_new_one(tower: Tower, tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).write_text(f"#!/bin/sh\nhead -n 1 >> {tmp_path / name}.heard\n")
        (tmp_path / name).chmod(0o755)
    steps = policy('{ page = "alice" }', "repeat = 1", 'repeat_after = "1m"')
    async with tower(f'{steps}[fallback]\ncommand = ["{tmp_path / "old"}"]\n') as engine:
        tower.edit(f'{steps}[fallback]\ncommand = ["{tmp_path / "new"}"]\n')
        assert await reloads(engine) == "configuration reloaded by alice: fallback.command changed"
        await engine.report(fires())
        await engine.advance(minutes=10)
        assert (tmp_path / "new.heard").exists()
        assert not (tmp_path / "old.heard").exists()


async def test_timers_that_wait_ring_by_the_new_settings(tower: Tower) -> None:
    async with tower(TWO_STEPS, "[plugins.silence]\nlongest = '2h'\n") as engine:
        tower.edit(TWO_STEPS, "[plugins.silence]\nlongest = '3h'\n")
        await engine.report(fires())
        [refused] = await asks(engine, "alice", "silence 3h")
        assert "plugins.silence.longest allows 2h" in refused
        assert await reloads(engine) == "configuration reloaded by alice: plugins.silence changed"
        [said] = await asks(engine, "alice", "silence 3h")
        assert "silenced" in said
        await engine.advance(hours=3, seconds=1)
        assert tower.chat.pages()[-1] == "06:00:00 alice"


async def test_what_rings_at_the_start_rings_for_another_configuration_too(
    tower: Tower, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung, own = list[timedelta](), Silence.register_timers
    longest = [timedelta(hours=2), timedelta(hours=3)]

    def register(silence: Silence) -> list[TimerKind]:
        hello = TimerKind("silence.hello", lambda *_: rung.append(silence.longest), at_start=True)
        return [*own(silence), hello]

    monkeypatch.setattr(Silence, "register_timers", hookimpl(register))
    async with tower(ALICE, "[plugins.silence]\nlongest = '2h'\n") as engine:
        assert rung == longest[:1]
        tower.edit(ALICE, "[plugins.silence]\nlongest = '3h'\n")
        await reloads(engine)
        assert rung == longest
        assert await reloads(engine) == "configuration reloaded: nothing has changed"
        assert rung == longest


# ── Who is on call ──────────────────────────────────────────────────────────────────────────────────────────


async def test_who_comes_on_call_by_it_is_paged_for_what_rings(tower: Tower) -> None:
    async with tower(PRIMARY, on_call('"alice"')) as engine:
        assert await paged(tower, engine, "disk") == ["alice"]
        tower.edit(PRIMARY, on_call('["alice", "bob"]'))
        await engine.advance(seconds=10)
        assert await reloads(engine) == "configuration reloaded by alice: schedules.primary changed"
        assert tower.chat.pages() == ["03:00:00 alice", "03:00:10 bob"]
        assert await reloads(engine) == "configuration reloaded: nothing has changed"
        await engine.advance(minutes=2)
        assert tower.chat.pages() == ["03:00:00 alice", "03:00:10 bob"]


async def test_the_first_schedule_is_looked_at_from_then_on(tower: Tower) -> None:
    turns = '[[schedules.primary.layers]]\npeople = ["alice", "bob"]\nbegins = "2026-11-20 03:10"\nevery = "day"\n'
    async with tower(ALICE) as engine:
        tower.edit(PRIMARY, turns)
        await reloads(engine)
        assert await paged(tower, engine, "disk") == ["alice"]
        await engine.advance(minutes=10)
        assert tower.chat.pages() == ["03:00:00 alice", "03:10:00 bob"]


async def test_a_schedule_may_go(tower: Tower) -> None:
    async with tower(PRIMARY, on_call('"alice"'), EMPTY) as engine:
        await engine.report(fires())
        tower.edit(ALICE)
        assert (
            await reloads(engine)
            == "configuration reloaded by alice: schedules.primary, schedules.empty and plugins.escalation changed"
        )
        assert await paged(tower, engine, "new") == ["alice"]
        await engine.advance(minutes=20)
        [said] = await asks(engine, "alice", "oncall")
        assert said.startswith("there is no schedule")


# ── What can't be used ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_bad_file_changes_nothing_and_says_why(
    tower: Tower, caplog: pytest.LogCaptureFixture
) -> None:
    async with tower(ALICE) as engine:
        before = engine.run.tocsin.setup
        tower.people = f'prefix = "."\n{tower.people}[people.erin]\nacounts.console = "erin"\n'
        path = tower.edit(f'{BOB}[schedules.s]\non_call = "bbo"\nzone = "UTC"\n')
        caplog.clear()
        said = await reloads(engine)
        assert said.startswith(f"{HOLDS}: {path}:")
        assert said.endswith(
            "people.erin.acounts: no such setting; did you mean 'accounts'?; and 1 more: see the log"
        )
        logged = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
        assert [line.split(": ", 1)[1] for line in logged] == [
            "people.erin.acounts: no such setting; did you mean 'accounts'?",
            "schedules.s.zone: no such setting; did you mean 'timezone'?",
        ]
        assert engine.run.tocsin.setup is before
        assert await paged(tower, engine, "disk") == ["alice"]
        [answer] = await asks(engine, "alice", "!ack", room="#ops")
        assert "acknowledged by alice" in answer
        assert tower.radio.texts("room/#radio")[0].count("reload") == 0


async def test_where_all_the_world_reads_it_does_not_say_what_stands_in_the_file(tower: Tower) -> None:
    async with tower(ALICE) as engine:
        tower.edit('[plugins.escalation.policies.ops]\nsteps = [{ page = "mallory" }]\n')
        await engine.says("alice", "!reload", room="#ops")
        [said] = [each for each in tower.chat.said if "reload" in str(each)]
        assert "mallory" in str(said)
        assert str(said.message.summary().text) == f"{HOLDS}: 1 error, see the log"


FIXED = {
    "another network": (RADIO, f'{RADIO}[networks.tv]\nkind = "console"\n', "networks.tv: added"),
    "a network less": (RADIO, "", "networks.radio: removed"),
    "a network's room": ('"#radio"', '"#ham"', "networks.radio.room: changed"),
    "another kind": (
        'kind = "console"\nroom',
        'kind = "irc"\nserver = "h:1"\nroom',
        "networks.radio: changed",
    ),
    "another address": (":0", ":1", "web.listen: changed"),
    "another folder": (RADIO, f'{RADIO}[store]\ndirectory = "there"\n', "store.directory: changed"),
    "another plugin": (RADIO, f"{RADIO}[plugins.silence]\n", "plugins.silence: added"),
    "a plugin less": ("[plugins.alertmanager]", "", "plugins.alertmanager: removed"),
    "a team's room": (
        RADIO,
        f'{RADIO}[teams.db]\nmembers = ["bob"]\nrooms.radio = "#db"\n',
        "teams.db.rooms.radio: Tocsin is not there yet",
    ),
}


@pytest.mark.parametrize(("old", "new", "said"), FIXED.values(), ids=FIXED)
async def test_what_takes_a_restart_is_refused_with_all_that_stands_beside_it(
    tower: Tower, old: str, new: str, said: str
) -> None:
    async with tower(ALICE) as engine:
        tower.people = f'prefix = "."\n{tower.people.replace(old, new)}'
        tower.edit(BOB)
        told = await reloads(engine)
        assert told.startswith(HOLDS)
        assert told.endswith(f"{said}: restart Tocsin for that")
        assert await paged(tower, engine, "disk") == ["alice"]
        assert len(await asks(engine, "alice", "!alerts", room="#ops")) == 1


async def test_a_room_that_another_team_has_already_needs_no_restart(tower: Tower) -> None:
    db = '[teams.db]\nmembers = ["bob"]\nrooms.radio = "#db"\n'
    async with tower(ALICE, db) as engine:
        tower.edit(ALICE, db, db.replace("teams.db", "teams.disks"))
        assert await reloads(engine) == "configuration reloaded by alice: teams.disks changed"
        tower.edit(ALICE)
        assert (await reloads(engine)).endswith(": Tocsin is still in #db: restart Tocsin for that")


# ── Who asks, and who hears of it ───────────────────────────────────────────────────────────────────────────


async def test_everybody_is_told_once_and_the_audit_knows(tower: Tower) -> None:
    async with tower(ALICE) as engine:
        tower.edit(BOB)
        changed = "configuration reloaded by alice: plugins.escalation changed"
        assert await asks(engine, "alice", "!reload", room="#ops") == [changed]
        assert tower.radio.texts() == [changed]
        tower.edit("")
        [refused] = await asks(engine, "bob", "!reload", room="#ops")
        assert refused.startswith(HOLDS)
        assert tower.radio.texts() == [changed]
        read = "the configuration, read again"
        assert await engine.sql(AUDIT) == [
            ("console/room/#ops", "alice", "reload", "done"),
            ("console/room/#ops", "alice", read, "done"),
            ("console/room/#ops", "bob", "reload", "done"),
            ("console/room/#ops", "bob", read, f"refused: {refused}"),
        ]


async def test_where_nothing_has_changed_only_who_asks_is_told(tower: Tower) -> None:
    async with tower(ALICE) as engine:
        tower.edit(f"{ALICE}\n# nothing but this\n")
        assert await reloads(engine) == "configuration reloaded: nothing has changed"
        await engine.run.daemon.reload.again(engine.run.tocsin, SIGNAL)
        await engine.run.settled()
        assert tower.chat.told() == tower.radio.texts() == []


async def test_a_stranger_can_not_ask_for_it(tower: Tower) -> None:
    async with tower(ALICE) as engine:
        tower.edit(BOB)
        [said] = await asks(engine, "mallory", "!reload", room="#ops")
        assert said.startswith("I don't know you here, so !reload is not for you")
        assert await paged(tower, engine, "disk") == ["alice"]


async def test_two_who_ask_at_the_same_time_are_both_answered(tower: Tower) -> None:
    async with tower(ALICE) as engine:
        tower.edit(BOB)
        await asyncio.gather(
            tower.chat.hears("alice", "!reload", room="#ops"), tower.chat.hears("bob", "reload")
        )
        await engine.run.settled()
        answers = [*tower.chat.texts("person/bob"), *tower.chat.texts("room/#ops")]
        assert sorted("nothing has changed" in one for one in answers) in (
            [False, True],
            [False, False, True],
        )


# ── One turn ────────────────────────────────────────────────────────────────────────────────────────────────


def seen(tx: Transaction) -> tuple[str, str, timedelta]:
    """What the parts of a configuration say that a turn looks at."""
    step = tx.rules.timers["escalation.step"].call
    assert isinstance(step, MethodType)
    assert isinstance(step.__self__, Steps)
    policies = step.__self__.routing.policies
    return tx.config.prefix, tx.rules.of(Vocabulary).prefix, policies["ops"].repeat_after


async def test_no_turn_sees_one_half_of_each(tower: Tower) -> None:
    old, new = (policy('{ page = "alice" }', f'repeat_after = "{length}"') for length in ("1m", "2m"))
    found = set[tuple[str, str, timedelta]]()
    async with tower(old) as engine:
        people, done = tower.people, asyncio.Event()

        async def look() -> None:
            while not done.is_set():
                found.update(await asyncio.gather(*(engine.run.tocsin.turn(seen) for _ in range(50))))

        looking = asyncio.create_task(look())
        for number in range(10):
            tower.people = people if number % 2 else f'prefix = "."\n{people}'
            tower.edit(old if number % 2 else new)
            await engine.run.daemon.reload.again(engine.run.tocsin, SIGNAL)
        done.set()
        await looking
    assert found == {("!", "!", timedelta(minutes=1)), (".", ".", timedelta(minutes=2))}


def raises(_: Transaction) -> None:
    raise ZeroDivisionError


def loses_all(tx: Transaction) -> None:
    """What SQLite does on a full disk."""
    raw = tx.connection.connection.dbapi_connection
    assert raw is not None
    raw.rollback()


@pytest.mark.parametrize(("fails", "error"), [(raises, ZeroDivisionError), (loses_all, StoreUnavailable)])
async def test_what_can_not_be_kept_never_held(
    tower: Tower, fails: Callable[[Transaction], None], error: type[Exception]
) -> None:
    async with tower(ALICE) as engine:
        tocsin = engine.run.tocsin
        before, other = tocsin.setup, read(tower, engine)

        def turn(tx: Transaction) -> None:
            tocsin.use(other, tx)
            assert (tx.config, tx.rules.timers) == (other.config, other.rules.timers)
            assert tx.people.person_of("console", "erin") == "erin"
            fails(tx)

        with pytest.raises(error):
            await tocsin.turn(turn)
        assert tocsin.setup is before
        config, rules, erin = await tocsin.turn(
            lambda tx: (tx.config, tx.rules, tx.people.person_of("console", "erin"))
        )
        assert (config, rules, erin) == (before.config, before.rules, None)
        assert "erin" not in tower.chat.accounts


def read(tower: Tower, engine: Engine) -> Setup:
    """A configuration with somebody more, which does not hold yet."""
    tower.people += '[people.erin]\naccounts.console = "erin"\n'
    prepared = daemon.prepare(Document.open(tower.edit(ALICE)))
    running = engine.run.daemon
    return daemon.set_up(
        prepared.config, prepared.declared, running.tocsin.state, running.reload, running.backups
    )
