"""What is said when a network comes back that heard nothing meanwhile."""

from tocsin.errors import NetworkError

from tests.engine import Engine, Start, alert, fires


async def breaks_off(engine: Engine, minutes: float) -> None:
    """The network is gone for so long."""
    assert engine.chat.listener
    engine.chat.listener.down("console", "the cable is cut")
    await engine.run.settled()
    await engine.advance(minutes=minutes)
    engine.chat.listener.up("console")
    await engine.run.settled()


def gaps(engine: Engine, place: str = "room/#ops") -> list[str]:
    return [text for text in engine.chat.texts(place) if "heard nothing" in text]


async def test_after_a_gap_people_hear_from_when_to_when_and_what_still_rings(start: Start) -> None:
    start.chat.deaf_while_away = True
    async with start() as engine:
        subject = await engine.report(fires())
        await engine.advance(minutes=2)
        await breaks_off(engine, 2)
        text = f"I was away 03:02\u201303:04 UTC and heard nothing; {subject} still rings · !ack {subject}"
        assert gaps(engine) == [text]
        assert gaps(engine, "person/alice") == [text]
        assert gaps(engine, "person/bob") == []


async def test_it_names_only_what_still_rings_and_each_person_only_theirs(start: Start) -> None:
    start.chat.deaf_while_away = True
    async with start() as engine:
        first, second, third = [await engine.report(fires(alert(key), key=key)) for key in ("a", "b", "c")]
        await engine.says("alice", f"!ack {second}")
        await breaks_off(engine, 1)
        assert gaps(engine) == [
            f"I was away 03:00\u201303:01 UTC and heard nothing; {first} and {third} still ring · !alerts"
        ]
        await engine.says("alice", "!ack mine")
        await breaks_off(engine, 1)
        assert gaps(engine)[-1] == "I was away 03:01\u201303:02 UTC and heard nothing"
        assert len(gaps(engine, "person/alice")) == 1


async def test_very_many_are_counted(start: Start) -> None:
    start.chat.deaf_while_away = True
    async with start() as engine:
        for number in range(20):
            await engine.report(fires(alert(str(number)), key=str(number)))
        await breaks_off(engine, 1)
        [text] = gaps(engine)
        assert text.endswith(" heard nothing; 20 alerts still ring · !alerts")


async def test_where_nothing_is_open_a_gap_is_not_worth_a_word(start: Start) -> None:
    start.chat.deaf_while_away = True
    async with start() as engine:
        await breaks_off(engine, 5)
        assert engine.chat.texts() == []


async def test_a_network_that_forgets_nothing_says_nothing(start: Start) -> None:
    async with start() as engine:
        await engine.report(fires())
        await breaks_off(engine, 5)
        assert gaps(engine) == []


async def test_after_a_start_it_is_only_known_until_when(start: Start) -> None:
    start.chat.deaf_while_away = True
    async with start(crash=True) as engine:
        subject = await engine.report(fires())
    async with start() as engine:
        assert (
            gaps(engine)[-1]
            == f"I was away until 03:00 UTC and heard nothing; {subject} still rings · !ack {subject}"
        )


async def test_being_up_twice_is_no_gap(start: Start) -> None:
    start.chat.deaf_while_away = True
    async with start() as engine:
        await engine.report(fires())
        assert engine.chat.listener
        engine.chat.listener.up("console")
        await engine.run.settled()
        assert gaps(engine) == []


async def test_what_a_network_has_to_tell_is_told_in_the_rooms(start: Start) -> None:
    async with start() as engine:
        assert engine.chat.listener
        engine.chat.listener.tell("I am not in #ops on irc: we are banned there")
        await engine.run.settled()
        assert engine.chat.texts() == ["I am not in #ops on irc: we are banned there"]


async def test_why_a_network_is_down_is_one_line_of_text(start: Start) -> None:
    async with start() as engine:
        assert engine.chat.listener
        engine.chat.listener.down("console", "the server says: \x1b[2Jbye\r\nall is well")
        [said] = engine.run.daemon.ears.standing.values()
        assert said == "the server says: [2Jbye all is well"


async def test_what_is_no_command_takes_no_turn(start: Start) -> None:
    async with start() as engine:
        for text in ("hello", "tocsin is fine", "> !ack"):
            await engine.says("alice", text, room="#ops")
        await engine.says("mallory", "!foobarbaz 1", room="#ops")
        assert await engine.sql("select count(*) from inbox") == [(0,)]
        await engine.says("alice", "!alerts", room="#ops")
        assert await engine.sql("select count(*) from inbox") == [(1,)]


async def test_the_gap_is_told_before_the_pages_that_waited_and_only_the_last_one(start: Start) -> None:
    start.chat.deaf_while_away = True
    start.chat.fails = lambda _: NetworkError("not connected", unsent=True)
    async with start(crash=True) as engine:
        first = await engine.report(fires(alert("a"), key="a"))
    async with start() as engine:
        second = await engine.report(fires(alert("b"), key="b"))
        assert engine.chat.listener
        engine.chat.listener.down("console", "the cable is cut")
        await engine.advance(minutes=1)
        start.chat.fails = lambda _: None
        engine.chat.listener.up("console")
        await engine.run.settled()
        assert engine.chat.texts("room/#ops")[0] == gaps(engine)[0]
        assert len(gaps(engine)) == 1
        assert f"; {first} and {second} still ring" in gaps(engine)[0]
