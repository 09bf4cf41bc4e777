"""A network that comes back after an hour says how things stand, and not all that was to be said meanwhile."""

from collections import Counter
from collections.abc import Callable

import pytest

from tests.engine import fires
from tests.plugins.storm_parts import comes, counts, storming
from tests.shown import shown
from tests.tower import FACT, Chat, Tower, down, mends, policy

HOURLY = policy('{ page = "alice" }, { page = "bob", after = "5m" }', "repeat = 5", 'repeat_after = "10m"')
ALICE = "person/alice"
Rung = Callable[[], list[str]]


def commands(chat: Chat, place: str) -> list[str]:
    """What was said there that says what to type."""
    return [text for text in chat.texts(place) if "!ack" in text]


@pytest.mark.parametrize("digests", [False, True])
@pytest.mark.parametrize("restarted", [False, True])
async def test_of_all_pages_of_one_alert_the_newest_is_said_when_the_network_is_back(
    tower: Tower, *, digests: bool, restarted: bool
) -> None:
    tower.people = tower.people.replace("digests = false", f"digests = {str(digests).lower()}")
    tower.chat.fails = down()
    async with tower(HOURLY) as engine:
        subject = await engine.report(fires())
        await engine.advance(minutes=56)
        paged = "select count(*) from outbox where lane = 0 and person = 'alice'"
        assert await engine.sql(paged) == [(4,)]
        if not restarted:
            await mends(engine)
            await engine.advance(seconds=30)
    if restarted:
        tower.chat.fails = lambda _: None
        async with tower(HOURLY) as engine:
            await engine.advance(seconds=30)
    # Since no page is taken each step takes a minute longer: alice is paged at :00, :17, :34 and :51, bob last at :40.
    assert tower.chat.texts(ALICE) == [f"{subject} (5 min ago) {FACT} · !ack {subject}"]
    assert tower.chat.texts("person/bob") == [f"{subject} (16 min ago) {FACT} · !ack {subject}"]
    [news] = commands(tower.chat, "room/#ops")
    assert news == f"{subject} (5 min ago) step 1, again: paging alice: {FACT} · !ack {subject}"
    failed = [text for text in tower.chat.texts("room/#ops") if text != news]
    assert len(failed) <= 1
    assert all("page to alice failed" in text for text in failed)


async def test_what_is_known_in_time_is_said_as_ever(tower: Tower, rung: Rung) -> None:
    """A page waits for the outcome of its own, however many come behind it."""
    steps = policy('{ page = "alice" }, { page = "alice", after = "10s" }, { page = "bob", after = "1h" }')
    tower.chat.fails = down("alice")
    async with tower(steps) as engine:
        subject = await engine.report(fires())
        await engine.advance(seconds=25)
        await engine.says("bob", f"!up {subject}", room="#ops")
        await engine.advance(seconds=32)
        assert rung() == []
        await engine.advance(seconds=2)
        await engine.run.settled()
        assert len(rung()) == 1  # of the first: within 60 s after it was to be said


async def test_who_answered_meanwhile_hears_of_no_page(tower: Tower) -> None:
    tower.chat.fails = down("alice")
    async with tower(HOURLY) as engine:
        subject = await engine.report(fires())
        await engine.advance(minutes=40)
        await engine.says("bob", f"!ack {subject}")
        await mends(engine)
        await engine.advance(minutes=1)
        assert commands(tower.chat, ALICE) == []


async def test_each_of_several_alerts_is_said_and_once(tower: Tower) -> None:
    async with storming(tower, HOURLY) as engine:
        tower.chat.fails = down()
        ids = await comes(engine, 6)
        await engine.advance(minutes=30)
        ids += await comes(engine, 3, at=6)
        await engine.advance(minutes=4)
        await mends(engine)
        await engine.advance(minutes=1)
        assert counts(tower.chat.texts(ALICE)) == len(ids)
        carried = await engine.sql(
            "select subject from outbox where person = 'alice' and state = 'CONFIRMED' and not carries"
        )
        assert Counter(subject for (subject,) in carried) == Counter(ids)


async def test_a_digest_in_doubt_is_said_again_whole_though_newer_pages_wait(tower: Tower) -> None:
    """It may be the only one that tells of some of its alerts."""
    async with storming(tower, HOURLY) as engine:
        ids = await comes(engine, 5)
        tower.chat.fails = down("alice")
        await engine.advance(minutes=40)
        others = await comes(engine, 5, at=5)
        await engine.says("bob", f"!ack {ids[0]}")
        await engine.advance(minutes=10)
        await mends(engine)
        await engine.advance(minutes=1)
        assert counts(tower.chat.texts(ALICE)) >= len(ids[1:] + others)
        left = "select count(*) from outbox where settled_at is null"
        assert await engine.sql(left) == [(0,)]


async def test_a_late_page_that_is_put_right_says_still_that_it_came_late(tower: Tower) -> None:
    tower.chat.edits = True
    async with tower(policy('{ page = "alice" }', "repeat = 0")) as engine:
        tower.chat.fails = down()
        subject = await engine.report(fires())
        await engine.advance(minutes=3)
        await mends(engine)
        assert shown(tower.chat, ALICE) == [f"{subject} (3 min ago) {FACT} · !ack {subject}"]
        await engine.says("alice", f"!ack {subject}")
        await engine.advance(seconds=1)
        acked = f"{subject} acknowledged by alice: {FACT}"
        assert shown(tower.chat, ALICE)[0] == f"{acked} (told 3 min late)"
        # In the room the line is that of the failed page, a minute later.
        assert f"{acked} (told 2 min late)" in shown(tower.chat)
