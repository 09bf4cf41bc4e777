"""Plugins are found by entry point, built from their table, and each failure names the plugin."""

import itertools
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from click.testing import CliRunner, Result

from tocsin.cli import main

from tests.conftest import MINIMAL

NUMBERS = itertools.count()

Install = Callable[..., None]
Write = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Lay a distribution with one plugin on the path, as an installer would."""

    def lay(source: str, *, name: str = "extra", distribution: str = "tocsin-extra") -> None:
        folder = tmp_path / distribution
        module = f"extra_{next(NUMBERS)}"  # Python keeps what it once imported
        info = folder / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[tocsin]\n{name} = {module}:Extra\n")
        (folder / f"{module}.py").write_text(dedent(source))
        monkeypatch.syspath_prepend(folder)

    return lay


def run(command: str, path: Path) -> Result:
    ran = CliRunner().invoke(main, [command, "--config", str(path)])
    assert ran.exception is None or isinstance(ran.exception, SystemExit)
    return ran


GOOD = """
    from dataclasses import dataclass
    from tocsin.api import Problem, Duration, hookimpl

    @dataclass(frozen=True)
    class Extra:
        '''Does something more.

        At length.
        '''

        every: Duration

        @hookimpl
        def check_settings(self, config):
            return [Problem(("every",), f"is odd for {len(config.people)} people", fatal=False)]
"""


def test_a_plugin_is_built_from_its_table_and_asked(install: Install, write_config: Write) -> None:
    install(GOOD)
    path = write_config(MINIMAL + "[plugins.extra]\nevery = '5m'\n")
    ran = run("check-config", path)
    assert ran.exit_code == 0
    assert f"{path}:14: warning: plugins.extra.every: is odd for 2 people" in ran.stderr
    assert "plugins: alertmanager, escalation and extra" in ran.stdout


def test_its_settings_are_checked_like_our_own(install: Install, write_config: Write) -> None:
    install(GOOD)
    path = write_config(MINIMAL + "[plugins.extra]\nevry = 5\n")
    ran = run("check-config", path)
    assert ran.exit_code == 2
    assert f"{path}:13: plugins.extra.every: is required" in ran.stderr
    assert f"{path}:14: plugins.extra.evry: no such setting; did you mean 'every'?" in ran.stderr


def test_what_is_installed_is_listed_and_how_to_enable_it(install: Install, write_config: Write) -> None:
    install(GOOD)
    lines = run("plugins", write_config()).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["alertmanager", "escalation", "extra"]
    assert lines[2].endswith("tocsin-extra 1.2   not enabled: add [plugins.extra]")
    lines = run("plugins", write_config(MINIMAL + "[plugins.extra]\nevery = '5m'\n")).stdout.splitlines()
    assert lines[2].endswith("Does something more. Hooks: check_settings.")


def test_what_is_not_enabled_is_not_imported(install: Install, write_config: Write) -> None:
    install("raise RuntimeError('imported')")
    assert run("check-config", write_config()).exit_code == 0
    assert run("plugins", write_config()).exit_code == 0


FRAME = """
    from dataclasses import dataclass
    from tocsin.api import Problem, hookimpl
"""


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        (
            "import nosuch",
            "can't be imported from tocsin-extra: ModuleNotFoundError: No module named 'nosuch'",
        ),
        ("Other = 1", "can't be imported from tocsin-extra: AttributeError: "),
        ("raise SystemExit(0)", "can't be imported from tocsin-extra: SystemExit: 0"),
        ("Extra = 1", ":Extra is not a dataclass"),
        ("class Extra: pass", ":Extra is not a dataclass"),
        (FRAME + "    @dataclass\n    class Extra: pass", "is not frozen: @dataclass(frozen=True)"),
        (
            FRAME + "    @dataclass(frozen=True)\n    class Extra:\n        x: memoryview",
            "its settings can't be read from TOML: Unable to generate pydantic-core schema for <class 'memoryview'>",
        ),
        (
            FRAME + "    @dataclass(frozen=True)\n    class Extra:\n        x: 'Nosuch'",
            "its settings can't be read from TOML: ",
        ),
        (
            FRAME
            + "    @dataclass(frozen=True)\n    class Extra:\n        @hookimpl\n        def chek_settings(self, config): ...",
            "there is no hook 'chek_settings'; did you mean 'check_settings'?",
        ),
        (
            FRAME
            + "    @dataclass(frozen=True)\n    class Extra:\n        @hookimpl\n        def check_settings(self, cfg): ...",
            "Argument(s) {'cfg'} are declared in the hookimpl but can not be found in the hookspec",
        ),
        (
            FRAME
            + "    @dataclass(frozen=True)\n    class Extra:\n        @hookimpl\n        def check_settings(self):\n"
            + "            return 1 / 0",
            "check_settings failed: ZeroDivisionError: division by zero",
        ),
        (
            FRAME
            + "    @dataclass(frozen=True)\n    class Extra:\n        @hookimpl\n        def check_settings(self): ...",
            "check_settings failed: TypeError: 'NoneType' object is not iterable",
        ),
        (
            FRAME
            + "    @dataclass(frozen=True)\n    class Extra:\n        @hookimpl\n        def check_settings(self): return 'x'",
            "check_settings returned 'x', which is no Problem",
        ),
        (
            FRAME
            + "    @dataclass(frozen=True)\n    class Extra:\n        def __post_init__(self): raise KeyError('oops')",
            "can't be built: KeyError: 'oops'",
        ),
    ],
)
def test_a_plugin_that_breaks_its_contract_is_named(
    install: Install, write_config: Write, source: str, complaint: str
) -> None:
    install(source)
    path = write_config(MINIMAL + "[plugins.extra]\n")
    ran = run("check-config", path)
    assert ran.exit_code == 2
    assert ran.stderr.startswith(f"{path}: plugin 'extra': ")
    assert complaint in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_two_packages_with_one_plugin_are_both_named(install: Install, write_config: Write) -> None:
    install(GOOD, distribution="tocsin-one")
    install(GOOD, distribution="tocsin-two")
    ran = run("plugins", write_config())
    assert ran.exit_code == 2
    assert "plugin 'extra': is brought by tocsin-two and by tocsin-one: uninstall one" in ran.stderr
