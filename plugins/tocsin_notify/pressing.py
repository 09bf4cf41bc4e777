"""What a button does that somebody presses: the same as the word would in chat, once."""

from collections.abc import Sequence
from datetime import timedelta

from tocsin.api import AlertGroup, Asked, Refused, Transaction, alerts_of, counted
from tocsin_notify.claims import ACK, CONFIRM, Claim, generation
from tocsin_notify.events import ButtonPressed, RingerConfirmed, person_of
from tocsin_notify.lanes import over
from tocsin_notify.trials import confirm

CONFIRMED_AGAIN = timedelta(days=1)
"""Of what confirms a way anew within so long nothing is written down."""

SPENT = "this button is used up or too old: use the newest ring, or chat"


def ask(text: str, tx: Transaction) -> str:
    """What stands on a button. Raises Refused for one that is good no more."""
    claim, groups = _read(text, tx)
    if claim.action == CONFIRM:
        return f"Confirm that {claim.way} reaches you"
    _refuse_spent(claim, groups, tx)
    number = f" ({counted(len(groups), 'alert')})" if len(groups) > 1 else ""
    return f"{'Ack' if claim.action == ACK else 'Escalate'} {claim.subject}{number}"


def press(text: str, tx: Transaction) -> Asked | str:
    """What somebody asks for by a button. Raises Refused for one that is good no more."""
    claim, groups = _read(text, tx)
    if claim.action == CONFIRM:
        return confirm(claim.person, claim.way, tx)
    _reaches(claim.person, claim.way, tx)  # also if it is too late for all else
    if groups and not any(group.unanswered for group in groups):
        return over(groups)  # whoever is late, or presses it twice, wants to know that, and no more
    _refuse_spent(claim, groups, tx)
    used = ButtonPressed(
        subject=claim.subject,
        at=tx.now,
        by=claim.person,
        nonce=claim.nonce,
        way=claim.way,
        action=claim.action,
    )
    done = f"acked {claim.subject}" if claim.action == ACK else f"{claim.subject}: the next are paged"
    return Asked(claim.person, f"{claim.action} {claim.subject}", claim.way, done, used)


def _reaches(person: str, way: str, tx: Transaction) -> None:
    """Keep that a way reaches somebody, once a day."""
    known = [entry.event for entry in tx.story(person_of(person), (RingerConfirmed,))]
    lately = (one for one in known if isinstance(one, RingerConfirmed) and one.way == way)
    if not any(tx.now - one.at < CONFIRMED_AGAIN for one in lately):
        tx.record(RingerConfirmed(subject=person_of(person), at=tx.now, by=person, way=way))


def _read(text: str, tx: Transaction) -> tuple[Claim, Sequence[AlertGroup]]:
    try:
        claim = Claim.read(text)
    except ValueError:
        raise Refused(SPENT) from None
    if claim.person not in tx.config.people:
        raise Refused(f"{claim.person} is not in the configuration any more")
    if claim.action == CONFIRM:
        if claim.over(tx.now):
            raise Refused(f"this button is too old: {tx.typed('test me')} brings another")
        return claim, ()
    if gone := tx.pruned(claim.subject):
        raise Refused(gone)
    group = tx.find_group(claim.subject)
    return claim, [group] if group is not None else alerts_of(claim.subject, tx) or ()


def _refuse_spent(claim: Claim, groups: Sequence[AlertGroup], tx: Transaction) -> None:
    """Whether it is used up, too old, or about what is over and has begun anew since. Raises Refused."""
    pressed = [entry.event for entry in tx.story(claim.subject, (ButtonPressed,))]
    used = any(isinstance(one, ButtonPressed) and one.nonce == claim.nonce for one in pressed)
    if used or claim.over(tx.now) or not groups or generation(groups) != claim.generation:
        raise Refused(SPENT)
