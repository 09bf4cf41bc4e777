"""Whether a page was seen: shown where the network tells, and no answer."""

import asyncio
from datetime import timedelta

import pytest

from tocsin.domain.message import Place

from tests.engine import Engine, alert, fires
from tests.plugins.storm_parts import comes, storming
from tests.processes import PATIENCE
from tests.shown import edits, shown
from tests.tower import FACT, Tower, down, mends

ALICE = Place("console", "alice", private=True)


@pytest.fixture(autouse=True)
def _sees(tower: Tower) -> None:
    """The network tells who has seen what, and can put right what was said."""
    tower.chat.edits = tower.chat.sees = True


async def sees(engine: Engine, receipt: int, *, place: Place = ALICE, times: int = 1) -> None:
    """Somebody has seen all up to the message with that receipt, as the network says so many times."""
    assert engine.chat.listener
    for _ in range(times):
        engine.chat.listener.seen(place, str(receipt), engine.run.clock.now())
    for _ in range(3):
        await asyncio.sleep(0)
    await engine.run.settled()


def receipt(engine: Engine, subject: str, place: Place = ALICE) -> int:
    """That of the last message about it there."""
    found = [
        at for at, said in enumerate(engine.chat.said, 1) if said.place == place and subject in str(said)
    ]
    return found[-1]


async def told(engine: Engine, what: str) -> list[str]:
    """What is recorded of pages that were seen, or were not."""
    rows = await engine.sql("select at, headline, kind from events order by seq")
    return [f"{at[11:19]} {headline}" for at, headline, kind in rows if kind == f"page.{what}"]


async def test_a_page_that_was_seen_is_shown_as_seen_and_not_acked(tower: Tower) -> None:
    async with tower() as engine:
        subject = await engine.report(fires())
        await engine.advance(minutes=2)
        await sees(engine, receipt(engine, subject), times=3)
        assert await told(engine, "seen") == ["03:02:00 page to alice on console: seen"]
        seen = f"{subject} paging alice (seen by alice 03:02 UTC, not acked): {FACT} · !ack {subject}"
        assert shown(engine.chat) == [seen]
        assert edits(engine.chat, "person/alice") == []
        await sees(engine, receipt(engine, subject))
        assert len(await told(engine, "seen")) == len(edits(engine.chat)) == 1
        await engine.advance(minutes=3, seconds=1)
        assert shown(engine.chat) == [
            f"{subject} step 2: paging bob (seen by alice 03:02 UTC, not acked): {FACT} · !ack {subject}"
        ]
        await engine.says("alice", "!ack")
        assert shown(engine.chat)[0] == f"{subject} acknowledged by alice: {FACT}"


async def test_the_last_message_stands_for_all_before_it_and_for_none_after(tower: Tower) -> None:
    async with tower() as engine:
        first = await engine.report(fires())
        await engine.advance(seconds=1)
        second = await engine.report(fires(alert("Other"), key="other"))
        await engine.advance(seconds=1)
        third = await engine.report(fires(alert("Third"), key="third"))
        await sees(engine, receipt(engine, second))
        seen = await engine.sql("select subject from events where kind = 'page.seen' order by seq")
        assert seen == [(first,), (second,)]
        await engine.says("alice", "whoami")
        await sees(engine, len(engine.chat.said))  # an answer, said after all of them
        seen = await engine.sql("select subject from events where kind = 'page.seen' order by seq")
        assert seen[2:] == [(third,)]


async def test_what_is_seen_elsewhere_or_is_none_of_ours_says_nothing(tower: Tower) -> None:
    async with tower() as engine:
        subject = await engine.report(fires())
        said = receipt(engine, subject)
        await sees(engine, said, place=Place("console", "bob", private=True))
        await sees(engine, said, place=Place("radio", "alice", private=True))
        await sees(engine, 999)
        assert await told(engine, "seen") == []


async def test_of_what_somebody_has_answered_nothing_is_shown(tower: Tower) -> None:
    async with tower() as engine:
        subject = await engine.report(fires())
        page = receipt(engine, subject)
        await engine.says("bob", f"!ack {subject}", room="#ops")
        before = len(engine.chat.said)
        await sees(engine, page)
        assert len(engine.chat.said) == before
        assert await told(engine, "seen") == []


async def test_who_does_not_look_for_a_minute_is_found_out(tower: Tower) -> None:
    async with tower() as engine:
        await engine.report(fires())
        await engine.advance(seconds=59)
        assert await told(engine, "unseen") == []
        await engine.advance(minutes=2)
        assert await told(engine, "unseen") == ["03:01:00 page to alice on console: not seen"]


async def test_who_looked_or_answered_is_not_away(tower: Tower) -> None:
    async with tower() as engine:
        first = await engine.report(fires())
        await sees(engine, receipt(engine, first))
        second = await engine.report(fires(alert("Other"), key="other"))
        await engine.says("alice", f"!ack {second}")
        await engine.advance(minutes=2)
        assert await told(engine, "unseen") == []


async def test_where_nobody_tells_what_is_seen_no_minute_is_counted(tower: Tower) -> None:
    tower.chat.sees = False
    async with tower() as engine:
        await engine.report(fires())
        assert await engine.sql("select * from timers where kind = 'core.page_unseen'") == []
        await engine.advance(minutes=2)
        assert await told(engine, "unseen") == []


async def test_the_minute_begins_when_it_was_delivered(tower: Tower) -> None:
    async with tower() as engine:
        engine.chat.fails = down()
        await engine.report(fires())
        await engine.advance(seconds=40)
        await mends(engine)
        await engine.advance(seconds=59)
        assert await told(engine, "unseen") == []
        await engine.advance(seconds=1)
        assert await told(engine, "unseen") == ["03:01:40 page to alice on console: not seen"]


async def test_a_minute_goes_on_over_a_crash(tower: Tower) -> None:
    async with tower(crash=True) as engine:
        await engine.report(fires())
        await engine.advance(seconds=30)
    async with tower() as engine:
        await engine.advance(seconds=31)
        assert len(await told(engine, "unseen")) == 1


async def test_a_digest_that_is_seen_is_all_its_pages_seen(tower: Tower) -> None:
    async with storming(tower) as engine:
        await comes(engine, 600)
        await engine.advance(seconds=30)
        before = len(engine.chat.said)
        await sees(engine, [at for at, said in enumerate(engine.chat.said, 1) if said.place == ALICE][-1])
        assert len(await told(engine, "seen")) == 600
        await engine.advance(minutes=2)
        assert await told(engine, "unseen") == []
        # In the room one line stands alone, which shows it.
        assert [bool(said.amends) for said in engine.chat.said[before:]] == [True]


async def test_a_page_may_be_seen_before_the_network_says_that_it_took_it(
    tower: Tower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.ears.SEEN_EARLY", [timedelta(0)] * 2000)

    async with tower() as engine:
        send, taken = engine.chat.send, asyncio.Event()

        async def slowly(place: Place, *args: object, **options: object) -> str:
            answer: str = await send(place, *args, **options)  # type: ignore[arg-type] # passed on as it came
            if place == ALICE:
                await taken.wait()
            return answer

        monkeypatch.setattr(engine.chat, "send", slowly)
        task = asyncio.create_task(engine.report(fires()))
        async with asyncio.timeout(PATIENCE):
            while not (mine := [at for at, said in enumerate(engine.chat.said, 1) if said.place == ALICE]):
                await asyncio.sleep(0.001)
        assert engine.chat.listener
        engine.chat.listener.seen(ALICE, str(mine[0]), engine.run.clock.now())
        await asyncio.sleep(0.01)
        taken.set()
        await task
        async with asyncio.timeout(PATIENCE):
            while not await told(engine, "seen"):
                await asyncio.sleep(0.001)
