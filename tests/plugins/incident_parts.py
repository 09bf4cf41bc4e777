"""What tests of incidents share: the plugins, and what was said where."""

from tests.engine import Engine
from tests.tower import TWO_STEPS, Tower

INCIDENTS = "[plugins.incidents]\n"
TABLES = (TWO_STEPS, INCIDENTS)


def said(tower: Tower, place: str, since: int = 0) -> list[str]:
    """What was said in a place after so many messages, each as one text."""
    return [str(one) for one in tower.chat.said[since:] if str(one.place) == f"console/{place}"]


async def declared(engine: Engine, text: str = "sev3 mail is slow", *, by: str = "alice") -> str:
    """An incident, by a line in the room; its number."""
    await engine.says(by, f"!declare {text}", room="#ops")
    (number,) = await engine.run.tocsin.turn(
        lambda tx: [one.number for one in list(tx.open_incidents())[-1:]]
    )
    return number
