"""What tests of IRC stand on: the servers do what they are started for, and people see what happens."""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers.certificates import Certificates, fingerprint
from tests.servers.irc_user import EXTERNAL, Refused, parse, people
from tests.servers.ircd import OPER, Inspircd, Ircd, Ngircd
from tests.servers.programs import running

Make = Callable[..., Ircd]

on_both = pytest.mark.parametrize("make", [Ngircd, Inspircd])


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls") / "certificates")


@pytest.fixture(scope="module")
def inspircd(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Inspircd]:
    """One with all that it can, and accounts for alice and bob."""
    folder = tmp_path_factory.mktemp("irc") / "inspircd"
    with running(Inspircd(folder, tls=certificates.server, services=True)) as inspircd:
        inspircd.register("alice", "secret-a")
        inspircd.register("bob", "secret-b", fingerprint(certificates.client("bob")))
        yield inspircd


@on_both
async def test_a_server_that_was_killed_comes_again_on_its_port(make: Make, tmp_path: Path) -> None:
    with running(make(tmp_path / "ircd")) as ircd:
        async with people("alice") as [alice]:
            await alice.connect(ircd.port)
            ircd.ends()
            await alice.ended()
            with pytest.raises(ConnectionRefusedError):
                await alice.connect(ircd.port)
            ircd.start()
            await alice.connect(ircd.port)
            await alice.sync()


@on_both
async def test_who_has_not_the_password_does_not_come_in(make: Make, tmp_path: Path) -> None:
    with running(make(tmp_path / "ircd", password="open", flood_limit=True)) as ircd:
        async with people("alice", "bob", "eve") as [alice, bob, eve]:
            answers = await asyncio.gather(
                alice.connect(ircd.port, password="open"),
                bob.connect(ircd.port, password="shut"),
                eve.connect(ircd.port),
                return_exceptions=True,
            )
            assert [type(answer) for answer in answers] == [type(None), Refused, Refused]


@on_both
async def test_a_server_shows_its_certificate(make: Make, certificates: Certificates, tmp_path: Path) -> None:
    good = make(tmp_path / "good", tls=certificates.server)
    bad = make(tmp_path / "bad", tls=certificates.wrong_host)
    with running(good), running(bad):
        async with people("alice", "bob") as [alice, bob]:
            for port, tls in (
                (bad.tls_port, certificates.context()),
                (good.tls_port, ssl.create_default_context()),
            ):
                with pytest.raises(ssl.SSLCertVerificationError):
                    await bob.connect(port, tls=tls)
            await asyncio.gather(
                alice.connect(good.port), bob.connect(good.tls_port, tls=certificates.context())
            )
            await alice.says("bob", "hello")
            await bob.sync()
            assert bob.said_by("alice", "bob") == ["hello"]


@on_both
async def test_what_people_say_is_kept_as_it_came_and_in_order(make: Make, tmp_path: Path) -> None:
    with running(make(tmp_path / "ircd")) as ircd:
        async with people("alice", "bob") as [alice, bob]:
            await asyncio.gather(alice.connect(ircd.port), bob.connect(ircd.port))
            await alice.join("#ops")
            await bob.join("#ops")
            texts = [f"line {number}" for number in range(100)]
            for text in texts:
                alice.send(f"PRIVMSG #ops :{text}")
            alice.send(b"PRIVMSG #ops :caf\xe9")
            await alice.sync()
            await bob.sync()
            assert bob.said_by("alice", "#ops") == [*texts, "caf\\xe9"]
            assert bob.said_by("alice", "bob") == []
            [line] = await bob.sees("caf")
            assert line.raw.endswith(b"PRIVMSG #ops :caf\xe9")
            alice.send("MODE #ops +i")
            alice.send("KICK #ops bob")
            await alice.sync()
            with pytest.raises(Refused, match=" 473 "):
                await bob.join("#ops")


async def test_who_can_not_prove_an_account_does_not_get_it(
    inspircd: Inspircd, certificates: Certificates
) -> None:
    async with people("mallory") as [mallory]:
        tls = certificates.context(certificates.client("mallory"))
        for sasl in (("alice", "secret-b"), ("carol", "secret-a"), EXTERNAL):
            with pytest.raises(Refused, match=" 904 "):
                await mallory.connect(inspircd.tls_port, tls=tls, sasl=sasl)


async def test_messages_of_those_who_are_logged_in_tell_their_account(
    inspircd: Inspircd, certificates: Certificates
) -> None:
    nicks = ("tocsin", "al", "bobby", "alice", "eve")
    async with people(*nicks) as [tocsin, plain, external, nickserv, eve]:
        tls = certificates.context(certificates.client("bob"))
        await asyncio.gather(
            tocsin.connect(inspircd.port, caps=["account-tag"]),
            plain.connect(inspircd.port, sasl=("alice", "secret-a")),
            external.connect(inspircd.tls_port, tls=tls, sasl=EXTERNAL),
            nickserv.connect(inspircd.port),
            eve.connect(inspircd.port),
        )
        with pytest.raises(Refused, match="Invalid password"):
            await eve.login("bob", "secret-a")
        await nickserv.login("alice", "secret-a")
        for user in (plain, external, nickserv, eve):
            await user.says("tocsin", "here")
        await tocsin.sync()
        said = [line for line in tocsin.lines if line.command == "PRIVMSG"]
        assert [(line.nick, line.tags.get("account")) for line in said] == [
            ("al", "alice"),
            ("bobby", "bob"),
            ("alice", "alice"),
            ("eve", None),
        ]


async def test_an_answer_has_its_label(inspircd: Inspircd) -> None:
    async with people("tocsin", "alice") as [tocsin, alice]:
        caps = ["batch", "echo-message", "labeled-response", "message-tags", "server-time"]
        await asyncio.gather(tocsin.connect(inspircd.port, caps=caps), alice.connect(inspircd.port))
        alice.send("MODE alice +g")
        await alice.sync()
        tocsin.send("@label=nobody PRIVMSG nobody :hello")
        tocsin.send("@label=refused PRIVMSG alice :hello")
        await tocsin.sync()
        alice.send("MODE alice -g")
        await alice.sync()
        tocsin.send("@label=echo PRIVMSG alice :hello")
        await tocsin.sync()
        answers = {label: line for line in tocsin.lines if (label := line.tags.get("label"))}
        assert answers["nobody"].command == "401"
        assert answers["echo"].params == ("alice", "hello")
        assert answers["echo"].tags.keys() >= {"msgid", "time"}
        assert answers["refused"].command == "BATCH"
        await tocsin.sees(" 716 ")


async def test_accounts_outlive_a_server_that_is_killed(tmp_path: Path) -> None:
    with running(Inspircd(tmp_path / "ircd", services=True)) as ircd:
        ircd.register("alice", "secret-a")
        ircd.ends()
        ircd.start()
        async with people("alice") as [alice]:
            await alice.connect(ircd.port, sasl=("alice", "secret-a"))


async def test_a_network_splits_and_heals(tmp_path: Path) -> None:
    with (
        running(Inspircd(tmp_path / "hub", services=True)) as hub,
        running(Inspircd(tmp_path / "leaf", hub=hub)) as leaf,
    ):
        hub.register("bob", "secret-b")
        async with people("alice", "bob") as [alice, bob]:
            await asyncio.gather(alice.connect(hub.port), bob.connect(leaf.port, sasl=("bob", "secret-b")))
            await asyncio.gather(alice.join("#ops"), bob.join("#ops"))
            await asyncio.to_thread(leaf.splits)
            [line] = await alice.sees(lambda line: line.command == "QUIT")
            assert (line.nick, line.params) == ("bob", (f"{hub.name} {leaf.name}",))
            await bob.says("#ops", "is anybody here?")
            await asyncio.to_thread(leaf.joins)
            await bob.says("#ops", "there you are")
            await alice.sees("there you are")
            assert alice.said_by("bob", "#ops") == ["there you are"]


async def test_an_operator_can_cut_somebody_off(tmp_path: Path) -> None:
    with running(Ngircd(tmp_path / "ircd")) as ircd:
        async with people("root", "tocsin") as [root, tocsin]:
            await asyncio.gather(root.connect(ircd.port), tocsin.connect(ircd.port))
            root.send(OPER)
            root.send("KILL tocsin :enough")
            await tocsin.ended()


def test_a_line_is_read_as_it_is_written() -> None:
    line = parse(rb"@a=1\:\s\\\r\n\x;+b;c= :nick!user@host privmsg  #ops :a  :b ")
    assert line.tags == {"a": "1; \\\r\nx", "+b": "", "c": ""}
    assert (line.nick, line.command, line.params) == ("nick", "privmsg", ("#ops", "a  :b "))
    assert parse(b"PING :").params == ("",)
    assert parse(b":irc 005 alice A=b :c").params == ("alice", "A=b", "c")
