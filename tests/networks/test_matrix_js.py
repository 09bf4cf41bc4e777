"""Matrix: what an independent client makes of us, matrix-js-sdk with its own encryption."""

from pathlib import Path

import pytest

from tocsin.networks.matrix.login import Given, log_in

from tests.networks.matrix_account import account_of, connected, logs_in
from tests.servers.js_client import Client
from tests.servers.synapse import Synapse


@pytest.mark.parametrize("again", [False, True], ids=["at first", "after its token was revoked"])
async def test_a_client_that_excludes_insecure_devices_reads_us_and_writes_to_us(
    synapse: Synapse, tmp_path: Path, *, again: bool
) -> None:
    bot, alice = synapse.register("bot"), synapse.register("alice")
    async with Client(synapse.url, alice) as hers:
        await hers.bootstrap()
        await hers.exclude_insecure_devices()
        async with connected(synapse, bot, tmp_path / "bot") as ours:
            room = await hers.create(invite=[ours.user])
            await ours.joins(room)
            if again:
                synapse.revoke(bot)
                account = account_of(synapse, bot, tmp_path / "bot")
                account.keep(logs_in(synapse, bot))
                await ours.client.open()
                await ours.client.ready()
            await ours.syncs()
            await hers.sees_devices(ours.user, {"TOCSIN": True})
            await ours.says(room, "DiskFull on db1")
            [page] = await hers.sees("DiskFull")
            assert (page.encrypted, page.failure, page.shield) == (True, "", None)
            await hers.says(room, "!ack k7f3")
            said = await ours.sees("!ack")
            assert said.decrypted
            assert said.verified
            assert ours.client.speaks_for(said)
        async with connected(synapse, bot, tmp_path / "bot") as ours:  # restarted
            await ours.syncs()
            await ours.says(room, "acked")
            [told] = await hers.sees("acked")
            assert (told.encrypted, told.failure, told.shield) == (True, "", None)
            assert ours.client.standing(hers.id) == f"your device {alice.device_id} is verified"


async def test_an_identity_that_another_client_made_is_restored_with_its_recovery_key(
    synapse: Synapse, tmp_path: Path
) -> None:
    """Somebody has set up Element with Tocsin's account before."""
    bot, alice = synapse.register("bot"), synapse.register("alice")
    said: list[str] = []
    async with Client(synapse.url, bot) as elsewhere, Client(synapse.url, alice) as hers:
        await elsewhere.bootstrap()
        key = await elsewhere.keep_secrets()
        account = account_of(synapse, bot, tmp_path / "bot")
        await log_in(account, Given(lambda: bot.password, recovery_key=key), said.append)
        assert said[-1] == "the account's identity was restored with its recovery key"
        async with connected(synapse, bot, tmp_path / "bot") as ours:
            assert ours.client.insecure == ""
            room = await hers.create(invite=[ours.user])
            await ours.joins(room)
            await hers.sees_devices(ours.user, {bot.device_id: True, "TOCSIN": True})
