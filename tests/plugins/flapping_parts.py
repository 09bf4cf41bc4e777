"""What tests of flapping share."""

from tests.engine import Engine, alert, fires, over
from tests.tower import Tower, policy

BEGAN = (
    "flapping: fired 4 times in 6m; I say no more of each change until it has been quiet or firing for 15m"
)
HELD = "select count(*) from timers where kind = 'core.flapping_over'"
SLOW = policy('{ page = "alice" }, { page = "bob", after = "20m" }, { page = "carol", after = "20m" }')
SWAP = alert("Swap", severity="error")
LOW = "[[plugins.escalation.routes]]\nmatch = []\npolicy = 'ops'\nurgency = 'low'\n"


def sleeps_until(tower: Tower, wakes: str) -> None:
    """Somebody sleeps since ten, and what is low can wait for them."""
    tower.people += f'[people.erin]\naccounts.console = "erin"\nquiet = "22:00-{wakes}"\n'


async def comes_and_goes(engine: Engine, times: int = 1) -> str:
    """It fires for a minute of two; the last time it is quiet."""
    subjects = set()
    for _ in range(times):
        subjects.add(await engine.report(fires()))
        await engine.advance(minutes=1)
        await engine.report(over())
        await engine.advance(minutes=1)
    (subject,) = subjects
    return subject


async def begins_to_flap(engine: Engine) -> str:
    """It fires for the fourth time, six minutes after the first."""
    await comes_and_goes(engine, 3)
    return await engine.report(fires())


async def rings(engine: Engine, subject: str) -> bool:
    return await engine.run.tocsin.turn(lambda tx: tx.group(subject).rings)


async def flaps(engine: Engine, subject: str) -> bool:
    return await engine.run.tocsin.turn(lambda tx: tx.group(subject).flapping is not None)


async def is_open(engine: Engine, subject: str) -> bool:
    return await engine.run.tocsin.turn(lambda tx: tx.group(subject).open)
