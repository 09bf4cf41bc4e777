"""IRC: what goes first where more is to be said than may go out."""

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain.pace import Pace
from tocsin.networks.base import Rank
from tocsin.networks.irc.link import CHORE_AFTER, Link
from tocsin.networks.irc.login import Login
from tocsin.networks.irc.receipts import Receipts, Spoken
from tocsin.networks.irc.turns import Turns

from tests.networks.irc_parts import outcome, spoken, take
from tests.networks.irc_peers import Fake
from tests.servers.programs import HOST

NEVER = timedelta(hours=1)


def write(turns: Turns) -> str:
    """The next line goes out: which one."""
    first = turns.first()
    assert first is not None
    each, _ = first
    if each.out == 0:
        turns.begin(each)
    each.out += 1
    if each.over:
        turns.end(each)
    return each.lines[each.out - 1].removeprefix("PRIVMSG ").replace(" :", "")


# ── Who comes first ─────────────────────────────────────────────────────────────────────────────────────────


async def test_it_goes_by_rank_and_then_in_order() -> None:
    turns = Turns()
    ranks = [Rank.NEWS, Rank.STATUS, Rank.ANSWER, Rank.PAGE] * 2
    for number, rank in enumerate(ranks):
        turns.add(spoken(f"{rank.name}-{number}-"), rank)
    order = ["PAGE-3-", "PAGE-7-", "ANSWER-2-", "ANSWER-6-", "STATUS-1-", "STATUS-5-", "NEWS-0-", "NEWS-4-"]
    assert [write(turns) for _ in ranks] == [f"{each}0" for each in order]
    assert turns.first() is None


async def test_the_lines_of_a_message_stay_together_but_for_what_is_more_urgent() -> None:
    turns = Turns()
    turns.add(spoken("#ops", lines=3), Rank.STATUS)
    turns.add(spoken("#db", lines=2), Rank.STATUS)
    assert write(turns) == "#ops0"
    turns.add(spoken("alice", lines=2), Rank.ANSWER)
    assert write(turns) == "alice0"
    turns.add(spoken("bob"), Rank.PAGE)
    assert [write(turns) for _ in range(6)] == ["bob0", "alice1", "#ops1", "#ops2", "#db0", "#db1"]


async def test_nothing_comes_between_two_lines_to_the_same_target() -> None:
    turns = Turns()
    turns.add(spoken("#ops", lines=3), Rank.STATUS)
    turns.add(spoken("#db"), Rank.ANSWER)
    turns.add(spoken("#db"), Rank.STATUS)
    assert [write(turns), write(turns)] == ["#db0", "#ops0"]
    turns.add(spoken("#OPS"), Rank.PAGE)
    turns.add(spoken("alice"), Rank.PAGE)
    first = turns.first()
    assert first is not None
    assert first[1] is Rank.PAGE  # what is in the way of a page is as urgent
    assert [write(turns) for _ in range(5)] == ["#ops1", "#ops2", "#OPS0", "alice0", "#db0"]


async def test_what_was_given_up_before_it_was_begun_is_not_said() -> None:
    turns = Turns()
    messages = [spoken(target, lines=2) for target in ("#ops", "#db", "alice")]
    for each in messages:
        turns.add(each, Rank.STATUS)
    assert write(turns) == "#ops0"
    for each in messages[:2]:
        each.done.cancel()
    assert list(turns) == [messages[0], messages[2]]
    assert [write(turns) for _ in range(3)] == [
        "#ops1",
        "alice0",
        "alice1",
    ]  # what is begun is said to its end
    assert (turns.first(), list(turns)) == (None, [])


# ── Receipts of what is interrupted ─────────────────────────────────────────────────────────────────────────


async def test_a_refusal_falls_on_what_was_interrupted_and_not_on_the_page() -> None:
    receipts = Receipts()
    long, page = spoken("#ops", lines=3), spoken("alice")
    receipts.begin(long)
    receipts.begin(page)
    receipts.written(page)
    first = receipts.barrier(0)
    take(receipts, ":irc 404 tocsin #ops :no", f":irc PONG {first}")
    assert [outcome(long), outcome(page)] == ["waits", f"pong {first}"]
    receipts.written(long)
    take(receipts, f":irc PONG {receipts.barrier(1)}")
    assert outcome(long) == "404"


async def test_what_was_interrupted_is_lost_with_the_link() -> None:
    receipts = Receipts()
    long, page = spoken("#ops", lines=3), spoken("alice")
    for each in (long, page):
        each.begun.set()
        receipts.begin(each)
    receipts.written(page)
    receipts.barrier(0)
    receipts.end("the link is gone")
    assert [outcome(long), outcome(page)] == ["lost", "lost"]


class Desk:
    """Writes as a link does; the server answers in order, and refuses what it is told to."""

    def __init__(self) -> None:
        self.turns, self.receipts = Turns(), Receipts()
        self.refusals: dict[Spoken, list[bool]] = {}
        self.written: list[tuple[str, int]] = []
        self._to_come: deque[str] = deque()

    def add(self, target: str, rank: Rank, refused: list[bool]) -> None:
        each = spoken(target, lines=len(refused))
        self.refusals[each] = refused
        self.turns.add(each, rank)

    def ask(self) -> None:
        if self.receipts.uncovered:
            self._to_come.append(f":irc PONG irc :{self.receipts.barrier(0)}")

    def answer(self) -> None:
        if self._to_come:
            take(self.receipts, self._to_come.popleft())

    def write(self) -> None:
        first = self.turns.first()
        if first is None:
            return
        each, _ = first
        if each.out == 0:
            self.turns.begin(each)
            if len(each.lines) > 1:
                self.ask()
            self.receipts.begin(each)
        if self.refusals[each][each.out]:
            self._to_come.append(f":irc 404 tocsin {each.target} :no")
        self.written.append((each.target, each.out))
        each.out += 1
        if each.over:
            self.receipts.written(each)
            self.turns.end(each)

    def finish(self) -> None:
        while self.turns.first():
            self.write()
        self.ask()
        while self._to_come:
            self.answer()


TARGETS = ["#ops", "#db", "bob"]
refused_lines = st.lists(st.booleans(), min_size=1, max_size=3)
one_message = st.tuples(st.sampled_from(TARGETS), st.sampled_from(Rank), refused_lines)
steps = st.lists(one_message | st.sampled_from(["write", "write", "ask", "answer"]), max_size=30)


@given(steps)
async def test_whatever_comes_between_lines_a_server_that_answers_in_order_is_understood(
    steps: list[tuple[str, Rank, list[bool]] | str],
) -> None:
    """What is refused is never taken for delivered; what is not is refused only beside another to the same target."""
    desk = Desk()
    for step in steps:
        if isinstance(step, tuple):
            desk.add(*step)
        else:
            getattr(desk, step)()
    desk.finish()
    blamed = {each.target for each, refused in desk.refusals.items() if any(refused)}
    for each, refused in desk.refusals.items():
        found = outcome(each)
        if any(refused):
            assert found == "404"
        else:
            assert found.startswith("pong ") or each.target in blamed
    for target in TARGETS:  # nobody reads one message within another
        numbers = [number for where, number in desk.written if where == target]
        assert all(after in (0, before + 1) for before, after in itertools.pairwise(numbers))
        assert numbers.count(0) == sum(each.target == target for each in desk.refusals)
    assert desk.receipts.oldest() is None


# ── On a link ───────────────────────────────────────────────────────────────────────────────────────────────


@contextlib.asynccontextmanager
async def linked(burst: int, every: timedelta) -> AsyncIterator[tuple[Link, Fake]]:
    async with Fake() as fake:
        link = Link(Login(["tocsin"]), Pace(burst, every, asyncio.get_running_loop().time), lambda _: None)
        try:
            await link.open(HOST, fake.port, None)
            yield link, fake
        finally:
            await link.close()


def said(fake: Fake) -> list[str]:
    """All that came from the link since its login, but for what asks for receipts."""
    start = next(number for number, line in enumerate(fake.lines) if line.startswith("USER")) + 1
    return [line for line in fake.lines[start:] if not line.startswith(("PING", "CAP"))]


def give_up(*messages: Spoken) -> None:
    for each in messages:
        each.done.cancel()


async def test_a_page_goes_between_the_lines_of_a_long_answer() -> None:
    async with linked(1, timedelta(seconds=0.05)) as (link, fake):
        answer = link.say("mallory", [f"line {number}" for number in range(8)], Rank.ANSWER)
        status = [link.say("#ops", [f"status {number}"], Rank.STATUS) for number in range(20)]
        await fake.hears("line 1")
        page = link.say("alice", ["page", "more of it"], Rank.PAGE)
        assert (await page.done).startswith("pong")
        assert not answer.done.done()
        assert not any(each.begun.is_set() for each in status)
        assert (await answer.done).startswith("pong")
        await status[0].done
        lines = said(fake)
        at = lines.index("PRIVMSG alice :page")
        assert at <= 4
        assert lines[at + 1] == "PRIVMSG alice :more of it"
        assert [line for line in lines[:10] if "mallory" in line] == [
            f"PRIVMSG mallory :line {number}" for number in range(8)
        ]
        give_up(*status)


async def test_a_page_goes_at_once_though_much_was_just_said() -> None:
    async with linked(5, NEVER) as (link, fake):
        status = [link.say("#ops", [f"status {number}"], Rank(1 + number % 3)) for number in range(10)]
        await fake.hears("PING")
        assert sum(each.begun.is_set() for each in status) == 3  # and a PING: one line is left
        page = link.say("alice", ["page"], Rank.PAGE)
        assert (await page.done).startswith("pong")
        another = link.say("bob", ["page"], Rank.PAGE)
        await asyncio.sleep(0)
        assert not another.begun.is_set()
        assert sum(each.begun.is_set() for each in status) == 3
        give_up(another, *status)


async def test_in_calm_times_a_page_and_what_is_told_of_it_go_together() -> None:
    async with linked(5, NEVER) as (link, _):
        for rank in (Rank.PAGE, Rank.NEWS):
            assert (await link.say("#ops", ["text"], rank).done).startswith("pong")


@pytest.mark.parametrize("burst", [1, 2, 3, 4])
async def test_however_few_lines_may_go_at_once_everything_is_said(burst: int) -> None:
    async with linked(burst, timedelta(seconds=0.02)) as (link, _):
        ranks = list(Rank) * 2
        for each in [link.say("#ops", ["text"], rank) for rank in ranks]:
            assert (await each.done).startswith("pong")


async def test_a_command_that_can_wait_has_its_turn_though_messages_never_end() -> None:
    async with linked(1, timedelta(seconds=0.01)) as (link, fake):
        for number in range(2):
            link.command_some_time(f"WHO #room{number}")
        pages = [link.say("alice", ["page"], Rank.PAGE) for _ in range(CHORE_AFTER + 1)]
        status = [link.say("#ops", ["status"], Rank.STATUS) for _ in range(CHORE_AFTER + 1)]
        await asyncio.gather(*(each.done for each in (*pages, *status)))
        lines = [line.split()[1].lstrip("#") for line in said(fake)]
        several = ["ops"] * CHORE_AFTER
        assert lines == ["alice"] * (CHORE_AFTER + 1) + ["room0", *several, "room1", "ops"]


async def test_messages_wait_for_no_crowd_of_commands() -> None:
    async with linked(5, timedelta(seconds=0.01)) as (link, fake):
        for number in range(300):
            link.command_some_time(f"WHO #room{number}")
        await fake.hears("WHO", times=10)
        for rank in Rank:
            before = len(said(fake))
            await link.say("#ops", ["text"], rank).done
            assert len(said(fake)) - before < 10
        await fake.hears("WHO #room299")


async def test_whoever_makes_us_ask_who_they_are_holds_up_no_page() -> None:
    async with linked(1, timedelta(seconds=0.01)) as (link, fake):
        asking = [asyncio.create_task(link.whois(f"nick{number}")) for number in range(6)]
        await asyncio.sleep(0)
        messages = [link.say(rank.name, ["text"], rank) for rank in (Rank.PAGE, Rank.PAGE, Rank.NEWS)]
        await asyncio.gather(*(each.done for each in messages))
        await fake.hears("WHOIS", times=6)
        lines = [line.split()[:2] for line in said(fake)]
        assert [name for name, _ in lines] == ["WHOIS", "PRIVMSG"] * 3 + ["WHOIS"] * 3
        assert [to for name, to in lines if name == "PRIVMSG"] == ["PAGE", "PAGE", "NEWS"]
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)


async def test_pages_that_go_on_and_on_leave_room_for_the_rest() -> None:
    """As long as they come more slowly than they can go out, which is seen to before they are said."""
    every = 0.02
    async with linked(5, timedelta(seconds=every)) as (link, _):
        rest = [link.say("#ops", [rank.name], rank) for rank in list(Rank)[1:] * 3]
        pages = []
        while not all(each.done.done() for each in rest):
            pages.append(link.say("alice", ["page"], Rank.PAGE))
            await pages[-1].done
            await asyncio.sleep(3 * every)  # a page, its PING, and a line for others
            assert len(pages) < 100
        assert len(pages) > 3
