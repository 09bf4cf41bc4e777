"""What somebody sees of a page on their phone: an encrypted private talk and a team's room, in a real web client.

`TOCSIN_SHOTS`: a folder in which the pictures are kept, to be looked at.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.journeys.matrix_parts import calls, configured, log_in
from tests.posted import payload
from tests.processes import Process, daemon
from tests.servers.js_client import clients
from tests.servers.synapse import Synapse
from tests.servers.web_client import HEIGHT, WIDTH, Phone, size

SHOTS = ("page.png", "answered.png", "resolved.png", "room.png")

SUMMARY = "97 % of /var/lib/postgresql used, full in about 2 h"


def alert(status: str = "firing") -> Mapping[str, Any]:
    """One with what real ones have: labels, a sentence, a link."""
    found: dict[str, Any] = dict(payload("DiskFull", status, instance="db1.example.org:9100"))
    [one] = found["alerts"]
    labels = {**one["labels"], "job": "node", "mountpoint": "/var/lib/postgresql", "team": "db"}
    annotations = {"summary": SUMMARY, "runbook_url": "https://runbooks.example.org/disk-full"}
    link = "https://prometheus.example.org/graph?g0.expr=node_filesystem_avail_bytes+%2F+node_filesystem_size_bytes"
    found["alerts"] = [{**one, "labels": labels, "annotations": annotations, "generatorURL": link}]
    return found


async def test_a_page_and_its_answer_can_be_read_on_a_phone(
    synapse: Synapse, tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    bot = synapse.register("tocsin")
    shots = Path(os.environ.get("TOCSIN_SHOTS", tmp_path))
    async with clients(synapse, "alice") as [alice]:
        room = await alice.create("ops", invite=[bot.user_id])
        config = write_config(configured(synapse.url, bot, room, alice=alice.id))
        await log_in(config, bot)
        async with daemon(config) as tocsin:
            private = await alice.invited()
            await alice.join(private)
            async with Phone(synapse.url, alice.account) as phone:
                await phone.opens(private)
                await posts(tocsin, alert())
                [page] = await alice.sees(lambda event: event.room == private and calls(event, "DiskFull"))
                subject = page.body.split()[0]
                await phone.shows(SUMMARY)
                await phone.opens(private)  # again: taps that came with the page are not shown yet
                await phone.shows("⏫")
                await phone.photograph(shots / SHOTS[0])
                await alice.says(private, f"!ack {subject}")
                await phone.shows("acknowledged by alice")
                await phone.photograph(shots / SHOTS[1])
                await posts(tocsin, alert("resolved"))
                await phone.shows("resolved")
                await phone.photograph(shots / SHOTS[2])
                await phone.opens(room)
                await phone.shows("resolved")
                await phone.photograph(shots / SHOTS[3])
                shown = await phone.shown()
                assert f"{subject} paging alice: critical DiskFull" in shown
                assert "unable to decrypt" not in shown.lower()
        for name in SHOTS:
            assert size(shots / name) == (2 * WIDTH, 2 * HEIGHT)


async def posts(tocsin: Process, body: Mapping[str, Any]) -> None:
    assert await asyncio.to_thread(tocsin.post, "alertmanager/prod", body) == 202
