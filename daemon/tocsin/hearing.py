"""Lines from chat: which of them are commands, who may give them, and what comes of it."""

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from tocsin import taken_back
from tocsin.about import About, answered, tapped, word_of_tap
from tocsin.answering import answer
from tocsin.commands import OWN_WORDS, Call, Command, Vocabulary
from tocsin.core import Tocsin
from tocsin.domain.grammar import Words, first_line, is_chat, is_id, words
from tocsin.domain.message import Line, Message, Place, identity, storable
from tocsin.domain.taps import Tap, word_of
from tocsin.errors import NotAllowed, Refused
from tocsin.lately import Lately
from tocsin.seen import is_early
from tocsin.speakers import Speaker, Strangers, give_next, refusal, speaker, use, without_codes
from tocsin.store import audit, inbox
from tocsin.transaction import Transaction

log = logging.getLogger(__name__)

_UNKNOWN = "I don't know who that is"
_NOTHING = Words()

EARLY = (timedelta(seconds=0.2), timedelta(seconds=1), timedelta(seconds=3))
"""How long a line waits for the receipt of what it may answer."""

WAITED_IN_VAIN = timedelta(seconds=30)
"""For so long none in that place waits again: while a message is in doubt each line about another one would, and behind
them whoever answers.
"""


@dataclass(frozen=True)
class Heard:
    """A line, as far as it is understood by itself.

    said: its words, if it is a command. loosely: those that make it one only if it answers a message of ours.
    tap: what it says as a tap on that. said_at: when, by the network's clock; None if that does not tell.
    quoted: what somebody said there that it means, of a command that is about such.
    """

    line: Line
    said: Words = _NOTHING
    loosely: Words = _NOTHING
    tap: Tap | None = None
    said_at: datetime | None = None
    quoted: Line | None = None

    @property
    def name(self) -> str:
        """The word of the command that it may be."""
        return self.said.name or self.loosely.name


class Commands:
    """Takes what is heard; each line takes effect once, and in one commit with its answer."""

    def __init__(self, tocsin: Tocsin) -> None:
        self._tocsin = tocsin
        self._strangers = Strangers()
        self._in_vain = dict[Place, timedelta]()  # where a line has waited for nothing, and when last
        self._lately = Lately()

    async def heard(self, line: Line) -> None:
        """Take a line; when this returns, it is kept, however long that takes."""
        heard = self._read(line)
        command = self._known.find(heard.name)
        if command is not None and command.quotes:
            heard = replace(heard, quoted=self._lately.meant(heard.line, heard.said.rest))
        if not heard.name:
            self._lately.add(heard.line)
        if heard.name and self._ignored(heard):
            heard = Heard(heard.line)
        if heard.name and heard.line.about:
            await self._until_known(heard.line)
        if heard.name or line.takes_back or line.position:
            await self._tocsin.must(lambda tx: self._take(heard, tx))

    async def _until_known(self, line: Line) -> None:
        """Wait a little if it may answer what we are just saying, or said as we fell: then it is not known yet as ours."""
        if line.about_id:
            return
        boot = self._tocsin.clock.boot
        if line.place in self._in_vain and boot() - self._in_vain[line.place] < WAITED_IN_VAIN:
            return
        for pause in EARLY:
            if not await self._tocsin.must(partial(is_early, line.place, line.about)):
                return
            await asyncio.sleep(pause.total_seconds())
        self._in_vain[line.place] = boot()

    def wants(self, text: str, *, private: bool, us: str = "") -> bool:
        """Whether that is a command, or is meant as one."""
        return bool(self._words(first_line(text), private=private, us=us).name)

    @property
    def _known(self) -> Vocabulary:
        """The commands that there are, as far as the event loop knows; turns ask their own rules."""
        return self._tocsin.rules.of(Vocabulary)

    def _read(self, line: Line) -> Heard:
        read = replace(
            line,
            id=identity(line.id),
            text=storable(first_line(line.text)),
            account=storable(line.account),
            at=line.at or self._tocsin.clock.now(),
            about=identity(line.about),
            about_id=identity(line.about_id),
            takes_back=identity(line.takes_back),
        )
        heard = Heard(read, said_at=line.at)
        if line.takes_back or line.notice:
            return heard
        if line.tapped:
            tap = word_of(line.text)
            if tap is None or not line.about:
                return heard
            if tap.word != "no" and self._known.find(tap.word) is None:
                return heard
            return replace(heard, loosely=Words(tap.word, called=True), tap=tap)
        said = self._words(read.text, private=line.place.private, us=line.us)
        if said.name or not line.about:
            return replace(heard, said=said)
        return replace(heard, loosely=self._loosely(read.text, us=line.us))

    def _words(self, text: str, *, private: bool, us: str) -> Words:
        said = words(text, private=private, prefix=self._known.prefix, us=us)
        known = self._known.find(said.name)
        return replace(said, name=known.name) if known else said

    def _loosely(self, text: str, *, us: str) -> Words:
        """The words of what is a command in a room though it bears no prefix, if it answers a message of ours."""
        said = words(text, private=True, prefix=self._known.prefix, us=us)
        known = self._known.find(said.name)
        asks = text.rstrip().endswith("?")
        if known is None or not known.takes_alert or asks or is_chat(said.name, said.rest):
            return _NOTHING
        return replace(said, name=known.name)

    def _ignored(self, heard: Heard) -> bool:
        """Whether that is one too many of somebody whom we don't know, or nothing that they could mean us by."""
        line = heard.line
        person_of, network = self._tocsin.people.person_of, line.place.network
        if person_of(network, line.account) is not None:
            return False
        if heard.tap is not None and (heard.tap.only_if_paged or heard.tap.of_others):
            return True
        called = heard.said.called or heard.loosely.called
        if not called and self._known.find(heard.name) is None and not self._known.near(heard.name):
            return True
        claims = person_of(network, line.claimed) is not None
        return self._strangers.too_many(line, self._tocsin.clock.boot(), claims=claims)

    def _take(self, heard: Heard, tx: Transaction) -> None:
        line = heard.line
        if not inbox.take(tx.connection, line.place.network, line.id, tx.now, said_at=heard.said_at):
            return
        if line.position:
            inbox.move(tx.connection, line.place.network, line.position)
        if line.takes_back:
            self._take_back(heard, tx)
            return
        about = answered(line, tx) if heard.name else None
        if about is not None and heard.tap is not None:
            by = tx.person_of(line.place.network, line.account) or ""
            about = tapped(heard.tap, about, line, by, tx)
            heard = replace(heard, loosely=replace(heard.loosely, name=word_of_tap(heard.tap, about)))
        of_others = heard.tap is not None and heard.tap.of_others
        said = heard.loosely if heard.loosely.name and (about is not None or of_others) else heard.said
        if said.name:
            self._do(said, heard, about, tx)

    def _do(self, said: Words, heard: Heard, about: About | None, tx: Transaction) -> None:
        name, line = said.name, heard.line
        try:
            who = speaker(line, said.rest, tx)
        except NotAllowed as error:
            who = Speaker("", said.rest)
            # The code may be good elsewhere, or nearly right: nobody else needs to read it.
            verdict = self._refuse(str(error), name, line, tx, told="that code is not one of theirs")
        else:
            verdict = self._obey(name, who, line, about, tx, quoted=heard.quoted)
        command = tx.rules.of(Vocabulary).find(name)
        what = name if command is not None and command.secret else f"{name} {who.rest}".strip()
        if heard.tap is not None and about is not None:
            what = f"{what} {' '.join(about.subjects)} (reaction)"
        elif about is not None:
            what = f"{what} (reply to {' '.join(about.subjects)})"
        _write_down(line, who.by, what, verdict, tx)

    def _take_back(self, heard: Heard, tx: Transaction) -> None:
        """What a line did is undone, if it was said but a moment before, by the same person."""
        line = heard.line
        by = tx.person_of(line.place.network, line.account) or ""
        back = taken_back.acks(line, heard.said_at, by, tx)
        if back is None:
            return
        if back.late:
            answer(line, by, back.late, tx)
            verdict = "too late"
        else:
            verdict = self._obey("unack", Speaker(by, " ".join(back.ids)), line, None, tx)
        _write_down(line, by, f"unack {' '.join(back.ids)} (taken back)", verdict, tx)

    def _obey(
        self,
        name: str,
        who: Speaker,
        line: Line,
        about: About | None,
        tx: Transaction,
        *,
        quoted: Line | None = None,
    ) -> str:
        """Do what was asked, and answer; what came of it, for the audit."""
        known = tx.rules.of(Vocabulary)
        command = known.find(name)
        if command is None:
            near = known.near(name) or f": {tx.typed('help')} lists what there is"
            if (group := tx.find_group(name)) is not None:
                near = f"; did you mean {tx.typed(f'ack {group.id}')}?"
            answer(line, who.by, f"there is no {tx.typed(name)}{near}", tx)
            return "unknown"
        open_to_all = command.anyone and (name in OWN_WORDS or not line.place.private)
        if not (who.by or open_to_all or command.is_for_strangers(who.rest)):
            why = refusal(line, name, tx, of_alert=command.takes_alert, in_rooms=command.anyone)
            return self._refuse(why, name, line, tx)
        said: Message | str | Refused | None = None
        with tx.part() as part:
            again = f"{name} {_repeated(command, who.rest, about)}".strip()
            command.refuse_if_old(again, line.at, tx)
            use(who, line.place.network, tx)
            words = command.read(who.rest, about, tx)
            said = command.handler(Call(who.by, line, name, words, about, quoted), tx)
        if part.error is None:
            give_next(who, line, tx)
            answer(line, who.by, str(said) if isinstance(said, Refused) else said, tx)
            return f"refused: {said}" if isinstance(said, Refused) else "done"
        if isinstance(part.error, Refused):
            answer(line, who.by, str(part.error), tx)
            return f"refused: {part.error}"
        log.error("%s: %s failed", who.by, name, exc_info=part.error)
        answer(line, who.by, f"{tx.typed(name)} failed, and nothing was done: see the log", tx)
        return "failed"

    def asked(self, by: str, text: str, how: str, tx: Transaction) -> tuple[str, bool]:
        """Do what a person asks for outside of chat, as if they had typed it: the answer, and whether it was done.

        by: whoever it is, proven by other means. text: without what stands before it in a room. how: for the audit.
        """
        name, _, rest = storable(first_line(text)).strip().partition(" ")
        name = name.lower()
        place = next(iter([*tx.private_places(by), *tx.default_rooms()]))
        line = Line("", place, "", text, called=by, at=tx.now)
        said: Message | str | Refused | None = None
        with tx.part() as part:
            command = tx.rules.of(Vocabulary).find(name)
            if command is None:
                raise Refused(f"there is no {tx.typed(name)}")
            said = command.handler(Call(by, line, command.name, command.read(rest, None, tx)), tx)
        verdict = "done"
        if part.error is not None:
            said = part.error if isinstance(part.error, Refused) else f"{name} failed: see the log"
            if not isinstance(part.error, Refused):
                log.error("%s: %s failed", by, name, exc_info=part.error)
                verdict = "failed"
        if isinstance(said, Refused):
            verdict = f"refused: {said}"
        audit.add(tx.connection, at=tx.now, place=how, account="", person=by, what=text, verdict=verdict)
        told = "\n".join(said.all_lines()) if isinstance(said, Message) else str(said or "")
        return told, verdict == "done"

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
        answer(line, "", why, tx)
        return "stranger"


def _repeated(command: Command, rest: str, about: About | None) -> str:
    """The words behind a command as they can be typed where nothing is answered by it."""
    named = any(map(is_id, rest.split()))
    ids = about.subjects if about is not None and command.takes_alert and not named else ()
    return " ".join([*ids, rest]).strip()


def _write_down(line: Line, by: str, what: str, verdict: str, tx: Transaction) -> None:
    audit.add(
        tx.connection,
        at=tx.now,
        place=str(line.place),
        account=line.account,
        person=by,
        what=without_codes(what, line, tx),
        verdict=without_codes(verdict, line, tx),
    )
