"""The alerting rules and the dashboard: what they ask for is there, and the rules say what they should."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest

from tests.conftest import ROOT
from tests.daemon.measured import Measured, measured
from tests.engine import Start, fires
from tests.servers.programs import program
from tests.tower import TWO_STEPS, Tower

RULES = ROOT / "docs" / "tocsin.rules.yml"
DASHBOARD = ROOT / "docs" / "tocsin.dashboard.json"
TESTS = ROOT / "tests" / "daemon" / "rules"

ALERT = re.compile(r"^      - alert: (\w+)", re.MULTILINE)


def promtool(*command: str | Path) -> str:
    ran = subprocess.run(
        [program("promtool", "prometheus"), *command], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_prometheus_takes_the_rules() -> None:
    found = promtool("check", "rules", RULES)
    assert f"{len(ALERT.findall(RULES.read_text()))} rules found" in found


@pytest.mark.parametrize("name", ["minutes", "days"])
def test_the_rules_say_what_they_should(name: str) -> None:
    assert "SUCCESS" in promtool("test", "rules", TESTS / f"{name}.test.yml")


def test_each_rule_has_a_test_in_which_it_fires() -> None:
    tested = "\n".join(path.read_text() for path in TESTS.glob("*.yml"))
    fired = set(re.findall(r'alertname="(\w+)"', tested))
    assert set(ALERT.findall(RULES.read_text())) == fired


# ── What they ask for ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Asked:
    """Series that an expression asks for. where: it stands. matchers: without those of the scraping Prometheus' own labels."""

    where: str
    name: str
    matchers: Sequence[tuple[str, str, str]]

    def is_answered(self, found: Measured) -> bool:
        return any(
            name == self.name
            and all(holds(sign, dict(labels).get(label, ""), value) for label, sign, value in self.matchers)
            for name, labels in found.samples
        )


def holds(sign: str, value: str, wanted: str) -> bool:
    same = value == wanted if sign in ("=", "!=") else re.fullmatch(wanted, value) is not None
    return same is (sign in ("=", "=~"))


def board() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return found


def expressions() -> Iterator[tuple[str, str]]:
    """Of the rules and the dashboard: where each stands, and what it says to Prometheus."""
    for rule in re.split(r"(?m)^      - alert: ", RULES.read_text())[1:]:
        said = re.search(r"(?ms)^        expr: (?:>-\n)?(.*?)^        (?:for|labels):", rule)
        assert said is not None, rule
        yield rule.split()[0], said[1]
    shown = board()
    for one in (*shown["panels"], *shown["annotations"]["list"]):
        for target in one.get("targets", [one]):
            yield one.get("title", "annotation"), target["expr"].replace("$__rate_interval", "5m")
    for variable in shown["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], re.sub(r"^label_values\((\w+), \w+\)$", r"\1", variable["definition"])


def asked_for() -> Iterator[Asked]:
    for where, expression in expressions():
        found: list[promql.VectorSelector] = []

        def look(part: promql.Expr, found: list[promql.VectorSelector] = found) -> bool:
            if isinstance(part, promql.VectorSelector):
                found.append(part)
            return True

        promql.walk(promql.parse(expression), look)
        for selector in found:
            matchers = [(one.name, _sign(one.op), one.value) for one in selector.matchers.matchers]
            yield Asked(
                where, selector.name or "", [one for one in matchers if one[0] not in ("job", "instance")]
            )


def _sign(op: promql.MatchOp) -> str:
    ops = promql.MatchOp
    return next(
        sign
        for sign, one in (("=", ops.Equal), ("!=", ops.NotEqual), ("=~", ops.Re), ("!~", ops.NotRe))
        if one == op
    )


async def test_all_that_they_ask_for_is_there(write_config: Callable[..., Path], tmp_path: Path) -> None:
    tower = Tower(write_config, tmp_path / "state")
    async with tower(TWO_STEPS) as engine:
        await engine.report(fires())
        found = await measured(engine)
    asked = [one for one in asked_for() if one.name != "up"]
    assert len(asked) > 40
    assert [one for one in asked if not one.is_answered(found)] == []


def test_the_dashboard_is_one_screen_and_asks_whom_it_is_told_to() -> None:
    shown = board()
    assert len({panel["id"] for panel in shown["panels"]}) == len(shown["panels"])
    assert max(panel["gridPos"]["x"] + panel["gridPos"]["w"] for panel in shown["panels"]) == 24
    assert max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in shown["panels"]) <= 28
    places = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in shown["panels"]
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]
    assert len(places) == len(set(places)), "two panels overlap"
    assert (
        shown["templating"]["list"][0] | {"type": "datasource", "query": "prometheus"}
        == shown["templating"]["list"][0]
    )
    sources = {one["datasource"]["uid"] for panel in shown["panels"] for one in (panel, *panel["targets"])}
    assert sources == {"${datasource}"}
    assert all(
        'instance="$instance"' in target["expr"] for panel in shown["panels"] for target in panel["targets"]
    )


async def test_the_manual_names_every_metric_and_no_other(start: Start) -> None:
    manual = (ROOT / "docs" / "monitoring.md").read_text()
    async with start() as engine:
        found = await measured(engine)
    there = {
        name + "_total" * (kind == "counter") + "_info" * (kind == "info")
        for name, kind in found.types.items()
        if name.startswith("tocsin_")
    }
    assert set(re.findall(r"`(tocsin_\w+)", manual)) == there
