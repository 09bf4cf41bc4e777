"""Who reacts to what, and the timers that somebody rings; a plugin that fails again and again is left out for a while."""

import inspect
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tocsin.domain.event import Event
from tocsin.store.timers import Timer, microseconds

if TYPE_CHECKING:
    from tocsin.transaction import Transaction

E = TypeVar("E", bound=Event)
T = TypeVar("T")

MOST_FAULTS = 5
LEFT_OUT_FOR = timedelta(minutes=1)
"""A plugin that fails so often within that time is left out for as long."""


@dataclass(frozen=True)
class Reaction(Generic[E]):
    """What a plugin does in the same turn in which an event is recorded. early: before those that are not."""

    event: type[E]
    handler: Callable[[E, "Transaction"], None]
    early: bool = False


def on(event: type[E], handler: Callable[[E, "Transaction"], None], *, early: bool = False) -> Reaction[E]:
    """Call `handler(event, tx)` whenever such an event is recorded, in the same turn.

    early: before all that do not ask for that, since these look at what it does.
    """
    return Reaction(event, handler, early)


@dataclass(frozen=True)
class TimerKind:
    """The timers of one kind: what must happen later.

    kind: `PLUGIN.WHAT`. handler: called when one is due, at least once; it looks at the facts, not at having been
    called. It gets `(timer, tx)`, and is run in a turn; a coroutine function gets `(timer, tocsin)`, the daemon's
    `Tocsin`, and is run beside all else. pages: such a timer, set for an alert's id, is its next step: somebody will
    be paged. at_start: one with an empty key is set to ring at once whenever the daemon starts, or has another configuration.
    """

    kind: str
    handler: Callable[[Timer, "Transaction"], None] | Callable[[Timer, Any], Coroutine[Any, Any, None]]
    pages: bool = False
    at_start: bool = False


@dataclass(frozen=True)
class Owned:
    """A handler and whose it is.

    name: the same after a restart. pages: a timer of this kind, set for an alert's id, is its next step: as long as
    one is set, somebody will be paged. waits: it is a coroutine function, and so for no turn. at_start: as for
    `TimerKind`.
    """

    owner: str
    name: str
    call: Callable[..., Any]
    pages: bool = False
    waits: bool = False
    at_start: bool = False


def owned(owner: str, call: Callable[..., Any], *, pages: bool = False, at_start: bool = False) -> Owned:
    """A plugin's handler under its own name."""
    name = f"{owner}.{getattr(call, '__name__', type(call).__name__)}"
    return Owned(owner, name, call, pages, waits=inspect.iscoroutinefunction(call), at_start=at_start)


@dataclass
class Breaker:
    """Leaves out a plugin that fails again and again, for a minute.

    untold: who is left out, and people have not been told. count: how often each has failed at all.
    """

    faults: dict[str, deque[int]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=MOST_FAULTS))
    )
    opened: dict[str, int] = field(default_factory=dict)
    untold: set[str] = field(default_factory=set)
    count: Counter[str] = field(default_factory=Counter)

    def note(self, owner: str, boot: int) -> None:
        """Take down a fault; the plugin may be left out from now on."""
        found = self.faults[owner]
        found.append(boot)
        self.count[owner] += 1
        if len(found) == MOST_FAULTS and boot - found[0] < microseconds(LEFT_OUT_FOR):
            found.clear()
            self.opened[owner] = boot
            self.untold.add(owner)

    def left_out_for(self, owner: str, boot: int) -> timedelta:
        """How long the plugin is left out from now on."""
        since = (
            (boot - self.opened[owner]) * timedelta(microseconds=1) if owner in self.opened else LEFT_OUT_FOR
        )
        return max(LEFT_OUT_FOR - since, timedelta(0))


@dataclass(frozen=True)
class Rules:
    """Who reacts to what, and the timers that somebody rings, by kind.

    tables: what further parts of the daemon look up, by its type.
    """

    reactions: Mapping[type[Event], Sequence[Owned]]
    timers: Mapping[str, Owned]
    breaker: Breaker = field(default_factory=Breaker)
    tables: Mapping[type, Any] = field(default_factory=dict)

    @cached_property
    def steps(self) -> list[str]:
        """The kinds of timers that page."""
        return [kind for kind, timer in self.timers.items() if timer.pages]

    def of(self, kind: type[T]) -> T:
        """The table of that type."""
        found: T = self.tables[kind]
        return found

    def reaction(self, event: Event, name: str) -> Owned | None:
        """The reaction to such an event with this name."""
        return next((one for one in self.reactions.get(type(event), ()) if one.name == name), None)


def by_event(reactions: Iterable[tuple[str, Reaction[Any]]]) -> Mapping[type[Event], Sequence[Owned]]:
    """The plugins' reactions by the event that they wait for."""
    found: dict[type[Event], list[tuple[bool, Owned]]] = defaultdict(list)
    for owner, reaction in reactions:
        one, others = owned(owner, reaction.handler), found[reaction.event]
        same = sum(other.name.partition("#")[0] == one.name for _, other in others)
        one = replace(one, name=f"{one.name}#{same + 1}") if same else one
        others.append((not reaction.early, one))
    return {event: [one for _, one in sorted(some, key=itemgetter(0))] for event, some in found.items()}
