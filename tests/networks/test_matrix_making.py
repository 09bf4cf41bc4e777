"""Matrix: the rooms that Tocsin makes for one matter each."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import parse_qs

import pytest

from tocsin.domain.message import Place
from tocsin.errors import NetworkError
from tocsin.networks.matrix import making
from tocsin.networks.matrix.network import Matrix

from tests.networks.ears import Ear, on
from tests.networks.matrix_peers import World, private, say
from tests.processes import PATIENCE
from tests.servers.matrix_proxy import Proxy, Request
from tests.servers.matrix_user import User
from tests.servers.synapse import Refused

TITLE = "inc-42: nobody can pay"


@pytest.fixture
async def network(world: World) -> Matrix:
    return world.network(reactions=False)


@pytest.fixture
async def ear(network: Matrix) -> AsyncIterator[Ear]:
    """It is up."""
    async with on(network) as listening:
        await listening.is_up()
        yield listening


def rooms_made(world: World) -> int:
    """How many rooms Tocsin is in, beside the one of all and the two private ones."""
    return len(world.call("GET", "/joined_rooms")["joined_rooms"]) - 3


async def refused(user: User, *request: str, body: object = None) -> str:
    with pytest.raises(Refused) as caught:
        await user.call(*request, body=body)
    return caught.value.code


async def fails(asked: object) -> NetworkError:
    """Ask for something that can't be had: why."""
    with pytest.raises(NetworkError) as caught:
        await asked  # type: ignore[misc] # a coroutine of whatever type
    return caught.value


# What a room is like.


@pytest.mark.usefixtures("ear")
async def test_only_who_was_invited_comes_in(world: World, network: Matrix) -> None:
    room = await network.make_room("inc-42", TITLE, [world.alice.id])
    assert await world.alice.invited() == room
    await world.alice.join(room)
    assert await refused(world.mallory, "POST", "join", room) == "M_FORBIDDEN"
    assert await refused(world.bob, "POST", "join", room) == "M_FORBIDDEN"
    assert await world.alice.members(room) == {world.alice.id, world.bot.user_id}


@pytest.mark.usefixtures("ear")
async def test_it_is_encrypted_and_shows_what_was_said_since_they_were_invited(
    world: World, network: Matrix
) -> None:
    room = await network.make_room("inc-42", TITLE, [world.alice.id])
    await world.alice.join(room)
    for kind, content in {
        "m.room.encryption": {"algorithm": "m.megolm.v1.aes-sha2"},
        "m.room.history_visibility": {"history_visibility": "invited"},
        "m.room.join_rules": {"join_rule": "invite"},
        "m.room.name": {"name": TITLE},
    }.items():
        assert await world.alice.state(room, kind) == content
    assert (await world.alice.state(room, "m.room.topic"))["topic"] == TITLE
    assert (
        await refused(world.alice, "GET", "rooms", room, "state", "m.room.canonical_alias") == "M_NOT_FOUND"
    )


@pytest.mark.usefixtures("ear")
async def test_a_long_title_is_cut_in_the_name_and_whole_in_the_topic(world: World, network: Matrix) -> None:
    title = f"\x1b[2J{'nobody can pay ' * 10}\nat all"
    room = await network.make_room("inc-42", title, [world.alice.id])
    await world.alice.join(room)
    name = (await world.alice.state(room, "m.room.name"))["name"]
    topic = (await world.alice.state(room, "m.room.topic"))["topic"]
    assert len(name) <= 60
    assert name.endswith("…")
    assert topic.endswith("nobody can pay at all")
    assert topic.isprintable()


@pytest.mark.usefixtures("ear")
async def test_people_of_ours_say_what_it_is_about_and_invite_others_who_do_not(
    world: World, network: Matrix
) -> None:
    room = await network.make_room("inc-42", TITLE, [world.alice.id])
    await world.alice.join(room)
    await world.alice.set_state(room, "m.room.topic", {"topic": "the cards"})
    await world.alice.invite(room, world.mallory.id)
    await world.mallory.join(room)
    topic = ("rooms", room, "state", "m.room.topic")
    assert await refused(world.mallory, "PUT", *topic, body={"topic": "mine"}) == "M_FORBIDDEN"
    invitation = {"user_id": world.bob.id}
    assert await refused(world.mallory, "POST", "rooms", room, "invite", body=invitation) == "M_FORBIDDEN"
    for kind, content in {
        "m.room.name": {"name": "lunch"},
        "m.room.join_rules": {"join_rule": "public"},
        "m.room.history_visibility": {"history_visibility": "world_readable"},
    }.items():
        assert await refused(world.alice, "PUT", "rooms", room, "state", kind, body=content) == "M_FORBIDDEN"
    await network.invite(room, world.bob.id)
    await world.bob.join(room)
    await world.bob.set_state(room, "m.room.topic", {"topic": "bob too"})
    await world.bob.kick(room, world.mallory.id)


async def test_what_is_said_there_is_heard_and_we_speak_there(
    world: World, network: Matrix, ear: Ear
) -> None:
    room = await network.make_room("inc-42", TITLE, [world.alice.id])
    place = Place("matrix", room)
    await world.alice.join(room)
    await world.alice.says(room, "before anybody has said that it is ours")
    await ear.hears("before anybody has said that it is ours")
    network.be_in([room])
    await world.alice.says(room, "hello")
    [line] = await ear.hears("hello")
    assert line.place == place
    receipt = await say(network, place)
    [event] = await world.alice.sees(lambda event: event.id == receipt)
    assert event.type == "m.room.encrypted"


async def test_a_network_that_is_not_connected_makes_none(world: World) -> None:
    network = world.network()
    for asked in (
        network.make_room("inc-42", TITLE, []),
        network.invite(world.room, world.bob.id),
        network.entitle(world.room, TITLE),
    ):
        error = await fails(asked)
        assert (str(error), error.unsent, error.permanent) == (
            "not connected: not connected yet",
            True,
            False,
        )


# Once for each name.


@pytest.mark.usefixtures("ear")
async def test_asked_again_it_is_the_same_with_its_new_title(world: World, network: Matrix) -> None:
    room = await network.make_room("inc-42", TITLE, [world.alice.id])
    assert await network.make_room("inc-42", "the cards", [world.alice.id, world.bob.id]) == room
    await world.alice.join(room)
    assert await world.bob.invited() == room
    assert (await world.alice.state(room, "m.room.topic"))["topic"] == "the cards"
    assert await network.make_room("inc-43", TITLE, []) != room
    assert rooms_made(world) == 2


@pytest.mark.usefixtures("ear")
async def test_asked_twice_at_the_same_time_it_is_the_same(world: World, network: Matrix) -> None:
    asked = (network.make_room("inc-42", TITLE, [user.id]) for user in (world.alice, world.bob))
    assert len(set(await asyncio.gather(*asked))) == 1
    assert await world.alice.invited() == await world.bob.invited()
    assert rooms_made(world) == 1


@pytest.mark.parametrize("device", ["TOCSIN", "ANOTHER"], ids=["the same state", "all state lost"])
async def test_who_was_killed_once_it_was_made_finds_it_again(world: World, device: str) -> None:
    network = world.network()
    async with Proxy(world.synapse.url) as proxy:
        proxy.loses = lambda request: request.path.endswith("/createRoom")
        network = world.network(homeserver=proxy.url)
        async with on(network) as ear:
            await ear.is_up()
            asking = asyncio.create_task(network.make_room("inc-42", TITLE, [world.alice.id]))
            room = await world.alice.invited()
            asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asking
    network = world.network(device=device)
    async with on(network) as ear:
        await ear.is_up()
        assert await network.make_room("inc-42", TITLE, [world.alice.id, world.bob.id]) == room
        assert await world.bob.invited() == room
        assert rooms_made(world) == 1


async def test_a_room_of_which_the_answer_was_lost_is_found(world: World) -> None:
    async with Proxy(world.synapse.url) as proxy:
        proxy.loses = lambda request: request.path.endswith("/createRoom")
        network = world.network(homeserver=proxy.url)
        async with on(network) as ear:
            await ear.is_up()
            room = await network.make_room("inc-42", TITLE, [world.alice.id])
            assert await world.alice.invited() == room
            assert (proxy.count("/createRoom"), rooms_made(world)) == (1, 1)


async def test_while_it_may_still_come_no_other_is_made(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "TOLD_WITHIN", 0.1)
    async with Proxy(world.synapse.url) as proxy:
        proxy.answers = lambda request: (504, {}) if request.path.endswith("/createRoom") else None
        network = world.network(homeserver=proxy.url)
        async with on(network) as ear:
            await ear.is_up()
            assert str(await fails(network.make_room("inc-42", TITLE, []))) == "HTTP 504"
            error = await fails(network.make_room("inc-42", TITLE, []))
            assert str(error) == "whether the room for inc-42 was made is not known yet"
            assert error.retry_after
            assert proxy.count("/createRoom") == 1
            monkeypatch.setattr(making, "_now", lambda: asyncio.get_running_loop().time() + 61)
            proxy.answers = lambda _: None
            assert await network.make_room("inc-42", TITLE, [])
            assert rooms_made(world) == 1


async def test_a_room_of_which_we_are_not_told_yet_is_no_room_to_speak_in(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "TOLD_WITHIN", 0.5)
    async with Proxy(world.synapse.url) as proxy:
        network = world.network(homeserver=proxy.url)
        async with on(network) as ear:
            await ear.is_up()
            proxy.answers = nothing_new
            await world.alice.says(world.room, "so that the sync ends")
            assert str(await fails(network.make_room("inc-42", TITLE, []))) == (
                "the homeserver made the room for inc-42, and has not told of it yet"
            )
            assert (await fails(network.make_room("inc-42", TITLE, []))).retry_after
            proxy.answers = lambda _: None
            monkeypatch.setattr(making, "TOLD_WITHIN", PATIENCE)
            assert await network.make_room("inc-42", TITLE, [])
            assert rooms_made(world) == 1


def nothing_new(request: Request) -> tuple[int, dict[str, object]] | None:
    """As a homeserver answers that is behind."""
    since = parse_qs(request.query).get("since", [""])[0]
    return (200, {"next_batch": since}) if request.path.endswith("/sync") else None


async def test_a_room_that_was_made_in_part_is_not_used(
    world: World, network: Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "TOLD_WITHIN", 2.0)
    mark = {"org.tocsin.room": "inc-42"}
    part = world.call("POST", "/createRoom", {"preset": "private_chat", "creation_content": mark})["room_id"]
    async with on(network) as ear:
        await ear.is_up()
        room = await network.make_room("inc-42", TITLE, [world.alice.id])
        assert room != part
        assert await network.make_room("inc-42", TITLE, [world.alice.id]) == room


@pytest.mark.usefixtures("ear")
async def test_a_room_that_somebody_else_has_marked_is_not_believed(world: World, network: Matrix) -> None:
    mark, people = {"org.tocsin.room": "inc-42"}, [world.bot.user_id, world.mallory.id]
    theirs = await world.alice.create(creation_content=mark, encrypted=True, invite=people)
    await world.mallory.join(theirs)
    world.joins(theirs)
    room = await network.make_room("inc-42", TITLE, [world.bob.id])
    assert room not in {theirs, world.room}
    assert await world.bob.invited() == room
    for other in (theirs, world.room):
        for asked in (network.invite(other, world.bob.id), network.entitle(other, TITLE)):
            error = await fails(asked)
            assert (str(error), error.permanent) == (
                f"{other}: it is none of the rooms that I made",
                True,
            )


@pytest.mark.usefixtures("ear")
@pytest.mark.parametrize("name", ["", "a b", "x\r\ny", "\u202ex", "x" * 42])
async def test_what_can_be_no_name_makes_no_room_and_finds_none(
    world: World, network: Matrix, name: str
) -> None:
    world.joins(await world.mallory.create(encrypted=True, invite=[world.bot.user_id]))
    error = await fails(network.make_room(name, TITLE, [world.alice.id]))
    assert (str(error), error.permanent) == (f"no room can be asked for by {name!r}", True)
    await world.alice.sync()
    assert not world.alice.invites


# Who is invited.


async def test_who_can_not_be_invited_is_told_and_all_others_are(
    world: World, network: Matrix, ear: Ear
) -> None:
    stranger = "@vendor:elsewhere.test"
    room = await network.make_room("inc-42", TITLE, [world.alice.id, stranger, world.bob.id])
    assert await world.alice.invited() == await world.bob.invited() == room
    assert rooms_made(world) == 1
    [told] = [text for text in ear.told if "invite" in text]
    assert told.startswith(f"I can't invite to the room for inc-42 on matrix: {stranger} (")


@pytest.mark.usefixtures("ear")
async def test_nobody_is_invited_twice(world: World, network: Matrix) -> None:
    room = await network.make_room("inc-42", TITLE, [world.alice.id])
    await world.alice.join(room)
    await world.alice.invite(room, world.bob.id)
    for _ in range(2):
        for user in (world.alice, world.bob):
            await network.invite(room, user.id)
        await network.invite(room, world.bot.user_id)
    await world.alice.sync()
    invitations = [
        event.raw["state_key"]
        for event in world.alice.events
        if event.room == room and event.content.get("membership") == "invite"
    ]
    assert sorted(invitations) == sorted([world.alice.id, world.bob.id])


@pytest.mark.usefixtures("ear")
async def test_whoever_has_left_can_be_invited_again(world: World, network: Matrix) -> None:
    room = await network.make_room("inc-42", TITLE, [world.alice.id])
    await world.alice.join(room)
    await world.alice.leave(room)
    await world.alice.sync()
    async with asyncio.timeout(PATIENCE):
        while not world.alice.invites:
            await network.invite(room, world.alice.id)
            await world.alice.sync()
    await world.alice.join(room)


@pytest.mark.usefixtures("ear")
async def test_whose_homeserver_lets_no_invitation_through_can_not_be_invited_at_all(
    world: World, network: Matrix
) -> None:
    room = await network.make_room("inc-42", TITLE, [world.alice.id])
    error = await fails(network.invite(room, "@vendor:elsewhere.test"))
    assert str(error).startswith("@vendor:elsewhere.test can't be invited: M_FORBIDDEN")
    assert (error.permanent, error.unsent) == (True, True)


async def test_more_people_than_a_homeserver_takes_at_once_are_invited(
    world: World, network: Matrix, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "MOST_INVITED", 1)
    room = await network.make_room("inc-42", TITLE, [world.alice.id, world.bob.id])
    assert await world.alice.invited() == await world.bob.invited() == room
    assert not [text for text in ear.told if "invite" in text]


# Where the homeserver will not.


async def test_a_homeserver_that_makes_no_rooms_is_not_asked_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "TOLD_WITHIN", 0.1)
    no = (403, {"errcode": "M_FORBIDDEN", "error": "You are not permitted to create rooms"})
    async with Proxy(world.synapse.url) as proxy:
        proxy.answers = lambda request: no if request.path.endswith("/createRoom") else None
        network = world.network(homeserver=proxy.url)
        async with on(network) as ear:
            await ear.is_up()
            for accounts in ([], [world.alice.id]):
                error = await fails(network.make_room("inc-42", TITLE, accounts))
                assert error.permanent
                assert str(error) == (
                    "the homeserver makes no room for inc-42: M_FORBIDDEN: You are not permitted to create rooms"
                )


async def test_asked_too_fast_it_says_when_to_ask_again_and_pages_go_on(world: World) -> None:
    slow = (429, {"errcode": "M_LIMIT_EXCEEDED", "error": "Too Many Requests", "retry_after_ms": 30_000})
    async with Proxy(world.synapse.url) as proxy:
        proxy.answers = lambda request: slow if request.path.endswith("/createRoom") else None
        network = world.network(homeserver=proxy.url)
        async with on(network) as ear:
            await ear.is_up()
            error = await fails(network.make_room("inc-42", TITLE, []))
            assert error.retry_after is not None
            assert (error.retry_after.total_seconds(), error.permanent) == (30, False)
            async with asyncio.timeout(5):
                await say(network, private(world.alice.id))
            proxy.answers = lambda _: None
            assert await network.make_room("inc-42", TITLE, [])


@pytest.mark.parametrize("what", ["/invite", "/m.room.power_levels"])
async def test_what_comes_too_fast_once_there_is_a_room_is_done_later(
    world: World, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "MOST_INVITED", 0)
    slow = (429, {"errcode": "M_LIMIT_EXCEEDED", "error": "Too Many Requests", "retry_after_ms": 10})
    async with Proxy(world.synapse.url) as proxy:
        network = world.network(homeserver=proxy.url)

        def once(request: Request) -> tuple[int, dict[str, object]] | None:
            tries = [each for each in proxy.requests if each.method != "GET" and each.path.endswith(what)]
            return (
                slow if request.method != "GET" and request.path.endswith(what) and len(tries) == 1 else None
            )

        proxy.answers = once
        async with on(network) as ear:
            await ear.is_up()
            room = await network.make_room("inc-42", TITLE, [world.alice.id, world.bob.id])
            assert await world.alice.invited() == await world.bob.invited() == room


# What it is about.


@pytest.mark.usefixtures("ear")
async def test_what_it_is_about_changes_and_its_name_stays(world: World, network: Matrix) -> None:
    room = await network.make_room("inc-42", TITLE, [world.alice.id])
    await world.alice.join(room)
    for _ in range(2):
        await network.entitle(room, "the cards")
        await world.alice.sees(lambda event: event.content.get("topic") == "the cards")
    await world.alice.sync()
    assert (await world.alice.state(room, "m.room.name"))["name"] == TITLE
    topics = [event for event in world.alice.events if event.room == room and event.type == "m.room.topic"]
    assert [event.content["topic"] for event in topics] == ["the cards"]
