"""What all tests share."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from tocsin import daemon
from tocsin.config import Config, Document
from tocsin.store import Database, State
from tocsin.testing import HandClock

from tests.engine import Start
from tests.processes import TOKEN
from tests.servers.programs import running
from tests.servers.synapse import Synapse

pytest.register_assert_rewrite("tests.networks.contract")

# How long an example takes says nothing on a busy machine; CI tries the same examples each time.
hypothesis.settings.register_profile("tocsin", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.load_profile("tocsin")

ROOT = Path(__file__).parents[1]

Figure = Callable[[str], None]
"""Notes what was measured, to be read at the end of the run."""

MINIMAL = """\
[networks.console]
[receivers.prod]
token.file = "prod.token"
[people.alice]
accounts.console = "alice"
[people.bob]
accounts.console = "bob"
[plugins.alertmanager]
[plugins.escalation]
default = "ops"
[plugins.escalation.policies.ops]
steps = [{ page = "alice" }, { page = "bob", after = "5m" }]
"""

# For a daemon in a process of its own: any port will do.
RUNNABLE = 'web.listen = "127.0.0.1:0"\n' + MINIMAL


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test is a test that did not run: the run fails."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter and reporter.stats.get("skipped"):
        reporter.write_line("in CI a test that was skipped has failed")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Figure:
    return lambda text: record_property("figure", text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Of each test, passed or failed, what it measured: a worker has no terminal of its own."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, ()):
            if report.when == "call":
                for name, text in report.user_properties:
                    if name == "figure":
                        terminalreporter.write_line(text)


@pytest.fixture(scope="session")
def synapse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synapse]:
    """One for all tests that let it live, without limits."""
    with running(Synapse(tmp_path_factory.mktemp("matrix") / "synapse")) as server:
        yield server


@pytest.fixture
def write_config(tmp_path: Path) -> Callable[..., Path]:
    """Write a configuration, by default the minimal one, with the token that it names beside it."""

    def write(text: str = MINIMAL) -> Path:
        token = tmp_path / "prod.token"
        token.write_text(TOKEN + "\n")
        token.chmod(0o600)
        path = tmp_path / "config.toml"
        path.write_text(text)
        path.chmod(0o644)
        return path

    return write


@pytest.fixture
def config(write_config: Callable[..., Path]) -> Config:
    """The minimal configuration, read."""
    return daemon.prepare(Document.open(write_config())).config


@pytest.fixture
def start(config: Config, tmp_path: Path) -> Start:
    """What makes engines for a test."""
    return Start(config, tmp_path / "state")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A database that no daemon uses."""
    state = State.open(tmp_path / "state", HandClock().now())
    database = Database(state)
    yield database
    database.close()
    state.close(in_order=True)
