"""Channels that we make, on servers that say and do odd things."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from tocsin.config.values import SecretSource
from tocsin.domain.message import Message, Place
from tocsin.domain.oncall import Identity
from tocsin.errors import NetworkError
from tocsin.networks.base import Rank
from tocsin.networks.irc import making
from tocsin.networks.irc.chanserv import ChanServ
from tocsin.networks.irc.link import Link
from tocsin.networks.irc.network import Irc
from tocsin.networks.irc.settings import Sasl

from tests.networks.ears import on
from tests.networks.irc_peers import Fake, irc

DETAILED = Message("everything", link="https://x.test/", brief="in short")
ROOM = "#inc-1"
ALICE_SAYS_X = b":alice!a@h PRIVMSG #ops :x"


class Town(Fake):
    """A server whose channels are ours as soon as we come, but for what a test says.

    closes: the modes that they have once we set them. joins, sets: what it says in the place of that when a channel is joined,
    or its modes are set; one after another, `{room}` being the channel. features: what it says of itself.
    """

    def __init__(self, *, features: str = "CHANTYPES=#", closes: str = "+inst") -> None:
        super().__init__(modes=closes)
        self.features = features
        self.joins: list[Sequence[str]] = []
        self.sets: list[Sequence[str]] = []

    def _answers(self, line: str) -> Sequence[bytes]:
        name, *words = line.split()
        ours = words and words[0].startswith(("#inc", "&inc"))
        hello = (
            ":irc 001 tocsin :hello",
            f":irc 005 tocsin {self.features} :are supported",
            ":irc 422 tocsin :x",
        )
        first = {
            "CAP LS 302": [":irc CAP * LS :sasl"],
            "CAP REQ :sasl": [":irc CAP tocsin ACK :sasl"],
            "AUTHENTICATE PLAIN": ["AUTHENTICATE +"],
            "CAP END": hello,
        }
        if name in {"CAP", "USER"} or line == "AUTHENTICATE PLAIN":
            return [answer.encode() for answer in first.get(line, ())]
        if name == "AUTHENTICATE":
            return [b":irc 903 tocsin :you are logged in"]
        if name == "JOIN" and ours:
            answers: Sequence[str] = (
                ":tocsin!t@h JOIN {room}",
                ":irc 353 tocsin @ {room} :@tocsin",
                ":irc 366 tocsin {room} :end",
            )
            answers = self.joins.pop(0) if self.joins else answers
        elif name == "MODE" and ours and len(words) > 1:
            answers = self.sets.pop(0) if self.sets else ()
        else:
            return super()._answers(line)
        return [answer.format(room=words[0]).encode() for answer in answers]


async def make(network: Irc, *accounts: str) -> str:
    return await network.make_room("inc-1", "the disk", accounts)


async def refused(network: Irc) -> NetworkError:
    with pytest.raises(NetworkError) as caught:
        await make(network)
    return caught.value


async def said(network: Irc, fake: Fake) -> str:
    """What is said of a message in the room."""
    await network.send(Place("irc", ROOM), DETAILED, "an id", tried=None, rank=Rank.PAGE)
    return [line for line in fake.lines if line.startswith("PRIVMSG #inc")][-1].partition(" :")[2]


OTHERS = (":tocsin!t@h JOIN {room}", ":irc 353 tocsin = {room} :@tocsin eve", ":irc 366 tocsin {room} :end")
RULED = (":tocsin!t@h JOIN {room}", ":irc 353 tocsin = {room} :tocsin", ":irc 366 tocsin {room} :end")


@pytest.mark.parametrize(
    "there", [OTHERS, RULED, *[(f":irc {code} tocsin {{room}} :no",) for code in ("473", "474", "475")]]
)
async def test_a_name_that_is_taken_is_not_the_one_that_we_take(there: Sequence[str]) -> None:
    async with Town() as fake, on(network := irc(fake.port, identity=Identity.NICKS)) as ear:
        await ear.is_up()
        fake.joins = [there, there]
        room = await make(network)
        assert re.fullmatch(f"{ROOM}-[a-z][2-9][a-z][2-9]", room)
        joined = [line.split()[1] for line in fake.lines if line.startswith("JOIN #inc")]
        assert len(set(joined)) == 3
        assert joined[0] == ROOM
        assert joined[2] == room
        parted = [line.split()[1] for line in fake.lines if line.startswith("PART")]
        assert parted == (joined[:2] if there in (OTHERS, RULED) else [])
        assert ear.told == []
        assert await make(network) == room


@pytest.mark.parametrize(
    "instead",
    [
        (":eve!e@h JOIN {room}",),
        (":irc 482 tocsin {room} :you are not its operator",),
        (":ChanServ!s@services MODE {room} -o tocsin",),
    ],
)
async def test_who_comes_before_it_is_closed_has_it_for_themself(instead: Sequence[str]) -> None:
    async with Town() as fake, on(network := irc(fake.port, identity=Identity.NICKS)) as ear:
        await ear.is_up()
        fake.sets = [instead]
        room = await make(network)
        assert room != ROOM
        assert f"PART {ROOM} :it is not ours" in fake.lines


async def test_a_server_that_closes_no_channel_need_not_be_asked_again() -> None:
    async with Town(closes="+nt") as fake, on(network := irc(fake.port, identity=Identity.NICKS)) as ear:
        await ear.is_up()
        error = await refused(network)
        assert error.permanent
        assert "the server does not close it" in str(error)
        await fake.hears("PART #inc", times=1 + making.OTHER_NAMES)


async def test_of_too_many_channels_one_more_may_fit_later() -> None:
    async with Town() as fake, on(network := irc(fake.port, identity=Identity.NICKS)) as ear:
        await ear.is_up()
        fake.joins = [(":irc 405 tocsin {room} :too many",)]
        error = await refused(network)
        assert (error.permanent, error.unsent) == (False, True)
        assert sum(line.startswith("JOIN #inc") for line in fake.lines) == 1
        assert await make(network) == ROOM


async def test_what_the_server_answers_too_late_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "ANSWERED_WITHIN", 0.05)
    async with Town() as fake, on(network := irc(fake.port, identity=Identity.NICKS)) as ear:
        await ear.is_up()
        fake.joins = [()]
        assert not (await refused(network)).permanent
        fake.says(f":tocsin!t@h JOIN {ROOM}".encode())
        await fake.hears(f"PART {ROOM}")


async def test_a_link_that_ends_while_it_is_made_ends_that_too() -> None:
    async with Town() as fake, on(network := irc(fake.port, identity=Identity.NICKS)) as ear:
        await ear.is_up()
        fake.joins = [()]
        waits = asyncio.create_task(refused(network))
        await fake.hears(f"JOIN {ROOM}")
        fake.hangs_up()
        assert not (await waits).permanent
        await ear.is_up_for(2)
        assert sum(line.startswith("JOIN") and ROOM in line for line in fake.lines) == 1
        assert await make(network) == ROOM


@pytest.mark.parametrize("name", ["", "a,b", "a b", "x\r\nQUIT", "a\0b", "\u202ex", ":a", "a" * 200])
async def test_an_odd_name_makes_no_other_channel(name: str) -> None:
    async with Town() as fake, on(network := irc(fake.port, identity=Identity.NICKS)) as ear:
        await ear.is_up()
        with pytest.raises(NetworkError) as caught:
            await network.make_room(name, "the disk", [])
        assert caught.value.permanent
        assert sum(line.startswith("JOIN") for line in fake.lines) == 1


async def test_before_it_is_connected_it_makes_none() -> None:
    error = await refused(irc(1))
    assert (error.permanent, error.unsent) == (False, True)


async def test_where_channels_begin_with_something_else_so_does_ours() -> None:
    async with (
        Town(features="CHANTYPES=&+") as fake,
        on(network := irc(fake.port, identity=Identity.NICKS)) as ear,
    ):
        await ear.is_up()
        assert await make(network) == "&inc-1"


async def test_a_title_is_cut_to_what_the_server_keeps() -> None:
    async with Town(features="CHANTYPES=# TOPICLEN=20") as fake:
        network = irc(fake.port, identity=Identity.NICKS)
        async with on(network) as ear:
            await ear.is_up()
            await network.make_room("inc-1", "ж" * 300, [])
            [topic] = await fake.hears(f"TOPIC {ROOM}")
            title = topic.partition(" :")[2]
            assert len(title.encode()) <= 20
            assert title.rstrip("…") == "ж" * (len(title) - 1)


async def test_only_as_its_operator_we_say_everything(caplog: pytest.LogCaptureFixture) -> None:
    async with Town() as fake, on(network := irc(fake.port, identity=Identity.NICKS)) as ear:
        await ear.is_up()
        await make(network)
        assert await said(network, fake) == "everything · https://x.test/"
        for sign, text in (("-", "in short"), ("-", "in short"), ("+", "everything · https://x.test/")):
            fake.says(f":eve!e@h MODE {ROOM} {sign}ov tocsin alice".encode(), ALICE_SAYS_X)
            await ear.knows(lambda: len(ear.lines) > 0)
            ear.lines.clear()
            assert await said(network, fake) == text
        fake.says(f":eve!e@h MODE {ROOM} -i".encode(), ALICE_SAYS_X)
        await ear.knows(lambda: len(ear.lines) > 0)
        assert await said(network, fake) == "in short"
    assert sum("not the operator" in text for text in caplog.messages) == 1


async def test_who_is_its_operator_again_invites_who_waited() -> None:
    async with Town() as fake, on(network := irc(fake.port, identity=Identity.NICKS)) as ear:
        await ear.is_up()
        await make(network)
        fake.says(f":eve!e@h MODE {ROOM} -o tocsin".encode(), ALICE_SAYS_X)
        await ear.hears("x")
        with pytest.raises(NetworkError, match="make me one"):
            await network.invite(ROOM, "alice")
        assert not [line for line in fake.lines if line.startswith("INVITE")]
        fake.says(f":eve!e@h MODE {ROOM} +o tocsin".encode())
        assert await fake.hears("INVITE") == [f"INVITE alice {ROOM}"]


async def test_a_title_that_is_refused_for_now_is_set_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "TITLE_AGAIN", 0.01)
    async with Town() as fake, on(network := irc(fake.port, identity=Identity.NICKS)) as ear:
        await ear.is_up()
        await make(network)
        await fake.hears(f"TOPIC {ROOM}")
        fake.says(f":irc 437 tocsin {ROOM} :Retry topic change later".encode())
        await fake.hears(f"TOPIC {ROOM} :the disk", times=2)
        assert ear.told == []


async def test_where_a_nick_proves_nothing_nobody_is_said_to_have_come() -> None:
    async with Town() as fake, on(network := irc(fake.port, identity=Identity.CODES)) as ear:
        await ear.is_up()
        await make(network, "alice")
        fake.says(f":alice!a@h JOIN {ROOM}".encode(), ALICE_SAYS_X)
        await ear.hears("x")
        assert ear.comers == []


async def test_who_came_is_asked_for_where_the_server_does_not_say_it() -> None:
    async with Town() as fake, on(network := irc(fake.port)) as ear:
        await ear.is_up()
        await make(network)
        fake.says(
            f":al!a@h JOIN {ROOM}".encode(),
            f":eve!e@h JOIN {ROOM}".encode(),
            f":gone!g@h JOIN {ROOM}".encode(),
        )
        for nick, host, account in (("al", "a h", "Alice"), ("eve", "e h", ""), ("gone", "x h", "bob")):
            await fake.hears(f"WHOIS {nick}")
            logged_in = [f":irc 330 tocsin {nick} {account} :is logged in as".encode()] if account else []
            fake.says(
                f":irc 311 tocsin {nick} {host} * :x".encode(),
                *logged_in,
                f":irc 318 tocsin {nick} :end".encode(),
            )
        await ear.knows(lambda: len(ear.comers) == 3)
        assert [account for _, account in ear.comers] == ["alice", "~eve", "~gone"]


# ── ChanServ ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def sasl(tmp_path: Path) -> Sasl:
    """Without an account no channel could be registered."""
    secret = tmp_path / "password"
    secret.write_text("x")
    secret.chmod(0o600)
    return Sasl(account="tocsin", password=SecretSource(file=secret))


def registers(fake: Fake, sasl: Sasl) -> Irc:
    return irc(fake.port, identity=Identity.NICKS, sasl=sasl, chanserv=True)


async def test_chanserv_is_asked_to_keep_it_and_to_let_us_in(sasl: Sasl) -> None:
    async with Town() as fake, on(network := registers(fake, sasl)) as ear:
        await ear.is_up()
        await make(network)
        network.be_in([ROOM])
        await fake.hears(f"PRIVMSG ChanServ :REGISTER {ROOM}")
        await fake.hears(f"PRIVMSG ChanServ :SET {ROOM} MLOCK +inst")
        fake.says(f":eve!e@h MODE {ROOM} -o tocsin".encode())
        await fake.hears(f"PRIVMSG ChanServ :OP {ROOM}")
        fake.joins = [(f":irc 473 tocsin {ROOM} :invite only",)]
        fake.says(
            f":eve!e@h KICK {ROOM} tocsin :out".encode(), f":irc 473 tocsin {ROOM} :invite only".encode()
        )
        await fake.hears(f"PRIVMSG ChanServ :INVITE {ROOM}")


async def test_what_chanserv_does_not_answer_is_asked_for_again(
    sasl: Sasl, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_again = ChanServ.ask_again
    monkeypatch.setattr(making, "LOOK_EVERY", 0.0)
    monkeypatch.setattr("tocsin.networks.irc.network.ROOMS_EVERY", 0.01)
    async with Town() as fake, on(network := registers(fake, sasl)) as ear:
        await ear.is_up()
        await make(network)
        network.be_in([ROOM])
        await fake.hears(f"ChanServ :REGISTER {ROOM}", times=3)
        fake.says(f":eve!e@h MODE {ROOM} -o tocsin".encode())
        await fake.hears(f"ChanServ :OP {ROOM}", times=3)
        fake.says(f":ChanServ!s@services NOTICE tocsin :\x02{ROOM}\x02 is now registered to x.".encode())
        fake.says(f":ChanServ!s@services MODE {ROOM} +o tocsin".encode(), ALICE_SAYS_X)
        await ear.hears("x")
        before = len(fake.lines)
        network.be_in([])
        await fake.hears(f"ChanServ :DROP {ROOM}", times=3)
        assert not [line for line in fake.lines[before + 5 :] if "REGISTER" in line or " :OP " in line]
        fake.says(f":ChanServ!s@services NOTICE tocsin :{ROOM} has been dropped.".encode(), ALICE_SAYS_X)
        await ear.knows(lambda: len(ear.lines) == 2)
        looked = asyncio.Event()

        def asks_again(chanserv: ChanServ, link: Link) -> None:
            ask_again(chanserv, link)
            looked.set()

        monkeypatch.setattr(ChanServ, "ask_again", asks_again)
        before = len(fake.lines)
        await looked.wait()
        await make(network)
        assert not [line for line in fake.lines[before + 5 :] if " :DROP " in line]


async def test_a_room_that_is_left_while_the_link_is_down_is_dropped_later(
    sasl: Sasl,
) -> None:
    async with Town() as fake, on(network := registers(fake, sasl)) as ear:
        await ear.is_up()
        await make(network)
        network.be_in([ROOM])
        fake.hangs_up()
        await ear.knows(lambda: ear.downs)
        network.be_in([])
        await ear.is_up_for(2)
        await fake.hears(f"PRIVMSG ChanServ :DROP {ROOM}")


async def test_what_is_dropped_is_confirmed_to_chanserv_alone(sasl: Sasl) -> None:
    async with Town() as fake, on(network := registers(fake, sasl)) as ear:
        await ear.is_up()
        await make(network)
        network.be_in([ROOM])
        ask = f"NOTICE tocsin :To avoid accidental use, type /msg ChanServ DROP {ROOM} 7d2a:9"
        fake.says(f":ChanServ!s@services {ask}".encode())
        network.be_in([])
        await fake.hears(f"PRIVMSG ChanServ :DROP {ROOM}")
        fake.says(
            f":eve!e@h {ask}".encode(),
            f":ChanServ!s@services {ask.replace(ROOM, '#ops')}".encode(),
            f":ChanServ!s@services {ask.replace('tocsin', '#ops', 1)}".encode(),
            ALICE_SAYS_X,
        )
        await ear.hears("x")
        fake.says(f":ChanServ!s@services \x02{ask}\x02".replace("\x02NOTICE", "NOTICE").encode())
        await fake.hears("7d2a:9")
        drops = [line for line in fake.lines if " :DROP " in line]
        assert drops == [f"PRIVMSG ChanServ :DROP {ROOM}", f"PRIVMSG ChanServ :DROP {ROOM} 7d2a:9"]
