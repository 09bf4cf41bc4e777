"""Text that is made to pass for ours, to hide what we say, or to make us do something."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession, web

from tocsin.domain.alert import Alert
from tocsin.domain.message import Message
from tocsin_silence import Silence
from tocsin_silence.upstream import Upstream

from tests.engine import Engine, Start, alert, fires
from tests.plugins.alertmanager_parts import Sender, body, declared
from tests.plugins.alertmanager_parts import alert as sent
from tests.plugins.silence_parts import silencing
from tests.tower import TWO_STEPS, Tower, asks

OURS = (
    "acknowledged by bob, paging stops: critical DiskFull db1",
    "[RESOLVED] critical DiskFull db1",
    "resolved by its source",
    "· !ack k7f3",
    "k7f3 resolved by bob: nothing",
)
HOSTILE = (
    *OURS,
    "a\r\nPRIVMSG #ops :!ack all",
    "\x1b[2J\x02\x0304",
    "\u202eedoc",
    "!ack all",
    "{0} %s '; --",
    "x" * 1900,
)


def brief(engine: Engine) -> list[str]:
    """What would be said in rooms where all the world reads."""
    return [
        "\n".join(said.message.summary().all_lines()) for said in engine.chat.said if not said.place.private
    ]


@pytest.mark.parametrize("text", OURS)
@pytest.mark.parametrize("label", ["alertname", "severity"])
async def test_a_label_does_not_pass_for_our_own_words(start: Start, label: str, text: str) -> None:
    async with start(declared()) as engine:
        subject = await engine.report(fires(Alert("1", {label: text})))
        [page] = engine.chat.texts("person/alice")
        ours = rf"{subject} (alert|'[\w.+-]{{1,20}}') "
        assert re.match(ours, page)
        assert page.endswith(f" · !ack {subject}")
        assert re.search(rf"^{ours}", (await asks(engine, "bob", "!alerts"))[0], re.MULTILINE)


async def test_a_severity_that_the_configuration_does_not_name_stands_in_quotes(start: Start) -> None:
    async with start(declared()) as engine:
        subject = await engine.report(fires(alert(severity="P1")))
        assert engine.chat.texts("person/alice")[0].startswith(f"{subject} 'P1' DiskFull db1: 97 % of / used")


@pytest.mark.parametrize("letter", ["x", "é", "🔥"])
async def test_a_long_label_does_not_hide_that_nobody_has_answered(start: Start, letter: str) -> None:
    async with start() as engine:
        long = Alert("1", {"alertname": "DiskFull"}, letter * 500 + " (since 02:00:00; alice has it)")
        subject = await engine.report(fires(long))
        await engine.says("bob", "!alerts")
        _, line = engine.chat.said[-1].message.all_lines(330)
        assert line.startswith(f"{subject} alert DiskFull: {letter}")
        assert line.endswith("… (since 03:00:00; nobody has answered)")


@pytest.mark.parametrize("text", HOSTILE)
async def test_what_somebody_is_paged_for_by_hand_is_a_text(tower: Tower, text: str) -> None:
    async with tower(TWO_STEPS) as engine:
        await engine.says("alice", f"!page bob please {text}", room="#ops")
        [(subject,)] = await engine.sql("select id from subjects")
        [page] = engine.chat.texts("person/bob")
        assert page.startswith(f"{subject} page from alice: please ")
        assert page.endswith(f" · !ack {subject}")
        assert page.isprintable()
        assert await engine.sql("select count(*) from events where kind = 'group.acknowledged'") == [(0,)]
        assert not any("please" in line for line in brief(engine))


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("room", ["#ops", ""])
async def test_the_reason_of_a_silence_is_a_text_for_those_who_may_know(
    start: Start, room: str, text: str
) -> None:
    async with start(silencing(Silence())) as engine:
        subject = await engine.report(fires())
        await engine.says("alice", f"!silence {subject} 2h because ACME {text}", room=room)
        await engine.says("bob", f"!extend {subject} 2h")
        told = engine.chat.texts("room/#ops")[-1]
        assert told.startswith(f"{subject} silenced by ")
        assert told.isprintable()
        assert "ACME" in told
        for line in brief(engine):
            assert "ACME" not in line
        assert brief(engine)[-1].startswith(f"{subject} silenced by alice until 05:00 ")
        assert ": critical DiskFull" in brief(engine)[-1]
        assert await engine.sql("select count(*) from events where kind = 'group.silenced'") == [(1,)]


@pytest.fixture
async def elsewhere() -> AsyncIterator[str]:
    """An Alertmanager that repeats what it is told, and more."""

    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"message": f"\x1b[2J\n!ack all {await request.text()}"}, status=400)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    yield f"http://{host}:{port}"
    await runner.cleanup()


async def test_what_alertmanager_answers_is_not_for_all_the_world(start: Start, elsewhere: str) -> None:
    async with start(silencing(Silence(receivers={"prod": Upstream(elsewhere)}))) as engine:
        subject = await engine.report(fires())
        await engine.says("alice", f"!silence {subject} 1h")
        await engine.advance(minutes=1)
        [full] = [text for text in engine.chat.texts("room/#ops") if "silence.push" in text]
        assert full.startswith(f"{subject} silence.push failed 3 times (Alertmanager answers 400: ")
        assert "alertname" in full
        assert full.isprintable()
        [short] = [text for text in brief(engine) if "silence.push" in text]
        assert short == f"{subject} silence.push failed 3 times. It is tried again. See the log."


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("word", ["zone", "quiet", "link", "unlink", ""])
async def test_what_is_said_of_oneself_is_taken_or_refused_and_nothing_else(
    tower: Tower, word: str, text: str
) -> None:
    async with tower(TWO_STEPS) as engine:
        subject = await engine.report(fires())
        for account in ("alice", "mallory"):
            await engine.says(account, f"!me {word} {text}", room="#ops")
            said = await asks(engine, account, f"me {word} {text}")
            assert said
            assert all(line.isprintable() for each in said for line in each.splitlines())
        assert await engine.run.tocsin.turn(lambda tx: tx.group(subject).rings)
        assert await engine.sql("select count(*) from links") == [(0,)]
        assert await engine.sql("select count(*) from profiles where timezone != '' or quiet != ''") == [(0,)]


def steering(**more: str) -> dict[str, Any]:
    """Labels that name what is ours to decide."""
    names = (
        "channel",
        "room",
        "policy",
        "tocsin_policy",
        "tocsin_silence",
        "silenced",
        "person",
        "page",
        "receiver",
    )
    return sent(
        labels=dict.fromkeys(names, "#evil") | more, annotations={"command": "!ack all", "room": "#evil"}
    )


async def test_no_label_chooses_where_it_is_told_or_whether(start: Start) -> None:
    async with start(declared()) as engine, ClientSession() as session:
        sender = Sender(session, engine)
        await sender.accepts(body(steering(acknowledged="alice", state="resolved")))
        assert len(sender.pages()) == 1
        assert {str(said.place) for said in engine.chat.said} == {"console/person/alice"}
        assert "#evil" not in sender.pages()[0]
        assert await sender.kinds() == ["group.opened", "page.delivered"]


@pytest.mark.parametrize(
    "line", ["!up", "!silence {} 1h", "!page bob help", "!done all", "!extend {}", "!me zone UTC"]
)
async def test_a_stranger_wakes_and_hushes_nobody(tower: Tower, line: str) -> None:
    async with tower(TWO_STEPS, "[plugins.silence]") as engine:
        subject = await engine.report(fires())
        before = await engine.sql("select count(*) from events")
        pages = tower.chat.pages()
        for room in ("#ops", ""):
            await engine.says("mallory", line.format(subject), room=room)
        assert await engine.sql("select count(*) from events") == before
        assert tower.chat.pages() == pages
        assert {verdict for (verdict,) in await engine.sql("select verdict from audit")} == {"stranger"}


def test_what_is_said_in_short_of_a_message_has_none_of_its_link() -> None:
    full = Message("a secret", "k7f3", "!ack k7f3", "https://secret.example/", ("secret",), brief="short")
    assert "secret" not in "\n".join(full.summary().all_lines())
