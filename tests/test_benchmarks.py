"""The benchmarks run, and write down what they find; how fast anything is, no test asks."""

import json
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT


def test_the_benchmarks_run_with_small_numbers(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "benchmarks",
        "--tiny",
        "--into",
        str(tmp_path),
        "calm",
        "timers",
        "turns",
    ]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    assert {row["what"].partition(":")[0] for row in results["rows"]} >= {"calm", "timers"}
    table = (tmp_path / "RESULTS.md").read_text()
    assert all(f"| {row['what']} |" in table for row in results["rows"])
    assert str(ROOT) not in table
