"""What people type: who may, what happens, what they are answered; once for each line, whatever the line holds."""

import re
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin.commands import Call, Command
from tocsin.domain.alert import Alert, Report
from tocsin.plugins import Declared
from tocsin.transaction import Transaction

from tests.engine import Engine, Start, alert, fires, over

FACT = "critical DiskFull db1: 97 % of / used"
STRANGER = "I don't know you here, so {} is not for you: !whoami"
UNKNOWN = "I don't know the account 'mallory': people.NAME.accounts.console would name it"
ACKED, NOT_YOURS = f"{{}} acknowledged by bob, paging stops: {FACT}", STRANGER.format("!ack")
STORY = f"""\
{{}} triggered: {FACT}
03:00:00 reported by prod: {FACT}
03:00:00 page to alice on console: delivered"""


async def asks(engine: Engine, account: str, text: str, *, room: str = "#ops", us: str = "") -> str:
    """What is answered where it was asked."""
    place = f"room/{room}" if room else f"person/{account}"
    before = len(engine.chat.texts(place))
    await engine.chat.hears(account, text, room=room, us=us)
    await engine.run.settled()
    return "\n".join(engine.chat.texts(place)[before:])


WORDS = {
    "!ack {}": (ACKED, NOT_YOURS),
    " ! Ack  {}: ": (ACKED, NOT_YOURS),
    "tocsin: ack #{}": (ACKED, NOT_YOURS),
    "Tocsin, !ack": (ACKED, NOT_YOURS),
    "!done {}": (f"{{}} resolved by bob, paging stops: {FACT}", STRANGER.format("!done")),
    "!unack {}": ("{}: nobody has acknowledged it", STRANGER.format("!unack")),
    "!alerts": [f"1 alert open, 1 without an answer\n{{}} {FACT} (since 03:00:00; nobody has answered)"] * 2,
    "!why {}": [STORY] * 2,
    "!why": ["say !why ALERT"] * 2,
    "!why {} now": ["'now' is too much: say !why ALERT"] * 2,
    "!help !ack": ["!ack [mine|all|ALERT…]: I have it, stop paging (also acknowledge and acked)"] * 2,
    "!help akc": ["there is no !akc; did you mean !ack?"] * 2,
    "!whoami": ("you are bob, by your account 'bob' on console", UNKNOWN),
}


@pytest.mark.parametrize("room", ["#ops", ""], ids=["room", "private"])
@pytest.mark.parametrize("word", WORDS)
async def test_every_word_is_answered_where_it_was_said(start: Start, room: str, word: str) -> None:
    async with start() as engine:
        subject = await engine.report(fires())
        answer, to_strangers = (text.format(subject) for text in WORDS[word])
        word = word.format(subject)
        if room:  # in which people may live anywhere
            answer, to_strangers = (said.replace(":00:00", ":00:00 UTC") for said in (answer, to_strangers))
        if not room and word.startswith(("!alerts", "!why")):  # what is open is for those in the room
            to_strangers = STRANGER.format(word.split()[0])
        assert await asks(engine, "mallory", word, room=room) == to_strangers
        assert await asks(engine, "bob", word if room else word.removeprefix("!"), room=room) == answer


async def test_who_cannot_be_known_may_read(start: Start) -> None:
    async with start() as engine:
        assert "I see no account of yours on console, so you may read" in await asks(engine, "", "!whoami")
        assert await asks(engine, "", "!alerts") == "nothing is open"
        assert await asks(engine, "", "!ack") == NOT_YOURS
        words = await asks(engine, "", "!help")
        assert all(word in words for word in ("!ack", "!done", "!alerts", "!why", "!help"))


def together(*subjects: str, by: str = "bob") -> str:
    """What is told of several that were acknowledged at once."""
    named = " and ".join(subjects)
    return "\n".join(
        [f"acknowledged by {by}, paging stops: {named}", *(f"{subject} {FACT}" for subject in subjects)]
    )


async def test_a_bare_ack_takes_what_was_paged_to_the_speaker_and_names_it(start: Start) -> None:
    async with start() as engine:
        assert await asks(engine, "bob", "!ack") == "there is none: !alerts lists what is open"
        first = await engine.report(fires(key="one"))
        await engine.advance(minutes=5)  # bob is paged for it too
        second = await engine.report(fires(key="two"))
        third = await engine.report(fires(key="three"))
        assert await asks(engine, "bob", "!ack") == ACKED.format(first)
        # He was paged for none of the rest, and which of them he means is not clear.
        assert await asks(engine, "bob", "!ack") == f"which one? {second} and {third}; or mine, or all"
        assert await asks(engine, "bob", "!ack mine") == f"{first}: you still have it"
        assert await asks(engine, "alice", "!ack") == together(second, third, by="alice")
        still = f"you still have {second} and {third}"
        assert await asks(engine, "alice", "!ack") == still
        assert await asks(engine, "bob", "!done") == f"{first} resolved by bob: {FACT}"
        assert "back by bob: " not in await asks(engine, "bob", "!unack")
        assert "acknowledgement taken back by alice: " in await asks(engine, "alice", f"!unack {second}")


async def test_a_bare_ack_never_takes_what_opened_or_was_paged_after_it_was_typed(start: Start) -> None:
    async with start() as engine:
        first = await engine.report(fires(key="one"))
        typed_at = engine.run.clock.now()
        await engine.advance(seconds=1)
        second = await engine.report(fires(key="two"))
        for bare in ("!ack", "!ack mine"):
            await engine.chat.hears("alice", bare, room="#ops", at=typed_at)
        await engine.run.settled()
        ringing = [name for name in (first, second) if f"{name} acknowledged" not in str(engine.chat.texts())]
        assert ringing == [second]


async def test_all_is_asked_back_and_takes_none_that_came_since(start: Start) -> None:
    async with start() as engine:
        one = await engine.report(fires(key="one"))
        assert await asks(engine, "bob", "!ack all") == ACKED.format(one)
        two, three = [
            await engine.report(fires(alert(severity=severity), key=severity))
            for severity in ("critical", "info")
        ]
        asked = await asks(engine, "bob", "!ack all")
        what = f"that is 2 alerts, 1 of them critical: {two} and {three}"
        assert asked == f"{what}. If you mean it, say !ack all {three}"
        await engine.advance(seconds=1)
        four = await engine.report(fires(key="four"))
        assert four not in await asks(engine, "bob", f"!ack all {three}")
        assert f"{four} {FACT} (since 03:00:01; nobody has answered)" in await asks(
            engine, "bob", "alerts", room=""
        )
        assert (await asks(engine, "bob", "!done all")).startswith("that is 4 alerts, 3 of them critical: ")


@pytest.mark.parametrize(
    "ids",
    ["{} {}", "#{}: !{},", "{}. {}:", "{},{}", "`{}` ({})", "<{}>; '{}'!", "{0} {1}\t{0}", "“{}” and “{}”"],
)
async def test_several_are_named_as_people_write_them(start: Start, ids: str) -> None:
    async with start() as engine:
        subjects = [await engine.report(fires(key=key)) for key in ("one", "two")]
        line = "!ack " + ids.format(*subjects).upper()
        answer = await asks(engine, "bob", line)
        assert answer.startswith(together(*subjects))


async def test_who_has_it_may_say_so_again(start: Start) -> None:
    async with start() as engine:
        subject = await engine.report(fires())
        await engine.says("bob", "!ack", room="#ops")
        assert await asks(engine, "bob", f"!ack {subject}") == f"{subject}: you still have it"
        assert "bob still has it" in await asks(engine, "bob", f"why {subject}", room="")
        assert engine.chat.texts("person/alice")[-1] == ACKED.format(subject)


async def test_what_cannot_be_done_is_said_beside_what_was_done(start: Start) -> None:
    async with start() as engine:
        first, second = [await engine.report(fires(key=key)) for key in ("one", "two")]
        await engine.says("alice", f"!ack {first}")
        answer = (await asks(engine, "bob", f"!ack {first} {second}")).splitlines()
        assert set(answer) == {f"{first}: alice has it already", ACKED.format(second)}
        await engine.says("bob", f"!done all {second}")
        assert await asks(engine, "bob", f"!ack {second}") == f"{second}: is already resolved"
        unknown = "there is no alert 'zz9z': !alerts lists what is open"
        assert await asks(engine, "bob", "!ack zz9z") == unknown


async def test_an_acknowledgement_is_told_once_to_everybody_concerned(start: Start) -> None:
    async with start() as engine:
        subject = await engine.report(fires())
        await engine.advance(minutes=6)
        before = len(engine.chat.said)
        await engine.says("bob", "!ack", room="#dev")
        told = engine.chat.said[before:]
        assert {str(each) for each in told} == {ACKED.format(subject)}
        assert sorted(each.place.name for each in told) == ["#dev", "#ops", "alice", "bob"]
        await engine.advance(hours=2)
        assert len(engine.chat.said) == before + 4


async def test_a_story_is_told_in_order_in_the_readers_own_time(start: Start) -> None:
    alice = replace(start.config.people["alice"], timezone=ZoneInfo("Asia/Kolkata"))
    start.config = replace(start.config, people={**start.config.people, "alice": alice})
    async with start() as engine:
        subject = await engine.report(fires())
        await engine.says("alice", "!ack")
        for number in range(20):
            await engine.report(fires(alert(), alert(f"More{number}")))
        await engine.advance(hours=16)
        await engine.report(over())
        head, *lines = (await asks(engine, "alice", f"why {subject}", room="")).splitlines()
        assert head.startswith(f"{subject} resolved: critical ")
        assert len(lines) == 12
        assert lines[0] == f"21 Nov 08:30:00 reported by prod: {FACT}"
        assert lines[2] == "21 Nov 08:30:00 acknowledged by alice"
        assert lines[3] == "… 34 more …"
        assert lines[-1] == "00:30:00 resolved by its source"
        assert "19:00:00 resolved by its source" in await asks(engine, "bob", f"why {subject}", room="")


async def test_a_line_takes_effect_once_also_over_a_restart(start: Start) -> None:
    async with start() as engine:
        subject = await engine.report(fires())
        for line in ("one", "one", "two"):
            await engine.chat.hears("bob", f"!ack {subject}", room="#ops", line_id=line)
        await engine.says("alice", "!unack", room="#ops")
    async with start() as engine:
        await engine.chat.hears("bob", f"!ack {subject}", room="#ops", line_id="one")
        assert await engine.sql("select by from events where kind = 'group.acknowledged'") == [("bob",)]
        assert engine.chat.texts("room/#ops").count(ACKED.format(subject)) == 1
        assert engine.chat.texts("room/#ops").count(f"{subject}: you still have it") == 1


async def test_every_request_is_written_down(start: Start) -> None:
    async with start() as engine:
        subject = await engine.report(fires())
        for line in ("bob !ACK {}", "bob !why", "mallory !done all", "bob !akc", "bob hello"):
            await engine.says(*line.format(subject).split(" ", 1), room="#ops")
        assert await engine.sql("select place, account, person, what, verdict from audit order by seq") == [
            ("console/room/#ops", "bob", "bob", f"ack {subject}", "done"),
            ("console/room/#ops", "bob", "bob", "why", "refused: say !why ALERT"),
            ("console/room/#ops", "mallory", "", "done all", "stranger"),
            ("console/room/#ops", "bob", "bob", "akc", "unknown"),
        ]


async def test_what_people_say_to_one_another_is_no_command(start: Start) -> None:
    async with start() as engine:
        subject = await engine.report(fires())
        quoted = (
            f"> !ack {subject}",
            f"`!ack {subject}`",
            f"<alice> !ack {subject}",
            f"03:04 <alice> !ack {subject}",
        )
        for text in ("hello !ack", "ack", "!", "!?", "tocsin:", "tocsin is nice", '"!ack"', *quoted):
            assert await asks(engine, "bob", text) == ""
        for text in quoted[:3]:
            assert await asks(engine, "bob", text, room="") == ""
        assert await engine.sql("select * from audit") == []


async def test_an_unknown_word_is_never_left_unanswered_but_to_strangers_who_may_mean_another_bot(
    start: Start,
) -> None:
    async with start() as engine:
        subject = await engine.report(fires())
        near = "there is no !akc; did you mean !ack?"
        unknown = "there is no !weather: !help lists what there is"
        assert await asks(engine, "bob", "!akc") == near
        assert await asks(engine, "mallory", "!akc") == near
        assert await asks(engine, "mallory", "!weather Berlin") == ""
        for text in ("!weather Berlin", "tocsin: weather", "Pager, weather"):
            assert await asks(engine, "bob", text, us="pager") == unknown
        assert await asks(engine, "bob", "!weather", room="") == unknown
        # Who types "got it" in private must not believe that this was an answer.
        assert await asks(engine, "bob", "got it", room="") == "there is no !got: !help lists what there is"
        for text in (f"!{subject}", subject.upper()):
            hint = f"there is no !{subject}; did you mean !ack {subject}?"
            assert await asks(engine, "bob", text, room="#ops" if text[0] == "!" else "") == hint


async def test_a_command_that_fails_undoes_all_and_the_rest_goes_on(start: Start) -> None:
    def boom(call: Call, tx: Transaction) -> None:
        tx.record(tx.group(call["ALERT"]).acknowledge(call.by, tx.now))
        assert not tx.group(call["ALERT"]).rings
        tx.tell("half done")
        tx.set_timer("core.prune", call["WHY"], after=timedelta(0))
        raise ZeroDivisionError

    async with start(Declared(commands=[Command("boom ALERT WHY…", boom, "fails")])) as engine:
        subject = await engine.report(fires())
        assert await asks(engine, "bob", f"!boom {subject}") == "say !boom ALERT WHY…"
        answer = "!boom failed, and nothing was done: see the log"
        assert await asks(engine, "bob", f"!boom {subject} for fun") == answer
        assert await engine.sql("select key from timers where kind = 'core.prune'") == [("",)]
        assert await asks(engine, "bob", f"!ack {subject}") == ACKED.format(subject)


def plain(text: str) -> bool:
    """Nothing in it can break, hide or turn around a line."""
    return not re.search("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", text)


PREFIXES = st.sampled_from(["", "!", "! ", "tocsin: ", "!ack ", "!why ", "!done all ", "!help ", "!unack "])


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(st.tuples(PREFIXES, st.text(max_size=300), st.sampled_from(["#ops", ""])), max_size=8))
async def test_whatever_is_typed_the_answer_is_plain(start: Start, lines: list[tuple[str, str, str]]) -> None:
    async with start() as engine:
        await engine.report(fires())
        for prefix, text, room in lines:
            await engine.chat.hears("bob", prefix + text, room=room)
        await engine.run.settled()
        assert all(plain(line) for said in engine.chat.said for line in said.message.all_lines())


HOSTILE = {
    "control": "a\x00\r\n!ack all\x1b[2J\u2028x",
    "markup": "<b>@room</b> **x** `y`",
    "bidi": "\u202egnp.exe\u2066",
    "long": "é" * 10_000,
}


@pytest.mark.parametrize("label", HOSTILE.values(), ids=HOSTILE)
async def test_a_hostile_label_breaks_no_page(start: Start, label: str) -> None:
    async with start() as engine:
        labels = dict.fromkeys(("alertname", "severity", "instance", label), label)
        hostile = Alert(label, labels, label, label)
        subject = await engine.report(fires(hostile, key=label))
        for limit in (400, 8000):
            (line,) = engine.chat.said[0].message.all_lines(limit)
            assert line.startswith(f"{subject} ")
            assert line.endswith(f" · !ack {subject}")
            assert len(line.encode()) <= limit
            assert plain(line)
        for word in ("!alerts", f"!why {subject}", "!ack"):
            assert all(map(plain, (await asks(engine, "bob", word)).splitlines()))
        assert await engine.report(fires(hostile, key=label)) == subject


async def test_what_is_known_is_done_and_the_rest_is_named(start: Start) -> None:
    async with start() as engine:
        subject = await engine.report(fires())
        answer = (await asks(engine, "bob", f"!ack zz9z and {subject} soon, please")).splitlines()
        assert set(answer) == {
            ACKED.format(subject),
            "there is no alert 'zz9z': !alerts lists what is open",
            "there is no alert 'soon': !alerts lists what is open",
        }
        assert await asks(engine, "bob", "!ack all") == "there is none: !alerts lists what is open"


@pytest.mark.parametrize(
    "line",
    [
        "!ack\t{}",
        "!ack\xa0{}",
        "!acknowledge {}",
        "!acked {}",
        "!Ack: {}",
        "!ack {}\nhello",
        "tocsin: !ack {}",
        "TOCSIN, ack {}.",
        "@tocsin: ack {}",
        "pager: ack {}",
        "\uff01ack {}",
        "!Ack. {}",
        "  !ACK {}!  ",
        "!ack \u201c{}\u201d",
    ],
)
async def test_an_answer_is_understood_however_it_is_typed(start: Start, line: str) -> None:
    async with start() as engine:
        subject = await engine.report(fires())
        assert await asks(engine, "bob", line.format(subject), us="pager") == ACKED.format(subject)


@pytest.mark.parametrize(
    "line", ["ack {}", "Ack {}.", "\u201cAck {}\u201d", "ACK", '"ack"', "!ack {}", "Ack!", "pager: ack"]
)
async def test_in_private_no_prefix_is_needed(start: Start, line: str) -> None:
    async with start() as engine:
        subject = await engine.report(fires())
        assert await asks(engine, "bob", line.format(subject), room="", us="pager") == ACKED.format(subject)


async def test_the_prefix_can_be_set_and_is_the_one_that_texts_name(start: Start) -> None:
    start.config = replace(start.config, prefix=".")
    async with start() as engine:
        subject = await engine.report(fires())
        assert await asks(engine, "bob", "!ack") == ""
        assert await asks(engine, "bob", ".why") == "say .why ALERT"
        assert (
            await asks(engine, "mallory", ".ack") == "I don't know you here, so .ack is not for you: .whoami"
        )
        assert (
            await asks(engine, "bob", ".help ack")
            == ".ack [mine|all|ALERT…]: I have it, stop paging (also acknowledge and acked)"
        )
        assert await asks(engine, "bob", ".zzz") == "there is no .zzz: .help lists what there is"
        assert (
            await asks(engine, "bob", "tocsin: ack zz9z")
            == "there is no alert 'zz9z': .alerts lists what is open"
        )
        assert await asks(engine, "bob", f".ack {subject}") == ACKED.format(subject)
        assert "!" not in str(engine.chat.texts()).replace("!ack " + subject, "")


async def test_help_begins_with_what_is_used_most(start: Start) -> None:
    async with start() as engine:
        short, more = [await asks(engine, "bob", word, room="") for word in ("help", "help more")]
        assert "!ack [mine|all|ALERT…]: I have it, stop paging" in short
        assert "!unack" not in short
        assert short.endswith("!help more: all there is")
        assert len(short.splitlines()) <= 4
        for word in ("!ack", "!unack", "!done", "!accept", "!alerts", "!why", "!help", "!whoami"):
            assert f"{word}" in more
        assert (
            await asks(engine, "bob", "help Acked", room="")
            == "!ack [mine|all|ALERT…]: I have it, stop paging (also acknowledge and acked)"
        )


async def test_a_long_answer_is_given_in_private_and_strangers_get_its_beginning(start: Start) -> None:
    async with start() as engine:
        for number in range(6):
            await engine.report(fires(key=str(number)))
        before = len(engine.chat.texts("person/bob"))
        head = "6 alerts open, 6 without an answer"
        assert await asks(engine, "bob", "!alerts") == f"{head} … I told you the rest in private"
        (whole,) = engine.chat.texts("person/bob")[before:]
        assert [whole.splitlines()[0], len(whole.splitlines())] == [head, 7]
        cut = (await asks(engine, "mallory", "!alerts")).splitlines()
        assert [cut[0], len(cut), cut[-1]] == [head, 5, "… and 3 more lines"]


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("!ack-k7f3", "; did you mean !ack?"),
        ("akc", "; did you mean !ack?"),
        ("ok", ": !help lists what there is"),
    ],
)
async def test_what_is_not_understood_in_private_is_never_left_unanswered(
    start: Start, line: str, hint: str
) -> None:
    async with start() as engine:
        assert await asks(engine, "bob", line, room="") == f"there is no !{line.strip('!')}{hint}"


async def test_halves_of_characters_harm_nothing(start: Start) -> None:
    async with start() as engine:
        assert (
            await asks(engine, "bob", "!ack \ud800")
            == "there is no alert '\ufffd': !alerts lists what is open"
        )
        broken = Alert(
            "\ud800", {"alertname": "Disk\ud800Full", "\udfff": "\0"}, "97 % \ud800", "http://\udc00"
        )
        subject = await engine.report(Report("prod", "\ud800", firing=[broken]))
        assert engine.chat.texts("person/alice")[-1].startswith(f"{subject} alert Disk\ufffdFull: 97 %")
