"""The documents say what the code does."""

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from importlib.metadata import entry_points
from typing import Any, get_args, get_type_hints

import pytest

from tocsin import api, hookspecs, networks
from tocsin.cli import main
from tocsin.config import Address
from tocsin.config.tables import FileTables
from tocsin.domain.labels import Matchers
from tocsin.domain.oncall import QuietHours
from tocsin.domain.rota import Hours

from tests.conftest import ROOT

HOOKS = [name for name, each in vars(hookspecs).items() if hasattr(each, "tocsin_spec")]
OWN = [point.load() for point in entry_points(group="tocsin") if point.dist and point.dist.name == "tocsin"]


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_has_its_paragraph_a_test_and_a_plugin_of_ours(hook: str) -> None:
    assert f"\n### `{hook}(" in (ROOT / "docs" / "plugins.md").read_text()
    assert any(hasattr(getattr(plugin, hook, None), "tocsin_impl") for plugin in OWN)
    assert any(f"def {hook}(" in path.read_text() for path in (ROOT / "tests").rglob("*.py"))


def test_all_that_a_plugin_may_import_is_explained() -> None:
    manual = (ROOT / "docs" / "plugins.md").read_text()
    assert [name for name in api.__all__ if not re.search(rf"`[^`\n]*\b{name}\b", manual)] == []


def settings(shape: Any) -> Iterator[str]:
    """The names of all settings of a dataclass and of those inside it."""
    for inner in get_args(shape):
        yield from settings(inner)
    if is_dataclass(shape) and shape not in (
        Address,
        Hours,
        Matchers,
        QuietHours,
    ):  # these are written as one text
        hints = get_type_hints(shape)
        for field in fields(shape):
            yield field.name
            yield from settings(hints[field.name])


def test_the_example_names_every_setting() -> None:
    text = (ROOT / "config.example.toml").read_text()
    wanted = {name for shape in (FileTables, *networks.SETTINGS.values(), *OWN) for name in settings(shape)}
    assert sorted(name for name in wanted if not re.search(rf"(?m)(^|[#\s.{{\[]){name}\b", text)) == []


def test_the_readme_names_every_command() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [name for name in main.commands if f"tocsin {name}" not in readme] == []


def test_the_readme_links_to_what_there_is() -> None:
    linked = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "README.md").read_text())
    assert len(linked) > 20
    assert [path for path in linked if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("name", ["security", "promises"])
def test_what_is_said_to_hold_is_held_by_tests_that_there_are(name: str) -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / f"{name}.md").read_text()))
    there = {
        found
        for path in (ROOT / "tests").rglob("test_*.py")
        for found in re.findall(r"(?m)^(?:async )?def (test_\w+)\(", path.read_text())
    }
    assert len(named) > 15
    assert named - there == set()


def rows(text: str) -> list[list[str]]:
    """The cells of all tables."""
    return [
        line.strip("| ").split(" | ") for line in text.replace("| |", "|  |").splitlines() if line[:2] == "| "
    ]


def test_each_figure_that_is_told_was_measured_and_has_its_own_goal() -> None:
    measured = {
        (row[2].strip(), row[1].strip())
        for row in rows((ROOT / "benchmarks" / "RESULTS.md").read_text())
        if len(row) > 2
    }
    _, fast = (ROOT / "docs" / "promises.md").read_text().split("## How fast it is")
    told = [
        (row[1].strip(), (row[2] if len(row) > 2 else "").strip().removeprefix("missed: "))
        for row in rows(fast)[1:]
    ]
    assert len(told) > 12
    for figure, goal in told:
        assert [theirs for one, theirs in measured if one == figure and goal in theirs], (figure, goal)
