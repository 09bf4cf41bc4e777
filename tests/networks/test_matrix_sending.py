"""Matrix: what is said is said once, in good order, and no faster than the homeserver takes it."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from tocsin.domain.message import Message
from tocsin.errors import NetworkError
from tocsin.networks.base import Rank

from tests.networks.contract import PAGE
from tests.networks.ears import on
from tests.networks.matrix_peers import World, now, private, refuses, say
from tests.servers.matrix_proxy import Proxy, Request
from tests.servers.programs import running
from tests.servers.synapse import Synapse


def is_put(request: Request) -> bool:
    return request.method == "PUT" and "/send/" in request.path


async def test_a_message_whose_answer_was_lost_is_one_event(world: World, proxy: Proxy) -> None:
    network = world.network(homeserver=proxy.url)
    async with on(network) as ear:
        await ear.is_up()
        proxy.loses = is_put
        error = await refuses(network, world.ops)
        assert (error.unsent, error.permanent) == (False, False)
        proxy.loses = lambda _: False
        receipt = await say(network, world.ops, tried=now())
        assert await world.got(world.alice, world.room) == [PAGE.first_line()]
        assert world.alice.messages(world.room, world.bot.user_id)[0].id == receipt


async def test_what_was_tried_long_ago_is_looked_for(world: World, proxy: Proxy) -> None:
    network = world.network(homeserver=proxy.url)
    async with on(network) as ear:
        await ear.is_up()
        receipt = await say(network, world.ops, txn_id="one")
        for number in range(120):
            await world.alice.says(world.room, f"{number}")
        puts = proxy.count("/send/", "PUT")
        assert await say(network, world.ops, txn_id="one", tried=now() - timedelta(days=2)) == receipt
        assert proxy.count("/send/", "PUT") == puts
        assert await say(network, world.ops, txn_id="other", tried=now() - timedelta(days=2)) != receipt
        assert proxy.count("/send/", "PUT") == puts + 1


async def test_what_puts_something_right_stands_in_its_place(world: World) -> None:
    network = world.network(reactions=False)
    async with on(network) as ear:
        await ear.is_up()
        receipt = await say(network, world.ops)
        await say(network, world.ops, Message("acked by alice"), "2", rank=Rank.EDIT, amends=receipt)
        assert await world.got(world.alice, world.room) == [PAGE.first_line()]
        [event] = world.alice.messages(world.room, world.bot.user_id)
        assert world.alice.now(event) == "acked by alice"


async def test_what_is_put_right_rings_nobody_and_is_still_what_it_was(world: World) -> None:
    network = world.network(reactions=False)
    async with on(network) as ear:
        await ear.is_up()
        alice = private(world.alice.id)
        said = [
            (await say(network, alice, txn_id="1"), alice, "m.text"),
            (await say(network, world.ops, txn_id="2"), world.ops, "m.text"),
            (await say(network, world.ops, txn_id="3", rank=Rank.NEWS), world.ops, "m.notice"),
        ]
        done = list[str]()
        for receipt, place, kind in said:
            await say(network, place, Message("acked"), f"{receipt}-edit", rank=Rank.EDIT, amends=receipt)
            await world.alice.sees("acked", times=len(done) + 1)
            [edit] = world.alice.related(receipt)
            done.append(edit.id)
            shown = edit.content["m.new_content"]
            assert (edit.content["msgtype"], shown["msgtype"]) == ("m.notice", kind)
            assert edit.content["m.mentions"] == shown["m.mentions"] == {}


async def test_in_a_room_nobody_is_called_by_name(world: World) -> None:
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        await say(network, world.ops)
        await say(network, world.ops, Message("news"), "2", rank=Rank.NEWS)
        await world.alice.sees("news")
        page, news = world.alice.messages(world.room, world.bot.user_id)
        assert (page.content["msgtype"], news.content["msgtype"]) == ("m.text", "m.notice")
        assert page.content["m.mentions"] == news.content["m.mentions"] == {}


@pytest.mark.parametrize(
    ("status", "code", "unsent", "permanent"),
    [
        (413, "M_TOO_LARGE", False, True),
        (400, "M_BAD_JSON", False, True),
        (500, "M_UNKNOWN", False, False),
        (502, "", False, False),
        (403, "M_FORBIDDEN", True, False),
    ],
)
async def test_refusals_are_told_apart(
    world: World, proxy: Proxy, status: int, code: str, *, unsent: bool, permanent: bool
) -> None:
    network = world.network(homeserver=proxy.url)
    async with on(network) as ear:
        await ear.is_up()
        proxy.answers = lambda request: (status, {"errcode": code}) if is_put(request) else None
        error = await refuses(network, world.ops)
        assert (error.unsent, error.permanent) == (unsent, permanent)
        assert ear.downs == []


async def test_whom_it_may_not_write_to_is_absent(world: World, proxy: Proxy) -> None:
    network = world.network(homeserver=proxy.url)
    async with on(network) as ear:
        await ear.is_up()
        proxy.answers = lambda request: (403, {"errcode": "M_FORBIDDEN"}) if is_put(request) else None
        error = await refuses(network, private(world.alice.id))
        assert (error.absent, error.unsent) == (True, True)


async def test_asked_to_wait_nobody_speaks_before_and_then_the_best_first(world: World, proxy: Proxy) -> None:
    network = world.network(homeserver=proxy.url, reactions=False)
    refusal = (429, {"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 700})
    async with on(network) as ear:
        await ear.is_up()
        proxy.answers = lambda request: refusal if is_put(request) else None
        error = await refuses(network, world.ops)
        assert (error.unsent, error.retry_after) == (True, timedelta(seconds=0.7))
        proxy.answers = lambda _: None
        news = [
            asyncio.create_task(say(network, world.ops, Message(f"{n}"), f"{n}", rank=Rank.NEWS))
            for n in range(10)
        ]
        await asyncio.sleep(0)
        await say(network, private(world.alice.id))
        await asyncio.gather(*news)
        puts = [request for request in proxy.requests if is_put(request)]
        assert all(put.at - puts[0].at > 0.7 for put in puts[1:])
        assert world.private[world.alice.id] in puts[1].path.replace("%21", "!")


async def test_with_the_limits_of_a_homeserver_as_it_comes_it_is_refused_once_at_most(tmp_path: Path) -> None:
    with running(Synapse(tmp_path / "synapse", limits=True)) as synapse:
        async with World(synapse, tmp_path) as world, Proxy(synapse.url) as proxy:
            world.joins(world.room)
            world.names.clear()  # rooms that are made for people count like messages
            network = world.network(homeserver=proxy.url, burst=10, pace=timedelta(seconds=5))
            async with on(network) as ear:
                await ear.is_up()
                sends = [
                    asyncio.create_task(say(network, world.ops, Message(f"{n}"), f"{n}", rank=Rank.NEWS))
                    for n in range(30)
                ]
                await asyncio.wait(sends, timeout=2)
                async with asyncio.timeout(5):
                    await say(network, world.ops, txn_id="a page")
                for each in sends:
                    each.cancel()
                await asyncio.gather(*sends, return_exceptions=True)
                puts = [request.status for request in proxy.requests if is_put(request)]
                assert set(puts) == {200}
                assert len(puts) <= 10  # two are kept for pages; one more may follow after five seconds


@pytest.mark.alone
async def test_a_storm_past_the_limits_is_never_hammered(tmp_path: Path) -> None:
    with running(Synapse(tmp_path / "synapse", limits=True)) as synapse:
        async with World(synapse, tmp_path) as world, Proxy(synapse.url) as proxy:
            world.joins(world.room)
            network = world.network(homeserver=proxy.url)  # as if there were none
            async with on(network) as ear:
                await ear.is_up()
                results = await asyncio.gather(
                    *(say(network, world.ops, Message(f"{n}"), f"{n}", rank=Rank.NEWS) for n in range(30)),
                    return_exceptions=True,
                )
                refused = [error for error in results if isinstance(error, NetworkError)]
                assert refused
                assert all(error.unsent for error in refused)
                wait = min(error.retry_after.total_seconds() for error in refused if error.retry_after)
                puts = [request for request in proxy.requests if is_put(request)]
                shut_at = 0.0
                for put in sorted(puts, key=lambda put: put.at):
                    assert not shut_at or put.at < shut_at + 0.5 or put.at > shut_at + wait - 0.1, (
                        "it did not wait"
                    )
                    if put.status == 429:
                        shut_at = put.at


async def test_before_it_is_connected_nothing_can_be_said(world: World) -> None:
    network = world.network()
    error = await refuses(network, world.ops)
    assert (error.unsent, error.permanent) == (True, False)
    assert not network.reaches(world.alice.id)


async def test_a_room_that_is_none_of_ours_hears_nothing(world: World) -> None:
    other = await world.alice.create(invite=[world.bot.user_id, world.bob.id])
    world.joins(other)
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        await refuses(network, type(world.ops)("matrix", other))
        await world.alice.says(other, "!ack k7f3")
        await world.alice.says(world.room, "that was all")
        await ear.hears("that was all")
        assert len(ear.lines) == 1
