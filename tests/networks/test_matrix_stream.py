"""Matrix: what is said is heard once, whatever happens to us meanwhile."""

import pytest

from tocsin.networks.matrix import syncing

from tests.networks.ears import Ear, on
from tests.networks.matrix_account import account_of, logs_in
from tests.networks.matrix_peers import World, private, refuses
from tests.servers.matrix_proxy import Proxy


def standing_at(position: str) -> Ear:
    ear = Ear()
    ear.stands_at = position
    return ear


async def was_there(world: World) -> str:
    """Be there once; where the stream stands."""
    async with on(world.network()) as ear:
        await ear.is_up()
    assert ear.stands_at
    return ear.stands_at


async def test_what_was_said_before_the_first_start_is_not_heard(world: World) -> None:
    await world.alice.says(world.room, "!ack old")
    async with on(world.network()) as ear:
        await ear.is_up()
        await world.alice.says(world.room, "!ack new")
        await ear.hears("!ack new")
        assert len(ear.lines) == 1


async def test_what_was_said_while_it_was_away_is_heard_in_its_order(world: World) -> None:
    position = await was_there(world)
    texts = [f"line {number}" for number in range(230)]  # more than a homeserver tells at once
    for text in texts:
        await world.alice.says(world.room, text)
    await world.bob.says(world.private[world.bob.id], "!ack k7f3")
    async with on(world.network(), standing_at(position)) as ear:
        await ear.hears("!ack k7f3")
        await ear.hears(texts[-1])
        assert [line.text for line in ear.lines if not line.place.private] == texts
        assert [line.position for line in ear.lines[:-1]] == [""] * 230
        assert ear.lines[-1].position not in {"", position}


async def test_it_goes_no_further_back_than_it_may(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syncing, "MOST_MISSED", 20)
    monkeypatch.setattr(syncing, "PAGE", 10)
    monkeypatch.setattr(syncing, "FILTER", {**syncing.FILTER, "room": {"timeline": {"limit": 5}}})
    position = await was_there(world)
    for number in range(40):
        await world.alice.says(world.room, f"line {number}")
    async with on(world.network(), standing_at(position)) as ear:
        await ear.hears("line 39")
        assert [line.text for line in ear.lines] == [f"line {number}" for number in range(15, 40)]
        assert [world.room in text and "may not be heard" in text for text in ear.told] == [True]


async def test_a_room_that_the_homeserver_can_not_show_keeps_no_other_from_being_heard(
    world: World, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syncing, "FILTER", {**syncing.FILTER, "room": {"timeline": {"limit": 2}}})
    position = await was_there(world)
    for number in range(5):
        await world.alice.says(world.room, f"line {number}")
    await world.bob.says(world.private[world.bob.id], "!ack k7f3")
    proxy.answers = lambda request: (500, {}) if request.path.endswith("/messages") else None
    async with on(world.network(homeserver=proxy.url), standing_at(position)) as ear:
        await ear.hears("!ack k7f3")
        assert [line.text for line in ear.lines if not line.place.private] == ["line 3", "line 4"]
        assert [world.room in text and "may not be heard" in text for text in ear.told] == [True]
        assert proxy.count("/messages") == syncing.MOST_TRIES


async def test_where_nothing_is_lost_nothing_is_asked_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syncing, "FILTER", {**syncing.FILTER, "room": {"timeline": {"limit": 2}}})
    async with on(world.network()) as ear:
        await ear.is_up()
        for number in range(10):
            await world.alice.says(world.room, f"line {number}")
        await ear.hears("line 9")
        assert [line.text for line in ear.lines] == [f"line {number}" for number in range(10)]


async def test_a_crash_before_the_position_was_kept_repeats_the_same_lines(world: World) -> None:
    position = await was_there(world)
    await world.alice.says(world.room, "!ack k7f3")
    async with on(world.network(), standing_at(position)) as ear:
        [first] = await ear.hears("!ack k7f3")
    async with on(world.network(), standing_at(position)) as ear:
        [again] = await ear.hears("!ack k7f3")
    assert again.id == first.id
    async with on(world.network(), standing_at(first.position)) as ear:
        await ear.is_up()
        await world.alice.says(world.room, "next")
        await ear.hears("next")
        assert len(ear.lines) == 1


async def test_a_stop_in_order_keeps_where_it_stood(world: World) -> None:
    async with on(world.network()) as ear:
        await ear.is_up()
        await world.alice.says(world.room, "one")
        [line] = await ear.hears("one")
        await world.alice.says(world.room, "no line", kind="m.notice")
        await world.alice.says(world.private[world.alice.id], "no line", kind="m.notice")
    async with on(world.network(), standing_at(ear.stands_at or line.position)) as later:
        await later.is_up()
        await world.alice.says(world.room, "two")
        await later.hears("two")
        assert [line.text for line in later.lines] == ["two"]
    assert line.position


async def test_shut_out_while_it_hands_lines_on_it_hands_them_on_again(world: World) -> None:
    position = await was_there(world)
    for text in ("one", "two", "three"):
        await world.alice.says(world.room, text)
    network = world.network()
    ear = standing_at(position)
    async with on(network, ear):
        await ear.hears("three")
        for text in ("!ack k7f3", "!ack k7f4"):
            ear.gate.clear()
            await world.alice.says(world.room, text)
        await ear.hears("!ack k7f3")
        world.synapse.revoke(world.bot)
        await refuses(network, world.ops)
        await ear.knows(lambda: ear.downs)
        ear.gate.set()
        account = account_of(world.synapse, world.bot, world.folder / "TOCSIN")
        account.keep(logs_in(world.synapse, world.bot))
        await ear.hears("!ack k7f3", times=2)
        await ear.hears("!ack k7f4")


async def test_a_line_that_is_not_taken_keeps_no_other_from_being_heard(world: World) -> None:
    position = await was_there(world)
    for text in ("one", "two", "three"):
        await world.alice.says(world.room, text)
    ear = standing_at(position)
    ear.refuses = "two"
    async with on(world.network(), ear):
        await ear.hears("three")
        assert [line.text for line in ear.lines] == ["one", "three"]


async def test_what_was_said_in_a_room_before_we_came_is_not_said_to_us(world: World) -> None:
    other = await world.alice.create("other")
    await world.alice.says(other, "!ack before")
    async with on(world.network(rooms=[other])) as ear:
        await ear.is_up()
        await world.alice.says(other, "!ack between")
        await world.alice.invite(other, world.bot.user_id)
        await ear.is_up_for(2)
        await world.alice.says(other, "!ack after")
        await ear.hears("!ack after")
        assert [line.text for line in ear.lines] == ["!ack after"]


async def test_a_position_that_the_homeserver_does_not_know_is_given_up(world: World) -> None:
    async with on(world.network(), standing_at("s1_nonsense")) as ear:
        await ear.is_up()
        await world.alice.says(world.private[world.alice.id], "hello")
        [line] = await ear.hears("hello")
        assert line.place == private(world.alice.id)
        assert [text for text in ear.told if "may not be heard" in text]


async def test_an_answer_counts_whoever_leaves_right_after_it(world: World) -> None:
    position = await was_there(world)
    room = world.private[world.alice.id]
    await world.alice.says(room, "!ack k7f3")
    await world.alice.leave(room)
    await world.alice.says(world.room, "!ack 2222")
    await world.alice.leave(world.room)
    async with on(world.network(), standing_at(position)) as ear:
        [line] = await ear.hears("!ack k7f3")
        assert (line.place, line.account) == (private(world.alice.id), world.alice.id)
        [line] = await ear.hears("!ack 2222")
        assert (line.place, line.account) == (world.ops, world.alice.id)


@pytest.mark.parametrize("much", [0, 600])
async def test_an_answer_counts_whoever_comes_right_after_it(world: World, much: int) -> None:
    """much: so many lines that the homeserver leaves out where it was said."""
    position = await was_there(world)
    room = world.private[world.alice.id]
    await world.alice.says(room, "!ack k7f3")
    await world.alice.invite(room, world.mallory.id)
    await world.mallory.join(room)
    await world.alice.says(room, "!ack mallory-reads-it")
    for number in range(much):
        await world.alice.says(room, f"{number}")
    await world.alice.says(world.room, "that was all")
    async with on(world.network(), standing_at(position)) as ear:
        await ear.hears("that was all")
        assert [(line.text, line.place) for line in ear.lines if "ack" in line.text] == [
            ("!ack k7f3", private(world.alice.id))
        ]


async def test_what_a_third_person_reads_is_not_said_in_private_even_if_they_have_left_since(
    world: World,
) -> None:
    position = await was_there(world)
    room = world.private[world.alice.id]
    await world.alice.invite(room, world.mallory.id)
    await world.mallory.join(room)
    await world.alice.says(room, "!ack 2222")
    await world.mallory.leave(room)
    await world.alice.says(room, "!ack k7f3")
    async with on(world.network(), standing_at(position)) as ear:
        await ear.hears("!ack k7f3")
        assert [line.text for line in ear.lines] == ["!ack k7f3"]
