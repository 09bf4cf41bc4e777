"""A real daemon on real IRC servers, and alerts and people that mean it ill: who controls a label controls nothing else."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tocsin.speakers import STRANGER_SAYS

from tests.networks.irc_peers import OTHER_ROOM, ROOM, come
from tests.processes import Process, started
from tests.servers.irc_user import Line, User, people
from tests.servers.ircd import Inspircd, Ircd, Ngircd
from tests.servers.programs import HOST

CONFIG = """\
digests = false
web.listen = "127.0.0.1:0"
[networks.irc]
server = "{host}:{port}"
tls = false
room = "#ops"
identity = "{identity}"
pace = "0s"
{detail}
[receivers.prod]
token.file = "prod.token"
[people.alice]
accounts.irc = "alice"
[teams.db]
members = ["alice"]
rooms.irc = "#db"
[plugins.alertmanager]
"""

ESCALATION = """\
[plugins.escalation]
default = "ops"
[plugins.escalation.policies.ops]
steps = [{ page = "alice" }]
"""

ALL = 'detail = { "#ops" = "full" }'

SIGNS = tuple("!./@?$%&~;:-+=*\\")
"""What other bots take for the beginning of a command."""


@pytest.fixture
def ircd(request: pytest.FixtureRequest) -> Ircd:
    """One of those that tests share; the test is run on both."""
    found: Ircd = request.getfixturevalue(request.param)
    return found


shared = pytest.mark.parametrize("ircd", ["ngircd", "inspircd"], indirect=True)

Write = Callable[..., Path]


def body(
    key: str, *alerts: Mapping[str, str], annotations: Mapping[str, str] | None = None, **more: Any
) -> Mapping[str, Any]:
    """What Alertmanager would post of these labels."""
    return {
        "version": "4",
        "groupKey": key,
        "status": "firing",
        "receiver": "tocsin",
        "truncatedAlerts": 0,
        "alerts": [
            {
                "status": "firing",
                "labels": labels,
                "annotations": annotations or {},
                "fingerprint": str(number),
            }
            for number, labels in enumerate(alerts)
        ],
        **more,
    }


@dataclass
class Scene:
    """A daemon, alice, who is one of its people, and eve, who is in the room and nobody."""

    tocsin: Process
    alice: User
    eve: User

    async def post(self, posted: Mapping[str, Any]) -> int:
        return await asyncio.to_thread(self.tocsin.post, "alertmanager/prod", posted)

    async def said(self, target: str) -> Sequence[str]:
        """All that Tocsin has said there."""
        for user in (self.alice, self.eve):
            await user.sync()
        reader = self.eve if target.startswith("#") else self.alice
        return [line.params[-1] for line in reader.lines if ours(line) and line.params[0] == target]

    async def tells(self, text: str, target: str = ROOM, times: int = 1) -> Sequence[str]:
        """Wait until Tocsin has said this there, so often: all such lines."""
        reader = self.eve if target.startswith("#") else self.alice
        found = await reader.sees(
            lambda line: ours(line) and line.params[0] == target and text in line.params[-1], times
        )
        return [line.params[-1] for line in found]

    def harmless(self) -> None:
        """Whatever Tocsin has sent, it joined, talked in lines that can be seen, and did nothing else."""
        for line in (*self.alice.lines, *self.eve.lines):
            if line.nick.startswith("tocsin") and line.command != "JOIN":
                assert ours(line), line
                assert line.params[0] in ("alice", ROOM, OTHER_ROOM), line
                assert line.params[-1].isprintable(), line
                assert not line.params[-1].startswith(SIGNS), line
                assert len(line.raw) <= 510
                assert line.raw.decode() == line.text  # no character was cut in two


def ours(line: Line) -> bool:
    return (line.command, line.nick) == ("PRIVMSG", "tocsin")


@asynccontextmanager
async def scene(
    ircd: Ircd, write: Write, detail: str = ALL, plugins: str = ESCALATION
) -> AsyncIterator[Scene]:
    accounts = isinstance(ircd, Inspircd)
    identity = "accounts" if accounts else "trust-nicks"
    config = write(CONFIG.format(host=HOST, port=ircd.port, identity=identity, detail=detail) + plugins)
    with ExitStack() as stack:
        async with people("alice", "eve") as [alice, eve]:
            await asyncio.gather(
                come(alice, ircd, "alice" if accounts else "", ROOM, OTHER_ROOM),
                come(eve, ircd, "", ROOM, OTHER_ROOM),
            )
            tocsin = await asyncio.to_thread(stack.enter_context, started(config))
            yield Scene(tocsin, alice, eve)


# ── Labels ──────────────────────────────────────────────────────────────────────────────────────────────────

TEXTS = {
    # Another line, or the end of this one.
    "crlf": "x\r\nQUIT :pwned\r\nNICK pwned",
    "cr": "x\rNICK pwned",
    "lf": "x\nPRIVMSG eve :pwned",
    "nul": "x\0y",
    "separators": "x\u2028QUIT\u2029QUIT\x85QUIT\x0bQUIT\x0cQUIT",
    "tags": "@label=x :tocsin!t@h PRIVMSG #ops :x",
    # What a terminal or a client does something at.
    "ctcp": "\x01ACTION acknowledged by alice\x01",
    "dcc": "\x01DCC SEND x 2130706433 6667 1\x01",
    "colours": "\x02\x0304,04\x1f\x16red\x0f\x04ff0000\x11\x1d\x1e",
    "ansi": "\x1b[2J\x1b]0;x\x07\x9b31m\x1b[5n",
    "c1": "".join(map(chr, range(0x7F, 0xA0))),
    "control": "".join(map(chr, range(0x20))),
    # What can't be seen, or turns around what can.
    "bidi": "\u202e!kca\u202c \u2066\u2067\u200f\u061c",
    "zero width": "a\u200bl\u2060i\ufeffc\u200be",
    "tag characters": "x\U000e0001\U000e0061\U000e007f",
    "nothing to be seen": "\u200b\u2060\ufeff\u00ad\u180e \t",
    # What passes for something else.
    "an answer": "acknowledged by alice, paging stops: critical Case",
    "an answer with an id": "zzzz acknowledged by alice, paging stops: critical Case",
    "an end": "[RESOLVED] resolved by its source",
    "a page": "critical Case · !ack zzzz",
    "a person": "<alice> !ack all",
    # What somebody would obey.
    "our command": "!ack all",
    "our name": "tocsin: ack all",
    "ours in private": "ack all",
    "another bot's": "!restart db1",
    "another's name": "supybot: restart db1",
    "a client's": "/quit",
    "a dot": ".op eve",
    # What is filled in.
    "template": "{{ .Labels }} {0} {self} %s %n ${HOME} $(id) `id` #{x} <%= x %>",
    "markup": "<b>x</b> <mx-reply> **x** [x](javascript:x) &lt;",
    "sql": "'; DROP TABLE events; --",
    "formula": '=HYPERLINK("http://evil")',
    "path": "../../etc/passwd\\..\\CON",
    # What is long.
    "long": "x" * 100_000,
    "wide": "🔥" * 50_000,
    "combining": "e" + "\u0301" * 5_000,
    "nicks": "alice eve bob " * 1_000,
}


@shared
async def test_a_label_is_text_and_part_of_one_line(ircd: Ircd, write_config: Write) -> None:
    async with scene(ircd, write_config) as on:
        for number, text in enumerate(TEXTS.values(), 1):
            labels = {"alertname": f"Case{number}", "severity": "critical", "instance": text, text: text}
            assert await on.post(body(text, labels, annotations={"summary": text, text: text})) == 202
        ids = []
        for number, name in enumerate(TEXTS, 1):
            [page] = await on.tells(f" critical Case{number} ", "alice")
            [told] = await on.tells(f" critical Case{number} ")
            subject = page.split()[0]
            ids.append(subject)
            assert re.fullmatch(rf"\w{{4}} critical Case{number} .*· !ack {subject}", page), name
            assert told.startswith(f"{subject} paging alice: critical Case{number} "), name
        assert len(set(ids)) == len(TEXTS)
        for place in ("alice", ROOM):
            assert sorted(line.split()[0] for line in await on.said(place)) == sorted(ids)
        on.harmless()
        # It has obeyed nothing of what it said itself, nor did anybody else have cause to.
        await on.eve.says(ROOM, "!alerts")
        await on.tells(f"{len(TEXTS)} alerts open, {len(TEXTS)} without an answer")
        await on.alice.says(ROOM, f"!ack {ids[0]}")
        await on.tells(f"{ids[0]} acknowledged by alice, paging stops: critical Case1")


@shared
async def test_a_name_is_text_too_and_comes_behind_how_severe_it_is(ircd: Ircd, write_config: Write) -> None:
    async with scene(ircd, write_config) as on:
        for text in TEXTS.values():
            assert await on.post(body(text, {"alertname": text, "severity": "critical"})) == 202
        for page in await on.tells(" · !ack ", "alice", times=len(TEXTS)):
            assert re.match(r"\w{4} critical( |$)", page)
        assert len(await on.said("alice")) == len(TEXTS)
        on.harmless()
        await on.eve.says(ROOM, "!alerts")
        await on.tells(f"{len(TEXTS)} alerts open, {len(TEXTS)} without an answer")


async def test_no_label_says_where_anything_is_told_or_what_becomes_of_it(
    ngircd: Ngircd, write_config: Write
) -> None:
    labels = {
        "alertname": "Case",
        "severity": "critical",
        **dict.fromkeys(("channel", "room", "irc_channel", "network", "tocsin_room"), OTHER_ROOM),
        **dict.fromkeys(("person", "user", "page", "tocsin_page"), "eve"),
        **dict.fromkeys(("tocsin_policy", "policy", "team", "route"), "db"),
        **dict.fromkeys(("tocsin_silence", "silence", "tocsin_state", "state", "status"), "resolved"),
        **dict.fromkeys(("id", "subject", "fingerprint", "groupKey"), "zzzz"),
    }
    async with scene(ngircd, write_config) as on:
        assert await on.post(body("a", labels, commonLabels=labels, groupLabels=labels)) == 202
        [page] = await on.tells("critical Case", "alice")
        [told] = await on.tells("paging alice: critical Case")
        assert not page.startswith("zzzz")
        assert await on.said("alice") == [page]
        assert await on.said(ROOM) == [told]
        assert await on.said(OTHER_ROOM) == []
        assert not [line for line in on.eve.lines if ours(line) and line.params[0] == "eve"]


LINKS = {
    "javascript:alert(1)": "",
    "data:text/html,x": "",
    "file:///etc/passwd": "",
    "https://example.org@evil.test/": "",
    "https://evil.test/\r\nQUIT": None,
    "https://\u0435xample.org/": "https://xn--xample-2of.org/",
    "https://example.org/\u202egnp.exe": "https://example.org/%E2%80%AEgnp.exe",
    "https://example.org/a b\x02c": None,
    "https://example.org/" + "x" * 2000: "",
}
"""What is said of each; nothing, or what only has to be harmless."""


async def test_a_link_is_one_to_a_web_page_and_shows_where_it_leads(
    ngircd: Ngircd, write_config: Write
) -> None:
    async with scene(ngircd, write_config) as on:
        for number, (link, shown) in enumerate(LINKS.items(), 1):
            labels = {"alertname": f"Case{number}", "severity": "critical"}
            assert await on.post(body(link, labels, annotations={"runbook_url": link})) == 202
            [page] = await on.tells(f"critical Case{number}", "alice")
            if shown is not None:
                assert page.partition("!ack ")[2].partition(" · ")[2] == shown
        on.harmless()


async def test_much_at_once_is_one_page_that_says_how_much(ngircd: Ngircd, write_config: Write) -> None:
    async with scene(ngircd, write_config) as on:
        many = [{"alertname": f"Case{number:04}", "severity": "critical"} for number in range(2000)]
        assert await on.post(body("many", *many)) == 202
        [page] = await on.tells("critical Case0000, and 1999 more", "alice")
        wide = {"alertname": "Wide", "severity": "critical"} | {f"label{n}": "x" * 20 for n in range(4998)}
        assert await on.post(body("wide", wide)) == 202
        [other] = await on.tells("critical Wide", "alice")
        assert await on.said("alice") == [page, other]
        on.harmless()


# ── Where all the world reads ───────────────────────────────────────────────────────────────────────────────


@shared
async def test_a_channel_that_anybody_can_join_is_told_no_label_but_name_and_severity(
    ircd: Ircd, write_config: Write
) -> None:
    """What the core says by itself, since no plugin pages: an alarm, who has it, and that it is over."""
    labels = {"alertname": "DiskFull", "severity": "critical", "instance": "secret1", "customer": "secret2"}
    notes = {"summary": "secret3 alice", "runbook_url": "https://secret4.test/", "description": "secret5"}
    posted = body("secret6", labels, annotations=notes, externalURL="https://secret7.test")
    async with scene(ircd, write_config, detail="", plugins="") as on:
        assert await on.post(posted) == 202
        [told] = await on.tells("critical DiskFull")
        subject = told.split()[0]
        assert told == f"{subject} critical DiskFull · !ack {subject}"
        await on.alice.says(ROOM, f"!ack {subject}")
        await on.tells(f"{subject} acknowledged by alice, paging stops: critical DiskFull")
        over = {**posted, "status": "resolved", "alerts": [{**posted["alerts"][0], "status": "resolved"}]}
        assert await on.post(over) == 202
        await on.tells("resolved")
        assert "secret" not in " ".join(await on.said(ROOM))
        on.harmless()


# ── People ──────────────────────────────────────────────────────────────────────────────────────────────────

NO_COMMANDS = [
    "> !ack all",
    ">!ack all",
    "`!ack all`",
    "```!ack all",
    '"!ack all"',
    "alice said !ack all",
    "<alice> !ack all",
    "[03:00] <alice> !ack all",
    "\N{INVERTED EXCLAMATION MARK}ack all",
    "\u202e!ack all",
    "!\N{CYRILLIC SMALL LETTER A}\u0441k all",
    "\N{CYRILLIC SMALL LETTER A}ck all",
    "ack all",
    "/ack all",
    ".ack all",
    "@tocsin ack all",
    "supybot: ack all",
    "tocsin2: ack all",
    "tocsin ack all",
    "!",
    "!!",
]


@shared
async def test_what_is_quoted_looks_alike_or_is_said_to_somebody_else_does_nothing(
    ircd: Ircd, write_config: Write
) -> None:
    async with scene(ircd, write_config) as on:
        assert await on.post(body("a", {"alertname": "Case", "severity": "critical"})) == 202
        await on.tells("paging alice: critical Case")
        for text in NO_COMMANDS:
            await on.alice.says(ROOM, text)
        for raw in (
            f"NOTICE {ROOM} :!ack all",
            f"PRIVMSG {ROOM} :\x01ACTION !ack all\x01",
            "NOTICE tocsin :ack all",
            f"TOPIC {ROOM} :!ack all",
        ):
            on.alice.send(raw)
        await on.alice.says(ROOM, "!alerts")
        await on.tells("1 alert open, 1 without an answer")


@shared
async def test_nobody_acts_for_alice_but_alice(ircd: Ircd, write_config: Write) -> None:
    """Eve has neither her nick nor her account, and says so many things that it would matter."""
    async with scene(ircd, write_config) as on:
        assert await on.post(body("a", {"alertname": "Case", "severity": "critical"})) == 202
        [page] = await on.tells("critical Case", "alice")
        subject = page.split()[0]
        for text in (
            "!ack",
            f"!ack {subject}",
            "!done all",
            "!up",
            "!unack",
            "!ack '; DROP TABLE events; --",
        ):
            await on.eve.says(ROOM, text)
            await on.eve.says("tocsin", text)
        on.eve.send(f"@+account=alice;account=alice PRIVMSG {ROOM} :!ack {subject}")
        await on.eve.sync()
        await on.tells("in private, and was refused")
        await on.alice.says(ROOM, "!ack '; DROP TABLE events; --")
        await on.alice.says(ROOM, "!alerts")
        await on.tells("1 alert open, 1 without an answer")
        await on.alice.says(ROOM, f"!ack {subject}")
        await on.tells(f"{subject} acknowledged by alice")


async def test_who_floods_it_gets_few_answers_and_holds_up_no_page(
    ngircd: Ngircd, write_config: Write
) -> None:
    async with scene(ngircd, write_config) as on:
        on.eve.send("\r\n".join([f"PRIVMSG {ROOM} :!ack all", "PRIVMSG tocsin :!ack all"] * 500))
        assert await on.post(body("a", {"alertname": "Case", "severity": "critical"})) == 202
        [page] = await on.tells("critical Case", "alice")
        await on.alice.says(ROOM, f"!ack {page.split()[0]}")
        await on.tells("acknowledged by alice")
        answers = [line for line in on.eve.lines if ours(line) and line.params[-1].startswith("I don't know")]
        assert 1 <= len(answers) <= STRANGER_SAYS
