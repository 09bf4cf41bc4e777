"""What is built and pinned is what the repository says."""

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT, RUNNABLE
from tests.posted import payload
from tests.processes import started, until

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
PLUGINS = sorted(path.name for path in (ROOT / "plugins").iterdir() if (path / "__init__.py").exists())


def pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_every_module_under_its_own_name(wheel: Path) -> None:
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    ours = {
        path.relative_to(ROOT / top).as_posix()
        for top in ("daemon", "plugins")
        for path in (ROOT / top).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert packed == ours | {"tocsin/config/example.toml"}


def test_the_wheel_and_a_strangers_plugin_run_from_where_they_are_installed(
    wheel: Path, tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    site = tmp_path / "site"
    pip(
        "install",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        site,
        wheel,
        ROOT / "tests/third_party/deploys",
    )
    path = write_config(RUNNABLE + "[plugins.deploys]\nservices = ['api']\n")
    tocsin, environment = site / "bin" / "tocsin", {**os.environ, "PYTHONPATH": str(site)}
    ran = subprocess.run(
        [tocsin, "plugins", "--config", path], capture_output=True, text=True, check=True, env=environment
    )
    assert [line.split()[0] for line in ran.stdout.splitlines()] == [
        "alertmanager",
        "deploys",
        "escalation",
        "handoff",
        "heartbeats",
        "incidents",
        "notify",
        "postmortem",
        "reminders",
        "schedules",
        "silence",
        "timeline",
        "verification",
    ]
    assert "Tells of each deploy while an alert is open." in ran.stdout

    with started(path, [tocsin, "run", "--config", path], environment) as running:
        assert running.post("alertmanager/prod", payload("DiskFull", "firing")) == 202
        until(lambda: "paging alice" in running.shown())
        alert = running.shown().split(" paging alice")[0].split()[-1]
        assert running.post("deploys/landed/prod", {"service": "mail"}) == 400
        assert running.post("deploys/landed/prod", {"service": "api"}) == 202
        until(lambda: f"<tocsin> {alert} api was deployed" in running.shown())
        running.says(f"!deploys {alert}")
        until(lambda: "<tocsin> api was deployed" in running.shown())
        running.says(f"!why {alert}")
        until(lambda: re.search(r"<tocsin> [0-9:]+ UTC api was deployed", running.shown()))


def test_every_plugin_is_declared_and_watched() -> None:
    points = PROJECT["project"]["entry-points"]["tocsin"]
    assert sorted(f"tocsin_{name}" for name in points) == PLUGINS
    assert all(target.startswith(f"tocsin_{name}:") for name, target in points.items())
    linter = PROJECT["tool"]["importlinter"]
    assert sorted(linter["root_packages"]) == ["tocsin", *PLUGINS]
    independence = next(each for each in linter["contracts"] if each["type"] == "independence")
    assert sorted(independence["modules"]) == PLUGINS
    assert sorted(PROJECT["tool"]["ruff"]["lint"]["isort"]["known-first-party"]) == ["tocsin", *PLUGINS]


def test_all_but_the_api_is_closed_to_plugins() -> None:
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    protected = next(each for each in contracts if each["type"] == "protected")["protected_modules"]
    modules = {path.stem for path in (ROOT / "daemon" / "tocsin").iterdir() if not path.name.startswith("_")}
    assert set(protected) == {f"tocsin.{name}" for name in modules - {"api", "testing", "py"}}


def pinned(name: str) -> Iterator[Requirement]:
    for line in (ROOT / "requirements" / name).read_text().splitlines():
        assert not line.startswith(("-", "http")), "no index or option belongs into a lock file"
        if line[:1].isalnum():
            yield Requirement(line.removesuffix(" \\"))


def group(name: str) -> Iterator[str]:
    for each in PROJECT["dependency-groups"][name]:
        if isinstance(each, dict):
            yield from group(each["include-group"])
        else:
            yield each


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        (
            "run.txt",
            [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["plots"]],
        ),
        ("build.txt", [*group("build"), *PROJECT["build-system"]["requires"]]),
        ("dev.txt", [*PROJECT["project"]["dependencies"], *group("dev")]),
        ("lock.txt", [*group("lock")]),
        ("synapse.txt", [*group("synapse")]),
    ],
)
def test_the_lock_pins_what_the_project_asks_for(lock: str, wanted: list[str]) -> None:
    pins = {canonicalize_name(each.name): each for each in pinned(lock)}
    for requirement in map(Requirement, wanted):
        (pin,) = pins[canonicalize_name(requirement.name)].specifier
        assert pin.operator == "=="
        assert pin.version in requirement.specifier


def test_what_runs_is_what_was_tested() -> None:
    tested = {each.name: str(each) for each in pinned("dev.txt")}
    for name in ("run.txt", "build.txt"):
        assert {each.name: str(each) for each in pinned(name)}.items() <= tested.items()


def test_what_runs_on_node_is_pinned_and_comes_from_no_index_of_its_own() -> None:
    folder = ROOT / "tests" / "servers" / "js"
    wanted = json.loads((folder / "package.json").read_text())["dependencies"]
    packages = json.loads((folder / "package-lock.json").read_text())["packages"]
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    for path, package in packages.items():
        assert "resolved" not in package
        assert not path or package["integrity"].startswith("sha512-")
