"""What journeys share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.ircd import Ngircd
from tests.servers.programs import running


@pytest.fixture
def ngircd(tmp_path: Path) -> Iterator[Ngircd]:
    """One of a test's own, which it may kill."""
    with running(Ngircd(tmp_path / "ngircd")) as server:
        yield server
