"""Matrix: what people say counts as what, and as whose."""

import asyncio
from datetime import timedelta

import pytest

from tocsin.domain.message import Message
from tocsin.networks.base import Rank
from tocsin.networks.matrix import network as matrix
from tocsin.networks.matrix.network import Matrix

from tests.networks.contract import PAGE
from tests.networks.ears import Ear, on
from tests.networks.matrix_peers import World, now, private, say
from tests.processes import PATIENCE
from tests.servers.matrix_proxy import Proxy
from tests.servers.matrix_user import Event, editing, text


async def page(world: World, network: Matrix) -> Event:
    """A page to alice in private, as she sees it."""
    receipt = await say(network, private(world.alice.id))
    [event] = await world.alice.sees(lambda event: event.id == receipt)
    return event


async def last(ear: Ear, world: World) -> None:
    """Wait until all that was said so far was heard."""
    await world.alice.says(world.room, "that was all")
    await ear.hears("that was all")


async def test_a_reply_is_about_the_message_of_ours_that_it_answers(world: World) -> None:
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        event = await page(world, network)
        await world.alice.replies(event, "ack", quoting=True)
        [line] = await ear.hears("ack")
        assert (line.about, line.place, line.account) == (event.id, private(world.alice.id), world.alice.id)
        assert not line.tapped
        assert line.at is not None
        assert now() - timedelta(minutes=1) < line.at <= now()


async def test_what_is_said_in_the_thread_of_a_message_of_ours_is_about_that(world: World) -> None:
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        event = await page(world, network)
        first = await world.alice.threads(event, "one")
        await world.alice.threads(event, "two", answers=first)
        assert [line.about for text in ("one", "two") for line in await ear.hears(text)] == [event.id] * 2


async def test_a_reply_to_somebody_else_is_about_nothing(world: World) -> None:
    async with on(world.network()) as ear:
        await ear.is_up()
        event_id = await world.bob.says(world.room, "lunch?")
        [event] = await world.alice.sees(lambda event: event.id == event_id)
        await world.alice.replies(event, "ack")
        await world.alice.reacts(event, "✅")
        await last(ear, world)
        [line] = await ear.hears("ack")
        assert line.about == ""
        assert not [line for line in ear.lines if line.tapped]


async def test_who_said_what_before_we_were_started_is_found_out(world: World) -> None:
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        event = await page(world, network)
        other_id = await world.alice.says(event.room, "hm")
        await ear.hears("hm")
        stands_at = ear.stands_at = ear.lines[-1].position
    [other] = await world.alice.sees(lambda event: event.id == other_id)
    again = Ear()
    again.stands_at = stands_at
    async with on(world.network(), again) as ear:
        await ear.is_up()
        await world.alice.replies(other, "not ours")
        await world.alice.replies(event, "ours")
        assert [line.about for line in await ear.hears("ours")] == [event.id]
        assert [line.about for line in await ear.hears("not ours")] == [""]


@pytest.mark.parametrize("encrypted", [False, True])
async def test_what_was_said_as_we_fell_is_known_by_its_own_id(world: World, *, encrypted: bool) -> None:
    if encrypted:
        algorithm = {"algorithm": "m.megolm.v1.aes-sha2"}
        await world.alice.set_state(world.private[world.alice.id], "m.room.encryption", algorithm)
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        receipt = await network.send(
            private(world.alice.id), Message("page"), "row 7", tried=None, rank=Rank.PAGE
        )
        [event] = await world.alice.sees(lambda event: event.id == receipt)
        await world.alice.replies(event, "ack")
        await world.alice.reacts(event, "✅")
        for text in ("ack", "✅"):
            [line] = await ear.hears(text)
            assert (line.about, line.about_id) == (event.id, "row 7")
        stands_at = ear.lines[-1].position
    again = Ear()
    again.stands_at = stands_at
    async with on(world.network(), again) as ear:
        await ear.is_up()
        await world.alice.replies(event, "ack it")
        [line] = await ear.hears("ack it")
        assert (line.about, line.about_id) == (event.id, "row 7")


async def test_where_it_can_not_be_found_out_who_said_it_a_tap_is_heard(world: World) -> None:
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        event = await page(world, network)
        await world.alice.says(event.room, "hm")
        await ear.hears("hm")
    again = Ear()
    again.stands_at = ear.lines[-1].position
    async with Proxy(world.synapse.url) as proxy, on(world.network(homeserver=proxy.url), again) as ear:
        await ear.is_up()
        proxy.answers = lambda request: (500, {}) if "/event/" in request.path else None
        await world.alice.reacts(event, "✅")
        [line] = await ear.hears("✅")
        assert (line.about, line.tapped) == (event.id, True)


async def test_a_tap_is_about_the_message_under_which_it_is(world: World) -> None:
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        event = await page(world, network)
        tap = await world.alice.reacts(event, "👍🏽")
        [line] = await ear.hears("👍🏽")
        assert (line.id, line.about, line.tapped, line.account) == (tap, event.id, True, world.alice.id)
        gone = await world.alice.redacts(event.room, tap)
        await ear.knows(lambda: any(line.takes_back for line in ear.lines))
        [line] = [line for line in ear.lines if line.takes_back]
        assert (line.id, line.takes_back, line.account, line.text) == (gone, tap, world.alice.id, "")


async def test_no_taps_where_they_are_switched_off(world: World) -> None:
    network = world.network(reactions=False)
    async with on(network) as ear:
        await ear.is_up()
        event = await page(world, network)
        await world.alice.reacts(event, "✅")
        await last(ear, world)
        assert not [line for line in ear.lines if line.tapped]


async def test_notices_emotes_and_pictures_are_no_lines(world: World) -> None:
    async with on(world.network()) as ear:
        await ear.is_up()
        for kind in ("m.notice", "m.emote", "m.image", "m.location"):
            await world.alice.says(world.room, "!ack k7f3", kind=kind)
        for odd in ({"msgtype": "test.odd", "body": "!ack"}, {"msgtype": "m.text", "body": " > !ack"}):
            await world.alice.send(world.room, "m.room.message", odd)
        await world.alice.send(world.room, "m.reaction", {"m.relates_to": {"rel_type": "m.annotation"}})
        await world.alice.send(world.room, "test.unknown", {"body": "!ack k7f3"})
        await last(ear, world)
        assert len(ear.lines) == 1


async def test_an_edit_into_a_command_is_answered_once_and_does_nothing(world: World) -> None:
    async with on(world.network()) as ear:
        await ear.is_up()
        event_id = await world.alice.says(world.room, "ack k7f3")
        for body in ("!ack k7f3", "!ack k7f4"):
            await world.alice.send(
                world.room, "m.room.message", {**text(f"* {body}"), **editing(event_id, text(body))}
            )
        await last(ear, world)
        [answer] = await world.alice.sees("I don't read edits")
        assert answer.content["msgtype"] == "m.notice"
        assert [line.text for line in ear.lines] == ["ack k7f3", "that was all"]
        await world.alice.sync()
        assert len(world.alice.said_by(world.bot.user_id, world.room)) == 1


@pytest.mark.parametrize("name", ["{us}", "{us}:tocsin.test", "Tócsin Ω"])
async def test_it_knows_by_which_of_its_names_it_is_called(world: World, name: str) -> None:
    name = f"@{world.bot.user_id[1:]}" if ":" in name else name.format(us=world.us)
    world.call("PUT", f"/profile/{world.bot.user_id}/displayname", {"displayname": "Tócsin Ω"})
    async with on(world.network()) as ear:
        await ear.is_up()
        await world.alice.says(world.room, f"{name}: ack k7f3")
        [line] = await ear.hears(f"{name}: ack k7f3")
        assert line.us == name


async def test_whoever_is_only_called_like_somebody_is_not_them(world: World) -> None:
    async with on(world.network()) as ear:
        await ear.is_up()
        await world.mallory.set_name(world.alice.id)
        await world.mallory.says(world.room, "!ack k7f3")
        [line] = await ear.hears("!ack k7f3")
        assert (line.account, line.called) == (world.mallory.id, world.mallory.id)


async def test_what_is_seen_is_told_by_the_last_message_of_ours_before_it(world: World) -> None:
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        first = await page(world, network)
        hers_id = await world.alice.says(first.room, "hm")
        await ear.hears("hm")
        second_id = await say(network, private(world.alice.id), Message("more"), "second", rank=Rank.NEWS)
        [hers] = await world.alice.sees(lambda event: event.id == hers_id)
        [second] = await world.alice.sees(lambda event: event.id == second_id)
        await world.alice.has_read(hers)
        async with asyncio.timeout(PATIENCE):
            while len(ear.receipts) < 1:
                await asyncio.sleep(0.02)
        await world.alice.has_read(second)
        async with asyncio.timeout(PATIENCE):
            while len(ear.receipts) < 2:
                await asyncio.sleep(0.02)
        assert [(place, receipt) for place, receipt, _ in ear.receipts] == [
            (private(world.alice.id), first.id),
            (private(world.alice.id), second.id),
        ]
        assert all(now() - timedelta(minutes=1) < at <= now() for _, _, at in ear.receipts)


async def test_a_page_in_private_can_be_answered_by_a_tap(world: World) -> None:
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        event = await page(world, network)
        taps = await world.alice.sees(
            lambda other: other.type == "m.reaction" and other.relation[1] == event.id, times=2
        )
        assert [tap.content["m.relates_to"]["key"] for tap in taps] == ["✅", "⏫"]
        assert event.content["msgtype"] == "m.text"
        assert event.content["m.mentions"] == {"user_ids": [world.alice.id]}


async def test_what_is_to_be_tapped_comes_as_soon_as_there_is_room(
    world: World, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matrix, "TAPS_AGAIN", 0.1)
    proxy.answers = lambda request: (502, {}) if "/m.reaction/" in request.path else None
    network = world.network(homeserver=proxy.url)
    async with on(network) as ear:
        await ear.is_up()
        event = await page(world, network)
        async with asyncio.timeout(20):
            while proxy.count("/m.reaction/") < 3:
                await world.alice.sync()
        proxy.answers = lambda _: None
        await world.alice.sees(lambda tap: tap.type == "m.reaction" and tap.relation[1] == event.id, times=2)
        await say(network, private(world.alice.id), Message("that was all"), "2")
        await world.alice.sees("that was all")
        assert len([tap for tap in world.alice.events if tap.type == "m.reaction"]) == 2


async def test_nothing_else_is_to_be_tapped(world: World) -> None:
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        receipt = await say(network, private(world.alice.id), Message("no command"), "1")
        await say(network, private(world.alice.id), PAGE, "2", rank=Rank.NEWS)
        await say(network, world.ops, PAGE, "3")
        await say(network, private(world.alice.id), PAGE, "4", amends=receipt)
        await say(network, private(world.alice.id), Message("that was all"), "5")
        await world.alice.sees("that was all")
        await world.alice.sync()
        assert not [event for event in world.alice.events if event.type == "m.reaction"]
        [news] = [
            event
            for event in world.alice.events
            if event.shows(PAGE.text) and event.content["msgtype"] == "m.notice" and not event.relation[0]
        ]
        assert news.content["m.mentions"] == {}


async def test_what_is_to_be_tapped_comes_after_a_crash_and_stands_there_once(
    world: World, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.answers = lambda request: (502, {}) if "/m.reaction/" in request.path else None
    network = world.network(homeserver=proxy.url)
    async with on(network) as ear:
        await ear.is_up()
        event = await page(world, network)
    proxy.answers = lambda _: None
    monkeypatch.setattr(matrix, "TAPS_AGAIN", 0.1)
    for start in ("first", "second"):
        network = world.network(homeserver=proxy.url)
        async with on(network) as ear:
            asked = proxy.count("/m.reaction/")
            network.complete(private(world.alice.id), PAGE, "1", event.id)
            await ear.is_up()
            async with asyncio.timeout(PATIENCE):
                while proxy.count("/m.reaction/") < asked + 2:
                    await world.alice.sync()
            await say(network, private(world.alice.id), Message(f"the {start} start"), start)
            await world.alice.sees(f"the {start} start")
    taps = [tap.content["m.relates_to"]["key"] for tap in world.alice.events if tap.relation[1] == event.id]
    assert taps == ["✅", "⏫"]
