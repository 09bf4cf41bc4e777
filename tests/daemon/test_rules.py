"""Who reacts to what, and in which order."""

from dataclasses import replace

from tocsin.domain.group import GroupOpened
from tocsin.rules import on
from tocsin.transaction import Transaction

from tests.engine import Pager, Start, fires


async def test_who_is_early_comes_before_all_others_and_keeps_their_name(start: Start) -> None:
    seen = list[str]()

    def opened(event: GroupOpened, tx: Transaction) -> None:
        assert tx.group(event.subject).open
        seen.append("late")

    def first(event: GroupOpened, tx: Transaction) -> None:
        assert not seen
        opened(event, tx)
        seen[:] = ["early"]

    pager = Pager().declared()
    reactions = [
        ("a", on(GroupOpened, opened)),
        ("z", on(GroupOpened, first, early=True)),
        ("a", on(GroupOpened, opened)),
    ]
    async with start(replace(pager, reactions=[*pager.reactions, *reactions])) as engine:
        await engine.report(fires())
        rules = await engine.run.tocsin.turn(lambda tx: tx.rules)
    assert seen == ["early", "late", "late"]
    assert [one.name for one in rules.reactions[GroupOpened]][-4:] == [
        "z.first",
        "pager.opened",
        "a.opened",
        "a.opened#2",
    ]
