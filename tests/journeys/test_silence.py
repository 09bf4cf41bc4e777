"""A real Alertmanager is told of silences: made, extended and ended in chat, through outages of either."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from signal import SIGKILL

import pytest

from tests.conftest import RUNNABLE
from tests.journeys.test_alertmanager import FACT, Talk, bearer, disk, load, talk
from tests.processes import until
from tests.servers.alertmanager import PASSWORD, USER, Alertmanager, program
from tests.servers.programs import running

# So late a reminder that none comes.
SILENCE = '[plugins.silence]\nwarn = "0s"\n'


@dataclass
class Pair:
    """An Alertmanager and a Tocsin that know one another. config: Tocsin's."""

    sender: Alertmanager
    config: Path

    @contextmanager
    def talk(self) -> Iterator[Talk]:
        with talk(self.config) as tocsin:
            yield tocsin

    def ends(self) -> list[datetime]:
        """When the silences that it keeps end."""
        return [datetime.fromisoformat(one["endsAt"]) for one in self.sender.silences()]


Introduce = Callable[..., Pair]


@pytest.fixture
def introduce(write_config: Callable[..., Path], tmp_path: Path) -> Iterator[Introduce]:
    """What prepares such a pair. credential: what Tocsin is to show, if anything."""
    program("prometheus-alertmanager")
    sender = None
    with talk(write_config(RUNNABLE)) as tocsin:  # whose port is free from now on
        address = tocsin.status()["listening on"]

    def introduce(credential: str = "") -> Pair:
        nonlocal sender
        hook = f"http://{address}/hooks/alertmanager/prod"
        token = bearer(tmp_path / "prod.token")
        sender = Alertmanager(tmp_path / "am", hook, token, locked=bool(credential))
        receiver = f'[plugins.silence.receivers.prod]\nurl = "http://{sender.address}"\n{credential}\n'
        text = RUNNABLE.replace("127.0.0.1:0", address) + SILENCE + receiver
        return Pair(sender, write_config(text))

    yield introduce
    if sender is not None:
        sender.ends(SIGKILL)


def test_a_silence_is_made_extended_and_ended_in_alertmanager_as_in_chat(introduce: Introduce) -> None:
    pair = introduce()
    with running(pair.sender) as sender, pair.talk() as tocsin:
        sender.fires(disk("a"), load())
        group = tocsin.page(FACT)
        tocsin.process.says(f"!silence {group} 30m the disk is being moved")
        until(sender.silences)
        (silence,) = sender.silences()
        matchers = {one["name"]: one["value"] for one in silence["matchers"]}
        assert matchers == {
            "alertname": "DiskFull",
            "instance": "db1",
            "severity": "critical",
            "device": "a",
        }
        assert all(one["isEqual"] and not one["isRegex"] for one in silence["matchers"])
        assert silence["createdBy"] == "alice (tocsin)"
        assert silence["comment"] == f"{group}: the disk is being moved"
        until(lambda: sender.mutes("DiskFull"))
        assert not sender.mutes("LoadHigh")

        (before,) = pair.ends()
        tocsin.process.says("!extend 1h")
        until(lambda: pair.ends()[0] > before)
        (after,) = pair.ends()
        assert timedelta(minutes=29) < after - before < timedelta(minutes=31)

        tocsin.process.says("!unsilence")
        tocsin.tells(f"{group} silence ended by alice: {FACT}", "#ops", "@alice")
        until(lambda: not sender.silences())
        until(lambda: not sender.mutes("DiskFull"))


def test_an_alertmanager_that_is_down_is_told_when_it_is_back(introduce: Introduce) -> None:
    pair = introduce()
    with pair.talk() as tocsin, running(pair.sender) as sender:
        sender.fires(disk())
        group = tocsin.page(FACT)
        sender.ends(SIGKILL)
        tocsin.process.says("!silence 30m")
        failed = f"{group}: timer silence.push failed: Alertmanager does not answer: ClientConnectorError"
        until(lambda: failed in tocsin.process.shown())
        tocsin.process.ends(SIGKILL)
        sender.start()
        with pair.talk():
            until(sender.silences)
            assert len(sender.silences()) == 1


def test_a_wrong_credential_is_told_and_put_right_while_it_runs(introduce: Introduce, tmp_path: Path) -> None:
    secret = tmp_path / "am.password"
    secret.write_text("wrong horse battery staple")
    secret.chmod(0o600)
    pair = introduce(f'user = "{USER}"\npassword.file = "am.password"')
    with pair.talk() as tocsin, running(pair.sender) as sender:
        sender.fires(disk())
        group = tocsin.page(FACT)
        tocsin.process.says("!silence 30m")
        told = f"{group} silence.push failed 3 times (Alertmanager does not take our credential (it answers 401))"
        tocsin.tells(told, "#ops")
        assert sender.silences() == []
        secret.write_text(PASSWORD)
        tocsin.process.says("!extend 1h")  # which is brought there at once
        until(sender.silences)
        log = tocsin.process.shown()
        assert "wrong horse" not in log
        assert PASSWORD not in log
