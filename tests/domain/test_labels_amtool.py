"""Alertmanager's own amtool is the judge of what matchers mean. It may be one that knows the classic syntax alone."""

import json
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tocsin.domain.labels import Matchers

from tests.processes import PATIENCE
from tests.servers.alertmanager import program

ODD = [
    "",
    "{}",
    "{ }",
    ",",
    "team=db",
    'team="db"',
    " team != db ",
    "team\t=\tdb",
    'team="db",',
    'team="db", ',
    'team="db" ,severity="critical"',
    'team="db",severity="critical"',
    '{team="db",severity="critical"}',
    '{team="db"',
    'team="db"}',
    '{team = "db", severity != "critical", }',
    '{{team="db"}}',
    "team=",
    'team=""',
    'team!=""',
    "team!=",
    "team= db ",
    'team=" db "',
    "team=two words",
    "team=db=x",
    "team==db",
    "team===db",
    "team=~=db",
    "team=!db",
    "team=~db",
    "team =~ db",
    "team!~db",
    'team=~"d|web"',
    'team=~"db|web"',
    'team!~"db|web"',
    'team=~"^db$"',
    'team=~"b"',
    'team=~".b"',
    'team=~"."',
    'team=~".*"',
    'team=~".+"',
    'team!~".+"',
    'team=~"(?i)DB"',
    'team=~"(?s)a.b"',
    'team=~"a.b"',
    r'team=~"a\\sb"',
    r'team=~"a\sb"',
    r'team=~"\w+"',
    r'team=~"\pL+"',
    r'team=~"[[:alpha:]]+"',
    r'team=~"\Qa.b\E"',
    r'team=~"\x64b"',
    r'team=~"\bdb\b"',
    r'team=~"d{1}b{1,2}"',
    r'team=~"(?P<x>d)b"',
    r'team=~"\z"',
    r'team=~"\Z"',
    r'team=~"db\z"',
    'team=~"(x"',
    'team=~"(?=db)"',
    'team=~"(?!db)"',
    r'team=~"(d)\1"',
    'team=~"x{2000}"',
    'team=~"[b-a]"',
    'team=~"*"',
    'team=~"d**"',
    'team=~"db++"',
    'team=~""',
    "team=~",
    r'team="a\"b"',
    r"team=a\"b",
    'team=a"b',
    'team="a"b"',
    'team="db',
    'team=db"',
    r'team="db\"',
    r'team="db\\"',
    r'team="a\nb"',
    r"team=a\nb",
    r'team="a\tb"',
    r'team="a\\nb"',
    r'team="a\b"',
    r"team=\\",
    'team="a\nb"',
    'team="a,b"',
    "team=a,b",
    r'team="a\",b"',
    r'team="a\\",severity="critical"',
    r'team=~"\d,\w"',
    r'team="\d\\",severity="critical"',
    "team='db'",
    "team=`db`",
    'team="größe"',
    "team=größe",
    'team="\u00a0db"',
    'team="🔥"',
    "_a1=db",
    "a:b=db",
    "team",
    "=db",
    '="db"',
    "team~db",
    "team=db;severity=critical",
    'team="db" severity="critical"',
    'team="db",,severity="critical"',
    ',team="db"',
]
"""What people write, and what they don't."""

VALUES = ["", "db", "DB", "a\nb", "a b", "a,b", "a\\b", 'a"b', "größe", "🔥", " db "]
SETS: list[dict[str, str]] = [{}, *({"team": value} for value in VALUES)]
SETS += [{"team": "db", "severity": "critical"}, {"severity": "critical", "_a1": "db", "a:b": "db"}]

BLANK = st.sampled_from(["", "", " ", "\t ", "\n"])
CHARS = st.text(st.sampled_from(list("abn\"\\,=~!{} .*|([]^$?+-'`\n\tö🔥")), max_size=5)
VALUE = st.one_of(
    CHARS, CHARS.map('"{}"'.format), CHARS.map(lambda text: json.dumps(text, ensure_ascii=False))
)
MATCHER = st.tuples(
    BLANK,
    st.sampled_from(["team", "severity", "_a1", "a:b"]),
    BLANK,
    st.sampled_from(["=", "!=", "=~", "!~"]),
    BLANK,
    VALUE,
    BLANK,
).map("".join)
TEXT = st.one_of(MATCHER, st.lists(MATCHER, max_size=3).map(",".join), MATCHER.map("{{{}}}".format))


class Amtool:
    """The judge."""

    def __init__(self, folder: Path) -> None:
        """Its questions are written to a folder."""
        self._program = program("amtool")
        self._folder = folder

    def accepts(self, texts: Sequence[str]) -> list[bool]:
        """Which of these texts are matchers."""
        paths = [self._write(f"{number}.yml", [text]) for number, text in enumerate(texts)]
        verdicts = re.findall(
            r"^Checking '.*'  (SUCCESS|FAILED)", self._run("check-config", *paths), re.MULTILINE
        )
        assert len(verdicts) == len(texts)
        return [verdict == "SUCCESS" for verdict in verdicts]

    def matching(self, texts: Sequence[str], labels: Mapping[str, str]) -> set[str]:
        """Those of these matchers by which an alert with these labels would be routed."""
        said = self._run(
            "config",
            "routes",
            "test",
            f"--config.file={self._write('all.yml', texts)}",
            *map(_quoted, labels.items()),
        )
        receivers = said.strip().split(",")
        return {texts[int(name)] for name in receivers if name != "nobody"}

    def _write(self, name: str, texts: Iterable[str]) -> Path:
        """A configuration with a route for each text; the receivers are called by their numbers."""
        routes = [
            {"receiver": str(number), "matchers": [text], "continue": True}
            for number, text in enumerate(texts)
        ]
        receivers = [{"name": name} for name in ("nobody", *(route["receiver"] for route in routes))]
        config = {"route": {"receiver": "nobody", "routes": routes}, "receivers": receivers}
        path = self._folder / name
        path.write_text(json.dumps(config, ensure_ascii=False))
        return path

    def _run(self, *arguments: str | Path) -> str:
        done = subprocess.run(
            [self._program, *arguments], capture_output=True, text=True, check=False, env={}, timeout=PATIENCE
        )
        assert done.stdout, done.stderr
        return done.stdout


def _quoted(label: tuple[str, str]) -> str:
    name, value = label
    return name + '="' + value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n") + '"'


@pytest.fixture(scope="module")
def amtool(tmp_path_factory: pytest.TempPathFactory) -> Amtool:
    return Amtool(tmp_path_factory.mktemp("amtool"))


def read(text: str) -> Matchers | None:
    """The text as we read it; None if we refuse it."""
    try:
        return Matchers.parse(text)
    except ValueError:
        return None


def agree(amtool: Amtool, texts: Sequence[str], sets: Iterable[Mapping[str, str]]) -> None:
    """Check that all of these mean the same to us as to the judge."""
    ours = {text: Matchers.parse(text) for text in texts}
    for labels in sets:
        here = {text for text, matchers in ours.items() if matchers.matches(labels)}
        there = amtool.matching(texts, labels)
        assert sorted(here - there) == sorted(there - here) == [], labels


def test_the_same_texts_are_matchers_and_match_the_same_alerts(amtool: Amtool) -> None:
    verdicts = dict(zip(ODD, amtool.accepts(ODD), strict=True))
    assert {text: read(text) is not None for text in ODD} == verdicts
    agree(amtool, [text for text, accepted in verdicts.items() if accepted], SETS)


@settings(
    derandomize=True,
    max_examples=3,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(TEXT, min_size=25, max_size=25, unique=True))
def test_what_amtool_accepts_means_the_same_to_us(amtool: Amtool, texts: list[str]) -> None:
    accepted = [text for text, fine in zip(texts, amtool.accepts(texts), strict=True) if fine]
    assert [text for text in accepted if read(text) is None] == []
    values = {one.value for text in accepted for one in Matchers.parse(text).conditions}
    agree(
        amtool,
        accepted,
        [{}, *({"team": each, "severity": each, "a:b": each} for each in sorted(values)[:8])],
    )


def test_an_expression_that_is_none_by_itself_is_refused_by_us_alone(amtool: Amtool) -> None:
    """Alertmanager takes it only because of what it puts around it, `^(?:x)|(y)$`, which matches more than meant."""
    text = 'team=~"x)|(y"'
    assert amtool.accepts([text]) == [True]
    assert read(text) is None


def test_a_blank_that_is_not_ascii_is_part_of_a_bare_value(amtool: Amtool) -> None:
    agree(amtool, ["team=\u00a0db", "team=\u2003db", "team=db\v"], SETS)
