"""Buttons over a real connection: who was not given one gets nowhere, and to look at one does nothing."""

import asyncio
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import ClientSession

from tocsin.api import hookimpl
from tocsin.buttons import Asked, Button
from tocsin.domain.signing import signed, unsigned
from tocsin.errors import PluginError, StateError
from tocsin.plugins import Plugins
from tocsin.store import State
from tocsin.testing import HandClock
from tocsin.transaction import Transaction
from tocsin.web import buttons

from tests.engine import Engine, Pager, Start, fires


def ask(text: str, tx: Transaction) -> str:
    tx.group(text)  # Refused if there is none
    return f"Ack <{text}>"


def press(text: str, tx: Transaction) -> Asked | str:
    if text == "hello":
        return "hello"
    if text == "crash":
        raise ZeroDivisionError
    return Asked("alice", f"ack {text}" if tx.find_group(text) else text, "phone", f"acked {text}")


class Presser:
    """Makes buttons."""

    @hookimpl
    def register_buttons(self) -> list[Button]:
        return [Button("go", ask, press)]


@dataclass
class Hand:
    session: ClientSession
    engine: Engine

    async def goes(self, path: str, method: str = "POST", **how: Any) -> Any:
        url = f"http://{self.engine.run.daemon.web.address}/{path}"
        async with self.session.request(method, url, **how) as answer:
            found = SimpleNamespace(
                status=answer.status, text=await answer.text(), headers=dict(answer.headers)
            )
        await self.engine.run.settled()
        return found

    async def made(self, text: str, path: str = "go") -> str:
        return await self.engine.run.tocsin.turn(lambda tx: tx.signed(path, text))


@pytest.fixture
async def hand(start: Start) -> AsyncIterator[Hand]:
    declared = replace(Pager().declared(), buttons=Plugins({"presser": Presser()}).declared().buttons)
    async with start(declared) as engine, ClientSession() as session:
        yield Hand(session, engine)


async def test_a_press_does_what_the_word_would(hand: Hand) -> None:
    subject = await hand.engine.report(fires())
    answer = await hand.goes(await hand.made(subject))
    assert (answer.status, answer.text) == (200, f"acked {subject}\n")
    assert await hand.engine.state(subject) == "acknowledged"
    assert "acknowledged by alice, paging stops" in hand.engine.chat.texts("room/#ops")[-1]
    assert await hand.engine.sql("select place, person, what, verdict from audit") == [
        ("button/phone", "alice", f"ack {subject}", "done")
    ]


async def test_what_is_refused_is_said_and_nothing_done(hand: Hand) -> None:
    subject = await hand.engine.report(fires())
    await hand.engine.says("bob", f"!ack {subject}")
    answer = await hand.goes(await hand.made(subject))
    assert (answer.status, answer.text) == (200, f"{subject}: bob has it already\n")
    answer = await hand.goes(await hand.made("nosuch"))
    assert (answer.status, answer.text) == (409, "there is no !nosuch\n")


async def test_to_look_at_one_does_nothing(hand: Hand) -> None:
    subject = await hand.engine.report(fires())
    for method in ("GET", "HEAD"):
        answer = await hand.goes(await hand.made(subject), method)
        assert answer.status == 200
        if method == "GET":
            assert f'<form method="post"><button>Ack &lt;{subject}&gt;</button></form>' in answer.text
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Server"] == "tocsin"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; base-uri 'none'")
    assert await hand.engine.state(subject) == "triggered"
    assert await hand.engine.sql("select 1 from audit") == []


async def test_a_browser_reads_a_page(hand: Hand) -> None:
    answer = await hand.goes(await hand.made("hello"), headers={"Accept": "text/html,*/*"})
    assert (answer.status, "<p>hello</p>" in answer.text) == (200, True)
    assert "<script" not in answer.text


async def test_one_that_is_good_no_more_says_so(hand: Hand) -> None:
    answer = await hand.goes(await hand.made("gone"), "GET")
    assert (answer.status, "<button>" in answer.text) == (409, False)


async def test_one_that_fails_says_so_and_keeps_nothing(hand: Hand, caplog: pytest.LogCaptureFixture) -> None:
    made = await hand.made("crash")
    answer = await hand.goes(made)
    assert (answer.status, answer.text) == (503, "that failed, and nothing was done: use chat\n")
    assert made not in caplog.text


async def test_forged_ones_get_one_answer(hand: Hand, caplog: pytest.LogCaptureFixture) -> None:
    subject = await hand.engine.report(fires())
    made = await hand.made(subject)
    other = await hand.made(subject, "other")
    _, _, token = made.partition("/")
    text, _, signature = token.rpartition(".")
    forged = [
        f"go/{text}",
        f"go/{text}.",
        f"go/.{signature}",
        f"go/{text}.{signature[:-1]}",
        f"go/{text}.{signature}A",
        f"go/{text}.{signature.swapcase()}",
        f"go/{text}x.{signature}",
        f"go/{text}.{'A' * 22}",
        f"go/{text}.{'é' * 22}",
        f"go/%00{token}",
        f"go/{'A' * 4000}.{signature}",
        f"go/{other.partition('/')[2]}",
        "go/",
    ]
    before = await hand.engine.sql("select count(*) from events")
    for path in forged:
        for method in ("POST", "GET"):
            answer = await hand.goes(path, method)
            assert (answer.status, answer.text) == (404, "there is no such button\n"), path
    assert await hand.engine.sql("select count(*) from events") == before
    assert signature not in caplog.text
    assert (await hand.goes(made)).status == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_other_ways_to_ask_are_refused(hand: Hand, method: str) -> None:
    answer = await hand.goes(await hand.made("hello"), method)
    assert answer.status == 405


async def test_what_comes_with_a_press_is_not_read(hand: Hand) -> None:
    made = await hand.made("hello")
    assert (await hand.goes(made, data=b"x" * 2000)).status == 200
    assert (await hand.goes(made, data=b"x" * 100_000)).status == 413
    assert (await hand.goes(made)).status == 200


async def test_strangers_keep_nobody_from_pressing(hand: Hand) -> None:
    made = await hand.made("hello")
    forged = await asyncio.gather(*(hand.goes(f"go/x.{n}") for n in range(2 * buttons.BURST)))
    assert {answer.status for answer in forged} == {404}
    assert (await hand.goes(made)).status == 200


async def test_whoever_has_one_presses_it_only_so_often(hand: Hand) -> None:
    made = await hand.made("hello")
    answers = [(await hand.goes(made)).status for _ in range(buttons.BURST + 5)]
    assert answers == [200] * buttons.BURST + [429] * 5
    await hand.engine.advance(seconds=1)
    assert (await hand.goes(made)).status == 200


async def test_the_key_is_ours_alone_and_stays(start: Start, hand: Hand) -> None:
    key = start.folder / "key"
    assert (stat.S_IMODE(key.stat().st_mode), key.stat().st_size) == (0o600, 32)
    made = await hand.made("hello")
    assert unsigned(key.read_bytes(), "go", made.partition("/")[2]) == "hello"
    dump = await hand.engine.sql("select group_concat(body) from events")
    assert key.read_bytes().hex() not in str(dump)


@pytest.mark.parametrize(("mode", "size", "why"), [(0o640, 32, "others may read it"), (0o600, 31, "is torn")])
def test_a_key_that_is_not_ours_alone_is_refused(tmp_path: Path, mode: int, size: int, why: str) -> None:
    state = State.open(tmp_path / "state", HandClock().now())
    key = state.folder / "key"
    key.write_bytes(bytes(size))
    key.chmod(mode)
    with pytest.raises(StateError, match=why):
        state.key()
    state.close(in_order=True)


async def test_without_buttons_there_is_no_such_path(start: Start) -> None:
    async with start() as engine, ClientSession() as session:
        answer = await Hand(session, engine).goes(f"go/{signed(b'', 'go', 'hello')}")
        assert answer.status == 404
        assert not (start.folder / "key").exists()


@pytest.mark.parametrize("path", ["hooks", "healthz", "a/b", "", "Act"])
def test_a_path_that_is_taken_or_none_is_refused(path: str) -> None:
    class Odd:
        @hookimpl
        def register_buttons(self) -> list[Button]:
            return [Button(path, ask, press)]

    with pytest.raises(PluginError, match="path"):
        Plugins({"odd": Odd()}).declared()


def test_two_for_one_path_are_refused() -> None:
    with pytest.raises(PluginError, match="path 'go' is claimed by presser and by twice"):
        Plugins({"presser": Presser(), "twice": Presser()}).declared()
