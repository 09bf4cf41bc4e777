"""What people said in rooms a while ago, so that somebody can point at it; in memory alone, and not for long."""

from collections import OrderedDict, deque

from tocsin.domain.message import Line, Place
from tocsin.domain.words import bare

MOST_LINES = 300
MOST_ROOMS = 200


class Lately:
    """The last lines of each room that were no commands."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        self._rooms = OrderedDict[Place, deque[Line]]()

    def add(self, line: Line) -> None:
        """Somebody said that."""
        if line.place.private or line.tapped or line.takes_back or line.notice or not line.text.strip():
            return
        self._rooms.setdefault(line.place, deque(maxlen=MOST_LINES)).append(line)
        self._rooms.move_to_end(line.place)
        if len(self._rooms) > MOST_ROOMS:
            self._rooms.popitem(last=False)

    def meant(self, line: Line, words: str) -> Line | None:
        """What a line means: what it taps, or what was said there last by whom its words name, if by anybody but
        whoever asks.
        """
        there = reversed(self._rooms.get(line.place, ()))
        if line.tapped:
            return next((one for one in there if one.id == line.about), None)
        name = bare(words.rpartition(" ")[2])
        if name and not name.isdigit():
            return next((one for one in there if _is_called(one, name)), None)
        return next((one for one in there if one.called != line.called), None)


def _is_called(line: Line, name: str) -> bool:
    """Whether somebody is meant by the name of their account, or the one that is shown."""
    names = (line.called, line.account, line.called.removeprefix("@").partition(":")[0])
    return name.removeprefix("@") in (one.lower().removeprefix("@") for one in names)
