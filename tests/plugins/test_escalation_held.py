"""Whether whoever has it still has it."""

from datetime import timedelta

import pytest

from tests.engine import alert, fires, gone, over
from tests.tower import FACT, Tower, asks, timers

WATCHES = "('escalation.ask_holder', 'escalation.holder_silent')"


def asked(tower: Tower, *lines: str) -> None:
    tower.people = tower.people.replace("ack_timeout = {}\n", "\n".join([*lines, ""]))


@pytest.fixture
def watched(tower: Tower) -> Tower:
    """As it is where the configuration says nothing."""
    asked(tower)
    return tower


async def test_who_has_it_for_an_hour_is_asked_and_without_an_answer_it_rings_again(watched: Tower) -> None:
    watched.people = watched.people.replace('"bob"\n', '"bob"\naccounts.radio = "b"\n')
    watched.people += '[networks.radio]\nkind = "console"\nroom = "#air"\n'
    async with watched() as engine:
        subject = await engine.report(fires())
        await engine.says("bob", "!ack", room="#ops")
        await engine.advance(minutes=59, seconds=59)
        before = len(engine.chat.said)
        await engine.advance(seconds=1)
        question = f"you have had it for 1h: still on it? Else it pages again in 15m · !ack {subject}"
        assert [str(said) for said in engine.chat.said[before:] if said.place.private] == [
            f"{subject} {question}"
        ]
        assert engine.chat.texts("person/bob") == [f"{subject} {question}"]
        assert watched.radio.texts("person/b") == [f"{subject} {question}"]
        assert engine.chat.texts("room/#ops")[-1] == f"{subject} bob: {question}"
        assert watched.radio.texts("room/#air")[-1] == f"{subject} bob: {question}"
        await engine.advance(minutes=14, seconds=59)
        assert watched.chat.pages() == ["03:00:00 alice", "04:00:00 bob"]  # the question, that is
        await engine.advance(seconds=1)
        assert sorted(watched.chat.told()[-2:]) == [
            "04:15:00 paging alice",
            "04:15:00 rings again: bob gave no answer",
        ]
        assert f"{subject} rings again: bob gave no answer: {FACT}" in engine.chat.texts(
            "person/bob"
        ) + engine.chat.texts("person/alice")
        await engine.advance(minutes=5)
        assert watched.chat.pages()[2:] == ["04:15:00 alice", "04:20:00 bob"]


@pytest.mark.parametrize("room", ["", "#ops"])
@pytest.mark.parametrize("answer", ["!ack", "!ack mine", "!ack all"])
async def test_who_is_asked_need_not_name_it(watched: Tower, answer: str, room: str) -> None:
    async with watched() as engine:
        subject = await engine.report(fires())
        await engine.says("alice", "!ack")
        await engine.advance(minutes=61)
        if answer == "!ack all":  # which means what nobody has
            assert await asks(engine, "alice", answer, room=room) == [
                "there is none: !alerts lists what is open"
            ]
            answer = "!ack"
        assert await asks(engine, "alice", answer, room=room) == [f"{subject}: you still have it"]
        await engine.advance(minutes=59)
        assert "rings again" not in str(engine.chat.texts())


async def test_in_private_an_answer_means_what_was_asked_in_private(watched: Tower) -> None:
    """And not what rings for somebody else."""
    async with watched() as engine:
        subject = await engine.report(fires())
        await engine.says("bob", "!ack", room="#ops")
        await engine.advance(minutes=61)
        other = await engine.report(fires(alert("Other"), key="other"))
        assert await asks(engine, "bob", "ack") == [f"{subject}: you still have it"]
        assert f"{other} acknowledged" not in str(engine.chat.texts())


@pytest.mark.parametrize("line", ["!ack {}", "!ack"])
@pytest.mark.parametrize("minutes", [30, 60, 74])
async def test_an_answer_begins_the_time_anew(watched: Tower, minutes: int, line: str) -> None:
    async with watched() as engine:
        subject = await engine.report(fires())
        await engine.says("alice", "!ack")
        await engine.advance(minutes=minutes)
        await engine.says("alice", line.format(subject))
        before = len(engine.chat.said)
        await engine.advance(minutes=59, seconds=59)
        assert len(engine.chat.said) == before
        await engine.advance(seconds=1)
        length = {30: "1h30m", 60: "2h", 74: "2h14m"}[minutes]
        assert f"you have had it for {length}: still on it?" in engine.chat.texts("person/alice")[-1]
        assert await timers(engine) == []
        await engine.advance(minutes=15)
        assert await timers(engine) == [subject]


@pytest.mark.parametrize("minutes", [30, 61])
@pytest.mark.parametrize("word", ["!unack", "!done", "over"])
async def test_whatever_ends_the_answer_ends_the_questions(watched: Tower, minutes: int, word: str) -> None:
    async with watched() as engine:
        await engine.report(fires())
        await engine.says("alice", "!ack")
        await engine.advance(minutes=minutes)
        if word == "over":
            await engine.report(over())
        else:
            await engine.says("alice", word)
        assert await engine.sql(f"select key from timers where kind in {WATCHES}") == []  # noqa: S608 (our own)
        await engine.advance(hours=3)
        assert not any("gave no answer" in text for text in engine.chat.texts())


async def test_another_who_takes_it_is_asked_and_not_the_one_before(watched: Tower) -> None:
    async with watched() as engine:
        await engine.report(fires())
        await engine.says("alice", "!ack", room="#ops")
        await engine.advance(minutes=50)
        await engine.says("bob", "!unack", room="#ops")
        await engine.says("carol", "!ack", room="#ops")
        await engine.advance(minutes=60)
        assert "carol: you have had it for 1h" in engine.chat.texts("room/#ops")[-1]
        asked = [said.place.name for said in engine.chat.said if "still on it" in str(said)]
        assert sorted(asked) == ["#ops", "carol"]


@pytest.mark.parametrize("crash", [False, True])
@pytest.mark.parametrize("away", [0, 70, 80])
async def test_the_time_goes_on_over_a_restart(watched: Tower, away: int, *, crash: bool) -> None:
    async with watched(crash=crash) as engine:
        await engine.report(fires())
        await engine.says("alice", "!ack")
        await engine.advance(minutes=1)
    watched.clock.move(timedelta(minutes=away))
    async with watched() as engine:
        await engine.advance(minutes=max(59 - away, 0))
        asked_now = [text for text in engine.chat.texts("person/alice") if "still on it" in text]
        assert len(asked_now) == 1
        await engine.advance(minutes=14)
        assert not any("gave no answer" in text for text in engine.chat.texts())
        await engine.advance(minutes=1)
        assert any("gave no answer" in text for text in engine.chat.texts())


@pytest.mark.parametrize(
    ("lines", "severity", "at"),
    [
        ([], "critical", 60),
        ([], "unheard-of", 60),
        ([], "error", None),
        (["ack_timeout = {}"], "critical", None),
        (['ack_timeout = { warning = "20m" }'], "critical", None),
        (['ack_timeout = { warning = "20m" }'], "warning", 20),
        (['ack_timeout = { warning = "90s", critical = "1m" }', 'ack_grace = "1m"'], "warning", 1.5),
    ],
)
async def test_after_how_long_is_set_for_each_severity(
    tower: Tower, lines: list[str], severity: str, at: float | None
) -> None:
    asked(tower, *lines)
    async with tower() as engine:
        await engine.report(fires(alert(severity=severity)))
        await engine.says("alice", "!ack")
        before = len(engine.chat.said)
        await engine.advance(minutes=(at or 600) - 1 / 60)
        assert len(engine.chat.said) == before
        await engine.advance(seconds=1)
        assert ("still on it" in "".join(engine.chat.texts("person/alice"))) is (at is not None)


async def test_nobody_is_asked_for_what_is_no_longer_that_severe_until_it_is_again(watched: Tower) -> None:
    warning = alert("Load", severity="warning")
    async with watched() as engine:
        await engine.report(fires(alert(), warning))
        await engine.says("alice", "!ack")
        await engine.report(gone("DiskFull"))
        await engine.advance(minutes=70)
        assert not any("still on it" in text for text in engine.chat.texts())
        await engine.report(fires(alert(), warning))
        await engine.advance(minutes=60)
        assert "still on it" in engine.chat.texts("person/alice")[-1]


async def test_the_question_stands_in_the_story(watched: Tower) -> None:
    async with watched() as engine:
        subject = await engine.report(fires())
        await engine.says("alice", "!ack")
        await engine.advance(minutes=75)
        (story,) = await asks(engine, "carol", f"!why {subject}")
        assert "04:00:00 alice was asked: still on it?" in story
        assert "04:15:00 rings again: alice gave no answer" in story
