"""The postmortem of an incident: written from what happened, without blame and without names."""

from collections.abc import Iterable
from dataclasses import dataclass

from tocsin.api import Call, Command, Message, Section, Transaction, hookimpl
from tocsin_postmortem.sections import SECTIONS
from tocsin_postmortem.summary import POSTMORTEM, summary


@dataclass(frozen=True)
class Postmortem:
    """Writes the postmortem of an incident.

    names: people are named in it, in place of what they did.
    """

    names: bool = False

    @hookimpl
    def postmortem_sections(self) -> Iterable[Section]:
        return [
            Section(title, number * 10, write, names=self.names)
            for number, (title, write) in enumerate(SECTIONS.items(), 1)
        ]

    @hookimpl
    def register_commands(self) -> Iterable[Command]:
        return [
            Command(
                POSTMORTEM, self._summary, "what can be learnt from it", grammar="postmortem [WORDS\u2026]"
            )
        ]

    def _summary(self, call: Call, tx: Transaction) -> Message:
        return summary(call, tx, names=self.names)
