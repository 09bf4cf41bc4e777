"""Matrix: encrypted rooms, with people whose client has nothing in common with ours."""

import asyncio
from collections.abc import AsyncIterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tocsin.domain.message import Message, Picture, Place
from tocsin.errors import NetworkError
from tocsin.networks.matrix import devices, hearing, reading, sending
from tocsin.networks.matrix.network import Matrix

from tests.networks import matrix_peers
from tests.networks.contract import PAGE
from tests.networks.ears import Ear, on
from tests.networks.matrix_account import account_of, connected, logs_in
from tests.networks.matrix_peers import now, private, say
from tests.pictures import picture, png
from tests.processes import PATIENCE
from tests.servers.js_client import Client, Heard, clients
from tests.servers.matrix_proxy import Answers, Proxy, Request
from tests.servers.synapse import Account, Synapse


@dataclass
class World:
    """alice, whose client encrypts, in an encrypted room with Tocsin, and in an encrypted private one."""

    synapse: Synapse
    folder: Path
    alice: Client
    bot: Account
    room: str = ""
    private: str = ""
    names: list[str] = field(default_factory=list)

    def network(self, homeserver: str = "") -> Matrix:
        url = homeserver or self.synapse.url
        account = account_of(self.synapse, self.bot, self.folder / "state", room=self.room, homeserver=url)
        if account.kept() is None:
            account.keep(logs_in(self.synapse, self.bot))
        return Matrix("matrix", account, accounts=[self.alice.id], rooms=(), now=now, jitter=min)

    def call(self, method: str, path: str, body: object, account: Account) -> dict[str, object]:
        return self.synapse.call(method, f"/_matrix/client/v3{path}", body, account.token)

    @property
    def ops(self) -> Place:
        return Place("matrix", self.room)


@pytest.fixture
async def world(synapse: Synapse, tmp_path: Path) -> AsyncIterator[World]:
    async with clients(synapse, "alice") as [alice]:
        there = World(synapse, tmp_path, alice, synapse.register("tocsin"))
        await alice.bootstrap()
        there.room = await alice.create("ops", invite=[there.bot.user_id])
        there.private = await alice.create(invite=[there.bot.user_id], direct=True)
        for room in (there.room, there.private):
            there.call("POST", f"/join/{room}", {}, there.bot)
        yield there


async def test_a_page_is_read_by_another_client_and_answered(world: World) -> None:
    network = world.network()
    await world.alice.exclude_insecure_devices()
    async with on(network) as ear:
        await ear.is_up()
        receipt = await say(network, private(world.alice.id))
        [page] = await world.alice.sees(lambda event: event.id == receipt)
        assert (page.body, page.encrypted, page.failure) == (PAGE.first_line(), True, "")
        assert not page.shield
        assert page.notifies
        assert page.highlights
        taps = await world.alice.sees(lambda event: event.relation == ("m.annotation", page.id), times=2)
        assert [tap.content["m.relates_to"]["key"] for tap in taps] == ["✅", "⏫"]
        await world.alice.replies(page, "ack")
        [line] = await ear.hears("ack")
        assert (line.place, line.account) == (private(world.alice.id), world.alice.id)
        assert line.about == page.id
        await world.alice.reacts(page, "✅")
        [tap] = await ear.hears("✅")
        assert (tap.account, tap.about, tap.tapped) == (world.alice.id, page.id, True)
        await world.alice.says(world.room, "!ack k7f3")
        [line] = await ear.hears("!ack k7f3")
        assert (line.place, line.account) == (world.ops, world.alice.id)


async def test_the_homeserver_asks_other_ones_for_keys_no_longer_than_we_wait(world: World) -> None:
    async with Proxy(world.synapse.url) as proxy:
        network = world.network(proxy.url)
        async with on(network) as ear:
            await ear.is_up()
            await say(network, private(world.alice.id))
        for path in ("/keys/query", "/keys/claim"):
            assert [r for r in proxy.requests if r.path.endswith(path) and r.query == "timeout=4000"]


async def test_whose_device_is_not_known_yet_is_heard_as_who_they_are_once_it_is(world: World) -> None:
    async with Proxy(world.synapse.url) as proxy:
        fails = (500, dict[str, object]())
        proxy.answers = lambda request: fails if request.query == "timeout=4000" else None
        async with on(world.network(proxy.url)) as ear:
            await ear.is_up()
            await world.alice.says(world.room, "!ack k7f3")
            async with asyncio.timeout(PATIENCE):
                while not any(request.status == 500 for request in proxy.requests):
                    await asyncio.sleep(0.02)
            await asyncio.sleep(0.5)
            proxy.answers = lambda _: None
            async with asyncio.timeout(PATIENCE):
                while not ear.lines:
                    await world.alice.says(world.room, "so that the sync ends")
                    await asyncio.sleep(0.5)
            [line] = await ear.hears("!ack k7f3")
            assert line.account == world.alice.id


async def test_what_was_said_while_it_was_away_is_read_later(world: World) -> None:
    async with on(world.network()) as ear:
        await ear.is_up()
        await world.alice.says(world.room, "before")
        [line] = await ear.hears("before")
    for number in range(3):
        await world.alice.says(world.room, f"meanwhile {number}")
    again = Ear()
    again.stands_at = line.position
    network = world.network()
    async with on(network, again):
        await again.is_up()
        await again.hears("meanwhile 2")
        assert [line.text for line in again.lines] == [f"meanwhile {number}" for number in range(3)]
        assert {line.account for line in again.lines} == {world.alice.id}
        assert await say(network, world.ops)


async def test_what_was_said_long_ago_is_found_in_an_encrypted_room(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "part", lambda *_: {})  # the homeserver has forgotten the transaction
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        receipt = await say(network, world.ops)
        assert await say(network, world.ops, tried=now().replace(year=2020)) == receipt


LARGE = Picture.of("errors.png", png(1080, 756, more=60_000), "as large as any that Tocsin draws")


@pytest.mark.parametrize("shown", [picture(), LARGE], ids=["small", "large"])
async def test_a_picture_is_encrypted_like_what_it_goes_with(world: World, shown: Picture) -> None:
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        await say(network, world.ops, Message("DiskFull", picture=shown))
        [event] = await world.alice.sees(lambda event: event.content.get("msgtype") == "m.image")
        assert event.encrypted
        assert await world.alice.media(event) == shown.png


async def test_what_is_said_in_the_clear_in_an_encrypted_room_is_nobodys(world: World) -> None:
    async with on(world.network()) as ear:
        await ear.is_up()
        content = {"msgtype": "m.text", "body": "!ack k7f3"}
        path = f"/rooms/{world.room}/send/m.room.message/1"
        world.call("PUT", path, content, world.alice.account)
        [line] = await ear.hears("!ack k7f3")
        assert (line.account, line.called) == ("", world.alice.id)


async def test_what_can_not_be_read_is_told_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "PATIENCE", 0.0)
    async with on(world.network()) as ear:
        await ear.is_up()
        sealed = {
            "algorithm": "m.megolm.v1.aes-sha2",
            "ciphertext": "AwgAEnACgAkLmt6qF84IK++J7UDH2Za1YVchHyprqTqsg",
            "device_id": "GONE",
            "sender_key": "RF3s+E7RkTQTGF2d8Deol0FkQvgII2aJDf3/Jp5mxVU",
            "session_id": "X3lUlvLELLYxeTx4yOVu6UDpasGEVO0Jbu+QFnm0cKQ",
        }
        for number in (1, 2):
            path = f"/rooms/{world.room}/send/m.room.encrypted/{number}"
            world.call("PUT", path, sealed, world.alice.account)
        [told] = await world.alice.sees("I can't read")
        assert world.alice.id in told.body
        await world.alice.says(world.room, "and this?")
        await ear.hears("and this?")
        assert len(ear.lines) == 1
        assert ear.lines[0].position == ""  # the key may still come


async def test_a_key_that_comes_late_opens_what_was_said(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = True
    network = world.network()
    decrypt = reading.opened

    def late(*arguments: object) -> object:
        return None if closed else decrypt(*arguments)  # type: ignore[arg-type] # as they came

    monkeypatch.setattr(hearing, "opened", late)
    async with on(network) as ear:
        await ear.is_up()
        await world.alice.says(world.room, "!ack k7f3")
        async with asyncio.timeout(PATIENCE):
            while not network._hearing.waits:  # noqa: SLF001 (nothing can be seen of it yet)
                await asyncio.sleep(0.02)
        assert ear.lines == []
        closed = False
        await world.alice.says(world.private, "next")
        [line] = await ear.hears("!ack k7f3")
        assert line.account == world.alice.id


def no_keys(request: Request) -> tuple[int, dict[str, object]] | None:
    """A homeserver that has broken down where it gives out people's devices."""
    return (500, {}) if request.path.endswith("/keys/query") and request.query else None


def of_nobody(request: Request) -> tuple[int, dict[str, object]] | None:
    """As a homeserver answers while the one of those it was asked for is down."""
    failures = {"failures": {"tocsin.test": {"status": 503, "message": "Not ready for retry"}}}
    return (200, {"device_keys": {}, **failures}) if no_keys(request) else None


async def event_of(client: Client, receipt: str) -> Heard:
    [event] = await client.sees(lambda event: event.id == receipt)
    return event


@pytest.mark.parametrize("answers", [no_keys, of_nobody])
async def test_while_keys_can_not_be_had_a_page_goes_to_the_devices_known_before(
    world: World, answers: Answers
) -> None:
    async with Proxy(world.synapse.url) as proxy:
        network = world.network(proxy.url)
        async with on(network) as ear:
            await ear.is_up()
            await say(network, private(world.alice.id), txn_id="before")
        proxy.answers = answers
        network = world.network(proxy.url)  # which asks for everybody's devices anew
        async with on(network) as ear:
            await ear.is_up()
            receipt = await say(network, private(world.alice.id), txn_id="after")
            page = await event_of(world.alice, receipt)
            assert (page.body, page.failure) == (PAGE.first_line(), "")
            assert ear.told == []


WITHIN = 8.0
"""In seconds: less than the homeserver has for an answer."""


async def test_a_page_waits_for_keys_no_longer_than_a_few_seconds(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "PAGES_WAIT", 0.5)
    async with Proxy(world.synapse.url) as proxy:
        network = world.network(proxy.url)
        async with on(network) as ear:
            await ear.is_up()
            await say(network, private(world.alice.id), txn_id="before")
            proxy.holds = lambda request: bool(no_keys(request))
            network._client.nio.olm.users_for_key_query.add(world.alice.id)  # noqa: SLF001 (as after a change)
            async with asyncio.timeout(WITHIN):
                receipt = await say(network, private(world.alice.id), txn_id="after")
            assert not (await event_of(world.alice, receipt)).failure
            assert [r for r in proxy.requests if no_keys(r) and r.status == 0]
            monkeypatch.setattr(
                devices, "PAGES_WAIT", PATIENCE
            )  # while it does not answer, nobody waits again
            async with asyncio.timeout(WITHIN):
                await say(network, private(world.alice.id), txn_id="another")


async def looks_again(network: Matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait until it has looked three times more who can't read what it says."""
    looks, blind = asyncio.Semaphore(0), network._client.blind  # noqa: SLF001 (if nothing new is found, nothing is seen of it)

    def looked(users: AbstractSet[str]) -> dict[str, str]:
        looks.release()
        return blind(users)

    monkeypatch.setattr(network._client, "blind", looked)  # noqa: SLF001
    async with asyncio.timeout(PATIENCE):
        for _ in range(3):
            await looks.acquire()


@pytest.mark.parametrize(
    ("answers", "why"), [(no_keys, "HTTP 500"), (of_nobody, "their homeserver does not answer")]
)
async def test_who_can_not_be_given_a_key_is_told_and_paged_all_the_same(
    world: World, answers: Answers, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Proxy(world.synapse.url) as proxy:
        proxy.answers = answers
        network = world.network(proxy.url)
        async with on(network) as ear:
            await ear.is_up()
            with pytest.raises(
                NetworkError, match=r"nobody in .* could read it: their keys can't be had"
            ) as caught:
                await say(network, private(world.alice.id))
            assert caught.value.unsent
            for txn_id in ("an id", "another"):
                receipt = await say(network, private(world.alice.id), txn_id=txn_id)
                assert (await event_of(world.alice, receipt)).failure
            await ear.knows(lambda: ear.told)
            await looks_again(network, monkeypatch)
            [told] = ear.told
            assert told == (
                f"{world.alice.id} can't read what I say in encrypted rooms on matrix: I know none of their "
                f"devices and can't have their keys now: {why}"
            )


async def test_who_has_no_device_that_encrypts_is_told_of_once(
    synapse: Synapse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with matrix_peers.World(synapse, tmp_path) as there:
        for user in (there.alice, there.mallory):  # mallory is none of the people
            there.joins(await user.create(invite=[there.bot.user_id], direct=True, encrypted=True))
        there.joins(await there.bob.create(invite=[there.bot.user_id], direct=True))
        network = there.network()
        async with on(network) as ear:
            await ear.is_up()
            await ear.knows(lambda: ear.told)
            assert await say(network, private(there.alice.id))  # all the same
            await looks_again(network, monkeypatch)
            [told] = ear.told
            assert told == (
                f"{there.alice.id} can't read what I say in encrypted rooms on matrix: they have no device that "
                "reads encrypted messages, and have to sign in with a client that does, such as Element"
            )


async def test_several_who_can_read_nothing_are_told_of_in_one_line(synapse: Synapse, tmp_path: Path) -> None:
    async with matrix_peers.World(synapse, tmp_path) as there:
        for user in (there.alice, there.bob):
            there.joins(await user.create(invite=[there.bot.user_id], direct=True, encrypted=True))
        async with on(there.network()) as ear:
            await ear.is_up()
            await ear.knows(lambda: ear.told)
            names = " and ".join(sorted((there.alice.id, there.bob.id)))
            assert ear.told[0].startswith(
                f"{names} can't read what I say in encrypted rooms on matrix: they have"
            )


async def test_who_can_read_nothing_is_known_until_they_can(synapse: Synapse, tmp_path: Path) -> None:
    bot, alice = synapse.register("bot"), synapse.register("alice")
    async with connected(synapse, bot, tmp_path / "bot", unverified=False) as ours:
        people = {alice.user_id, bot.user_id}
        room = await ours.creates(alice.user_id)
        assert ours.client.blind(people) == {}  # who is invited has not come yet
        synapse.call("POST", f"/_matrix/client/v3/join/{room}", {}, alice.token)
        await ours.syncs()
        assert ours.client.blind(people)[alice.user_id].startswith("they have no device")
        async with connected(synapse, alice, tmp_path / "alice", "PHONE"):
            await ours.sees(lambda _: not ours.client.blind(people))


async def test_who_has_none_but_unverified_devices_can_read_nothing_if_it_is_set_so(
    synapse: Synapse, tmp_path: Path
) -> None:
    bot = synapse.register("bot")
    async with (
        connected(synapse, bot, tmp_path / "bot", unverified=False) as ours,
        clients(synapse, "alice") as [alice],
    ):
        await alice.join(await ours.creates(alice.id))
        await ours.syncs()
        assert ours.client.blind({alice.id}) == {}
        await alice.bootstrap(anew=True)  # nobody has said yet that this was her
        await ours.sees(lambda _: ours.client.blind({alice.id}))
        assert ours.client.blind({alice.id}) == {
            alice.id: "none of their devices is verified: they have to verify one in their client"
        }
