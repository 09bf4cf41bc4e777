"""Series with an incident in them, and what a judge would say of them, to be drawn."""

from dataclasses import replace

import numpy as np

from tocsin_verification.judge.verdict import Band, Floats, Judgement, Verdict

NOW = 1795363200.0  # 22 November 2026, 16:00 UTC
ONSET = NOW - 3600
BACK = NOW - 720
LOW, HIGH, WORST = 0.002, 0.004, 0.02


def flat(verdict: Verdict = Verdict.RECOVERING) -> tuple[Judgement, Floats, Floats]:
    """As usual at 0.003, for 48 minutes at 0.02, and for 12 minutes as usual again: a sample a minute, for a day."""
    at = np.arange(NOW - 86400, NOW + 1, 60)
    values = np.where((at >= ONSET) & (at < BACK), WORST, 0.003)
    all_day = np.arange(NOW - 86400, NOW + 1, 300)
    band = Band(
        all_day,
        np.full(len(all_day), 0.003),
        np.full(len(all_day), LOW),
        np.full(len(all_day), HIGH),
    )
    judgement = Judgement(
        verdict,
        NOW,
        value=0.003,
        expected=0.003,
        low=LOW,
        high=HIGH,
        worst=WORST,
        onset=ONSET,
        back_since=BACK,
        held=720,
        hold=1500,
        band=band,
    )
    return judgement, at, values


def noisy(samples: int) -> tuple[Judgement, Floats, Floats]:
    """The same incident in so many samples, which jump about."""
    judgement, _, _ = flat()
    random = np.random.default_rng(7)
    at = np.linspace(NOW - 10800, NOW, samples)
    usual = 0.003 * (1 + 0.3 * random.standard_normal(samples))
    values = np.where((at >= ONSET) & (at < BACK), WORST * (1 + 0.2 * random.standard_normal(samples)), usual)
    return judgement, at, values


def silent(judgement: Judgement, missing: str) -> Judgement:
    return replace(judgement, verdict=Verdict.CANT_TELL, missing=missing, value=None, back_since=None)
