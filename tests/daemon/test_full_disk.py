"""A disk that is really full: a small one of memory, which only this test sees."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT, RUNNABLE

AS_ROOT = ["unshare", "--mount"]
AS_USER = ["unshare", "--user", "--map-root-user", "--mount"]


def may(command: list[str]) -> bool:
    return subprocess.run([*command, "true"], check=False, capture_output=True).returncode == 0


def test_a_full_disk_loses_nothing_that_was_accepted_and_paging_goes_on(
    write_config: Callable[..., Path], tmp_path: Path
) -> None:
    way = next((way for way in (AS_ROOT, AS_USER) if may(way)), None)
    if way is None:
        pytest.skip("neither root nor user namespaces: no disk can be made that only this test fills")
    disk = tmp_path / "disk"
    disk.mkdir()
    script = map(str, [sys.executable, ROOT / "tests" / "full_disk.py", write_config(RUNNABLE), disk])
    ran = subprocess.run(
        [*way, *script],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert ran.returncode == 0, ran.stderr
