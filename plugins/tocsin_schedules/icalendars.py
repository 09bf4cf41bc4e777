"""Calendars as iCalendar (RFC 5545).

Times are instants in UTC, which every program shows on its own clock: a time with a zone beside it would need that zone's
rules in the file, and of an hour that comes twice it can name the first one alone.
"""

import hashlib
from datetime import timedelta

from tocsin_schedules.calendars import Calendar

TYPE = "text/calendar"
_REFRESH = timedelta(hours=1)


def write(calendar: Calendar) -> bytes:
    """The same bytes as long as nothing in it changes."""
    from icalendar import Calendar as Written  # noqa: PLC0415 (it takes long to import)
    from icalendar import Event  # noqa: PLC0415

    written = Written()
    written.add("prodid", "-//Tocsin//on call//EN")
    written.add("version", "2.0")
    written.add("method", "PUBLISH")
    written.add("x-wr-calname", calendar.name)
    written.add("refresh-interval", _REFRESH, {"VALUE": "DURATION"})
    written.add("x-published-ttl", _REFRESH, {"VALUE": "DURATION"})
    for entry in calendar.entries():
        event = Event()
        key = "\0".join(entry.key).encode()
        event.add("uid", f"{hashlib.sha256(key).hexdigest()[:32]}@tocsin")
        event.add("dtstamp", calendar.made.at.replace(microsecond=0))
        event.add("dtstart", entry.start)
        event.add("dtend", entry.end)
        event.add("summary", entry.summary)
        event.add("transp", "TRANSPARENT")  # whoever is on call is not busy
        written.add_component(event)
    return bytes(written.to_ical())
