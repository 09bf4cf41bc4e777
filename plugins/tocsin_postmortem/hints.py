"""What went well and what went badly, as far as Tocsin can know: lengths of time and counts, and no judgement beyond that."""

from collections.abc import Iterator
from datetime import timedelta

from tocsin.api import Clock, Reading, StatusUpdated, counted, spelled
from tocsin_postmortem.times import SOON, answered_after, declared, promises, unled


def went_well(reading: Reading) -> Iterator[str]:
    answered = answered_after(reading)
    if answered is not None and answered <= SOON:
        yield f"its first alert was acknowledged {spelled(answered)} after it fired"
    acked = reading.incident.clocks.get(Clock.ACKED)
    if acked is not None and acked - declared(reading.incident) <= SOON:
        yield f"acknowledged {_after(acked - declared(reading.incident))}"
    if unled(reading) <= SOON:
        yield (
            f"somebody led from {spelled(unled(reading))} after its declaration on"
            if unled(reading)
            else ("somebody led all the time")
        )
    found = promises(reading)
    if found.kept and not found.late:
        yield f"{counted(found.kept, 'promised update')} came in time"


def went_badly(reading: Reading) -> Iterator[str]:
    incident = reading.incident
    acked = incident.clocks.get(Clock.ACKED)
    answered = answered_after(reading)
    if answered is not None and answered > SOON:
        yield f"its first alert was acknowledged only {spelled(answered)} after it fired"
    if acked is None:
        yield "nobody acknowledged it"
    elif acked - declared(incident) > SOON:
        yield f"acknowledged only {spelled(acked - declared(incident))} after it was declared"
    if unled(reading) > SOON:
        yield f"nobody led for {spelled(unled(reading))}"
    found = promises(reading)
    if found.late:
        yield f"{found.late} of {found.kept + found.late} promised updates came late, or not at all"
    if not any(isinstance(one.event, StatusUpdated) for one in reading.moments):
        yield "there was no status update"
    unanswered = sum(one.kind == "escalation.exhausted" for one in reading.moments)
    if unanswered:
        yield f"{counted(unanswered, 'time')} nobody answered a page, after all steps"
    if incident.reopened:
        yield f"it was reopened {counted(incident.reopened, 'time')}"
    if Clock.RESOLVED in incident.clocks and not incident.cause:
        yield "its cause is unexplained"


def _after(length: timedelta) -> str:
    return f"{spelled(length)} after it was declared" if length else "as it was declared"
