"""What is heard on IRC: what people say themselves, and now; and what we were called when they said it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from tocsin.domain.oncall import Identity
from tocsin.networks.irc import login

from tests.networks.ears import Ear, on
from tests.networks.irc_peers import ROOM, Fake, come, irc
from tests.servers.irc_user import people
from tests.servers.ircd import Inspircd, Ngircd
from tests.servers.programs import running

NICKS = Identity.NICKS


# ── What we are called ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_line_says_what_we_were_called_when_it_was_said(ngircd: Ngircd) -> None:
    async with people("tocsin", "alice") as [squatter, alice]:
        await come(squatter, ngircd, "", ROOM)
        async with on(irc(ngircd.port, identity=NICKS)) as ear:
            await asyncio.gather(ear.is_up(), come(alice, ngircd, "", ROOM))
            await alice.says(ROOM, "tocsin_: ack")
            await squatter.close()  # and it goes back to its nick
            await alice.sees(lambda line: (line.command, line.nick) == ("NICK", "tocsin_"))
            await alice.says(ROOM, "tocsin: ack")
            await alice.says("tocsin", "ack")
            await ear.hears("ack")
            assert [(line.text, line.us) for line in ear.lines] == [
                ("tocsin_: ack", "tocsin_"),
                ("tocsin: ack", "tocsin"),
                ("ack", "tocsin"),
            ]


async def test_what_is_taken_late_says_what_we_were_called_then() -> None:
    async with Fake() as fake, on(irc(fake.port, identity=NICKS)) as ear:
        await ear.is_up()
        ear.gate.clear()
        fake.says(
            b":alice!a@h PRIVMSG #ops :one",
            b":alice!a@h PRIVMSG #ops :two",
            b":tocsin!t@h NICK other",
            b":alice!a@h PRIVMSG #ops :three",
            b":alice!a@h PRIVMSG other :four",
            b":alice!a@h PRIVMSG tocsin :to nobody",
            b"PING late",
        )
        await fake.hears("PONG :late")
        ear.gate.set()
        await ear.hears("four")
        assert [line.us for line in ear.lines] == ["tocsin", "tocsin", "other", "other"]


async def test_who_decides_whether_it_matters_who_speaks_knows_it_too(
    inspircd: Inspircd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login, "WANTED", login.WANTED - {"account-tag"})
    asked: list[tuple[str, bool, str]] = []

    def wants(_: Ear, text: str, *, private: bool, us: str = "") -> bool:
        asked.append((text, private, us))
        return us in text

    monkeypatch.setattr(Ear, "wants", wants)
    async with people("alice") as [alice], on(irc(inspircd.port, nick="pager")) as ear:
        await asyncio.gather(ear.is_up(), come(alice, inspircd, "alice", ROOM))
        await alice.says(ROOM, "tocsin: ack")
        await alice.says("pager", "pager: ack")
        await ear.hears("pager: ack")
        assert asked == [("tocsin: ack", False, "pager"), ("pager: ack", True, "pager")]
        assert [line.account for line in ear.lines] == ["", "alice"]


# ── What is no talk ─────────────────────────────────────────────────────────────────────────────────────────

NO_TALK = {
    "a notice": b":alice!a@h NOTICE #ops :!ack all",
    "a notice in private": b":alice!a@h NOTICE tocsin :!ack all",
    "waving": b":alice!a@h PRIVMSG #ops :\x01ACTION !ack all\x01",
    "waving in private": b":alice!a@h PRIVMSG tocsin :\x01ACTION ack all",
    "ctcp": b":alice!a@h PRIVMSG tocsin :\x01PING ack all\x01",
    "a bot": b"@bot :alice!a@h PRIVMSG #ops :!ack all",
    "a bot with a value": b"@time=2026-11-21T03:00:00.000Z;bot=x;account=alice :alice!a@h PRIVMSG #ops :!ack all",
    "a draft bot": b"@draft/bot :alice!a@h PRIVMSG tocsin :ack all",
    "a bot of InspIRCd": b"@inspircd.org/bot :alice!a@h PRIVMSG tocsin :ack all",
    "our echo": b":tocsin!t@h PRIVMSG #ops :!ack all",
    "our echo in private": b":Tocsin!other@host PRIVMSG alice :!ack all",
    "our echo to ourselves": b":tocsin!t@h PRIVMSG tocsin :!ack all",
    "a server": b":irc.example.org PRIVMSG #ops :!ack all",
    "a server in private": b":irc.example.org PRIVMSG tocsin :ack all",
    "a server that is called alice": b":alice PRIVMSG #ops :!ack all",
    "nobody": b"PRIVMSG #ops :!ack all",
    "nobody by name": b"@account=alice PRIVMSG tocsin :ack all",
    "history": b"@batch=1;account=alice :alice!a@h PRIVMSG #ops :!ack all",
    "history in private": b"@account=alice;batch=1 :alice!a@h PRIVMSG tocsin :ack all",
    "part of a channel": b":alice!a@h PRIVMSG @#ops :!ack all",
    "another channel": b":alice!a@h PRIVMSG #other :!ack all",
    "two targets": b":alice!a@h PRIVMSG #ops,#db :!ack all",
    "a tag": b"@+draft/text=ack :alice!a@h TAGMSG #ops",
    "a wall": b":alice!a@h WALLOPS :!ack all",
    "a mask": b":alice!a@h PRIVMSG $* :!ack all",
    "a topic": b":alice!a@h TOPIC #ops :!ack all",
    "a parting word": b":eve!e@h PART #ops :!ack all",
    "a last word": b":eve!e@h QUIT :!ack all",
    "a kick": b":alice!a@h KICK #ops eve :!ack all",
    "a number": b":irc 332 tocsin #ops :!ack all",
    "an away": b":irc 301 tocsin alice :!ack all",
}


@pytest.mark.parametrize("identity", [NICKS, Identity.ACCOUNTS, Identity.CODES])
async def test_what_nobody_says_now_is_not_heard(identity: Identity) -> None:
    async with Fake() as fake, on(irc(fake.port, identity=identity)) as ear:
        await ear.is_up()
        fake.says(b":irc BATCH +1 chathistory #ops")
        fake.says(*NO_TALK.values())
        fake.says(b":irc BATCH -1")
        fake.says(b":tocsin!t@h NICK other", b":other!t@h PRIVMSG #ops :!ack all")
        fake.says(b":irc 311 other alice a h * :Alice", b":irc 318 other alice :End")
        fake.says(b":alice!a@h PRIVMSG #ops :that was all")
        if identity is Identity.ACCOUNTS:
            await fake.hears("WHOIS alice")
            fake.says(b":irc 311 other alice a h * :Alice", b":irc 318 other alice :End")
        await ear.hears("that was all")
        assert [line.text for line in ear.lines] == ["that was all"]
        # A bridge may say by these what we said elsewhere.
        repeats = ["a notice", "a bot", "a bot with a value"]
        assert [line.text for line in ear.notices] == ["!ack all" for _ in repeats]
        assert not any(line.place.private for line in ear.notices)


async def test_lines_that_are_pasted_are_lines_each_for_itself(ngircd: Ngircd) -> None:
    texts = ["> !ack k7f3", "it said:", "!ack k7f3", "  !ack abcd", "`!ack efgh`", "!alerts"]
    async with people("alice") as [alice], on(irc(ngircd.port, identity=NICKS)) as ear:
        await asyncio.gather(ear.is_up(), come(alice, ngircd, "", ROOM))
        alice.send("\r\n".join(f"PRIVMSG {ROOM} :{text}" for text in texts))
        await ear.hears(texts[-1])
        assert [line.text for line in ear.lines] == texts
        assert len({line.id for line in ear.lines}) == len(texts)


# ── Bots ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_bot_is_known_by_whois_where_lines_carry_no_tags(
    inspircd: Inspircd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever it says that it is: here it is logged in to bob's account, and bob is one of the people."""
    monkeypatch.setattr(login, "WANTED", frozenset({"extended-join", "account-notify"}))
    async with people("robot", "alice") as [robot, alice], on(irc(inspircd.port)) as ear:
        await asyncio.gather(
            ear.is_up(), come(robot, inspircd, "bob", ROOM), come(alice, inspircd, "alice", ROOM)
        )
        robot.send("MODE robot +B")
        await robot.says(ROOM, "!ack k7f3")
        await robot.says("tocsin", "!ack k7f3")
        await alice.says(ROOM, "!ack k7f3")
        await ear.hears("!ack k7f3")  # so that the server was asked about the bot's as well
        robot.send("MODE robot -B")
        await robot.says(ROOM, "I am none any more")
        await ear.hears("I am none any more")
        assert [(line.account, line.text) for line in ear.lines] == [
            ("alice", "!ack k7f3"),
            ("bob", "I am none any more"),
        ]


class Tells(Fake):
    """Says of everybody that they are alice, and a number that some servers give to bots."""

    def __init__(self, features: bytes) -> None:
        super().__init__()
        self.features = features

    def _answers(self, line: str) -> Sequence[bytes]:
        if line.startswith("WHOIS"):
            nick = line.split()[1].encode()
            return [
                b":irc 311 tocsin %b a h * :Alice" % nick,
                b":irc 330 tocsin %b alice :is logged in as" % nick,
                b":irc 335 tocsin %b :something" % nick,
                b":irc 318 tocsin %b :End" % nick,
            ]
        return [*super()._answers(line), *([self.features] if line.startswith("USER") else [])]


@pytest.mark.parametrize(
    ("features", "heard"),
    [
        (b":irc 005 tocsin BOT=B :are supported", []),
        (b":irc 005 tocsin WALLCHOPS :are supported", ["!ack k7f3"]),
    ],
)
async def test_a_number_means_a_bot_only_where_the_server_says_that_it_knows_bots(
    features: bytes, heard: list[str]
) -> None:
    """Elsewhere it may be said of people, who would never be heard."""
    async with Tells(features) as fake, on(irc(fake.port)) as ear:
        await ear.is_up()
        fake.says(b":alice!a@h PRIVMSG #ops :!ack k7f3")
        await fake.hears("WHOIS")
        fake.says(b"PING 1")
        await fake.hears("PONG :1")
        fake.says(b":eve!e@elsewhere PRIVMSG #ops :hello")
        await ear.hears("hello")
        assert [line.text for line in ear.lines] == [*heard, "hello"]


# ── What a server repeats ───────────────────────────────────────────────────────────────────────────────────


async def test_the_history_that_a_server_shows_to_who_comes_is_not_heard(tmp_path: Path) -> None:
    prepared = Inspircd(tmp_path / "ircd")
    with (prepared.folder / "inspircd.conf").open("a") as settings:
        settings.write('<module name="chanhistory">\n<module name="ircv3_servertime">\n')
    with running(prepared) as ircd:
        async with people("alice", "watcher") as [alice, watcher]:
            await come(alice, ircd, "", ROOM)
            alice.send(f"MODE {ROOM} +H 10:1h")
            await alice.says(ROOM, "!ack all")
            await come(watcher, ircd, "", ROOM)
            await watcher.sees("!ack all")  # so history is shown
            async with on(irc(ircd.port, identity=NICKS)) as ear:
                await ear.is_up()
                await alice.says(ROOM, "now")
                await ear.hears("now")
                assert [line.text for line in ear.lines] == ["now"]
