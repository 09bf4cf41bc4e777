"""A secret of each kind is planted in one configuration; whatever goes wrong with it, none comes out anywhere."""

import base64
import json
import socket
import socketserver
import sqlite3
import ssl
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.error import HTTPError
from urllib.parse import quote

import pytest

from tests.plugins.alertmanager_parts import alert, payload
from tests.processes import PATIENCE, TOKEN, Process, started, tocsin, until
from tests.servers.certificates import Certificates
from tests.typed import typed

PLANTED = {
    name: f"planted-{name}-5f1d9c3b7a"
    for name in (
        *("basic", "metrics", "irc", "server", "key", "matrix", "silence", "source", "mail"),
        *("ntfy", "header", "apprise"),
    )
}

USED = PLANTED.keys() - {"basic", "metrics", "key"}
"""Those that the daemon sends to others, sooner or later: what is not used can't come out."""

CONFIG = """\
web.listen = "127.0.0.1:0"
[metrics]
token.file = "metrics"
[receivers.prod]
token.file = "prod.token"
[receivers.old]
user = "am"
password.file = "basic"
[networks.console]
[networks.irc]
server = "{irc}"
tls = false
room = "#ops"
keys = {{ "#ops" = {{ file = "key" }} }}
sasl.account = "tocsin"
sasl.password.file = "irc"
password.file = "server"
[networks.matrix]
homeserver = "{http}"
user = "@tocsin:example.org"
room = "!ops:example.org"
token.env = "MATRIX"
[people.alice]
accounts = {{ console = "alice", irc = "alice", matrix = "@alice:example.org" }}
[plugins.alertmanager]
[plugins.silence.receivers.prod]
url = "{http}"
token.file = "silence"
[plugins.verification.sources.main]
kind = "prometheus"
url = "{http}"
token.file = "source"
[plugins.incidents]
[plugins.notify]
repeat = "30s"
tls_ca = "{ca}"
[plugins.notify.smtp]
host = "127.0.0.1"
port = {smtp}
tls = "tls"
sender = "tocsin@example.org"
user = "tocsin"
password.file = "mail"
[plugins.notify.people.alice.ways]
phone = {{ ntfy = "{http}/alice", token.file = "ntfy" }}
sms = {{ webhook = "{http}/sms", headers = {{ X-Api-Key = {{ file = "header" }} }}, form = {{ body = "{{text}}" }} }}
signal = {{ apprise.file = "apprise" }}
mail = {{ smtp = "alice@example.org", rings = true }}
[plugins.notify.people.alice]
default = [{{ way = "phone", after = "0s" }}, {{ way = "sms", after = "0s" }}, {{ way = "signal", after = "0s" }}, {{ way = "mail", after = "0s" }}]
[plugins.escalation]
default = "ops"
[plugins.escalation.policies.ops]
steps = [{{ page = "alice" }}]
"""

# Logs all that libraries say, too, but for Apprise, which repeats answers as soon as somebody debugs it; and has what is posted as "Crash" bring up all that the daemon is made of.
SCRIPT = """\
import logging
from tocsin import cli, intake
from tocsin.store import intake as bodies
set_level = logging.Logger.setLevel
logging.Logger.setLevel = lambda self, level: set_level(self, logging.DEBUG)
logging.getLogger().setLevel(logging.DEBUG)
set_level(logging.getLogger("apprise"), logging.WARNING)
take = intake.Intake._take_in
def crash(self, one, read, tx):
    if b"Crash" in bodies.find(tx.connection, one).body:
        raise RuntimeError(f"{tx.config!r} {vars(tx.rules)!r} {tx.rules.tables!r} {vars(self)!r}")
    take(self, one, read, tx)
intake.Intake._take_in = crash
cli.main()
"""


class EchoHttp(BaseHTTPRequestHandler):
    """Refuses whatever it is asked, and repeats how."""

    asked: ClassVar[list[str]] = []

    def _refuse(self) -> None:
        said = f"{self.path} {dict(self.headers)}"
        self.asked.append(said)
        body = json.dumps({"errcode": "M_UNKNOWN_TOKEN", "error": said, "message": said}).encode()
        self.send_response(401, f"no {self.headers.get('Authorization')}"[:200])
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = _refuse  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class EchoIrc(socketserver.StreamRequestHandler):
    """An IRC server that does not let us log in, and repeats what we said."""

    asked: ClassVar[list[str]] = []

    def handle(self) -> None:
        said: list[str] = []
        for raw in self.rfile:
            line = raw.decode().strip()
            said.append(line)
            self.asked.append(line)
            match line.split(" ")[:2]:
                case ["CAP", "LS"]:
                    self._say(":srv CAP * LS :sasl=PLAIN")
                case ["CAP", "REQ"]:
                    self._say(":srv CAP * ACK :sasl")
                case ["AUTHENTICATE", "PLAIN"]:
                    self._say("AUTHENTICATE +")
                case ["AUTHENTICATE", _]:
                    self._say(f":srv NOTICE * :{' '.join(said)}")
                    self._say(f":srv 904 tocsin :you said {' '.join(said)}")
                    self._say(f"ERROR :Closing link: {' '.join(said)}")
                    return

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class EchoSmtp(socketserver.StreamRequestHandler):
    """A mail server that knows nobody, and repeats what we said."""

    asked: ClassVar[list[str]] = []

    def handle(self) -> None:
        self._say("220 mail.test")
        for raw in self.rfile:
            line = raw.decode().strip()
            self.asked.append(line)
            if line.startswith("EHLO"):
                self._say("250-mail.test\r\n250 AUTH PLAIN LOGIN")
            else:
                self._say(f"535 you said {line}")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class Tls(socketserver.ThreadingTCPServer):
    """Speaks TLS from the first byte on."""

    daemon_threads = True
    context: ssl.SSLContext

    def get_request(self) -> tuple[socket.socket, Any]:
        raw, address = super().get_request()
        return self.context.wrap_socket(raw, server_side=True), address


class Threads(socketserver.ThreadingTCPServer):
    daemon_threads = True


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Mapping[str, str]]:
    """Where each of those listens that repeat what they are asked."""
    certificates = Certificates(tmp_path / "certificates")
    Tls.context = certificates.server_context()
    with ExitStack() as stack:
        found = []
        made: list[socketserver.TCPServer] = [
            ThreadingHTTPServer(("127.0.0.1", 0), EchoHttp),
            Threads(("127.0.0.1", 0), EchoIrc),
            Tls(("127.0.0.1", 0), EchoSmtp),
        ]
        for server in made:
            stack.callback(server.server_close)
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            stack.callback(server.shutdown)
            found.append(server.server_address[1])
        http, irc, smtp = found
        ca = str(certificates.authority)
        yield {"ca": ca, "http": f"http://127.0.0.1:{http}", "irc": f"127.0.0.1:{irc}", "smtp": str(smtp)}


def written(secret: str) -> Iterator[str]:
    """The secret as it is, and as protocols write it."""
    yield secret
    yield quote(secret, safe="")
    for user in ("am:", "tocsin:", "\0tocsin\0", "tocsin\0tocsin\0", ""):
        yield base64.b64encode(f"{user}{secret}".encode()).decode().rstrip("=")


def leaked(text: str) -> set[str]:
    """The names of the secrets that stand in a text."""
    known = {**PLANTED, "prod": TOKEN}
    return {name for name, secret in known.items() if any(one in text for one in written(secret))}


def asked() -> str:
    """All that was said to those who repeat it."""
    return "\n".join([*EchoHttp.asked, *EchoIrc.asked, *EchoSmtp.asked])


def plant(folder: Path, servers: Mapping[str, str]) -> None:
    for name, secret in PLANTED.items():
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(secret)
    there = servers["http"].removeprefix("http://")
    (folder / "apprise").write_text(f"json://tocsin:{PLANTED['apprise']}@{there}/")


def asks(process: Process, path: str, **headers: str) -> str:
    """What the daemon answers to a GET: headers and text."""
    status = process.status()
    assert status is not None
    request = urllib.request.Request(f"http://{status['listening on']}/{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return f"{answer.headers}{answer.read().decode()}"
    except HTTPError as error:
        with error:
            return f"{error.status} {error.headers}{error.read().decode()}"


def test_none_of_them_comes_out(
    write_config: Callable[..., Path], tmp_path: Path, servers: Mapping[str, str]
) -> None:
    plant(tmp_path, servers)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    good = CONFIG.format(**servers)
    config = write_config(good)
    environment = {"MATRIX": PLANTED["matrix"]}
    run: list[str | Path] = [sys.executable, script, "run", "--config", config]
    out: list[str] = []
    with started(
        config, run, environment, ready=lambda process: "listening on 127" in process.shown()
    ) as process:
        for path, token in (("prod", "wrong"), ("old", "wrong"), (TOKEN, "x"), ("prod", TOKEN)):
            process.post(f"alertmanager/{path}", payload(), token)
        process.post("alertmanager/prod", payload(alert(alertname="Crash")), TOKEN)
        for path in ("metrics", f"metrics?token={PLANTED['metrics']}", "nothing", f"{TOKEN}/x", "healthz"):
            out.append(asks(process, path))
            out.append(asks(process, path, Authorization=f"Bearer {PLANTED['metrics']}"))
            out.append(asks(process, path, Authorization="Bearer wrong"))
        assert any("tocsin_build_info" in text for text in out)
        until(lambda: "RuntimeError: Config(" in process.shown())
        process.says("!sources")
        until(lambda: leaked(asked()) >= USED - {"silence"}, what=lambda: USED - leaked(asked()))
        process.says("!silence")
        until(lambda: "silence" in leaked(asked()))
        until(lambda: "Alertmanager" in process.shown())
        until(lambda: "irc: takes no messages" in process.shown())
        until(lambda: "matrix: takes no messages" in process.shown())
        config.write_text(good.replace('token.file = "silence"', f'token = "{PLANTED["silence"]}"'))
        for command in ("status", "reload", "check-config", "plugins"):
            ran = tocsin(command, config)
            out.append(ran.stdout + ran.stderr)
        assert "a secret never stands in this file" in out[-3]
        out.append(process.shown())
        with closing(sqlite3.connect(f"file:{process.folder}/tocsin.db?mode=ro", uri=True)) as beside:
            out.extend(beside.iterdump())
    found = {name: line for text in out for line in text.splitlines() for name in leaked(line)}
    assert found == {}


@pytest.mark.parametrize(
    "mistake",
    [
        "[metrics]\ntoken = '{}'",
        "[metrics]\ntoken = '{}",
        "[metrics]\ntoken.value = '{}'",
        "[metrics]\ntoken.file = {{ name = '{}' }}",
        "[receivers.prod]\ntoken = '{}'",
        "[receivers.prod]\ntoken = ['{}']",
        "[receivers.prod]\nuser = 'am'\npassword = '{}'",
        "[receivers.prod]\ntoken.file = 'prod.token'\npassword = '{}'",
        "[receivers.prod]\ntokn = '{}'",
        "[networks.irc]\nserver = 'irc.example.org:6697'\nroom = '#ops'\npassword = '{}'",
        "[networks.irc]\nserver = 'irc.example.org:6697'\nroom = '#ops'\nsasl.account = 'x'\nsasl.password = '{}'",
        "[networks.irc]\nserver = 'irc.example.org:6697'\nroom = '#ops'\nkeys = {{ '#ops' = '{}' }}",
        "[networks.matrix]\ntoken = '{}'",
        "[plugins.silence.receivers.prod]\nurl = 'http://127.0.0.1:1'\ntoken = '{}'",
        "[plugins.notify.smtp]\nhost = 'x'\nsender = 'a@example.org'\nuser = 'x'\npassword = '{}'",
        "[plugins.notify.people.alice.ways]\nphone = {{ ntfy = 'https://ntfy.example.org/a', token = '{}' }}",
        "[plugins.notify.people.alice.ways]\nsms = {{ webhook = 'https://x.example/', headers = {{ X-Key = '{}' }} }}",
        "[plugins.notify.people.alice.ways]\nsignal = {{ apprise = '{}' }}",
    ],
)
def test_a_mistake_beside_a_secret_is_told_without_it(
    write_config: Callable[..., Path], mistake: str
) -> None:
    secret = "planted-by-mistake-5f1d9c3b7a"
    config = write_config(mistake.format(secret) + "\n")
    for command in ("check-config", "status", "reload"):
        ran = typed(command, "--config", config)
        assert ran.exit_code == 2, ran.output
        assert "error" in ran.output
        assert secret not in ran.output
