"""Jobs: when each must be heard of, and what it is taken for if it is not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from tocsin.api import Alert, BadPayload, Duration, Name, Report, Secret, Timer, Transaction, report, spelled

MISSED = "heartbeats.missed"
OVERRAN = "heartbeats.overran"
BEGIN = "heartbeats.begin"

RECEIVER = "heartbeats"

LATE = timedelta(minutes=1)
"""If a timer rings so much later than it should have, Tocsin was away, and heard nothing meanwhile."""

SHORTEST_GRACE = timedelta(minutes=1)
LONGEST_EXIT_CODE = 255
LONGEST_REASON = 200


@dataclass(frozen=True)
class Job:
    """Something that pings, or should. key: what its address holds, a secret.

    every, grace: it is heard of so often, and may be late by so much. severity: what its alerts have; without it they count
    as the worst. labels: more of theirs, to be routed by. max_runtime: how long after `/start` it must have ended.
    """

    key: Secret
    every: Duration
    grace: Duration = timedelta(minutes=5)
    severity: Name = ""
    max_runtime: Duration | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def whole(self) -> timedelta:
        return self.every + max(self.grace, SHORTEST_GRACE)


def pinged(name: str, job: Job, word: str, sent: str, tx: Transaction) -> None:
    """It was heard of. word: what stood behind the key. sent: what came along. Raises BadPayload."""
    if word == "log":
        return
    if word == "start":
        if job.max_runtime is not None:
            tx.set_timer(OVERRAN, name, after=job.max_runtime)
        return
    failed = _failed(word)
    tx.cancel_timer(OVERRAN, name)
    tx.set_timer(MISSED, name, after=job.whole)
    if not failed:
        _over(name, tx)
        return
    lines = [line.strip() for line in sent.splitlines() if line.strip()]
    said = f": {lines[-1][:LONGEST_REASON]}" if lines else ""
    _fires("HeartbeatFailed", name, job, f"{name} {failed}{said}", tx)


def _failed(word: str) -> str:
    """How it failed, in words; empty if it did not."""
    if word == "fail":
        return "failed"
    if word.isascii() and word.isdigit() and int(word[:4]) <= LONGEST_EXIT_CODE:
        return f"failed with exit code {int(word)}" if int(word) else ""
    if word:
        raise BadPayload("behind the key may stand /start, /fail, /log or an exit code from 0 to 255")
    return ""


def missed(jobs: Mapping[str, Job], timer: Timer, tx: Transaction) -> None:
    """It was not heard of in time."""
    name, job = timer.key, jobs.get(timer.key)
    if job is None:  # it is watched no more
        _over(name, tx)
    elif tx.now - timer.due_at > LATE:
        tx.set_timer(MISSED, name, after=max(job.grace, SHORTEST_GRACE))
    else:
        tx.set_timer(MISSED, name, after=job.whole)
        text = (
            f"nothing was heard of {name} for {spelled(job.whole)}: it should ping every {spelled(job.every)}"
        )
        _fires("HeartbeatMissed", name, job, text, tx)


def overran(jobs: Mapping[str, Job], name: str, tx: Transaction) -> None:
    """It began, and did not end in time."""
    job = jobs.get(name)
    if job is not None and job.max_runtime is not None:
        text = f"{name} began, and has not ended within {spelled(job.max_runtime)}"
        _fires("HeartbeatOverran", name, job, text, tx)


def begin(jobs: Mapping[str, Job], tx: Transaction) -> None:
    """The daemon starts, or has another configuration: a job that is new must be heard of as any."""
    for name, job in jobs.items():
        left = tx.timer_left(MISSED, name)
        if left is None or left > job.whole:
            tx.set_timer(MISSED, name, after=job.whole)


def _fires(alertname: str, name: str, job: Job, text: str, tx: Transaction) -> None:
    labels = {**job.labels, "alertname": alertname, "job": name}
    if job.severity:
        labels["severity"] = job.severity
    alert = Alert(f"{alertname} {name}", labels, text, starts_at=tx.now)
    others = {"HeartbeatMissed", "HeartbeatFailed", "HeartbeatOverran"} - {alertname}
    resolved = {f"{other} {name}": tx.now for other in others}
    report(tx, Report(RECEIVER, f"job {name}", firing=[alert], resolved=resolved))


def _over(name: str, tx: Transaction) -> None:
    report(tx, Report(RECEIVER, f"job {name}", over=True))
