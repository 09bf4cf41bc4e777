"""What people say of themselves: told to them alone, kept, and effective from the next word on."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tocsin.store.profiles import GOOD_FOR, MOST_WRONG
from tocsin.transaction import Transaction

from tests.engine import Engine, fires
from tests.tower import Tower, away, policy
from tests.tower import asks_on as asks

RADIO = '[networks.radio]\nkind = "console"\nroom = "#radio"\n'
PROVES_NOTHING = """\
[networks.radio]
kind = "irc"
server = "127.0.0.1:6667"
tls = false
room = "#radio"
identity = "codes"
"""
BERLIN = '[people.alice]\naccounts.console = "alice"\ntimezone = "Europe/Berlin"\nquiet = "22:00-07:00"\n'
ALONE = policy('{ page = "alice" }')
WRONG = "that code is wrong, or too old: me link brings another, where I know you"
OPS = "room/#ops"


@pytest.fixture
def tower(write_config: Callable[..., Path], tmp_path: Path) -> Iterator[Tower]:
    """Two networks; alice is known on the console alone."""
    tower = Tower(write_config, tmp_path / "state")
    tower.people += RADIO
    yield tower
    said = [each for chat in (tower.chat, tower.radio) for each in chat.said if not each.place.private]
    assert not [each for each in said if "linked" in str(each)]  # whatever a test does, no room is told


async def code_for(tower: Tower, engine: Engine, account: str = "alice") -> str:
    [said] = await asks(tower.chat, engine, account, "me link")
    found = re.fullmatch(
        r"on the other network, type in private to me: me link ([a-hjkmnp-z2-9]{8}) \(good for 10m, once\)",
        said,
    )
    assert found, said
    return found[1]


async def link(tower: Tower, engine: Engine, account: str = "al2") -> list[str]:
    """Alice proves that this account on the radio is hers."""
    return await asks(tower.radio, engine, account, f"me link {await code_for(tower, engine)}")


def other(code: str) -> str:
    """A code that is surely another."""
    return ("b" if code[0] == "a" else "a") + code[1:]


# ── What is known ───────────────────────────────────────────────────────────────────────────────────────────


async def test_it_tells_who_asks_in_private_what_is_known_of_them(tower: Tower) -> None:
    tower.people = tower.people.replace('[people.alice]\naccounts.console = "alice"\n', BERLIN)
    async with tower() as engine:
        whole = "you are alice; Europe/Berlin (it is 04:00); quiet 22:00-07:00; your accounts: console alice"
        assert await asks(tower.chat, engine, "alice", "me") == [whole]
        assert await asks(tower.chat, engine, "alice", "!me", room="#ops") == ["alice: I told you in private"]
        assert tower.chat.texts("person/alice")[1:] == [whole]
        await link(tower, engine)
        for chat, account in ((tower.chat, "alice"), (tower.radio, "al2")):
            assert await asks(chat, engine, account, "me") == [f"{whole} and radio al2 (linked)"]
        bob = "you are bob; UTC (it is 03:00); no quiet hours; your accounts: console bob"
        assert await asks(tower.chat, engine, "bob", "me") == [bob]


@pytest.mark.parametrize("room", ["#ops", ""], ids=["room", "private"])
@pytest.mark.parametrize("word", ["!me", "!me zone UTC", "!me quiet off", "!me unlink radio"])
async def test_strangers_get_none_of_it(tower: Tower, room: str, word: str) -> None:
    async with tower() as engine:
        said = await asks(tower.chat, engine, "mallory", word, room=room)
        assert said == ["I don't know you here, so !me is not for you: !whoami"]


async def test_in_a_room_whoami_says_nothing_but_who(tower: Tower) -> None:
    async with tower() as engine:
        await engine.says("alice", "me zone Asia/Kolkata")
        said = await asks(tower.chat, engine, "alice", "!whoami", room="#ops")
        assert said == ["you are alice, by your account 'alice' on console"]


# ── Time zone and quiet hours ───────────────────────────────────────────────────────────────────────────────

ZONE = "your time zone is {}: it is {} there; {}"
QUIET = "your quiet hours are {} Europe/Berlin: it is 04:00 there, so what can wait waits {}; {}"
BACK = "!me zone default goes back to the configuration"


@pytest.mark.parametrize("words", ["zone asia/kolkata", "TZ Asia/Kolkata", "timezone ASIA/KOLKATA"])
async def test_a_time_zone_counts_from_the_next_word_on_and_after_a_restart(tower: Tower, words: str) -> None:
    said = [ZONE.format("Asia/Kolkata", "08:30", BACK)]
    async with tower() as engine:
        subject = await engine.report(fires())
        assert await asks(tower.chat, engine, "alice", f"me {words}") == said
        assert "08:30:00 reported" in (await asks(tower.chat, engine, "alice", f"why {subject}"))[0]
    async with tower() as engine:
        assert "08:30:00 reported" in (await asks(tower.chat, engine, "alice", f"why {subject}"))[0]
        said = [ZONE.format("UTC", "03:00", "as in the configuration")]
        assert await asks(tower.chat, engine, "alice", "me zone default") == said
        assert "03:00:00 reported" in (await asks(tower.chat, engine, "alice", f"why {subject}"))[0]


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("zone", "say !me zone Europe/Berlin"),
        ("zone Europe/Berln", "there is no time zone 'Europe/Berln'; did you mean 'Europe/Berlin'?"),
        (
            "zone america/new yrok",
            "there is no time zone 'america/new yrok'; did you mean 'America/New_York'?",
        ),
        ("zone ../../etc/passwd", "there is no time zone '../../etc/passwd'"),
        ("quiet", "say !me quiet 22:00-07:00 or !me quiet off"),
        (
            "quiet late",
            "your quiet hours must be the hours from and to, such as '22:00-07:00', not 'late'",
        ),
        ("quiet 7-7", "your quiet hours must not begin and end at the same time"),
        ("unlink", "say !me unlink NETWORK"),
        (
            "birthday",
            "say !me zone, !me quiet, !me link and !me unlink; !me alone tells you what I know of you",
        ),
    ],
)
async def test_what_makes_no_sense_is_refused_and_changes_nothing(
    tower: Tower, words: str, answer: str
) -> None:
    async with tower() as engine:
        assert await asks(tower.chat, engine, "alice", f"!me {words}", room="#ops") == [answer]
        [said] = await asks(tower.chat, engine, "alice", "me")
        assert said == "you are alice; UTC (it is 03:00); no quiet hours; your accounts: console alice"
        assert await engine.sql("select * from profiles") == []


async def test_quiet_hours_are_said_with_what_they_mean_now(tower: Tower) -> None:
    tower.people = tower.people.replace('[people.alice]\naccounts.console = "alice"\n', BERLIN)
    back = "!me quiet default goes back to the configuration"
    async with tower() as engine:
        for words, answer in [
            ("23-6:30", QUIET.format("23:00-06:30", "until 06:30", back)),
            ("12:00-13:00", QUIET.format("12:00-13:00", "from 12:00 on", back)),
            ("off", f"you have no quiet hours; {back}"),
            ("default", QUIET.format("22:00-07:00", "until 07:00", "as in the configuration")),
        ]:
            assert await asks(tower.chat, engine, "alice", f"me quiet {words}") == [answer]
        await engine.says("alice", "me quiet off")
    async with tower() as engine:
        assert "no quiet hours" in (await asks(tower.chat, engine, "alice", "me"))[0]


async def test_what_is_said_of_oneself_in_a_room_is_answered_elsewhere(tower: Tower) -> None:
    async with tower() as engine:
        for words, answer in [
            ("zone Asia/Kolkata", ZONE.format("Asia/Kolkata", "08:30", BACK)),
            ("quiet off", "you have no quiet hours; !me quiet default goes back to the configuration"),
        ]:
            assert await asks(tower.chat, engine, "alice", f"!me {words}", room="#ops") == ["noted"]
            assert tower.chat.texts("person/alice")[-1] == answer
        await link(tower, engine)
        assert await asks(tower.chat, engine, "alice", "!me unlink radio", room="#ops") == ["noted"]
        gone = "on radio the account al2 is no longer linked to alice"
        assert tower.chat.texts("person/alice")[-1] == tower.radio.texts("person/al2")[-1] == gone
        told = ["alice: I told you in private"]
        assert await asks(tower.chat, engine, "alice", "!me unlink radio", room="#ops") == told
        assert (
            tower.chat.texts("person/alice")[-1]
            == "no account is linked to you on 'radio': !me tells which are"
        )


async def test_a_zone_that_is_gone_counts_as_not_said(tower: Tower) -> None:
    async with tower() as engine:
        await engine.says("alice", "me zone Asia/Kolkata")
        await engine.sql("update profiles set timezone = 'Mars/Olympus', quiet = 'never' returning 1")
    async with tower() as engine:
        [said] = await asks(tower.chat, engine, "alice", "me")
        assert said.startswith("you are alice; UTC (it is 03:00); no quiet hours")


# ── Further accounts ────────────────────────────────────────────────────────────────────────────────────────


async def test_a_linked_account_is_paged_and_may_answer_also_after_a_restart(tower: Tower) -> None:
    async with tower(ALONE) as engine:
        [here] = await link(tower, engine)
        unless = "if that was not you: !me unlink radio"
        assert here == f"you are alice here from now on: pages may come here, and you may answer; {unless}"
        assert tower.chat.texts("person/alice")[-1] == (
            f"on radio the account al2 is linked to you: pages may go there, and it may answer; {unless}"
        )
        assert tower.radio.accounts == {"al2": "alice"}
        tower.chat.fails = away("alice")
        subject = await engine.report(fires())
        assert tower.chat.pages() == []
        assert tower.radio.pages() == ["03:00:00 al2"]
        [answer, *_] = await asks(tower.radio, engine, "al2", "ack")
        assert answer.startswith(f"{subject} acknowledged by alice")
    tower.radio.accounts = {}
    async with tower(ALONE) as engine:
        assert tower.radio.accounts == {"al2": "alice"}
        await engine.report(fires(key="another"))
        assert tower.radio.pages() == ["03:00:00 al2", "03:00:00 al2"]
        for _ in range(10):  # strangers would be left unanswered
            assert await asks(tower.radio, engine, "al2", "whoami")
        await asks(tower.radio, engine, "al2", "me unlink radio")
        assert tower.radio.accounts == {}
        refused = "I don't know you here, so !ack is not for you: !whoami"
        assert refused in await asks(tower.radio, engine, "al2", "ack")
        await engine.report(fires(key="a third"))
        assert len(tower.radio.pages()) == 2


async def test_no_code_is_written_down_and_no_room_reads_one(tower: Tower) -> None:
    async with tower() as engine:
        code = await code_for(tower, engine)
        await asks(tower.radio, engine, "al2", f"me link {other(code)}")
        await asks(tower.radio, engine, "al2", f"me link {code}")
        assert await engine.sql("select place, person, what, verdict from audit order by seq") == [
            ("console/person/alice", "alice", "me", "done"),
            ("radio/person/al2", "", "me", f"refused: {WRONG}"),
            ("radio/person/al2", "", "me", "done"),
        ]
        rooms = [
            str(said) for chat in (tower.chat, tower.radio) for said in chat.said if not said.place.private
        ]
        assert rooms == []


async def test_a_code_is_good_once_and_not_for_long(tower: Tower) -> None:
    async with tower() as engine:
        code = await code_for(tower, engine)
        newer = await code_for(tower, engine)
        assert await asks(tower.radio, engine, "al2", f"me link {code}") == [WRONG]
        await engine.run.advance(GOOD_FOR)
        assert await asks(tower.radio, engine, "al2", f"me link {newer}") == [WRONG]
        code = await code_for(tower, engine)
        assert "you are alice" in (await asks(tower.radio, engine, "al2", f"!me LINK {code.upper()}."))[0]
        assert await asks(tower.radio, engine, "al3", f"me link {code}") == [WRONG]
        assert await engine.sql("select * from link_codes") == []


async def test_who_guesses_makes_all_codes_void(tower: Tower) -> None:
    async with tower() as engine:
        codes = [await code_for(tower, engine, account) for account in ("alice", "bob")]
        for _ in range(MOST_WRONG):
            assert await asks(tower.radio, engine, "mallory", f"me link {other(codes[0])}") == [WRONG]
            await engine.advance(seconds=3)
        told = "5 wrong codes were typed, the last on radio: all codes for further accounts are void"
        assert tower.chat.texts(OPS) == [told]
        for code in codes:
            assert await asks(tower.radio, engine, "al2", f"me link {code}") == [WRONG]
        assert "you are alice" in (await link(tower, engine))[0]


async def test_a_code_that_a_room_has_read_is_void(tower: Tower) -> None:
    async with tower() as engine:
        there = "not here, where others read: type in private to me: me link"
        assert await asks(tower.chat, engine, "alice", "!me link", room="#ops") == [there]
        code = await code_for(tower, engine)
        void = "not here, where others read: that code is void. Type in private to me: me link"
        assert await asks(tower.radio, engine, "al2", f"!me link {code}", room="#radio") == [void]
        assert await asks(tower.radio, engine, "mallory", f"me link {code}") == [WRONG]


async def test_an_account_is_linked_only_where_nobody_is_known_by_it(tower: Tower) -> None:
    tower.people = tower.people.replace(
        'accounts.console = "bob"', 'accounts.console = "bob"\naccounts.radio = "bob"'
    )
    async with tower() as engine:
        for chat, account, answer in [
            (tower.chat, "alice", "I know you here, alice: type that where I don't know you yet"),
            (tower.radio, "bob", "I know you here, bob: type that where I don't know you yet"),
            (tower.radio, "Bob", "the account 'Bob' is somebody's already"),
        ]:
            typed = f"me link {await code_for(tower, engine)}"
            assert await asks(chat, engine, account, typed) == [answer]
        code = await code_for(tower, engine)
        await tower.radio.hears("", f"me link {code}", claimed="ghost")
        await engine.run.settled()
        nobody = "I see no account of yours on radio: log in to it, and type that again"
        assert tower.radio.texts("person/ghost") == [nobody]
        # That has not used it up.
        assert "you are alice" in (await asks(tower.radio, engine, "al2", f"me link {code}"))[0]
        code = await code_for(tower, engine, "bob")
        has_one = (
            "you have an account on radio already, which the configuration names: people.bob.accounts.radio"
        )
        assert await asks(tower.radio, engine, "bob2", f"me link {code}") == [has_one]
        where = (
            "I don't know you here: where I do, type in private to me: me link. That brings a code for here"
        )
        assert await asks(tower.radio, engine, "bob2", "me link") == [where]


async def test_another_link_on_a_network_takes_the_place_of_the_first(tower: Tower) -> None:
    async with tower() as engine:
        await link(tower, engine, "al1")
        await link(tower, engine, "al2")
        text = "on radio the account al2 is linked to you in place of al1"
        for place in (tower.chat.texts("person/alice"), tower.radio.texts("person/al1")):
            assert place[-1].startswith(text)
        assert tower.radio.accounts == {"al2": "alice"}


async def test_where_accounts_prove_nothing_no_account_can_be_linked(tower: Tower) -> None:
    async with tower() as engine:
        await link(tower, engine)
    tower.people = tower.people.replace(RADIO, PROVES_NOTHING)
    async with tower() as engine:
        assert tower.radio.accounts == {}  # nor is it believed any more
        code = await code_for(tower, engine)
        await tower.radio.hears("", f"me link {code}", claimed="al")
        await engine.run.settled()
        names = "people.NAME.accounts.radio in the configuration names a nick"
        assert tower.radio.texts("person/al") == [f"radio proves nothing of who you are there: {names}"]


async def test_what_could_pass_for_a_nick_is_no_account(tower: Tower) -> None:
    tower.people = tower.people.replace(RADIO, PROVES_NOTHING.replace("codes", "accounts"))
    async with tower() as engine:
        answer = "your account must be the name of an account, not '~al2'"
        assert await link(tower, engine, "~al2") == [answer]
        assert tower.radio.accounts == {}


async def test_what_the_configuration_says_wins_over_a_link(tower: Tower) -> None:
    first = tower.people
    async with tower() as engine:
        await link(tower, engine)
    dave = '[people.dave]\naccounts.console = "dave"\n'
    tower.people = first.replace(dave, f'{dave}accounts.radio = "AL2"\n')
    async with tower() as engine:
        assert tower.radio.accounts == {"AL2": "dave"}
        [said] = await asks(tower.chat, engine, "alice", "me")
        assert said.endswith("your accounts: console alice")
    alice = '[people.alice]\naccounts.console = "alice"\n'
    tower.people = first.replace(alice, f'{alice}accounts.radio = "alice"\n')
    async with tower():
        assert tower.radio.accounts == {"alice": "alice"}
    tower.people = first.replace(alice, "")
    async with tower(policy('{ page = "bob" }')) as engine:
        assert tower.radio.accounts == {}
        refused = "I don't know you here, so !me is not for you: !whoami"
        assert await asks(tower.radio, engine, "al2", "me") == [refused]
    tower.people = first
    async with tower():
        assert tower.radio.accounts == {"al2": "alice"}


async def test_what_could_not_be_kept_is_not_believed(tower: Tower) -> None:
    async with tower() as engine:

        def half(tx: Transaction) -> None:
            tx.connection.exec_driver_sql(
                "insert into links values ('radio', 'al2', 'alice', '2026-11-21T03:00:00.000000+00:00')"
            )
            tx.change_people()
            assert tx.person_of("radio", "al2") == "alice"
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await engine.run.tocsin.turn(half)
        assert await engine.run.tocsin.turn(lambda tx: tx.person_of("radio", "al2")) is None
        assert tower.radio.accounts == {}


async def test_where_nicks_are_trusted_nobody_gets_a_code_for_elsewhere(tower: Tower) -> None:
    nicks = PROVES_NOTHING.replace("codes", "trust-nicks")
    tower.people = tower.people.replace(RADIO, nicks).replace(
        'accounts.console = "bob"', 'accounts.radio = "bob"'
    )
    async with tower() as engine:
        nothing = "your nick on radio proves nothing elsewhere: people.NAME.accounts in the configuration names further accounts"
        assert await asks(tower.radio, engine, "bob", "me link") == [nothing]
        assert await engine.sql("select * from link_codes") == []


async def test_an_account_that_is_linked_anew_is_nobody_elses_however_it_is_spelled(tower: Tower) -> None:
    people = tower.people
    async with tower() as engine:
        await link(tower, engine, "al2")
    tower.people = people.replace('[people.alice]\naccounts.console = "alice"\n', "")
    async with tower(policy('{ page = "bob" }')) as engine:
        code = await code_for(tower, engine, "bob")
        assert "you are bob" in (await asks(tower.radio, engine, "AL2", f"me link {code}"))[0]
    tower.people = people
    async with tower():
        assert tower.radio.accounts == {"AL2": "bob"}
