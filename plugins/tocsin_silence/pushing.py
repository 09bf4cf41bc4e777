"""What Alertmanager should keep of an alert's silence, and how it is brought to keep that."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from tocsin.api import AlertGroup, Tocsin, Transaction
from tocsin_silence.events import SilencePushed, SilenceWithdrawn
from tocsin_silence.standing import TELLING, Standing
from tocsin_silence.upstream import Upstream, Wanted


@dataclass(frozen=True)
class Due:
    """What is to be done. wanted: to be kept from now on; None if nothing is. held: the id of what is kept now."""

    upstream: Upstream
    wanted: Wanted | None
    held: str


async def push(subject: str, receivers: Mapping[str, Upstream], tocsin: Tocsin) -> None:
    """Have Alertmanager keep what holds here, whatever it keeps now. Raises Unsilenced."""
    due = await tocsin.turn(partial(_due, subject, receivers))
    if due is not None and due.wanted is not None:
        until = due.wanted.ends_at
        # Killed before the next turn, it makes another one when it runs again; both end at the same time.
        name = await due.upstream.put(due.wanted, due.held)
        await tocsin.must(
            lambda tx: tx.record(SilencePushed(subject=subject, at=tx.now, silence_id=name, until=until))
        )
    elif due is not None and due.held:
        held = due.held
        await due.upstream.end(held)
        await tocsin.must(lambda tx: tx.record(SilenceWithdrawn(subject=subject, at=tx.now, silence_id=held)))


def matched(group: AlertGroup) -> Mapping[str, str]:
    """The labels that Alertmanager is to match; an empty value would match whatever lacks the label."""
    return {name: value for name, value in group.labels().items() if value}


def _due(subject: str, receivers: Mapping[str, Upstream], tx: Transaction) -> Due | None:
    group = tx.group(subject)
    upstream = receivers.get(group.receiver)
    if upstream is None:
        return None
    standing = Standing.of(entry.event for entry in tx.story(subject, TELLING))
    held = standing.pushed if standing.pushed and standing.pushed.until > tx.now else None
    name = held.silence_id if held else ""
    until, labels = group.silenced_until, matched(group)
    if until is None or standing.last is None:
        return Due(upstream, None, name)
    if until <= tx.now or not labels or (held and held.until == until):
        return None
    comment = f"{subject}: {standing.last.because or 'silenced in chat'}"
    return Due(upstream, Wanted(labels, tx.now, until, f"{standing.last.by} (tocsin)", comment), name)
