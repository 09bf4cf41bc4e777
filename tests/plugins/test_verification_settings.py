"""What the settings of verification say wrongly is told before anything runs, with what would be right."""

import pytest

from tocsin import daemon
from tocsin.config import Document
from tocsin.errors import ConfigError

from tests.plugins.incident_parts import TABLES
from tests.tower import Tower

ONE = """\
[plugins.verification.sources.main]
kind = "prometheus"
url = "http://127.0.0.1:9090"
"""
OTHER = ONE.replace("main", "other")
CHECK = """\
[plugins.verification.checks.errors]
expression = "errors"
"""
PROBED = """\
[plugins.verification.checks.shop]
probe = "shop"
"""


def warned(tower: Tower, *tables: str) -> list[str]:
    """What is told of these settings, and keeps nothing from running."""
    found = daemon.prepare(Document.open(tower.edit(*TABLES, *tables))).warnings
    return [f"{'.'.join(map(str, one.at))}: {one.text}" for one in found if "verification" in one.at]


def test_several_sources_are_told_apart_by_the_receiver(tower: Tower) -> None:
    table = '[plugins.verification]\nreceivers = { prod = "other" }\n'
    assert warned(tower, table + ONE + OTHER) == []
    assert warned(tower, table + ONE) == [
        "plugins.verification.receivers.prod: no source is called 'other'; there is main"
    ]
    with pytest.raises(ConfigError, match="no receiver is called 'prdo'; did you mean 'prod'"):
        warned(tower, table.replace("prod", "prdo") + ONE + OTHER)


@pytest.mark.parametrize(
    ("table", "why"),
    [
        (ONE + OTHER + CHECK, "says no source, and there are several"),
        (ONE + PROBED, "no probe is called 'shop'"),
        (ONE + CHECK + 'probe = "shop"\n', "takes either an expression or a probe"),
        (ONE + CHECK + "tolerance = 2.0\n", "tolerance is a part of the baseline"),
        (ONE + CHECK + 'hold = "25h"\n', "hold must be at most 1d"),
        ('[plugins.verification]\nevery = "5s"\n', "every must be at least 15s, and at most 10m"),
    ],
)
def test_what_can_not_be_is_refused(tower: Tower, table: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        warned(tower, table)


@pytest.mark.parametrize(
    ("expression", "measured"),
    [
        ("errors > 0.02", "errors"),
        ("0.02 < (errors / requests)", "errors / requests"),
        ("up == 0", "up"),
        ("errors", ""),
        ("errors > bool 0.02", ""),  # it is 0 or 1
        ("errors > requests", ""),  # nobody knows which of them is meant
        ("errors >", ""),  # the source says what is wrong with it
    ],
)
def test_a_comparison_is_told_with_what_to_write_instead(
    tower: Tower, expression: str, measured: str
) -> None:
    check = CHECK.replace('"errors"', f'"{expression}"')
    why = f"a comparison gives no data while all is well: write {measured!r}"
    told = [f"plugins.verification.checks.errors.expression: {why}"] if measured else []
    assert warned(tower, ONE + check) == told
    assert warned(tower, ONE + OTHER + check + 'source = "other"\n') == told
    assert warned(tower, ONE.replace('"prometheus"', '"graphite"') + check) == []


def test_a_source_that_is_not_there_is_told(tower: Tower) -> None:
    assert warned(tower, ONE + CHECK + 'source = "mian"\n') == [
        "plugins.verification.checks.errors.source: no source is called 'mian'; did you mean 'main'?"
    ]
