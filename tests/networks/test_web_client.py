"""What tests of what people see stand on: a web client shows a room of a real homeserver."""

from pathlib import Path

from tests.servers.js_client import clients
from tests.servers.matrix_user import people
from tests.servers.synapse import Synapse
from tests.servers.web_client import HEIGHT, WIDTH, Phone, size


async def test_a_phone_shows_an_encrypted_room_as_it_is(synapse: Synapse, tmp_path: Path) -> None:
    account = synapse.register("frank")
    async with clients(synapse, "carol") as [carol]:
        room = await carol.create("ops", invite=[account.user_id])
        synapse.call("POST", f"/_matrix/client/v3/join/{room}", {}, account.token)
        async with Phone(synapse.url, account) as phone:
            await phone.opens(room)
            await carol.sees(lambda event: event.type == "m.room.member" and event.sender == account.user_id)
            page = await carol.says(room, "DiskFull on db-1", html="<strong>DiskFull</strong> on db-1")
            await phone.shows("DiskFull on db-1")  # what it has not shown yet, it shows without its reactions
            relation = {"rel_type": "m.annotation", "event_id": page, "key": "✅"}
            await carol.send(room, "m.reaction", {"m.relates_to": relation})
            await phone.shows("✅")
            await phone.photograph(tmp_path / "room.png")
            assert size(tmp_path / "room.png") == (2 * WIDTH, 2 * HEIGHT)
            await carol.edits(room, page, "acked by frank")
            await phone.shows("* acked by frank")  # it knows no edits, as some do not


async def test_a_phone_goes_from_room_to_room(synapse: Synapse) -> None:
    async with people(synapse, "alice", "frank") as [alice, frank]:
        rooms = {}
        for name in ("ops", "db"):
            rooms[name] = await alice.create(name, invite=[frank.id])
            await frank.join(rooms[name])
            await alice.says(rooms[name], f"said in {name}")
        async with Phone(synapse.url, frank.account) as phone:
            for name, room in rooms.items():
                await phone.opens(room)
                await phone.shows(f"said in {name}")
