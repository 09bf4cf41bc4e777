"""Matrix: who is believed to have said something, and who can read what is said, on a real homeserver."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nio import Event, MegolmEvent

from tocsin.errors import NetworkError
from tocsin.networks.matrix import identity
from tocsin.networks.matrix.signing import Identity

from tests.conftest import MINIMAL
from tests.networks.matrix_account import Bot, connected, met
from tests.servers.synapse import Synapse
from tests.typed import typed


async def together(ours: Bot, *others: Bot) -> str:
    """An encrypted room with all of them in it."""
    room = await ours.creates(*(each.user for each in others))
    for each in others:
        await each.joins(room)
    for each in (ours, *others):
        await each.syncs()
    return room


async def test_what_a_homeserver_relabels_does_not_speak_for_the_other_one(
    synapse: Synapse, tmp_path: Path
) -> None:
    eve = synapse.register("eve")
    async with (
        met(synapse, tmp_path, "alice") as [ours, hers],
        connected(synapse, eve, tmp_path / "eve", "LAPTOP") as eves,
    ):
        room = await together(ours, hers, eves)
        await eves.says(room, "!ack k7f3")
        said = await ours.sees("!ack")
        assert ours.client.speaks_for(said)
        raw = await ours.client.call("GET", f"/rooms/{room}/event/{said.event_id}")
        forged = Event.parse_event(raw | {"sender": hers.user})
        assert isinstance(forged, MegolmEvent)
        forged.room_id = room
        read = ours.client.nio.decrypt_event(forged)
        assert (read.sender, read.body) == (hers.user, "!ack k7f3")  # nio believes it
        assert not ours.client.speaks_for(read)


async def test_a_device_that_we_never_saw_speaks_for_its_owner_at_once(
    synapse: Synapse, tmp_path: Path
) -> None:
    bot, alice = synapse.register("bot"), synapse.register("alice")
    async with (
        connected(synapse, bot, tmp_path / "bot") as ours,
        connected(synapse, alice, tmp_path / "alice", "PHONE") as hers,
    ):
        room = await together(ours, hers)
        async with connected(synapse, alice, tmp_path / "laptop", "LAPTOP") as laptop:
            await laptop.syncs()
            await laptop.says(room, "!ack k7f3")
            said = await ours.sees("!ack")
            assert ours.client.speaks_for(said)
            assert ours.client.standing(hers.user) == (
                "your device PHONE is verified; your device LAPTOP is not verified"
            )
            await ours.says(room, "noted")
            assert (await laptop.sees("noted")).decrypted


async def test_where_it_is_so_set_an_unverified_device_reads_nothing_and_says_nothing(
    synapse: Synapse, tmp_path: Path
) -> None:
    bot, alice = synapse.register("bot"), synapse.register("alice")
    async with (
        connected(synapse, bot, tmp_path / "bot", unverified=False) as ours,
        connected(synapse, alice, tmp_path / "alice", "PHONE") as hers,
        connected(synapse, alice, tmp_path / "laptop", "LAPTOP") as laptop,
    ):
        room = await together(ours, hers)
        await laptop.syncs()
        await ours.says(room, "DiskFull")
        assert (await hers.sees("DiskFull")).decrypted
        unread = await laptop.sees(lambda event: isinstance(event, MegolmEvent))
        assert unread.sender == ours.user
        assert ours.client.keyless(room) == set()  # it is meant to have none
        await laptop.says(room, "!ack k7f3")
        assert not ours.client.speaks_for(await ours.sees("!ack"))
        await hers.says(room, "!esc k7f3")
        assert ours.client.speaks_for(await ours.sees("!esc"))
        assert ours.client.standing(hers.user) == (
            "your device PHONE is verified; your device LAPTOP is not verified and can't read what I say"
        )


async def test_a_changed_identity_is_told_once_and_counts_when_somebody_says_so(
    synapse: Synapse, tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    bot, alice = synapse.register("bot"), synapse.register("alice")
    async with connected(synapse, alice, tmp_path / "alice", "PHONE") as hers:
        async with connected(synapse, bot, tmp_path / "state") as ours:
            room = await together(ours, hers)
            await hers.says(room, "one")
            assert (await ours.sees("one")).verified
            await replaces_identity(hers)
            await ours.sees(lambda _: ours.client.news)
            [told] = ours.client.news
            assert told == (
                f"{hers.user} has another identity than before on Matrix: their devices count as not verified. "
                f"If it was them, type tocsin matrix trust {hers.user}"
            )
            await hers.says(room, "two")
            said = await ours.sees("two")
            assert not said.verified
            assert ours.client.speaks_for(said)
        async with connected(synapse, bot, tmp_path / "state") as ours:
            await ours.syncs()
            assert ours.client.news == []
            assert ours.client.standing(hers.user) == "your device PHONE is not verified"
            table = f'homeserver = "{synapse.url}"\nuser = "{bot.user_id}"\nroom = "{room}"'
            config = write_config(f"{MINIMAL}\n[networks.matrix]\n{table}\n")
            ran = typed("matrix", "trust", "--config", config, hers.user)
            assert (ran.exit_code, ran.stderr) == (0, "")
            ours.client.nio.olm.users_for_key_query.add(hers.user)
            await ours.client.settle()
            assert ours.client.standing(hers.user) == "your device PHONE is verified"
            assert ours.client.news == []
            ran = typed("matrix", "trust", "--config", config, "@nobody:x.org")
            assert ran.stderr == "@nobody:x.org: no identity of theirs was ever seen\n"


async def replaces_identity(bot: Bot) -> None:
    """As after all of somebody's devices were lost; their one device here is signed by the new one."""
    new = Identity.new()
    account = bot.client.account
    account.keep_identity(new)
    password = f"password of {bot.user[1:].split(':')[0]}"

    async def typed() -> str:
        return password

    await identity.publish(bot.client.wire, bot.user, new, typed)
    await bot.client.ready()


async def test_one_device_with_odd_keys_takes_the_key_from_nobody_else(
    synapse: Synapse, tmp_path: Path
) -> None:
    async with met(synapse, tmp_path, "alice", "eve") as [ours, hers, eves]:
        olm = eves.client.nio.olm
        key: dict[str, Any] = {"key": "AA"}
        key["signatures"] = {eves.user: {"ed25519:PHONE": olm.sign_json(key)}}
        spent = {"signed_curve25519:ODD": key}
        claim = {"one_time_keys": {eves.user: {"PHONE": "signed_curve25519"}}}
        for _ in range(50):
            await hers.client.call("POST", "/keys/claim", claim)
        await eves.client.call("POST", "/keys/upload", {"one_time_keys": spent})
        room = await ours.creates(hers.user, eves.user)
        for each in (hers, eves):
            await each.client.call("POST", f"/join/{room}", {})
        await ours.syncs()
        await ours.says(room, "DiskFull")
        assert (await hers.sees("DiskFull")).decrypted
        assert ours.client.keyless(room) == {(eves.user, "PHONE")}


async def test_nothing_is_written_in_the_clear_where_it_is_not_known_to_be_meant_so(
    synapse: Synapse, tmp_path: Path
) -> None:
    bot = synapse.register("bot")
    async with connected(synapse, bot, tmp_path / "bot") as ours:
        room = await ours.creates()
        strange = await ours.creates(encrypted=False)
        await ours.says(strange, "in the clear")
        path = f"/rooms/{strange}/state/m.room.encryption/"
        await ours.client.call("PUT", path, {"algorithm": "org.example.new"})
        await ours.syncs()
        with pytest.raises(
            NetworkError, match=r"in a way that is not known here: org\.example\.new"
        ) as caught:
            await ours.says(strange, "secret")
        assert caught.value.unsent
    async with connected(synapse, bot, tmp_path / "bot") as ours:
        with pytest.raises(NetworkError, match="not in !") as caught:  # no sync has said what it is like
            await ours.says(room, "secret")
        assert caught.value.unsent


async def test_a_send_that_nobody_waits_for_comes_to_its_end(synapse: Synapse, tmp_path: Path) -> None:
    async with met(synapse, tmp_path, "alice") as [ours, hers]:
        room = await together(ours, hers)
        sending = asyncio.create_task(ours.says(room, "one"))
        for _ in range(3):
            await asyncio.sleep(0)
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending
        await ours.says(room, "two")
        assert (await hers.sees("one")).decrypted
        assert (await hers.sees("two")).decrypted


async def test_who_comes_reads_what_is_said_from_then_on_and_who_goes_no_more(
    synapse: Synapse, tmp_path: Path
) -> None:
    async with met(synapse, tmp_path, "alice", "bob") as [ours, hers, his]:
        room = await together(ours, hers)
        await ours.says(room, "one")
        await ours.client.call("POST", f"/rooms/{room}/invite", {"user_id": his.user})
        await his.joins(room)
        await ours.syncs()
        await ours.says(room, "two")
        assert (await his.sees("two")).decrypted
        session = ours.client.nio.olm.outbound_group_sessions[room].id
        await his.client.call("POST", f"/rooms/{room}/leave", {})
        await ours.syncs()
        await ours.says(room, "three")
        assert ours.client.nio.olm.outbound_group_sessions[room].id != session
        assert (await hers.sees("three")).decrypted
