"""IRC: who is there, and where we are to be."""

import re
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.config.values import SecretSource
from tocsin.networks.irc.lines import fold
from tocsin.networks.irc.rooms import LONGEST_PAUSE, NO_ENTRY, Room, Rooms
from tocsin.networks.irc.settings import Detail
from tocsin.networks.irc.users import WHO_FORM, WHO_IS_WHO, Users

from tests.networks.irc_parts import heard

# ── Who is there ────────────────────────────────────────────────────────────────────────────────────────────


NICKS = ["alice", "Alice", "bob", "al[1]", "al{1}", "carol", "\N{KELVIN SIGN}", "k"]
ACCOUNTS = ["alice", "Alice_", "bob", "0ps"]
CHANNELS = ["#ops", "#Db"]
CAPS = {"extended-join", "account-notify"}
RANKS = ["~&@", "", "!"]


@dataclass
class Person:
    """Somebody on the server, as the server knows them. account: `*` if there is none."""

    nick: str
    account: str = "*"
    rooms: set[str] = field(default_factory=set)


class World:
    """A server that tells us what it tells somebody in our rooms."""

    def __init__(self) -> None:
        self.users = Users()
        self.people = [Person("Dave"), Person("erin", "erin"), Person("Frank", "FRANK")]
        self.ours: set[str] = set()

    def tell(self, text: str) -> None:
        self.users.take(heard(text), CAPS)

    def seen(self, person: Person) -> bool:
        return bool(person.rooms & self.ours)

    def about(self, person: Person, text: str) -> None:
        if self.seen(person):
            self.tell(f":{person.nick}!u@h {text}")

    def join(self, person: Person, room: str) -> None:
        if room not in person.rooms:
            person.rooms.add(room)
            if room in self.ours:
                self.tell(f":{person.nick}!u@h JOIN {room} {person.account} :a real name")

    def part(self, person: Person, room: str) -> None:
        if room in person.rooms & self.ours:
            self.tell(f":{person.nick}!u@h PART {room.upper()} :bye now")
        person.rooms.discard(room)

    def kick(self, person: Person, room: str) -> None:
        if room in person.rooms & self.ours:
            self.tell(f":bob!u@h KICK {room} {person.nick.upper()} :out with you")
        person.rooms.discard(room)

    def quit(self, person: Person, room: str) -> None:
        self.about(person, "QUIT :gone")
        person.rooms.clear()
        person.account = "*"
        self.join(person, room)

    def rename(self, person: Person, nick: str) -> None:
        if fold(nick) not in {fold(each.nick) for each in self.people if each is not person}:
            self.about(person, f"NICK {nick}")
            person.nick = nick

    def account(self, person: Person, account: str) -> None:
        self.about(person, f"ACCOUNT {account}")
        person.account = account

    def come(self, room: str) -> None:
        if room in self.ours:
            return
        self.ours.add(room)
        there = [person for person in self.people if room in person.rooms]
        self.tell(f":tocsin!u@h JOIN {room} tocsin :Tocsin")
        names = " ".join(f"{RANKS[number]}{person.nick}" for number, person in enumerate(there))
        self.tell(f":irc 353 tocsin = {room} :@tocsin {names} ")
        for person in there:
            self.tell(f":irc 354 tocsin {WHO_IS_WHO} {person.nick} {person.account.replace('*', '0')}")

    def go(self, room: str) -> None:
        if room in self.ours:
            self.ours.discard(room)
            self.tell(f":tocsin!u@h PART {room}")
            self.users.closed(room)

    def agrees(self) -> None:
        there = [person for person in self.people if self.seen(person)]
        for person in self.people:
            assert (person.nick in self.users) is (person in there)
        assert ("TOCSIN" in self.users) is bool(self.ours)
        for account in {*ACCOUNTS, "erin", "frank", "*", "0", ""}:
            nicks = {person.nick for person in there if fold(person.account) == fold(account)}
            expected = nicks if account not in ("*", "0", "") else set()
            assert set(self.users.nicks_of(account.upper())) == expected


who, where = st.integers(0, 2), st.sampled_from(CHANNELS)
happenings = st.one_of(
    st.tuples(st.sampled_from(["join", "part", "kick", "quit"]), who, where),
    st.tuples(st.just("rename"), who, st.sampled_from(NICKS)),
    st.tuples(st.just("account"), who, st.sampled_from([*ACCOUNTS, "*"])),
    st.tuples(st.sampled_from(["come", "come", "go"]), where),
)


@given(st.lists(happenings, max_size=30))
def test_we_know_who_is_where_we_are_and_by_which_account(happenings: list[tuple[Any, ...]]) -> None:
    world = World()
    for room in CHANNELS:
        world.come(room)
    for what, *arguments in happenings:
        if len(arguments) == 2:
            arguments[0] = world.people[arguments[0]]
        getattr(world, what)(*arguments)
        world.agrees()
    world.users.clear()
    assert not [person for person in world.people if person.nick in world.users]


def users(*texts: str, caps: set[str] | None = None) -> Users:
    """Those who are there once that was heard."""
    found = Users()
    for text in texts:
        found.take(heard(text), CAPS if caps is None else caps)
    return found


def test_an_account_is_known_only_where_the_server_tells_it() -> None:
    told = ":al!u@h JOIN #ops alice :Alice"
    assert users(told).nicks_of("Alice") == ["al"]
    assert users(told, caps=set()).nicks_of("alice") == []
    assert users(told, ":irc 353 tocsin = #ops :@al").nicks_of("alice") == ["al"]
    assert users(told, ":al!u@h JOIN #db bob :Alice").nicks_of("alice") == []
    named = (":irc 353 tocsin = #ops :@al +eve", f":irc 354 tocsin {WHO_IS_WHO} AL alice")
    assert users(*named, caps=set()).nicks_of("alice") == ["al"]


def test_somebody_may_be_there_by_several_nicks() -> None:
    both = users(":Al!u@h JOIN #ops alice :Alice", ":phone!u@h JOIN #ops ALICE :Alice")
    assert sorted(both.nicks_of("alice")) == ["Al", "phone"]


@pytest.mark.parametrize("account", ["*", "0", ""])
def test_no_account_is_no_account_by_any_name(account: str) -> None:
    for found in (users(f":eve!u@h JOIN #ops {account} :Eve"), users(":eve!u@h JOIN #ops eve :Eve")):
        found.logged_in("EVE", account)
        assert "eve" in found
        assert [found.nicks_of(name) for name in ("eve", "*", "0", "")] == [[], [], [], []]


def test_the_answer_to_somebody_elses_question_is_not_ours() -> None:
    joined = ":eve!u@h JOIN #ops * :Eve"
    for other in ("151 eve alice", "eve alice", f"eve {WHO_IS_WHO} alice", f"{WHO_IS_WHO} mallory alice"):
        assert users(joined, f":irc 354 tocsin {other}").nicks_of("alice") == []
    assert f"%tna,{WHO_IS_WHO}" == WHO_FORM
    assert 0 < int(WHO_IS_WHO) < 1000


def test_who_is_nowhere_with_us_is_nobody() -> None:
    found = users(
        ":eve!u@h ACCOUNT alice", ":eve!u@h NICK mallory", ":eve!u@h PART #ops", ":irc 353 t = #ops :"
    )
    assert "eve" not in found
    assert "mallory" not in found
    assert None not in found
    assert found.nicks_of("alice") == []


def test_who_takes_a_nick_that_we_thought_was_there_is_not_who_had_it() -> None:
    found = users(":al!u@h JOIN #ops alice :A", ":eve!u@h JOIN #ops * :E", ":eve!u@h NICK al")
    assert found.nicks_of("alice") == []


def test_who_quits_or_is_gone_takes_their_account_along() -> None:
    come = (":al!u@h JOIN #ops alice :A", ":al!u@h JOIN #db alice :A")
    found = users(*come)
    found.gone("AL")
    assert found.nicks_of("alice") == users(*come, ":al!u@h QUIT").nicks_of("alice") == []
    found = users(*come, ":al!u@h PART #DB")
    found.closed("#elsewhere")
    assert found.nicks_of("alice") == ["al"]
    found.closed("#OPS")
    assert found.nicks_of("alice") == []
    assert users(*come, ":al!u@h QUIT", ":irc 353 tocsin = #ops :al").nicks_of("alice") == []


# ── Where we are to be ──────────────────────────────────────────────────────────────────────────────────────


def test_a_room_that_keeps_us_out_is_tried_less_and_less_often() -> None:
    room = Room("#ops", None)
    pauses = []
    for _ in range(20):
        room.stay_out("it is full", 100.0)
        pauses.append(room.at - 100)
    assert pauses == [2, 4, 8, 16, 32, *[LONGEST_PAUSE] * 15]


def test_a_room_where_we_stayed_is_tried_at_once_again() -> None:
    room = Room("#ops", None)
    for stayed, pause in ((1, 2), (LONGEST_PAUSE, 4), (LONGEST_PAUSE + 1, 2), (1, 4)):
        room.enter(100.0)
        room.seen = True
        assert room.joined
        room.stay_out("we are banned there", 100 + stayed)
        assert (room.joined, room.seen) == (False, False)
        assert room.at == 100 + stayed + pause


def test_a_room_that_puts_us_out_again_and_again_is_joined_less_and_less_often() -> None:
    room = Room("#ops", None)
    pauses, now = [], 1000.0
    for stayed in (5.0, 0.0, 59.0, 1.0, 60.0, 5.0, 5.0, 61.0, 5.0, 5.0):
        room.enter(now)
        now += stayed
        room.stay_out("bob kicked us", now)
        pauses.append(room.at - now)
        now = room.at
    assert pauses == [2, 4, 8, 16, 32, LONGEST_PAUSE, LONGEST_PAUSE, 2, 4, 8]


def test_a_room_that_puts_us_out_and_then_keeps_us_out_is_no_new_room() -> None:
    room = Room("#ops", None)
    room.enter(0.0)
    assert room.stay_out("bob kicked us", 5.0)
    for now, pause in ((100.0, 4), (200.0, 8)):
        room.stay_out("we are banned there", now)
        assert room.at == now + pause


def test_a_room_tells_what_is_news() -> None:
    room = Room("#ops", None)
    news = [room.stay_out(why, 0.0) for why in ("it is full", "it is full", "we are banned there")]
    assert news == [True, False, True]
    assert room.why == "we are banned there"
    for stayed, known in ((1.0, True), (LONGEST_PAUSE + 1, False)):
        room.enter(0.0)
        assert room.stay_out("we are banned there", stayed) is not known


def test_a_room_is_found_however_it_is_spelt() -> None:
    key = SecretSource(env="KEY")
    rooms = Rooms(["#Ops", "#db", "#oPS", "#DB", "#k"], {"#OPS": key, "#other": key}, {})
    assert {room.name: room.key for room in rooms} == {"#oPS": key, "#DB": None, "#k": None}
    assert rooms.find("#ops") is rooms.find("#OPS") is not None
    assert rooms.find("#\N{KELVIN SIGN}") is None
    assert rooms.find("#other") is None
    assert rooms.find("") is None


def test_on_a_new_link_nothing_is_known_of_the_rooms() -> None:
    key = SecretSource(env="KEY")
    rooms = Rooms(["#ops", "#db"], {"#ops": key}, {"#DB": Detail.SUMMARY})
    for number, room in enumerate(rooms):
        room.stay_out("it is full", 100.0)
        if number:
            room.enter(100.0)
            room.seen = True
            room.closing = frozenset("i")
    rooms.leave_all()
    assert list(rooms) == [Room("#ops", key), Room("#db", None, Detail.SUMMARY)]


def test_what_keeps_us_out_ends_a_sentence() -> None:
    assert all(re.fullmatch("[0-9]{3}", code) for code in NO_ENTRY)
    assert not [why for why in NO_ENTRY.values() if why.endswith(".") or why[0].isupper()]
