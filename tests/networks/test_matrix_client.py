"""Matrix: our device, its keys and encryption, on a real homeserver."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from tocsin.errors import NetworkError
from tocsin.networks.matrix.client import Client
from tocsin.networks.matrix.replies import LoggedOut
from tocsin.networks.matrix.signing import Published

from tests.networks.matrix_account import account_of, connected, keys_of, killed, logs_in, met
from tests.servers.synapse import Account as Person
from tests.servers.synapse import Synapse


def published(synapse: Synapse, who: Person, asks: Person) -> Published:
    """What somebody else may believe of somebody's keys."""
    return Published.of(keys_of(synapse, who.user_id, asks.token), who.user_id)


async def test_a_fresh_account_gets_an_identity_that_vouches_for_our_device(
    synapse: Synapse, tmp_path: Path
) -> None:
    bot, alice = synapse.register("bot"), synapse.register("alice")
    async with connected(synapse, bot, tmp_path / "state") as ours:
        assert ours.client.insecure == ""
        found = published(synapse, bot, alice)
        assert found.devices["TOCSIN"].vouched
        assert found.devices["TOCSIN"].ed25519 == ours.client.nio.olm.account.identity_keys["ed25519"]
    folder = tmp_path / "state" / "matrix-matrix"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in ("account.json", "cross-signing.json", "store.key"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600


async def test_what_is_said_in_an_encrypted_room_is_read_there_and_nowhere_else(
    synapse: Synapse, tmp_path: Path
) -> None:
    async with met(synapse, tmp_path, "alice") as [ours, hers]:
        room = await ours.creates(hers.user)
        await hers.joins(room)
        await ours.syncs()
        await ours.says(room, "DiskFull on db1")
        page = await hers.sees("DiskFull")
        assert page.decrypted
        assert page.verified
        assert hers.client.speaks_for(page)
        await hers.says(room, "!ack k7f3")
        answer = await ours.sees("!ack")
        assert ours.client.speaks_for(answer)
        assert ours.client.keyless(room) == set()
        raw = await hers.client.call("GET", f"/rooms/{room}/event/{page.event_id}")
        assert raw["type"] == "m.room.encrypted"
        assert "DiskFull" not in str(raw)


async def test_the_same_transaction_is_the_same_event(synapse: Synapse, tmp_path: Path) -> None:
    bot = synapse.register("bot")
    async with connected(synapse, bot, tmp_path / "bot") as ours:
        room = await ours.creates()
        first = await ours.says(room, "one", "txn-1")
    async with connected(synapse, bot, tmp_path / "bot") as ours:
        await ours.syncs()
        assert await ours.says(room, "one", "txn-1") == first


@pytest.mark.parametrize("encrypted", [False, True])
async def test_where_nothing_has_happened_since_a_restart_is_spoken_as_before(
    synapse: Synapse, tmp_path: Path, *, encrypted: bool
) -> None:
    bot, alice = synapse.register("bot"), synapse.register("alice")
    async with connected(synapse, bot, tmp_path / "state") as ours:
        room = await ours.creates(alice.user_id, encrypted=encrypted)
        before = ""
        while before != ours.since:
            before = ours.since
            await ours.syncs()
    async with connected(synapse, bot, tmp_path / "state") as again:
        again.since = before
        response = await again.syncs(whole=True)
        assert response.next_batch == before  # else this would show nothing
        assert await again.says(room, "DiskFull on db1")
        assert again.client.nio.rooms[room].encrypted is encrypted
        assert alice.user_id in again.client.nio.rooms[room].invited_users


async def test_a_second_login_keeps_the_device_and_the_identity(synapse: Synapse, tmp_path: Path) -> None:
    bot, alice = synapse.register("bot"), synapse.register("alice")
    async with connected(synapse, bot, tmp_path / "bot"):
        before = published(synapse, bot, alice)
    account_of(synapse, bot, tmp_path / "bot").keep(logs_in(synapse, bot))
    async with connected(synapse, bot, tmp_path / "bot"):
        assert published(synapse, bot, alice) == before


async def test_after_a_token_was_revoked_a_login_brings_the_same_device_back(
    synapse: Synapse, tmp_path: Path
) -> None:
    bot, alice = synapse.register("bot"), synapse.register("alice")
    async with (
        connected(synapse, bot, tmp_path / "bot") as ours,
        connected(synapse, alice, tmp_path / "alice", "PHONE") as hers,
    ):
        room = await ours.creates(hers.user)
        await hers.joins(room)
        before = published(synapse, bot, alice)
        synapse.revoke(bot)
        assert "TOCSIN" not in published(synapse, bot, alice).devices
        account = ours.client.account
        with pytest.raises(LoggedOut) as caught:
            await ours.syncs()
        assert str(caught.value) == (
            "the homeserver does not know our access token any more: type tocsin matrix login"
        )
        assert caught.value.unsent
        assert not account.changed()
        account.keep(logs_in(synapse, bot))
        assert account.changed()
        await ours.client.open()
        assert not account.changed()
        await ours.client.ready()
        assert ours.client.insecure == ""
        assert published(synapse, bot, alice) == before
        await ours.syncs()
        await ours.says(room, "back again")
        assert (await hers.sees("back again")).verified


async def test_who_never_logged_in_is_told_what_to_do(synapse: Synapse, tmp_path: Path) -> None:
    client = Client(account_of(synapse, synapse.register("bot"), tmp_path / "bot"))
    with pytest.raises(LoggedOut) as caught:
        await client.open()
    missing = tmp_path / "bot" / "matrix-matrix" / "account.json"
    assert str(caught.value) == (
        f"nobody has logged in on matrix yet, so there is no {missing}: type tocsin matrix login"
    )


async def test_other_keys_under_our_devices_name_are_told_with_what_to_do(
    synapse: Synapse, tmp_path: Path
) -> None:
    bot = synapse.register("bot")
    async with connected(synapse, bot, tmp_path / "bot"):
        pass
    with pytest.raises(NetworkError) as caught:
        async with connected(synapse, bot, tmp_path / "elsewhere"):
            pass
    folder = tmp_path / "elsewhere" / "matrix-matrix"
    assert str(caught.value) == (
        f"the homeserver holds other keys for the device TOCSIN than {folder}: bring that folder back from a "
        "backup, or set another 'device' and type tocsin matrix login"
    )


async def test_a_token_of_another_device_is_told(synapse: Synapse, tmp_path: Path) -> None:
    bot = synapse.register("bot")
    account = account_of(synapse, bot, tmp_path / "bot")
    found = logs_in(synapse, bot, "OTHER")
    (tmp_path / "token").write_text(found.token)
    account.keep(type(found)(found.user, "TOCSIN", found.token))
    client = Client(account)
    await client.open()
    with pytest.raises(NetworkError, match=r"is that of @bot.* on device OTHER"):
        await client.ready()
    await client.close()


# One-time keys.


async def claims(synapse: Synapse, who: Person, asks: Person) -> dict[str, Any]:
    """Take one of somebody's one-time keys, as who wants to write to them does."""
    body = {"one_time_keys": {who.user_id: {"TOCSIN": "signed_curve25519"}}}
    answer = synapse.call("POST", "/_matrix/client/v3/keys/claim", body, asks.token)
    [key] = answer["one_time_keys"][who.user_id]["TOCSIN"].values()
    found: dict[str, Any] = key
    return found


async def test_keys_that_were_used_up_while_we_were_away_are_refilled(
    synapse: Synapse, tmp_path: Path
) -> None:
    bot, alice = synapse.register("bot"), synapse.register("alice")
    async with connected(synapse, bot, tmp_path / "bot") as ours:
        await ours.syncs()
    used = [await claims(synapse, bot, alice) for _ in range(52)]
    assert sum("fallback" in key for key in used) == 2
    assert used[-1] == used[-2]
    async with connected(synapse, bot, tmp_path / "bot") as ours:
        assert "fallback" not in await claims(synapse, bot, alice)
        await ours.syncs()
        await ours.syncs()  # Synapse tells it with a delay
        news = await ours.syncs()
        assert news.source["device_unused_fallback_key_types"] == ["signed_curve25519"]
        assert news.source["device_one_time_keys_count"]["signed_curve25519"] == 49
    fresh = [await claims(synapse, bot, alice) for _ in range(50)]
    assert len({key["key"] for key in [*used, *fresh]}) == 51 + 50
    assert fresh[-1]["fallback"]
    assert fresh[-1] != used[-1]


async def test_keys_are_refilled_while_we_are_there(synapse: Synapse, tmp_path: Path) -> None:
    bot, alice = synapse.register("bot"), synapse.register("alice")
    async with connected(synapse, bot, tmp_path / "bot") as ours:
        for _ in range(26):
            await claims(synapse, bot, alice)
        await ours.syncs()
        counts = await ours.client.call("POST", "/keys/upload", {})
        assert counts["one_time_key_counts"]["signed_curve25519"] == 50


# Killed at any point.


@pytest.mark.parametrize("point", ["matrix-keys-kept", "matrix-keys-uploaded", "matrix-identity-kept"])
@pytest.mark.parametrize("lost", [False, True], ids=["first start", "after the device was lost"])
async def test_killed_at_any_point_our_device_is_whole_the_next_time(
    synapse: Synapse, tmp_path: Path, point: str, *, lost: bool
) -> None:
    bot, alice = synapse.register("bot"), synapse.register("alice")
    if lost:
        async with connected(synapse, bot, tmp_path / "bot"):
            pass
        synapse.revoke(bot)
    account = account_of(synapse, bot, tmp_path / "bot")
    account.keep(logs_in(synapse, bot))
    kills = 0
    while killed(account, f"{point}:kill:{kills + 1}"):
        kills += 1
    assert kills >= (0 if lost and point == "matrix-identity-kept" else 1)
    async with (
        connected(synapse, bot, tmp_path / "bot") as ours,
        connected(synapse, alice, tmp_path / "alice", "PHONE") as hers,
    ):
        assert published(synapse, bot, alice).devices["TOCSIN"].vouched
        room = await hers.creates(ours.user)
        await ours.joins(room)
        await hers.syncs()
        await hers.says(room, "!ack k7f3")
        assert (await ours.sees("!ack")).decrypted
        await ours.says(room, "noted")
        assert (await hers.sees("noted")).verified


async def test_a_text_that_is_none_is_refused_for_good(synapse: Synapse, tmp_path: Path) -> None:
    async with connected(synapse, synapse.register("bot"), tmp_path / "bot") as ours:
        for room in (await ours.creates(), await ours.creates(encrypted=False)):
            for content in ({"body": "\ud800"}, {"body": float("nan")}, {"body": {1, 2}}):
                with pytest.raises(NetworkError, match="the text can't be sent") as caught:
                    await ours.client.send(room, "m.room.message", content, "txn")
                assert caught.value.permanent
            with pytest.raises(NetworkError, match="too long for Matrix") as caught:
                await ours.says(room, "x" * 70_000)
            assert caught.value.permanent


async def test_keys_without_the_key_to_them_are_told(synapse: Synapse, tmp_path: Path) -> None:
    bot = synapse.register("bot")
    async with connected(synapse, bot, tmp_path / "bot"):
        pass
    folder = tmp_path / "bot" / "matrix-matrix"
    key = folder / "store.key"
    key.unlink()
    client = Client(account_of(synapse, bot, tmp_path / "bot"))
    with pytest.raises(NetworkError, match=r"store\.key: is gone, though .* bring it back from a backup"):
        await client.open()
    key.write_text('{"key": "another"}')
    unusable = r"crypto\.db: can't be used .*: bring it back from a backup"
    with pytest.raises(NetworkError, match=unusable) as caught:
        await client.open()
    assert not opened(folder), caught  # as long as the error holds on to what it met
    (folder / "crypto.db").write_bytes(b"no database" * 1000)
    with pytest.raises(NetworkError, match=unusable) as caught:
        await client.open()
    assert not opened(folder), caught


def opened(folder: Path) -> set[str]:
    """What this process has open there."""
    found = {os.path.realpath(each) for each in Path("/proc/self/fd").iterdir()}
    return {each for each in found if each.startswith(f"{folder}/")}
