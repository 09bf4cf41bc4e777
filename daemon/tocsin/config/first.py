"""A first configuration: the parts of config.example.toml that it needs, comments and all, with somebody's answers in them."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

_HEADER = re.compile(r"^#?\[\[?([^\]]+)\]\]?$", re.MULTILINE)
_DIVIDER = "# ──"
_TITLE = (
    "# Tocsin's configuration, as 'tocsin init' has made it. What else there is to set: config.example.toml."
)


@dataclass(frozen=True)
class Part:
    """A table of the example.

    name: of its header there. lines: setting as the example has it, used or not -> the line that takes its place, or nothing;
    without any it stays as it is. called: its header here, if that is another.
    """

    name: str
    lines: Mapping[str, str] = field(default_factory=dict)
    called: str = ""


def example() -> str:
    """The text of config.example.toml: in the package, or among the sources if that is where this runs."""
    packed = files("tocsin.config").joinpath("example.toml")
    if packed.is_file():
        return packed.read_text(encoding="utf-8")
    return (Path(__file__).parents[3] / "config.example.toml").read_text(encoding="utf-8")


def setting(name: str, value: Any) -> str:
    """A line of TOML."""
    return f"{name} = {json.dumps(value, ensure_ascii=False)}"


def compose(text: str, parts: Sequence[Part]) -> str:
    """These parts of the example, in its order. text: the example's."""
    wanted = {part.name: part for part in parts}
    found: list[str] = []
    missing = set(wanted)
    name = ""
    head, *paragraphs = text.split("\n\n")
    for paragraph in map(str.strip, paragraphs):
        if paragraph.startswith(_DIVIDER):
            name = ""
            found.append(paragraph)
            continue
        if header := _HEADER.search(paragraph):
            name = header[1]
        if part := wanted.get(name):
            missing.discard(name)
            found.append(_filled(paragraph, part) if header and part.lines else paragraph)
    if missing:
        raise LookupError(f"config.example.toml has no table {sorted(missing)}")
    _, *rest = head.splitlines()
    return "\n\n".join(["\n".join([_TITLE, *rest]), *found]) + "\n"


def _filled(paragraph: str, part: Part) -> str:
    lines = paragraph.split("\n")
    header = next(number for number, one in enumerate(lines) if _HEADER.match(one))
    lines[header] = f"[{part.called or part.name}]"
    for name, new in part.lines.items():
        begins = re.compile(rf"#?{re.escape(name)} = ")
        places = [number for number, one in enumerate(lines) if number > header and begins.match(one)]
        if not places:
            raise LookupError(f"config.example.toml has no {name} in [{part.name}]")
        first = last = places[0]
        if lines[first].endswith("["):  # it goes on until its list ends
            last = lines.index("]", first)
        lines[first : last + 1] = [new] if new else []
    return "\n".join(lines)


@dataclass(frozen=True)
class Answers:
    """What a first configuration is made of: one person on call, by one schedule, up one policy.

    accounts: network -> the person's there. networks: network -> its lines, as in `Part`. receiver: who posts alerts; its
    token is a credential named after it. listen: empty for the default. heartbeat: whether there is an address of it.
    """

    person: str
    timezone: str
    accounts: Mapping[str, str]
    networks: Mapping[str, Mapping[str, str]]
    receiver: str
    listen: str = ""
    fallback: Sequence[str] = ()
    heartbeat: bool = False


def first_config(answers: Answers) -> str:
    """The text of the file."""
    accounts = {
        f"accounts.{name}": setting(f"accounts.{name}", account) for name, account in answers.accounts.items()
    }
    token = setting("token.credential", token_of(answers.receiver))
    listen = {"listen": setting("listen", answers.listen)} if answers.listen else {}
    command = {"command": setting("command", list(answers.fallback))} if answers.fallback else {}
    url = {"url.file": setting("url.credential", HEARTBEAT)} if answers.heartbeat else {}
    rooms = setting("room", list(answers.networks))
    steps = f'steps = [\n  {{ page = "primary" }},\n  {{ page = "primary", {rooms}, after = "5m" }},\n]'
    return compose(
        example(),
        [
            Part("web", listen),
            Part("receivers.prometheus", {"token.file": token}, f"receivers.{answers.receiver}"),
            *(Part(f"networks.{name}", lines) for name, lines in answers.networks.items()),
            Part(
                "people.alice",
                {"accounts.console": "", **accounts, "timezone": setting("timezone", answers.timezone)},
                f"people.{answers.person}",
            ),
            Part(
                "schedules.primary",
                {
                    "on_call": setting("on_call", [answers.person]),
                    "timezone": setting("timezone", answers.timezone),
                },
            ),
            Part("schedules.primary.layers"),
            Part("fallback", command),
            Part("heartbeat", url),
            Part("plugins.escalation.policies.ops", {"steps": steps}),
            *(Part(f"plugins.{name}") for name in _PLUGINS),
        ],
    )


_PLUGINS = (
    "alertmanager",
    "escalation",
    "handoff",
    "schedules",
    "silence",
    "incidents",
    "reminders",
    "timeline",
    "postmortem",
)

HEARTBEAT = "heartbeat.url"
"""The credential that holds the heartbeat's address."""


def token_of(receiver: str) -> str:
    """The credential that holds a receiver's token."""
    return f"{receiver}.token"
