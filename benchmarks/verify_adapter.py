"""The judge of `!verify` as a program that a benchmark asks: lines of JSON in, a verdict a line out.

    {"open": {"t0": …, "step": …, "direction": …, "kind": …, "threshold": …, "threshold_op": …, "tolerance": …}}
    {"at": 1525454820, "points": [[time, value], …], "accepted_since": null}      points that were not sent before
    -> {"verdict": "all_clear"}                                                    for each "at"

Run as `python benchmarks/verify_adapter.py`. Times are seconds since 1970; a value of null was not measured.
"""

import json
import sys
from typing import Any

import numpy as np

from tocsin_verification.judge.judging import Judge
from tocsin_verification.judge.verdict import Direction, Floats, Kind, Question


class _Asked:
    """One incident: its judge, and the samples so far."""

    def __init__(self, opened: dict[str, Any]) -> None:
        self._judge = Judge(
            Question(
                alert_at=opened["t0"],
                step=opened["step"],
                direction=Direction(opened["direction"]),
                kind=Kind(opened["kind"]),
                tolerance=opened.get("tolerance", 0.10),
            )
        )
        self._rows: Floats = np.empty((0, 2))
        self._many = 0

    def verdict(self, asked: dict[str, Any]) -> str:
        new = np.array(asked["points"], dtype=np.float64).reshape(-1, 2)
        if self._many + len(new) > len(self._rows):
            room = np.empty((2 * (self._many + len(new)), 2))
            room[: self._many] = self._rows[: self._many]
            self._rows = room
        self._rows[self._many : self._many + len(new)] = new
        self._many += len(new)
        known = self._rows[: self._many]
        return self._judge.verdict(
            np.ascontiguousarray(known[:, 0]),
            np.ascontiguousarray(known[:, 1]),
            asked["at"],
            asked.get("accepted_since"),
        ).value


def main() -> None:
    incident: _Asked | None = None
    for line in sys.stdin:
        said = json.loads(line)
        if "open" in said:
            incident = _Asked(said["open"])
        elif incident is not None:
            sys.stdout.write(json.dumps({"verdict": incident.verdict(said)}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
