"""IRC servers with the limits they come with, and a storm at our own pace: a page passes all that waits."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from tocsin.domain.message import Message, Place
from tocsin.domain.oncall import Identity
from tocsin.networks.base import Rank
from tocsin.networks.irc.network import Irc
from tocsin.networks.irc.settings import Detail

from tests.networks.contract import PAGE
from tests.networks.ears import Ear, on
from tests.networks.irc_peers import OPS, OTHER_ROOM, ROOM, come, got, irc, private
from tests.servers.irc_user import User, people
from tests.servers.ircd import Inspircd, Ircd, Ngircd
from tests.servers.programs import running

pytestmark = pytest.mark.alone

AT_ONCE = 1.0
"""So many seconds a page may take in the midst of a storm: as long as one line at our pace."""

on_both = pytest.mark.parametrize("make", [Ngircd, Inspircd])


@contextlib.asynccontextmanager
async def limited(make: Callable[..., Ircd], folder: Path) -> AsyncIterator[tuple[Irc, Ear, Sequence[User]]]:
    """A server with the limits that it comes with, and us at the pace that we come with; alice and bob are there."""
    with running(make(folder / "ircd", flood_limit=True)) as ircd:
        detail = {ROOM: Detail.FULL, OTHER_ROOM: Detail.FULL}
        network = irc(ircd.port, identity=Identity.NICKS, pace=timedelta(seconds=1), detail=detail)
        async with people("alice", "bob") as users, on(network) as ear:
            await asyncio.gather(ear.is_up(), *(come(user, ircd, "", ROOM) for user in users))
            yield network, ear, users


def say(network: Irc, place: Place, message: Message, rank: Rank) -> asyncio.Task[str]:
    return asyncio.create_task(network.send(place, message, message.text, tried=None, rank=rank))


async def give_up(*sends: asyncio.Task[str]) -> None:
    for send in sends:
        send.cancel()
    await asyncio.gather(*sends, return_exceptions=True)


@on_both
async def test_a_page_passes_a_room_full_of_status(make: Callable[..., Ircd], tmp_path: Path) -> None:
    async with limited(make, tmp_path) as (network, ear, (alice, bob)):
        loop = asyncio.get_running_loop()
        news = [say(network, OPS, Message(f"news {number}"), Rank.NEWS) for number in range(60)]
        answer = say(
            network,
            private("bob"),
            Message("answer", lines=tuple(f"{number}" for number in range(60))),
            Rank.ANSWER,
        )
        for before in (2, 5):
            await bob.sees(lambda line: line.command == "PRIVMSG" and line.nick == "tocsin", times=before)
            since = loop.time()
            page = say(network, private("alice"), PAGE, Rank.PAGE)
            await alice.sees(PAGE.first_line(), times=1 if before == 2 else 2)
            assert loop.time() - since < AT_ONCE
            assert await page
        assert not answer.done()
        heard = [line for line in await got(bob) if line != "answer"]
        assert heard == [f"{number}" for number in range(len(heard))]
        await give_up(answer, *news)
        assert ear.downs == []
