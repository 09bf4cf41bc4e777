"""What is open, and all that happened to an alert."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from tocsin.commands import Call, Command
from tocsin.digests import alerts_of
from tocsin.domain.alert import rank
from tocsin.domain.flapping import Flap, GroupFiredAgain
from tocsin.domain.group import AlertGroup, GroupState
from tocsin.domain.message import Message, clean
from tocsin.domain.page import PersonPaged
from tocsin.domain.tally import LONGEST_NAME, named, tallies
from tocsin.domain.words import bare, counted, did_you_mean
from tocsin.errors import Refused
from tocsin.listing import MOST_LISTED, by_count, counting, listing
from tocsin.store.journal import Entry
from tocsin.transaction import Transaction


def commands() -> Sequence[Command]:
    """The words that change nothing."""
    return [
        Command("alerts [NAME…] [PAGE]", list_open, "what is open", anyone=True, often=True),
        Command("why ALERT", why, "all that happened to it", anyone=True, often=True),
    ]


@dataclass(frozen=True)
class Found:
    """What a list is of.

    title: what stands above it; without one it is a single group, which speaks for itself. command: what to type next.
    singly: each has a line of its own, however many they are. asked: what it was asked by. page: which part of it is
    wanted, from 1 on.
    """

    title: str
    groups: Sequence[AlertGroup]
    command: str = ""
    singly: bool = False
    asked: str = ""
    page: int = 1


def list_open(call: Call, tx: Transaction) -> Message:
    """What rings first, then what somebody has; of either the most severe first, since the list has an end."""
    wanted = found(call, tx)
    if not wanted.groups:
        return Message(wanted.title)

    def stands(group: AlertGroup) -> str:
        return f" (since {call.clock(group.opened_at or tx.now, tx)}; {_who(group)})"

    if not wanted.title:
        (group,) = wanted.groups
        order = tx.config.severities
        full, brief = (text + stands(group) for text in (group.describe(order), group.brief(order)))
        return Message(full, subject=group.id, brief=brief)
    begin = (wanted.page - 1) * MOST_LISTED
    if wanted.singly or len(wanted.groups) <= MOST_LISTED:
        more = _more(wanted, len(wanted.groups), "", tx)
        shown = listing(tx, wanted.title, wanted.groups[begin:], end=stands, more=more)
    else:
        counts = by_count(tx, wanted.groups)
        shown = counting(wanted.title, counts[begin:], more=_more(wanted, len(counts), " names", tx))
    return replace(shown, command=wanted.command)


def found(call: Call, tx: Transaction) -> Found:
    """What a call's list is of. Raises Refused."""
    about = call.about.subjects[0] if call.about is not None else ""
    asked, page = call["NAME"].strip("'\"") or about, _PAGE.fullmatch(call["NAME"])
    meant = _meant(asked, tx)
    if meant is None and page:  # of a name that itself ends in a number the whole was tried first
        asked = (page["of"] or "").strip("'\"") or about
        meant = _meant(asked, tx)
    else:
        page = None
    if meant is None:
        if gone := tx.pruned(bare(asked)):
            raise Refused(gone)
        near = did_you_mean(asked, {group.called(tx.config.severities)[1] for group in tx.open_groups()})
        what = clean(asked, LONGEST_NAME)
        end = near or f": {tx.typed('alerts')} lists what is open"
        raise Refused(f"nothing that is open is called {what!r}, and no alert has that id{end}")
    return replace(meant, asked=asked, page=int(page["number"]) if page else 1)


_PAGE = re.compile(r"(?:(?P<of>.*)\s)?(?P<number>[0-9]{1,6})")


def _meant(asked: str, tx: Transaction) -> Found | None:
    """What somebody means by the words behind `alerts`, a page's number apart; None if that is nothing."""
    order = tx.config.severities
    groups = sorted(tx.open_groups(), key=lambda group: (not group.rings, rank(group.severity(order), order)))
    if not asked:
        return Found(_title(groups, "alert"), groups)
    alike = [group for tally in tallies(groups, order) if tally.bears(asked) for group in tally.groups]
    if alike:
        return Found(
            _title(alike, "such alert"), sorted(alike, key=lambda group: not group.rings), singly=True
        )
    group = tx.find_group(bare(asked))
    if group is not None:
        return Found("", [group])
    listed = alerts_of(bare(asked), tx)
    if listed is None:
        return None
    still = [group for group in listed if group.open]
    title = f"{bare(asked)}: {counted(len(listed), 'alert')} told together; {_title(still, 'alert')}"
    command = tx.typed(f"ack {bare(asked)}") if any(group.unanswered for group in still) else ""
    return Found(title, sorted(listed, key=lambda group: not group.rings), command)


def _title(groups: Sequence[AlertGroup], noun: str) -> str:
    if not groups:
        return "nothing is open"
    unanswered = sum(group.unanswered for group in groups)
    return f"{counted(len(groups), noun)} open, {unanswered:,} without an answer"


def _more(wanted: Found, lines: int, noun: str, tx: Transaction) -> Callable[[int], str]:
    """The last line of a page, by how many are left. Raises Refused if there is no such page."""
    pages = -(-lines // MOST_LISTED)
    if not 1 <= wanted.page <= pages:
        first = tx.typed(f"alerts {wanted.asked}".rstrip())
        shows = "shows all" if pages == 1 else f"shows the first of {pages} pages"
        raise Refused(f"there is no page {wanted.page}: {first} {shows}")
    following = tx.typed(
        " ".join(filter(None, ("alerts", clean(wanted.asked, LONGEST_NAME), str(wanted.page + 1))))
    )

    def more(left: int) -> str:
        what = noun.removesuffix("s") if left == 1 else noun
        return f"\u2026 and {left:,} more{what}: {following} shows {'it' if left == 1 else 'them'}"

    return more


def _who(group: AlertGroup) -> str:
    if group.state is GroupState.SILENCED:
        return f"silenced by {group.silenced_by}"
    if group.acknowledged_by:
        return f"{group.acknowledged_by} has it{_flaps(group)}"
    return "nobody has answered" + _flaps(group) if group.unanswered else str(group.state)


def _flaps(group: AlertGroup) -> str:
    if not group.flapping:
        return ""
    return f"; flapping, {counted(group.times, 'time')}" + (", quiet now" if group.quiet else "")


def why(call: Call, tx: Transaction) -> Message:
    """All that happened to an alert, in order."""
    asked = bare(call["ALERT"])
    if (told := alerts_of(asked, tx)) is not None:
        what = f"{counted(len(told), 'alert')} told together: {named(told, tx.config.severities)}"
        return Message(what, subject=asked, command=tx.typed(f"alerts {asked}"))
    group = tx.group(asked)
    lines = list(_lines(tx.story(group.id), lambda at: call.clock(at, tx)))
    if len(lines) > MOST_LISTED:
        left_out = len(lines) - MOST_LISTED + 1
        lines = [*lines[:3], f"… {left_out} more …", *lines[3 + left_out :]]
    order = tx.config.severities
    return Message(
        f"{group.state}{_flaps(group)}: {group.describe(order)}",
        subject=group.id,
        link=group.link,
        lines=tuple(lines),
        brief=f"{group.state}{_flaps(group)}: {group.brief(order)}",
    )


def _lines(story: Iterable[Entry], clock: Callable[[datetime], str]) -> Iterator[str]:
    """A line for each thing that happened; one for all that happened while it came and went.

    That somebody is paged is left out: whoever pages says so in words of their own.
    """
    told = (entry for entry in story if not isinstance(entry.event, PersonPaged))
    for flaps, some in groupby(told, key=lambda entry: isinstance(entry.event, Flap)):
        entries = list(some)
        if flaps and len(entries) > 1:
            times = sum(isinstance(entry.event, GroupFiredAgain) for entry in entries)
            last = entries[-1]
            yield (
                f"{clock(entries[0].at)} came and went until {clock(last.at)}: fired {counted(times, 'time')}"
            )
        else:
            yield from (f"{clock(entry.at)} {entry.headline}" for entry in entries)
