"""Lines from chat: which of them are commands, who may give them, and what is answered."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from tocsin.core import Tocsin
from tocsin.domain.grammar import Words, first_line, slots, words
from tocsin.domain.message import Line, Message, Place, storable
from tocsin.domain.words import counted, listed, nearest
from tocsin.errors import NotAllowed, Refused, UsageError
from tocsin.speakers import Speaker, Strangers, give_next, introduce, refusal, speaker, use, without_codes
from tocsin.store import audit, inbox
from tocsin.store.outbox import Lane
from tocsin.store.writer import savepoint
from tocsin.transaction import Transaction

log = logging.getLogger(__name__)

MOST_IN_ROOM = 4
"""An answer with more lines is given in private; strangers get so many."""


@dataclass(frozen=True)
class Call:
    """A command that somebody gave.

    by: the person's name; empty for a stranger. name: the command's. place: where it was said, and is answered.
    """

    by: str
    line: Line
    name: str = ""
    words: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        return self.line.place

    def __getitem__(self, slot: str) -> str:
        """What stands in a slot of the usage line; empty if that is left out."""
        return self.words.get(slot, "")


Handler = Callable[[Call, Transaction], Message | str | Refused | None]


@dataclass(frozen=True)
class Command:
    """Something that people may ask for.

    usage: the grammar. Small letters are typed as they are, CAPITALS stand for a word, `[…]` may be left out,
    `…` behind the last takes the rest of the line: `note ALERT TEXT…`.
    handler: gets the call and the turn; what it returns is the answer. Raises Refused, and nothing was done then; a
    Refused that is returned keeps what was.
    help: what it is for, in a few words. anyone: in a room also for people that Tocsin doesn't know. also: other
    words that people type for it. often: whether the short `!help` names it. strangers: the words behind its own with
    which strangers may give it, anywhere. secret: what stands behind its own word is not written down.
    """

    usage: str
    handler: Handler
    help: str
    anyone: bool = False
    also: tuple[str, ...] = ()
    often: bool = False
    strangers: tuple[str, ...] = ()
    secret: bool = False

    def __post_init__(self) -> None:
        if not self.usage.split() or type(self.also) is not tuple:  # a plain text is a sequence of texts too
            raise ValueError(f"{self!r}: usage begins with the command's word, and also is a tuple of words")

    @cached_property
    def name(self) -> str:
        return self.usage.split()[0]

    @property
    def takes_alert(self) -> bool:
        """Whether it is about an alert, which stands first."""
        return "ALERT" in "".join(self.usage.split()[1:2])

    def is_for_strangers(self, rest: str) -> bool:
        """Whether anybody may give it with these words behind it."""
        return (rest.split() or [""])[0].lower() in self.strangers


_UNKNOWN = "I don't know who that is"

OWN_WORDS = frozenset({"help", "whoami"})
"""The commands that are about commands."""


class Commands:
    """Takes what is heard; each line takes effect once, and in one commit with its answer."""

    def __init__(self, tocsin: Tocsin, commands: Iterable[Command]) -> None:
        """Take these commands, and those that are about commands."""
        own = [
            Command("help [more|COMMAND]", self._help, "what there is", anyone=True),
            Command("whoami", _whoami, "who I take you for", anyone=True),
        ]
        self._tocsin = tocsin
        self._prefix = tocsin.config.prefix
        self._strangers = Strangers()
        self._commands = {command.name: command for command in [*commands, *own]}
        self._named = {
            name: command for command in self._commands.values() for name in (command.name, *command.also)
        }

    async def heard(self, line: Line) -> None:
        """Take a line; when this returns, it is kept, however long that takes."""
        at = line.at or self._tocsin.clock.now()
        line = replace(line, text=storable(first_line(line.text)), account=storable(line.account), at=at)
        said = Words() if line.notice else self._words(line.text, private=line.place.private, us=line.us)
        if said.name and self._ignored(line, said):
            said = Words()
        if said.name or line.position:
            await self._tocsin.must(lambda tx: self._take(line, said, tx))

    def _ignored(self, line: Line, said: Words) -> bool:
        """Whether that is one too many of somebody whom we don't know, or what they ask of another bot."""
        person_of, network = self._tocsin.people.person_of, line.place.network
        if person_of(network, line.account) is not None:
            return False
        if not said.called and said.name not in self._named and not self._near(said.name):
            return True
        claims = person_of(network, line.claimed) is not None
        return self._strangers.too_many(line, self._tocsin.clock.boot(), claims=claims)

    def wants(self, text: str, *, private: bool, us: str = "") -> bool:
        """Whether that is a command, or is meant as one."""
        return bool(self._words(first_line(text), private=private, us=us).name)

    def _words(self, text: str, *, private: bool, us: str) -> Words:
        said = words(text, private=private, prefix=self._prefix, us=us)
        known = self._named.get(said.name)
        return replace(said, name=known.name) if known else said

    def _take(self, line: Line, said: Words, tx: Transaction) -> None:
        network = line.place.network
        if not inbox.take(tx.connection, network, line.id, tx.now):
            return
        if line.position:
            inbox.move(tx.connection, network, line.position)
        name = said.name
        if not name:
            return
        try:
            who = speaker(line, said.rest, tx)
        except NotAllowed as error:
            who = Speaker("", said.rest)
            # The code may be good elsewhere, or nearly right: nobody else needs to read it.
            verdict = self._refuse(str(error), name, line, tx, told="that code is not one of theirs")
        else:
            verdict = self._obey(name, who, line, tx)
        audit.add(
            tx.connection,
            at=tx.now,
            place=str(line.place),
            account=line.account,
            person=who.by,
            what=name if self._is_secret(name) else without_codes(f"{name} {who.rest}".strip(), line, tx),
            verdict=without_codes(verdict, line, tx),
        )

    def _is_secret(self, name: str) -> bool:
        return name in self._commands and self._commands[name].secret

    def _near(self, name: str) -> str:
        """A hint at the command that may be meant."""
        begins = [known for known in self._named if name.startswith(known)]
        near = begins[0] if begins else nearest(name, self._named)
        return f"; did you mean {self._prefix}{near}?" if near else ""

    def _obey(self, name: str, who: Speaker, line: Line, tx: Transaction) -> str:
        """Do what was asked, and answer; what came of it, for the audit."""
        command = self._commands.get(name)
        if command is None:
            near = self._near(name) or f": {tx.typed('help')} lists what there is"
            if (group := tx.find_group(name)) is not None:
                near = f"; did you mean {tx.typed(f'ack {group.id}')}?"
            return _answer(line, who.by, f"there is no {tx.typed(name)}{near}", tx, "unknown")
        open_to_all = command.anyone and (name in OWN_WORDS or not line.place.private)
        if not (who.by or open_to_all or command.is_for_strangers(who.rest)):
            why = refusal(line, name, tx, of_alert=command.takes_alert, in_rooms=command.anyone)
            return self._refuse(why, name, line, tx)
        answer: Message | str | Refused | None = None
        with savepoint(tx.connection) as part:
            use(who, line.place.network, tx)
            answer = command.handler(Call(who.by, line, name, _read(command, who.rest, tx)), tx)
        if part.error is None:
            give_next(who, line, tx)
            if isinstance(answer, Refused):
                return _answer(line, who.by, str(answer), tx, f"refused: {answer}")
            return _answer(line, who.by, answer, tx, "done")
        tx.undone()
        if isinstance(part.error, Refused):
            return _answer(line, who.by, str(part.error), tx, f"refused: {part.error}")
        log.error("%s: %s failed", who.by, name, exc_info=part.error)
        return _answer(
            line, who.by, f"{tx.typed(name)} failed, and nothing was done: see the log", tx, "failed"
        )

    def _refuse(self, why: str, name: str, line: Line, tx: Transaction, *, told: str = _UNKNOWN) -> str:
        """What was asked for in private the rooms hear of as well: somebody may try to pass for somebody else.

        told: why, as the rooms are told.
        """
        if line.place.private and self._strangers.worth_telling(
            line.place.network, self._tocsin.clock.boot()
        ):
            tx.tell(
                f"{line.called} on {line.place.network} tried {tx.typed(name)} in private, and was refused: {told}"
            )
        return _answer(line, "", why, tx, "stranger")

    def _help(self, call: Call, tx: Transaction) -> Message:
        wanted = call["COMMAND"].removeprefix(self._prefix).lower()
        if not wanted:
            often = [command for command in self._commands.values() if command.often]
            more = f"{tx.typed('help more')}: all there is"
            return _paragraph([*(self._explained(command) for command in often), more])
        if wanted == "more":
            return _paragraph([self._explained(command) for command in self._commands.values()])
        command = self._named.get(wanted)
        if command is None:
            raise Refused(f"there is no {tx.typed(wanted)}{self._near(wanted)}")
        also = f" (also {listed(command.also)})" if command.also else ""
        return Message(f"{self._explained(command)}{also}")

    def _explained(self, command: Command) -> str:
        return f"{self._prefix}{command.usage}: {command.help}"


def _read(command: Command, rest: str, tx: Transaction) -> Mapping[str, str]:
    try:
        return slots(command.usage, rest)
    except UsageError as error:
        raise UsageError(f"{error}say {tx.typed(command.usage)}") from None


def _answer(line: Line, by: str, answer: Message | str | None, tx: Transaction, verdict: str) -> str:
    """Say it where it was asked; what is long, in private."""
    if answer:
        message = Message(answer) if isinstance(answer, str) else answer
        if len(message.lines) >= MOST_IN_ROOM and not line.place.private:
            message = _shorter(line, by, message, tx)
        tx.say(line.place, message, lane=Lane.ANSWER)
    return verdict


def _shorter(line: Line, by: str, message: Message, tx: Transaction) -> Message:
    """What of a long answer is said in the room; the people that we know get all of it in private."""
    if by:
        theirs = replace(line.place, name=line.account or line.claimed, private=True)
        tx.say(theirs, message, lane=Lane.ANSWER)
        rest = " \u2026 I told you the rest in private"
        return replace(
            message,
            text=f"{message.text}{rest}",
            brief=f"{message.brief}{rest}" if message.brief else "",
            lines=(),
            brief_lines=(),
        )
    kept = MOST_IN_ROOM - 1
    return replace(message, lines=_first(kept, message.lines), brief_lines=_first(kept, message.brief_lines))


def _first(kept: int, lines: Sequence[str]) -> tuple[str, ...]:
    more = len(lines) - kept
    return (*lines[:kept], f"\u2026 and {counted(more, 'more line')}") if more > 0 else tuple(lines)


def _paragraph(parts: Sequence[str], width: int = 100) -> Message:
    """Parts beside one another, in lines."""
    lines = [""]
    for part in parts:
        if lines[-1] and len(lines[-1]) + len(part) + 3 > width:
            lines.append("")
        lines[-1] += (" \u00b7 " if lines[-1] else "") + part
    return Message(lines[0], lines=tuple(lines[1:]))


def _whoami(call: Call, tx: Transaction) -> str:
    return introduce(call.line, call.by, tx)
