"""Three hundred alerts at once, on a Synapse with the limits that it comes with: few messages, which count all.

What calm machines are promised is a bound; added is only for how long the daemon waited for a processor.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import Figure
from tests.digest_lines import NEWS, PAGE, Told, counted, told
from tests.journeys.matrix_parts import configured, enters, log_in, standing
from tests.processes import daemon
from tests.servers.matrix_proxy import Proxy, Request
from tests.servers.matrix_user import User, people
from tests.servers.programs import running
from tests.servers.synapse import Synapse
from tests.storm import SHOWN_WITHIN, Poster, mixed, waited

pytestmark = pytest.mark.alone

COUNT = 300

SOON = 5.0
"""In how many seconds all are posted, and in how many the first page comes."""

BURST, EACH = 10, 5.0
"""So many events at once Synapse takes of an account as it comes, and then one in so many seconds."""

MOST_REFUSED = 2
"""How often it may say that it was too much: when it counted, nobody can know to the millisecond."""

LOOK_EVERY = 0.1


@pytest.fixture
def synapse(tmp_path: Path) -> Iterator[Synapse]:
    with running(Synapse(tmp_path / "synapse", limits=True)) as server:
        yield server


class Reader:
    """Alice, who notes in how many seconds she was told of how many alerts."""

    def __init__(self, alice: User, bot: str) -> None:
        self._alice = alice
        self._bot = bot
        self.began = time.perf_counter()

    def tells(self, place: str) -> Sequence[Told]:
        found = (told(text.split("\n")[0]) for text in self._alice.said_by(self._bot, place))
        return [one for one in found if one and one.kind in (PAGE, NEWS)]

    async def told(self, place: str, count: int) -> float:
        """Wait until she was told there of so many; after how long that was."""
        while counted(self.tells(place)) < count:
            assert time.perf_counter() < self.began + 2 * SHOWN_WITHIN, self._alice.said_by(self._bot, place)
            await self._alice.sync()
            await asyncio.sleep(LOOK_EVERY)
        return time.perf_counter() - self.began


async def test_a_storm_is_told_within_the_limits_of_a_homeserver(
    synapse: Synapse, write_config: Callable[..., Path], figure: Figure
) -> None:
    bot = synapse.register("tocsin")
    async with people(synapse, "alice") as [alice], Proxy(synapse.url) as proxy:
        room = await alice.create("ops", invite=[bot.user_id])
        private = await alice.create(invite=[bot.user_id], direct=True)
        config = write_config(configured(proxy.url, bot, room, alice=alice.id, more=""))
        await log_in(config, bot)
        async with daemon(config) as tocsin:
            await alice.sees(partial(enters, private, bot.user_id))
            poster = Poster(str((await standing(tocsin))["listening on"]))
            lost, before = waited(tocsin.popen.pid), len(proxy.requests)
            reader = Reader(alice, bot.user_id)
            posting = asyncio.create_task(poster.post(mixed(COUNT)))
            first = await reader.told(private, 1)
            first_lost = waited(tocsin.popen.pid) - lost
            await posting
            posted = time.perf_counter() - reader.began
            shown = [await reader.told(place, COUNT) for place in (private, room)]
            lost = waited(tocsin.popen.pid) - lost
        asked = proxy.requests[before:]
        refused = [each for each in asked if each.status == 429]
        sent = [each for each in asked if sends(each)]
    figure(
        f"{COUNT} posted in {posted:.2f} s: first page after {first:.2f} s, all shown after {max(shown):.2f} s, "
        f"{len(asked)} requests, {len(sent)} of them events, {len(refused)} refused; the daemon waited "
        f"{lost:.2f} s for a processor"
    )
    assert first <= SOON + first_lost
    assert posted <= SOON + lost
    assert max(shown) <= SHOWN_WITHIN
    for place in (private, room):
        tells = reader.tells(place)
        assert counted(tells) == COUNT
        assert all(one.adds_up and one.command == f"!ack {one.id}" for one in tells)
    assert len(refused) <= MOST_REFUSED
    assert len(sent) <= BURST + max(shown) / EACH + 1 + len(refused)


def sends(request: Request) -> bool:
    """Whether the homeserver counts it as something said."""
    return "/send/" in request.path or request.path.endswith("/createRoom")
