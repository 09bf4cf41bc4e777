"""`tocsin init` on real IRC servers: each answer is tried, and what it writes pages."""

import asyncio
import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from signal import SIGTERM
from typing import ClassVar

import pytest
from click.testing import Result

from tocsin import daemon
from tocsin.config import Document
from tocsin.domain.oncall import Identity
from tocsin.networks.irc.settings import IrcSettings

from tests.networks.irc_peers import PASSWORD
from tests.processes import command, started
from tests.servers.certificates import Certificates
from tests.servers.irc_user import HOSTNAME, people
from tests.servers.ircd import Inspircd, Ngircd
from tests.servers.programs import HOST, answering, running
from tests.terminal import terminal
from tests.typed import secret, typed

Init = Callable[..., Result]
PLANTED = "planted-cccc-0f6a"

QUESTIONS = (
    ("irc, matrix or both: ", "ircc", "must be irc, matrix or both, not 'ircc'"),
    ("irc, matrix or both: ", "irc", ""),
    ("HOST:PORT: ", HOST, "must be an address and a port"),
    ("HOST:PORT: ", f"{HOST}:1", ""),
    ("TLS? [Y/n]: ", "n", f"can't connect to {HOST}:1: Connection refused"),
    (f"HOST:PORT [{HOST}:1]: ", "{server}", ""),
    ("TLS? [Y/n]: ", "n", ""),
    ("nick there [tocsin]: ", "", ""),
    ("SASL (empty for none): ", "tocsin", ""),
    ("Password of tocsin: ", PLANTED, ""),
    ("[#ops]: ", "ops", "must be a channel such as '#ops', not 'ops'"),
    ("[#ops]: ", "#init", "the login to our account failed"),
    ("nick there [tocsin]: ", "tocsin-init", ""),
    ("SASL (- for none) [tocsin]: ", "", ""),
    ("Password of tocsin: ", PASSWORD, ""),
    (
        "The server's own password (empty for none): ",
        "",
        "logged in as tocsin, called tocsin-init, and let into #init",
    ),
    ("[accounts]: ", "", ""),
    ("on call first, by a short name: ", "Alice", "people type this name"),
    ("on call first, by a short name: ", "primary", "that will be the name of the schedule"),
    ("on call first, by a short name: ", "alice", ""),
    ("alice's account on irc [alice]: ", "", ""),
    ("Time zone of alice [", "Mars", "no time zone is called 'Mars'"),
    ("Time zone of alice [", "Europe/Paris", ""),
    ("[prometheus]: ", "am", ""),
    ("ADDRESS:PORT [127.0.0.1:8627]: ", "{server}", "can't listen on 127.0.0.1:"),
    ("ADDRESS:PORT [127.0.0.1:8627]: ", f"{HOST}:0", ""),
    ("SMS gateway (empty for none): ", "/bin/nothing x", "/bin/nothing: no such file"),
    ("SMS gateway (empty for none): ", "/bin/true 'a b'", ""),
    ("UUID (empty for none): ", f"ftp://{PLANTED}", "must hold an address such as https://hc-ping.com/UUID"),
)
"""What is asked, what is answered, and what that is told."""


@pytest.fixture
def init(tmp_path: Path) -> Init:
    """Type it, with nobody to ask, in a folder of its own."""

    def run(*words: str) -> Result:
        usual = ["--person", "alice", "--listen", f"{HOST}:0", "--irc-room", "#ops"]
        path = tmp_path / "config.toml"
        ran = typed("init", "--no-input", "--config", path, *usual, *words)
        assert PASSWORD not in ran.output
        assert PLANTED not in ran.output
        return ran

    return run


def irc(folder: Path) -> IrcSettings:
    """What the configuration says of the network; it has nothing but what may be."""
    prepared = daemon.prepare(Document.open(folder / "config.toml"))
    assert {problem.at for problem in prepared.warnings} <= {("fallback", "command")}
    settings = prepared.config.networks["irc"]
    assert isinstance(settings, IrcSettings)
    return settings


def modes(folder: Path) -> Mapping[str, int]:
    """All that is there, and who may do what with it."""
    return {str(path.relative_to(folder)): path.stat().st_mode & 0o777 for path in folder.rglob("*")}


async def test_from_nothing_to_a_tested_page_at_a_terminal(inspircd: Inspircd, tmp_path: Path) -> None:
    """With every mistake that can be made on the way."""
    config = tmp_path / "config.toml"
    server = f"{HOST}:{inspircd.port}"
    with ExitStack() as stack:
        screen = stack.enter_context(terminal(command("init", config), {"PATH": "/usr/bin:/bin"}))

        def questions() -> None:
            for question, answer, told in QUESTIONS:
                screen.answers(question.format(server=server), answer.format(server=server))
                screen.asks(told)
            assert list(tmp_path.iterdir()) == [], "nothing is written before the last answer"
            screen.answers("UUID (empty for none): ")
            screen.answers("Page alice now, as a test, as soon as it runs? [Y/n]: ")
            screen.asks("waiting until it runs")

        await asyncio.to_thread(questions)
        assert modes(tmp_path) == {
            "config.toml": 0o644,
            "credentials": 0o700,
            "credentials/am.token": 0o600,
            "credentials/irc.password": 0o600,
        }
        assert f"tocsin run --config {config}" in screen.shown
        assert "group_wait: 0s" in screen.shown
        assert f"-o prometheus {tmp_path}/credentials/am.token /etc/prometheus/tocsin.token\n" in screen.shown
        settings = irc(tmp_path)
        assert (settings.tls, settings.nick, settings.room) == (False, "tocsin-init", "#init")

        async with people("al") as [alice]:
            await alice.connect(inspircd.port, sasl=("alice", PASSWORD))
            await alice.join("#init")
            process = await asyncio.to_thread(stack.enter_context, started(config))
            await alice.sees(lambda line: line.command == "PRIVMSG" and "TestPage" in line.params[-1])
            await alice.says("tocsin-init", "ack")
            assert await asyncio.to_thread(screen.ends) == 0
        assert re.search(r"alice answered \d+s after it was posted: paging works", screen.shown)
        assert await asyncio.to_thread(process.ends, SIGTERM) == 0
        token = (tmp_path / "credentials" / "am.token").read_text().strip()
        assert len(token) == 64
        for hidden in (PLANTED, PASSWORD, token):
            assert hidden not in screen.shown + process.shown() + config.read_text()


@pytest.mark.parametrize("after", ["server", "password", "page"])
def test_ctrl_c_leaves_nothing_half_written(ngircd: Ngircd, tmp_path: Path, after: str) -> None:
    config = tmp_path / "config.toml"
    options = ["--irc", f"{HOST}:{ngircd.port}", "--no-irc-tls", "--person", "alice", "--listen", f"{HOST}:0"]
    with terminal([*command("init", config), *options], {"PATH": "/usr/bin:/bin"}) as screen:
        screen.asks("nick there")
        if after == "server":
            screen.interrupts()
        else:
            screen.types("")
            screen.answers("SASL", "tocsin" if after == "password" else "")
        if after == "password":
            screen.asks("Password of tocsin: ")
            screen.interrupts()
        if after == "page":
            screen.answers("Channel for all alerts")
            for question in ("[codes]", "alice's nick", "Time zone", "[prometheus]", "SMS gateway", "UUID"):
                screen.answers(question)
            screen.asks("Page alice now")
            screen.interrupts()
        assert screen.ends() == 1
        made = {"config.toml", "credentials", "credentials/prometheus.token"} if after == "page" else set()
        assert set(modes(tmp_path)) == made
        assert "Traceback" not in screen.shown
        told = f"tocsin test-page --config {config}" if made else f"{config}: was not written"
        assert told in screen.shown


def test_where_there_are_no_accounts_codes_are_what_proves_it(
    ngircd: Ngircd, init: Init, tmp_path: Path
) -> None:
    ran = init("--irc", f"{HOST}:{ngircd.port}", "--no-irc-tls", "--fallback", "/bin/true")
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert irc(tmp_path).identity is Identity.CODES
    ran = typed("check-config", "--config", str(tmp_path / "config.toml"))
    assert (ran.exit_code, ran.stderr) == (0, "")


def test_a_server_that_is_not_there_ends_it(init: Init, tmp_path: Path) -> None:
    ran = init("--irc", f"{HOST}:1")
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert ran.stderr == f"  --irc, --irc-tls: can't connect to {HOST}:1: Connection refused\n"
    assert init("--irc", "nowhere.invalid:6697").exit_code == 1
    assert list(tmp_path.iterdir()) == []
    assert init("--irc", f"{HOST}:1", "--offline").exit_code == 0
    assert irc(tmp_path).server.port == 1


def test_a_certificate_that_nobody_trusts_is_named(
    inspircd: Inspircd, certificates: Certificates, init: Init, tmp_path: Path
) -> None:
    server = f"{HOSTNAME}:{inspircd.tls_port}"
    ran = init("--irc", server)
    assert ran.exit_code == 1
    assert "the server's certificate can't be trusted" in ran.stderr
    assert "--irc-tls-ca" in ran.stderr
    ran = init("--irc", server, "--irc-tls-ca", str(certificates.authority))
    assert ran.exit_code == 0, ran.stderr
    assert (irc(tmp_path).tls, irc(tmp_path).tls_ca) == (True, certificates.authority)


def test_a_password_is_tried_and_one_that_is_kept_is_not_overwritten(
    inspircd: Inspircd, init: Init, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    files = tmp_path_factory.mktemp("files")
    account = ["--irc", f"{HOST}:{inspircd.port}", "--no-irc-tls", "--irc-account", "tocsin"]
    ran = init(*account)
    assert (ran.exit_code, ran.stderr) == (2, "missing: --irc-password-file\n")
    ran = init(*account, "--irc-password-file", secret(files / "wrong", PLANTED))
    assert ran.exit_code == 1
    assert "the login to our account failed" in ran.stderr
    assert list(tmp_path.iterdir()) == []

    (tmp_path / "credentials").mkdir(mode=0o700)
    kept = tmp_path / "credentials" / "irc.password"
    secret(kept, PLANTED)
    good = ["--irc-password-file", secret(files / "good", PASSWORD)]
    ran = init(*account, *good)
    assert ran.exit_code == 1
    assert f"{kept} is never overwritten: move it away" in ran.stderr
    assert kept.read_text() == PLANTED
    kept.unlink()
    assert init(*account, *good).exit_code == 0
    assert kept.read_text() == f"{PASSWORD}\n"
    assert irc(tmp_path).identity is Identity.ACCOUNTS


async def test_a_server_with_a_password_a_channel_with_a_key_and_one_for_the_invited(
    tmp_path_factory: pytest.TempPathFactory, init: Init, tmp_path: Path
) -> None:
    folder = tmp_path_factory.mktemp("irc")
    with running(Ngircd(folder / "ngircd", password=PLANTED)) as server:
        options = ["--irc", f"{HOST}:{server.port}", "--no-irc-tls"]
        ran = await asyncio.to_thread(init, *options)
        assert ran.exit_code == 1
        assert "password" in ran.stderr
        options += ["--irc-server-password-file", secret(folder / "password", PLANTED)]
        async with people("alice") as [alice]:
            await alice.connect(server.port, password=PLANTED)
            for room, mode in (("#key", "+k sesame"), ("#closed", "+i")):
                await alice.join(room)
                alice.send(f"MODE {room} {mode}")
            await alice.sync()
            ran = await asyncio.to_thread(init, *options, "--irc-room", "#key")
            assert ran.exit_code == 1
            assert "not let into #key: its key is wrong or missing" in ran.stderr
            key = secret(folder / "key", "sesame")
            ran = await asyncio.to_thread(init, *options, "--irc-room", "#key", "--irc-key-file", key)
            assert ran.exit_code == 0, ran.stderr
            settings = irc(tmp_path)
            assert settings.keys["#key"].reveal() == "sesame"
            assert settings.password is not None
            assert settings.password.reveal() == PLANTED
            (tmp_path / "config.toml").unlink()
            ran = await asyncio.to_thread(init, *options, "--irc-room", "#closed")
            assert ran.exit_code == 0, ran.stderr
            assert "once it runs, say /invite tocsin #closed" in ran.stdout
            assert alice.said_by("tocsin", "#key") == []


class Watcher(BaseHTTPRequestHandler):
    """Somebody outside who takes heartbeats, or not."""

    taken: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        good = PLANTED in self.path
        self.taken.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(200 if good else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_heartbeat_is_tried_before_it_is_kept(
    ngircd: Ngircd, init: Init, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    files = tmp_path_factory.mktemp("files")
    options = ["--irc", f"{HOST}:{ngircd.port}", "--no-irc-tls", "--heartbeat-url-file"]
    with answering(Watcher) as url:
        ran = init(*options, secret(files / "wrong", f"{url}/nothing"))
        assert ran.exit_code == 1
        assert ran.stderr == "  --heartbeat-url-file: it did not take a heartbeat: it answers 404\n"
        assert list(tmp_path.iterdir()) == []
        ran = init(*options, secret(files / "good", f"{url}/{PLANTED}"))
    assert ran.exit_code == 0, ran.stderr
    assert "it took the first heartbeat" in ran.stdout
    assert Watcher.taken == ["tocsin init: does this come through?"] * 2
    assert (tmp_path / "credentials" / "heartbeat.url").read_text() == f"{url}/{PLANTED}\n"
    assert irc(tmp_path).room == "#ops"
