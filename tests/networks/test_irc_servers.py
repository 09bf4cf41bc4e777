"""What IRC servers refuse, cut, slow down and tell: nothing of that may lose a page, or be taken for one."""

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import product
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import pytest

from tocsin.config.values import SecretSource
from tocsin.domain.message import Message, Place
from tocsin.domain.oncall import Identity
from tocsin.networks.base import Rank
from tocsin.networks.irc import network as network_module
from tocsin.networks.irc import rooms, whereabouts

from tests.networks.contract import EARLIER, PAGE
from tests.networks.ears import on
from tests.networks.irc_peers import DB, OPS, OTHER_ROOM, ROOM, come, got, irc, misses, private, refuses
from tests.processes import Process, started
from tests.servers.irc_user import User, people
from tests.servers.ircd import OPER, Inspircd, Ircd, Ngircd
from tests.servers.programs import HOST, running

NICKS = Identity.NICKS
PAGED = [PAGE.first_line()]


@pytest.fixture
def ircd(request: pytest.FixtureRequest) -> Ircd:
    """One of those that tests share; the test is run on both."""
    found: Ircd = request.getfixturevalue(request.param)
    return found


shared = pytest.mark.parametrize("ircd", ["ngircd", "inspircd"], indirect=True)


@pytest.fixture
def never_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What keeps us out of a room does so until somebody changes that."""
    monkeypatch.setattr(rooms, "FIRST_PAUSE", 1000.0)
    monkeypatch.setattr(rooms, "LONGEST_PAUSE", 1000.0)


# ── What is refused ─────────────────────────────────────────────────────────────────────────────────────────


@shared
async def test_a_page_to_a_nick_that_nobody_has_fails_at_once(ircd: Ircd) -> None:
    network = irc(ircd.port, identity=NICKS)
    async with people("bob") as [bob], on(network) as ear:
        await asyncio.gather(ear.is_up(), come(bob, ircd, "", ROOM))
        missed, passes = await asyncio.gather(
            misses(network, "alice"),
            network.send(private("bob"), PAGE, "a page", tried=None, rank=Rank.PAGE),
        )
        assert str(missed).startswith("alice can't be reached: No such nick")
        assert passes
        assert await got(bob) == PAGED


async def test_a_page_to_somebody_who_lets_nobody_in_fails_at_once(
    inspircd: Inspircd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whereabouts, "LOOK_AGAIN", 0)
    network = irc(inspircd.port)
    async with people("alice") as [alice], on(network) as ear:
        await asyncio.gather(ear.is_up(), come(alice, inspircd, "alice"))
        for times, (mode, number) in enumerate([("g", "716"), ("R", "477"), ("c", "531")]):
            alice.send(f"MODE alice +{mode}")
            await alice.sync()
            assert f"({number})" in str(await misses(network, "alice"))
            assert await got(alice) == PAGED * times
            alice.send(f"MODE alice -{mode}")
            await alice.sync()
            assert await network.send(private("alice"), PAGE, "a page", tried=None, rank=Rank.PAGE)
            assert await got(alice) == PAGED * (times + 1)


@shared
async def test_a_room_in_which_we_may_not_speak_is_tried_again(ircd: Ircd) -> None:
    network = irc(ircd.port, identity=NICKS)
    async with people("alice") as [alice]:
        await come(alice, ircd, "", ROOM)
        async with on(network) as ear:
            await ear.is_up()
            for times, mode in enumerate(["m", "b tocsin!*@*"]):
                alice.send(f"MODE {ROOM} +{mode}")
                await alice.sync()
                error = await refuses(network, OPS)
                assert (error.permanent, error.absent, error.unsent) == (False, False, True)
                assert "(404)" in str(error)
                assert await got(alice, ROOM) == PAGED * times
                alice.send(f"MODE {ROOM} -{mode}")
                await alice.sync()
                assert await network.send(OPS, PAGE, "a page", tried=None, rank=Rank.PAGE)
                assert await got(alice, ROOM) == PAGED * (times + 1)


@shared
async def test_kicked_it_says_so_once_and_comes_back(ircd: Ircd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "FIRST_PAUSE", 0.1)
    monkeypatch.setattr(network_module, "ROOMS_EVERY", 0.05)
    network = irc(ircd.port, identity=NICKS)
    async with people("alice") as [alice]:
        await come(alice, ircd, "", ROOM)
        async with on(network) as ear:
            await ear.is_up()
            alice.send(f"MODE {ROOM} +i")  # so that it can't come back at once
            alice.send(f"KICK {ROOM} tocsin :\x02be quiet\x02")
            await ear.knows(lambda: len(ear.told) >= 2)
            error = await refuses(network, OPS)
            assert (error.permanent, error.absent, error.unsent) == (False, False, True)
            assert str(error).startswith(f"not in {ROOM}: ")
            assert await network.send(DB, PAGE, "elsewhere", tried=None, rank=Rank.PAGE)
            alice.send(f"MODE {ROOM} -i")
            await ear.is_up_for(2)
            assert await network.send(OPS, PAGE, "a page", tried=None, rank=Rank.PAGE)
            assert await got(alice, ROOM) == PAGED
            assert ear.told == [
                f"I am not in {ROOM} on irc: alice kicked us (be quiet)",
                f"I am not in {ROOM} on irc: it lets in only who is invited",
            ]
            assert ear.downs == []


SHUT = {
    "i": "it lets in only who is invited",
    "k right": "its key is wrong or missing: networks.NAME.keys",
    "b tocsin!*@*": "we are banned there",
    "l 1": "it is full",
}


@shared
@pytest.mark.usefixtures("never_soon")
async def test_rooms_that_are_shut_are_told_and_an_invitation_opens_them(ircd: Ircd) -> None:
    names = {f"#{mode[0]}": mode for mode in SHUT}
    network = irc(ircd.port, identity=NICKS, rooms=[*names])
    async with people("alice") as [alice]:
        await come(alice, ircd, "", ROOM, *names)
        for name, mode in names.items():
            alice.send(f"MODE {name} +{mode}")
        await alice.sync()
        async with on(network) as ear:
            await ear.is_up()
            whys = {name: SHUT[mode] for name, mode in names.items()}
            assert sorted(ear.told) == [f"I am not in {name} on irc: {whys[name]}" for name in sorted(names)]
            assert await network.send(OPS, PAGE, "elsewhere", tried=None, rank=Rank.PAGE)
            for times, (name, mode) in enumerate(names.items(), 2):
                error = await refuses(network, Place("irc", name))
                assert (error.permanent, error.absent, error.unsent) == (False, False, True)
                assert str(error) == f"not in {name}: {whys[name]}"

                alice.send(f"MODE {name} -{mode}")
                alice.send(f"MODE {name} +i")
                alice.send(f"INVITE tocsin {name}")
                await ear.is_up_for(times)
                assert await network.send(Place("irc", name), PAGE, "a page", tried=None, rank=Rank.PAGE)
                assert await got(alice, name) == PAGED


async def test_a_key_opens_its_room(ngircd: Ngircd, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_text("right\n")
    network = irc(ngircd.port, identity=NICKS, keys={OTHER_ROOM.upper(): SecretSource(file=path)})
    async with people("alice") as [alice]:
        await come(alice, ngircd, "", OTHER_ROOM)
        alice.send(f"MODE {OTHER_ROOM} +k right")
        await alice.sync()
        async with on(network) as ear:
            await ear.is_up()
            assert await network.send(DB, PAGE, "a page", tried=None, rank=Rank.PAGE)
            assert await got(alice, OTHER_ROOM) == PAGED
            assert ear.told == []


async def test_a_key_that_is_of_no_use_is_told_but_not_shown(ngircd: Ngircd, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_text("right wrong\n")
    keys = {"#a": SecretSource(file=tmp_path / "none"), "#b": SecretSource(file=path)}
    network = irc(ngircd.port, identity=NICKS, rooms=["#a", "#b"], keys=keys)
    async with on(network) as ear:
        await ear.is_up()
        assert len(ear.told) == 2
        assert f"I am not in #a on irc: {tmp_path / 'none'}: no such file" in ear.told[0]
        assert ear.told[1].startswith("I am not in #b on irc: ")
        assert "right" not in ear.told[1]
        assert await network.send(OPS, PAGE, "elsewhere", tried=None, rank=Rank.PAGE)
        assert ear.downs == []


async def test_who_kicks_it_again_and_again_sees_it_less_and_less_often(
    ngircd: Ngircd, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    stay_out = rooms.Room.stay_out

    def stays_out(room: rooms.Room, why: str, now: float) -> bool:
        news = stay_out(room, why, now)
        pauses.append(room.at - now)
        room.at = now
        return news

    monkeypatch.setattr(rooms.Room, "stay_out", stays_out)
    network = irc(ngircd.port, identity=NICKS)
    async with people("alice") as [alice]:
        await come(alice, ngircd, "", ROOM)
        async with on(network) as ear:
            for times in range(1, 8):
                await alice.sees(lambda line: (line.command, line.nick) == ("JOIN", "tocsin"), times=times)
                alice.send(f"KICK {ROOM} tocsin :go away")
            await ear.knows(lambda: len(pauses) == 7)
            assert pauses == pytest.approx([2, 4, 8, 16, 32, 60, 60])
            assert ear.told == [f"I am not in {ROOM} on irc: alice kicked us (go away)"]


async def test_it_goes_nowhere_else_whoever_sends_it(tmp_path: Path) -> None:
    prepared = Inspircd(tmp_path / "ircd")
    with (prepared.folder / "inspircd.conf").open("a") as settings:
        settings.write('<module name="sajoin">\n')
    network = irc(prepared.port, identity=NICKS)
    with running(prepared) as ircd:
        async with people("bob", "alice") as [root, alice], on(network) as ear:
            await asyncio.gather(
                ear.is_up(), come(root, ircd, "", "#elsewhere"), come(alice, ircd, "", ROOM, "#elsewhere")
            )
            alice.send("INVITE tocsin #elsewhere")
            root.send(OPER)
            root.send("SAJOIN tocsin #elsewhere")
            await alice.sees(lambda line: (line.command, line.nick) == ("PART", "tocsin"))
            await root.says("#elsewhere", "!ack k7f3")
            await alice.says(ROOM, "what was that?")
            [line] = await ear.hears("what was that?")
            assert ear.lines == [line]
            assert not network.reaches("bob")  # whom it saw there, and sees no more
            error = await refuses(network, Place("irc", "#elsewhere"))
            assert (error.permanent, error.absent, error.unsent) == (True, False, True)


# ── What is cut, and what is slowed down ────────────────────────────────────────────────────────────────────

LONG = ["x", "ж", "🔥", "disk full "]


@shared
async def test_nothing_of_a_long_page_is_cut_by_the_server(ircd: Ircd) -> None:
    longest_nick, longest_room = (9, 50) if isinstance(ircd, Ngircd) else (30, 64)
    nick, room = "t" * longest_nick, "#" + "r" * (longest_room - 1)
    network = irc(ircd.port, identity=NICKS, nick=nick, rooms=[room])
    async with people("alice") as [alice], on(network) as ear:
        await asyncio.gather(ear.is_up(), come(alice, ircd, "", room))
        for text, again, place in product(LONG, (False, True), (Place("irc", room), private("alice"))):
            message = Message(text * 10_000, subject="k7f3", command="!ack k7f3", lines=(text * 10_000,))
            seen = len(alice.lines)
            assert await network.send(
                place, message, "a page", tried=EARLIER if again else None, rank=Rank.PAGE
            )
            await alice.sync()
            [first, second] = [line for line in alice.lines[seen:] if line.command == "PRIVMSG"]
            assert first.params[-1].startswith("(again) k7f3 " if again else "k7f3 ")
            assert first.params[-1].endswith("… · !ack k7f3")
            assert second.params[-1].endswith("…")
            for line in (first, second):
                assert line.raw.decode() == line.text  # no character was cut in two
                assert 350 < len(line.raw) <= 510


async def test_nothing_is_cut_however_long_the_server_calls_us(tmp_path: Path) -> None:
    prepared = Inspircd(tmp_path / "ircd")
    with (prepared.folder / "inspircd.conf").open("a") as settings:
        settings.write('<module name="chgident">\n')
    nick, room = "t" * 30, "#" + "r" * 63
    network = irc(prepared.port, identity=NICKS, nick=nick, rooms=[room])
    with running(prepared) as ircd:
        async with people("root") as [root], on(network) as ear:
            await asyncio.gather(ear.is_up(), come(root, ircd, "", room))
            root.send(OPER)
            root.send(f"CHGIDENT {nick} {'u' * 10}")
            root.send(f"CHGHOST {nick} {'h' * 64}")
            await root.sync()
            page = Message("x" * 1000, subject="k7f3", command="!ack k7f3")
            assert await network.send(Place("irc", room), page, "a page", tried=None, rank=Rank.PAGE)
            [line] = await root.sees("PRIVMSG")
            assert line.source == f"{nick}!{'u' * 10}@{'h' * 64}"
            assert line.params[-1].endswith("… · !ack k7f3")
            assert 500 < len(line.raw) <= 510


@shared
async def test_no_line_begins_like_a_command_of_another_bot(ircd: Ircd) -> None:
    signs = tuple("!./@?$%&~;:-+=*\\")
    texts = [f"{sign}ack all" for sign in signs]
    network = irc(ircd.port, identity=NICKS)
    async with people("alice") as [alice], on(network) as ear:
        await asyncio.gather(ear.is_up(), come(alice, ircd, "", ROOM))
        assert await network.send(
            OPS, Message(texts[0], lines=(*texts, "plain")), "a page", tried=None, rank=Rank.PAGE
        )
        lines = await got(alice, ROOM)
        assert len(lines) == len(texts) + 2
        assert lines[-1] == "plain"
        for text, line in zip([texts[0], *texts], lines, strict=False):
            assert line.endswith(f" {text}")
            assert not line.startswith(signs)


async def test_at_its_own_pace_no_server_slows_it_down_or_throws_it_out(tmp_path: Path) -> None:
    texts = [f"message {number}" for number in range(6)]

    async def talks(ircd: Ircd) -> None:
        network = irc(ircd.port, identity=NICKS, pace=timedelta(seconds=1))
        async with people("alice") as [alice], on(network) as ear:
            await asyncio.gather(ear.is_up(), come(alice, ircd, "", ROOM))

            async def says(place: Place) -> None:
                for text in texts:
                    assert await network.send(place, Message(text), text, tried=None, rank=Rank.PAGE)

            await asyncio.gather(says(OPS), says(private("alice")))
            assert await got(alice, ROOM) == texts
            assert await got(alice) == texts
            assert ear.downs == []

    strict = Inspircd(tmp_path / "strict", flood_limit=True)
    settings = strict.folder / "inspircd.conf"
    settings.write_text(settings.read_text().replace('fakelag="yes"', 'fakelag="no"'))  # it throws them out
    with (
        running(Ngircd(tmp_path / "ngircd", flood_limit=True)) as ngircd,
        running(Inspircd(tmp_path / "inspircd", flood_limit=True)) as inspircd,
        running(strict),
    ):
        await asyncio.gather(talks(ngircd), talks(inspircd), talks(strict))


# ── A daemon ────────────────────────────────────────────────────────────────────────────────────────────────

CONFIG = """\
web.listen = "127.0.0.1:0"
[networks.irc]
server = "{host}:{port}"
tls = false
room = "#ops"
identity = "{identity}"
pace = "0s"
[receivers.prod]
token.file = "prod.token"
[people.alice]
accounts.irc = "alice"
[plugins.alertmanager]
[plugins.escalation]
default = "ops"
[plugins.escalation.policies.ops]
steps = [{{ page = "alice" }}]
"""

FIRING = {
    "version": "4",
    "groupKey": '{}:{alertname="DiskFull"}',
    "status": "firing",
    "receiver": "tocsin",
    "truncatedAlerts": 0,
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "DiskFull", "severity": "critical", "instance": "db1"},
            "annotations": {"summary": "97 % of / used"},
            "startsAt": "2026-01-01T00:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "fingerprint": "1",
        }
    ],
}


@contextmanager
def daemon(write_config: Callable[..., Path], ircd: Ircd, identity: Identity) -> Iterator[Process]:
    config = CONFIG.format(host=HOST, port=ircd.port, identity=identity)
    with started(write_config(config)) as process:
        yield process


async def told(user: User, text: str, room: str = ROOM) -> str:
    """Wait until Tocsin says something in a room, or to somebody; all of that line."""
    [line, *_] = await user.sees(
        lambda line: (
            (line.command, line.nick, line.params[0]) == ("PRIVMSG", "tocsin", room)
            and text in line.params[-1]
        )
    )
    return line.params[-1]


async def test_a_daemon_pages_on_irc_hears_the_answer_and_says_when_it_was_away(
    write_config: Callable[..., Path], tmp_path: Path
) -> None:
    with running(Ngircd(tmp_path / "ngircd")) as ircd:
        async with people("alice") as [alice]:
            await come(alice, ircd, "", ROOM)
            with daemon(write_config, ircd, NICKS) as process:
                assert process.post("alertmanager/prod", FIRING) == 202
                page = await told(alice, "DiskFull db1", "alice")
                subject = page.split()[0]
                assert page == f"{subject} critical DiskFull db1: 97 % of / used · !ack {subject}"
                await told(alice, f"{subject} paging alice: critical DiskFull")

                process.popen.send_signal(SIGSTOP)  # so that alice is back before it is
                ircd.ends()
                await alice.ended()
                ircd.start()
                await come(alice, ircd, "", ROOM)
                await alice.says(ROOM, f"!ack {subject}")
                process.popen.send_signal(SIGCONT)
                away = await told(alice, "I was away")
                assert re.fullmatch(
                    rf"I was away \d\d:\d\d\u2013\d\d:\d\d UTC and heard nothing; {subject} still rings · !ack {subject}",
                    away,
                )
                await alice.says(ROOM, f"!ack {subject}")
                await told(alice, f"{subject} acknowledged by alice, paging stops: critical DiskFull")


async def test_who_poses_as_somebody_is_refused_and_the_room_sees_it(
    inspircd: Inspircd, write_config: Callable[..., Path]
) -> None:
    async with people("alice", "al", "bob") as [stranger, alice, bob]:
        await asyncio.gather(come(stranger, inspircd, "", ROOM), come(bob, inspircd, "bob", ROOM))
        with daemon(write_config, inspircd, Identity.ACCOUNTS) as process:
            assert process.post("alertmanager/prod", FIRING) == 202
            subject = (await told(bob, "paging alice")).split()[0]
            await told(bob, "alice is nowhere online")
            await stranger.says(ROOM, f"!ack {subject}")
            await told(bob, "I don't know you here, so !ack is not for you")
            assert await got(stranger) == []

            await come(alice, inspircd, "alice", ROOM)  # and is paged as soon as she comes
            assert f"!ack {subject}" in await told(alice, "DiskFull db1", "al")
            await alice.says(ROOM, f"!ack {subject}")
            await told(bob, f"{subject} acknowledged by alice, paging stops: critical DiskFull")
            assert sum("acknowledged" in text for text in await got(bob, ROOM)) == 1
