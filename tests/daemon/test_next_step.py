"""An alert that rings always has a next step, or people are told that it has none."""

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

from tocsin.domain.event import Event
from tocsin.domain.group import GroupOpened
from tocsin.rules import Reaction, on, owned
from tocsin.store.timers import Timer
from tocsin.transaction import Transaction

from tests.engine import Pager, Start, fires

NOBODY = "No plugin will page anybody for it."


@dataclass(frozen=True, kw_only=True)
class Noticed(Event):
    kind: ClassVar[str] = "test.noticed"

    def headline(self) -> str:
        return "noticed"


def nothing(_: Timer, __: Transaction) -> None:
    pass


async def test_a_fault_inside_a_fault_does_not_take_the_alarm_with_it(start: Start) -> None:
    def outer(event: GroupOpened, tx: Transaction) -> None:
        tx.record(Noticed(subject=event.subject, at=tx.now))
        raise ValueError

    def inner(_: Noticed, __: Transaction) -> None:
        raise KeyError

    reactions: list[tuple[str, Reaction[Any]]] = [("a", on(GroupOpened, outer)), ("b", on(Noticed, inner))]
    declared = replace(Pager().declared(), events={Noticed.kind: Noticed}, reactions=reactions)
    async with start(declared) as engine:
        await engine.report(fires())
        (alarm,) = engine.chat.texts("room/#ops")
        assert alarm.endswith("b.inner failed: KeyError. It is tried again.")


async def test_a_step_that_sets_no_next_one_is_found_out(start: Start) -> None:
    declared = Pager().declared()
    declared = replace(declared, timers={"pager.step": owned("pager", nothing, pages=True)})
    async with start(declared) as engine:
        await engine.report(fires())
        assert engine.chat.texts("room/#ops") == []
        await engine.advance(minutes=5)
        assert [text.splitlines()[1] for text in engine.chat.texts("room/#ops")] == [NOBODY]


async def test_a_plugin_that_is_gone_at_the_next_start_is_found_out(start: Start) -> None:
    async with start() as engine:
        await engine.report(fires())
    declared = replace(Pager().declared(), reactions=[], timers={})
    async with start(declared) as engine:
        assert [text.splitlines()[1] for text in engine.chat.texts("room/#ops")] == [NOBODY]


async def test_a_timer_that_does_not_page_is_no_next_step(start: Start) -> None:
    def remind(event: GroupOpened, tx: Transaction) -> None:
        tx.set_timer("notes.remind", event.subject, after=timedelta(hours=8))

    declared = replace(
        Pager().declared(),
        reactions=[("notes", on(GroupOpened, remind))],
        timers={"notes.remind": owned("notes", nothing)},
    )
    async with start(declared) as engine:
        await engine.report(fires())
        assert [text.splitlines()[1] for text in engine.chat.texts("room/#ops")] == [NOBODY]


async def test_once_somebody_pages_again_the_core_is_silent(start: Start) -> None:
    pager = Pager()
    fail = [True]

    def fragile(event: GroupOpened, tx: Transaction) -> None:
        if fail[0]:
            raise ValueError
        pager.opened(event, tx)

    declared = replace(pager.declared(), reactions=[("pager", on(GroupOpened, fragile))])
    async with start(declared) as engine:
        await engine.report(fires())
        fail[0] = False
        await engine.advance(minutes=30)
        assert len(engine.chat.texts("person/alice")) == 1
        assert len(engine.chat.texts("person/bob")) == 5
        assert len(engine.chat.texts("room/#ops")) == 1


async def test_a_retry_calls_the_reaction_that_failed(start: Start) -> None:
    called: list[str] = []

    def react(name: str, _: GroupOpened, __: Transaction) -> None:
        called.append(name)
        if called == ["first", "second"]:
            raise ValueError

    declared = replace(
        Pager().declared(),
        reactions=[("twins", on(GroupOpened, partial(react, name))) for name in ("first", "second")],
    )
    async with start(declared) as engine:
        await engine.report(fires())
        await engine.advance(seconds=10)
        assert called == ["first", "second", "second"]


async def test_a_loop_leaves_nothing_behind_and_is_not_said_again_and_again(start: Start) -> None:
    def again(event: Noticed, tx: Transaction) -> None:
        tx.record(replace(event))

    def begin(event: GroupOpened, tx: Transaction) -> None:
        tx.record(Noticed(subject=event.subject, at=tx.now))

    reactions: list[tuple[str, Reaction[Any]]] = [
        ("loop", on(GroupOpened, begin)),
        ("loop", on(Noticed, again)),
    ]
    declared = replace(Pager().declared(), events={Noticed.kind: Noticed}, reactions=reactions)
    async with start(declared) as engine:
        await engine.report(fires())
        await engine.advance(minutes=4)
        assert await engine.sql("select count(*) from events where kind = 'test.noticed'") == [(0,)]
        assert len(engine.chat.texts("room/#ops")) <= 4
