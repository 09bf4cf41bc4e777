"""What tests of silences share."""

from dataclasses import dataclass, replace
from typing import Any

from tocsin.domain.group import GroupSilenced, SilenceEnded
from tocsin.plugins import Declared, Plugins
from tocsin.rules import Reaction, on
from tocsin.transaction import Transaction
from tocsin_silence import Silence

from tests.engine import Engine, Pager

OPS = "#ops"


@dataclass
class Waker(Pager):
    """Pages as soon as an alert rings, and again when its silence ends."""

    def declared(self) -> Declared:
        plain = super().declared()
        more: list[tuple[str, Reaction[Any]]] = [
            ("pager", on(SilenceEnded, self.again)),
            ("pager", on(GroupSilenced, self.stop)),
        ]
        return replace(plain, reactions=[*plain.reactions, *more])

    def again(self, event: SilenceEnded, tx: Transaction) -> None:
        self._page(event.subject, "bob", tx)


def silencing(plugin: Silence) -> Declared:
    """What it declares, beside a pager."""
    ours, pager = Plugins({"silence": plugin}).declared(), Waker().declared()
    return replace(
        ours, reactions=[*ours.reactions, *pager.reactions], timers={**ours.timers, **pager.timers}
    )


def private(engine: Engine, person: str) -> list[str]:
    return engine.chat.texts(f"person/{person}")


async def open_rings(engine: Engine) -> list[bool]:
    return await engine.run.tocsin.turn(lambda tx: [group.rings for group in tx.open_groups()])
