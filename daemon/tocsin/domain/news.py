"""What a sender's report of a group changes."""

from collections.abc import Sequence
from datetime import datetime

from tocsin.domain.alert import Alert, Report
from tocsin.domain.event import Event
from tocsin.domain.flapping import FlappingBegan, FlapRule, GroupFiredAgain, GroupQuieted
from tocsin.domain.group import (
    AlertFired,
    AlertGroup,
    AlertResolved,
    AlertsUnlisted,
    GroupOpened,
    GroupReopened,
    GroupResolved,
    GroupState,
)


def opening(subject: str, report: Report, at: datetime) -> list[Event]:
    """What opens a group."""
    opened = GroupOpened(
        subject=subject,
        at=at,
        key=report.key,
        receiver=report.receiver,
        alerts=_each_once(report.firing),
        unlisted=report.unlisted,
    )
    return [opened]


def reopening(group: AlertGroup, report: Report, at: datetime, rule: FlapRule) -> list[Event]:
    """What opens it again; it may flap by that."""
    alerts = _each_once(report.firing)
    events: list[Event] = [GroupReopened(subject=group.id, at=at, alerts=alerts, unlisted=report.unlisted)]
    if starts := rule.flaps((*group.starts, at)):
        events.append(
            FlappingBegan(subject=group.id, at=at, times=len(starts), since=starts[0], hold=rule.hold)
        )
    return events


def changes(group: AlertGroup, report: Report, at: datetime) -> list[Event]:
    """What it changes of an open group; nothing if it only repeats what is known."""
    if group.quiet:
        return _after_quiet(group, report, at)
    fires_on = {alert.fingerprint: alert for alert in report.firing}
    found: list[Event] = [
        AlertFired(subject=group.id, at=at, alert=alert)
        for fingerprint, alert in fires_on.items()
        if fingerprint not in group.firing or _before(group.alerts[fingerprint].starts_at, alert.starts_at)
    ]
    silenced = group.state is GroupState.SILENCED
    unlisted = 0 if report.over else report.unlisted
    if unlisted != group.unlisted and (silenced or not report.over):
        found.append(AlertsUnlisted(subject=group.id, at=at, count=unlisted))
    # A report may come late: of an end, after which the alert began anew.
    stale = {one for one, ended in report.resolved.items() if _began_after(group, one, ended, at)}
    over = report.over and not stale
    gone = (group.firing if over else group.firing & set(report.resolved)) - set(fires_on) - stale
    found += [
        AlertResolved(subject=group.id, at=at, fingerprint=one, called=str(group.alerts[one]))
        for one in sorted(gone)
    ]
    # With some left out, the end of those that are listed says nothing about the rest.
    all_known = not (report.unlisted or group.unlisted)
    # A silence outlasts the end: what fires again before it is over rings no more than before.
    if not silenced and not fires_on and (over or (gone and gone == group.firing and all_known)):
        if group.flapping:
            return [GroupQuieted(subject=group.id, at=at)]
        found.append(GroupResolved(subject=group.id, at=at, acknowledged=not group.unanswered))
    return found


def _after_quiet(group: AlertGroup, report: Report, at: datetime) -> list[Event]:
    """What flaps fires again; of alerts that it never had before people are told as ever."""
    unlisted = 0 if report.over else report.unlisted
    alerts = _each_once(report.firing)
    if not alerts and not unlisted:
        return []
    new = [one for one in alerts if one.fingerprint not in group.alerts]
    again = GroupFiredAgain(subject=group.id, at=at, alerts=alerts, unlisted=unlisted, times=group.times + 1)
    return [again, *(AlertFired(subject=group.id, at=at, alert=alert) for alert in new)]


def _each_once(alerts: Sequence[Alert]) -> tuple[Alert, ...]:
    return tuple({alert.fingerprint: alert for alert in alerts}.values())


def _began_after(group: AlertGroup, fingerprint: str, end: datetime | None, now: datetime) -> bool:
    """Whether it fires since a time after that end; one in the future says nothing."""
    if fingerprint not in group.firing:
        return False
    began = group.alerts[fingerprint].starts_at
    return _before(end, began) and not _before(now, began)


def _before(one: datetime | None, other: datetime | None) -> bool:
    return one is not None and other is not None and one < other
