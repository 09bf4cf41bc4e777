"""The site that `make docs` makes of the documents."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "docs"
    ran = subprocess.run([ROOT / ".ci" / "docs", folder], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


def test_it_has_every_page_and_needs_no_network_to_be_read(site: Path) -> None:
    pages = {
        path.relative_to(site).with_suffix("").as_posix(): path.read_text() for path in site.rglob("*.html")
    }
    wanted = {
        path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in (ROOT / "docs").rglob("*.md")
    }
    assert pages.keys() - {"search"} == wanted
    fetched = re.compile(r'<(?:script|img|link|iframe|source)\b[^>]*\b(?:src|href)="((?:https?:)?//[^"]*)"')
    assert [found for page in pages.values() for found in fetched.findall(page)] == []
    styles = [path.read_text() for path in site.rglob("*.css")]
    assert [
        found for style in styles for found in re.findall(r"url\(['\"]?((?:https?:)?//[^)]*)", style)
    ] == []


def test_what_lies_elsewhere_in_the_repository_is_a_page_of_it(site: Path) -> None:
    assert "Keep a Changelog" in (site / "changelog.html").read_text()
    assert "times durable" in (site / "figures.html").read_text()
    assert 'href="changelog.html"' in (site / "install.html").read_text()
