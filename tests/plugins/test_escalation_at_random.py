"""Whatever conditions steps have: what rings always has a next step, and comes as it was foreseen."""

import random
from datetime import timedelta

import pytest

from tocsin.transaction import Transaction
from tocsin_escalation import Escalation
from tocsin_escalation.events import StepTaken
from tocsin_escalation.foreseen import Foreseen, Foresight
from tocsin_escalation.plan import Routing
from tocsin_escalation.sight import Imagined

from tests.engine import Engine, fires
from tests.plugins.test_escalation_hold import nights
from tests.tower import Tower, policy

TEAM = '[teams.web]\nmembers = ["bob", "carol", "dave"]\nrooms.console = "#web"\n'
EMPTY = "[schedules.empty]\non_call = []\n"

HOURS = ("Sat", "Sun", "03:00-03:20", "03:10-04:00", "04:00-05:00", "Mon-Fri 08:00-20:00", "Sat 10:00-12:00")
QUIET = ("", "", "22:00-07:00", "22:00-04:30", "01:00-05:10")
ZONES = ("UTC", "Europe/Berlin", "Pacific/Auckland", "America/New_York")


class Plans:
    """Policies at random."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)  # noqa: S311 (nothing secret)
        self.low = self.dice.random() < 0.3

    def people(self, tower: Tower) -> None:
        for name in ("alice", "bob", "carol", "dave"):
            quiet, zone = self.dice.choice(QUIET), self.dice.choice(ZONES)
            lines = f'timezone = "{zone}"\n' + (f'quiet = "{quiet}"\n' if quiet else "")
            tower.people = tower.people.replace(f"[people.{name}]\n", f"[people.{name}]\n{lines}")

    def tables(self) -> list[str]:
        steps = ", ".join(self._step(number) for number in range(self.dice.randint(1, 5)))
        rest = self.dice.choice(("1m", "5m", "30m"))
        urgency = "low" if self.low else "normal"
        route = f'[[plugins.escalation.routes]]\nmatch = []\npolicy = "ops"\nurgency = "{urgency}"\n'
        repeat = f"repeat = {self.dice.randint(0, 2)}"
        return [
            route,
            TEAM,
            EMPTY,
            nights("alice", hours="Sat 05:00-17:00"),
            policy(steps, repeat, f'repeat_after = "{rest}"'),
        ]

    def _step(self, number: int) -> str:
        dice = self.dice
        names = dice.choice(
            ['"web"', '"primary"', '"alice"', '["primary", "bob"]', '"empty"', '["empty", "web"]']
        )
        parts = [f"page = {names}"]
        parts += [f'after = "{dice.choice((0, 1, 5, 20))}m"'] if number else []
        parts += ['room = "web"'] if dice.random() < 0.1 else []
        parts += ['severity = "info"'] if dice.random() < 0.15 else []
        parts += ['who = "awake"'] if dice.random() < 0.3 else []
        parts += ["round_robin = true"] if dice.random() < 0.3 and "primary" not in names else []
        if dice.random() < 0.2:
            parts.append("hold = true")
        elif (
            dice.random() < 0.5 and not self.low
        ):  # what waits for a morning gives up within a quarter of an hour
            parts += [f'hours = "{dice.choice(HOURS)}"', f'timezone = "{dice.choice(ZONES)}"']
        return f"{{ {', '.join(parts)} }}"


def seen(step: Foreseen) -> tuple[object, ...]:
    called = step.called
    assert called is not None
    rooms = tuple(room.name for room in called.rooms)
    return step.at, step.position, tuple(called.awake), tuple(called.asleep), rooms, tuple(called.night)


def came(event: StepTaken) -> tuple[object, ...]:
    return event.at, event.at_step, event.people, event.asleep, event.rooms, event.night


async def foreseen(engine: Engine) -> list[Foreseen]:
    def look(tx: Transaction) -> list[Foreseen]:
        plugin = tx.config.plugins["escalation"]
        assert isinstance(plugin, Escalation)
        routing = Routing(plugin.default, plugin.policies, plugin.routes)
        plan, _ = routing.plan([{"severity": "critical"}])
        sight = Imagined(tx, tx.now)
        return list(Foresight(plan, "critical", sight, tx.person("alice").timezone).steps())

    return await engine.run.tocsin.turn(look)


@pytest.mark.parametrize("seed", range(24))
async def test_what_rings_has_a_next_step_and_comes_as_foreseen(tower: Tower, seed: int) -> None:
    plans = Plans(seed)
    plans.people(tower)
    async with tower(*plans.tables()) as engine:
        steps = await foreseen(engine)
        subject = await engine.report(fires())
        for _ in range(9):
            await engine.advance(minutes=15)
            assert await engine.sql("select count(*) from timers where kind = 'escalation.step'") == [(1,)]
        kept = await engine.run.tocsin.turn(
            lambda tx: [entry.event for entry in tx.story(subject, (StepTaken,))]
        )
        taken = [came(one) for one in kept if isinstance(one, StepTaken) and one.at_step.round == 0]
        end = engine.run.clock.now() - timedelta(minutes=1)
        expected = [seen(step) for step in steps if step.called is not None and step.at < end]
        assert taken[: len(expected)] == expected
        if any(step.pages for step in steps) and len(expected) == sum(
            step.called is not None for step in steps
        ):
            assert len(taken) == len(expected)
        assert "No plugin will page" not in "".join(engine.chat.texts())
        rang = [
            line for line in tower.chat.told() if "nobody answers" in line or "nobody can be paged" in line
        ]
        assert rang or taken or "waits for" in "".join(tower.chat.told())
