"""How many alerts somebody was told of, a line each or many in one."""

import re
from dataclasses import dataclass, field

_MANY = re.compile(r"(?<!\S)([\d,]+) alerts: ")
_ONE = re.compile(r"\bLoad(\d+)\b")


@dataclass
class Heard:
    """What one speaker said in one place.

    lines: when each came. seen: alert -> when it was first named in a line of its own. digests: id -> how many
    alerts it counts. reached: how many alerts were told of by then, and when, for each line that told of more.
    """

    lines: list[float] = field(default_factory=list)
    seen: dict[int, float] = field(default_factory=dict)
    digests: dict[str, int] = field(default_factory=dict)
    reached: list[tuple[int, float]] = field(default_factory=list)
    count: int = 0

    def hear(self, text: str, at: float) -> None:
        """Take a line. A digest says how many alerts it counts; said again, it counts them once."""
        self.lines.append(at)
        new = 0
        if many := _MANY.search(text):
            name = text.split(maxsplit=1)[0]
            if name not in self.digests:
                new = self.digests[name] = int(many[1].replace(",", ""))
        elif (one := _ONE.search(text)) and int(one[1]) not in self.seen:
            self.seen[int(one[1])] = at
            new = 1
        if new:
            self.count += new
            self.reached.append((self.count, at))

    def when(self, count: int) -> float | None:
        """When so many alerts had been told of; None if they never were."""
        return next((at for reached, at in self.reached if reached >= count), None)
