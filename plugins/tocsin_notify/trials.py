"""`!test me`: something is sent on every way of who asks, and whatever they answer confirms that it reaches them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from tocsin.api import Call, Message, Place, Refused, Timer, Tocsin, Transaction, bare, counted, listed
from tocsin_notify.events import RingerConfirmed, TestBegun, TestSent, person_of
from tocsin_notify.lanes import Outcome, attempt
from tocsin_notify.ring import Ring, Wording
from tocsin_notify.settings import Person, Reach, Way

TEST = "notify.test"

CODE_GOOD_FOR = timedelta(hours=1)
TEST_AGAIN = timedelta(seconds=30)
"""How long after a test the next one may begin."""


@dataclass(frozen=True)
class Tested:
    """What somebody tested last, and what ever reached them. confirmed: way -> when it did last."""

    begun: TestBegun | None
    sent: Mapping[str, TestSent]
    confirmed: Mapping[str, datetime]

    @classmethod
    def of(cls, person: str, tx: Transaction) -> "Tested":
        begun: TestBegun | None = None
        sent: dict[str, TestSent] = {}
        confirmed: dict[str, datetime] = {}
        for entry in tx.story(person_of(person), (TestBegun, TestSent, RingerConfirmed)):
            match entry.event:
                case TestBegun():
                    begun, sent = entry.event, {}
                case TestSent() if begun is not None and entry.event.number == begun.number:
                    sent[entry.event.way] = entry.event
                case RingerConfirmed():
                    confirmed[entry.event.way] = entry.event.at
                case _:
                    pass
        return cls(begun, sent, confirmed)

    def report(self) -> str:
        """What became of the ways that were tested: `phone: confirmed; sms: taken, not confirmed yet`."""
        if self.begun is None:
            return ""
        return "; ".join(f"{way}: {self._of(way, self.begun.at)}" for way in self.begun.ways)

    def _of(self, way: str, since: datetime) -> str:
        if way in self.confirmed and self.confirmed[way] >= since:
            return "confirmed"
        if way not in self.sent:
            return "under way"
        return f"failed: {self.sent[way].why}" if self.sent[way].why else "taken, not confirmed yet"


@dataclass(frozen=True)
class Trials:
    """Everybody's tests."""

    people: Mapping[str, Person]
    reach: Reach
    wording: Wording

    def test(self, call: Call, tx: Transaction) -> Message | str:
        """Begin a test, take the code of one, or say what was confirmed when."""
        ways = self.people[call.by].ways if call.by in self.people else {}
        if not ways:
            names = f"plugins.notify.people.{call.by}.ways in the configuration names them"
            raise Refused(f"you have no ways but chat, and chat alone wakes nobody: {names}")
        word = bare(call["CODE"])
        if word.isdigit():
            return self._take(word, call.by, ways, tx)
        if word == "me":
            return self._begin(call, ways, tx)
        if word:
            raise Refused(f"say {tx.typed('test me')}; nobody tests the ways of others")
        return self._list(call.by, ways, tx)

    def _begin(self, call: Call, ways: Mapping[str, Way], tx: Transaction) -> str:
        last = Tested.of(call.by, tx).begun
        if last is not None and tx.now - last.at < TEST_AGAIN:
            raise Refused("one is under way; wait for half a minute")
        number = last.number + 1 if last is not None else 1
        tx.record(
            TestBegun(
                subject=person_of(call.by),
                at=tx.now,
                by=call.by,
                number=number,
                ways=tuple(ways),
                place=str(call.place),
            )
        )
        for way in ways:
            tx.set_timer(TEST, f"{call.by}/{way}/{number}", after=timedelta(0))
        press = "press Confirm there, or type" if self.wording.public_url else "type"
        return f"a test goes to {listed(ways)}: {press} {tx.typed('test CODE')} with the code that it brings"

    def _take(self, code: str, person: str, ways: Mapping[str, Way], tx: Transaction) -> str:
        begun = Tested.of(person, tx).begun
        if begun is None or tx.now - begun.at > CODE_GOOD_FOR:
            raise Refused(f"no test of yours waits for a code: {tx.typed('test me')} begins one")
        found = [way for way in begun.ways if way in ways and _code(person, way, begun.number, tx) == code]
        if not found:
            raise Refused(f"no test of yours has the code {code}")
        for way in found:
            tx.record(RingerConfirmed(subject=person_of(person), at=tx.now, by=person, way=way))
        return Tested.of(person, tx).report()

    def _list(self, person: str, ways: Mapping[str, Way], tx: Transaction) -> Message:
        confirmed = Tested.of(person, tx).confirmed
        zone = tx.person(person).timezone

        def line(name: str, way: Way) -> str:
            at = confirmed.get(name)
            when = f"confirmed on {at.astimezone(zone):%Y-%m-%d}" if at else "never confirmed"
            return f"{name}: {way.kind}, {when}" + ("" if way.wakes else "; it wakes nobody")

        text = f"{counted(len(ways), 'way')} to you; {tx.typed('test me')} tries them"
        return Message(text, lines=tuple(line(name, way) for name, way in ways.items()))

    async def send(self, timer: Timer, tocsin: Tocsin) -> None:
        """Send a test to one way, and say what came of all of them once the last is through."""
        name, way, number = timer.key.split("/")
        settings = self.people[name].ways.get(way) if name in self.people else None
        if settings is not None:
            ring = await tocsin.turn(partial(self._ring, name, way, int(number)))
            outcome = await attempt(settings, ring, self.reach)
            await tocsin.must(partial(_sent, name, way, int(number), outcome))

    def _ring(self, name: str, way: str, number: int, tx: Transaction) -> Ring:
        ring = hashlib.sha256(f"{name}/{way}/{number}".encode()).hexdigest()[:20]
        return self.wording.test(ring, name, way, tx, code=_code(name, way, number, tx), number=number)


def confirm(person: str, way: str, tx: Transaction) -> str:
    """Somebody answered a test by its button; where they asked for it they read how the others stand."""
    tx.record(RingerConfirmed(subject=person_of(person), at=tx.now, by=person, way=way))
    _tell(person, tx)
    return f"{way}: confirmed. It reaches you."


def _sent(name: str, way: str, number: int, outcome: Outcome, tx: Transaction) -> None:
    tx.record(TestSent(subject=person_of(name), at=tx.now, number=number, way=way, why=outcome.why))
    _tell(name, tx)


def _tell(person: str, tx: Transaction) -> None:
    tested = Tested.of(person, tx)
    if tested.begun is not None and all(way in tested.sent for way in tested.begun.ways):
        place = Place.parse(tested.begun.place)
        if place.network in tx.config.networks:
            tx.say(place, tested.report())


def _code(person: str, way: str, number: int, tx: Transaction) -> str:
    """What the test of a way brings, and nothing else: it stands nowhere."""
    proof = hashlib.sha256(tx.signed("test", f"{person}.{way}.{number}").encode()).digest()
    return f"{int.from_bytes(proof[:8]) % 1_000_000:06}"
