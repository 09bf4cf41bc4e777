"""A first configuration is cut out of the example, and can be used as it is."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import pytest

from tocsin import daemon
from tocsin.config import Document
from tocsin.config.first import Answers, Part, compose, example, first_config, setting
from tocsin.config.values import CREDENTIALS

from tests.conftest import ROOT
from tests.processes import TOKEN
from tests.typed import typed

IRC = {
    "server": setting("server", "irc.example.org:6697"),
    "room": setting("room", "#ops"),
    "sasl.account": setting("sasl.account", "tocsin"),
    "sasl.password.file": setting("sasl.password.credential", "irc.password"),
}
MATRIX = {
    "homeserver": setting("homeserver", "https://matrix.example.org"),
    "user": setting("user", "@tocsin:example.org"),
    "room": setting("room", "#ops:example.org"),
}
WHOLE = Answers(
    person="dora",
    timezone="Europe/Paris",
    accounts={"irc": "dora", "matrix": "@d:example.org"},
    networks={"irc": IRC, "matrix": MATRIX},
    receiver="am",
    listen="0.0.0.0:8628",
    fallback=["/bin/sh", "-c", 'echo "x"'],
    heartbeat=True,
)


def written(folder: Path, answers: Answers) -> Path:
    """The file, with the secrets that it names."""
    (folder / CREDENTIALS).mkdir(mode=0o700)
    secrets = {"am.token": TOKEN, "irc.password": "x", "heartbeat.url": "https://hc-ping.com/x"}
    for name, secret in secrets.items():
        (folder / CREDENTIALS / name).touch(mode=0o600)
        (folder / CREDENTIALS / name).write_text(secret)
    path = folder / "config.toml"
    path.write_text(first_config(answers))
    path.chmod(0o644)
    return path


@pytest.mark.parametrize(
    "networks",
    [{"irc": IRC}, {"matrix": MATRIX}, {"irc": IRC, "matrix": MATRIX}],
    ids=["irc", "matrix", "both"],
)
def test_it_can_be_used_and_all_is_as_answered(
    tmp_path: Path, networks: Mapping[str, Mapping[str, str]]
) -> None:
    accounts = {name: WHOLE.accounts[name] for name in networks}
    answers = dataclasses.replace(WHOLE, networks=networks, accounts=accounts)
    path = written(tmp_path, answers)
    prepared = daemon.prepare(Document.open(path))
    assert prepared.warnings == ()
    config = prepared.config
    assert list(config.people) == ["dora"]
    assert config.people["dora"].accounts == accounts
    assert str(config.people["dora"].timezone) == "Europe/Paris"
    assert list(config.networks) == list(networks)
    assert (list(config.receivers), str(config.web.listen)) == (["am"], "0.0.0.0:8628")
    assert config.fallback.command == ("/bin/sh", "-c", 'echo "x"')
    assert config.heartbeat.url is not None
    ran = typed("whowould", "--config", path, "severity=critical")
    assert ran.exit_code == 0
    assert ran.output.count("dora") >= 2, "she is paged again if she does not answer"


def test_without_what_nobody_must_have_it_warns_of_the_fallback_alone(tmp_path: Path) -> None:
    answers = dataclasses.replace(WHOLE, listen="", fallback=(), heartbeat=False)
    prepared = daemon.prepare(Document.open(written(tmp_path, answers)))
    assert [problem.at for problem in prepared.warnings] == [("fallback", "command")]
    assert str(prepared.config.web.listen) == "127.0.0.1:8627"
    assert prepared.config.heartbeat.url is None


def test_every_comment_is_the_examples() -> None:
    text = first_config(WHOLE)
    theirs = (ROOT / "config.example.toml").read_text().splitlines()
    title, *lines = text.splitlines()
    assert "tocsin init" in title
    assert [line for line in lines if line.startswith("#") and line not in theirs] == []
    assert sum(line.startswith("# ") for line in lines) > 50
    assert "\n\n\n" not in text


def test_what_the_example_has_no_more_is_our_mistake() -> None:
    for part in (Part("plugins.escalatoin"), Part("web", {"listne": "listne = 1"})):
        with pytest.raises(LookupError, match=r"escalatoin|listne"):
            compose(example(), [part])
