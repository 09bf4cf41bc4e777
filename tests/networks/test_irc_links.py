"""The way into an IRC server, what ends it, and the way back."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tocsin.config.values import SecretSource
from tocsin.domain.message import Message
from tocsin.domain.oncall import Identity
from tocsin.domain.pace import Pace
from tocsin.networks.base import Rank
from tocsin.networks.irc import link
from tocsin.networks.irc import network as network_module
from tocsin.networks.irc.settings import Detail, Sasl

from tests.networks.contract import PAGE
from tests.networks.ears import on
from tests.networks.irc_peers import DB, OPS, PASSWORD, ROOM, Fake, come, got, irc, misses, private, refuses
from tests.servers.certificates import Certificates
from tests.servers.irc_user import people
from tests.servers.ircd import OPER, Inspircd, Ircd, Ngircd
from tests.servers.programs import HOST, running

Make = Callable[..., Ircd]
Settings = dict[str, Any]

SILENT = "127.0.0.2"

on_both = pytest.mark.parametrize("make", [Ngircd, Inspircd])

NICKS = Identity.NICKS


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that did not last is no reason to wait: in tests none does."""
    monkeypatch.setattr(network_module, "SHORT_LIFE", 0)


class Pauses:
    """Waits shorter than it is told to. asked: the shortest of the pauses that were to be made."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    def __call__(self, low: float, high: float) -> float:
        assert low <= high
        self.asked.append(low)
        return min(low, 0.01)


@pytest.fixture
def secret(tmp_path: Path) -> Callable[[str], SecretSource]:
    """Keeps a secret in a file."""
    path = tmp_path / "secret"

    def keep(text: str) -> SecretSource:
        path.touch(mode=0o600)
        path.write_text(text)
        return SecretSource(file=path)

    return keep


# ── Links that are lost ─────────────────────────────────────────────────────────────────────────────────────


@on_both
async def test_it_comes_back_to_a_server_that_was_killed(make: Make, tmp_path: Path) -> None:
    with running(make(tmp_path / "ircd")) as ircd:
        network = irc(ircd.port, identity=NICKS)
        async with people("alice") as [alice], on(network) as ear:
            await asyncio.gather(ear.is_up(), come(alice, ircd, "", ROOM))
            ircd.ends()
            await ear.knows(lambda: ear.downs)
            assert "the server closed the link" in ear.downs[0] or "the link was lost" in ear.downs[0]
            error = await refuses(network, OPS)
            assert (error.permanent, error.absent, error.unsent) == (False, False, True)
            assert not network.reaches("alice")
            await alice.ended()

            ircd.start()
            await asyncio.gather(ear.is_up(), come(alice, ircd, "", ROOM))
            assert ear.ups == 2
            for place in (OPS, DB, private("alice")):
                assert await network.send(place, PAGE, "a page", tried=None, rank=Rank.PAGE)
            assert await got(alice) == [PAGE.first_line()]
            await alice.says(ROOM, "welcome")
            await ear.hears("welcome")


class Brake(Pace):
    """Once it is on, one line may go out and no more."""

    left: int | None = None

    def wait(self, amount: int = 1) -> float:  # noqa: ARG002 (it knows no more)
        if Brake.left is None:
            return 0
        Brake.left -= 1
        return 0 if Brake.left >= 0 else 0.02


@on_both
async def test_a_server_that_stands_still_is_noticed_and_what_it_may_have_is_known(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "LOOK_EVERY", 0.05)
    monkeypatch.setattr(link, "ANSWER_WITHIN", 1.0)
    monkeypatch.setattr(network_module, "Pace", Brake)
    monkeypatch.setattr(Brake, "left", None)
    with running(make(tmp_path / "ircd")) as ircd:
        network = irc(ircd.port, identity=NICKS, detail={ROOM: Detail.FULL})
        async with people("alice") as [alice], on(network) as ear:
            await asyncio.gather(ear.is_up(), come(alice, ircd, "", ROOM))
            ircd.freezes()
            monkeypatch.setattr(Brake, "left", 1)
            begun, waiting = await asyncio.gather(refuses(network, OPS), refuses(network, private("alice")))
            assert (begun.permanent, begun.unsent) == (False, False)
            assert (waiting.permanent, waiting.unsent) == (False, True)
            assert "said nothing for 1 s" in str(begun)
            await ear.knows(lambda: ear.downs)
            assert "said nothing for 1 s" in ear.downs[0]

            monkeypatch.setattr(Brake, "left", None)
            monkeypatch.setattr(link, "ANSWER_WITHIN", 10.0)
            ircd.thaws()
            await ear.is_up()
            assert await network.send(private("alice"), Message("now"), "a page", tried=None, rank=Rank.PAGE)
            assert await got(alice) == ["now"]


async def test_a_link_on_which_nothing_is_said_is_looked_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "LOOK_EVERY", 0.05)
    monkeypatch.setattr(link, "ASK_AFTER", 0.2)
    monkeypatch.setattr(link, "QUIET", 1.0)
    with running(Ngircd(tmp_path / "ircd")) as ircd:
        async with on(irc(ircd.port, identity=NICKS)) as ear:
            await ear.is_up()
            ircd.freezes()
            await ear.knows(lambda: ear.downs)
            assert ear.downs[0] == "the server said nothing for 1 s"
            ircd.thaws()
            await ear.is_up()


async def test_a_quiet_link_that_answers_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "LOOK_EVERY", 0.02)
    monkeypatch.setattr(link, "ASK_AFTER", 0.4)
    monkeypatch.setattr(link, "QUIET", 1.5)
    async with Fake() as fake, on(irc(fake.port, identity=NICKS)) as ear:
        await ear.is_up()
        await fake.hears("PING :alive", times=5)
        assert (fake.links, ear.downs) == (1, [])


async def test_a_server_that_never_answers_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "CONNECT_WITHIN", 0.5)
    async with Fake(silent=True) as fake, on(irc(fake.port, identity=NICKS)) as ear:
        await ear.knows(lambda: len(ear.downs) >= 2)
        assert ear.downs[0] == f"no answer from {HOST}:{fake.port}"
        assert fake.links >= 2
        fake.silent = False
        await ear.is_up()


async def test_who_was_turned_away_again_and_again_asks_once_a_minute(
    ngircd: Ngircd, secret: Callable[[str], SecretSource]
) -> None:
    pauses = Pauses()
    sasl = Sasl(account="tocsin", password=secret("of no use here"))
    async with on(irc(ngircd.port, sasl=sasl, jitter=pauses)) as ear:
        await ear.knows(lambda: len(ear.downs) >= 9)
        assert pauses.asked[:8] == [1, 2, 4, 8, 16, 30, 30, 30]  # of a pause's two bounds the shorter


async def test_an_address_at_which_nobody_answers_is_passed_over(
    ngircd: Ngircd, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def addresses(host: str, port: int, **_: object) -> list[object]:
        assert host == "irc.example.org"
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (each, port)) for each in (SILENT, HOST)]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", addresses)
    with ExitStack() as stack:
        silent = stack.enter_context(socket.socket())
        silent.bind((SILENT, ngircd.port))
        silent.listen(0)
        for _ in range(3):  # more than it will keep: who comes then gets no answer
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex((SILENT, ngircd.port))
        async with on(irc(ngircd.port, host="irc.example.org", identity=NICKS)) as ear:
            await ear.is_up()
            assert ear.downs == []


# ── Being let in ────────────────────────────────────────────────────────────────────────────────────────────


@on_both
async def test_a_nick_that_is_taken_comes_back_when_it_is_free(
    make: Make, request: pytest.FixtureRequest
) -> None:
    ircd: Ircd = request.getfixturevalue(make.__name__.lower())
    network = irc(ircd.port, identity=NICKS)
    async with people("tocsin", "alice") as [holder, alice]:
        await asyncio.gather(come(holder, ircd, "", ROOM), come(alice, ircd, "", ROOM))
        async with on(network) as ear:
            await ear.is_up()
            assert await network.send(OPS, PAGE, "one", tried=None, rank=Rank.PAGE)
            await alice.sync()
            assert alice.said_by("tocsin_", ROOM) == [PAGE.first_line()]
            await alice.says("tocsin_", "I see you")
            [line] = await ear.hears("I see you")
            assert line.place == private("alice")

            holder.send("NICK holder")  # whom we share a room with: seen at once
            await alice.sees(lambda line: (line.command, line.nick) == ("NICK", "tocsin_"))
            assert await network.send(OPS, PAGE, "two", tried=None, rank=Rank.PAGE)
            assert await got(alice, ROOM) == [PAGE.first_line()]
            await alice.says("tocsin", "I see you again")
            [line] = await ear.hears("I see you again")
            assert line.place == private("alice")
            assert ear.downs == []


async def test_a_nick_is_asked_for_again_and_again(ngircd: Ngircd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_module, "NICK_EVERY", 0.1)
    monkeypatch.setattr(network_module, "ROOMS_EVERY", 0.05)
    async with people("tocsin", "alice") as [holder, alice]:
        await asyncio.gather(come(holder, ngircd), come(alice, ngircd, "", ROOM))
        async with on(irc(ngircd.port, identity=NICKS)) as ear:
            await ear.is_up()
            await holder.close()
            await alice.sees(lambda line: (line.command, line.nick) == ("NICK", "tocsin_"))


async def test_without_any_nick_of_ours_one_is_invented(ngircd: Ngircd) -> None:
    async with people("tocsin", "tocsin_", "alice") as [first, second, alice]:
        await asyncio.gather(*(come(user, ngircd, "", ROOM) for user in (first, second, alice)))
        network = irc(ngircd.port, identity=NICKS)
        async with on(network) as ear:
            await ear.is_up()
            assert await network.send(OPS, PAGE, "a page", tried=None, rank=Rank.PAGE)
            [said] = await alice.sees(f"PRIVMSG {ROOM} :k7f3")
            assert said.nick.startswith("tocsi")  # with its four digits no longer than ngIRCd allows
            assert said.nick not in {first.nick, second.nick}


@on_both
async def test_a_wrong_password_is_told_and_not_tried_again_soon(
    make: Make, tmp_path: Path, secret: Callable[[str], SecretSource]
) -> None:
    pauses = Pauses()
    with running(make(tmp_path / "ircd", password="open")) as ircd:
        network = irc(ircd.port, identity=NICKS, password=secret("shut"), jitter=pauses)
        async with on(network) as ear:
            await ear.knows(lambda: len(ear.downs) >= 3)
            assert "password" in ear.downs[0] or "Access denied" in ear.downs[0]
            assert pauses.asked[:2] == [1, 2]
            error = await refuses(network, OPS)
            assert (error.permanent, error.absent, error.unsent) == (False, False, True)
            assert ear.downs[-1] in str(error)

            secret("open")
            await ear.is_up()
            assert await network.send(OPS, PAGE, "a page", tried=None, rank=Rank.PAGE)


@on_both
async def test_a_server_that_cannot_show_who_it_is_is_not_talked_to(
    make: Make, certificates: Certificates, tmp_path: Path
) -> None:
    with (
        running(make(tmp_path / "good", tls=certificates.server)) as good,
        running(make(tmp_path / "bad", tls=certificates.wrong_host)) as bad,
    ):
        trusted: Settings = {"tls": True, "tls_ca": certificates.authority, "identity": NICKS}
        untrusted: Settings = {"tls": True, "identity": NICKS}
        for server, settings, why in (
            (bad, trusted, "Hostname mismatch"),
            (good, untrusted, "unable to get local issuer certificate"),
        ):
            pauses = Pauses()
            async with on(irc(server.tls_port, jitter=pauses, **settings)) as ear:
                await ear.knows(lambda: len(ear.downs) >= 2)
                assert ear.downs[0].startswith("the server's certificate can't be trusted: ")
                assert why in ear.downs[0]
                assert pauses.asked[0] == 1
                assert ear.ups == 0
        async with on(network := irc(good.tls_port, **trusted)) as ear:
            await ear.is_up()
            assert await network.send(OPS, PAGE, "a page", tried=None, rank=Rank.PAGE)


@pytest.mark.parametrize("by", ["password", "certificate"])
async def test_it_logs_in_to_its_account(
    inspircd: Inspircd, certificates: Certificates, secret: Callable[[str], SecretSource], by: str
) -> None:
    tls = {"tls": True, "tls_ca": certificates.authority, "certificate": certificates.client("tocsin")}
    how: dict[str, tuple[int, Settings]] = {
        "password": (inspircd.port, {"sasl": Sasl(account="tocsin", password=secret(PASSWORD))}),
        "certificate": (inspircd.tls_port, {"sasl": Sasl(), **tls}),
    }
    port, settings = how[by]
    async with people("alice") as [alice], on(irc(port, **settings)) as ear:
        await asyncio.gather(ear.is_up(), come(alice, inspircd))
        alice.send("WHOIS tocsin")
        [whois] = await alice.sees(lambda line: line.command == "330")
        assert whois.params[1:3] == ("tocsin", "tocsin")


@pytest.mark.parametrize("by", ["wrong password", "strange certificate", "no services"])
async def test_without_its_account_it_stays_out(
    request: pytest.FixtureRequest,
    certificates: Certificates,
    secret: Callable[[str], SecretSource],
    by: str,
) -> None:
    ircd: Ircd = request.getfixturevalue("ngircd" if by == "no services" else "inspircd")
    plain: Settings = {"sasl": Sasl(account="tocsin", password=secret("wrong"))}
    tls: Settings = {
        "tls": True,
        "tls_ca": certificates.authority,
        "certificate": certificates.client("mallory"),
    }
    port, settings, why = {
        "wrong password": (ircd.port, plain, "the login to our account failed"),
        "strange certificate": (ircd.tls_port, {"sasl": Sasl(), **tls}, "the login to our account failed"),
        "no services": (ircd.port, plain, "the server offers no login by SASL PLAIN"),
    }[by]
    pauses = Pauses()
    async with people("alice") as [alice]:
        await come(alice, ircd, "", ROOM)
        async with on(irc(port, jitter=pauses, **settings)) as ear:
            await ear.knows(lambda: len(ear.downs) >= 2)
            assert why in ear.downs[0]
            assert pauses.asked[0] == 1
            await alice.sync()
            assert [line for line in alice.lines if line.nick.startswith("tocsin")] == []
            assert ear.ups == 0


@pytest.mark.parametrize("before", [0, 60, 240])
async def test_why_the_server_closed_the_link_is_told_however_much_stood_before_it(before: int) -> None:
    async with Fake() as fake, on(irc(fake.port, identity=NICKS)) as ear:
        await ear.is_up()
        chatter = [b":alice!a@h PRIVMSG #ops :x"] * before
        fake.says(*chatter, b"ERROR :Closing Link: you are banned")
        fake.hangs_up()
        await ear.knows(lambda: ear.downs)
        assert ear.downs[0] == "the server says: Closing Link: you are banned"


async def test_more_rooms_than_a_server_allows_keep_nobody_from_the_others(tmp_path: Path) -> None:
    many = [f"#team{number}" for number in range(18)]
    with running(Ngircd(tmp_path / "ngircd", flood_limit=True)) as ngircd:
        network = irc(ngircd.port, identity=NICKS, pace=timedelta(seconds=1), rooms=many)
        async with people("alice") as [alice], on(network) as ear:
            await asyncio.gather(ear.is_up(), come(alice, ngircd, "", ROOM))
            await network.send(OPS, PAGE, "a page", tried=None, rank=Rank.PAGE)
            assert await got(alice, ROOM) == [PAGE.first_line()]
            assert ear.downs == []
            assert "I am not in #team17 on irc: we are in too many channels" in ear.told


async def test_who_is_heard_after_the_link_was_lost_brings_nothing_up(inspircd: Inspircd) -> None:
    network = irc(inspircd.port, jitter=lambda *_: 60)
    async with people("bobby", "eve") as [bob, eve], on(network) as ear:
        await asyncio.gather(ear.is_up(), come(bob, inspircd, "bob"), come(eve, inspircd, "", ROOM))
        await misses(network, "bob")
        ear.gate.clear()
        await eve.says(ROOM, "hold on")
        await bob.says("tocsin", "I am here")
        await network.send(OPS, PAGE, "behind which all that was read", tried=None, rank=Rank.PAGE)
        eve.send(OPER)
        eve.send("KILL tocsin :for a test")
        await ear.knows(lambda: ear.downs)
        ear.gate.set()
        await ear.hears("I am here")
        assert ear.ups == 1


async def test_a_room_in_which_we_may_not_speak_is_told_once(ngircd: Ngircd) -> None:
    async with people("alice") as [alice]:
        await come(alice, ngircd, "", ROOM)
        network = irc(ngircd.port, identity=NICKS)
        async with on(network) as ear:
            await ear.is_up()
            alice.send(f"MODE {ROOM} +m")
            await alice.sync()
            for _ in range(2):
                error = await refuses(network, OPS)
                assert (error.unsent, error.absent, error.permanent) == (True, False, False)
            [told] = ear.told
            assert told.startswith(f"I can't speak in {ROOM} on irc: ")
