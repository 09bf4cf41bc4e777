"""What is sent to a way: one ring for all that calls a person there."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tocsin.api import AlertGroup, Message, Transaction, digest_of, rank, spelled
from tocsin_notify.claims import ACK, CONFIRM, ESCALATE, Claim

MOST_TOLD = 5


@dataclass(frozen=True)
class Press:
    """A button, as it is sent. url: where it is pressed, by POST."""

    label: str
    url: str = field(repr=False)


@dataclass(frozen=True)
class Ring:
    """What somebody is to hear, clean of what could break out of a line.

    id: the same for each try of one ring. short: title and lines in one, where there is no title. replaces: the ring
    before, which need not be seen any more. calm: it says that it is over, and makes no noise; it stands in place of the
    ring `id`.
    """

    id: str
    person: str
    title: str
    lines: Sequence[str]
    short: str
    at: datetime
    urgent: bool = False
    presses: Sequence[Press] = ()
    link: str = ""
    replaces: str = ""
    calm: bool = False

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def addresses(self) -> Sequence[str]:
        """The buttons as lines, where there are none to press: `Ack: https://…`."""
        return [f"{press.label}: {press.url}" for press in self.presses]

    def url(self, label: str) -> str:
        """Where the button with that label is pressed, if there is one."""
        return next((press.url for press in self.presses if press.label == label), "")


@dataclass(frozen=True)
class Wording:
    """Puts into words what rings. public_url: how phones reach us; without it there are no buttons."""

    public_url: str

    def of(
        self,
        groups: Sequence[AlertGroup],
        ring: str,
        person: str,
        way: str,
        tx: Transaction,
        *,
        urgent: bool,
        since: datetime,
        again: bool,
        replaces: str,
    ) -> Ring:
        """The ring for these alerts, of which the first is told first. since: when the first of them began to ring."""
        order = tx.config.severities
        rings = [f"rings since {spelled(tx.now - since)}"] if tx.now - since >= timedelta(minutes=1) else []
        rings += ["again"] if again else []
        end = f" ({', '.join(rings)})" if rings else ""
        first = groups[0]
        if len(groups) == 1:
            title, lines, link = f"{first.id} {first.brief(order)}", [first.describe(order)], first.link
            short = Message(f"{first.id} {lines[0]}{end}").text
        else:
            title, short, link = f"{len(groups):,} alerts ring", "", ""
            lines = [f"{one.id} {one.describe(order)}" for one in groups[:MOST_TOLD]]
            lines += [f"\u2026 and {len(groups) - MOST_TOLD:,} more"] if len(groups) > MOST_TOLD else []
        said = Message(f"{title}{end}", lines=tuple(lines))
        return Ring(
            ring,
            person,
            said.text,
            said.lines,
            short if len(groups) == 1 else "\n".join([said.text, *said.lines]),
            tx.now,
            urgent,
            self._presses(groups, person, way, tx),
            link,
            replaces,
        )

    def _presses(
        self, groups: Sequence[AlertGroup], person: str, way: str, tx: Transaction
    ) -> Sequence[Press]:
        if not self.public_url:
            return ()
        subject = groups[0].id if len(groups) == 1 else digest_of(groups, tx)
        return [
            self.press(label, Claim.new(action, person, way, subject, groups=groups, now=tx.now), tx)
            for label, action in (("Ack", ACK), ("Escalate", ESCALATE))
        ]

    def press(self, label: str, claim: Claim, tx: Transaction) -> Press:
        """A button that proves what it claims."""
        return Press(label, f"{self.public_url.rstrip('/')}/{claim.signed(tx)}")

    def test(self, ring: str, person: str, way: str, tx: Transaction, *, code: str, number: int) -> Ring:
        """What is sent to try a way."""
        press = self.press("Confirm", Claim.new(CONFIRM, person, way, str(number), now=tx.now), tx)
        typed = f"type to me in chat: {tx.typed(f'test {code}')}"
        how = f"Press Confirm, or {typed}" if self.public_url else typed.capitalize()
        said = Message(f"test: {person}, does this reach you?", lines=(how,))
        presses = [press] if self.public_url else []
        short = "\n".join([said.text, *said.lines])
        return Ring(ring, person, said.text, said.lines, short, tx.now, urgent=True, presses=presses)


def worst_first(groups: Sequence[AlertGroup], tx: Transaction) -> Sequence[AlertGroup]:
    """The most severe first, of those the newest."""
    order = tx.config.severities

    def place(group: AlertGroup) -> tuple[int, float]:
        return rank(group.severity(order), order), -(group.began_at or tx.now).timestamp()

    return sorted(groups, key=place)
