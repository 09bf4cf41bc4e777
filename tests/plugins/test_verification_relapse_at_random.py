"""Whatever happens, with crashes in between: one incident at a time, each relapse pages once, and what was confirmed is known."""

import random
from dataclasses import dataclass, field

import pytest

from tocsin.api import IncidentReopened, IncidentResolved, PageAsked, PersonPaged
from tocsin.transaction import Transaction
from tocsin_verification.relapse import PAGE_KEY, relapsed
from tocsin_verification.reporters import Reporters, waiting

from tests.engine import Engine, fires, over
from tests.plugins.incident_parts import INCIDENTS
from tests.plugins.test_verification_relapse import RULE, TO_BOB, VERIFICATION
from tests.tower import Tower

TABLES = (TO_BOB, INCIDENTS, RULE, VERIFICATION)
STEPS = 25
SITTINGS = 3


@dataclass
class Campaign:
    """What is done to the one alert and its incidents, at random."""

    dice: random.Random
    engine: Engine
    done: list[str] = field(default_factory=list)

    async def step(self) -> None:
        what = self.dice.choice(
            [
                "fires",
                "over",
                "done",
                "done",
                "close",
                "reopen",
                "sees",
                "minutes",
                "hours",
                "reporter",
                "confirm",
                "allclear",
            ]
        )
        self.done.append(what)
        number = await self.engine.run.tocsin.turn(_newest)
        match what:
            case "fires":
                await self.engine.report(fires())
            case "over":
                await self.engine.report(over())
            case "minutes" | "hours":
                await self.engine.advance(**{what: self.dice.choice([1, 2, 5])})
            case "sees" if number:
                await self.engine.run.tocsin.turn(
                    lambda tx: relapsed(tx, tx.incident(number), "errors at 3 %")
                )
                await self.engine.run.settled()
            case "reporter":
                await self.engine.says("alice", f"!reporter {number} add carol, ACME", room="#ops")
            case "confirm":
                await self.engine.says("bob", f"!confirm {number} ACME", room="#ops")
            case "allclear":
                await self.engine.says("alice", f"!allclear {number} I looked", room="#ops")
            case _:
                cause = self.dice.choice(["", " a full disk"])
                await self.engine.says("alice", f"!{what} {number}{cause}", room="#ops")


def _newest(tx: Transaction) -> str:
    found = [one.number for one in tx.incidents_since(tx.now.replace(year=2020))]
    return found[-1] if found else ""


def judge(tx: Transaction) -> list[str]:
    """What is wrong."""
    wrong = list[str]()
    active = [one for one in tx.open_incidents() if one.active]
    if len(active) > 1:
        wrong.append(f"{len(active)} incidents of one alert")
    for one in tx.incidents_since(tx.now.replace(year=2020)):
        story = [entry.event for entry in tx.story(one.number)]
        wrong += _judged(one.number, [event for event in story if event is not None], tx)
        rings = [group for group, key in one.pages.items() if key == PAGE_KEY and tx.group(group).open]
        if len(rings) > one.active:
            wrong.append(f"{one.number}: {len(rings)} pages ring for it, and it is {one.stands}")
        fresh = Reporters()
        for event in story:
            if event is not None:
                fresh.apply(event)
        if [who for who, said in fresh.of.items() if not said] != list(waiting(one.number, tx)):
            wrong.append(f"{one.number}: waits for {waiting(one.number, tx)}")
    return wrong


def _judged(number: str, story: list[object], tx: Transaction) -> list[str]:
    """Of each relapse: it was over before, and whoever led it was called since, once."""
    wrong, is_over = list[str](), False
    incident = tx.incident(number)
    for place, event in enumerate(story):
        if isinstance(event, IncidentReopened):
            if not is_over:
                wrong.append(f"{number}: reopened while it went on")
            if not event.by:
                rest = story[place + 1 :]
                ends = next((i for i, one in enumerate(rest) if isinstance(one, IncidentResolved)), len(rest))
                asked = [one for one in rest[:ends] if isinstance(one, PageAsked) and one.key == PAGE_KEY]
                own = [
                    entry.event
                    for group in (*incident.groups, *incident.pages)
                    for entry in tx.story(group, (PersonPaged,))
                    if isinstance(entry.event, PersonPaged) and entry.event.at == event.at
                ]
                if len(asked) > 1 or not (asked or own):
                    wrong.append(f"{number}: a relapse paged {len(asked)} times")
        is_over = isinstance(event, IncidentResolved) or (is_over and not isinstance(event, IncidentReopened))
    return wrong


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_happens_each_relapse_pages_once(tower: Tower, seed: int) -> None:
    dice, done = random.Random(seed), list[str]()  # noqa: S311 (no secret)
    for sitting in range(SITTINGS):
        async with tower(*TABLES, crash=sitting < SITTINGS - 1) as engine:
            campaign = Campaign(dice, engine, done)
            if not sitting:
                await engine.report(fires())
                await engine.says("alice", "!lead 1", room="#ops")
            for _ in range(STEPS):
                await campaign.step()
                assert await engine.run.tocsin.turn(judge) == [], done
    async with tower(*TABLES) as engine:
        assert await engine.run.tocsin.turn(judge) == [], done
