"""`tocsin init`, where no chat server is needed: what it refuses, keeps and writes."""

import subprocess
from pathlib import Path

import pytest
from click.testing import Result

from tocsin import daemon
from tocsin.config import Document

from tests.processes import PATIENCE, command
from tests.servers.alertmanager import program
from tests.servers.programs import HOST
from tests.typed import secret, typed

IRC = ("--irc", "irc.example.org:6697", "--irc-room", "#ops")
WHOLE = (*IRC, "--person", "alice", "--listen", f"{HOST}:0", "--offline", "--fallback", "/bin/true")
PLANTED = "planted-dddd-77aa"


def init(path: Path, *words: str) -> Result:
    """Type it, with nobody to ask."""
    ran = typed("init", "--no-input", "--config", path, *words)
    assert PLANTED not in ran.output
    return ran


def test_what_exists_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("mine")
    ran = init(path, *WHOLE)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"{path}: is there already, and is never overwritten.")
    for next_one in ("tocsin check-config", "tocsin doctor"):
        assert f"{next_one} --config {path}" in ran.stderr
    assert path.read_text() == "mine"
    path.unlink()
    (tmp_path / "credentials").mkdir(mode=0o700)
    token = secret(tmp_path / "credentials" / "prometheus.token", PLANTED)
    Path(token).chmod(0o644)
    ran = init(path, *WHOLE)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert "receivers.prometheus.token" in ran.stderr
    assert f"others may read it (mode 0644): chmod 0640 {token}" in ran.stderr
    assert not path.exists()
    Path(token).chmod(0o600)
    ran = init(path, *WHOLE)
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert Path(token).read_text() == PLANTED
    assert f"  {path}\n" in ran.stdout
    assert f"  {token}\n" not in ran.stdout, "it was not made"
    assert daemon.prepare(Document.open(path)).warnings == ()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "where do your people chat? --irc HOST:PORT, --matrix URL, or both\nmissing: --person"),
        (("--irc", "x:1"), "missing: --irc-room, --person"),
        ((*IRC, "--matrix", "https://m.org"), "missing: --matrix-room, --person"),
        ((*IRC, "--person", "alice", "--irc-account", "t"), "missing: --irc-password-file"),
        ((*IRC, "--person", "Alice"), "--person: people type this name"),
        ((*IRC[:3], "ops", "--person", "alice"), "--irc-room: room must be a channel such as '#ops'"),
        ((*WHOLE, "--timezone", "Mars"), "--timezone: no time zone is called 'Mars'"),
        ((*WHOLE, "--listen", "8627"), "--listen: must be an address and a port"),
        ((*WHOLE, "--fallback", "/bin/'x"), "--fallback: No closing quotation"),
        ((*WHOLE, "--irc-identity", "trust"), "--irc-identity: must be 'accounts'"),
        ((*WHOLE, "--irc-tls-ca", "/nowhere.pem"), "--irc-tls-ca: /nowhere.pem: no such file"),
        ((*WHOLE, "--person-irc", "a b"), "--person-irc: must be the name of an account, not 'a b'"),
        ((*WHOLE, "--heartbeat-url-file", "/nowhere"), "--heartbeat-url-file: /nowhere: no such file"),
    ],
)
def test_an_answer_that_is_missing_or_can_not_be_used_is_named(
    tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    ran = init(tmp_path / "config.toml", *words, *(() if "--offline" in words else ("--offline",)))
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert ran.stderr.startswith(told)
    assert list(tmp_path.iterdir()) == []


def test_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    url = secret(tmp_path / "url", f"https://{PLANTED}")
    Path(url).chmod(0o644)
    ran = init(tmp_path / "config.toml", *WHOLE, "--heartbeat-url-file", url)
    assert ran.exit_code == 2
    assert "others may read it" in ran.stderr


def test_without_a_terminal_it_asks_nothing(tmp_path: Path) -> None:
    ran = subprocess.run(
        command("init", tmp_path / "config.toml"),
        input="irc\n",
        capture_output=True,
        text=True,
        check=False,
        env={},
        timeout=PATIENCE,
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "there is no terminal to ask on: say --no-input" in ran.stderr


def test_what_can_not_be_written_whole_is_not_written_at_all(tmp_path: Path) -> None:
    ran = init(tmp_path / ("x" * 250), *WHOLE)  # there is room for the name, and none for one beside it
    assert ran.exit_code == 2
    assert "can't be written: File name too long: nothing was" in ran.stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["credentials"]


def test_alertmanager_takes_what_it_says_to_paste(tmp_path: Path) -> None:
    told = init(tmp_path / "config.toml", *WHOLE, "--listen", "127.0.0.1:8699", "--receiver", "am").stdout
    pasted = told[told.index("route:\n") : told.index("\nGive it the token")]
    assert "url: http://127.0.0.1:8699/hooks/alertmanager/am\n" in pasted
    token = tmp_path / "credentials" / "am.token"
    assert f"\n  install -D -m 0400 -o prometheus {token} /etc/prometheus/tocsin.token\n" in told
    theirs = pasted.replace("route:\n", "route:\n  receiver: mail\n", 1)
    theirs = theirs.replace("receivers:\n", "receivers:\n  - name: mail\n", 1)
    (tmp_path / "alertmanager.yml").write_text(theirs.replace("/etc/prometheus/tocsin.token", str(token)))
    checked = subprocess.run(
        [program("amtool"), "check-config", str(tmp_path / "alertmanager.yml")],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert checked.returncode == 0, checked.stderr + checked.stdout
    assert " - 2 receivers" in checked.stdout
