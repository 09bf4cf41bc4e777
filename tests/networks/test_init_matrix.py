"""`tocsin init` on a real homeserver."""

import asyncio
import re
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from click.testing import Result

from tocsin import daemon
from tocsin.config import Document

from tests.journeys.matrix_parts import says
from tests.processes import command, started
from tests.servers.matrix_user import people
from tests.servers.programs import HOST, answering
from tests.servers.synapse import DOMAIN, Synapse
from tests.terminal import Terminal, terminal
from tests.typed import secret, typed

Init = Callable[..., Result]
PLANTED = "planted-cccc-0f6a"


@pytest.fixture
def init(tmp_path: Path) -> Init:
    """Type it, with nobody to ask, in a folder of its own."""

    def run(*words: str) -> Result:
        path = tmp_path / "config.toml"
        usual = ["--person", "alice", "--listen", f"{HOST}:0", "--fallback", "/bin/true"]
        return typed("init", "--no-input", "--config", path, *usual, *words)

    return run


async def test_from_nothing_to_a_tested_page_at_a_terminal(synapse: Synapse, tmp_path: Path) -> None:
    bot = synapse.register("tocsin")
    config = tmp_path / "config.toml"

    def until_the_room(screen: Terminal) -> None:
        screen.answers("irc, matrix or both: ", "matrix")
        screen.answers("matrix.example.org: ", "http://matrix.example.org")
        screen.asks("would send the account's token in the clear")
        screen.answers("matrix.example.org: ", f"http://{HOST}:1")
        screen.asks("the homeserver can't be reached")
        screen.answers(f"[http://{HOST}:1]: ", f"{synapse.url}/")
        screen.answers(f"[@tocsin:{HOST}]: ", bot.user_id)
        screen.answers(f"Password of {bot.user_id}: ", PLANTED)
        screen.asks("M_FORBIDDEN")
        assert list(tmp_path.rglob("*.json")) == []
        screen.answers(f"[{bot.user_id}]: ")
        screen.answers(f"Password of {bot.user_id}: ", bot.password)
        screen.asks(f"logged in as {bot.user_id} on device TOCSIN")
        screen.answers(f"[#ops:{DOMAIN}]: ", f"#none:{DOMAIN}")
        screen.asks("there is no such room")

    def until_the_page(screen: Terminal, person: str) -> None:
        screen.asks("let into")
        screen.answers("by a short name: ", "alice")
        screen.answers(f"[@alice:{DOMAIN}]: ", f"@nobody-at-all:{DOMAIN}")
        screen.asks(f"nobody is called @nobody-at-all:{DOMAIN}")
        screen.answers(f"[@nobody-at-all:{DOMAIN}]: ", person)
        for question in ("Time zone of alice", "[prometheus]"):
            screen.answers(question)
        screen.answers("ADDRESS:PORT [127.0.0.1:8627]: ", f"{HOST}:0")
        for question in ("SMS gateway", "UUID", "Page alice now"):
            screen.answers(question)
        screen.asks("waiting until it runs")

    async with people(synapse, "alice") as [alice]:
        room = await alice.create("ops")
        private = await alice.create(invite=[bot.user_id], direct=True)
        synapse.call("POST", f"/_matrix/client/v3/join/{private}", {}, bot.token)
        with ExitStack() as stack:
            screen = stack.enter_context(terminal(command("init", config), {"PATH": "/usr/bin:/bin"}))
            await asyncio.to_thread(until_the_room, screen)
            await asyncio.to_thread(screen.answers, "]: ", room)
            await asyncio.to_thread(screen.asks, "it lets in only who is invited: invite me there")
            await alice.invite(room, bot.user_id)
            await asyncio.to_thread(screen.answers, f"[{room}]: ")
            await asyncio.to_thread(until_the_page, screen, alice.id)
            await asyncio.to_thread(stack.enter_context, started(config))
            [page] = await alice.sees(partial(says, private, "TestPage"))
            await alice.replies(page, "ack")
            assert await asyncio.to_thread(screen.ends) == 0
            assert re.search(r"alice answered \d+s after it was posted: paging works", screen.shown)
            for hidden in (PLANTED, bot.password):
                assert hidden not in screen.shown + config.read_text()
    found = daemon.prepare(Document.open(config)).config
    assert found.people["alice"].accounts == {"matrix": alice.id}
    assert [path.name for path in (tmp_path / "credentials").iterdir()] == ["prometheus.token"]


async def test_a_login_that_was_kept_needs_no_password_again(
    synapse: Synapse, init: Init, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    bot = synapse.register("tocsin")
    async with people(synapse, "alice") as [alice]:
        room = await alice.create("ops", invite=[bot.user_id])
    account = ["--matrix", synapse.url, "--matrix-user", bot.user_id, "--person-matrix", alice.id]
    ran = await asyncio.to_thread(init, *account, "--matrix-room", room)
    assert (ran.exit_code, ran.stderr) == (2, "missing: --matrix-password-file\n")
    password = secret(tmp_path_factory.mktemp("files") / "password", bot.password)
    wrong = ["--matrix-room", f"#none:{DOMAIN}", "--matrix-password-file", password]
    ran = await asyncio.to_thread(init, *account, *wrong)
    assert ran.exit_code == 1
    assert f"not let into #none:{DOMAIN}: there is no such room" in ran.stderr
    assert not (tmp_path / "config.toml").exists()
    ran = await asyncio.to_thread(init, *account, "--matrix-room", room)
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert f"still logged in as {bot.user_id}" in ran.stdout
    ran = typed("check-config", "--config", str(tmp_path / "config.toml"))
    assert (ran.exit_code, ran.stderr) == (0, "")


class Domain(BaseHTTPRequestHandler):
    """A web server that is no homeserver, and says where that is."""

    tells = b"{}"

    def do_GET(self) -> None:
        known = self.path == "/.well-known/matrix/client"
        self.send_response(200 if known else 404)
        self.end_headers()
        self.wfile.write(self.tells if known else b"<html>")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    ("tells", "told"),
    [
        (b'{"m.homeserver": {"base_url": "https://m.test"}}', "it is at https://m.test"),
        (b"{}", "no homeserver answers there: HTTP 404"),
    ],
)
def test_a_domain_is_not_taken_for_its_homeserver(
    init: Init, tmp_path: Path, tells: bytes, told: str
) -> None:
    with answering(type("Told", (Domain,), {"tells": tells})) as url:
        ran = init("--matrix", url, "--matrix-room", "#ops:m.test")
    assert ran.exit_code == 1
    assert told in ran.stderr
    assert list(tmp_path.iterdir()) == []


def test_offline_it_says_what_is_left_to_do(init: Init, tmp_path: Path) -> None:
    ran = init("--offline", "--matrix", "https://m.test", "--matrix-room", "#ops:m.test")
    assert ran.exit_code == 0, ran.stderr
    assert f"tocsin matrix login --config {tmp_path / 'config.toml'}" in ran.stdout
    assert "nobody is paged there" not in ran.stderr
    found = daemon.prepare(Document.open(tmp_path / "config.toml")).config
    assert found.people["alice"].accounts == {"matrix": "@alice:m.test"}
