"""Many groups in few lines: each for itself, or counted by severity and name."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tocsin.domain.group import AlertGroup, GroupState
from tocsin.domain.message import Message, cut
from tocsin.domain.tally import Tally, tallies
from tocsin.domain.tally import named as in_kinds
from tocsin.domain.words import first_few, listed
from tocsin.facts import Facts

MOST_LISTED = 12
"""How many lines a list has at most, and how many ids a line."""

MOST_NAMED = 5
"""How many alerts are described of which the same is told at once."""

_LONGEST_LISTED = 240
"""Of an alert behind whose description something stands, in bytes: with that it fits any network's lines."""

_MOST_IDS = 3
_MOST_HOLDERS = 3


def listing(
    facts: Facts,
    text: str,
    groups: Sequence[AlertGroup],
    *,
    most: int = MOST_LISTED,
    end: Callable[[AlertGroup], str] = lambda _: "",
    more: Callable[[int], str] = lambda left: f"\u2026 and {left:,} more",
) -> Message:
    """A message with a line for each group, as many as `most`.

    end: what stands behind each. more: the last line, by how many are left.
    """
    order = facts.config.severities
    last = [more(len(groups) - most)] if len(groups) > most else []
    full = [f"{group.id} {_fitting(group.describe(order), end(group))}" for group in groups[:most]]
    brief = [f"{group.id} {group.brief(order)}{end(group)}" for group in groups[:most]]
    return Message(text, lines=(*full, *last), brief=text, brief_lines=(*brief, *last))


@dataclass(frozen=True)
class Told:
    """What is said of groups. brief: where all the world may read, if it is not the same."""

    text: str
    groups: Sequence[AlertGroup]
    brief: str = ""


def about_all(facts: Facts, sentences: Sequence[Told]) -> Message:
    """The same as `tx.about`, of any number of groups: not all of them are named, but all are in some number."""
    groups = [group for told in sentences for group in told.groups]
    if len(groups) == 1:
        (told,) = sentences
        message = replace(facts.about(groups[0], f"{told.text}: "), link="")
        return (
            replace(message, brief=facts.about(groups[0], f"{told.brief}: ").brief) if told.brief else message
        )
    named = [first_few([group.id for group in told.groups], MOST_LISTED) for told in sentences]
    text, brief = (
        "; ".join(f"{said}: {ids}" for said, ids in zip(each, named, strict=True))
        for each in ([told.text for told in sentences], [told.brief or told.text for told in sentences])
    )
    if len(groups) > MOST_LISTED:
        kinds = in_kinds(groups, facts.config.severities)
        return Message(text, lines=(kinds,), brief=brief, brief_lines=(kinds,))
    return replace(listing(facts, text, groups, most=MOST_NAMED), brief=brief)


def counting(
    text: str,
    found: Sequence[Tally],
    more: Callable[[int], str] = lambda left: f"\u2026 and {left:,} more names",
) -> Message:
    """A message with a line for each severity and name; it holds nothing that not everybody may know.

    more: as for `listing`.
    """
    last = [more(len(found) - MOST_LISTED)] if len(found) > MOST_LISTED else []
    return Message(text, lines=(*(_line(tally) for tally in found[:MOST_LISTED]), *last))


def by_count(facts: Facts, groups: Sequence[AlertGroup]) -> Sequence[Tally]:
    """The groups by severity and name: what rings first, then the most severe, then what is many."""
    return sorted(tallies(groups, facts.config.severities), key=lambda tally: not tally.ringing)


def _line(tally: Tally) -> str:
    """`critical DiskFull: 200, k7f3, k7f4, k7f5 and 197 more (alice has 3)`: what rings is named first."""
    ids = [group.id for group in sorted(tally.groups, key=lambda group: not group.rings)]
    answered = _answered(tally.groups)
    return f"{tally.kind}: {len(ids):,}, {first_few(ids, _MOST_IDS)}" + (f" ({answered})" if answered else "")


def _answered(groups: Sequence[AlertGroup]) -> str:
    """What of them does not ring: `alice has 3, bob has 1 and 20 silenced`."""
    held = Counter(group.acknowledged_by for group in groups if group.acknowledged_by).most_common()
    words = [f"{person} has {number:,}" for person, number in held[:_MOST_HOLDERS]]
    others = sum(number for _, number in held[_MOST_HOLDERS:])
    by_state = Counter(group.state for group in groups)
    words += [f"others have {others:,}"] * bool(others)
    for state in (GroupState.SILENCED, GroupState.RESOLVED):
        words += [f"{by_state[state]:,} {state}"] * bool(by_state[state])
    return listed(words)


def _fitting(text: str, end: str) -> str:
    """What a network's lines have no room for is cut from the text, and never from its end."""
    return f"{cut(text, _LONGEST_LISTED)}{end}" if end else text
