"""What tests of storms share."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from tocsin.alerts import report
from tocsin.transaction import Transaction

from tests.engine import Engine, alert, fires, over
from tests.tower import TWO_STEPS, Tower

ALICE, ROOM = "person/alice", "room/#ops"
BY_CODES = """\
[networks.irc]
server = "irc.example.org:6697"
nick = "tocsin"
room = "#ops"
identity = "codes"
[receivers.prod]
token.file = "prod.token"
[people.alice]
accounts.irc = "alice"
[people.bob]
accounts.irc = "bob"
[plugins.alertmanager]
"""
FALLBACK = '[fallback]\ncommand = ["/bin/true"]\n'


@asynccontextmanager
async def storming(tower: Tower, *tables: str, crash: bool = False) -> AsyncIterator[Engine]:
    """A tower that keeps the noise budget."""
    tower.people = tower.people.replace("digests = false", "digests = true")
    async with tower(*(tables or [TWO_STEPS]), crash=crash) as engine:
        yield engine


async def comes(engine: Engine, count: int, *names: str, severity: str = "warning", at: int = 0) -> list[str]:
    """So many alerts come in at once, each a group of its own; their ids."""
    names = names or ("HighLoad",)

    def turn(number: int, tx: Transaction) -> str:
        one = alert(names[number % len(names)], severity=severity, fingerprint=f"{names} {at + number}")
        return report(tx, fires(one, key=f"{names} {at + number}"))

    ids = [await engine.run.tocsin.turn(partial(turn, number)) for number in range(count)]
    await engine.run.settled()
    return ids


async def ends(engine: Engine, number: int, *names: str) -> str:
    """One of those that came under these names is over; its id."""
    key = f"{names or ('HighLoad',)} {number}"
    subject = await engine.run.tocsin.turn(lambda tx: report(tx, over(key)))
    await engine.run.settled()
    return subject


def counts(texts: list[str]) -> int:
    """How many alerts these lines tell, each in one of them."""
    digests = {found[1]: int(found[2].replace(",", "")) for text in texts if (found := DIGEST.match(text))}
    single = {text.split()[0] for text in texts if not DIGEST.match(text)}
    return len(single) + sum(digests.values())


DIGEST = re.compile(r"(\w+) (?:\(up to \d+ min ago\) )?(?:[^\n]*?: )?([\d,]+) alerts: ")
