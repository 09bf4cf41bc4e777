"""Channels that we make on IRC: who is invited when, what keeps them ours, and what a hostile name or server changes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tocsin.config.values import SecretSource
from tocsin.domain.message import Message, Place
from tocsin.domain.oncall import Identity
from tocsin.errors import NetworkError
from tocsin.networks.base import Rank
from tocsin.networks.irc.network import Irc
from tocsin.networks.irc.settings import Sasl

from tests.networks.ears import Ear, on
from tests.networks.irc_peers import PASSWORD, ROOM, come, got, irc
from tests.processes import PATIENCE
from tests.servers.irc_user import Refused, User, people
from tests.servers.ircd import OPER, Inspircd, Ircd, Ngircd

NICKS = Identity.NICKS
DETAILED = Message("everything", link="https://x.test/", brief="in short")
IN_FULL, IN_SHORT = "everything · https://x.test/", "in short"


@pytest.fixture
def ircd(request: pytest.FixtureRequest) -> Ircd:
    """One of those that tests share; the test is run on both."""
    found: Ircd = request.getfixturevalue(request.param)
    return found


shared = pytest.mark.parametrize("ircd", ["ngircd", "inspircd"], indirect=True)


async def says(network: Irc, room: str, message: Message = DETAILED) -> None:
    await network.send(Place("irc", room), message, "an id", tried=None, rank=Rank.PAGE)


async def invitations(user: User, room: str, times: int = 1) -> None:
    """Wait until somebody was invited so often."""
    await user.sees(lambda line: line.command == "INVITE" and line.params[-1] == room, times)


async def is_kept_out(user: User, room: str) -> bool:
    try:
        await user.join(room)
    except Refused:
        return True
    return False


async def is_killed(root: User, ear: Ear, times: int) -> None:
    """Our link is cut by an operator; we come back by ourselves."""
    root.send(OPER)
    root.send("KILL tocsin :for a test")
    await ear.is_up_for(times)


# ── Who is invited, and when ────────────────────────────────────────────────────────────────────────────────


@shared
async def test_who_is_not_online_is_invited_once_they_are_seen(ircd: Ircd) -> None:
    accounts = isinstance(ircd, Inspircd)
    network = irc(ircd.port, identity=Identity.ACCOUNTS if accounts else NICKS)
    async with people("alice", "bob") as [alice, bob], on(network) as ear:
        await ear.is_up()
        room = await network.make_room("inc-1", "the disk", ["alice", "bob"])
        network.be_in([room])
        await come(alice, ircd, "alice" if accounts else "", ROOM)
        await invitations(alice, room)
        await come(bob, ircd, "bob" if accounts else "")
        await bob.says("tocsin", "anybody there?")
        await invitations(bob, room)
        await alice.join(room)
        await alice.says(ROOM, "here I am")
        await bob.says("tocsin", "still here")
        await ear.hears("still here")
        for user in (alice, bob):
            await user.sync()
            assert sum(line.command == "INVITE" for line in user.lines) == 1


@shared
async def test_who_went_and_is_asked_for_once_more_is_invited_once_more(ircd: Ircd) -> None:
    network = irc(ircd.port, identity=NICKS)
    async with people("alice") as [alice], on(network) as ear:
        await asyncio.gather(ear.is_up(), come(alice, ircd, "", ROOM))
        room = await network.make_room("inc-2", "the disk", ["alice"])
        await invitations(alice, room)
        await alice.join(room)
        alice.send(f"PART {room}")
        await alice.says(ROOM, "I am gone")
        await ear.hears("I am gone")
        await network.invite(room, "alice")
        await invitations(alice, room, times=2)
        await alice.join(room)


async def test_every_nick_of_an_account_is_invited_and_another_one_is_not(inspircd: Inspircd) -> None:
    network = irc(inspircd.port)
    async with people("alice", "phone", "bob") as users, on(network) as ear:
        home, phone, bob = users
        await asyncio.gather(
            ear.is_up(),
            come(home, inspircd, "alice", ROOM),
            come(phone, inspircd, "alice", ROOM),
            come(bob, inspircd, "mallory", ROOM),
        )
        room = await network.make_room("inc-3", "the disk", ["alice", "bob"])
        await asyncio.gather(invitations(home, room), invitations(phone, room))
        await phone.join(room)
        await ear.knows(lambda: ear.comers == [(Place("irc", room), "alice")])
        assert await is_kept_out(bob, room)


async def test_who_comes_by_no_account_is_a_stranger(inspircd: Inspircd) -> None:
    network = irc(inspircd.port)
    async with people("alice", "guest") as [alice, guest], on(network) as ear:
        await asyncio.gather(ear.is_up(), come(alice, inspircd, "alice"), come(guest, inspircd))
        room = await network.make_room("inc-4", "the disk", ["alice"])
        await invitations(alice, room)
        alice.send(f"JOIN {room}")
        await ear.knows(lambda: ear.comers)
        alice.send(f"INVITE guest {room}")  # who is not its operator lets nobody in
        await alice.sync()
        assert await is_kept_out(guest, room)


# ── What keeps it ours ──────────────────────────────────────────────────────────────────────────────────────


@shared
async def test_a_link_that_is_lost_costs_us_no_room(ircd: Ircd) -> None:
    """The channel stays as others are in it, but nobody is its operator: strangers may not read what is said."""
    network = irc(ircd.port, identity=NICKS)
    async with people("alice", "root") as [alice, root], on(network) as ear:
        await asyncio.gather(ear.is_up(), come(alice, ircd, "", ROOM), come(root, ircd))
        room = await network.make_room("inc-5", "the disk", ["alice"])
        network.be_in([room])
        await invitations(alice, room)
        await alice.join(room)
        await says(network, room)
        comers = list(ear.comers)
        await is_killed(root, ear, ear.ups + 1)
        await says(network, room)
        assert await got(alice, room) == [IN_FULL, IN_SHORT]
        assert ear.comers == comers
        with pytest.raises(NetworkError, match="I am not its operator") as caught:
            await network.invite(room, "bob")
        assert not caught.value.permanent


@shared
async def test_a_channel_that_vanished_is_made_again_and_closed(ircd: Ircd) -> None:
    network = irc(ircd.port, identity=NICKS)
    async with people("alice", "root", "guest") as users, on(network) as ear:
        alice, root, guest = users
        await asyncio.gather(ear.is_up(), come(alice, ircd, "", ROOM), come(root, ircd), come(guest, ircd))
        room = await network.make_room("inc-6", "the disk", ["alice"])
        network.be_in([room])
        await invitations(alice, room)
        await is_killed(root, ear, ear.ups + 1)
        await says(network, room)
        assert await is_kept_out(guest, room)
        await invitations(alice, room, times=2)
        await alice.join(room)
        await alice.sees(lambda line: line.command in {"332", "TOPIC"} and line.params[-1] == "the disk")
        await says(network, room)
        assert await got(alice, room) == [IN_FULL]


@shared
async def test_a_room_that_is_being_made_is_left_by_no_other(ircd: Ircd) -> None:
    network = irc(ircd.port, identity=NICKS)
    async with people("alice") as [alice], on(network) as ear:
        await asyncio.gather(ear.is_up(), come(alice, ircd, "", ROOM))
        first = await network.make_room("inc-7", "the disk", [])
        network.be_in([first])
        second = await network.make_room("inc-8", "the net", ["alice"])
        network.be_in([first])  # that there is a second one is not kept yet
        network.be_in([second])
        await says(network, second)
        with pytest.raises(NetworkError) as caught:
            await says(network, first)
        assert caught.value.permanent
        await is_alone_in(alice, first)


async def is_alone_in(user: User, room: str) -> None:
    """They come to a channel that nobody is in."""
    await user.join(room)
    names = [line.params[-1] for line in user.lines if line.command == "353" and room in line.params]
    assert names == [f"@{user.nick}"]


async def test_a_room_of_the_configuration_is_never_taken_for_one_that_we_made(ngircd: Ngircd) -> None:
    network = irc(ngircd.port, identity=NICKS)
    async with on(network) as ear:
        await ear.is_up()
        name = ROOM.removeprefix("#")
        room = await network.make_room(name, "the disk", [])
        assert room.startswith(f"{ROOM}-")
        network.be_in([ROOM, room])
        network.be_in([])
        await says(network, ROOM)


# ── ChanServ ────────────────────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def registering(ircd: Inspircd, folder: Path) -> AsyncIterator[tuple[Irc, Ear]]:
    """The network, logged in, that registers the channels it makes."""
    secret = folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o600)
    sasl = Sasl(account="tocsin", password=SecretSource(file=secret))
    network = irc(ircd.port, sasl=sasl, chanserv=True)
    async with on(network) as ear:
        await ear.is_up()
        yield network, ear


async def test_chanserv_keeps_a_channel_ours_while_others_are_there(
    inspircd: Inspircd, tmp_path: Path
) -> None:
    """We come back as its operator, whom it lets in, and what is said there is everything again."""
    async with people("alice", "bob", "root") as users, registering(inspircd, tmp_path) as (network, ear):
        alice, bob, root = users
        await asyncio.gather(come(alice, inspircd, "alice", ROOM), come(root, inspircd, "mallory"))
        room = await network.make_room("inc-20", "the disk", ["alice"])
        network.be_in([room])
        await asks_chanserv(alice, f"INFO {room}", "Founder", "tocsin")
        await invitations(alice, room)
        await alice.join(room)
        await is_killed(root, ear, ear.ups + 1)
        await says_until_full(network, room, alice)
        assert await is_kept_out(root, room)
        await come(bob, inspircd, "bob", ROOM)
        await network.invite(room, "bob")
        await invitations(bob, room)
        await bob.join(room)
        network.be_in([])
        await asks_chanserv(alice, f"INFO {room}", "is not registered")


async def test_chanserv_keeps_a_channel_ours_that_everybody_left(inspircd: Inspircd, tmp_path: Path) -> None:
    async with people("alice", "root") as [alice, root], registering(inspircd, tmp_path) as (network, ear):
        await asyncio.gather(come(alice, inspircd, "alice", ROOM), come(root, inspircd, "mallory"))
        room = await network.make_room("inc-21", "the disk", ["alice"])
        network.be_in([room])
        await asks_chanserv(alice, f"INFO {room}", "Mode lock", "i")
        await is_killed(root, ear, ear.ups + 1)
        await network.invite(room, "alice")
        await invitations(alice, room, times=2)
        await alice.join(room)
        await says_until_full(network, room, alice)
        network.be_in([])
        await asks_chanserv(alice, f"INFO {room}", "is not registered")


async def asks_chanserv(user: User, words: str, *answer: str) -> None:
    """Ask until it says all of that: what others asked of it is done by and by."""

    def told() -> int:
        return sum(line.nick == "ChanServ" for line in user.lines)

    async with asyncio.timeout(PATIENCE):
        found = False
        while not found:
            before, start = told(), len(user.lines)
            user.send(f"PRIVMSG ChanServ :{words}")
            await user.sees(lambda line: line.nick == "ChanServ", before + 1)
            await user.sync()
            said = "".join(line.text for line in user.lines[start:] if line.nick == "ChanServ")
            found = all(word in said for word in answer)


async def says_until_full(network: Irc, room: str, reader: User) -> None:
    """What is said there is everything once ChanServ has made us operator again."""
    async with asyncio.timeout(PATIENCE):
        while IN_FULL not in await got(reader, room):
            await says(network, room)
