"""The benchmarks run, and write down what they find; how fast anything is, no test asks."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from benchmarks.heard import Heard

from tests.conftest import ROOT
from tests.servers.programs import program
from tests.servers.synapse import VENV


def run(folder: Path, *names: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", "--tiny", "--into", str(folder), *names]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)


def written(folder: Path, ran: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """The rows that it wrote, each of which is in the table as well."""
    assert ran.returncode == 0, ran.stderr
    rows: list[dict[str, Any]] = json.loads((folder / "results.json").read_text())["rows"]
    table = (folder / "RESULTS.md").read_text()
    assert all(f"| {row['what']} |" in table for row in rows)
    assert str(ROOT) not in table
    return rows


@pytest.mark.alone
def test_the_benchmarks_run_with_small_numbers(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    rows = written(folder, run(folder, "calm", "timers", "turns", "rotas", "incidents"))
    assert {row["what"].partition(":")[0] for row in rows} >= {"calm", "timers"}
    assert any("!timeline" in row["what"] and row["measured"]["p99"] > 0 for row in rows)
    assert any("who now" in row["what"] and row["direct"] > 0 for row in rows)
    peers = (folder / "RESULTS.md").read_text().partition("## Beside others")[2]
    assert "| **Tocsin** |  |  |  |  |" in peers, "it was not on IRC"
    assert "| Limnoria | 443 ms | 450 | 2.13 s | 11 | 807 |" in peers


@pytest.mark.alone
def test_they_run_on_real_irc_servers(tmp_path: Path) -> None:
    for server in ("ngircd", "inspircd"):
        program(server, server)
    rows = written(tmp_path, run(tmp_path, "irc"))
    for ircd in ("ngIRCd", "InspIRCd"):
        mine = {row["beside"].removesuffix(f" {ircd}"): row for row in rows if row["beside"].endswith(ircd)}
        assert mine.keys() == {"calm", "accepted", "burst", "storm", "lost"}
        assert mine["lost"]["measured"] == {"": 0}
        assert mine["storm"]["measured"][""] > 0
    table = (tmp_path / "RESULTS.md").read_text()
    assert "| **Tocsin** |  |" not in table, "the peers' table shows ours"


@pytest.mark.alone
def test_they_run_on_a_real_homeserver(tmp_path: Path) -> None:
    if not (VENV / "made-from").exists():
        pytest.skip("Synapse is missing: run .ci/synapse")
    rows = written(tmp_path, run(tmp_path, "matrix"))
    assert sum("a bare PUT to event seen" in row["what"] for row in rows) == 2, "in the clear, and encrypted"
    assert any("storm of 8 on Synapse" in row["what"] for row in rows)
    (refused,) = [row for row in rows if "429" in row["what"]]
    assert refused["measured"] == {"": 0}


@pytest.mark.alone
def test_they_run_beside_a_real_prometheus(tmp_path: Path) -> None:
    for name in ("prometheus", "promtool"):
        program(name, "prometheus")
    rows = written(tmp_path, run(tmp_path, "checks"))
    (told,) = [row for row in rows if "until all are told" in row["what"]]
    assert told["what"].startswith("6 checks of 3 incidents")
    assert told["direct"] > 1
    (asked,) = [row for row in rows if "questions to Prometheus" in row["what"]]
    assert asked["measured"][""] >= 12, "each of six checks is read each quarter of a minute"
    assert all(row["measured"][""] > 0 for row in rows if "stalls" in row["what"])


def test_an_irc_server_that_is_missing_is_named(tmp_path: Path) -> None:
    code = "import os; os.environ['PATH'] = ''; import shutil; shutil.which = lambda *_, **__: None; "
    code += f"from benchmarks.__main__ import main; main(['irc', '--tiny', '--into', {str(tmp_path)!r}])"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == 1
    assert ran.stderr == "Error: ngircd is missing: install Debian's ngircd, as .ci/servers does\n"


def test_an_alert_is_counted_once_however_it_is_told() -> None:
    heard = Heard()
    for at, text in enumerate(
        [
            "k7f3 alice paged: critical Load7 db0 · !ack k7f3",
            "k7f3 alice paged: critical Load7 db0 · !ack k7f3",
            "d4k2 alice paged: 1,998 alerts: 1,990 critical Load1 and 8 of 3 other names · !ack d4k2",
            "d4k2 alice paged: 1,998 alerts: 1,990 critical Load1 and 8 of 3 other names · !ack d4k2",
            "tocsin is back",
            "x2x2 1 alerts: 1 critical Load8 · !ack x2x2",
        ]
    ):
        heard.hear(text, float(at))
    assert heard.count == 2000
    assert [heard.when(count) for count in (1, 2, 1999, 2000, 2001)] == [0, 2, 2, 5, None]
    assert len(heard.lines) == 6
