"""Who speaks on IRC, and where people are: a nick proves nothing, an account does."""

import asyncio
import logging
from datetime import timedelta
from pathlib import Path

import pytest

from tocsin.domain.message import Place
from tocsin.domain.oncall import Identity
from tocsin.networks.base import Rank
from tocsin.networks.irc import login

from tests.networks.contract import PAGE
from tests.networks.ears import on
from tests.networks.irc_peers import (
    DB,
    OPS,
    OTHER_ROOM,
    PASSWORD,
    ROOM,
    come,
    got,
    irc,
    logout,
    misses,
    private,
)
from tests.servers.irc_user import people
from tests.servers.ircd import Inspircd, Ngircd
from tests.servers.programs import running

PAGED = [PAGE.first_line()]

NO_TAGS = login.WANTED - {"account-tag"}


# ── Who speaks ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_who_speaks_is_known_by_account_whatever_the_nick(inspircd: Inspircd) -> None:
    async with people("alice", "al") as [mallory, alice], on(irc(inspircd.port)) as ear:
        await asyncio.gather(
            ear.is_up(),
            come(mallory, inspircd, "mallory", ROOM),
            come(alice, inspircd, "alice", ROOM),
        )
        await mallory.says(ROOM, "another account, with her nick")
        await alice.says(ROOM, "her account, with another nick")
        await logout(mallory)
        await mallory.says(ROOM, "no account, with her nick")
        await mallory.says("tocsin", "in private too")
        await alice.says("tocsin", "so does she")
        await ear.hears("so does she")
        assert [(line.account, line.called, line.claimed, line.place) for line in ear.lines] == [
            ("mallory", "alice", "", OPS),
            ("alice", "al", "", OPS),
            ("", "alice", "", OPS),
            ("", "alice", "", private("~alice")),
            ("alice", "al", "", private("alice")),
        ]


async def test_an_account_that_somebody_only_claims_is_not_believed(inspircd: Inspircd) -> None:
    async with people("eve", "eve2") as [eve, late], on(irc(inspircd.port)) as ear:
        caps = ["message-tags"]
        await asyncio.gather(
            ear.is_up(), eve.connect(inspircd.port, caps=caps), late.connect(inspircd.port, caps=caps)
        )
        await asyncio.gather(eve.join(ROOM), late.join(ROOM))
        for tags in ("+account=alice", "account=alice", "+account=alice;account=alice"):
            eve.send(f"@{tags} PRIVMSG {ROOM} :{tags}")
        await eve.sync()
        await late.login("alice", PASSWORD)
        await logout(late)
        late.send(f"PRIVMSG {ROOM} :too late")
        await ear.hears("too late")
        assert [line.account for line in ear.lines] == [""] * 4


@pytest.mark.parametrize("tags", [True, False], ids=["by tag", "by WHOIS"])
async def test_one_who_logs_out_before_speaking_is_nobody(
    inspircd: Inspircd, monkeypatch: pytest.MonkeyPatch, *, tags: bool
) -> None:
    monkeypatch.setattr(login, "WANTED", login.WANTED if tags else NO_TAGS)
    async with people("alice") as [alice], on(irc(inspircd.port)) as ear:
        await asyncio.gather(ear.is_up(), come(alice, inspircd, "alice", ROOM))
        await alice.says(ROOM, "before")
        await ear.hears("before")
        await logout(alice)
        await alice.says(ROOM, "after")
        await ear.hears("after")
        assert [line.account for line in ear.lines] == ["alice", ""]


async def test_without_tags_the_server_is_asked_who_speaks(
    inspircd: Inspircd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login, "WANTED", NO_TAGS)
    nicks = ("al", "alice", "eve", "bob", "gone")
    async with people(*nicks) as [alice, stranger, eve, bob, gone], on(irc(inspircd.port)) as ear:
        await asyncio.gather(
            ear.is_up(),
            come(alice, inspircd, "alice", ROOM),
            come(bob, inspircd, "bob", ROOM),
            *(come(user, inspircd, "", ROOM) for user in (stranger, eve, gone)),
        )
        await stranger.says(ROOM, "with her nick")
        await ear.hears("with her nick")
        await alice.says(ROOM, "with her account")
        await ear.hears("with her account")

        ear.gate.clear()  # from here on nobody is asked for until all of this has happened
        await bob.says(ROOM, "hold on")
        await eve.says(ROOM, "!ack")
        eve.send("NICK eve2")
        await eve.sync()
        alice.send("NICK eve")
        await alice.sync()
        await gone.says(ROOM, "and off")
        await gone.close()
        ear.gate.set()
        await ear.hears("and off")
        assert [(line.called, line.account) for line in ear.lines] == [
            ("alice", ""),
            ("al", "alice"),
            ("bob", "bob"),
            ("eve", ""),
            ("gone", ""),
        ]


TRUSTED = [("alice", "", OPS), ("alice", "", private("alice")), ("", "", OPS), ("", "", private("mallory"))]
CLAIMED = [("", "alice", OPS), ("", "alice", private("alice")), ("", "", OPS), ("", "", private("mallory"))]
NOBODY = [("", "", OPS), ("", "", private("alice")), ("", "", OPS), ("", "", private("mallory"))]
UNPROVEN = [("", "", OPS), ("", "", private("~Alice")), ("", "", OPS), ("", "", private("~mallory"))]


@pytest.mark.parametrize(
    ("identity", "heard"),
    [
        (Identity.NICKS, TRUSTED),
        (Identity.CODES, CLAIMED),
        (Identity.NOBODY, NOBODY),
        (Identity.ACCOUNTS, UNPROVEN),
    ],
)
async def test_without_accounts_a_nick_is_what_it_was_configured_to_be(
    ngircd: Ngircd, identity: Identity, heard: list[tuple[str, str, Place]]
) -> None:
    network = irc(ngircd.port, identity=identity)
    async with people("Alice", "mallory") as [alice, mallory], on(network) as ear:
        await asyncio.gather(ear.is_up(), come(alice, ngircd, "", ROOM), come(mallory, ngircd, "", ROOM))
        for user in (alice, mallory):
            for place in (ROOM, "tocsin"):
                await user.says(place, "!ack")
        lines = await ear.hears("!ack", times=4)
        assert [(line.account, line.claimed, line.place) for line in lines] == heard
        assert [line.called for line in lines] == ["Alice", "Alice", "mallory", "mallory"]

        assert await network.send(lines[1].place, PAGE, "an answer", tried=None, rank=Rank.PAGE)
        assert await got(alice) == PAGED
        assert await got(mallory) == []
        if identity is Identity.ACCOUNTS:
            assert not network.reaches("alice")
            await misses(network, "alice")
        else:
            assert network.reaches("alice")
            assert await network.send(private("alice"), PAGE, "a page", tried=None, rank=Rank.PAGE)
            assert await got(alice) == PAGED * 2


async def test_that_a_server_has_no_accounts_is_logged(
    ngircd: Ngircd, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        async with on(irc(ngircd.port)) as ear:
            await ear.is_up()
    assert "irc: the server tells nobody's account; see networks.irc.identity" in caplog.messages


# ── Where people are ────────────────────────────────────────────────────────────────────────────────────────


async def test_a_page_goes_to_all_nicks_of_an_account_and_to_no_other(inspircd: Inspircd) -> None:
    network = irc(inspircd.port)
    async with people("alice", "al", "al2") as [stranger, alice, also]:
        await asyncio.gather(
            come(stranger, inspircd, "", ROOM),
            come(alice, inspircd, "alice", ROOM),
            come(also, inspircd, "alice", OTHER_ROOM),
        )
        async with on(network) as ear:
            await ear.is_up()  # and knows who is there
            assert await network.send(private("alice"), PAGE, "a page", tried=None, rank=Rank.PAGE)
            assert await got(alice) == PAGED
            assert await got(also) == PAGED
            await also.close()
            assert await network.send(private("alice"), PAGE, "another", tried=None, rank=Rank.PAGE)
            assert await got(alice) == PAGED * 2
            assert await got(stranger) == []


async def test_people_are_followed_from_nick_to_nick_and_from_room_to_room(inspircd: Inspircd) -> None:
    network = irc(inspircd.port)
    async with people("al", "bob") as [alice, bob], on(network) as ear:

        async def knows(what: str) -> None:
            """What bob says next, the network hears after all that alice has done."""
            await alice.sync()
            await bob.says("tocsin", what)
            await ear.hears(what)

        await asyncio.gather(ear.is_up(), come(alice, inspircd, "", ROOM), come(bob, inspircd, "bob"))
        await knows("she is there")
        assert not network.reaches("alice")
        await alice.login("alice", PASSWORD)
        reached = 0
        for raw, reaches in [
            ("PING login", True),
            ("NICK alice_", True),
            (f"PART {ROOM}", False),
            (f"JOIN {OTHER_ROOM}", True),
            (f"JOIN {ROOM}", True),
            (f"PART {OTHER_ROOM}", True),
        ]:
            alice.send(raw)
            await knows(raw)
            assert network.reaches("alice") is reaches, raw
            if reaches:
                assert await network.send(private("alice"), PAGE, raw, tried=None, rank=Rank.PAGE)
                reached += 1
            assert await got(alice) == PAGED * reached, raw
        await logout(alice)
        await knows("she is nobody")
        assert not network.reaches("alice")
        await misses(network, "alice")


async def test_who_is_in_none_of_our_rooms_is_found(inspircd: Inspircd) -> None:
    network = irc(inspircd.port)
    async with people("alice", "bobby") as [alice, bob], on(network) as ear:
        await asyncio.gather(ear.is_up(), come(alice, inspircd, "alice"), come(bob, inspircd, "bob"))
        # By the nick that is like the account …
        assert await network.send(private("alice"), PAGE, "a page", tried=None, rank=Rank.PAGE)
        assert await got(alice) == PAGED
        # … or by the one under which they spoke last.
        await misses(network, "bob")
        await bob.says("tocsin", "I am here")
        await ear.hears("I am here")
        assert ear.ups == 2  # so that what waits for him goes on
        assert await network.send(private("bob"), PAGE, "a page", tried=None, rank=Rank.PAGE)
        assert await got(bob) == PAGED
        # Whoever has that nick by now is not them.
        await logout(bob)
        await misses(network, "bob")
        assert await got(bob) == PAGED


@pytest.mark.parametrize("room", [ROOM, "#elsewhere"])
async def test_a_stranger_with_her_nick_does_not_get_her_page(inspircd: Inspircd, room: str) -> None:
    network = irc(inspircd.port)
    async with people("alice") as [stranger], on(network) as ear:
        await asyncio.gather(ear.is_up(), come(stranger, inspircd, "mallory", room))
        error = await misses(network, "alice")
        assert str(error) == "alice is nowhere online on irc"
        assert await got(stranger) == []


async def test_an_answer_goes_to_the_stranger_who_asked_and_not_to_whom_they_pose_as(
    inspircd: Inspircd,
) -> None:
    network = irc(inspircd.port)
    nicks = ("alice", "bob", "al", "bobby")
    async with people(*nicks) as [nobody, mallory, alice, bob], on(network) as ear:
        await asyncio.gather(
            ear.is_up(),
            come(nobody, inspircd),
            come(mallory, inspircd, "mallory"),
            come(alice, inspircd, "alice", ROOM),
            come(bob, inspircd, "bob", ROOM),
        )
        for number, stranger in enumerate((nobody, mallory), 1):
            await stranger.says("tocsin", "!whoami")
            *_, line = await ear.hears("!whoami", times=number)
            assert line.place == private(f"~{stranger.nick}")
            assert await network.send(line.place, PAGE, "an answer", tried=None, rank=Rank.PAGE)
            assert await got(stranger) == PAGED
        assert await got(alice) == await got(bob) == []


async def test_strangers_who_call_all_the_time_keep_no_page_waiting(
    inspircd: Inspircd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login, "WANTED", NO_TAGS)
    network = irc(inspircd.port, pace=timedelta(seconds=1))
    async with people("eve", "al") as [eve, alice], on(network) as ear:
        await asyncio.gather(ear.is_up(), come(eve, inspircd, "", ROOM), come(alice, inspircd, "alice", ROOM))
        for _ in range(100):
            eve.send(f"PRIVMSG {ROOM} :!ack k7f3")
        await ear.hears("!ack k7f3", times=100)
        assert await network.send(private("alice"), PAGE, "a page", tried=None, rank=Rank.PAGE)
        assert await got(alice) == PAGED


async def test_a_split_takes_people_away_and_brings_them_back(tmp_path: Path) -> None:
    with (
        running(Inspircd(tmp_path / "hub", services=True)) as hub,
        running(Inspircd(tmp_path / "leaf", hub=hub)) as leaf,
    ):
        hub.register("alice", PASSWORD)
        network = irc(hub.port)
        async with people("al", "bob") as [alice, bob], on(network) as ear:
            await asyncio.gather(
                ear.is_up(), come(alice, leaf, "alice"), come(bob, hub, "", ROOM, OTHER_ROOM)
            )
            await alice.join(ROOM)
            await bob.sees("al!al@127.0.0.1 JOIN")

            async def told(text: str) -> None:
                """The network hears this after all else that bob has seen."""
                await bob.says(OTHER_ROOM, text)
                await ear.hears(text)

            await told("she is there")
            assert network.reaches("alice")
            assert await network.send(private("alice"), PAGE, "one", tried=None, rank=Rank.PAGE)
            await alice.sees("PRIVMSG al :k7f3")

            await asyncio.to_thread(leaf.splits)
            await bob.sees("al!al@127.0.0.1 QUIT")
            await told("she is gone")
            assert not network.reaches("alice")
            await misses(network, "alice")

            await asyncio.to_thread(leaf.joins)
            await bob.sees("al!al@127.0.0.1 JOIN", times=2)
            await told("she is back")
            assert network.reaches("alice")
            assert await network.send(private("alice"), PAGE, "two", tried=None, rank=Rank.PAGE)
            await alice.sees("PRIVMSG al :k7f3", times=2)
            await alice.says(ROOM, "!ack k7f3")
            [line] = await ear.hears("!ack k7f3")
            assert (line.account, line.place) == ("alice", OPS)
            assert await network.send(DB, PAGE, "three", tried=None, rank=Rank.PAGE)
