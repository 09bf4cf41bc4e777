"""The judge: looks at a series again and again while an incident lasts, and says how it stands.

What it says follows from the samples alone. It goes over them in even steps from the alert on, so that it says the same
whether it was asked each minute or only once, after a restart.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from tocsin_verification.judge.bins import tidy
from tocsin_verification.judge.explaining import explained
from tocsin_verification.judge.ground import Ground
from tocsin_verification.judge.looking import State, look
from tocsin_verification.judge.verdict import Floats, Judgement, Question, Verdict

LOOKS_EVERY = 120.0
"""Seconds between two looks, or a step where that is longer."""


@dataclass
class Judge:
    """Judges one series in one incident. Keeps what it has worked out; no answer depends on how often it was asked."""

    question: Question
    _ground: Ground | None = field(default=None, init=False)
    _state: State | None = field(default=None, init=False)

    def look(self, at: Floats, values: Floats, now: float, accepted_since: float | None = None) -> Judgement:
        """How the series stands. at, values: all samples up to now. now: seconds since 1970.

        accepted_since: from when on the present level is the intended one, by the word of a person or of a deploy.
        """
        at, values = _in_order(at, values)
        ground, state = self._go_on(at, values, now, accepted_since)
        return explained(ground, state, *tidy(at, values, self.question), now)

    def verdict(self, at: Floats, values: Floats, now: float, accepted_since: float | None = None) -> Verdict:
        """The same without its reasons."""
        return self._go_on(*_in_order(at, values), now, accepted_since)[1].verdict

    def _go_on(
        self, at: Floats, values: Floats, now: float, accepted_since: float | None
    ) -> tuple[Ground, State]:
        question = self.question
        every = max(question.step, LOOKS_EVERY)
        ground = self._learn(at, values)
        if not ground.enough:
            return ground, State(now, verdict=Verdict.CANT_TELL, missing="history")
        state = self._state or State(question.alert_at - every, sizes=ground.sizes_at_alert)
        first = max(int(np.searchsorted(at, ground.onset_at - 1.0)) - 1, 0)
        times, read = tidy(at[first:], values[first:], question)
        while state.at + every <= now + 1e-6:
            moment = state.at + every
            upto = int(np.searchsorted(times, moment, side="right"))
            accepted = accepted_since if accepted_since is not None and accepted_since <= moment else None
            state = look(replace(state, at=moment), ground, times[:upto], read[:upto], accepted)
        self._state = state
        return ground, state

    def _learn(self, at: Floats, values: Floats) -> Ground:
        """Once, unless there is more history than there was."""
        before = int(np.searchsorted(at, self.question.alert_at, side="right"))
        if self._ground is None or before > self._ground.samples * 1.05 + 2:
            self._ground, self._state = Ground.learnt(self.question, at[:before], values[:before]), None
        return self._ground


def _in_order(at: Floats, values: Floats) -> tuple[Floats, Floats]:
    """The samples by time, each time once."""
    if (at[1:] > at[:-1]).all():
        return at, values
    at, first = np.unique(at, return_index=True)
    return at, values[first]
