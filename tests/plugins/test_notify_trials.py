"""`!test me`, what counts as confirmed, and who is told that somebody on call can't be rung."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from tocsin.config import Schedule
from tocsin.domain.finding import Finding, Level
from tocsin_notify.settings import Way

from tests.engine import Engine, Start, fires
from tests.plugins.notify_parts import Ntfy, Sink, alice, button, notifying, pages, press
from tests.tower import asks

ON_CALL = "alice is on call, and no ringer of theirs was confirmed in 30d: !test me"


@pytest.fixture
def ways(ntfy: Ntfy, gateway: Sink) -> Mapping[str, Way]:
    return {
        "phone": Way(ntfy=f"{ntfy.url}/alice"),
        "sms": Way(webhook=f"{gateway.url}/send", form={"Body": "{text}"}),
        "bell": Way(webhook="http://127.0.0.1:1/"),
    }


def code_of(text: str) -> str:
    found = re.search(r"!test (\d{6})", text)
    assert found is not None, text
    return found[1]


async def test_it_is_sent_on_every_way_and_reported(
    start: Start, ways: Mapping[str, Way], ntfy: Ntfy, gateway: Sink
) -> None:
    async with start(notifying(alice(ways))) as engine:
        begun, report = await asks(engine, "alice", "!test me", room="#ops")
        assert begun == (
            "a test goes to phone, sms and bell: press Confirm there, or type !test CODE with the code that it brings"
        )
        bell = "bell: failed: webhook can't be reached: ClientConnectorError"
        assert report == f"phone: taken, not confirmed yet; sms: taken, not confirmed yet; {bell}"
        (heard,) = ntfy.heard
        assert heard.body["title"] == "test: alice, does this reach you?"
        assert heard.body["priority"] == 5
        pressed = await press(engine, button(heard, "Confirm"))
        assert (pressed.status, pressed.text) == (200, "phone: confirmed. It reaches you.\n")
        assert (
            engine.chat.texts("room/#ops")[-1] == f"phone: confirmed; sms: taken, not confirmed yet; {bell}"
        )
        (answer,) = await asks(engine, "alice", f"!test {code_of(gateway.heard[0].body['Body'])}")
        assert answer == f"phone: confirmed; sms: confirmed; {bell}"
        (listed,) = await asks(engine, "alice", "!test")
        assert listed.splitlines() == [
            "3 ways to you; !test me tries them",
            "phone: ntfy, confirmed on 2026-11-21",
            "sms: webhook, confirmed on 2026-11-21",
            "bell: webhook, never confirmed",
        ]


async def test_a_test_is_no_alert(start: Start, ways: Mapping[str, Way], ntfy: Ntfy) -> None:
    async with start(notifying(alice(ways))) as engine:
        await engine.says("alice", "!test me")
        await engine.advance(minutes=30)
        assert len(ntfy.heard) == 1


async def test_nobody_confirms_for_another(start: Start, ways: Mapping[str, Way], gateway: Sink) -> None:
    notify = alice(ways)
    notify = replace(notify, people={**notify.people, "bob": notify.people["alice"]})
    async with start(notifying(notify)) as engine:
        await engine.says("alice", "!test me")
        code = code_of(gateway.heard[0].body["Body"])
        assert await asks(engine, "bob", f"!test {code}") == [
            "no test of yours waits for a code: !test me begins one"
        ]
        await engine.says("bob", "!test me")
        assert await asks(engine, "bob", f"!test {code}") == [f"no test of yours has the code {code}"]
        assert await engine.sql("select 1 from events where kind = 'notify.confirmed'") == []


async def test_a_code_is_good_for_an_hour(start: Start, ways: Mapping[str, Way], gateway: Sink) -> None:
    async with start(notifying(alice(ways))) as engine:
        await engine.says("alice", "!test me")
        code = code_of(gateway.heard[0].body["Body"])
        await engine.advance(hours=1, seconds=1)
        assert await asks(engine, "alice", f"!test {code}") == [
            "no test of yours waits for a code: !test me begins one"
        ]


async def test_tests_do_not_flood(start: Start, ways: Mapping[str, Way], ntfy: Ntfy) -> None:
    async with start(notifying(alice(ways))) as engine:
        await engine.says("alice", "!test me")
        assert await asks(engine, "alice", "!test me") == ["one is under way; wait for half a minute"]
        await engine.advance(seconds=30)
        await engine.says("alice", "!test me")
        assert len(ntfy.posts()) == 2


async def test_who_has_no_ways_is_told_so(start: Start, ways: Mapping[str, Way]) -> None:
    async with start(notifying(alice(ways))) as engine:
        (answer,) = await asks(engine, "bob", "!test me")
        assert answer.startswith("you have no ways but chat, and chat alone wakes nobody")
        assert await asks(engine, "alice", "!test bob") == ["say !test me; nobody tests the ways of others"]


async def test_an_ack_by_button_confirms_the_way(start: Start, ways: Mapping[str, Way], ntfy: Ntfy) -> None:
    async with start(notifying(alice(ways))) as engine:
        await pages(engine, await engine.report(fires()))
        await press(engine, button(ntfy.posts()[0], "Ack"))
        (listed,) = await asks(engine, "alice", "!test")
        assert "phone: ntfy, confirmed on 2026-11-21" in listed


@pytest.fixture
def on_call(start: Start) -> None:
    """Alice is, in Berlin."""
    people = {**start.config.people}
    people["alice"] = replace(people["alice"], timezone=ZoneInfo("Europe/Berlin"))
    start.config = replace(start.config, people=people, schedules={"primary": Schedule(("alice",))})


async def jump(engine: Engine, **length: float) -> None:
    """Time passes at once: who is on call is looked at each minute, which would take long."""
    engine.run.clock.move(timedelta(**length))
    await engine.run.settled()


def told(engine: Engine) -> list[str]:
    return [text for text in engine.chat.texts("room/#ops") if "is on call" in text]


@pytest.mark.usefixtures("on_call")
async def test_whoever_comes_on_call_without_a_ringer_is_told_and_again_in_the_morning(
    start: Start, ways: Mapping[str, Way], ntfy: Ntfy
) -> None:
    async with start(notifying(alice(ways))) as engine:
        await engine.advance(minutes=1)
        assert told(engine) == [ON_CALL]
        assert engine.chat.texts("person/alice") == [
            "you are on call, and no ringer of yours was confirmed in 30d: !test me"
        ]
        await jump(engine, hours=5, minutes=58)  # 09:59 in Berlin
        assert len(told(engine)) == 1
        await engine.advance(minutes=1)
        assert told(engine) == [ON_CALL] * 2
        await engine.says("alice", "!test me")
        await press(engine, button(ntfy.posts()[0], "Confirm"))
        await jump(engine, days=30)
        assert len(told(engine)) == 2
        await jump(engine, days=1)
        assert len(told(engine)) == 3


@pytest.mark.usefixtures("on_call")
async def test_who_is_on_call_when_it_is_enabled_is_looked_at_in_the_morning(
    start: Start, ways: Mapping[str, Way]
) -> None:
    async with start() as engine:
        await engine.advance(minutes=1)
    for _ in range(2):
        async with start(notifying(alice(ways))) as engine:
            await engine.advance(minutes=1)
            assert told(engine) == []
    async with start(notifying(alice(ways))) as engine:
        await jump(engine, hours=6)
        assert told(engine) == [ON_CALL]


@pytest.mark.usefixtures("on_call")
async def test_who_has_but_mail_can_not_be_rung(start: Start) -> None:
    async with start(notifying(alice({"mail": Way(smtp="alice@example.org")}))) as engine:
        await engine.advance(minutes=1)
        assert told(engine) == [
            "alice is on call, and has no way but chat: plugins.notify.people.alice.ways names others"
        ]


@pytest.mark.usefixtures("on_call")
async def test_who_is_on_call_no_more_is_left_in_peace(start: Start, ways: Mapping[str, Way]) -> None:
    async with start(notifying(alice(ways))) as engine:
        await engine.advance(minutes=1)
    start.config = replace(start.config, schedules={"primary": Schedule(())})
    async with start(notifying(alice(ways))) as engine:
        await jump(engine, days=2)
        assert len(told(engine)) == 1


async def examined(engine: Engine) -> list[Finding]:
    """What `tocsin doctor` is told of ringers."""
    answer = await engine.run.daemon.control.questions["examine"]({})
    return [Finding.read(one) for one in answer["findings"] if one["about"].startswith("ringer")]


@pytest.mark.usefixtures("on_call")
async def test_the_doctor_sees_who_can_be_rung(start: Start, ways: Mapping[str, Way], ntfy: Ntfy) -> None:
    async with start(notifying(alice(ways))) as engine:
        unconfirmed = Finding(
            "ringer alice",
            Level.YELLOW,
            "none was confirmed in 30d",
            "let them type: !test me",
            reaches="alice",
        )
        assert await examined(engine) == [unconfirmed]
        await engine.says("alice", "!test me")
        await press(engine, button(ntfy.posts()[0], "Confirm"))
        await jump(engine, days=3)
        confirmed = Finding("ringer alice", Level.GREEN, "was confirmed 3d ago", reaches="alice")
        assert await examined(engine) == [confirmed]
        await jump(engine, days=28)
        assert await examined(engine) == [unconfirmed]
    async with start(notifying(alice({}))) as engine:
        (none,) = await examined(engine)
        assert (none.level, none.reaches) == (Level.YELLOW, "")
