"""The hooks: what a plugin is asked, when, and what it answers.

Each is asked once; the answers are plain values. A hook is here from the day a plugin of our own uses it.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pluggy

from tocsin.answers import Answers
from tocsin.buttons import Button
from tocsin.commands import Command
from tocsin.config import Config
from tocsin.domain.event import Event
from tocsin.doubts import Doubt
from tocsin.errors import Problem
from tocsin.examining import Examination
from tocsin.feeds import Feed
from tocsin.intake import Route
from tocsin.pings import Ping
from tocsin.postmortems import Section
from tocsin.rules import Reaction, TimerKind
from tocsin.sources import Source

hookspec = pluggy.HookspecMarker("tocsin")
hookimpl = pluggy.HookimplMarker("tocsin")


@hookspec
def check_settings(config: Config) -> Iterable[Problem]:  # type: ignore[empty-body]
    """Asked at start and by `tocsin check-config`, once every table was read by itself.

    Return what is wrong with the plugin's settings in view of the whole configuration, such as a name that
    nothing bears. The paths of the problems begin inside the plugin's own table.
    """


@hookspec
def register_events() -> Iterable[type[Event]]:  # type: ignore[empty-body]
    """Asked once, at start. Return the events that this plugin records, each of a kind named `PLUGIN.PAST_TENSE`."""


@hookspec
def register_reactions() -> Iterable[Reaction[Any]]:  # type: ignore[empty-body]
    """Asked once, at start. Return what this plugin does when something happens: `on(EVENT, handler)`."""


@hookspec
def register_timers() -> Iterable[TimerKind]:  # type: ignore[empty-body]
    """Asked once, at start. Return the timers that this plugin rings, each of a kind named `PLUGIN.WHAT`."""


@hookspec
def register_commands() -> Iterable[Command]:  # type: ignore[empty-body]
    """Asked once, at start. Return what people may ask of this plugin in chat."""


@hookspec
def register_answers() -> Iterable[Answers]:  # type: ignore[empty-body]
    """Asked once, at start. Return what people may answer to the kinds of subjects that this plugin knows."""


@hookspec
def register_routes() -> Iterable[Route]:  # type: ignore[empty-body]
    """Asked once, at start. Return what may be posted to this plugin, at `/hooks/PLUGIN[/PATH]/RECEIVER`."""


@hookspec
def register_buttons() -> Iterable[Button]:  # type: ignore[empty-body]
    """Asked once, at start. Return what people may press outside of chat, at `/PATH/TEXT.SIGNATURE`."""


@hookspec
def register_feeds() -> Iterable[Feed]:  # type: ignore[empty-body]
    """Asked once, at start. Return what people's programs may fetch, at `/PATH/TEXT.SIGNATURE`."""


@hookspec
def register_pings() -> Iterable[Ping]:  # type: ignore[empty-body]
    """Asked once, at start. Return what others' programs may call to say that they are alive, at `/PATH/KEY[/WORD]`."""


@hookspec
def register_sources() -> Mapping[str, Source]:  # type: ignore[empty-body]
    """Asked once, at start. Return where metrics can be read, by the names that people give these sources."""


@hookspec
def postmortem_sections() -> Iterable[Section]:  # type: ignore[empty-body]
    """Asked once, at start. Return the sections of an incident's postmortem that this plugin writes."""


@hookspec
def register_examinations() -> Iterable[Examination]:  # type: ignore[empty-body]
    """Asked once, at start. Return what `tocsin doctor` is to look at, such as whether what this plugin rings by works."""


@hookspec
def register_doubts() -> Iterable[Doubt]:  # type: ignore[empty-body]
    """Asked once, at start. Return what this plugin asks whenever an incident is to be resolved."""


@hookspec
def foresee_pages(labels: Mapping[str, str], at: datetime, config: Config) -> Iterable[str]:  # type: ignore[empty-body]
    """Asked by `tocsin whowould`, which starts nothing. Return in lines whom an alert with these labels would page if it
    fired then, as far as the configuration tells.
    """
