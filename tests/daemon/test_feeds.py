"""Feeds over a real connection: who was not given one gets nowhere, and whoever has it is given what is new."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import ClientSession

from tocsin.api import hookimpl
from tocsin.buttons import Button
from tocsin.errors import PluginError
from tocsin.feeds import Feed
from tocsin.plugins import Plugins
from tocsin.transaction import Transaction
from tocsin.web import feeds

from tests.daemon.web_parts import posts
from tests.engine import Engine, Start
from tests.processes import PATIENCE, TOKEN


@dataclass
class Shelf:
    """Has something to fetch: what is said of it under its name."""

    held: dict[str, str] = field(default_factory=lambda: {"menu": "soup"})
    free: threading.Event = field(default_factory=threading.Event)
    path: str = "shelf"

    def __post_init__(self) -> None:
        self.free.set()

    @hookimpl
    def register_feeds(self) -> list[Feed]:
        return [Feed(self.path, self.find, self.write, "text/plain", ".txt")]

    def find(self, text: str, tx: Transaction) -> str | None:
        return self.held.get(text) if tx.now.tzinfo else None

    def write(self, found: str) -> bytes:
        assert self.free.wait(PATIENCE)
        if found == "crash":
            raise ZeroDivisionError
        return found.encode()


@dataclass
class Hand:
    session: ClientSession
    engine: Engine
    shelf: Shelf

    async def goes(self, path: str, method: str = "GET", **how: Any) -> Any:
        url = f"http://{self.engine.run.daemon.web.address}/{path}"
        async with self.session.request(method, url, **how) as answer:
            return SimpleNamespace(status=answer.status, text=await answer.text(), headers=answer.headers)

    async def made(self, text: str, path: str = "shelf") -> str:
        return await self.engine.run.tocsin.turn(lambda tx: tx.signed(path, text))


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    made = Shelf()
    yield made
    made.free.set()


@pytest.fixture
async def hand(start: Start, shelf: Shelf) -> AsyncIterator[Hand]:
    declared = replace(posts(), feeds=Plugins({"shelf": shelf}).declared().feeds)
    async with start(declared) as engine, ClientSession() as session:
        yield Hand(session, engine, shelf)


async def test_whoever_has_the_address_fetches_what_is_there_and_only_what_is_new(hand: Hand) -> None:
    made = await hand.made("menu")
    answer = await hand.goes(f"{made}.txt")
    assert (answer.status, answer.text) == (200, "soup")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["Server"] == "tocsin"
    tag = {"If-None-Match": answer.headers["ETag"]}
    again = await hand.goes(made, headers=tag)
    assert (again.status, again.text, again.headers["ETag"]) == (304, "", answer.headers["ETag"])
    hand.shelf.held["menu"] = "stew"
    assert (await hand.goes(made, headers=tag)).text == "stew"


async def test_to_ask_for_the_head_brings_no_body(hand: Hand) -> None:
    answer = await hand.goes(await hand.made("menu"), "HEAD")
    assert (answer.status, answer.text, answer.headers["Content-Length"]) == (200, "", "4")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_nothing_else_can_be_done_with_it(hand: Hand, method: str) -> None:
    assert (await hand.goes(await hand.made("menu"), method)).status == 405
    assert (await hand.goes("shelf/menu", method)).status == 405


async def test_strangers_are_told_that_there_is_nothing(hand: Hand, caplog: pytest.LogCaptureFixture) -> None:
    made = await hand.made("menu")
    _, _, token = made.partition("/")
    signature = token.rpartition(".")[2]
    other = (await hand.made("menu", "other")).partition("/")[2]
    gone = (await hand.made("gone")).partition("/")[2]
    forged = ["", "menu", f"menu.{'A' * 22}", f"menu.{'é' * 22}", f"menus.{signature}", f"%00{token}", other]
    for wrong in [*forged, f"{'A' * 4000}.{signature}", gone]:
        answer = await hand.goes(f"shelf/{wrong}.txt")
        assert (answer.status, answer.text) == (404, "there is nothing here\n"), wrong
        assert "ETag" not in answer.headers
    assert "is none of ours is tried" in caplog.text
    assert token not in caplog.text
    assert signature not in caplog.text
    assert (await hand.goes(made)).status == 200


async def test_one_that_fails_says_so_and_is_not_logged(hand: Hand, caplog: pytest.LogCaptureFixture) -> None:
    hand.shelf.held["menu"] = "crash"
    made = await hand.made("menu")
    answer = await hand.goes(made)
    assert (answer.status, answer.text) == (503, "that failed: see Tocsin's log\n")
    assert answer.headers["Retry-After"] == "60"
    assert "ZeroDivisionError" in caplog.text
    assert made.rpartition("/")[2] not in caplog.text


async def test_they_are_fetched_only_so_often(hand: Hand) -> None:
    made = await hand.made("menu")
    forged = [(await hand.goes("shelf/menu.x")).status for _ in range(10)]
    answers = [(await hand.goes(made)).status for _ in range(feeds.BURST + 3)]
    assert forged == [404] * 10
    assert answers == [200] * feeds.BURST + [429] * 3
    await hand.engine.advance(seconds=1)
    assert (await hand.goes(made)).status == 200


async def test_alerts_are_taken_while_one_is_written(hand: Hand) -> None:
    hand.shelf.free.clear()
    made = await hand.made("menu")
    slow = [asyncio.create_task(hand.goes(made)) for _ in range(3)]
    proof = {"Authorization": f"Bearer {TOKEN}"}
    assert (await hand.goes("hooks/post/prod", "POST", data=b"Disk", headers=proof)).status == 202
    await hand.engine.run.settled()
    assert any("Disk" in text for text in hand.engine.chat.texts("person/alice"))
    assert not any(task.done() for task in slow)
    hand.shelf.free.set()
    assert [answer.status for answer in await asyncio.gather(*slow)] == [200] * 3


@pytest.mark.parametrize("path", ["hooks", "healthz", "a/b", "", "Shelf"])
def test_a_path_that_is_taken_or_none_is_refused(path: str) -> None:
    with pytest.raises(PluginError, match="path"):
        Plugins({"odd": Shelf(path=path)}).declared()


def test_a_path_belongs_to_a_button_or_to_a_feed() -> None:
    class Presser:
        @hookimpl
        def register_buttons(self) -> list[Button]:
            return [Button("shelf", lambda *_: "", lambda *_: "")]

    with pytest.raises(PluginError, match="path 'shelf' is claimed by presser and by shelf"):
        Plugins({"presser": Presser(), "shelf": Shelf()}).declared()
