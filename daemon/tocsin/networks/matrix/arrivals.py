"""Who comes to the rooms of our own."""

from collections import OrderedDict
from collections.abc import Iterable

from tocsin.domain.message import Place
from tocsin.networks.base import Listener
from tocsin.networks.matrix.parts import Event, part, text_of
from tocsin.networks.matrix.rooms import World

MOST_KNOWN = 1000
"""Of so many arrivals it is remembered that they were told: what could not be heard to its end comes again."""


class Arrivals:
    """Tells of each once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known: OrderedDict[str, None] = OrderedDict()
        self._waiting: list[tuple[Place, str]] = []

    def take(self, events: Iterable[Event], places: Iterable[Place | None]) -> None:
        """What happened in a room, in its order, and where that was."""
        for event, place in zip(events, places, strict=True):
            event_id, who = text_of(event, "event_id"), text_of(event, "state_key")
            if place is None or place.private or event_id in self._known:
                continue
            if who != self._world.us and _comes(event):
                self._known[event_id] = None
                if len(self._known) > MOST_KNOWN:
                    self._known.popitem(last=False)
                self._waiting.append((place, who))

    def tell(self, listener: Listener) -> None:
        """Tell of those who came to rooms of our own; where one is fresh, nobody knows yet what it is for: that waits."""
        waiting, self._waiting = self._waiting, []
        for place, who in waiting:
            room = self._world.named(place.name)
            if room is None or not room.made:
                continue
            if room.fresh:
                self._waiting.append((place, who))
            else:
                listener.came(place, who)


def _comes(event: Event) -> bool:
    if event.get("type") != "m.room.member":
        return False
    before = part(event, "unsigned", "prev_content").get("membership")
    return part(event, "content").get("membership") == "join" and before != "join"
