"""Routes and policies: which alerts take which tree, and the steps of each."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from tocsin.api import Count, Duration, LabelMatchers, Name, Names, NonEmpty


@dataclass(frozen=True)
class Route:
    """Alerts with these labels take that policy; the first route that matches wins."""

    match: LabelMatchers
    policy: Name


@dataclass(frozen=True)
class Step:
    """Who is called.

    page: people, schedules and teams; each person is paged by themself.
    room: teams and networks, in whose room it is said to all.
    after: how long after the step before, unless someone answered; the first step comes at once.
    """

    page: Names = ()
    room: Names = ()
    after: Duration | None = None

    def __post_init__(self) -> None:
        if not self.page and not self.room:
            raise ValueError("calls nobody: give it page = NAME or room = NAME")


@dataclass(frozen=True)
class Policy:
    """The steps in their order.

    repeat: how often all of them come again after the first time, while nobody answers.
    repeat_after: how long after the last step they begin anew, and after the last time the fallback rings.
    """

    steps: Annotated[tuple[Step, ...], NonEmpty]
    repeat: Count = 3
    repeat_after: Duration = timedelta(minutes=5)

    def __post_init__(self) -> None:
        if self.repeat and not self.repeat_after:
            raise ValueError("would repeat without a pause: give it a longer repeat_after, or repeat = 0")
