"""The picture that goes with what the checks say."""

import logging
from collections.abc import Mapping
from zoneinfo import ZoneInfo

from tocsin.api import Picture
from tocsin_verification.apart import apart
from tocsin_verification.judge.verdict import Verdict
from tocsin_verification.judging import Asked, Found
from tocsin_verification.plot import NoPictures, plot
from tocsin_verification.telling import line_of
from tocsin_verification.verified import Checked

log = logging.getLogger(__name__)

_UTC = ZoneInfo("UTC")


async def drawn(asked: Asked, found: Mapping[str, Found]) -> Picture | None:
    """The check that matters most, as a picture; None if there is nothing to draw, or it can't be drawn."""
    fit = [check for check in asked.checks if len(found[check.name].at) and found[check.name].judgement.band]
    if not fit:
        return None
    check = max(fit, key=lambda one: _matters(one, found[one.name]))
    try:
        return await apart(_draw, asked, check, found[check.name])
    except NoPictures as error:
        log.info("%s: %s", asked.subject, error)
    except Exception:
        log.exception("%s: check %s can't be drawn", asked.subject, check.name)
    return None


def _matters(check: Checked, found: Found) -> tuple[bool, bool, bool]:
    return check.added.must, found.judgement.verdict is not Verdict.ALL_CLEAR, check.seen


def _draw(asked: Asked, check: Checked, found: Found) -> Picture:
    mitigated_at = asked.mitigated_at
    png = plot(
        found.judgement,
        found.at,
        found.values,
        title=check.name,
        unit=check.added.unit,
        direction=check.added.direction,
        zone=_UTC,
        alert_at=asked.alert_at.timestamp(),
        mitigated_at=mitigated_at.timestamp() if mitigated_at is not None else None,
    )
    return Picture.of(f"{asked.subject}-{check.name}.png", png, line_of(check, found.judgement).fact)
