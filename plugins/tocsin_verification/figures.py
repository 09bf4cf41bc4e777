"""Numbers of a metric as people read them in a hurry: few digits, and the same for those that are compared. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import floor, log10
from statistics import median_low
from typing import Self, TypeGuard

NO_NUMBER = "no value"

_ALIASES = {
    "percent": "%",
    "percentunit": "ratio",
    "seconds": "s",
    "milliseconds": "ms",
    "bytes": "B",
    "bytes/s": "B/s",
    "Bps": "B/s",
    "reqps": "req/s",
    "ops": "/s",
    "none": "",
    "short": "",
}
"""Units by other names, Grafana's among them: people copy a unit from where they have it."""
_LONGEST_UNIT = 12
_MORE_DIGITS = 3  # at most, to tell two numbers apart
_FINEST = 4  # digits behind the point; what is smaller is written as 1.2e-05


@dataclass(frozen=True)
class _Step:
    """A unit that numbers may be written in. size: of one of it, in the metric's own. begin: from how many on."""

    name: str
    size: float
    begin: float = 1.0


@dataclass(frozen=True)
class Scale:
    """How numbers that are compared are written: in one unit, and with as many digits each."""

    steps: tuple[_Step, ...]
    step: _Step
    decimals: int

    @classmethod
    def of(
        cls, unit: str, values: Iterable[float | None], *, apart: Iterable[tuple[float, float]] = ()
    ) -> Self:
        """A scale for these values.

        unit: theirs: `s`, `ms`, `B`, `B/s`, `/s`, `%`, `ratio` (written in per cent), or any other word.
        apart: pairs that differ, and should not be written alike if a few more digits can help it.
        """
        return cls._for(_steps(unit), values, apart)

    @classmethod
    def _for(
        cls,
        steps: tuple[_Step, ...],
        values: Iterable[float | None],
        apart: Iterable[tuple[float, float]] = (),
    ) -> Self:
        known = [float(value) for value in values if is_number(value)]
        usual = median_low([abs(value) for value in known if value] or [0.0])
        step = _fitting(steps, usual) if usual else _own(steps)
        pairs = [(a, b) for a, b in apart if a != b and is_number(a) and is_number(b)]
        if step.name == "%":  # 99.97 % is not 100 %: what is lacking is the point
            whole = 100 * step.size
            pairs += [(value, whole) for value in known if value != whole]
        fewest = (
            0 if all((value / step.size).is_integer() for value in known) else _decimals(usual / step.size)
        )
        choices = [cls(steps, step, decimals) for decimals in range(fewest, fewest + _MORE_DIGITS)]
        return max(choices, key=lambda one: sum(one.number(a) != one.number(b) for a, b in pairs))

    def beside_axis(self, values: Sequence[float]) -> list[str]:
        """Values at equal distances, as numbers alone in this scale's unit, with as many digits as all of them need."""
        sizes = [value / self.step.size for value in values]
        exact = next(
            (n for n in range(_FINEST) if all(abs(round(one, n) - one) < 1e-9 for one in sizes)), _FINEST
        )
        return [_written(one, exact) for one in sizes]

    def said(self, value: float | None) -> str:
        """A value with its unit: `0.3 %`. One that is far larger or smaller than the others has a unit of its own."""
        if not is_number(value):
            return NO_NUMBER
        if not value:
            return _with_unit("0", _own(self.steps).name)
        if not 0.1 <= abs(value) / self.step.size < 10_000:
            own = self._for(self.steps, [value])
            if own.step != self.step:
                return own.said(value)
        return _with_unit(self.number(value), self.step.name)

    def between(self, low: float, high: float) -> str:
        """Two values as a range: `0.2–0.4 %`; only one if they are written alike."""
        first, last = self.number(low), self.number(high)
        if first == last:
            return _with_unit(first, self.step.name)
        dash = " to " if "-" in first + last else "–"
        return _with_unit(f"{first}{dash}{last}", self.step.name)

    def number(self, value: float) -> str:
        """A value without its unit."""
        return _written(value / self.step.size, self.decimals)


def is_number(value: float | None) -> TypeGuard[float]:
    """Whether it is a number that can be written; what is as large as 1e300 is an accident of computing."""
    return value is not None and abs(value) < 1e300


def said(value: float | None, unit: str = "") -> str:
    """A number by itself: `0.3 %`, `412 ms`, `1.2 k/s`, `3.4 GiB`; for units see `Scale.of`."""
    return Scale.of(unit, [value]).said(value)


def length(seconds: float) -> str:
    """A length of time, rounded down: `40 s`, `25 min`, `2 h 50 min`, `2 d 3 h`."""
    minutes, left = divmod(max(0, int(seconds)), 60)
    if minutes < 120:
        return f"{minutes} min" if minutes else f"{left} s"
    hours, left = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h" + f" {left} min" * bool(left)
    days, left = divmod(hours, 24)
    return f"{days} d" + f" {left} h" * bool(left)


def part_of(held: float, hold: float) -> str:
    """How much of a length of time has passed: `12 of 25 min`, `50 min of 2 h`; never more than all of it."""
    done, all_of_it = length(min(held, hold)), length(hold)
    number, _, name = all_of_it.partition(" ")
    return f"{done.removesuffix(' ' + name)} of {number} {name}"


def _steps(unit: str) -> tuple[_Step, ...]:
    """The units that numbers of this one may be written in, the smallest first."""
    unit = _ALIASES.get(unit.strip(), unit.strip())
    times = [("µs", 1e-6, 0), ("ms", 1e-3, 1), ("s", 1, 1), ("min", 60, 2), ("h", 3600, 2), ("d", 86400, 2)]
    match unit:
        case "s":
            return tuple(_Step(*step) for step in times)
        case "ms":
            return tuple(_Step(name, size * 1000, begin) for name, size, begin in times)
        case "%":
            return (_Step("%", 1),)
        case "ratio":
            return (_Step("%", 0.01),)
        case "B" | "B/s":
            return tuple(
                _Step(f"{prefix}{unit}", 1024.0**n)
                for n, prefix in enumerate(("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"))
            )
    if len(unit) > _LONGEST_UNIT:
        unit = unit[: _LONGEST_UNIT - 1] + "…"
    joint = " " if unit and not unit.startswith("/") else ""
    return (
        _Step(unit, 1),
        *(_Step(f"{prefix}{joint}{unit}", 1000.0**n) for n, prefix in enumerate("kMGTPE", 1)),
    )


def _own(steps: tuple[_Step, ...]) -> _Step:
    """The metric's own unit."""
    return next((step for step in steps if step.size == 1), steps[0])


def _fitting(steps: tuple[_Step, ...], value: float) -> _Step:
    """The largest unit of which the value is at least as much as that unit begins with."""
    return max(
        (step for step in steps if value >= step.begin * step.size),
        key=lambda step: step.size,
        default=steps[0],
    )


def _decimals(usual: float) -> int:
    """How many digits behind the point numbers of this size need."""
    if usual >= 10 or not usual:
        return 0
    return max(1, -floor(log10(usual) - log10(2)))  # 0.3, but 0.14: of a tenth the next digit is half of it


def _written(number: float, decimals: int) -> str:
    if number and (abs(number) >= 1e6 or decimals > _FINEST):
        digits, _, power = f"{number:.1e}".partition("e")
        return f"{digits}e{int(power)}"
    text = f"{number:,.{decimals}f}" if number else "0"
    return text.removeprefix("-") if not float(text.replace(",", "")) else text


def _with_unit(number: str, unit: str) -> str:
    return f"{number}{unit}" if unit.startswith("/") or not unit else f"{number} {unit}"
