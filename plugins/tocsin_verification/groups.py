"""Alerts that belong to no incident: when one is called resolved, its checks say whether that is so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from tocsin.api import AlertGroup, GroupReopened, GroupResolved, Message, Place, Transaction, spelled
from tocsin_verification import telling
from tocsin_verification.adding import Adding
from tocsin_verification.changes import judged
from tocsin_verification.events import (
    CannotVerify,
    CheckJudged,
    VerificationEnded,
    VerificationStarted,
    Why,
)
from tocsin_verification.judge.verdict import Verdict
from tocsin_verification.judging import Asked, Found
from tocsin_verification.verified import Verified, verified

WATCHED_FOR = timedelta(hours=4)
"""What is not back by then is told, and looked at no more: it takes a person."""

SETTLES = 2
"""So many looks later it is looked at first: the sender has seen the first good values just now."""

MOST_GROUPS = 50
"""After a storm thousands are resolved within minutes."""


@dataclass(frozen=True)
class Groups:
    """every: how often its checks are looked at."""

    every: timedelta
    adding: Adding

    def resolved(self, event: GroupResolved, running: int, tx: Transaction) -> bool:
        """An alert is called resolved; whether its checks are looked at from now on. running: how many others' are."""
        group = tx.group(event.subject)
        if not group.receiver or group.began_at is None or running >= MOST_GROUPS:
            return False
        if tx.incident_of(group.id) is not None or not self.adding.to_group(group, tx):
            return False
        tx.record(VerificationStarted(subject=group.id, at=tx.now, why=Why.RESOLVED, alert_at=group.began_at))
        return True

    def reopened(self, event: GroupReopened, tx: Transaction) -> None:
        """It fires again, which says enough."""
        self._end(event.subject, "it fires again", tx)

    def ends(self, group: AlertGroup, state: Verified, tx: Transaction) -> bool:
        """Whether it is looked at no more; that is kept then, and told if it is not back."""
        if group.open:
            self._end(group.id, "it fires again", tx)
        elif tx.incident_of(group.id) is not None:
            self._end(group.id, "it belongs to an incident", tx)
        elif state.all_clear:
            self._end(group.id, "it is back", tx)
        elif state.unseen:
            self._end(group.id, "no check shows it", tx)
        elif state.since is not None and tx.now - state.since >= WATCHED_FOR:
            lines = [one.judged.line for one in state.musts if one.judged is not None]
            text = f"resolved {spelled(WATCHED_FOR)} ago, and not back since: no longer watched"
            self._tell(group, text, lines, tx)
            self._end(group.id, "it did not come back", tx)
        else:
            return False
        return True

    def keep(self, group: AlertGroup, asked: Asked, found: Mapping[str, Found], tx: Transaction) -> None:
        """Keep what was found, and tell whether it is over as its sender says."""
        state = verified(group.id, tx)
        told_before = self._was_told(group.id, state, tx)
        changes = judged(group.id, state, asked, found, tx)
        bad = [
            one.fact
            for one in changes
            if one.told and one.now.added.must and one.now.verdict is Verdict.NOT_YET
        ]
        if bad:
            self._tell(group, "called resolved, but it is not back", bad, tx)
        self._lacks(group, state, found, tx)
        chosen = any(not one.added.because for one in state.musts)
        if state.all_clear and (told_before or chosen):
            facts = [telling.line_of(one, found[one.name].judgement).fact for one in state.musts]
            self._tell(group, "resolved, and back", facts, tx)

    def _was_told(self, subject: str, state: Verified, tx: Transaction) -> bool:
        """Whether people were told that it may not be over, since it was resolved last."""
        told = (entry.event for entry in tx.story(subject, (CheckJudged, CannotVerify)))
        return any(
            event is not None
            and state.since is not None
            and event.at >= state.since
            and (
                isinstance(event, CannotVerify)
                or (isinstance(event, CheckJudged) and event.verdict is Verdict.NOT_YET)
            )
            for event in told
        )

    def _lacks(self, group: AlertGroup, state: Verified, found: Mapping[str, Found], tx: Transaction) -> None:
        lacks = []
        for check, missing in telling.lacking(state, found, tx.now - 2 * self.every):
            tx.record(missing)
            lacks.append(telling.cannot_line(check, missing.missing, tx))
        if lacks:
            self._tell(group, "called resolved, which can't be verified", lacks, tx)

    def _end(self, subject: str, because: str, tx: Transaction) -> None:
        if verified(subject, tx).running:
            tx.record(VerificationEnded(subject=subject, at=tx.now, because=because))

    def _tell(self, group: AlertGroup, text: str, facts: Sequence[str], tx: Transaction) -> None:
        """Say it in the rooms where the alert was told."""
        name = group.describe(tx.config.severities)
        lines = tuple(facts) if len(facts) > 1 else ()
        behind = f": {facts[0]}" if len(facts) == 1 else ""
        message = Message(f"{text}{behind}", subject=group.id, lines=(name, *lines), brief=text)
        for room in _rooms(group, tx):
            tx.say(room, message, about=group.id)


def _rooms(group: AlertGroup, tx: Transaction) -> Sequence[Place]:
    rooms = [place for place in tx.told_places(group.id) if not place.private]
    return sorted(rooms, key=str) or tx.default_rooms()
