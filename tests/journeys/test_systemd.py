"""Tocsin installed as the README says, under a real systemd, beside a real IRC server."""

import asyncio
import json
import re
import shutil
import socketserver
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import MINIMAL, ROOT, Figure
from tests.posted import payload, post
from tests.processes import PATIENCE, TOKEN, until
from tests.servers.irc_user import people
from tests.servers.ircd import Ngircd
from tests.servers.machine import UNITS, Machine
from tests.servers.programs import HOST, reserve, running

UNIT = "tocsin.service"
SOURCE = "usr/src/tocsin"
SETTINGS = "etc/tocsin"
STATE = "var/lib/private/tocsin"

# In the sandbox of a service there is hardly a file to write to.
RINGS = """\
#!/usr/bin/python3
import socket, sys
with socket.create_connection(("{host}", {port})) as link:
    link.sendall(sys.stdin.buffer.read())
"""


class Phone(socketserver.ThreadingTCPServer):
    """What the fallback rings. rang: the texts that it was given."""

    def __init__(self) -> None:
        self.rang: list[str] = []
        super().__init__((HOST, 0), _Call)

    @classmethod
    @contextmanager
    def listens(cls) -> Iterator["Phone"]:
        """One that listens."""
        with cls() as phone:
            thread = threading.Thread(target=phone.serve_forever)
            thread.start()
            try:
                yield phone
            finally:
                phone.shutdown()
                thread.join()


class _Call(socketserver.StreamRequestHandler):
    server: Phone

    def handle(self) -> None:
        self.server.rang.append(self.rfile.read().decode())


@dataclass
class Installed:
    """A machine on which it is installed. port: on which systemd listens for it."""

    machine: Machine
    port: int
    ircd: Ngircd
    phone: Phone

    def configure(self, text: str) -> None:
        (self.machine.root / SETTINGS / "config.toml").write_text(text)

    @contextmanager
    def changed(self, unit: str, text: str) -> Iterator[None]:
        """With a drop-in, for as long as this lasts."""
        folder = self.machine.root / "etc/systemd/system" / f"{unit}.d"
        folder.mkdir(exist_ok=True)
        (folder / "test.conf").write_text(text)
        self.machine.runs("systemctl", "daemon-reload")
        try:
            yield
        finally:
            (folder / "test.conf").unlink()
            self.machine.runs("systemctl", "daemon-reload")

    def post(self, name: str) -> int:
        """Post an alert; the answer's status, 0 if nobody listens."""
        url = f"http://{HOST}:{self.port}/hooks/alertmanager/prod"
        try:
            return post(url, payload(name, "firing"), TOKEN, within=PATIENCE)
        except OSError:
            return 0

    def main(self, *, but_not: str = "0") -> str:
        """Its main process, once it is ready."""
        return self.machine.until_active(UNIT, but_not=but_not)

    def kill(self, signal: str) -> None:
        self.machine.runs("systemctl", "kill", "--kill-whom=main", f"--signal={signal}", UNIT)

    def was_away(self) -> float:
        """How long it was gone until it could page again, in seconds; systemd's own account."""
        left, came = "ActiveExitTimestampMonotonic", "ActiveEnterTimestampMonotonic"
        shown = self.machine.shows(UNIT, left, came)
        return (int(shown[came]) - int(shown[left])) / 1e6

    def open_alerts(self) -> int:
        """How many its command line tells of."""
        return int(self.machine.runs("tocsin", "status").partition("open alerts: ")[2].split()[0])

    def kept(self, query: str) -> int:
        """A number that is kept, read from its database."""
        with closing(sqlite3.connect(self.machine.root / STATE / "tocsin.db")) as database:
            return int(database.execute(query).fetchone()[0])


def settings(ircd: Ngircd) -> str:
    network = f'[networks.irc]\nserver = "{HOST}:{ircd.port}"\ntls = false\nroom = "#ops"\n'
    text = MINIMAL.replace("[networks.console]\n", network).replace("accounts.console", "accounts.irc")
    text = text.replace('token.file = "prod.token"', 'token.credential = "prod.token"\nlimit = 10_000')
    return text + '[fallback]\ncommand = ["/usr/local/bin/rings"]\n'


def _clone(folder: Path) -> None:
    """What a clone of this would hold, without its tests."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", ".", ":!tests"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    for name in filter(None, names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """As an administrator does it; for all tests of this file, each of which leaves it running."""
    with (
        running(Ngircd(tmp_path_factory.mktemp("irc") / "ngircd")) as ircd,
        Phone.listens() as phone,
        reserve() as reserved,
        Machine.booted(tmp_path_factory.mktemp("machine")) as machine,
    ):
        port = reserved.getsockname()[1]
        own = Installed(machine, port, ircd, phone)
        _clone(machine.root / SOURCE)
        printed = machine.runs("make", "install", folder=f"/{SOURCE}")
        assert printed.endswith("  tocsin init\n")
        assert list((machine.root / SETTINGS).iterdir()) == [machine.root / SETTINGS / "credentials"]
        example = machine.runs("cat", "/opt/tocsin/share/doc/tocsin/config.example.toml")
        assert '\ntoken.credential = "prometheus.token"\n' in example
        assert '.file = "' not in "".join(example.splitlines(keepends=True)[10:])
        own.configure(settings(ircd))
        for path, text, mode in (
            (f"{SETTINGS}/credentials/prod.token", TOKEN, 0o600),
            ("usr/local/bin/rings", RINGS.format(host=HOST, port=phone.server_address[1]), 0o755),
        ):
            (machine.root / path).touch(mode=mode)
            (machine.root / path).write_text(text)
        with own.changed("tocsin.socket", f"[Socket]\nListenStream=\nListenStream={HOST}:{port}\n"):
            machine.runs("tocsin", "check-config")
            machine.runs("systemctl", "enable", "--now", "tocsin")
            yield own


async def test_init_makes_a_configuration_starts_it_and_pages(installed: Installed, figure: Figure) -> None:
    """What an administrator types after the installation, with the answers as options."""
    machine, folder = installed.machine, installed.machine.root / SETTINGS
    machine.runs("systemctl", "disable", "--now", "tocsin.socket", "tocsin.service")
    (folder / "config.toml").rename(folder / "before.toml")
    server = ["--irc", f"{HOST}:{installed.ircd.port}", "--no-irc-tls", "--irc-identity", "trust-nicks"]
    whom = ["--irc-room", "#ops", "--person", "alice", "--fallback", "/usr/local/bin/rings"]
    async with people("alice") as [alice]:
        await alice.connect(installed.ircd.port)
        await alice.join("#ops")
        typed = ["tocsin", "init", "--no-input", "--start", "--page", *server, *whom]
        began = time.perf_counter()
        init = asyncio.create_task(asyncio.to_thread(machine.runs, *typed))
        await alice.sees(lambda line: line.command == "PRIVMSG" and "TestPage" in line.params[-1])
        await alice.says("#ops", "!ack")
        printed = await init
    figure(f"systemd: from tocsin init to a page that was answered: {time.perf_counter() - began:.1f} s")
    assert re.search(r"it runs: .*alice answered \d+s after it was posted: paging works", printed, re.DOTALL)
    assert machine.runs("systemctl", "is-enabled", "tocsin.socket", "tocsin.service") == "enabled\nenabled\n"
    token = folder / "credentials" / "prometheus.token"
    assert (token.stat().st_mode & 0o777, token.stat().st_uid) == (0o600, 0)
    assert token.read_text().strip() not in printed + machine.journal(UNIT)
    assert "is never overwritten" in machine.tries("tocsin", "init").stderr
    (folder / "before.toml").replace(folder / "config.toml")
    machine.runs("systemctl", "restart", UNIT)
    installed.main()


def test_it_runs_with_hardly_any_rights(installed: Installed) -> None:
    machine, process = installed.machine, installed.main()
    status = machine.runs("cat", f"/proc/{process}/status")
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert (facts["NoNewPrivs"], facts["Seccomp"]) == ("1", "2")
    assert {int(facts[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {0}
    user = int(facts["Uid"].split()[0])
    assert 61184 <= user <= 65519, "a dynamic user"
    state, secret = (machine.root / name for name in (STATE, f"{SETTINGS}/credentials/prod.token"))
    assert (state.stat().st_uid, state.stat().st_mode & 0o777) == (user, 0o700)
    assert secret.stat().st_uid == 0
    for path in ("/etc/x", "/usr/x", "/var/x", "/var/lib/x", "/home/x"):
        refused = machine.tries("nsenter", "-t", process, "-m", "touch", path).stderr
        assert "Read-only file system" in refused or "Permission denied" in refused
    assert TOKEN not in machine.journal(UNIT)
    for unit in (UNIT, "tocsin.socket", "tocsin-failed.service"):
        verified = machine.tries("systemd-analyze", "verify", f"/{UNITS}/{unit}").stderr.splitlines()
        assert [line for line in verified if "'RestartMode'" not in line] == []  # known from systemd 254 on


def test_its_unit_leaves_it_little(installed: Installed, figure: Figure) -> None:
    told = installed.machine.runs("systemd-analyze", "security", "--threshold=15", "--no-pager", UNIT)
    figure(f"systemd: {told.splitlines()[-1].strip()}")


def test_it_is_ready_once_it_can_page(installed: Installed) -> None:
    machine, before = installed.machine, installed.main()
    installed.ircd.ends()
    machine.runs("systemctl", "restart", "--no-block", UNIT)
    until(lambda: "irc: takes no messages" in machine.journal(UNIT).rpartition("Started")[2])
    assert machine.shows(UNIT, "ActiveState")["ActiveState"] in ("deactivating", "activating")
    installed.ircd.start()
    assert installed.main(but_not=before)
    shown = machine.shows(UNIT, "StatusText")["StatusText"]
    assert shown == f"listening on {HOST}:{installed.port}, irc up"


def test_killed_it_is_back_at_once(installed: Installed, figure: Figure) -> None:
    process = installed.main()
    assert installed.post("Killed") == 202
    alerts = installed.open_alerts()
    installed.kill("KILL")
    installed.main(but_not=process)
    figure(f"systemd: killed, and ready again after {installed.was_away():.2f} s")
    assert installed.open_alerts() == alerts
    assert not [text for text in installed.phone.rang if "has failed" in text]


def test_what_hangs_is_started_anew(installed: Installed, figure: Figure) -> None:
    with installed.changed(UNIT, "[Service]\nWatchdogSec=2\n"):
        installed.machine.runs("systemctl", "restart", UNIT)
        process, began = installed.main(), time.perf_counter()
        installed.kill("STOP")
        installed.main(but_not=process)
        figure(
            f"systemd: stopped, and ready again after {time.perf_counter() - began:.2f} s (of 2 s watchdog)"
        )
    assert "Watchdog timeout" in installed.machine.journal(UNIT)
    installed.machine.runs("systemctl", "restart", UNIT)


async def test_what_is_under_way_is_said_before_it_stops(installed: Installed) -> None:
    machine = installed.machine
    async with people("watcher") as [watcher]:
        await watcher.connect(installed.ircd.port)
        await watcher.join("#ops")
        assert await asyncio.to_thread(installed.post, "Last") == 202
        await asyncio.to_thread(machine.runs, "systemctl", "stop", UNIT)
        assert machine.shows(UNIT, "Result")["Result"] == "success"
        assert await watcher.sees(lambda line: line.command == "PRIVMSG" and "Last" in line.params[-1])
    machine.runs("systemctl", "start", UNIT)


def test_the_journal_is_asked_by_what_a_line_is_about(installed: Installed) -> None:
    def found(field: str) -> list[dict[str, str]]:
        printed = installed.machine.runs("journalctl", field, "--output=json", "--no-pager")
        return [json.loads(line) for line in printed.splitlines()]

    assert installed.post("Journal") == 202
    until(lambda: found("TOCSIN_EVENT=page.failed"))
    group = found("TOCSIN_EVENT=page.failed")[-1]["TOCSIN_GROUP"]
    about = found(f"TOCSIN_GROUP={group}")
    assert {one["_SYSTEMD_UNIT"] for one in about} == {UNIT}
    assert {"group.opened", "page.failed"} <= {one.get("TOCSIN_EVENT") for one in about}
    assert f"{group}: opened by prod (critical)" in [one["MESSAGE"] for one in about]


def test_root_makes_a_backup_and_brings_it_back(installed: Installed) -> None:
    machine, alerts = installed.machine, installed.open_alerts()
    assert "made and verified" in machine.runs("tocsin", "backup")
    assert machine.tries("tocsin", "restore", "--newest").returncode == 1, "while it runs"
    machine.runs("systemctl", "stop", "tocsin.socket", UNIT)
    user = (machine.root / STATE).stat().st_uid
    assert "is the backup" in machine.runs("tocsin", "restore", "--newest")
    assert {path.stat().st_uid for path in (machine.root / STATE).rglob("*")} == {user}
    machine.runs("systemctl", "start", "tocsin.socket", UNIT)
    assert installed.open_alerts() == alerts


def test_it_reads_its_configuration_again(installed: Installed) -> None:
    machine, process, good = installed.machine, installed.main(), settings(installed.ircd)
    installed.configure(good + "[people.carol]\naccounts.irc = 'carol'\n")
    machine.runs("systemctl", "reload", UNIT)
    assert "configuration reloaded by the command line: people.carol changed" in machine.journal(UNIT)
    installed.configure(good + "[people.carol]\nacounts.irc = 'carol'\n")
    assert machine.tries("systemctl", "reload", UNIT).returncode != 0
    assert "people.carol.acounts: no such setting; did you mean 'accounts'?" in machine.journal(UNIT)
    installed.configure(good)
    installed.kill("HUP")
    until(lambda: "configuration reloaded by SIGHUP: people.carol changed" in machine.journal(UNIT))
    assert installed.main() == process


def test_no_sender_is_refused_while_it_is_restarted(installed: Installed, figure: Figure) -> None:
    process, answers, slowest = installed.main(), list[int](), 0.0
    over = threading.Event()

    def sends() -> None:
        nonlocal slowest
        while not over.is_set():
            began = time.perf_counter()
            answers.append(installed.post(f"Sent{len(answers) % 5}"))
            slowest = max(slowest, time.perf_counter() - began)

    senders = [threading.Thread(target=sends) for _ in range(3)]
    for sender in senders:
        sender.start()
    until(lambda: len(answers) > 20)
    installed.machine.runs("systemctl", "restart", UNIT)
    installed.main(but_not=process)
    many = len(answers)
    until(lambda: len(answers) > many + 20)
    over.set()
    for sender in senders:
        sender.join()
    figure(f"systemd: {len(answers)} posts over a restart, the slowest took {slowest:.2f} s")
    assert Counter(answers) == {202: len(answers)}


@pytest.mark.parametrize(
    ("dropin", "configuration", "why"),
    [("", "nonsense = true\n", "exit-code 2"), ("ExecStart=\nExecStart=/bin/false\n", "", "exit-code 1")],
)
def test_what_can_not_be_started_rings_and_is_tried_on(
    installed: Installed, dropin: str, configuration: str, why: str
) -> None:
    machine, told = installed.machine, f" has failed ({why}) and pages nobody: journalctl -u tocsin\n"

    def rang() -> bool:
        return any(text.startswith("Tocsin on ") and text.endswith(told) for text in installed.phone.rang)

    with installed.changed("tocsin-failed.service", "[Service]\nEnvironment=PAUSE=2\n"):
        with installed.changed(UNIT, f"[Service]\n{dropin}"):
            installed.configure(configuration + settings(installed.ircd))
            machine.tries("systemctl", "restart", UNIT)
            until(rang, what=lambda: machine.journal("tocsin-failed.service"))
        installed.configure(settings(installed.ircd))
        installed.main()


def test_a_newer_version_takes_its_place_and_it_can_be_taken_away(installed: Installed) -> None:
    machine, process = installed.machine, installed.main()
    installed.configure("nonsense = true\n" + settings(installed.ircd))
    refused = machine.tries("make", "install", folder=f"/{SOURCE}")
    assert refused.returncode != 0
    assert "nonsense: no such setting" in refused.stderr
    assert installed.main() == process
    installed.configure(settings(installed.ircd))
    assert "the new version runs" in machine.runs("make", "install", folder=f"/{SOURCE}")
    installed.main(but_not=process)
    assert len(list((machine.root / "opt/tocsin/releases").iterdir())) == 2
    assert installed.post("Newer") == 202

    assert "Tocsin is gone" in machine.runs("make", "uninstall", folder=f"/{SOURCE}")
    assert installed.post("Gone") == 0
    left = [
        path
        for path in ("opt/tocsin", f"{UNITS}/{UNIT}", "usr/local/bin/tocsin")
        if (machine.root / path).exists()
    ]
    assert left == []
    assert (machine.root / SETTINGS / "config.toml").exists()
    assert installed.kept("SELECT count(*) FROM events") > 0
