"""What hostile hands and broken gateways do to ringing."""

import asyncio
import re
from datetime import timedelta

import pytest
from aiohttp import ClientTimeout, web

from tocsin.config.values import SecretSource
from tocsin.domain.alert import Alert
from tocsin.domain.signing import signed
from tocsin.plugins import Declared
from tocsin_notify import over_http, sending
from tocsin_notify.settings import Way

from tests.engine import Engine, Start, fires, over
from tests.plugins.notify_parts import (
    PUBLIC,
    Ntfy,
    Sink,
    alice,
    button,
    notifying,
    pages,
    paging,
    press,
    served,
)
from tests.processes import PATIENCE

SPENT = "this button is used up or too old: use the newest ring, or chat\n"


@pytest.fixture
def ringing(ntfy: Ntfy) -> Declared:
    return notifying(alice({"phone": Way(ntfy=f"{ntfy.url}/alice")}))


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is waited for long."""
    monkeypatch.setattr(over_http, "_ANSWERS", ClientTimeout(total=0.2))


async def rung(engine: Engine, ntfy: Ntfy) -> tuple[str, str]:
    """An alert that rings: its id, and where its Ack button leads."""
    subject = await engine.report(fires())
    await pages(engine, subject)
    return subject, button(ntfy.posts()[-1], "Ack")


async def test_a_button_is_good_for_a_day(start: Start, ringing: Declared, ntfy: Ntfy) -> None:
    async with start(ringing) as engine:
        subject, url = await rung(engine, ntfy)
        start.clock.step(timedelta(hours=24))
        for method in ("GET", "POST"):
            answer = await press(engine, url, method, headers={"Accept": "text/plain"})
            assert (answer.status, answer.text) == (409, SPENT)
        assert await engine.state(subject) == "triggered"
        # To look at it proves nothing, since programs do; a press proves that the way reached them, however late.
        assert await engine.sql("select by from events where kind = 'notify.confirmed'") == [("alice",)]


async def test_a_press_that_is_refused_uses_no_button_up(start: Start, ringing: Declared, ntfy: Ntfy) -> None:
    async with start(ringing) as engine:
        await rung(engine, ntfy)
        url = button(ntfy.posts()[-1], "Escalate")
        for _ in range(2):  # nothing escalates here
            answer = await press(engine, url)
            assert (answer.status, answer.text) == (409, "there is no !up\n")
        kinds = "select kind from events where kind like 'notify.%ed'"
        assert await engine.sql(kinds) == [("notify.confirmed",)]


async def test_pressed_too_late_it_says_how_the_alert_stands(
    start: Start, ringing: Declared, ntfy: Ntfy
) -> None:
    async with start(ringing) as engine:
        subject, url = await rung(engine, ntfy)
        await engine.says("alice", f"!ack {subject}")
        start.clock.step(timedelta(hours=24))
        answer = await press(engine, url)
        assert (answer.status, answer.text) == (200, f"{subject}: acknowledged by alice\n")
        assert await engine.sql("select by from events where kind = 'notify.confirmed'") == [("alice",)]


async def test_a_button_is_good_once_also_after_an_unack(start: Start, ringing: Declared, ntfy: Ntfy) -> None:
    async with start(ringing) as engine:
        subject, url = await rung(engine, ntfy)
        assert (await press(engine, url)).status == 200
        await engine.says("alice", f"!unack {subject}")
        assert (await press(engine, url)).text == SPENT
        assert await engine.state(subject) == "triggered"


async def test_pressed_twice_at_once_it_acts_once(start: Start, ringing: Declared, ntfy: Ntfy) -> None:
    async with start(ringing) as engine:
        subject, url = await rung(engine, ntfy)
        answers = await asyncio.gather(*(press(engine, url) for _ in range(8)))
        assert sorted(answer.text for answer in answers) == sorted(
            [f"acked {subject}\n", *[f"{subject}: acknowledged by alice\n"] * 7]
        )
        assert len(await engine.sql("select 1 from events where kind = 'group.acknowledged'")) == 1


async def test_a_button_of_before_answers_nothing_that_fires_again(
    start: Start, ringing: Declared, ntfy: Ntfy
) -> None:
    async with start(ringing) as engine:
        subject, url = await rung(engine, ntfy)
        await engine.report(over())
        assert (await press(engine, url)).text == f"{subject}: resolved\n"
        await engine.advance(minutes=1)
        assert await engine.report(fires()) == subject
        assert (await press(engine, url)).text == SPENT
        assert await engine.state(subject) == "triggered"


async def test_a_button_of_many_answers_those_that_did_not_begin_anew(
    start: Start, ringing: Declared, ntfy: Ntfy
) -> None:
    async with start(ringing) as engine:
        subject, _ = await rung(engine, ntfy)
        other = await engine.report(fires(key="other"))
        await pages(engine, other)
        await engine.advance(seconds=10)
        url = button(ntfy.posts()[-1], "Ack")
        await engine.report(over())
        await engine.advance(minutes=1)
        assert await engine.report(fires()) == subject
        assert (await press(engine, url)).status == 200
        assert [await engine.state(one) for one in (subject, other)] == ["triggered", "acknowledged"]


async def test_nobody_makes_a_button_of_another(start: Start, ringing: Declared, ntfy: Ntfy) -> None:
    async with start(ringing) as engine:
        subject, url = await rung(engine, ntfy)
        token = url.rpartition("/")[2]
        text, _, signature = token.rpartition(".")
        true = text.split(".")
        assert true[:4] == ["ack", "alice", "phone", subject]
        for part, lie in ((0, "up"), (1, "bob"), (4, "0"), (5, "ffffffff"), (6, "00000000")):
            parts = [*true[:part], lie, *true[part + 1 :]]
            for proof in (signature, signed(b"\0" * 32, "act", "x").rpartition(".")[2], "", "A" * 22):
                answer = await press(engine, f"{PUBLIC}/act/{'.'.join(parts)}.{proof}")
                assert (answer.status, answer.text) == (404, "there is no such button\n")
        assert await engine.state(subject) == "triggered"


@pytest.mark.parametrize("text", ["ack.alice", "", "ack.nobody.phone.k.0.ffffffff.00", "rm.alice.p.k.0.f.0"])
async def test_what_another_version_has_signed_is_refused(start: Start, ringing: Declared, text: str) -> None:
    async with start(ringing) as engine:
        path = await engine.run.tocsin.turn(lambda tx: tx.signed("act", text))
        assert (await press(engine, f"{PUBLIC}/{path}")).status == 409


async def test_labels_forge_nothing(start: Start, ringing: Declared, ntfy: Ntfy) -> None:
    name = "Disk\nX-Forged: 1\r\n\u202eevil\x00{ack_url}" + "x" * 5000
    odd = Alert("odd", {"alertname": name, "severity": "critical", "instance": "\ud800"}, "{text} $(id)\n\n2")
    async with start(ringing) as engine:
        await pages(engine, await engine.report(fires(odd)))
        (heard,) = ntfy.heard
        said = heard.body["title"] + heard.body["message"]
        assert not re.search("[\x00-\x09\x0b-\x1f\u202e\ud800-\udfff]", said)
        assert len(heard.body["message"].splitlines()) == 1


async def test_a_form_takes_text_for_text(start: Start) -> None:
    sink = Sink(start.clock)
    form = {"To": "+1 202", "Body": "{text} {ack_url}", "plain": "{{person}} %s"}
    async with served(sink):
        way = Way(webhook=f"{sink.url}/send", form=form)
        async with start(notifying(alice({"sms": way}))) as engine:
            odd = Alert("odd", {"alertname": "D{ack_url}{person}", "severity": "critical"}, "100 % {id}")
            subject = await engine.report(fires(odd))
            await pages(engine, subject)
            (heard,) = sink.heard
            said, _, url = heard.body["Body"].rpartition(" ")
            assert said == f"{subject} critical D{{ack_url}}{{person}}: 100 % {{id}}"
            assert url.startswith(f"{PUBLIC}/act/ack.alice.sms.{subject}.")
            assert heard.body["To"] == "+1 202"
            assert heard.body["plain"] == "{alice} %s"


async def hangs(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def drips(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(status=200)
    await answer.prepare(request)
    await answer.write(b"x")
    await asyncio.Event().wait()
    raise AssertionError


async def pours(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(status=200)
    await answer.prepare(request)
    while True:
        await answer.write(b"x" * 65536)


async def leads_elsewhere(request: web.Request) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": f"http://{request.host}/elsewhere"})


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (hangs, "ntfy did not answer within 10 s"),
        (leads_elsewhere, "ntfy answers 302, which leads elsewhere: name the address itself"),
    ],
)
async def test_gateways_that_do_not_take_it(
    start: Start, ringing: Declared, ntfy: Ntfy, answer: object, why: str
) -> None:
    ntfy.answers.append(answer)  # type: ignore[arg-type] # of two shapes of one
    async with start(ringing) as engine:
        await pages(engine, await engine.report(fires()))
        rows = await engine.sql("select headline from events where kind = 'notify.rang'")
        assert rows == [(f"phone of alice does not ring: {why}",)]
        assert [one.path for one in ntfy.heard] == ["/"]


@pytest.mark.parametrize("answer", [drips, pours])
async def test_what_is_said_behind_a_yes_is_not_waited_for(
    start: Start, ringing: Declared, ntfy: Ntfy, answer: object
) -> None:
    ntfy.answers.append(answer)  # type: ignore[arg-type] # as above
    async with start(ringing) as engine:
        await rung(engine, ntfy)
        rows = await engine.sql("select headline from events where kind = 'notify.rang'")
        assert rows == [("phone of alice rings",)]


async def test_one_that_hangs_leaves_room_for_others(start: Start, ntfy: Ntfy) -> None:
    stuck = Sink(start.clock, answers=[hangs], for_ever=True)
    async with served(stuck):
        people = [f"{stuck.url}/t{n}" for n in range(sending.MOST_AT_ONCE + 4)]
        ways = {f"w{n}": Way(ntfy=url) for n, url in enumerate(people)} | {"good": Way(ntfy=f"{ntfy.url}/x")}
        async with start(notifying(alice(ways)), crash=True) as engine:
            subject = await engine.report(fires())
            await engine.run.tocsin.turn(paging(subject))
            async with asyncio.timeout(PATIENCE):
                while not ntfy.heard or len(stuck.heard) < sending.MOST_AT_ONCE:
                    await asyncio.sleep(0.001)
            assert len(stuck.heard) == sending.MOST_AT_ONCE


async def test_no_secret_is_told_or_logged(
    start: Start, ntfy: Ntfy, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("DEBUG")
    monkeypatch.setenv("NTFY", "tk_secret-secret")
    way = Way(ntfy=f"{ntfy.url}/alice-secret-topic", token=SecretSource(env="NTFY"))
    for status in (401, 500, 200):
        ntfy.answers_with(status)
    async with start(notifying(alice({"phone": way}))) as engine:
        subject = await engine.report(fires())
        await pages(engine, subject)
        await engine.advance(minutes=20)
        assert ntfy.posts()[0].headers["Authorization"] == "Bearer tk_secret-secret"
        kept = await engine.sql("select headline || body from events")
        said = "".join([caplog.text, *engine.chat.texts(), str(kept)])
        for secret in ("tk_secret", "secret-topic", "secret-secret", "/act/"):
            assert secret not in said
