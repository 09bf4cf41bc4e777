"""One page to somebody on two networks: said on the second when the first can't, and never begun after an answer."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tocsin.alerts import report
from tocsin.errors import NetworkError
from tocsin.testing import Loudspeaker, Said

from tests.engine import Engine, fires, over
from tests.plugins.storm_parts import comes, counts, storming
from tests.tower import FACT, Chat, Tower, asks_on, away, down, policy

ROOM = "room/#ops"
RADIO = '[networks.radio]\nkind = "console"\nroom = "#air"\n'
STEPS = policy('{ page = "alice" }, { page = "bob", after = "5m" }')
IN_DOUBT = NetworkError("no answer within 10 s")

Rung = Callable[[], list[str]]


@pytest.fixture
def tower(write_config: Callable[..., Path], tmp_path: Path) -> Tower:
    """Alice is on the console first, on the radio second."""
    tower = Tower(write_config, tmp_path / "state")
    tower.people = tower.people.replace('"alice"\n', '"alice"\naccounts.radio = "alpha"\n') + RADIO
    return tower


async def falls(chat: Loudspeaker, engine: Engine) -> None:
    """The network is down, and it is known."""
    chat.fails = down()
    assert chat.listener
    chat.listener.down(chat.name, "no link")
    await engine.run.settled()


async def rises(chat: Loudspeaker, engine: Engine) -> None:
    chat.fails = lambda _: None
    assert chat.listener
    chat.listener.up(chat.name)
    await engine.run.settled()


def in_doubt(said: Said) -> NetworkError | None:
    """Nobody answers in time whether alice's page was taken."""
    return IN_DOUBT if said.place.private else None


async def pages(engine: Engine) -> list[str]:
    """What became of pages so far: `page.delivered radio alpha`; without bob's."""
    query = (
        "select kind, json_extract(body, '$.place') from events "
        "where kind in ('page.delivered', 'page.failed') "
        "and json_extract(body, '$.person') = 'alice' order by seq"
    )
    return [f"{kind} {place}" for kind, place in await engine.sql(query)]


async def test_while_the_first_network_takes_pages_the_other_is_left_alone(tower: Tower) -> None:
    async with tower(STEPS) as engine:
        await engine.report(fires())
        await engine.advance(minutes=4)
        assert (tower.chat.pages(), tower.radio.pages()) == (["03:00:00 alice"], [])
        assert await pages(engine) == ["page.delivered console/person/alice"]
        assert await engine.sql("select kind from timers where kind = 'core.next_way'") == []
        begun = "select json_extract(body, '$.person'), json_extract(body, '$.page') from events where kind = 'page.begun'"
        assert await engine.sql(begun) == [("alice", 1)]


async def test_what_is_known_to_be_down_is_passed_over_at_once(tower: Tower) -> None:
    async with tower(STEPS) as engine:
        await falls(tower.chat, engine)
        subject = await engine.report(fires())
        assert tower.radio.pages() == ["03:00:00 alpha"]
        assert tower.radio.texts("person/alpha") == [f"{subject} {FACT} · !ack {subject}"]
        assert await pages(engine) == ["page.delivered radio/person/alpha"]
        await engine.advance(minutes=4)
        assert not any("failed" in text for text in tower.radio.texts())
        await engine.advance(minutes=2)
        assert await engine.sql("select count(*) from events where kind = 'escalation.step_taken'") == [(2,)]


async def test_who_is_known_to_be_nowhere_is_looked_for_on_the_other_network(tower: Tower) -> None:
    async with tower(STEPS) as engine:
        tower.chat.unseen = {"alice"}
        tower.chat.fails = away("alice")
        await engine.report(fires())
        assert tower.radio.pages() == ["03:00:00 alpha"]
        assert await pages(engine) == ["page.delivered radio/person/alpha"]


async def test_who_does_not_look_at_a_page_is_paged_on_the_other_network_too(tower: Tower) -> None:
    tower.chat.sees = True
    async with tower(STEPS) as engine:
        await engine.report(fires())
        await engine.advance(seconds=59)
        assert tower.radio.pages() == []
        await engine.advance(seconds=2)
        assert tower.radio.pages() == ["03:01:00 alpha"]
        assert await pages(engine) == ["page.delivered console/person/alice"]
        await engine.advance(seconds=200)
        assert len(tower.radio.pages()) == 1


@pytest.mark.parametrize("fails", [down(), away("alpha"), in_doubt])
async def test_who_does_not_look_and_is_not_reached_elsewhere_is_paged_by_all_that_they_have(
    tower: Tower, fails: Callable[[Said], NetworkError | None]
) -> None:
    phone = tower.joined("phone", "al")
    tower.chat.sees = True
    tower.radio.fails = fails
    async with tower(STEPS) as engine:
        await engine.report(fires())
        await engine.advance(seconds=59)
        assert phone.pages() == []
        await engine.advance(seconds=22)
        assert len(phone.pages()) == 1
        assert await pages(engine) == ["page.delivered console/person/alice"]


async def test_who_turns_out_to_be_nowhere_is_looked_for_at_once(tower: Tower, rung: Rung) -> None:
    async with tower(STEPS) as engine:
        tower.chat.fails = away("alice")
        await engine.report(fires())
        assert tower.radio.pages() == ["03:00:00 alpha"]
        await engine.advance(minutes=2)
        assert await pages(engine) == ["page.delivered radio/person/alpha"]
        assert rung() == []


async def test_what_can_never_be_said_there_is_said_elsewhere_at_once(tower: Tower, rung: Rung) -> None:
    async with tower(STEPS) as engine:
        tower.chat.fails = down("alice", permanent=True)
        await engine.report(fires())
        assert tower.radio.pages() == ["03:00:00 alpha"]
        await engine.advance(minutes=2)
        assert await pages(engine) == ["page.delivered radio/person/alpha"]
        assert rung() == []


@pytest.mark.parametrize("fails", [down(), in_doubt])
async def test_what_is_not_confirmed_in_20_seconds_is_said_elsewhere(
    tower: Tower, fails: Callable[[Said], NetworkError | None]
) -> None:
    async with tower(STEPS) as engine:
        tower.chat.fails = fails
        subject = await engine.report(fires())
        await engine.advance(seconds=18.9)
        assert tower.radio.pages() == []
        await engine.advance(seconds=0.1)
        assert tower.radio.pages() == ["03:00:19 alpha"]
        await engine.advance(minutes=5)
        await rises(tower.chat, engine)
        assert await pages(engine) == ["page.delivered radio/person/alpha"]
        # The next step came five minutes after the page was taken.
        steps = "select at from events where kind = 'escalation.step_taken' order by seq"
        assert [at[11:19] for (at,) in await engine.sql(steps)] == ["03:00:00", "03:05:19"]
        assert subject in tower.chat.texts("person/alice")[0]


async def test_once_it_is_known_that_it_is_down_what_waits_there_goes_on(tower: Tower) -> None:
    async with tower(STEPS) as engine:
        tower.chat.fails = down()
        await engine.report(fires())
        await falls(tower.chat, engine)
        await engine.advance(seconds=10)
        [page] = tower.radio.pages()
        assert page < "03:00:10 alpha"


async def test_where_both_are_down_the_fallback_rings_after_a_minute_and_nothing_is_lost(
    tower: Tower, rung: Rung
) -> None:
    async with tower(STEPS) as engine:
        await falls(tower.chat, engine)
        await falls(tower.radio, engine)
        subject = await engine.report(fires())
        await engine.advance(seconds=57.9)
        assert rung() == []
        await engine.advance(seconds=0.1)
        await engine.run.settled()
        assert rung() == [f"{subject} {FACT} · !ack {subject}"]
        assert await pages(engine) == ["page.failed console/person/alice"]
        await engine.advance(minutes=3, seconds=2)
        assert len(rung()) == 1
        await rises(tower.radio, engine)
        await rises(tower.chat, engine)
        old = f"{subject} (4 min ago) {FACT} · !ack {subject}"
        assert tower.chat.texts("person/alice") == tower.radio.texts("person/alpha") == [old]
        told = f"{subject} (3 min ago) page to alice failed: not taken within a minute; the fallback rings"
        assert told in tower.chat.texts(ROOM)
        assert await pages(engine) == [
            "page.failed console/person/alice",
            "page.delivered radio/person/alpha",
        ]


async def test_who_is_nowhere_at_all_is_given_up_at_once_and_once(tower: Tower, rung: Rung) -> None:
    async with tower(STEPS) as engine:
        tower.chat.fails, tower.radio.fails = away("alice"), away("alpha")
        subject = await engine.report(fires())
        assert rung() == [f"{subject} {FACT} · !ack {subject}"]
        assert tower.chat.pages() == ["03:00:00 bob"]  # the next step comes at once
        assert await pages(engine) == ["page.failed radio/person/alpha"]
        await engine.advance(minutes=3)
        assert (len(rung()), len(await pages(engine))) == (1, 1)
        await rises(tower.chat, engine)
        await rises(tower.radio, engine)
        assert await pages(engine) == [
            "page.failed radio/person/alpha",
            "page.delivered console/person/alice",
        ]


async def test_who_is_nowhere_on_the_one_while_the_other_is_down_is_given_up_at_once(
    tower: Tower, rung: Rung
) -> None:
    async with tower(STEPS) as engine:
        await falls(tower.radio, engine)
        tower.chat.fails = away("alice")
        await engine.report(fires())
        assert len(rung()) == 1
        assert await pages(engine) == ["page.failed console/person/alice"]


async def test_what_was_answered_meanwhile_is_not_said_when_a_network_is_back(tower: Tower) -> None:
    async with tower(STEPS) as engine:
        await falls(tower.chat, engine)
        answered = await engine.report(fires())
        rings = await engine.report(fires(key="another"))
        await asks_on(tower.radio, engine, "alpha", f"ack {answered}")
        await engine.advance(minutes=4)
        await rises(tower.chat, engine)
        called = [text for text in tower.chat.texts("person/alice") if "!ack" in text]
        assert called[0] == f"{rings} (4 min ago) {FACT} · !ack {rings}"
        assert not any(answered in text for text in called)
        assert f"{answered} acknowledged by alice, paging stops: {FACT}" in tower.chat.texts(ROOM)


async def test_after_an_answer_no_further_way_is_begun(tower: Tower) -> None:
    async with tower(STEPS) as engine:
        tower.chat.fails = down("alice")
        subject = await engine.report(fires())
        await engine.advance(seconds=10)
        await asks_on(tower.chat, engine, "bob", f"!ack {subject}", room="#ops")
        await engine.advance(minutes=2)
        assert tower.radio.pages() == []
        await asks_on(tower.chat, engine, "bob", f"!unack {subject}", room="#ops")
        await engine.advance(seconds=30)
        assert tower.radio.pages() == ["03:02:29 alpha"]  # that of the new first step


async def test_taken_back_within_20_seconds_it_is_said_elsewhere_once(tower: Tower) -> None:
    async with tower(STEPS) as engine:
        tower.chat.fails = down("alice")
        subject = await engine.report(fires())
        await engine.advance(seconds=5)
        for word in ("ack", "unack"):
            await asks_on(tower.chat, engine, "bob", f"!{word} {subject}", room="#ops")
        await engine.advance(minutes=2)
        assert tower.radio.pages() == ["03:00:24 alpha"]


async def test_what_is_over_goes_no_further_way(tower: Tower) -> None:
    async with tower(STEPS) as engine:
        tower.chat.fails = down("alice")
        await engine.report(fires())
        await engine.report(over())
        await engine.advance(minutes=2)
        assert tower.radio.pages() == []


CASES: dict[str, Callable[[Said], NetworkError | None]] = {
    "up": lambda _: None,
    "down": down(),
    "in doubt": in_doubt,
    "absent": away("alice", "alpha"),
}


@pytest.mark.parametrize("radio", ["up", "down", "absent"])
@pytest.mark.parametrize("console", CASES)
@pytest.mark.parametrize("dies_after", [0, 30])
async def test_killed_at_any_point_it_is_said_in_the_end_and_delivered_once(
    tower: Tower, console: str, radio: str, dies_after: int
) -> None:
    tower.chat.fails, tower.radio.fails = CASES[console], CASES[radio]
    alone = policy('{ page = "alice" }')
    async with tower(alone, crash=True) as engine:
        await engine.run.tocsin.turn(lambda tx: report(tx, fires()))
        if dies_after:
            await engine.advance(seconds=dies_after)
    tower.clock.move(timedelta(seconds=3))
    async with tower(alone) as engine:
        await engine.advance(seconds=100)
        usable = "up" in (console, radio)
        assert bool(tower.chat.pages() or tower.radio.pages()) is usable
        await rises(tower.chat, engine)
        await rises(tower.radio, engine)
        await engine.advance(seconds=30)
        delivered = [one for one in await pages(engine) if "delivered" in one]
        assert len(delivered) == 1
        failed = [one for one in await pages(engine) if "failed" in one]
        assert len(failed) == (0 if usable else 1)
        whole = (len(tower.chat.pages()), len(tower.radio.pages()))
        assert whole in ([(1, 0), (1, 1)] if console == "up" else [(1, 1)])
        for chat in (tower.chat, tower.radio):
            assert len({said.txn_id for said in chat.said if said.place.private}) <= 1


async def test_the_order_is_what_the_person_wants(tower: Tower) -> None:
    tower.people = tower.people.replace('"alpha"\n', '"alpha"\nways = "radio"\n')
    async with tower(STEPS) as engine:
        await falls(tower.radio, engine)
        await engine.report(fires())
        assert tower.chat.pages() == ["03:00:00 alice"]
        await rises(tower.radio, engine)
        await engine.report(fires(key="another"))
        assert (len(tower.chat.pages()), len(tower.radio.pages())) == (1, 2)
        [said] = await asks_on(tower.chat, engine, "alice", "me")
        assert said.endswith("your accounts: radio alpha and console alice")


async def test_each_way_has_a_code_of_its_own(tower: Tower) -> None:
    tower.people = tower.people.replace("radio", "irc").replace(
        'kind = "console"\n', 'server = "irc.example.org:6697"\nidentity = "codes"\n'
    )
    tower.people = tower.people.replace('"alpha"\n', '"alpha"\nways = "irc"\n')
    tower.radio = Chat("irc", clock=tower.clock)
    async with tower(STEPS) as engine:
        tower.radio.fails = in_doubt
        tower.radio.answer_lost = True
        subject = await engine.report(fires())
        await engine.advance(seconds=20)
        first = next(said.message for said in tower.radio.said if said.place.private)
        [second] = [said.message for said in tower.chat.said if said.place.private]
        assert second.command == f"!ack {subject}"
        assert subject not in first.command
        assert second.text == first.text


async def test_a_text_that_one_network_never_takes_is_said_elsewhere_as_it_is(tower: Tower) -> None:
    def poisoned(said: Said) -> NetworkError | None:
        return NetworkError("bad request") if FACT in str(said) and said.place.private else None

    async with tower(STEPS) as engine:
        tower.chat.fails = poisoned
        subject = await engine.report(fires())
        for _ in range(9):
            await asks_on(tower.chat, engine, "alice", "help")  # it takes all else
            await engine.advance(seconds=5)
        assert f"{subject} an alert, whose text could not be sent · !ack {subject}" in tower.chat.texts()
        assert tower.radio.texts("person/alpha") == [f"{subject} {FACT} · !ack {subject}"]
        assert len(await pages(engine)) == 1


async def test_in_a_storm_what_waits_its_turn_goes_no_other_way(tower: Tower) -> None:
    async with storming(tower, STEPS) as engine:
        await comes(engine, 50)
        await engine.advance(seconds=5)
        await comes(engine, 50, at=50)
        await engine.advance(seconds=30)
        await comes(engine, 50, at=100)
        await engine.advance(minutes=3)
        assert counts(tower.chat.texts("person/alice")) == 150
        assert tower.radio.pages() == []
        assert len(await pages(engine)) == 150


@pytest.mark.parametrize("known", [True, False])
async def test_a_storm_while_the_first_network_is_down_is_whole_on_the_other(
    tower: Tower, *, known: bool
) -> None:
    async with storming(tower, STEPS) as engine:
        if known:
            await falls(tower.chat, engine)
        tower.chat.fails = down()
        await comes(engine, 100)
        await engine.advance(seconds=25)
        assert counts(tower.radio.texts("person/alpha")) == 100
        assert len(tower.radio.pages()) <= 3
        await engine.advance(minutes=1)
        assert await pages(engine) == ["page.delivered radio/person/alpha"] * 100
        await rises(tower.chat, engine)
        await engine.advance(minutes=1)
        assert counts(tower.chat.texts("person/alice")) == 100
        assert len(await pages(engine)) == 100


async def test_what_a_storm_left_behind_is_marked_with_the_age_of_its_oldest(tower: Tower) -> None:
    async with storming(tower, policy('{ page = "alice" }')) as engine:
        await falls(tower.chat, engine)
        await comes(engine, 20)
        await engine.advance(minutes=3)
        await comes(engine, 20, at=20)
        await rises(tower.chat, engine)
        await engine.advance(seconds=5)
        texts = tower.chat.texts("person/alice")
        assert counts(texts) == 40
        assert any(" (up to 3 min ago) " in text for text in texts)


async def test_people_elsewhere_hear_once_that_a_network_is_down_and_that_it_is_back(tower: Tower) -> None:
    async with tower(STEPS) as engine:
        await engine.advance(minutes=1)
        await falls(tower.chat, engine)
        for _ in range(60):
            await engine.advance(seconds=1)
        begins = "console has been down since 03:01 UTC"
        ends = "who has an account elsewhere is paged there"
        assert tower.radio.texts() == [f"{begins} (no link): {ends}"]
        assert tower.radio.said[0].message.summary().text == f"{begins}: {ends}"
        await rises(tower.chat, engine)
        await engine.advance(seconds=5)
        await falls(tower.chat, engine)  # it flaps
        for _ in range(60):
            await engine.advance(seconds=1)
        assert len(tower.radio.texts()) == 1
        await rises(tower.chat, engine)
        for _ in range(30):
            await engine.advance(seconds=1)
        assert tower.radio.texts()[1:] == ["console is back: it was down from 03:01 to 03:03 UTC"]
        assert tower.chat.texts() == []


async def test_an_outage_of_a_few_seconds_is_not_worth_a_word(tower: Tower) -> None:
    async with tower(STEPS) as engine:
        for _ in range(5):
            await falls(tower.chat, engine)
            for _ in range(15):
                await engine.advance(seconds=1)
            await rises(tower.chat, engine)
            await engine.advance(seconds=1)
        assert tower.radio.texts() == []


async def test_nobody_hears_of_an_outage_long_after_it(tower: Tower) -> None:
    async with tower(STEPS) as engine:
        await falls(tower.chat, engine)
        await falls(tower.radio, engine)
        for _ in range(60):
            await engine.advance(seconds=1)
        await rises(tower.chat, engine)
        await rises(tower.radio, engine)
        await engine.advance(minutes=1)
        assert tower.chat.texts() == tower.radio.texts() == []


async def test_who_handed_over_the_pager_is_paged_by_no_further_way(tower: Tower) -> None:
    async with tower(STEPS, "[plugins.handoff]\n") as engine:
        tower.chat.fails = in_doubt
        await engine.report(fires())
        await engine.advance(seconds=5)
        tower.chat.fails = lambda _: None
        await engine.says("bob", "!take alice 30m", room="#ops")
        await engine.advance(minutes=3)
        [told] = tower.radio.texts("person/alpha")
        assert told.startswith("bob has your pager")
        assert "03:00:05 bob" in tower.chat.pages()
