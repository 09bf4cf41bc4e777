"""Templates of the operator's: what they may do, and what is said of one that does more."""

import pytest

from tocsin_reminders.events import Moment
from tocsin_reminders.wording import PUBLIC, USUAL, problems, rendered

VALUES: dict[str, str | bool] = {
    "number": "42",
    "severity": "sev2",
    "title": "x" * 5000,
    "state": "declared",
    "text": "half\nis \t back\u202e\x02",
    "next": "",
    "link": "",
    "drill": False,
}


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{{ titel }}", "nothing is called 'titel'; did you mean 'title'?"),
        ("{{ owner }}", "nothing is called 'owner'; there is number"),
        ("{{ title", "can't be read"),
        ("{% for x in title %}{{ x }}{% endfor %}", "for can't be used here"),
        ("{{ range(10) }}", "call can't be used here"),
        ("{{ title.__class__ }}", "getattr can't be used here"),
        ("{{ title['x'] }}", "getitem can't be used here"),
        ("{{ title * 1000000000 }}", "mul can't be used here"),
        ("{{ 9 ** 999999999 }}", "pow can't be used here"),
        ("{{ title | center(1000000000) }}", "the filter 'center' can't be used here"),
        ("{{ title is escaped }}", "the test 'escaped' can't be used here"),
        ("{% set x = 1 %}", "assign can't be used here"),
        ("{% include 'x' %}", "include can't be used here"),
        ("{% macro x() %}{% endmacro %}", "macro can't be used here"),
        ("{% if next > 3 %}x{% endif %}", "fails with a sample"),
        ("{{ title | truncate('x') }}", "fails with a sample"),
        ("x" * 2001, "is longer than 2,000 characters"),
    ],
)
def test_what_does_more_than_say_something_is_refused(template: str, why: str) -> None:
    assert why in "; ".join(problems(template))


@pytest.mark.parametrize("moment", list(Moment))
def test_what_is_usual_has_no_problems_and_ends(moment: Moment) -> None:
    for wording in (USUAL, PUBLIC):
        assert list(problems(wording.of(moment))) == []
        assert len(rendered(wording.of(moment), VALUES)) <= 2000


@pytest.mark.parametrize("moment", list(Moment))
def test_all_the_world_reads_nothing_that_somebody_typed(moment: Moment) -> None:
    for field in ("title", "text", "severity"):
        assert field not in PUBLIC.of(moment)


def test_a_text_is_one_line() -> None:
    assert rendered("a\n{{ text }}\n  b", VALUES) == "a half is back b"
