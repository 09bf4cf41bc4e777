"""Lines from chat: which of them are commands, who may give them, and what is answered."""

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from tocsin.core import Tocsin
from tocsin.domain.message import Line, Message, Place, storable
from tocsin.domain.words import did_you_mean
from tocsin.errors import NotAllowed, Refused, UsageError
from tocsin.speakers import Speaker, Strangers, give_next, introduce, refusal, speaker, use
from tocsin.store import audit, inbox
from tocsin.store.outbox import Lane
from tocsin.store.writer import savepoint
from tocsin.transaction import Transaction

log = logging.getLogger(__name__)

PREFIX = "!"
_CALLED = re.compile(r"tocsin\s*[:,]\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Call:
    """A command that somebody gave.

    by: the person's name; empty for a stranger. place: where it was said, and is answered.
    """

    by: str
    line: Line
    words: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        return self.line.place

    def __getitem__(self, slot: str) -> str:
        """What stands in a slot of the usage line; empty if that is left out."""
        return self.words.get(slot, "")


Handler = Callable[[Call, Transaction], Message | str | None]


@dataclass(frozen=True)
class Command:
    """Something that people may ask for.

    usage: the grammar. Small letters are typed as they are, CAPITALS stand for a word, `[…]` may be left out,
    `…` behind the last takes the rest of the line: `note ALERT TEXT…`.
    handler: gets the call and the turn; what it returns is the answer. Raises Refused.
    help: what it is for, in a few words. anyone: in a room also for people that Tocsin doesn't know. also: other
    words that people type for it.
    """

    usage: str
    handler: Handler
    help: str
    anyone: bool = False
    also: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.usage.split() or type(self.also) is not tuple:  # a plain text is a sequence of texts too
            raise ValueError(f"{self!r}: usage begins with the command's word, and also is a tuple of words")

    @cached_property
    def name(self) -> str:
        return self.usage.split()[0]

    def read(self, rest: str) -> Mapping[str, str]:
        """The words behind the command's name by slot. Raises UsageError."""
        words, found = rest.split(), {}
        for slot in self.usage.split()[1:]:
            name = slot.strip("[]…")
            if slot.rstrip("]").endswith("…") and words:
                found[name] = " ".join(words)
                words = []
            elif words:
                found[name] = words.pop(0)
            elif not slot.startswith("["):
                raise UsageError(f"say {PREFIX}{self.usage}")
        if words:
            raise UsageError(f"{words[0]!r} is too much: say {PREFIX}{self.usage}")
        return found


OWN_WORDS = frozenset({"help", "whoami"})
"""The commands that are about commands."""


class Commands:
    """Takes what is heard; each line takes effect once, and in one commit with its answer."""

    def __init__(self, tocsin: Tocsin, commands: Iterable[Command]) -> None:
        """Take these commands, and those that are about commands."""
        own = [
            Command("help [COMMAND]", self._help, "what there is", anyone=True),
            Command("whoami", _whoami, "who I take you for", anyone=True),
        ]
        self._tocsin = tocsin
        self._strangers = Strangers()
        self._commands = {command.name: command for command in [*commands, *own]}
        self._named = {
            name: command for command in self._commands.values() for name in (command.name, *command.also)
        }

    async def heard(self, line: Line) -> None:
        """Take a line; when this returns, it is kept, however long that takes."""
        line = replace(line, text=storable(_first(line.text)), account=storable(line.account))
        name, rest = self._words(line.text, private=line.place.private)
        if line.position or (name and not self._ignored(line)):
            await self._tocsin.must(lambda tx: self._take(line, name, rest, tx))

    def _ignored(self, line: Line) -> bool:
        """Whether that is one too many of somebody whom we don't know."""
        known = self._tocsin.config.person_of(line.place.network, line.account)
        return known is None and self._strangers.too_many(line, self._tocsin.clock.boot())

    def wants(self, text: str, *, private: bool) -> bool:
        """Whether that is a command, or is meant as one."""
        return bool(self._words(_first(text), private=private)[0])

    def _take(self, line: Line, name: str, rest: str, tx: Transaction) -> None:
        network = line.place.network
        if not inbox.take(tx.connection, network, line.id, tx.now):
            return
        if line.position:
            inbox.move(tx.connection, network, line.position)
        if not name:
            return
        try:
            who = speaker(line, rest, tx)
        except NotAllowed as error:
            who = Speaker("", rest)
            verdict = self._refuse(str(error), name, line, tx)
        else:
            verdict = self._obey(name, who, line, tx)
        audit.add(
            tx.connection,
            at=tx.now,
            place=str(line.place),
            account=line.account,
            person=who.by,
            what=f"{name} {rest}".strip(),
            verdict=verdict,
        )

    def _words(self, text: str, *, private: bool) -> tuple[str, str]:
        """The command's name and the rest of the line; no name if it is none, or one for somebody else."""
        text = text.strip()
        called = _CALLED.match(text)
        if called:
            text = text[called.end() :]
        elif not text.startswith(PREFIX) and not private:
            return "", ""
        name, rest = (*text.removeprefix(PREFIX).split(None, 1), "", "")[:2]
        name = name.lower().strip(".,:;!?")
        if name in self._named:
            return self._named[name].name, rest
        # In a room there may be other bots with the same prefix: what looks like none of ours is theirs.
        ours = called or private or self._near(name)
        return (name, rest) if name and ours else ("", "")

    def _near(self, name: str) -> str:
        """A hint at the command that may be meant."""
        begins = [known for known in self._named if name.startswith(known)]
        return f"; did you mean {begins[0]!r}?" if begins else did_you_mean(name, self._named)

    def _obey(self, name: str, who: Speaker, line: Line, tx: Transaction) -> str:
        """Do what was asked, and answer; what came of it, for the audit."""
        command = self._commands.get(name)
        if command is None:
            near = self._near(name) or f": {PREFIX}help lists what there is"
            return _answer(line, f"there is no {PREFIX}{name}{near}", tx, "unknown")
        open_to_all = command.anyone and (name in OWN_WORDS or not line.place.private)
        if not who.by and not open_to_all:
            return self._refuse(refusal(line, f"{PREFIX}{name}", tx), name, line, tx)
        answer: Message | str | None = None
        with savepoint(tx.connection) as part:
            use(who, line.place.network, tx)
            answer = command.handler(Call(who.by, line, command.read(who.rest)), tx)
        if part.error is None:
            give_next(who, line, tx)
            return _answer(line, answer, tx, "done")
        tx.undone()
        if isinstance(part.error, Refused):
            return _answer(line, str(part.error), tx, f"refused: {part.error}")
        log.error("%s: !%s failed", who.by, name, exc_info=part.error)
        return _answer(line, f"{PREFIX}{name} failed, and nothing was done: see the log", tx, "failed")

    def _refuse(self, why: str, name: str, line: Line, tx: Transaction) -> str:
        """What was asked for in private the rooms hear of as well: somebody may try to pass for somebody else."""
        if line.place.private and self._strangers.worth_telling(
            line.place.network, self._tocsin.clock.boot()
        ):
            tx.tell(
                f"{line.called} on {line.place.network} tried {PREFIX}{name} in private, and was refused: {why}"
            )
        return _answer(line, why, tx, "stranger")

    def _help(self, call: Call, _: Transaction) -> Message:
        if call["COMMAND"]:
            name = call["COMMAND"].removeprefix(PREFIX).lower()
            command = self._named.get(name)
            if command is None:
                raise Refused(f"there is no {PREFIX}{name}{self._near(name)}")
            return Message(f"{PREFIX}{command.usage}: {command.help}")
        lines = _packed([f"{PREFIX}{one.usage}: {one.help}" for one in self._commands.values()])
        return Message(lines[0], lines=tuple(lines[1:]))


def _first(text: str) -> str:
    return (text.splitlines() or [""])[0]


def _answer(line: Line, answer: Message | str | None, tx: Transaction, verdict: str) -> str:
    if answer:
        tx.say(line.place, answer, lane=Lane.ANSWER)
    return verdict


def _packed(parts: Sequence[str], width: int = 100) -> list[str]:
    lines = [""]
    for part in parts:
        if lines[-1] and len(lines[-1]) + len(part) + 3 > width:
            lines.append("")
        lines[-1] += (" · " if lines[-1] else "") + part
    return lines


def _whoami(call: Call, tx: Transaction) -> str:
    return introduce(call.line, call.by, tx)
