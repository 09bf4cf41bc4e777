"""Bodies that were kept are taken by turns: nobody waits behind all that another has posted."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tocsin.intake import READ_AHEAD, Lines
from tocsin.store import intake
from tocsin.transaction import Transaction

from tests.daemon.web_parts import posts
from tests.engine import Start
from tests.processes import PATIENCE


async def test_a_body_waits_for_one_of_each_other_receiver_and_not_for_all(start: Start) -> None:
    taken: list[str] = []

    def keep(tx: Transaction) -> None:
        """More of one receiver's than are looked at in one go, and then three of another's."""
        for receiver, number in (("prod", READ_AHEAD + 100), ("staging", 3)):
            for text in (f"{receiver} {one}" for one in range(number)):
                intake.add(tx.connection, route="post", receiver=receiver, body=text.encode(), at=tx.now)
        tx.bodies_kept = True

    declared = posts()
    route = replace(declared.routes["post"], take=lambda text, _: taken.append(text))
    async with start(replace(declared, routes={"post": route})) as engine:
        await engine.run.tocsin.turn(keep)
        async with asyncio.timeout(PATIENCE):
            while await engine.sql("select 1 from intake where outcome = 'waiting' limit 1"):
                await asyncio.sleep(0.02)
    assert [taken.index(f"staging {one}") < 200 for one in range(3)] == [True] * 3
    assert [text for text in taken if "prod" in text] == [f"prod {one}" for one in range(READ_AHEAD + 100)]
    assert [text for text in taken if "staging" in text] == [f"staging {one}" for one in range(3)]


async def test_what_waits_is_found_by_its_index(start: Start) -> None:
    async with start() as engine:

        def plan(tx: Transaction) -> str:
            intake.waiting(tx.connection, 64, beyond=7)
            asked = f"EXPLAIN QUERY PLAN {intake._WAITING.text}"  # noqa: SLF001 (as the driver got it)
            return "\n".join(row[3] for row in tx.connection.exec_driver_sql(asked, (7, 64, 0)))

        assert "USING INDEX ix_intake_waiting (id>?)" in await engine.run.tocsin.turn(plan)


def test_the_first_of_each_line_goes_before_the_second_of_any() -> None:
    lines = Lines()
    lines.add([(1, "a"), (2, "a"), (3, "a"), (4, "b"), (5, "c"), (6, "b")])
    assert lines.next(2) == [1, 4]
    lines.add([(2, "a"), (7, "d")])
    assert lines.next(3) == [5, 2, 6]
    assert lines.next(9) == [7, 3]
    assert lines.next(9) == []
    lines.add([(3, "a")])
    assert lines.next(9) == [3]


@given(st.lists(st.lists(st.sampled_from("abcd"), max_size=30), max_size=10), st.integers(1, 8))
def test_all_are_taken_once_and_of_each_in_order(come: Sequence[Sequence[str]], most: int) -> None:
    lines, kept, taken = Lines(), list[tuple[int, str]](), list[int]()
    for receivers in come:
        new = list(enumerate(receivers, start=len(kept) + 1))
        kept += new
        waits = [body for body in kept if body[0] not in taken]
        lines.add(waits[:most])
        lines.add(new)
        went = lines.next(most)
        assert len(went) == min(most, len(waits))
        of = dict(kept)
        left = {of[one] for one, _ in waits if one not in went}
        took = {who: sum(of[one] == who for one in went) for who in "abcd"}
        assert all(took[who] + 1 >= max(took.values()) for who in left)  # nobody else goes twice meanwhile
        taken += went
    while rest := lines.next(most):
        taken += rest
    assert sorted(taken) == [one for one, _ in kept]
    for who in "abcd":
        in_order = [one for one in taken if dict(kept)[one] == who]
        assert in_order == sorted(in_order)
