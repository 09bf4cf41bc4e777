"""What tests of reminders share: an incident with people in it, and what was said of its updates."""

from tocsin.api import Event, Role
from tocsin.transaction import Transaction

from tests.engine import Engine
from tests.plugins.incident_parts import TABLES, declared
from tests.tower import Tower

REMINDERS = "[plugins.reminders]\n"
WITH = (*TABLES, REMINDERS)


async def happens(engine: Engine, number: str, what: str, *args: str, by: str = "alice") -> None:
    """What an incident answers to one of its methods comes about."""

    def record(tx: Transaction) -> Event:
        event: Event = getattr(tx.incident(number), what)(*args, by, tx.now)
        return tx.record(event)

    await engine.run.tocsin.turn(record)
    await engine.run.settled()


async def led(engine: Engine, severity: str = "sev2", title: str = "the disks are full") -> str:
    """An incident that alice leads, bob is the deputy of, and carol works on; its number."""
    number = await declared(engine, f"{severity} {title}")
    await happens(engine, number, "assign", Role.DEPUTY, "bob")
    await happens(engine, number, "assign", Role.RESPONDER, "carol")
    return number


def told(tower: Tower, since: int = 0) -> list[str]:
    """What was said since so many messages, each with its time and place: `04:00:00 alice 1 your promised update …`."""
    rows = zip(tower.chat.times[since:], tower.chat.said[since:], strict=True)
    return [f"{time} {said.place.name} {said.message.first_line()}" for time, said in rows]


def late(tower: Tower, since: int = 0) -> list[str]:
    """Of these the nags alone, and the pages for them; not what the escalation says of these pages."""
    return [
        line.split(" \u00b7 ")[0]
        for line in told(tower, since)
        if "promised" in line and "paging" not in line and "over:" not in line
    ]
