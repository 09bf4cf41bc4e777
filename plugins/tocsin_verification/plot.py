"""A picture of a metric beside what is normal for it, as a PNG to be read on a phone by night and by day."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from threading import Lock
from zoneinfo import ZoneInfo

from tocsin.api import TocsinError
from tocsin_verification.judge.verdict import Direction, Floats, Judgement, Verdict
from tocsin_verification.words import lines

_one_at_a_time = Lock()  # bounds memory, and what reads the font is made for one thread


class NoPictures(TocsinError):
    """What draws isn't installed."""


def plot(
    judgement: Judgement,
    at: Sequence[float] | Floats,
    values: Sequence[float] | Floats,
    *,
    title: str,
    unit: str = "",
    direction: Direction = Direction.BOTH,
    zone: ZoneInfo,
    alert_at: float | None = None,
    mitigated_at: float | None = None,
) -> bytes:
    """The series from two hours before the trouble until the judgement, with what is normal, as a PNG.

    at, values: all samples, in the judgement's own unit (of a counter: its growth in a second). title: what they are, by
    whomever. unit, direction: as for `words.lines`. zone: of those who look. The same arguments give the same bytes. It
    takes some tenths of a second of a processor, in any thread but one that must not wait. Raises NoPictures.
    """
    told = lines(title, judgement, unit=unit, direction=direction, zone=zone)
    if not told.known:  # whatever was known before, nothing in it says that it is back
        judgement = replace(judgement, verdict=Verdict.CANT_TELL)
    if judgement.verdict not in (Verdict.RECOVERING, Verdict.ALL_CLEAR):
        judgement = replace(judgement, back_since=None)
    marks = {"alert": alert_at, "mitigated": mitigated_at, "back": judgement.back_since}
    with _one_at_a_time:
        # It warns where it has no folder for its list of fonts; ours are named by file.
        logging.getLogger("matplotlib").setLevel(logging.ERROR)
        try:
            from tocsin_verification.chart import Chart  # noqa: PLC0415 (may be absent, and takes long to import)
        except ModuleNotFoundError as missing:
            if (missing.name or "").split(".")[0] not in {"matplotlib", "PIL"}:
                raise
            raise NoPictures("pictures need matplotlib: pip install 'tocsin[plots]'") from None
        return Chart(judgement, at, values, unit=unit, zone=zone, marks=marks).drawn(title, told.state)
