"""From a posted alert to a person on a real Synapse, and back."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from signal import SIGKILL

from tests.journeys.matrix_parts import comes, configured, says
from tests.networks.matrix_account import account_of, logs_in
from tests.processes import daemon
from tests.servers.matrix_user import people
from tests.servers.synapse import Synapse


async def test_an_alert_is_paged_in_private_and_answered_over_a_crash(
    synapse: Synapse, tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    bot = synapse.register("tocsin")
    async with people(synapse, "alice") as [alice]:
        room = await alice.create("ops", invite=[bot.user_id])
        private = await alice.create(invite=[bot.user_id], direct=True)
        for each in (room, private):
            synapse.call("POST", f"/_matrix/client/v3/join/{each}", {}, bot.token)
        config = write_config(configured(synapse.url, bot, room, alice=alice.id))
        account_of(synapse, bot, tmp_path / "state").keep(logs_in(synapse, bot))
        async with daemon(config) as tocsin:
            await comes(tocsin, "DiskFull")
            [page] = await alice.sees(partial(says, private, "DiskFull"))
            subject = page.body.split()[0]
            assert page.content["m.mentions"] == {"user_ids": [alice.id]}
            await alice.sees(partial(says, room, f"{subject} paging alice"))
            tocsin.ends(SIGKILL)
        await alice.replies(page, f"ack {subject}", quoting=True)
        async with daemon(config):
            for place in (private, room):
                await alice.sees(partial(says, place, f"{subject} acknowledged by alice"))
        pages = [event for event in alice.messages(private, bot.user_id) if "!ack" in event.body]
        assert [event.id for event in pages] == [page.id]
