"""The same words answer everything that can be answered; what they do is said by whoever opened it."""

from collections.abc import Sequence

import pytest

from tocsin.answers import Answers
from tocsin.commands import Call, Command
from tocsin.domain.message import Message, Place
from tocsin.errors import Refused
from tocsin.plugins import Declared
from tocsin.store import subjects
from tocsin.transaction import Transaction

from tests.engine import Engine, Start, fires


class Offers:
    """A plugin that makes offers, each of which its person may accept or decline."""

    def declared(self) -> Declared:
        return Declared(
            commands=[Command("offer KEY", self.offer, "make one")],
            answers=[Answers("offer", {"accept": self.accept, "decline": self.decline}, self.waiting)],
        )

    def offer(self, call: Call, tx: Transaction) -> str:
        return tx.open("offer", call["KEY"])

    def accept(self, call: Call, ids: Sequence[str], tx: Transaction) -> Message | str:
        for one in ids:
            subjects.close(tx.connection, one, tx.now)
        return f"{call.by} accepts {' and '.join(ids)}"

    def decline(self, _: Call, ids: Sequence[str], tx: Transaction) -> None:
        for one in ids:
            subjects.close(tx.connection, one, tx.now)

    def waiting(self, _: Call, tx: Transaction) -> Sequence[str]:
        found = [one.id for one in subjects.all_open(tx.connection, "offer")]
        if not found:
            raise Refused("nothing was offered")
        return found


async def asks(engine: Engine, text: str) -> str:
    before = len(engine.chat.texts("person/bob"))
    await engine.says("bob", text)
    return "\n".join(engine.chat.texts("person/bob")[before:])


async def test_a_word_does_to_each_kind_what_that_kind_says(start: Start) -> None:
    async with start(Offers().declared()) as engine:
        one, two = await asks(engine, "offer one"), await asks(engine, "offer two")
        subject = await engine.report(fires())
        answer = await asks(engine, f"accept {one} {two} {subject} zz9z")
        assert f"bob accepts {one} and {two}" in answer
        assert f"{subject} acknowledged by bob, paging stops: critical DiskFull" in answer
        assert "there is no alert 'zz9z': !alerts lists what is open" in answer


async def test_a_bare_word_means_the_only_kind_that_waits(start: Start) -> None:
    async with start(Offers().declared()) as engine:
        assert await asks(engine, "accept") == "there is none: !alerts lists what is open"
        assert await asks(engine, "decline") == "nothing was offered"
        one = await asks(engine, "offer one")
        assert await asks(engine, "accept") == f"bob accepts {one}"
        two, subject = await asks(engine, "offer two"), await engine.report(fires())
        assert await asks(engine, "accept") == f"bob accepts {two}"  # he was not called for the alert
        two = await asks(engine, "offer again")
        bob = Place("console", "bob", private=True)
        await engine.run.tocsin.turn(lambda tx: tx.page(bob, "disks", about=subject, person="bob"))
        await engine.run.settled()
        assert await asks(engine, "accept") == f"which one? {subject} and {two}"
        assert await asks(engine, "decline") == ""
        assert f"{subject} acknowledged by bob" in await asks(engine, "accept")


@pytest.mark.parametrize(("word", "of"), [("ack", "offer"), ("done", "offer"), ("decline", "alert")])
async def test_what_cannot_be_answered_so_is_said(start: Start, word: str, of: str) -> None:
    async with start(Offers().declared()) as engine:
        one = await asks(engine, "offer one") if of == "offer" else await engine.report(fires())
        assert await asks(engine, f"{word} {one}") == f"{one}: there is nothing in it for !{word}"


async def test_what_not_everybody_may_know_is_left_out_of_several_answers_too(start: Start) -> None:
    class Secret(Offers):
        def accept(self, call: Call, ids: Sequence[str], tx: Transaction) -> Message:
            super().accept(call, ids, tx)
            return Message("taken: db1", brief="taken", lines=("at db1",), brief_lines=("somewhere",))

    async with start(Secret().declared()) as engine:
        one = await asks(engine, "offer one")
        await engine.says("bob", f"accept {one} zz9z")
        said = engine.chat.said[-1].message
        unknown = "there is no alert 'zz9z': !alerts lists what is open"
        assert said.all_lines() == ["taken: db1", "at db1", unknown]
        assert said.summary().all_lines() == ["taken", "somewhere", unknown]
