"""How much is said in a channel: where anybody can come and read, only what anybody may know."""

import asyncio
import logging
from datetime import timedelta
from pathlib import Path

import pytest

from tocsin.config.values import SecretSource
from tocsin.domain.message import Message, Place
from tocsin.domain.oncall import Identity
from tocsin.networks.base import Rank
from tocsin.networks.irc.network import Irc
from tocsin.networks.irc.settings import Detail

from tests.networks.contract import EARLIER
from tests.networks.ears import Ear, on
from tests.networks.irc_peers import DB, OPS, OTHER_ROOM, ROOM, Fake, come, got, irc, private, refuses
from tests.servers.irc_user import User, people
from tests.servers.ircd import Ircd

NICKS = Identity.NICKS
SECRET = "db1.internal"

PAGE = Message(
    f"paging alice: critical DiskFull {SECRET}: 97 % of / used",
    subject="k7f3",
    command="!ack k7f3",
    link=f"https://{SECRET}/graph",
    lines=(f"{SECRET} and another",),
    brief="paging alice: critical DiskFull",
    brief_lines=("and another",),
)
FULL, BRIEF = PAGE.all_lines(), PAGE.summary().all_lines()


@pytest.fixture
def ircd(request: pytest.FixtureRequest) -> Ircd:
    """One of those that tests share; the test is run on both."""
    found: Ircd = request.getfixturevalue(request.param)
    return found


shared = pytest.mark.parametrize("ircd", ["ngircd", "inspircd"], indirect=True)


async def says(network: Irc, place: Place, user: User, room: str = "") -> list[str]:
    """Say the page there; what somebody sees of it."""
    before = len(await got(user, room))
    assert await network.send(place, PAGE, "a page", tried=None, rank=Rank.PAGE)
    return (await got(user, room))[before:]


async def test_the_two_differ_in_what_not_everybody_may_know() -> None:
    assert SECRET in "".join(FULL)
    assert BRIEF == ["k7f3 paging alice: critical DiskFull · !ack k7f3", "and another"]


@shared
async def test_in_an_open_room_only_what_all_may_know_and_in_private_everything(ircd: Ircd) -> None:
    network = irc(ircd.port, identity=NICKS)
    async with people("alice") as [alice], on(network) as ear:
        await asyncio.gather(ear.is_up(), come(alice, ircd, "", ROOM))
        assert await says(network, OPS, alice, ROOM) == BRIEF
        assert await says(network, private("alice"), alice) == FULL
        assert await network.send(OPS, PAGE, "a page", tried=EARLIER, rank=Rank.PAGE)
        assert (await got(alice, ROOM))[-2:] == [f"(again) {BRIEF[0]}", BRIEF[1]]
        plain = Message("nothing secret", lines=("here",))
        assert await network.send(OPS, plain, "a word", tried=None, rank=Rank.PAGE)
        assert (await got(alice, ROOM))[-2:] == ["nothing secret", "here"]


@shared
@pytest.mark.parametrize("mode", ["i", "k key"])
async def test_a_room_that_lets_in_only_some_is_told_everything(
    ircd: Ircd, mode: str, tmp_path: Path
) -> None:
    """Whether it was so before we came, or becomes so while we are there."""
    key = tmp_path / "key"
    key.touch(mode=0o600)
    key.write_text("key")
    network = irc(ircd.port, identity=NICKS, keys={ROOM: SecretSource(file=key)})
    unset = f"MODE {ROOM} -{mode}"
    async with people("alice") as [alice]:
        await come(alice, ircd, "", ROOM)
        alice.send(f"MODE {ROOM} +{mode}")
        await alice.sync()
        async with on(network) as ear:
            await ear.is_up()
            if mode == "i":
                alice.send(f"INVITE tocsin {ROOM}")
                await ear.is_up_for(2)
            assert await says(network, OPS, alice, ROOM) == FULL
            for line, seen in [(unset, BRIEF), (f"MODE {ROOM} +{mode}", FULL), (unset, BRIEF)]:
                alice.send(line)
                await heard_all(ear, alice)
                assert await says(network, OPS, alice, ROOM) == seen, line


async def heard_all(ear: Ear, user: User) -> None:
    """The network knows all that somebody has done."""
    text = f"line {len(ear.lines)}"
    await user.says("tocsin", text)
    await ear.hears(text)


@shared
async def test_a_key_that_is_in_one_line_with_other_modes_closes_the_room(ircd: Ircd) -> None:
    network = irc(ircd.port, identity=NICKS)
    async with people("alice", "bob") as [alice, bob]:
        await come(alice, ircd, "", ROOM)
        async with on(network) as ear:
            await asyncio.gather(ear.is_up(), come(bob, ircd, "", ROOM))
            for line, seen in [
                ("+vk bob -i", FULL),
                ("+b-k +i!*@* -i", BRIEF),
                ("+lo 5 bob", BRIEF),
                ("+oki bob +b", FULL),
                ("-ol+b-k bob +k!*@* +b", FULL),
                ("-i", BRIEF),
                ("-n+s", BRIEF),
            ]:
                alice.send(f"MODE {ROOM} {line}")
                await heard_all(ear, alice)
                assert await says(network, OPS, bob, ROOM) == seen, line
            assert not [line.params for line in bob.lines if line.command == "481"]


@shared
async def test_a_mode_of_ours_closes_no_room(ircd: Ircd) -> None:
    """`+i` means something else for people: who is invisible."""
    network = irc(ircd.port, identity=NICKS)
    async with people("alice", "root") as [alice, root], on(network) as ear:
        await asyncio.gather(ear.is_up(), come(alice, ircd, "", ROOM), come(root, ircd))
        assert network._link  # noqa: SLF001 (nobody else can set a mode of ours)
        network._link.command("MODE tocsin +i")  # noqa: SLF001 (likewise)
        await heard_all(ear, alice)
        assert await says(network, OPS, alice, ROOM) == BRIEF


@shared
async def test_what_the_configuration_says_holds_whatever_the_modes(ircd: Ircd) -> None:
    details = {ROOM.upper(): Detail.FULL, OTHER_ROOM: Detail.SUMMARY}
    network = irc(ircd.port, identity=NICKS, detail=details)
    async with people("alice") as [alice]:
        await come(alice, ircd, "", ROOM, OTHER_ROOM)
        async with on(network) as ear:
            await ear.is_up()
            for line in (
                f"MODE {OTHER_ROOM} +s",
                f"MODE {OTHER_ROOM} +i",
                f"MODE {ROOM} +i",
                f"MODE {ROOM} -i",
            ):
                alice.send(line)
                await heard_all(ear, alice)
                assert await says(network, OPS, alice, ROOM) == FULL
                assert await says(network, DB, alice, OTHER_ROOM) == BRIEF


@shared
async def test_a_room_that_we_left_is_learned_anew(ircd: Ircd) -> None:
    network = irc(ircd.port, identity=NICKS)
    async with people("alice") as [alice]:
        await come(alice, ircd, "", ROOM)
        async with on(network) as ear:
            await ear.is_up()
            alice.send(f"MODE {ROOM} +i")
            await heard_all(ear, alice)
            assert await says(network, OPS, alice, ROOM) == FULL
            alice.send(f"KICK {ROOM} tocsin")
            alice.send(f"MODE {ROOM} -i")
            alice.send(f"INVITE tocsin {ROOM}")
            await ear.is_up_for(2)
            assert await says(network, OPS, alice, ROOM) == BRIEF


# ── What only a server of our own can do ────────────────────────────────────────────────────────────────────


async def said(network: Irc, fake: Fake) -> list[str]:
    """Say the page in the room: what the server gets of it."""
    before = len(fake.lines)
    assert await network.send(OPS, PAGE, "a page", tried=None, rank=Rank.PAGE)
    return [line.partition(" :")[2] for line in fake.lines[before:] if line.startswith("PRIVMSG")]


class Mute(Fake):
    """It doesn't say which modes a channel has."""

    def _answers(self, line: str) -> list[bytes]:
        return [] if line.startswith("MODE") else [*super()._answers(line)]


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for long until it is known who gets in."""
    monkeypatch.setattr("tocsin.networks.irc.network.DECIDED_WITHIN", 0.1)


@pytest.mark.usefixtures("soon")
async def test_as_long_as_it_is_not_known_who_gets_in_anybody_may(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with Mute() as fake:
        network = irc(fake.port, identity=NICKS, rooms=[])
        async with on(network) as ear:
            await ear.is_up()
            assert await said(network, fake) == BRIEF
            fake.says(b":alice!a@h MODE #ops +i")  # what else holds is not known
            assert await said(network, fake) == BRIEF
            assert fake.lines.count("MODE #ops") == 1
            fake.says(
                b":irc 324 tocsin #elsewhere +i", b":irc 324 tocsin #OPS +i", b":alice!a@h PRIVMSG #ops :x"
            )
            await ear.hears("x")
            assert await said(network, fake) == FULL
    assert [text for text in caplog.messages if "detail" in text] == [
        "irc: #ops is closed: alerts are told there in full; see networks.irc.detail"
    ]


async def test_what_is_said_in_a_room_waits_for_the_answer_and_nothing_else_does() -> None:
    async with Mute() as fake:
        network = irc(fake.port, identity=NICKS, rooms=[OTHER_ROOM], detail={OTHER_ROOM: Detail.FULL})
        async with on(network) as ear:
            await ear.is_up()
            waits = asyncio.create_task(network.send(OPS, PAGE, "a page", tried=None, rank=Rank.PAGE))
            assert await network.send(private("alice"), PAGE, "a page", tried=None, rank=Rank.PAGE)
            assert await network.send(DB, PAGE, "a page", tried=None, rank=Rank.PAGE)
            assert not [line for line in fake.lines if line.startswith("PRIVMSG #ops")]
            fake.says(b":irc 324 tocsin #ops +i")
            assert await waits
            assert f"PRIVMSG #ops :{FULL[0]}" in fake.lines


async def test_who_is_put_out_while_it_waits_says_nothing() -> None:
    async with Mute() as fake:
        network = irc(fake.port, identity=NICKS, rooms=[])
        async with on(network) as ear:
            await ear.is_up()
            waits = asyncio.create_task(refuses(network, OPS, PAGE))
            await asyncio.sleep(0)
            fake.says(b":alice!a@h KICK #ops tocsin :out", b":irc 324 tocsin #ops +i")
            error = await waits
            assert (error.unsent, error.permanent, error.absent) == (True, False, False)
            assert not [line for line in fake.lines if line.startswith("PRIVMSG")]


async def test_it_is_known_before_anything_is_said() -> None:
    async with Fake(modes="+ik") as fake:
        network = irc(fake.port, identity=NICKS, rooms=[])
        async with on(network) as ear:
            await ear.is_up()
            assert await said(network, fake) == FULL


@pytest.mark.parametrize("answer", ["", "int", "-i"])
@pytest.mark.usefixtures("soon")
async def test_an_odd_answer_is_none_and_nobody_asks_for_ever(answer: str) -> None:
    async with Fake(modes=answer) as fake:
        network = irc(fake.port, identity=NICKS, rooms=[])
        async with on(network) as ear:
            await ear.is_up()
            assert await said(network, fake) == BRIEF
            assert fake.lines.count("MODE #ops") == 1


async def test_a_change_that_does_not_add_up_is_asked_for_once() -> None:
    async with Fake(modes="+i") as fake:
        network = irc(fake.port, identity=NICKS, rooms=[])
        async with on(network) as ear:
            await ear.is_up()
            assert await said(network, fake) == FULL
            fake.modes = "+nt"
            fake.says(*[b":irc MODE #ops +Z +i"] * 50, b":alice!a@h PRIVMSG #ops :x")
            await ear.hears("x")
            assert await said(network, fake) == BRIEF
            await fake.hears("MODE #ops", times=2)
            assert fake.lines.count("MODE #ops") == 2


async def test_what_waits_for_its_turn_while_the_room_is_opened_is_not_said_like_that() -> None:
    """Too much is being said there, and a line may wait for many seconds."""
    async with Fake(modes="+i") as fake:
        network = irc(fake.port, identity=NICKS, rooms=[], burst=20, pace=timedelta(seconds=0.2))
        async with on(network) as ear:
            await ear.is_up()
            texts = Message("a", lines=("b",) * 30)
            first = asyncio.create_task(
                network.send(private("bob"), texts, "before", tried=None, rank=Rank.PAGE)
            )
            await fake.hears("PRIVMSG bob :a")
            waits = asyncio.create_task(refuses(network, OPS, PAGE))
            await asyncio.sleep(0)
            fake.says(b":alice!a@h MODE #ops -i")
            error = await waits
            assert (error.unsent, error.permanent, error.absent) == (True, False, False)
            assert await first
            assert not [line for line in fake.lines if SECRET in line]
            assert await said(network, fake) == BRIEF


async def test_what_is_half_said_when_the_room_is_opened_is_said_no_further() -> None:
    class Hasty(Fake):
        def _answers(self, line: str) -> list[bytes]:
            opens = line == "PRIVMSG #ops :one"
            return [b":alice!a@h MODE #ops -i"] * opens + [*super()._answers(line)]

    async with Hasty(modes="+i") as fake:
        network = irc(fake.port, identity=NICKS, rooms=[], burst=1, pace=timedelta(seconds=0.2))
        async with on(network) as ear:
            await ear.is_up()
            page = Message("one", lines=(SECRET, "three"), brief="one", brief_lines=("two",))
            error = await refuses(network, OPS, page)
            assert (error.unsent, error.permanent, error.absent) == (False, False, False)
            assert not [line for line in fake.lines if SECRET in line]
            assert await network.send(OPS, page, "a page", tried=EARLIER, rank=Rank.PAGE)
            assert [line for line in fake.lines if "PRIVMSG" in line][-2:] == [
                "PRIVMSG #ops :(again) one",
                "PRIVMSG #ops :two",
            ]


async def test_the_log_says_what_the_rooms_are(ngircd: Ircd, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    network = irc(ngircd.port, identity=NICKS, detail={OTHER_ROOM: Detail.SUMMARY})
    async with people("alice") as [alice], on(network) as ear:
        await asyncio.gather(ear.is_up(), come(alice, ngircd, "", ROOM))
        await heard_all(ear, alice)
    assert [text for text in caplog.messages if "detail" in text] == [
        "irc: #ops is open: alerts are told there in short; see networks.irc.detail"
    ]
