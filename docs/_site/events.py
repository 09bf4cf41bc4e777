"""What happens, by the kinds of events in the journal."""

import inspect
from collections.abc import Iterator
from dataclasses import fields
from itertools import groupby

from docs._site.declared import everything

from tocsin.daemon import known_events
from tocsin.domain.event import Event

COMMON = {field.name for field in fields(Event)}


def page() -> str:
    """All of them, with a heading for each owner. Raises LookupError for one without a docstring."""
    kinds = sorted(known_events(everything()).items())
    return "\n".join(
        line
        for owner, group in groupby(kinds, key=lambda pair: pair[0].partition(".")[0])
        for line in _table(owner, group)
    )


def _table(owner: str, kinds: Iterator[tuple[str, type[Event]]]) -> Iterator[str]:
    yield from (f"## {owner}", "", "| kind | what it says | its own fields |", "|---|---|---|")
    for kind, event in kinds:
        said = (
            inspect.cleandoc(event.__doc__ or "").partition("\n\n")[0].replace("\n", " ").replace("|", "\\|")
        )
        own = ", ".join(f"`{field.name}`" for field in fields(event) if field.name not in COMMON)
        yield f"| `{kind}` | {said} | {own} |"
    yield ""
