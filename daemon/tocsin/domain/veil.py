"""Roles in place of names: who reads what went wrong need not read who. Pure."""

import dataclasses
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any, TypeVar

from tocsin.domain.document import LONGEST
from tocsin.domain.event import Event
from tocsin.domain.incident_events import SEVERITIES, Clock, ResponderJoined, Role, RoleAssigned
from tocsin.domain.message import clean
from tocsin.domain.timeline import Moment

E = TypeVar("E", bound=Event)

LABELS = {
    Role.COMMANDER: "the commander",
    Role.DEPUTY: "the deputy",
    Role.SCRIBE: "the scribe",
    Role.COMMS: "the comms lead",
}
NOBODY_HERE = "somebody"
"""Whoever is named, and has no part in the incident."""
REPORTER = "a reporter"
"""Who told of it from outside, as the field `reporter` of events says."""

_FIELDS = frozenset(
    {"by", "person", "people", "asleep", "missing", "night", "before", "name", "who", "author", "reporter"}
)
"""The fields of events that hold people."""

_WORDS = """
    a about acked acknowledged after again alert alerts all also an and any api april are art as at
    august away back be been began bill but by call called can cause chat clear clock closed comms
    critical db dead declared dev did do done down drill drop each end error faith fine fire first for
    found frank from gene given good grace had has have he her his hope i if impact improvement in
    incident info into is issue it its jack july june just last late later led less mail mark max may me
    mitigated more mr my need never next no nobody none not note now of off ok old on once one only op
    open ops or order our out over own owner page paged part pat pay place policy prod queue ray read
    reopened reported resolved responder rob role room root rose rule said same scope section see sent
    server severity she site skip so some somebody status step still sue system table team test than
    that the their them then there they this time timeline title to told too two under until up update
    updates us use user utc version very via warning was way we web were what when where which who why
    will with work yes yet you
"""

ORDINARY = frozenset(_WORDS.split()) | {*SEVERITIES, *Role, *Clock}
"""Names that are words of any text: they are taken for names only where nothing else can be meant."""

_LETTER = r"[^\W_]"


class Veil:
    """Says of everybody what they do, of those who do nothing in particular which of them they are.

    A person has at each time the role that they had then. Names stand in what people typed too: there every name and
    account of somebody known is replaced, whatever its capitals, where it stands as a word. A name that is a word of any
    text (`ORDINARY`), or of one letter or of digits alone, is taken for a name only behind `@`, before `'s`, or with a capital
    inside a sentence. What else people call one another nobody can know: nicknames stay.
    """

    def __init__(
        self,
        known: Mapping[str, Collection[str]],
        moments: Sequence[Moment],
        *,
        off: bool = False,
        ordinary: Iterable[str] = (),
    ) -> None:
        """known: everybody by name, with what they are called elsewhere. moments: all that happened. off: names stay.
        ordinary: further words that stay, such as the severities of alerts.
        """
        self.off = off
        self._ordinary = ORDINARY | {one.casefold() for one in ordinary}
        self._roles: dict[Role, list[tuple[datetime, str]]] = {role: [] for role in LABELS}
        self._people = dict.fromkeys(known, NOBODY_HERE) | dict.fromkeys(_reporters_in(moments), REPORTER)
        self._people |= dict.fromkeys(_named_in(moments), "a responder")
        for one in moments:
            if isinstance(one.event, RoleAssigned) and one.event.role in self._roles:
                self._roles[one.event.role].append((one.at, one.event.person))
        self._number(moments)
        called = {
            alias: person for person in self._people for alias in _aliases(person, known.get(person, ()))
        }
        self._aliases = {alias.casefold(): person for alias, person in called.items()}
        self._pattern = _pattern(called)

    def _number(self, moments: Iterable[Moment]) -> None:
        """Those who do nothing in particular, in the order in which they come."""
        plain = dict[str, None]()
        for moment in moments:
            for person in _people_of(moment):
                if self._role(person, moment.at) is None:
                    plain[person] = None
        alone = len(plain) == 1
        for number, person in enumerate(plain, 1):
            self._people[person] = "a responder" if alone else f"responder {number}"

    def _role(self, person: str, at: datetime) -> Role | None:
        for role, held in self._roles.items():
            place = bisect_right(held, at, key=lambda one: one[0])
            if place and held[place - 1][1] == person:
                return role
        return None

    def who(self, person: str, at: datetime) -> str:
        """Somebody, at a time; nothing for nobody."""
        if self.off or not person:
            return person
        role = self._role(person, at)
        return LABELS[role] if role is not None else self._people.get(person, NOBODY_HERE)

    def text(self, text: str, at: datetime) -> str:
        """What somebody typed at a time, or a sender sent, in one line."""
        text = clean(text, LONGEST)
        if self.off or self._pattern is None:
            return text

        def replaced(found: re.Match[str]) -> str:
            name = found[found.lastgroup or 0]
            if self._stays(name, found):
                return found[0]
            person = self._aliases.get(name.casefold())
            return self.who(person, at) if person is not None else NOBODY_HERE

        return self._pattern.sub(replaced, unicodedata.normalize("NFC", text))

    def _stays(self, name: str, found: re.Match[str]) -> bool:
        """Whether it is more likely a word than a name."""
        if found.lastgroup != "plain" or not self._is_ordinary(name):
            return False
        if found.string[found.end() : found.end() + 2].lower() in ("'s", "\u2019s"):
            return False
        before = found.string[: found.start()].rstrip()
        inside = bool(before) and before[-1] not in ".!?:"
        return not (inside and len(name) > 1 and name[0].isupper() and name[1:].islower())

    def _is_ordinary(self, name: str) -> bool:
        words = name.casefold().split()
        return len(name) == 1 or name.isdigit() or all(word in self._ordinary for word in words)

    def told(self, moment: Moment) -> str:
        """What happened, in one line, and who did it, where the text does not say so."""
        if self.off:
            return clean(moment.told, LONGEST)
        text, by = self._worded(moment), self.who(moment.by, moment.at)
        if isinstance(
            moment.event, RoleAssigned | ResponderJoined
        ):  # by whom would say what the role already says
            return text
        return f"{text} ({by})" if by and by not in text else text

    def _worded(self, moment: Moment) -> str:
        if isinstance(moment.event, RoleAssigned):
            return _assigned(moment.event, self.who(moment.event.person, moment.at))
        if (
            isinstance(moment.event, ResponderJoined)
            and self._role(moment.event.person, moment.at) is not None
        ):
            return "somebody joined"  # who was given their role in the same moment
        try:
            if moment.event is not None:
                return clean(self.event(moment.event).headline(), LONGEST)
        except (TypeError, ValueError):  # a plugin's own, which takes other values only
            pass
        return self.text(moment.text, moment.at)

    def event(self, event: E) -> E:
        """The event, with roles in place of names in all that it holds. Raises what the event itself refuses."""
        return event if self.off else self._veiled(event, "", event.at, but_not="subject")

    def _veiled(self, value: Any, field: str, at: datetime, *, but_not: str = "") -> Any:
        if isinstance(value, str) and not isinstance(value, Enum):
            return self._value(value, field, at)
        if isinstance(value, list | tuple | set | frozenset):
            some = [self._veiled(one, field, at) for one in value]
            return type(value)(*some) if hasattr(value, "_fields") else type(value)(some)
        if isinstance(value, Mapping):
            return {key: self._veiled(one, field, at) for key, one in value.items()}
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = (one.name for one in dataclasses.fields(value) if one.init and one.name != but_not)
            return dataclasses.replace(
                value, **{name: self._veiled(getattr(value, name), name, at) for name in fields}
            )
        return value

    def _value(self, value: str, field: str, at: datetime) -> str:
        if value not in self._people or (field == "before" and value in SEVERITIES):
            return self.text(value, at)
        return self.who(value, at) if field in _FIELDS or not self._is_ordinary(value) else value


def _assigned(event: RoleAssigned, who: str) -> str:
    """Who has a role now is what the role says."""
    if event.role is Role.RESPONDER:
        return f"{who} joined"
    title = LABELS[event.role].removeprefix("the ")
    if not event.person:
        return f"nobody is {title} any more"
    return f"the role of {title} was handed on" if event.before else f"somebody became {title}"


def _people_of(moment: Moment) -> Iterator[str]:
    """Everybody whom an event names as somebody who has a part in it."""
    if moment.by:
        yield moment.by
    for field in ("person", "people", "author", "before"):
        found = getattr(moment.event, field, ())
        if field != "before" or isinstance(moment.event, RoleAssigned):
            yield from (one for one in ((found,) if isinstance(found, str) else found) if one)


def _named_in(moments: Iterable[Moment]) -> Iterator[str]:
    for moment in moments:
        yield from _people_of(moment)


def _reporters_in(moments: Iterable[Moment]) -> Iterator[str]:
    for moment in moments:
        if isinstance(found := getattr(moment.event, "reporter", None), str) and found:
            yield found


def _aliases(person: str, accounts: Iterable[str]) -> Iterator[str]:
    """All that somebody is called: their name, their accounts, and what stands in an account before its server."""
    for name in (unicodedata.normalize("NFC", clean(one)) for one in (person, *accounts)):
        yield name
        if name.startswith("@") and ":" in name:
            yield name[1:].partition(":")[0]


def _pattern(aliases: Iterable[str]) -> re.Pattern[str] | None:
    """Where one of them stands as a word, the longest first; as a mention, and as part of an address."""
    # In other capitals one letter may be two.
    forms = {form for one in aliases for form in (one, one.casefold(), one.upper()) if form}
    names = "|".join(re.escape(one) for one in sorted(forms, key=len, reverse=True))
    if not names:
        return None
    begins, ends = rf"(?<!{_LETTER})", rf"(?!{_LETTER})"
    text = rf"{begins}(?P<plain>{names}){ends}|(?:{begins}@|%40)(?P<mention>{names}){ends}"
    return re.compile(text, re.IGNORECASE)
