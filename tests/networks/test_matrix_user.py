"""What tests of Matrix stand on: people see what happens on a real homeserver."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import aiohttp
import pytest

from tests.servers.matrix_user import User, people
from tests.servers.programs import running
from tests.servers.synapse import Refused, Synapse


@pytest.fixture
async def both(synapse: Synapse) -> AsyncIterator[Sequence[User]]:
    """Two who are in no room yet."""
    async with people(synapse, "alice", "bob") as users:
        yield users


async def meet(alice: User, bob: User) -> str:
    """A private room with both in it, and nothing else new for either."""
    room = await alice.create(invite=[bob.id])
    await bob.join(room)
    await asyncio.gather(alice.sync(), bob.sync())
    return room


async def test_what_people_say_is_kept_in_order(both: Sequence[User]) -> None:
    alice, bob = both
    room = await meet(alice, bob)
    texts = [f"line {number}" for number in range(30)]
    for text in texts:
        await alice.says(room, text)
    await alice.says(room, "a <b>\U0001f525", kind="m.notice", html="<b>a</b>")
    await bob.says(room, "not by her")
    await bob.sync()
    assert bob.said_by(alice.id, room) == [*texts, "a <b>\U0001f525"]
    assert [event.body for event in bob.messages(room)][-1] == "not by her"
    assert bob.messages(room, alice.id)[-1].content["formatted_body"] == "<b>a</b>"
    assert bob.messages(room, alice.id)[-1].content["msgtype"] == "m.notice"


async def test_one_invited_joins_and_leaves(both: Sequence[User]) -> None:
    alice, bob = both
    room = await alice.create("ops", invite=[bob.id], direct=True)
    assert await bob.invited() == room
    assert bob.invites == {room: alice.id}
    await bob.join(room)
    await alice.sees(
        lambda event: event.raw.get("state_key") == bob.id and event.content["membership"] == "join"
    )
    assert await alice.members(room) == {alice.id, bob.id}
    await bob.leave(room)
    await bob.sync()
    assert (bob.invites, list(bob.left)) == ({}, [room])
    assert await alice.members(room) == {alice.id}


async def test_who_was_not_invited_joins_public_rooms_alone(both: Sequence[User]) -> None:
    alice, bob = both
    with pytest.raises(Refused, match="M_FORBIDDEN"):
        await bob.join(await alice.create())
    await bob.join(await alice.create(public=True))


async def test_who_comes_sees_what_was_said_before(both: Sequence[User]) -> None:
    alice, bob = both
    room = await alice.create(invite=[bob.id])
    await alice.says(room, "before")
    await bob.join(room)
    await bob.sees("before")


async def test_who_is_kicked_may_come_again_and_who_is_banned_may_not(both: Sequence[User]) -> None:
    alice, bob = both
    room = await alice.create(public=True)
    await bob.join(room)
    await alice.kick(room, bob.id, "enough")
    await bob.knows(lambda: room in bob.left)
    left = bob.left[room]
    assert left is not None
    assert (left.sender, left.content["membership"], left.content["reason"]) == (alice.id, "leave", "enough")
    await bob.join(room)
    await bob.sync()
    assert room not in bob.left
    await alice.ban(room, bob.id)
    with pytest.raises(Refused, match="banned"):
        await bob.join(room)
    await alice.unban(room, bob.id)
    await bob.join(room)


async def test_who_has_not_the_power_is_refused(both: Sequence[User]) -> None:
    alice, bob = both
    room = await meet(alice, bob)
    with pytest.raises(Refused, match="M_FORBIDDEN"):
        await bob.set_state(room, "m.room.name", {"name": "ops"})
    await alice.set_power(room, bob.id, 50)
    await bob.set_state(room, "m.room.name", {"name": "ops"})
    assert await alice.state(room, "m.room.name") == {"name": "ops"}
    await alice.set_power(room, bob.id, 0)
    await alice.set_levels(room, events_default=10)
    with pytest.raises(Refused, match="M_FORBIDDEN"):
        await bob.says(room, "may I?")


async def test_messages_relate_to_others(both: Sequence[User]) -> None:
    alice, bob = both
    room = await meet(alice, bob)
    await alice.says(room, "DiskFull")
    [page] = await bob.sees("DiskFull")
    reply = await bob.replies(page, "ack")
    quoting = await bob.replies(page, "mine", quoting=True)
    thread = await bob.threads(page, "looking")
    reaction = await bob.reacts(page, "✅")
    await alice.knows(lambda: alice.related(page.id, "m.annotation"))
    events = {event.id: event for event in alice.events}
    assert (events[reply].answers, events[reply].body) == (page.id, "ack")
    assert events[quoting].body == f"> <{alice.id}> DiskFull\n\nmine"
    assert events[thread].relation == ("m.thread", page.id)
    [seen] = alice.related(page.id, "m.annotation")
    assert (seen.id, seen.content["m.relates_to"]["key"]) == (reaction, "✅")
    assert not alice.taken_back(reaction)
    await bob.redacts(room, reaction)
    await alice.knows(lambda: alice.taken_back(reaction))


async def test_a_message_that_is_edited_is_one_message(both: Sequence[User]) -> None:
    alice, bob = both
    room = await meet(alice, bob)
    await alice.says(room, "firing")
    [page] = await bob.sees("firing")
    await alice.edits(page, "acked")
    await bob.edits(page, "forged")
    await bob.says(room, "and now?")
    await bob.sees("and now?")
    assert bob.said_by(alice.id, room) == ["firing"]
    assert [edit.body for edit in bob.related(page.id)] == ["acked", "forged"]
    assert bob.now(page) == "acked"


async def test_who_has_read_is_seen_to_have(both: Sequence[User]) -> None:
    alice, bob = both
    room = await meet(alice, bob)
    await alice.says(room, "DiskFull")
    [page] = await bob.sees("DiskFull")
    await bob.has_read(page)
    assert await alice.knows(lambda: alice.receipts.get((room, page.id, "m.read"))) == {bob.id}


async def test_a_room_that_was_upgraded_names_the_next(both: Sequence[User]) -> None:
    alice, bob = both
    room = await alice.create(public=True, room_version="11")
    await bob.join(room)
    replacement = await alice.upgrade(room)
    [event] = await bob.sees(lambda event: event.type == "m.room.tombstone")
    assert event.content["replacement_room"] == replacement
    await bob.join(replacement)


async def test_an_encrypted_room_says_so(both: Sequence[User]) -> None:
    alice, _ = both
    room = await alice.create(encrypted=True)
    assert (await alice.state(room, "m.room.encryption"))["algorithm"] == "m.megolm.v1.aes-sha2"


async def test_who_waits_for_two_things_at_once_sees_each_once(both: Sequence[User]) -> None:
    alice, bob = both
    room = await meet(alice, bob)
    waiting = asyncio.gather(bob.sees("one"), bob.sees("two"))
    await alice.says(room, "one")
    await alice.says(room, "two")
    await waiting
    assert bob.said_by(alice.id, room) == ["one", "two"]


async def test_people_outlive_a_homeserver_that_is_killed(tmp_path: Path) -> None:
    with running(Synapse(tmp_path / "synapse", limits=True)) as synapse:
        async with people(synapse, "alice", "bob") as [alice, bob]:
            room = await meet(alice, bob)
            synapse.ends()
            with pytest.raises(aiohttp.ClientConnectionError):
                await alice.says(room, "anybody?")
            waiting = asyncio.create_task(bob.sees("line 19"))
            await asyncio.to_thread(synapse.start)
            for number in range(20):
                await alice.says(room, f"line {number}")
            await waiting
            assert bob.said_by(alice.id, room) == [f"line {number}" for number in range(20)]
