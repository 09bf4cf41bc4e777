"""What the file says about incidents."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal

from tocsin.api import Duration, LabelMatchers, Name, NonEmpty, safe_link

Severity = Literal["sev1", "sev2", "sev3", "sev4"]


@dataclass(frozen=True)
class Criterion:
    """A question that is answered by yes or no; the first yes says how severe an incident is."""

    ask: Annotated[str, NonEmpty]
    severity: Severity


CRITERIA = (
    Criterion("is it down for all or most users, or is data being lost or exposed?", "sev1"),
    Criterion("is something that users need unusable for many of them?", "sev2"),
    Criterion("do users notice it at all?", "sev3"),
)
"""Without any of the operator's own; who answers no to all has the least severe."""


@dataclass(frozen=True)
class Rule:
    """Alerts with these labels are an incident from the moment at which they fire."""

    match: LabelMatchers
    severity: Severity
    team: Name = ""


@dataclass(frozen=True)
class Budgets:
    """How long it may take until users are hurt no more, by severity."""

    sev1: Duration = timedelta(minutes=30)
    sev2: Duration = timedelta(hours=2)
    sev3: Duration = timedelta(hours=8)
    sev4: Duration = timedelta(days=3)

    def of(self, severity: str) -> timedelta:
        found: timedelta = getattr(self, severity)
        return found


def checked_link(setting: str, link: str) -> None:
    """Raises ValueError. link: may hold {number}."""
    if link and not safe_link(link.replace("{number}", "42")):
        raise ValueError(f"{setting} must be a link such as 'https://meet.example.org/incident-{{number}}'")
