"""Commands: what people may ask for, by which words, and what `!help` says of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

from tocsin.about import About
from tocsin.domain.grammar import is_id, slots
from tocsin.domain.message import Line, Message, Place
from tocsin.domain.words import listed, nearest, spelled, time_of_day
from tocsin.errors import Refused, UsageError
from tocsin.speakers import introduce
from tocsin.transaction import Transaction

GOOD_FOR = timedelta(minutes=10)
"""What expires is not done any more if it was said so long ago: whoever said it has given up on it by then."""


@dataclass(frozen=True)
class Call:
    """A command that somebody gave.

    by: the person's name; empty for a stranger. name: the command's. place: where it was said, and is answered.
    about: the message of ours that it answers, if that is about something: what is meant if no alert is named.
    quoted: of a command that `quotes`, what somebody said there that it means; None if that is not known any more.
    """

    by: str
    line: Line
    name: str = ""
    words: Mapping[str, str] = field(default_factory=dict)
    about: About | None = None
    quoted: Line | None = None

    @property
    def place(self) -> Place:
        return self.line.place

    def __getitem__(self, slot: str) -> str:
        """What stands in a slot of the usage line; empty if that is left out."""
        return self.words.get(slot, "")

    def clock(self, at: datetime, tx: Transaction) -> str:
        """A time as whoever asks reads it; the others in a room may live elsewhere."""
        if self.place.private:
            return time_of_day(at, tx.person(self.by).timezone, tx.now)
        return f"{time_of_day(at, UTC, tx.now)} UTC"


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
    which strangers may give it, anywhere. secret: what stands behind its own word is not written down. expires: it is
    not done if it was said too long ago, as is right for what wakes people, or lets them sleep. grammar: in place of the
    usage by which the words are read, where people say them more freely than its form allows. quotes: it is about what
    somebody said: what was tapped, or what was said last in that room, by whomever its words name.
    """

    usage: str
    handler: Handler
    help: str
    anyone: bool = False
    also: tuple[str, ...] = ()
    often: bool = False
    strangers: tuple[str, ...] = ()
    secret: bool = False
    expires: bool = False
    grammar: str = ""
    quotes: bool = False

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

    def read(self, rest: str, about: About | None, tx: Transaction) -> Mapping[str, str]:
        """The words behind its own, by the slot in which they stand. Raises UsageError."""
        first, *more = self.usage.split()[1:] or [""]
        if (
            about is not None
            and first == "ALERT"
            and (not rest or (more and not is_id(rest.split(None, 1)[0])))
        ):
            rest = f"{about.subjects[0]} {rest}"
        try:
            return slots(self.grammar or self.usage, rest)
        except UsageError as error:
            raise UsageError(f"{error}say {tx.typed(self.usage)}") from None

    def refuse_if_old(self, said: str, at: datetime | None, tx: Transaction) -> None:
        """Raises Refused. said: the command with its words. at: when."""
        ago = tx.now - (at or tx.now)
        if self.expires and ago > GOOD_FOR:
            spelled_out = spelled(ago - ago % timedelta(minutes=1))
            raise Refused(
                f"that was {spelled_out} ago, so I did not do it; say it again if you still mean it: {tx.typed(said)}"
            )

    def is_for_strangers(self, rest: str) -> bool:
        """Whether anybody may give it with these words behind it."""
        return (rest.split() or [""])[0].lower() in self.strangers


OWN_WORDS = frozenset({"help", "whoami"})
"""The commands that are about commands."""


class Vocabulary:
    """All the commands that there are."""

    def __init__(self, commands: Iterable[Command], prefix: str) -> None:
        """Take these commands, and those that are about commands."""
        own = [
            Command("help [more|COMMAND]", self._help, "what there is", anyone=True),
            Command("whoami", _whoami, "who I take you for", anyone=True),
        ]
        self.prefix = prefix
        self.commands = {command.name: command for command in [*commands, *own]}
        self._named = {
            name: command for command in self.commands.values() for name in (command.name, *command.also)
        }

    def find(self, word: str) -> Command | None:
        """The command for which people type that word."""
        return self._named.get(word)

    def near(self, word: str) -> str:
        """A hint at the command that may be meant."""
        begins = [known for known in self._named if word.startswith(known)]
        near = begins[0] if begins else nearest(word, self._named)
        return f"; did you mean {self.prefix}{near}?" if near else ""

    def _help(self, call: Call, tx: Transaction) -> Message:
        wanted = call["COMMAND"].removeprefix(self.prefix).lower()
        if not wanted:
            often = [command for command in self.commands.values() if command.often]
            more = f"{tx.typed('help more')}: all there is"
            return _paragraph([*(self._explained(command) for command in often), more])
        if wanted == "more":
            return _paragraph([self._explained(command) for command in self.commands.values()])
        command = self._named.get(wanted)
        if command is None:
            raise Refused(f"there is no {tx.typed(wanted)}{self.near(wanted)}")
        also = f" (also {listed(command.also)})" if command.also else ""
        return Message(f"{self._explained(command)}{also}")

    def _explained(self, command: Command) -> str:
        return f"{self.prefix}{command.usage}: {command.help}"


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
