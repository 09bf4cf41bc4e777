"""Label matchers mean what they mean to Alertmanager."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain.labels import Matcher, Matchers


@pytest.mark.parametrize(
    ("text", "matchers"),
    [
        ('team="db"', [("team", "=", "db")]),
        ("team=db", [("team", "=", "db")]),
        (' team != "db" ', [("team", "!=", "db")]),
        ('{foo = "bar", dings != "bums", }', [("foo", "=", "bar"), ("dings", "!=", "bums")]),
        ("foo=bar,dings!=bums", [("foo", "=", "bar"), ("dings", "!=", "bums")]),
        (r'quote="She said: \"Hi, all!\""', [("quote", "=", 'She said: "Hi, all!"')]),
        ('statuscode=~"5.."', [("statuscode", "=~", "5..")]),
        (r'host=~"db\.example\.org"', [("host", "=~", r"db\.example\.org")]),
        (r'path="C:\temp\new"', [("path", "=", "C:\\temp\new")]),
        ("note=two words", [("note", "=", "two words")]),
        ("empty=", [("empty", "=", "")]),
        ('empty=""', [("empty", "=", "")]),
        ("", []),
        ("{}", []),
        # UTF-8 matchers: what the classic parser refuses
        ('"k8s.pod"="a"', [("k8s.pod", "=", "a")]),
        ("k8s.pod=a, größe=~b", [("k8s.pod", "=", "a"), ("größe", "=~", "b")]),
        (r'"a b"="\u00e9\x41\101\n\t"', [("a b", "=", "éAA\n\t")]),
        (r'"a b"="\xc3\xa9"', [("a b", "=", "é")]),
        ('{ "a b"="c" , }', [("a b", "=", "c")]),
    ],
)
def test_matchers_are_read(text: str, matchers: list[tuple[str, str, str]]) -> None:
    assert Matchers.parse(text) == Matchers(tuple(Matcher(*parts) for parts in matchers))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("team", "expected an operator"),
        ('="db"', "expected a label's name, found ="),
        ('team="db', "can't read"),
        ('"team" "db"', "expected an operator"),
        ('"a b"="c" "d"="e"', "expected a comma"),
        ('{"a b"="c"', "expected a closing brace"),
        ('"a b"="c"}', "expected a comma"),
        ('"a b"=,', "expected a value"),
        ('a=b,,"c d"="e"', "expected a label's name, found ,"),
        (r'"a b"="\d"', "is no escape"),
        (r'"a b"="\ud800"', "surrogates"),
        (r'"a b"="\xff"', "invalid start byte"),
        ('team=~"(x"', 'team=~"(x" is no RE2 expression: missing )'),
        (r'team!~"(?=x)"', "is no RE2 expression"),
    ],
)
def test_what_is_no_matcher_is_refused_in_words(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        Matchers.parse(text)


@pytest.mark.parametrize(
    ("text", "labels", "matches"),
    [
        ("team=db", {"team": "db"}, True),
        ("team=db", {"team": "dba"}, False),
        ("team=db", {}, False),
        ("team!=db", {}, True),
        ('team=""', {}, True),
        ('team!=""', {}, False),
        ('team=~"d|web"', {"team": "db"}, False),
        ('team=~"db|web"', {"team": "web"}, True),
        ('team!~"db|web"', {"team": "web"}, False),
        ('team=~".*"', {}, True),
        ('team=~".+"', {}, False),
        ('team=~"(?i)DB"', {"team": "db"}, True),
        ('team=~"a.b"', {"team": "a\nb"}, False),
        ("team=db, severity=critical", {"team": "db"}, False),
        ("", {"team": "db"}, True),
    ],
)
def test_labels_match_as_in_alertmanager(text: str, labels: dict[str, str], matches: bool) -> None:  # noqa: FBT001
    assert Matchers.parse(text).matches(labels) is matches


def test_an_expression_that_backtracking_never_finishes_is_answered() -> None:
    assert not Matchers.parse('host=~"(a+)+$"').matches({"host": "a" * 100_000 + "!"})


@given(st.text())
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    try:
        Matchers.parse(text).matches({"a": text})
    except ValueError as refusal:
        assert str(refusal)


@given(
    st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]*", fullmatch=True),
    st.sampled_from(["=", "!="]),
    st.text(st.characters(exclude_categories=["Cs"])),
)
def test_a_matcher_is_read_as_it_is_shown(name: str, operator: str, value: str) -> None:
    matcher = Matcher(name, operator, value)
    assert Matchers.parse(str(matcher)) == Matchers((matcher,))
