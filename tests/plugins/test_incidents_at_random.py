"""Whatever people do in incidents, and whenever the daemon is killed: each stands as its events say, and ends in peace."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tocsin.domain.incident import Incident
from tocsin.domain.incident_events import INCIDENT, Clock
from tocsin.transaction import Transaction

from tests.engine import Engine, alert, fires, over
from tests.plugins.incident_parts import INCIDENTS
from tests.tower import TWO_STEPS, Tower, asks

TABLES = (
    TWO_STEPS,
    '[schedules.lead]\non_call = ["carol"]\n[schedules.second]\non_call = ["dave"]\n',
    INCIDENTS + 'coordinators = "lead"\ndeputies = "second"\nrooms = ["console"]\n',
    '[[plugins.incidents.rules]]\nmatch = ["alertname=Rule"]\nseverity = "sev2"\n',
    "[plugins.reminders]\n[plugins.timeline]\n",
)
NAMES = ("alice", "bob", "carol", "dave")
LINES = (
    *(
        "declare TEXT",
        "declare drill sev1 TEXT",
        "declare sev2 TEXT",
        "lead",
        "role scribe NAME",
        "role commander nobody",
    ),
    *(
        "hat pass NAME",
        "accept",
        "decline",
        "yes",
        "no",
        "sev sev1 worse",
        "sev sev3",
        "scope hit all",
        "status TEXT",
    ),
    *(
        "status TEXT next 20m",
        "note TEXT",
        "mitigated",
        "mitigated at 3m ago",
        "allclear TEXT",
        "done TEXT",
        "done",
    ),
    *(
        "cause TEXT",
        "close TEXT",
        "close",
        "reopen TEXT",
        "clock acked 1m ago",
        "rename TEXT",
        "room",
        "catchup",
    ),
    *("timeline", "incidents", "incident", "ack all", "pin"),
)


class People:
    """They do something, over and over."""

    def __init__(self, seed: int, tower: Tower) -> None:
        self.dice = random.Random(seed)  # noqa: S311 (nothing secret)
        self.tower = tower

    async def act(self, engine: Engine) -> None:
        who = self.dice.choice(NAMES)
        match self.dice.choices(("types", "fires", "over", "comes", "waits"), (20, 2, 1, 2, 6))[0]:
            case "fires":
                name = self.dice.choice(("Rule", "DiskFull"))
                await engine.report(fires(alert(name), key=name))
            case "over":
                await engine.report(over(self.dice.choice(("Rule", "DiskFull"))))
            case "comes":
                for room in list(self.tower.chat.made):
                    self.tower.chat.comes(who, room)
                await engine.run.settled()
            case "waits":
                await engine.advance(minutes=self.dice.choice((1, 3, 12, 45, 400)))
            case _:
                await self._types(who, engine)

    async def _types(self, who: str, engine: Engine) -> None:
        word, _, rest = self.dice.choice(LINES).partition(" ")
        rest = rest.replace("NAME", self.dice.choice(NAMES)).replace("TEXT", "the queue stands still")
        known = await engine.run.tocsin.turn(lambda tx: tx.all_open(INCIDENT))
        number = self.dice.choice([*known, ""])
        named = f"{number} " if number and word not in ("declare", "hat", "accept", "decline", "ack") else ""
        room = self.dice.choice(["#ops", *self.tower.chat.made, ""])
        await asks(engine, who, f"!{word} {named}{rest}".strip(), room=room)


def look(tx: Transaction) -> None:
    """What must hold at any time."""
    for incident in tx.open_incidents():
        again = Incident(incident.number)
        for entry in tx.story(incident.number):
            assert entry.event is not None
            again.apply(entry.event)
        assert vars(again) == vars(incident), "what is remembered is what stands in the journal"
        assert not (incident.active and Clock.RESOLVED in incident.clocks)
        assert set(incident.roles.values()) <= set(incident.people)
        waits = tx.timer_is_set("incidents.lead", incident.number)
        assert not (waits and (incident.commander or not incident.active)), "nobody is missed who is there"
        runs = tx.timer_is_set("incidents.budget", f"{incident.number}/all")
        assert not (runs and (not incident.active or Clock.MITIGATED in incident.clocks))


def at_peace(tx: Transaction) -> None:
    """All are closed: nothing is left that would say something of them."""
    assert tx.all_open(INCIDENT) == []
    left = tx.connection.exec_driver_sql("select kind, key from timers").all()
    assert [one for one in left if one[0].startswith(("incidents.", "reminders."))] == []
    assert not tx.made_rooms


@pytest.fixture
def tower(write_config: Callable[..., Path], tmp_path: Path) -> Tower:
    return Tower(write_config, tmp_path / "state")


@pytest.mark.parametrize("seed", range(6))
async def test_each_stands_as_its_events_say(tower: Tower, seed: int) -> None:
    people = People(seed, tower)
    for _ in range(3):
        async with tower(*TABLES, crash=True) as engine:
            for _ in range(16):
                await people.act(engine)
                await engine.run.tocsin.turn(look)
    async with tower(*TABLES) as engine:
        await engine.run.settled()
        await engine.run.tocsin.turn(look)
        for number in await engine.run.tocsin.turn(lambda tx: tx.all_open(INCIDENT)):
            await asks(engine, "dave", f"!done {number} x", room="#ops")
            await asks(engine, "dave", f"!close {number} x", room="#ops")
        await engine.report(over("Rule"))
        await engine.report(over("DiskFull"))
        await asks(engine, "dave", "!ack all", room="#ops")
        await engine.advance(hours=2)
        before = len(tower.chat.said)
        await engine.advance(hours=30)
        await engine.run.tocsin.turn(at_peace)
        assert not [one for one in tower.chat.said[before:] if one.message.subject.isdigit()]
        assert "failed, and nothing was done" not in "".join(engine.chat.texts())
        assert "failed:" not in "".join(engine.chat.texts())
