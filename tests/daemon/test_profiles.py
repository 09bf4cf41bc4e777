"""What people say of themselves, as it is kept; and the codes that prove an account."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from tocsin.store import Database, profiles
from tocsin.store.profiles import GOOD_FOR, MOST_WRONG, Link, Profile
from tocsin.testing import HandClock

NOW = HandClock().now()
SECOND = timedelta(seconds=1)


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.writer.connect() as connection, connection.begin():
        yield connection


def test_each_thing_that_is_said_leaves_the_others_alone(connection: Connection) -> None:
    profiles.set_timezone(connection, "alice", "Asia/Kolkata")
    profiles.set_quiet(connection, "alice", "22:00-07:00")
    profiles.set_quiet(connection, "bob", profiles.OFF)
    assert profiles.everybody(connection) == {
        "alice": Profile("Asia/Kolkata", "22:00-07:00"),
        "bob": Profile("", "off"),
    }
    profiles.set_timezone(connection, "alice", "")
    assert profiles.everybody(connection)["alice"] == Profile("", "22:00-07:00")


def test_a_person_has_one_linked_account_on_a_network(connection: Connection) -> None:
    for account, person in [("al1", "alice"), ("bo", "bob"), ("al2", "alice")]:
        profiles.link(connection, "irc", account, person, NOW)
    profiles.link(connection, "radio", "al1", "alice", NOW + SECOND)
    assert profiles.links(connection) == [
        Link("irc", "bo", "bob"),
        Link("irc", "al2", "alice"),
        Link("radio", "al1", "alice"),
    ]
    assert profiles.unlink(connection, "irc", "alice") == "al2"
    assert profiles.unlink(connection, "irc", "alice") == ""
    # A link of somebody who is gone is no hindrance.
    profiles.link(connection, "irc", "bo", "alice", NOW + SECOND)
    assert Link("irc", "bo", "alice") in profiles.links(connection)
    assert profiles.unlink(connection, "irc", "bob") == ""


def test_a_code_is_good_once_and_until_it_is_too_old(connection: Connection) -> None:
    code = profiles.new_code(connection, "alice", NOW)
    assert profiles.use_code(connection, code, NOW + GOOD_FOR - SECOND) == "alice"
    assert profiles.use_code(connection, code, NOW) == ""
    code = profiles.new_code(connection, "alice", NOW)
    assert profiles.use_code(connection, code, NOW + GOOD_FOR) == ""
    codes = [profiles.new_code(connection, "alice", NOW) for _ in range(2)]
    assert [profiles.use_code(connection, code, NOW) for code in codes] == ["", "alice"]


def test_wrong_codes_count_against_those_that_were_good_then(connection: Connection) -> None:
    old = profiles.new_code(connection, "alice", NOW)
    for _ in range(MOST_WRONG - 1):
        assert not profiles.wrong_code(connection, NOW)
    new = profiles.new_code(connection, "bob", NOW)
    assert profiles.wrong_code(connection, NOW)
    assert profiles.use_code(connection, old, NOW) == ""
    assert profiles.use_code(connection, new, NOW) == "bob"
    profiles.new_code(connection, "bob", NOW)
    assert not any(profiles.wrong_code(connection, NOW + GOOD_FOR) for _ in range(MOST_WRONG))
