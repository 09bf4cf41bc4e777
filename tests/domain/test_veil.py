"""Roles stand in place of names, whatever was typed, and no text is destroyed by a name that is a word."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from importlib.metadata import entry_points
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain import bridge, digest, duty, group, incident_events, page, room
from tocsin.domain.alert import Alert
from tocsin.domain.event import Event
from tocsin.domain.incident_events import (
    IncidentAcknowledged,
    IncidentDeclared,
    ResponderJoined,
    Role,
    RoleAssigned,
    SeverityChanged,
    StatusUpdated,
)
from tocsin.domain.timeline import Moment
from tocsin.domain.veil import ORDINARY, Veil

BEGIN = datetime(2026, 11, 21, 3, tzinfo=UTC)
KNOWN = {
    "alice": ("@alice:example.org", "al1ce"),
    "bob": ("@robert:example.org",),
    "carol": (),
    "dave": ("@d.ave:example.org",),
    "will": ("@will:example.org",),
    "db": (),
    "sev1": (),
    "mary-jane": (),
    "jos\u00e9": (),
}


def at(minutes: float) -> datetime:
    return BEGIN + timedelta(minutes=minutes)


def moments(*events: Event) -> list[Moment]:
    return [
        Moment(one.at, one.at, one.by, one.kind, one.headline(), one.subject, seq, one)
        for seq, one in enumerate(events)
    ]


def assigned(minutes: float, role: Role, person: str, *, before: str = "", by: str = "alice") -> RoleAssigned:
    return RoleAssigned(subject="1", at=at(minutes), by=by, role=role, person=person, before=before)


EVENTS = (
    IncidentDeclared(subject="1", at=at(0), by="alice", title="it is slow", severity="sev2"),
    assigned(1, Role.COMMANDER, "alice"),
    assigned(2, Role.DEPUTY, "bob"),
    assigned(5, Role.COMMANDER, "bob", before="alice"),
    assigned(6, Role.RESPONDER, "carol"),
    assigned(7, Role.COMMANDER, "", before="bob"),
)
VEIL = Veil(KNOWN, moments(*EVENTS), ordinary=["critical"])


@pytest.mark.parametrize(
    ("person", "minutes", "means"),
    [
        ("alice", 0, "responder 1"),
        ("alice", 1, "the commander"),
        ("alice", 5, "responder 1"),
        ("bob", 2, "the deputy"),
        ("bob", 5, "the commander"),
        ("bob", 7, "the deputy"),
        ("carol", 6, "responder 2"),
        ("dave", 6, "somebody"),
        ("a stranger", 6, "somebody"),
        ("", 6, ""),
    ],
)
def test_everybody_is_what_they_were_then(person: str, minutes: float, means: str) -> None:
    assert VEIL.who(person, at(minutes)) == means


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("alice restarted it", "the commander restarted it"),
        (
            "ask ALICE, Alice's or aLiCe\u2019s phone",
            "ask the commander, the commander's or the commander\u2019s phone",
        ),
        ("@alice: please look", "the commander: please look"),
        ("@alice:example.org left", "the commander left"),
        ("https://matrix.to/#/@alice:example.org", "https://matrix.to/#/the commander"),
        ("https://matrix.to/#/%40alice%3Aexample.org", "https://matrix.to/#/the commander%3Aexample.org"),
        ("mail alice@example.org", "mail the commander@example.org"),
        ("al1ce and robert", "the commander and the deputy"),
        ("alice_ came back", "the commander_ came back"),
        ("mary-jane saw d.ave", "somebody saw somebody"),
        ("Jose\u0301 and JOS\u00c9", "somebody and somebody"),
        ("the malice of alices", "the malice of alices"),
        ("will it end? it will", "will it end? it will"),
        ("then Will looked, and will's phone rang", "then somebody looked, and somebody's phone rang"),
        ("@will and @will:example.org", "somebody and somebody"),
        ("the db is down, sev1", "the db is down, sev1"),
        ("al\u200bice", "al ice"),
    ],
)
def test_names_in_what_was_typed(typed: str, read: str) -> None:
    assert VEIL.text(typed, at(3)) == read


def test_one_who_does_nothing_in_particular_has_no_number() -> None:
    veil = Veil(KNOWN, moments(*EVENTS[:2]))
    assert veil.who("alice", at(0)) == "a responder"


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (EVENTS[0], "sev2 declared by responder 1: it is slow"),
        (EVENTS[1], "somebody became commander"),
        (EVENTS[3], "the role of commander was handed on"),
        (EVENTS[4], "responder 2 joined"),
        (EVENTS[5], "nobody is commander any more"),
        (IncidentAcknowledged(subject="1", at=at(1), by="alice"), "the commander has it"),
        (ResponderJoined(subject="1", at=at(1), by="alice", person="alice"), "somebody joined"),
        (ResponderJoined(subject="1", at=at(6), by="alice", person="carol"), "responder 2 joined"),
        (IncidentAcknowledged(subject="1", at=at(1)), "somebody has it"),
        (
            SeverityChanged(
                subject="1", at=at(3), by="bob", severity="sev2", before="sev1", because="Alice says so"
            ),
            "severity sev1 \u2192 sev2 (the commander says so) (the deputy)",
        ),
        (
            StatusUpdated(subject="1", at=at(3), by="will", text="will will tell"),
            "status: will will tell (somebody)",
        ),
    ],
)
def test_what_happened_is_told_without_names(event: Event, told: str) -> None:
    assert VEIL.told(moments(event)[0]) == told


def test_with_names_all_stays() -> None:
    veil = Veil(KNOWN, moments(*EVENTS), off=True)
    assert veil.who("alice", at(3)) == "alice"
    assert veil.text("alice did it", at(3)) == "alice did it"
    assert veil.told(moments(*EVENTS)[3]) == "commander: bob, before: alice"


def test_what_nobody_knows_any_more_is_read_by_its_headline() -> None:
    gone = Moment(at(3), at(3), "alice", "gone.happened", "carol did it", "1", 1, None)
    assert VEIL.told(gone) == "responder 2 did it (the commander)"


PERSON = "qzfrida"
PLUGINS = [
    point.load() for point in entry_points(group="tocsin") if point.dist and point.dist.name == "tocsin"
]
KINDS = [
    *(
        kind
        for module in (bridge, digest, duty, group, incident_events, page, room)
        for kind in module.EVENTS
    ),
    *(
        kind
        for plugin in PLUGINS
        if hasattr(plugin, "register_events")
        for kind in plugin.register_events(None)
    ),
]
"""Every kind of event that there is."""


PLAIN = {
    str: PERSON,
    datetime: at(1),
    timedelta: timedelta(minutes=5),
    int: 1,
    float: 1.5,
    bool: True,
    Alert: Alert(PERSON, {"alertname": PERSON, "instance": PERSON}, PERSON),
}


def filled(name: str, shape: Any) -> Any:
    """A value of that type, in which everything that could be a person is one."""
    if name in ("place", "rooms", "room"):
        return f"console/person/{PERSON}" if shape is str else (f"console/person/{PERSON}",)
    if shape in PLAIN:
        return PLAIN[shape]
    of = get_origin(shape)
    if of in (UnionType, Union):
        return filled(name, get_args(shape)[0])
    if of in (tuple, Mapping):
        one = filled("", get_args(shape)[of is Mapping])
        return (one,) if of is tuple else {"instance": one}
    if issubclass(shape, Enum):
        return next(iter(shape))
    hints = get_type_hints(shape)
    init = [one.name for one in fields(shape) if one.init] if is_dataclass(shape) else shape._fields
    return shape(**{each: filled(each, hints[each]) for each in init})


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.kind) for kind in KINDS])
def test_no_kind_of_event_names_anybody(kind: type[Event]) -> None:
    event = filled("", kind)
    assert PERSON in repr(event)
    veil = Veil({PERSON: ()}, ())
    [moment] = moments(event)
    assert PERSON not in veil.told(moment)
    assert PERSON not in repr(veil.event(replace(event, subject="1")))


names = st.text(st.characters(categories=["L", "N"]), min_size=2, max_size=12).map(str.casefold)


@given(names, st.text(max_size=20), st.text(max_size=20))
def test_no_name_that_stands_as_a_word_is_left(name: str, before: str, after: str) -> None:
    veil = Veil({name: (f"@{name}:example.org",)}, ())
    if name in ORDINARY or name.isdigit():
        return
    read = veil.text(f"{before} {name}, {name}'s @{name} (@{name}:example.org) {after}", BEGIN)
    assert read.count("somebody") >= 4 or len(read) >= 20_000
    for mark in (f" {name},", f"{name}'s", f"@{name}", f"{name}:example.org"):
        assert mark not in read.replace("somebody", "")


@given(st.text(max_size=80))
def test_where_nobody_is_named_a_text_stays(text: str) -> None:
    veil = Veil({"qqxqq": ()}, ())
    assert veil.text(veil.text(text, BEGIN), BEGIN) == veil.text(text, BEGIN)
