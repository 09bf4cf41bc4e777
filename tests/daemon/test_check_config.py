"""`tocsin check-config`: what is wrong, on which line, and what was probably meant."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin import daemon
from tocsin.config import Document
from tocsin.errors import ConfigError

from tests.conftest import MINIMAL, ROOT
from tests.processes import TOKEN
from tests.typed import typed

Write = Callable[..., Path]


def check(path: Path) -> tuple[int, list[str], list[str]]:
    """The exit code, the lines of the answer, and the complaints without the file's name before them."""
    ran = typed("check-config", "--config", path)
    complaints = [line.removeprefix(f"{path}").removeprefix(":").strip() for line in ran.stderr.splitlines()]
    return ran.exit_code, ran.stdout.splitlines(), complaints


def test_two_people_on_one_network_take_twelve_lines(write_config: Write) -> None:
    path = write_config(MINIMAL)
    assert len(MINIMAL.splitlines()) <= 12
    code, said, complaints = check(path)
    assert code == 0
    assert said == [
        f"{path}: good: 2 people, 1 network (console), 1 receiver; plugins: alertmanager and escalation"
    ]
    assert complaints == [
        "warning: fallback.command: is not set: when chat is down or nobody answers, nothing else will ring"
    ]


@pytest.mark.parametrize("whole", [False, True], ids=["as it is", "every setting used"])
def test_the_example_is_good(tmp_path: Path, whole: bool) -> None:  # noqa: FBT001
    text = (ROOT / "config.example.toml").read_text()
    if whole:
        for program in ("send-sms", "ring"):
            (tmp_path / program).touch(mode=0o700)
        text = "\n".join(
            line[1:] if line[:1] == "#" and line[1:2] not in (" ", "") else line for line in text.splitlines()
        )
        text = text.replace("/usr/local/bin", str(tmp_path)).replace("/srv/status", str(tmp_path))
    for secret in (
        "prometheus.token",
        "metrics.token",
        "legacy.password",
        "irc.password",
        "irc-server.password",
        "matrix.token",
        "ops.key",
        "alertmanager.token",
        "ntfy.token",
        "sms.key",
        "alice.apprise",
        "mail.password",
        "backup.key",
    ):
        (tmp_path / secret).write_text(TOKEN)
        (tmp_path / secret).chmod(0o600)
    (tmp_path / "heartbeat.url").write_text(f"https://hc-ping.com/{TOKEN}")
    (tmp_path / "heartbeat.url").chmod(0o600)
    for certificate in ("ca.pem", "irc.pem"):
        (tmp_path / certificate).touch()
    path = tmp_path / "config.toml"
    path.write_text(text)
    code, _, complaints = check(path)
    assert code == 0
    left = [line.partition(": warning: ")[2] for line in complaints if "fallback" not in line]
    deaf = "plugins.notify.people: carol is on a schedule or in a team and can't be rung"
    assert [line.partition(": chat")[0] for line in left] == [deaf] * whole


@pytest.mark.parametrize("name", ["shapes", "names"])
def test_every_mistake_is_told_on_its_line_with_its_mend(
    write_config: Write, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each line of the file says behind `#!` what is to be told of it."""
    monkeypatch.setenv("TOCSIN_TEST_SHORT", "short")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    text = (Path(__file__).parent / "mistakes" / f"{name}.toml").read_text()
    path = write_config(text)
    expected = [
        f"{number}: {complaint.strip()}".replace("{folder}", str(path.parent))
        for number, line in enumerate(text.splitlines(), 1)
        for complaint in line.split("#!")[1:]
    ]
    code, said, complaints = check(path)
    assert (code, said) == (2, [])
    assert sorted(complaints[:-1]) == sorted(expected)
    errors = sum(": warning: " not in line for line in expected)
    assert complaints[-1] == f"can't be used: {errors} errors"


def test_complaints_come_in_the_order_of_the_file(write_config: Write) -> None:
    _, _, complaints = check(write_config((Path(__file__).parent / "mistakes" / "shapes.toml").read_text()))
    lines = [int(line.split(":")[0]) for line in complaints[:-1]]
    assert lines == sorted(lines)


def test_a_secret_in_the_wrong_place_is_never_echoed(
    write_config: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_TEST_SHORT", "5h0rt")
    for name in ("shapes", "names"):
        path = write_config((Path(__file__).parent / "mistakes" / f"{name}.toml").read_text())
        ran = typed("check-config", "-c", path)
        assert "hunter2" not in ran.output
        assert "5h0rt" not in ran.output


@pytest.mark.parametrize(
    ("mode", "complaint"),
    [
        (0o644, None),
        (0o640, None),
        (0o600, None),
        (0o664, "its group may write it (mode 0664): chmod 0644 {path}"),
        (0o646, "others may write it (mode 0646): chmod 0644 {path}"),
    ],
)
def test_a_configuration_that_others_may_write_is_refused(
    write_config: Write, mode: int, complaint: str | None
) -> None:
    path = write_config()
    path.chmod(mode)
    code, _, complaints = check(path)
    assert code == (2 if complaint else 0)
    assert not complaint or complaints[0] == complaint.format(path=path)


def test_a_configuration_that_others_may_replace_is_refused(write_config: Write) -> None:
    path = write_config()
    path.parent.chmod(0o777)
    assert check(path)[2][0] == (
        f"others may replace it, since they may write its folder: chmod o-w {path.parent}"
    )
    path.parent.chmod(0o1777)  # sticky, like /tmp: only the owner may
    assert check(path)[0] == 0


@pytest.mark.parametrize(
    ("mode", "complaint"),
    [
        (0o600, None),
        (0o640, None),
        (0o400, None),
        (0o644, "others may read it (mode 0644): chmod 0640 {path}"),
        (0o660, "its group may write it (mode 0660): chmod 0640 {path}"),
    ],
)
def test_a_secret_that_others_may_read_is_refused(
    write_config: Write, mode: int, complaint: str | None
) -> None:
    path = write_config()
    secret = path.with_name("prod.token")
    secret.chmod(mode)
    code, _, complaints = check(path)
    assert code == (2 if complaint else 0)
    assert (
        not complaint
        or complaints[0] == f"3: receivers.prod.token: {secret}: {complaint.format(path=secret)}"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_a_file_of_another_user_is_refused(write_config: Write) -> None:
    path = write_config()
    os.chown(path.with_name("prod.token"), 12345, 0)
    assert "belongs to another user (uid 12345)" in check(path)[2][0]
    os.chown(path, 12345, 0)
    assert "belongs to another user (uid 12345)" in check(path)[2][0]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"one\ntwo\n", "holds more than one line, or control characters"),
        (b"\xff" * 32, "is not UTF-8 text"),
        (b"x" * 70_000, "is too large for a secret"),
    ],
)
def test_a_file_that_holds_no_secret_is_refused(write_config: Write, content: bytes, complaint: str) -> None:
    path = write_config()
    secret = path.with_name("prod.token")
    secret.write_bytes(content)
    code, _, complaints = check(path)
    assert (code, complaints[0]) == (2, f"3: receivers.prod.token: {secret}: {complaint}")


def test_a_systemd_credential_is_found(
    write_config: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "alerts").write_text(TOKEN)
    (folder / "alerts").chmod(0o400)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    path = write_config(MINIMAL.replace('token.file = "prod.token"', 'token.credential = "alerts"'))
    assert check(path)[0] == 0
    (folder / "alerts").rename(
        folder / "tocsin_alerts"
    )  # of a whole folder that LoadCredential=tocsin: names
    assert check(path)[0] == 0
    folder.rename(tmp_path / "elsewhere")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    assert check(path)[2][0].endswith(
        "credentials/alerts: no such file, and systemd gives no credential 'alerts'"
    )
    folder.mkdir()  # beside the configuration, without systemd
    (tmp_path / "elsewhere" / "tocsin_alerts").rename(folder / "alerts")
    assert check(path)[0] == 0
    path = write_config(MINIMAL.replace('token.file = "prod.token"', 'token.credential = "../prod.token"'))
    assert check(path)[2][0] == (
        "3: receivers.prod.token.credential: must be the plain name of a credential, not '../prod.token'"
    )


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"a = [\n1\n b\n", "is not TOML: Unclosed array (at line 3, column 2)"),
        (b"a = '\xff'", "is not UTF-8 text: byte 6"),
        (b"people = 3", "1: people: must be a table, not 3"),
        (b"networks = 3", "1: networks: must be a table, not 3"),
        (b"plugins = [1]", "1: plugins: must be a table, not a list"),
        (b"", "networks: there is no network to page on: add one, such as [networks.console]"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(
    write_config: Write, content: bytes, complaint: str
) -> None:
    path = write_config()
    path.write_bytes(content)
    code, _, complaints = check(path)
    assert (code, complaints[0]) == (2, complaint)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert check(tmp_path / "none.toml") == (
        2,
        [],
        [
            "can't be read: No such file or directory; make one with tocsin init, or name another with --config",
            "can't be used: 1 error",
        ],
    )
    assert check(tmp_path)[2][0] == "can't be read: Is a directory"


NAMES = st.sampled_from(
    [
        "store",
        "web",
        "listen",
        "receivers",
        "networks",
        "people",
        "teams",
        "schedules",
        "severities",
        "fallback",
        "plugins",
        "escalation",
        "alertmanager",
        "console",
        "kind",
        "room",
        "accounts",
        "members",
        "rooms",
        "token",
        "file",
        "policies",
        "routes",
        "match",
        "policy",
        "steps",
        "page",
        "after",
        "default",
        "repeat",
        "command",
    ]
)
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes() | NAMES


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.recursive(
        st.dictionaries(NAMES | st.text(max_size=3), VALUES, max_size=4),
        lambda inner: st.dictionaries(
            NAMES, inner | st.lists(inner | VALUES, max_size=3) | VALUES, max_size=5
        ),
    )
)
def test_any_tables_are_used_or_refused_in_words(tables: dict[str, Any]) -> None:
    try:
        daemon.prepare(Document(Path("config.toml"), "", tables))
    except ConfigError as error:
        assert error.problems
        assert all(problem.text for problem in error.problems)


def test_where_nobody_has_logged_in_on_matrix_it_says_what_to_type(
    write_config: Write, tmp_path: Path
) -> None:
    text = f"""{MINIMAL}
[store]
directory = "{tmp_path}"
[fallback]
command = ["/bin/true"]
[networks.matrix]
homeserver = "https://matrix.example.org"
user = "@tocsin:example.org"
room = "#ops:example.org"
"""
    path = write_config(text)
    code, _, complaints = check(path)
    assert code == 0
    kept = tmp_path / "matrix-matrix" / "account.json"
    line = text.splitlines().index("[networks.matrix]") + 1
    why = f"nobody has logged in on matrix yet, so there is no {kept}: type tocsin matrix login"
    assert complaints == [f"{line}: warning: networks.matrix: nobody is paged there: {why}"]
    assert not kept.parent.exists()  # to look changes nothing
    kept.parent.mkdir(mode=0o700)
    kept.write_text('{"user": "@tocsin:example.org", "device": "TOCSIN", "token": "t"}')
    assert check(path)[2] == []
