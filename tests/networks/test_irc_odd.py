"""Whatever people type on IRC, and whatever its servers say: the link stays, and the next line is heard."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from tocsin.domain.oncall import Identity
from tocsin.domain.pace import Pace
from tocsin.errors import NetworkError
from tocsin.networks.base import Rank
from tocsin.networks.irc.link import Link
from tocsin.networks.irc.login import Login

from tests.networks.contract import PAGE
from tests.networks.ears import on
from tests.networks.irc_peers import OPS, ROOM, Fake, come, got, irc, private
from tests.servers.irc_user import people
from tests.servers.ircd import OPER, Inspircd, Ircd, Ngircd
from tests.servers.programs import HOST

Make = Callable[..., Ircd]

on_both = pytest.mark.parametrize("make", [Ngircd, Inspircd])

NICKS = Identity.NICKS

ODD = {
    "latin": b"PRIVMSG #ops :caf\xe9",
    "control": b"PRIVMSG #ops :\x02!ack\x02 \x0304,08k7f3\x0f \x1fplease",
    "empty": b"PRIVMSG #ops :",
    "alone": b"PRIVMSG #ops",
    "version": b"PRIVMSG #ops :\x01VERSION\x01",
    "private": b"PRIVMSG tocsin :\x01PING 1\x01",
    "waves": b"PRIVMSG #ops :\x01ACTION !ack k7f3\x01",
    "half": b"PRIVMSG #ops :\x01ACTION !ack k7f3",
    "notice": b"NOTICE #ops :!ack k7f3",
    "whisper": b"NOTICE tocsin :!ack k7f3",
    "status": b"PRIVMSG @#ops :!ack k7f3",
    "nul": b"PRIVMSG #ops :a\0b",
    "cr": b"PRIVMSG #ops :!ack\rNICK nobody",
    "long": b"PRIVMSG #ops :" + b"x" * 600,
    "quit": b"QUIT",
    "part": b"PART #ops",
    "nick": b"NICK :",
    "blank": b"",
}


HEARD = {
    Ngircd: {"latin": "café", "control": "!ack k7f3 please", "empty": "", "cr": "!ack"},
    Inspircd: {
        "latin": "café",
        "control": "!ack k7f3 please",
        "nul": "a b",
        "cr": "!ackNICK nobody",
        "long": "x" * (510 - len(":long!long@127.0.0.1 PRIVMSG #ops :")),
    },
}
"""Servers treat them differently, but what is no talk between people is heard on none."""


@on_both
async def test_whatever_somebody_types_the_next_line_is_heard(
    make: Make, request: pytest.FixtureRequest
) -> None:
    ircd: Ircd = request.getfixturevalue(make.__name__.lower())
    network = irc(ircd.port, identity=NICKS)
    async with people("alice", *ODD) as [alice, *others], on(network) as ear:
        await asyncio.gather(ear.is_up(), *(come(user, ircd, "", ROOM) for user in (alice, *others)))
        for user, (name, raw) in zip(others, ODD.items(), strict=True):
            user.send(raw)
            await alice.says(ROOM, f"after {name}")
            await ear.hears(f"after {name}")
        assert {line.called: line.text for line in ear.lines if line.called != "alice"} == HEARD[type(ircd)]
        assert ear.downs == []
        assert await network.send(private("alice"), PAGE, "a page", tried=None, rank=Rank.PAGE)
        assert await got(alice) == [PAGE.first_line()]
        alice.send(OPER)
        alice.send("KILL nul :ngIRCd hears nothing of them any more, nor that they leave")
        await alice.sync()


async def test_bots_are_not_heard(inspircd: Inspircd) -> None:
    async with people("robot", "alice") as [robot, alice], on(irc(inspircd.port)) as ear:
        await asyncio.gather(
            ear.is_up(), come(robot, inspircd, "bob", ROOM), come(alice, inspircd, "alice", ROOM)
        )
        robot.send("MODE robot +B")
        await robot.says(ROOM, "!ack k7f3")
        await robot.says("tocsin", "!ack k7f3")
        robot.send("MODE robot -B")
        await robot.says(ROOM, "I am none any more")
        await ear.hears("I am none any more")
        assert [line.account for line in ear.lines] == ["bob"]


JUNK = [
    *b"""
:
@
@a
@a :b
:eve!e@h
PING
PONG
PRIVMSG
NOTICE
JOIN
PART
QUIT
KICK
NICK
MODE
INVITE
NICK :
NICK somebody
:eve NICK
:eve!e@h PRIVMSG
:eve!e@h PRIVMSG #ops
:eve!e@h JOIN
:eve!e@h KICK #ops
:eve!e@h ACCOUNT
ACCOUNT
TAGMSG
BATCH
BATCH +
BATCH -
BATCH -x
@batch=x;label= :irc 401
FAIL
AUTHENTICATE +
CAP
CAP *
CAP * LS
CAP * ACK
CAP * ACK :
CAP * NAK
CAP * NEW :sasl
CAP * DEL
:irc 005
:irc 005 tocsin
:irc 005 tocsin = == A= -B :
005 WHOX
352
:irc 353
:irc 353 tocsin = #ops :@
:irc 354 tocsin 152
:irc 311 tocsin x
318
:irc 401
:irc 403
:irc 404
:irc 433
:irc 471
:irc 473 tocsin
:irc 716
999
""".split(b"\n"),
    *(b" ", b": ", b"@a ", b":eve!e@h ", b"\0", b"\r", b"\xff\xfe", b":irc \xc2\xb2\xc2\xb3\xc2\xb9 tocsin"),
    *(b"x" * 200_000, b" :" * 5_000),
]


async def test_whatever_the_server_says_the_next_line_is_heard() -> None:
    async with Fake() as fake:
        network = irc(fake.port, identity=NICKS)
        async with on(network) as ear:
            await ear.is_up()
            for number, junk in enumerate(JUNK):
                fake.says(junk, f":alice!a@h PRIVMSG #ops :line {number}".encode())
            await ear.hears(f"line {len(JUNK) - 1}")
            assert "PONG :" in fake.lines
            texts = [line.text for line in ear.lines if line.called == "alice"]
            assert texts == [f"line {number}" for number in range(len(JUNK))]
            assert await network.send(OPS, PAGE, "a page", tried=None, rank=Rank.PAGE)
            assert (fake.links, ear.downs) == (1, [])


async def test_what_was_said_before_the_link_was_closed_is_heard() -> None:
    async with Fake() as fake, on(irc(fake.port, identity=NICKS)) as ear:
        await ear.is_up()
        texts = [f"line {number}" for number in range(1000)]
        fake.says(*(f":alice!a@h PRIVMSG {ROOM} :{text}".encode() for text in texts))
        fake.hangs_up()
        await ear.hears(texts[-1])
        assert [line.text for line in ear.lines] == texts


async def test_only_what_is_of_use_is_asked_for_and_may_be_refused() -> None:
    offers = "inspircd.org/poison account-tag=x unknown batch sasl=PLAIN sts=port=6697"
    async with Fake(offers=offers) as fake, on(irc(fake.port)) as ear:
        await ear.is_up()
        assert [line for line in fake.lines if line.startswith("CAP")] == [
            "CAP LS 302",
            "CAP REQ :account-tag batch",
            "CAP END",
        ]


@pytest.mark.parametrize("first", ["alice", "bob"])
async def test_the_refusal_of_a_line_falls_on_its_own_message_however_slowly_the_rest_follows(
    first: str,
) -> None:
    class Strict(Fake):
        def _answers(self, line: str) -> Sequence[bytes]:
            refusal = [b":irc 439 tocsin bob :not so fast"] if line.endswith(":page") else []
            return [*refusal, *super()._answers(line)]

    async with Strict() as fake:
        link = Link(
            Login(["tocsin"]),
            Pace(2, timedelta(seconds=0.1), asyncio.get_running_loop().time),
            lambda _: None,
        )
        try:
            await link.open(HOST, fake.port, None)
            before, page = (
                link.say(first, ["before"], Rank.PAGE),
                link.say("bob", ["page", "more"], Rank.PAGE),
            )
            assert (await before.done).startswith("pong")
            with pytest.raises(NetworkError, match="not so fast"):
                await page.done
        finally:
            await link.close()
