"""Whatever people do with the pager, and whenever the daemon is killed: what rings calls somebody, and nobody who was released."""

import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from tocsin.domain.duty import HANDOFF
from tocsin.domain.page import PersonPaged, PersonReleased
from tocsin.domain.rota import EVERYBODY
from tocsin.store.outbox import Lane, Sending
from tocsin.store.schema import outbox
from tocsin.transaction import Transaction

from tests.engine import Engine, alert, fires, over
from tests.plugins.handoff_parts import STEPS
from tests.tower import Tower, asks

TABLES = (
    STEPS,
    """\
[schedules.primary]
[[schedules.primary.layers]]
people = ["alice", "bob", "carol"]
begins = "2026-11-21 01:00"
every = "3 hours"
[plugins.handoff]
""",
)
NAMES = ("alice", "bob", "carol", "dave")


class People:
    """They do something, over and over."""

    def __init__(self, seed: int, tower: Tower) -> None:
        self.dice = random.Random(seed)  # noqa: S311 (nothing secret)
        self.tower = tower
        self.alerts = 0

    async def act(self, engine: Engine) -> None:
        who = self.dice.choice(NAMES)
        done = self.dice.choices(
            [
                "fires",
                "over",
                "!ack all",
                "!done all",
                "take",
                "give",
                "answer",
                "!undo",
                "override",
                "cancel",
                "wait",
            ],
            [6, 1, 3, 1, 6, 3, 4, 1, 2, 2, 10],
        )[0]
        if done == "fires":
            self.alerts += 1
            await engine.report(fires(alert(f"A{self.alerts}"), key=f"k{self.alerts}"))
        elif done == "over":
            await engine.report(over(f"k{self.dice.randint(1, self.alerts + 1)}"))
        elif done == "wait":
            await engine.advance(minutes=self.dice.choice((1, 4, 15, 40)))
        else:
            for line in await self._lines(done, who, engine):
                await asks(engine, who, line, room="#ops" if line.startswith("!") else "")

    async def _lines(self, done: str, who: str, engine: Engine) -> list[str]:
        """What they type."""
        other = self.dice.choice([name for name in NAMES if name != who])
        length = self.dice.choice(("5m", "20m", "1h", "2h"))
        match done:
            case "take":
                what = self.dice.choice(("primary", other, ""))
                return [f"{self.dice.choice(('take', 'hold'))} {what} {length}"]
            case "give":
                return [f"give {other} {self.dice.choice(('primary', ''))} {length}"]
            case "answer":
                found = await engine.run.tocsin.turn(lambda tx: tx.all_open(HANDOFF))
                return [f"{self.dice.choice(('accept', 'accept', 'decline'))} {one}" for one in found]
            case "override":
                start = f"{self.tower.clock.now():%Y-%m-%dT%H:%MZ}"
                return [f"override primary {who} {start} for {length}"]
            case "cancel":
                found = await engine.run.tocsin.turn(lambda tx: list(tx.overrides))
                return [f"override cancel {self.dice.choice(found)}"] if found else []
            case _:
                return [done]


def look(tx: Transaction) -> None:
    """What must hold at any time."""
    assert all(one.end > tx.now for one in tx.overrides.values())
    assert tx.callees("primary")  # these rotas have no gap
    for group in tx.open_groups():
        released = last_released(group.id, tx)
        assert released.keys() == tx.released(group.id)
        if group.rings:
            assert tx.paged(group.id) - released.keys(), f"{group.id} calls nobody"
            assert tx.timer_is_set("escalation.step", group.id)
        for person, at in released.items():
            late = (outbox.c.state == Sending.PENDING) | (outbox.c.said_at > at)
            query = select(outbox.c.id).where(
                outbox.c.subject == group.id,
                outbox.c.person == person,
                outbox.c.lane == Lane.PAGE,
                outbox.c.state != Sending.CANCELLED,
                late,
            )
            assert tx.connection.execute(query).all() == [], f"{person} is still called for {group.id}"


def last_released(subject: str, tx: Transaction) -> dict[str, datetime]:
    found = dict[str, datetime]()
    for entry in tx.story(subject, (PersonPaged, PersonReleased)):
        match entry.event:
            case PersonReleased(person=person, at=at):
                found[person] = at
            case PersonPaged(person=person):
                found.pop(person, None)
    return found


def at_rest(tx: Transaction) -> None:
    """Long after anybody did anything."""
    plain = tx.config.schedules["primary"].rota.on_call(tx.now)
    stay = {one.comes for event in tx.overrides.values() for one in event.overrides if not one.leaves}
    assert set(tx.callees("primary")) - stay == set(plain) - stay
    assert [one for one in tx.overrides_of() if one.leaves in (EVERYBODY, *NAMES)] == []
    assert len(tx.all_open(HANDOFF)) <= 1  # a shift that nobody accepts


@pytest.fixture
def tower(write_config: Callable[..., Path], tmp_path: Path) -> Tower:
    return Tower(write_config, tmp_path / "state")


@pytest.mark.parametrize("seed", range(12))
async def test_what_rings_calls_somebody_and_nobody_who_was_released(tower: Tower, seed: int) -> None:
    people = People(seed, tower)
    for _ in range(4):
        async with AsyncExitStack() as stack:
            engine = await stack.enter_async_context(tower(*TABLES, crash=True))
            for _ in range(12):
                await people.act(engine)
                await engine.run.tocsin.turn(look)
    async with tower(*TABLES) as engine:
        await engine.run.settled()
        await engine.run.tocsin.turn(look)
        await asks(engine, "dave", "!done all", room="#ops")
        await engine.advance(hours=4)
        await engine.run.tocsin.turn(at_rest)
        assert "failed, and nothing was done" not in "".join(engine.chat.texts())
        assert "No plugin will page" not in "".join(engine.chat.texts())
