"""Plugins are found by entry point, built from their table, and each failure names the plugin."""

import itertools
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from click.testing import Result

from tocsin import daemon
from tocsin.config import Document

from tests.conftest import MINIMAL
from tests.engine import Start
from tests.typed import typed

NUMBERS = itertools.count()

Install = Callable[..., None]
Write = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Lay a distribution with one plugin on the path, as an installer would."""

    def lay(source: str, *, name: str = "extra", distribution: str = "tocsin-extra") -> None:
        folder = tmp_path / distribution
        module = f"extra_{next(NUMBERS)}"  # Python keeps what it once imported
        info = folder / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[tocsin]\n{name} = {module}:Extra\n")
        (folder / f"{module}.py").write_text(dedent(source))
        monkeypatch.syspath_prepend(folder)

    return lay


def run(command: str, path: Path) -> Result:
    return typed(command, "--config", path)


GOOD = """
    from dataclasses import dataclass
    from tocsin.api import Problem, Duration, hookimpl

    @dataclass(frozen=True)
    class Extra:
        '''Does something more.

        At length.
        '''

        every: Duration

        @hookimpl
        def check_settings(self, config):
            return [Problem(("every",), f"is odd for {len(config.people)} people", fatal=False)]
"""


def test_a_plugin_is_built_from_its_table_and_asked(install: Install, write_config: Write) -> None:
    install(GOOD)
    path = write_config(MINIMAL + "[plugins.extra]\nevery = '5m'\n")
    ran = run("check-config", path)
    assert ran.exit_code == 0
    assert f"{path}:14: warning: plugins.extra.every: is odd for 2 people" in ran.stderr
    assert "plugins: alertmanager, escalation and extra" in ran.stdout


def test_its_settings_are_checked_like_our_own(install: Install, write_config: Write) -> None:
    install(GOOD)
    path = write_config(MINIMAL + "[plugins.extra]\nevry = 5\n")
    ran = run("check-config", path)
    assert ran.exit_code == 2
    assert f"{path}:13: plugins.extra.every: is required" in ran.stderr
    assert f"{path}:14: plugins.extra.evry: no such setting; did you mean 'every'?" in ran.stderr


def test_what_is_installed_is_listed_and_how_to_enable_it(install: Install, write_config: Write) -> None:
    install(GOOD)
    lines = run("plugins", write_config()).stdout.splitlines()
    assert [line.split()[0] for line in lines] == [
        "alertmanager",
        "escalation",
        "extra",
        "handoff",
        "heartbeats",
        "incidents",
        "notify",
        "postmortem",
        "reminders",
        "schedules",
        "silence",
        "timeline",
        "verification",
    ]
    assert lines[2].endswith("tocsin-extra 1.2   not enabled: add [plugins.extra]")
    lines = run("plugins", write_config(MINIMAL + "[plugins.extra]\nevery = '5m'\n")).stdout.splitlines()
    assert lines[2].endswith("Does something more. Hooks: check_settings.")


def test_what_is_not_enabled_is_not_imported(install: Install, write_config: Write) -> None:
    install("raise RuntimeError('imported')")
    assert run("check-config", write_config()).exit_code == 0
    assert run("plugins", write_config()).exit_code == 0


FRAME = """
    from dataclasses import dataclass
    from tocsin.api import Problem, hookimpl
"""


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        (
            "import nosuch",
            "can't be imported from tocsin-extra: ModuleNotFoundError: No module named 'nosuch'",
        ),
        ("Other = 1", "can't be imported from tocsin-extra: AttributeError: "),
        ("raise SystemExit(0)", "can't be imported from tocsin-extra: SystemExit: 0"),
        ("Extra = 1", ":Extra is not a dataclass"),
        ("class Extra: pass", ":Extra is not a dataclass"),
        (FRAME + "    @dataclass\n    class Extra: pass", "is not frozen: @dataclass(frozen=True)"),
        (
            FRAME + "    @dataclass(frozen=True)\n    class Extra:\n        x: memoryview",
            "its settings can't be read from TOML: Unable to generate pydantic-core schema for <class 'memoryview'>",
        ),
        (
            FRAME + "    @dataclass(frozen=True)\n    class Extra:\n        x: 'Nosuch'",
            "its settings can't be read from TOML: ",
        ),
        (
            FRAME
            + "    @dataclass(frozen=True)\n    class Extra:\n        @hookimpl\n        def chek_settings(self, config): ...",
            "there is no hook 'chek_settings'; did you mean 'check_settings'?",
        ),
        (
            FRAME
            + "    @dataclass(frozen=True)\n    class Extra:\n        @hookimpl\n        def check_settings(self, cfg): ...",
            "Argument(s) {'cfg'} are declared in the hookimpl but can not be found in the hookspec",
        ),
        (
            FRAME
            + "    @dataclass(frozen=True)\n    class Extra:\n        @hookimpl\n        def check_settings(self):\n"
            + "            return 1 / 0",
            "check_settings failed: ZeroDivisionError: division by zero",
        ),
        (
            FRAME
            + "    @dataclass(frozen=True)\n    class Extra:\n        @hookimpl\n        def check_settings(self): ...",
            "check_settings failed: TypeError: 'NoneType' object is not iterable",
        ),
        (
            FRAME
            + "    @dataclass(frozen=True)\n    class Extra:\n        @hookimpl\n        def check_settings(self): return 'x'",
            "check_settings returned 'x', which is no Problem",
        ),
        (
            FRAME
            + "    @dataclass(frozen=True)\n    class Extra:\n        def __post_init__(self): raise KeyError('oops')",
            "can't be built: KeyError: 'oops'",
        ),
    ],
)
def test_a_plugin_that_breaks_its_contract_is_named(
    install: Install, write_config: Write, source: str, complaint: str
) -> None:
    install(source)
    path = write_config(MINIMAL + "[plugins.extra]\n")
    ran = run("check-config", path)
    assert ran.exit_code == 2
    assert ran.stderr.startswith(f"{path}: plugin 'extra': ")
    assert complaint in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_two_packages_with_one_plugin_are_both_named(install: Install, write_config: Write) -> None:
    install(GOOD, distribution="tocsin-one")
    install(GOOD, distribution="tocsin-two")
    ran = run("plugins", write_config())
    assert ran.exit_code == 2
    assert "plugin 'extra': is brought by tocsin-two and by tocsin-one: uninstall one" in ran.stderr


ABLE = """
    from dataclasses import dataclass
    from datetime import timedelta
    from typing import ClassVar
    from tocsin.api import Answers, BadPayload, Command, Event, Route, TimerKind, hookimpl, on

    @dataclass(frozen=True, kw_only=True)
    class Landed(Event):
        kind: ClassVar[str] = "extra.landed"

        def headline(self):
            return "landed"

    def parse(receiver, body):
        return receiver, body.decode()

    @dataclass(frozen=True)
    class Extra:
        after: str = "2m"

        @hookimpl
        def register_events(self):
            return [Landed]

        @hookimpl
        def register_reactions(self):
            return [on(Landed, self.soon)]

        @hookimpl
        def register_timers(self):
            return [TimerKind("extra.due", self.due)]

        @hookimpl
        def register_commands(self):
            return [Command("land PLACE", self.land, "lands", also=("touch-down",))]

        @hookimpl
        def register_answers(self):
            return [Answers("flight", {"accept": self.accept}, lambda call, tx: [])]

        @hookimpl
        def register_routes(self):
            return [Route("", parse, self.take), Route("fast", parse, self.take)]

        def soon(self, event, tx):
            tx.set_timer("extra.due", event.subject, after=timedelta(minutes=2))

        def due(self, timer, tx):
            tx.tell(f"{timer.key} is down")

        def accept(self, call, ids, tx):
            return f"cleared: {ids}"

        def land(self, call, tx):
            tx.open("flight", call["PLACE"])
            tx.record(Landed(subject=call["PLACE"], at=tx.now))
            return "landing"

        def take(self, posted, tx):
            tx.record(Landed(subject=" ".join(posted), at=tx.now))
"""


async def test_all_that_a_plugin_declares_is_used(
    install: Install, write_config: Write, tmp_path: Path
) -> None:
    install(ABLE)
    path = write_config(MINIMAL + "[plugins.extra]\n")
    assert run("check-config", path).exit_code == 0
    assert (
        "Hooks: register_answers, register_commands, register_events, register_reactions, register_routes"
        in (run("plugins", path).stdout)
    )
    ready = daemon.prepare(Document.open(path))
    start = Start(ready.config, tmp_path / "state")
    async with start(ready.declared) as engine:
        await engine.says("alice", "!touch-down runway")
        await engine.says("alice", "!accept r3zj")
        assert engine.chat.texts() == ["landing", "cleared: ['r3zj']"]
        for route in ("extra", "extra/fast"):
            await engine.run.daemon.intake.keep(route, "prod", b"on " + route.encode())
        await engine.run.settled()
        assert await engine.sql("select kind, headline from events") == [("extra.landed", "landed")] * 3
        await engine.advance(minutes=2)
        assert sorted(engine.chat.texts("room/#ops")) == [
            "prod on extra is down",
            "prod on extra/fast is down",
            "runway is down",
        ]


ABOVE = """\
from dataclasses import dataclass, field
from typing import ClassVar
from tocsin.api import Answers, Command, Event, GroupOpened, Route, TimerKind, hookimpl, on

def handler(*_): pass

async def waits(*_): pass

@dataclass(frozen=True, kw_only=True)
class Landed(Event):
    kind: ClassVar[str] = "extra.landed"
    def headline(self): return "landed"

@dataclass(frozen=True, kw_only=True)
class LandedToo(Event):
    kind: ClassVar[str] = "extra.landed"
    def headline(self): return "landed, too"

@dataclass(frozen=True, kw_only=True)
class Foreign(Event):
    kind: ClassVar[str] = "escalation.landed"
    def headline(self): return "landed elsewhere"

@dataclass(frozen=True, kw_only=True)
class Mute(Event):
    kind: ClassVar[str] = "extra.mute"

class Unkind(Event):
    def headline(self): return "of no kind"

class NoEvent:
    kind = "extra.none"

@dataclass(frozen=True)
class Extra:
    @hookimpl
"""


def answers(hook: str, answer: str) -> str:
    return f"{ABOVE}    def {hook}(self): return {answer}\n"


REFUSALS = [
    ("events", "[Foreign]", "event kind 'escalation.landed' must be named 'extra.WHAT'"),
    ("events", "[GroupOpened]", "event kind 'group.opened' must be named 'extra.WHAT'"),
    ("events", "[Unkind]", "event kind '' must be named 'extra.WHAT'"),
    ("events", "[Landed, LandedToo]", "event kind 'extra.landed' is declared twice"),
    ("events", "[Landed, Landed]", "event kind 'extra.landed' is declared twice"),
    ("events", "[NoEvent]", "register_events returned NoEvent, which is no dataclass below Event"),
    ("events", "[Mute]", "event 'extra.mute' has no headline()"),
    ("events", "['extra.landed']", "register_events returned 'extra.landed', which is no type"),
    ("events", "Landed", "register_events failed: TypeError: 'type' object is not iterable"),
    ("timers", "[TimerKind('due', handler)]", "timer kind 'due' must be named 'extra.WHAT'"),
    ("timers", "[TimerKind('core.due', handler)]", "timer kind 'core.due' must be named 'extra.WHAT'"),
    ("timers", "[TimerKind('extra.', handler)]", "timer kind 'extra.' must be named 'extra.WHAT'"),
    ("timers", "[TimerKind('extra.A b', handler)]", "timer kind 'extra.A b' must be named 'extra.WHAT'"),
    ("timers", "[TimerKind('extra.due', handler)] * 2", "timer kind 'extra.due' is declared twice"),
    ("timers", "['extra.due']", "register_timers returned 'extra.due', which is no TimerKind"),
    ("reactions", "[on(Landed, waits)]", "waits is a coroutine: a turn is a plain function"),
    ("reactions", "[handler]", ", which is no Reaction"),
    ("reactions", "1 / 0", "register_reactions failed: ZeroDivisionError: division by zero"),
    ("commands", "[Command('ack', handler, '')]", "command 'ack' is claimed by Tocsin itself and by extra"),
    ("commands", "[Command('help', handler, '')]", "command 'help' is claimed by Tocsin itself and by extra"),
    ("commands", "[Command('me', handler, '')]", "command 'me' is claimed by Tocsin itself and by extra"),
    (
        "commands",
        "[Command('land', handler, '', also=('acked',))]",
        "command 'acked' is claimed by Tocsin itself and by extra",
    ),
    ("commands", "[Command('land', handler, '')] * 2", "command 'land' is claimed by extra and by extra"),
    ("commands", "[Command('Land', handler, '')]", "'Land' can't be typed as a command"),
    ("commands", "[Command('!land', handler, '')]", "'!land' can't be typed as a command"),
    ("commands", "[Command('land', handler, '', also=('touch down',))]", "'touch down' can't be typed"),
    ("commands", "[Command('land', waits, '')]", "waits is a coroutine: a turn is a plain function"),
    ("commands", "'land'", "register_commands returned 'l', which is no Command"),
    (
        "commands",
        "[Command('accept', handler, '')]",
        "command 'accept' is claimed by Tocsin itself and by extra",
    ),
    (
        "answers",
        "[Answers('group', {'ack': handler}, handler)]",
        "'ack' to group is claimed by Tocsin itself and",
    ),
    (
        "answers",
        "[Answers('offer', {'ack': handler}, handler)] * 2",
        "'ack' to offer is claimed by extra and by",
    ),
    (
        "answers",
        "[Answers('offer', {'take': handler}, handler)]",
        "'take' is no word to answer with: there is ack,",
    ),
    (
        "answers",
        "[Answers('offer', {'ack': waits}, handler)]",
        "waits is a coroutine: a turn is a plain function",
    ),
    ("answers", "[Answers('offer', {'ack': handler}, 5)]", "5 can't be called"),
    ("answers", "['ack']", "register_answers returned 'ack', which is no Answers"),
    ("routes", "[Route('', handler, handler)] * 2", "has two routes for /hooks/extra"),
    ("routes", "[Route('fast', handler, handler)] * 2", "has two routes for /hooks/extra/fast"),
    (
        "routes",
        "[Route('a/b', handler, handler)]",
        "register_routes failed: ValueError: a route's path is one word",
    ),
    (
        "routes",
        "[Route('A', handler, handler)]",
        "register_routes failed: ValueError: a route's path is one word",
    ),
    ("routes", "{'': handler}", "register_routes returned '', which is no Route"),
]


@pytest.mark.parametrize(("what", "answer", "complaint"), REFUSALS)
def test_what_a_plugin_declares_and_cannot_work_is_refused(
    install: Install, write_config: Write, what: str, answer: str, complaint: str
) -> None:
    install(answers(f"register_{what}", answer))
    path = write_config(MINIMAL + "[plugins.extra]\n")
    ran = run("check-config", path)
    assert ran.exit_code == 2
    assert ran.stderr.startswith(f"{path}: plugin 'extra': ")
    assert complaint in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("what", "answer"),
    [
        ("routes", "[Route('', handler, waits)]"),  # what is posted would be accepted, and never taken
        ("routes", "[Route('', waits, handler)]"),
        ("routes", "[Route('', handler, None)]"),
        ("timers", "[TimerKind('extra.due', None)]"),
        ("timers", "[TimerKind(None, handler)]"),
        ("commands", "[Command('', handler, '')]"),
        ("commands", "[Command('land', handler, '', also='land')]"),
        ("reactions", "[on(int, handler)]"),
        ("events", "[type('Odd', (Landed,), {'kind': 5})]"),
    ],
)
def test_what_a_plugin_declares_in_a_wrong_shape_is_refused(
    install: Install, write_config: Write, what: str, answer: str
) -> None:
    install(answers(f"register_{what}", answer))
    path = write_config(MINIMAL + "[plugins.extra]\n")
    ran = run("check-config", path)
    assert ran.exit_code == 2
    assert ran.stderr.startswith(f"{path}: plugin 'extra': ")
    assert len(ran.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["alert", "core", "group", "page"])
def test_a_plugin_named_like_the_cores_own_can_declare_no_kinds(
    install: Install, write_config: Write, name: str
) -> None:
    install(answers("register_timers", f"[TimerKind('{name}.due', handler)]"), name=name)
    ran = run("check-config", write_config(f"{MINIMAL}[plugins.{name}]\n"))
    assert ran.exit_code == 2
    assert f"plugin '{name}': timer kind '{name}.due' must be named '{name}.WHAT'" in ran.stderr


def test_a_command_that_two_plugins_claim_names_both(install: Install, write_config: Write) -> None:
    for name, also in (("extra", "()"), ("more", "('land',)")):
        word = "land" if name == "extra" else "touch"
        source = answers("register_commands", f"[Command('{word}', handler, '', also={also})]")
        install(source, name=name, distribution=f"tocsin-{name}")
    ran = run("check-config", write_config(MINIMAL + "[plugins.more]\n[plugins.extra]\n"))
    assert ran.exit_code == 2
    assert ran.stderr.endswith("plugin 'more': command 'land' is claimed by extra and by more\n")
