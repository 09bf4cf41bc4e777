"""Ring until acked: what is urgent rings every 45 s on every way, and is silent once anybody has answered."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from tocsin.domain.page import PageFailed, PageUnseen, PersonReleased
from tocsin_notify.settings import Step, Way

from tests.engine import Engine, Start, alert, fires, over
from tests.plugins.notify_parts import Ntfy, Sink, alice, button, notifying, pages, paging, press
from tests.processes import PATIENCE

MINUTE = timedelta(minutes=1)


async def never(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


def phone(ntfy: Ntfy) -> Way:
    return Way(ntfy=f"{ntfy.url}/alice")


async def records(engine: Engine, event: type[PageUnseen | PageFailed], subject: str) -> None:
    how: dict[str, Any] = {"page": 1, "person": "alice", "place": "console/person/alice"}
    how |= {"why": "no link"} if event is PageFailed else {}
    await engine.run.tocsin.turn(lambda tx: tx.record(event(subject=subject, at=tx.now, **how)))
    await engine.run.settled()


async def test_urgent_rings_until_somebody_acks(start: Start, ntfy: Ntfy) -> None:
    async with start(notifying(alice({"phone": phone(ntfy)}))) as engine:
        subject = await engine.report(fires())
        await pages(engine, subject)
        await engine.advance(minutes=2)
        assert [ring.split(" (")[0] for ring in ntfy.rings()] == [
            f"{at} {subject} critical DiskFull" for at in ("03:00:00", "03:00:45", "03:01:30")
        ]
        await engine.says("bob", f"!ack {subject}")
        await engine.advance(minutes=30)
        last = ntfy.posts()[-1].body
        assert len(ntfy.posts()) == 4
        assert (last["priority"], last["message"]) == (2, f"{subject}: acknowledged by bob")
        assert last["sequence_id"] == ntfy.posts()[-2].body["sequence_id"]
        assert "actions" not in last


async def test_what_ntfy_gets(start: Start, ntfy: Ntfy) -> None:
    async with start(notifying(alice({"phone": phone(ntfy)}))) as engine:
        subject = await engine.report(fires())
        await pages(engine, subject)
        (heard,) = ntfy.heard
        actions = heard.body.pop("actions")
        assert heard.body.pop("sequence_id")
        assert heard.body == {
            "topic": "alice",
            "title": f"{subject} critical DiskFull",
            "message": "critical DiskFull db1: 97 % of / used",
            "priority": 5,
            "tags": ["rotating_light"],
        }
        assert [one["label"] for one in actions] == ["Ack", "Escalate"]
        await engine.advance(seconds=45)
        first, second, taken_away = ntfy.heard
        assert second.body["sequence_id"] not in first.body
        assert (taken_away.method, taken_away.path.split("/")[1]) == ("DELETE", "alice")


@pytest.mark.parametrize("end", ["ack", "done", "over"])
async def test_whatever_ends_it_ends_the_ringing(start: Start, ntfy: Ntfy, end: str) -> None:
    async with start(notifying(alice({"phone": phone(ntfy)}))) as engine:
        subject = await engine.report(fires())
        await pages(engine, subject)
        if end == "over":
            await engine.report(over())
        else:
            await engine.says("alice", f"!{end} {subject}")
        await engine.advance(minutes=10)
        assert len(ntfy.rings()) == 1


async def test_it_rings_no_more_for_who_handed_over_the_pager(start: Start, ntfy: Ntfy) -> None:
    async with start(notifying(alice({"phone": phone(ntfy)}))) as engine:
        subject = await engine.report(fires())
        await pages(engine, subject)
        await engine.run.tocsin.turn(
            lambda tx: tx.record(PersonReleased(subject=subject, at=tx.now, person="alice"))
        )
        await engine.run.settled()
        await engine.advance(minutes=10)
        assert len(ntfy.rings()) == 1
        calm = ntfy.posts()[-1].body
        assert (calm["priority"], calm["message"]) == (2, f"{subject}: rings for somebody else")
        await pages(engine, subject)  # the pager is theirs again
        assert len(ntfy.rings()) == 2


async def test_unacked_it_rings_again_when_it_pages_again(start: Start, ntfy: Ntfy) -> None:
    async with start(notifying(alice({"phone": phone(ntfy)}))) as engine:
        subject = await engine.report(fires())
        await pages(engine, subject)
        await engine.says("alice", f"!ack {subject}")
        await engine.advance(minutes=1)
        await engine.says("alice", f"!unack {subject}")
        await engine.advance(minutes=1)
        assert len(ntfy.rings()) == 1
        await pages(engine, subject)
        assert len(ntfy.rings()) == 2


async def test_the_ack_button_acks_as_the_word_would(start: Start, ntfy: Ntfy) -> None:
    async with start(notifying(alice({"phone": phone(ntfy)}))) as engine:
        subject = await engine.report(fires())
        await pages(engine, subject)
        url = button(ntfy.posts()[0], "Ack")
        answer = await press(engine, url)
        assert (answer.status, answer.text) == (200, f"acked {subject}\n")
        assert await engine.state(subject) == "acknowledged"
        assert any("acknowledged by alice, paging stops" in text for text in engine.chat.texts("room/#ops"))
        audit = await engine.sql("select place, person, what, verdict from audit")
        assert audit == [("button/phone", "alice", f"ack {subject}", "done")]
        again = await press(engine, url)
        assert (again.status, again.text) == (200, f"{subject}: acknowledged by alice\n")
        assert len(await engine.sql("select 1 from audit")) == 1


async def test_an_ack_by_somebody_else_is_said(start: Start, ntfy: Ntfy) -> None:
    async with start(notifying(alice({"phone": phone(ntfy)}))) as engine:
        subject = await engine.report(fires())
        await pages(engine, subject)
        await engine.says("bob", f"!ack {subject}")
        answer = await press(engine, button(ntfy.posts()[0], "Ack"))
        assert (answer.status, answer.text) == (200, f"{subject}: acknowledged by bob\n")


async def test_default_rings_each_way_once_and_later(start: Start, ntfy: Ntfy, gateway: Sink) -> None:
    ways = {"phone": phone(ntfy), "sms": Way(webhook=f"{gateway.url}/send")}
    async with start(notifying(alice(ways))) as engine:
        await pages(engine, await engine.report(fires()), urgent=False)
        await engine.advance(minutes=20)
        assert (ntfy.times(), gateway.times()) == (["03:02:00"], ["03:05:00"])
        assert ntfy.posts()[0].body["priority"] == 4


async def test_steps_say_when(start: Start, ntfy: Ntfy, gateway: Sink) -> None:
    ways = {"phone": phone(ntfy), "sms": Way(webhook=f"{gateway.url}/send")}
    steps = (Step("sms"), Step("phone", MINUTE))
    async with start(notifying(alice(ways, urgent=steps))) as engine:
        await pages(engine, await engine.report(fires()))
        await engine.advance(minutes=1, seconds=10)
        assert (ntfy.times(), gateway.times()) == (["03:01:00"], ["03:00:00", "03:00:45"])


@pytest.mark.parametrize("event", [PageUnseen, PageFailed])
async def test_what_does_not_reach_them_brings_the_next_way_at_once(
    start: Start, ntfy: Ntfy, gateway: Sink, event: type[PageUnseen | PageFailed]
) -> None:
    ways = {"phone": phone(ntfy), "sms": Way(webhook=f"{gateway.url}/send")}
    async with start(notifying(alice(ways))) as engine:
        subject = await engine.report(fires())
        await pages(engine, subject, urgent=False)
        await engine.advance(seconds=60)
        await records(engine, event, subject)
        assert (ntfy.times(), gateway.times()) == (["03:01:00"], [])
        await engine.advance(minutes=20)
        assert (ntfy.times(), gateway.times()) == (["03:01:00"], ["03:05:00"])


async def test_a_way_that_fails_brings_the_next_and_is_tried_again(
    start: Start, ntfy: Ntfy, gateway: Sink
) -> None:
    ways = {"phone": phone(ntfy), "sms": Way(webhook=f"{gateway.url}/send")}
    for _ in range(3):
        ntfy.answers_with(500)
    async with start(notifying(alice(ways))) as engine:
        await pages(engine, await engine.report(fires()), urgent=False)
        await engine.advance(minutes=20)
        assert ntfy.times() == ["03:02:00", "03:02:10", "03:02:30", "03:03:10"]
        assert gateway.times() == ["03:02:00"]
        told = [text for text in engine.chat.texts("room/#ops") if "phone" in text]
        assert told == ["phone of alice does not ring: ntfy answers 500", "phone of alice rings again"]
        titles = [one.body["title"].endswith("again)") for one in ntfy.posts()]
        assert titles == [False, True, True, True]


async def test_a_way_that_fails_for_good_is_told_once(start: Start, ntfy: Ntfy) -> None:
    ntfy.answers_with(403)
    ntfy.for_ever = True
    async with start(notifying(alice({"phone": phone(ntfy)}))) as engine:
        await pages(engine, await engine.report(fires()))
        await engine.advance(minutes=11)
        assert ntfy.times() == ["03:00:00", "03:05:00", "03:10:00"]
        told = [text for text in engine.chat.texts("room/#ops") if "phone" in text]
        assert told == ["phone of alice does not ring: ntfy does not take our credential (403)"]


async def test_a_server_that_asks_to_wait_is_left_alone(start: Start, ntfy: Ntfy) -> None:
    ntfy.answers_with(429, **{"Retry-After": "60"})
    async with start(notifying(alice({"phone": phone(ntfy)}))) as engine:
        await pages(engine, await engine.report(fires()))
        await engine.advance(seconds=61)
        assert ntfy.times() == ["03:00:00", "03:01:00"]


async def test_many_alerts_are_one_ring_and_one_button(start: Start, ntfy: Ntfy) -> None:
    async with start(notifying(alice({"phone": phone(ntfy)}))) as engine:
        subjects = [await engine.report(fires(alert(f"Disk{n}"), key=f"disk{n}")) for n in range(30)]
        for subject in subjects:
            await pages(engine, subject)
        await engine.advance(seconds=44)
        first, second = ntfy.posts()
        assert (first.at, second.at) == ("03:00:00", "03:00:10")
        assert second.body["title"] == "30 alerts ring"
        assert second.body["message"].splitlines()[-1] == "… and 25 more"
        answer = await press(engine, button(second, "Ack"))
        assert answer.status == 200
        assert {await engine.state(subject) for subject in subjects} == {"acknowledged"}
        await engine.advance(minutes=30)
        assert len(ntfy.rings()) == 2


async def test_what_is_left_of_many_rings_on(start: Start, ntfy: Ntfy) -> None:
    async with start(notifying(alice({"phone": phone(ntfy)}))) as engine:
        one, two = [await engine.report(fires(alert(name), key=name)) for name in ("Disk", "Link")]
        await pages(engine, one)
        await pages(engine, two)
        await engine.advance(seconds=10)
        await engine.says("alice", f"!ack {one}")
        await engine.advance(seconds=45)
        assert ntfy.rings()[1:] == ["03:00:10 2 alerts ring", f"03:00:55 {two} critical Link"]


async def test_killed_while_it_rings_it_rings_again_and_says_so(start: Start, ntfy: Ntfy) -> None:
    declared = notifying(alice({"phone": phone(ntfy)}))

    async with start(declared, crash=True) as engine:
        subject = await engine.report(fires())
        heard = len(ntfy.heard)
        ntfy.answers.append(never)
        await engine.run.tocsin.turn(paging(subject))
        async with asyncio.timeout(PATIENCE):
            while len(ntfy.heard) == heard:
                await asyncio.sleep(0.001)
    async with start(declared):
        first, second = ntfy.posts()
        assert (first.at, second.at) == ("03:00:00", "03:00:00")
        assert first.body["sequence_id"] == second.body["sequence_id"]
        assert [one.body["title"].endswith("(again)") for one in (first, second)] == [False, True]


async def test_a_restart_forgets_nothing(start: Start, ntfy: Ntfy) -> None:
    declared = notifying(alice({"phone": phone(ntfy)}))
    async with start(declared, crash=True) as engine:
        subject = await engine.report(fires())
        await pages(engine, subject)
    start.clock.move(timedelta(minutes=5))
    async with start(declared) as engine:
        assert ntfy.times() == ["03:00:00", "03:05:00"]
        assert (await press(engine, button(ntfy.posts()[0], "Ack"))).text == f"acked {subject}\n"
        await engine.advance(minutes=5)
    assert len(ntfy.rings()) == 2


async def test_the_story_says_what_rang(start: Start, ntfy: Ntfy) -> None:
    ntfy.answers_with(500)
    async with start(notifying(alice({"phone": phone(ntfy)}))) as engine:
        await pages(engine, await engine.report(fires()))
        await engine.advance(minutes=5)
        rows = await engine.sql("select headline from events where kind = 'notify.rang'")
        assert [row[0] for row in rows] == [
            "phone of alice does not ring: ntfy answers 500",
            "phone of alice rings",
        ]


async def test_who_has_no_ways_is_left_to_chat(start: Start, ntfy: Ntfy) -> None:
    async with start(notifying(alice({"phone": phone(ntfy)}))) as engine:
        await pages(engine, await engine.report(fires()), "bob")
        await engine.advance(minutes=10)
        assert ntfy.heard == []


async def test_after_days_away_what_could_not_ring_is_tried_again(start: Start, ntfy: Ntfy) -> None:
    ringing = notifying(alice({"phone": phone(ntfy)}))
    ntfy.answers_with(500)
    async with start(ringing) as engine:
        await pages(engine, await engine.report(fires()))
        assert ntfy.times() == ["03:00:00"]
    start.clock.move(timedelta(days=3))
    async with start(ringing) as engine:
        await engine.advance(minutes=1)
        assert len(ntfy.rings()) > 1
