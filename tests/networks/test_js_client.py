"""What tests of encryption stand on: clients that are none of ours talk to each other over a real homeserver."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from tests.servers import js_program
from tests.servers.js_client import Client, Heard, clients
from tests.servers.matrix_user import User
from tests.servers.programs import running
from tests.servers.synapse import Refused, Synapse


@pytest.fixture
async def both(synapse: Synapse) -> AsyncIterator[Sequence[Client]]:
    """Two who are in no room yet, each on a device that their identity has signed."""
    async with clients(synapse, "carol", "dave") as users:
        yield users


async def meet(carol: Client, dave: Client) -> str:
    """An encrypted room with both in it."""
    room = await carol.create(invite=[dave.id])
    assert await dave.invited() == room
    await dave.join(room)
    await carol.sees(lambda event: (event.type, event.sender) == ("m.room.member", dave.id))
    return room


async def hears(user: Client, text: str) -> Heard:
    [event] = await user.sees(text)
    return event


async def test_what_is_said_in_an_encrypted_room_is_read_by_who_is_there(
    both: Sequence[Client], synapse: Synapse
) -> None:
    carol, dave = both
    room = await meet(carol, dave)
    event_id = await carol.says(room, "DiskFull", html="<b>DiskFull</b>")
    event = await hears(dave, "DiskFull")
    assert (event.room, event.id, event.sender) == (room, event_id, carol.id)
    assert (event.encrypted, event.failure) == (True, "")
    assert event.content["formatted_body"] == "<b>DiskFull</b>"
    async with User(synapse.url, synapse.login(dave.account)) as without_keys:
        [seen] = await without_keys.sees(lambda event: event.id == event_id)
        assert (seen.type, seen.body) == ("m.room.encrypted", "")


async def test_messages_relate_to_others_and_reactions_are_not_encrypted(both: Sequence[Client]) -> None:
    carol, dave = both
    room = await meet(carol, dave)
    page_id = await carol.says(room, "DiskFull")
    page = await hears(dave, "DiskFull")
    await dave.replies(page, "ack")
    await dave.threads(page, "looking")
    reaction = await dave.reacts(page, "✅")
    reply, thread = await hears(carol, "ack"), await hears(carol, "looking")
    assert (reply.answers, thread.relation) == (page_id, ("m.thread", page_id))
    assert (reply.encrypted, thread.encrypted) == (True, True)
    [seen] = await carol.sees(lambda event: event.type == "m.reaction")
    assert (seen.id, seen.relation, seen.encrypted) == (reaction, ("m.annotation", page_id), False)
    await dave.redacts(room, reaction)
    await carol.sees(lambda event: event.redacts == reaction)
    await carol.edits(room, page_id, "acked")
    edit = await hears(dave, "acked")
    assert (edit.relation, edit.body) == (("m.replace", page_id), "acked")
    await dave.has_read(edit)


async def test_a_phone_rings_for_a_message_that_mentions(both: Sequence[Client]) -> None:
    carol, dave = both
    room = await carol.create(invite=[dave.id, "@nobody:tocsin.test"])  # of two alone every message rings
    await dave.join(room)
    await carol.says(room, "to nobody", also={"m.mentions": {}})
    await carol.says(room, "to you", also={"m.mentions": {"user_ids": [dave.id]}})
    notice = {"msgtype": "m.notice", "m.mentions": {"user_ids": [dave.id]}}
    await carol.says(room, "softly", also=notice)
    assert (await hears(dave, "to you")).notifies
    assert (await hears(dave, "to you")).highlights
    assert not (await hears(dave, "to nobody")).highlights
    assert not (await hears(dave, "softly")).notifies


async def test_insecure_devices_neither_read_nor_are_read_where_they_are_excluded(synapse: Synapse) -> None:
    async with clients(synapse, "carol") as [carol], clients(synapse, "eve", signed=False) as [eve]:
        room = await meet(carol, eve)
        await carol.sees_devices(eve.id, {eve.account.device_id: False})
        await eve.says(room, "before")
        await hears(carol, "before")
        await carol.exclude_insecure_devices()
        await eve.says(room, "after")
        [refused] = await carol.sees(lambda event: event.failure)
        assert (refused.failure, refused.encrypted) == ("UNSIGNED_SENDER_DEVICE", True)
        await carol.says(room, "for those who are signed")
        [unread] = await eve.sees(lambda event: event.failure)
        assert unread.failure.startswith("MEGOLM_KEY_WITHHELD")
        await eve.bootstrap()
        await carol.sees_devices(eve.id, {eve.account.device_id: True})
        await eve.says(room, "signed now")
        assert (await hears(carol, "signed now")).shield is None


async def test_an_identity_is_replaced(both: Sequence[Client], synapse: Synapse) -> None:
    carol, dave = both
    phone = carol.account.device_id
    await meet(carol, dave)
    async with Client(synapse.url, synapse.login(carol.account)) as client:
        laptop = client.account.device_id
        await dave.sees_devices(carol.id, {phone: True, laptop: False})
        await client.bootstrap(anew=True)
        await dave.sees_devices(carol.id, {phone: False, laptop: True})


async def test_a_file_comes_as_it_was_sent(both: Sequence[Client], synapse: Synapse) -> None:
    carol, dave = both
    room = await meet(carol, dave)
    data = os.urandom(100_000)
    async with User(synapse.url, synapse.login(carol.account)) as uploader:
        url = await uploader.upload(data)
        assert await uploader.media(url) == data
    await carol.says(room, "plain", also={"msgtype": "m.file", "url": url})
    assert await dave.media(await hears(dave, "plain")) == data
    file = {"url": url, "iv": "", "key": {}, "hashes": {"sha256": hashlib.sha256(b"other").hexdigest()}}
    await carol.says(room, "forged", also={"msgtype": "m.file", "file": file})
    with pytest.raises(Refused, match="not the one that was sent"):
        await dave.media(await hears(dave, "forged"))


async def test_a_room_may_be_plain(both: Sequence[Client]) -> None:
    carol, dave = both
    room = await carol.create(encrypted=False, invite=[dave.id])
    await dave.join(room)
    await carol.says(room, "in the open")
    assert not (await hears(dave, "in the open")).encrypted


async def test_a_client_outlives_a_homeserver_that_is_killed(tmp_path: Path) -> None:
    with running(Synapse(tmp_path / "synapse", limits=True)) as synapse:
        async with clients(synapse, "carol", "dave", signed=False) as [carol, dave]:
            room = await meet(carol, dave)
            synapse.ends()
            await asyncio.to_thread(synapse.start)
            for number in range(20):
                await carol.says(room, f"line {number}")
            await hears(dave, "line 19")


async def test_what_is_refused_says_why(both: Sequence[Client]) -> None:
    carol, dave = both
    room = await carol.create()
    with pytest.raises(Refused, match="M_FORBIDDEN") as caught:
        await dave.join(room)
    assert caught.value.status == 403


def test_without_the_client_a_test_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synapse: Synapse
) -> None:
    account = synapse.register("carol")
    monkeypatch.setattr(js_program, "FOLDER", tmp_path)
    with pytest.raises(pytest.skip.Exception, match=r"run \.ci/synapse"):
        Client(synapse.url, account)
