"""The site that `make docs` makes of the documents."""

import re
import subprocess
from pathlib import Path

import click
import pytest
from docs._site.declared import everything
from docs._site.example import comments
from docs._site.settings import Setting, meaning, tables

from tocsin import daemon, networks
from tocsin.cli import main
from tocsin.config.tables import FileTables

from tests.conftest import ROOT
from tests.daemon.test_docs import OWN, settings

HEADINGS = {"networks", "plugins", *(table.path[0] for table in tables() if table.path)}
"""The settings that are tables of their own."""


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


def test_it_has_every_setting_and_what_it_means(site: Path) -> None:
    page = (site / "reference" / "settings.html").read_text()
    terms = re.findall(r"<(?:dt|li)>(.*?)</(?:dt|li)>", page, re.DOTALL)
    named = {name for term in terms for name in re.findall(r"[a-z0-9_]+", term)}
    shapes = (FileTables, *networks.SETTINGS.values(), *OWN)
    assert {name for shape in shapes for name in settings(shape)} - named - HEADINGS == set()
    assert not re.search(r"<dd>\s*(<p>)?\s*\.?\s*(</p>)?\s*</dd>", page)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("backup.directory", "Another disk is not lost"),
        ("networks.irc.sasl.password", "SASL PLAIN"),
        ("plugins.escalation.policies.NAME.steps[].hold", "waits while nobody is on call"),
        ("plugins.notify.people.NAME.ways.NAME.headers", "each a secret"),
        ("flapping.hold", "fired again so often"),
        ("plugins.silence.receivers.NAME.password", "How Tocsin proves there who it is"),
        ("plugins.verification.checks.NAME.probe", "What must be back before"),
        ("plugins.reminders.smtp.port", "server that takes mail to audiences"),
        ("plugins.verification.checks.NAME.must", "no all-clear without it"),
    ],
)
def test_what_a_setting_means_is_what_the_example_says_above_it(name: str, told: str) -> None:
    known = comments((ROOT / "config.example.toml").read_text())
    (setting,) = (each for table in tables() for each in table.settings if each.name == name)
    assert told in meaning(setting, known).text


def test_a_setting_of_which_the_example_says_nothing_is_a_mistake() -> None:
    with pytest.raises(LookupError, match=r"does not say what web\.speed is"):
        meaning(Setting(("web", "speed"), "a number", "not set"), {})


@pytest.mark.parametrize(
    ("name", "kind", "usual"),
    [
        ("reopen_within", "a length of time", '`"10m"`'),
        ("networks.irc.server", "an address and a port", "required"),
        ("networks.irc.detail", 'a table, each `"full"` or `"summary"`', "not set"),
        ("receivers.NAME.token", "where a secret is kept", "not set"),
        ("schedules.NAME.layers[].every", "how long a turn is", '`"week"`'),
        ("plugins.handoff.warn", "a list, each a length of time", '`["1d", "1h"]`'),
    ],
)
def test_a_setting_says_what_it_takes_and_what_it_is_if_nobody_says(name: str, kind: str, usual: str) -> None:
    (setting,) = (each for table in tables() for each in table.settings if each.name == name)
    assert (setting.kind, setting.usual) == (kind, usual)


def test_each_kind_of_network_says_how_it_is_chosen(site: Path) -> None:
    page = (site / "reference" / "settings.html").read_text()
    assert [kind for kind in networks.SETTINGS if f'id="networks-{kind}-kind"' not in page] == []


def test_it_has_every_command_of_chat_and_of_the_command_line(site: Path) -> None:
    in_chat = (site / "reference" / "commands.html").read_text()
    known = daemon.vocabulary(everything(), "!").commands
    assert len(known) > 50
    assert [name for name in known if f'id="{name}"' not in in_chat] == []
    page = (site / "reference" / "command-line.html").read_text()
    words = [name for name, each in main.commands.items() if not isinstance(each, click.Group)]
    words += ["matrix login", "matrix trust", "schedule show"]
    assert [name for name in words if f">tocsin {name}<" not in page] == []
    assert "--recovery-key-file" in page


def test_it_has_every_kind_of_event_and_what_that_says(site: Path) -> None:
    page = (site / "reference" / "events.html").read_text()
    assert [kind for kind in daemon.known_events(everything()) if f">{kind}<" not in page] == []
    assert "<td></td>" not in re.sub(r"<td></td>\s*</tr>", "", re.sub(r"<p>\s*</p>", "", page))
