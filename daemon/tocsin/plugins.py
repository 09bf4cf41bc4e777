"""Finds plugins, builds those that the configuration enables, and asks them what they declare."""

import dataclasses
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

import pluggy

from tocsin import answers, hookspecs, lists, me, oncall, reload
from tocsin.answers import Answers
from tocsin.buttons import TAKEN_PATHS, Button
from tocsin.commands import OWN_WORDS, Command
from tocsin.config import Config, shape_problem, unknown_name
from tocsin.domain.event import Event
from tocsin.domain.words import did_you_mean, listed
from tocsin.doubts import Doubt
from tocsin.errors import PluginError, Problem
from tocsin.examining import Examination
from tocsin.feeds import Feed
from tocsin.intake import Route
from tocsin.pings import Ping
from tocsin.postmortems import Section
from tocsin.rules import Owned, Reaction, TimerKind, owned
from tocsin.sources import Source

GROUP = "tocsin"

T = TypeVar("T")
S = TypeVar("S", Button, Feed, Ping)
E = TypeVar("E", Section, Doubt, Examination)


@dataclass(frozen=True)
class Installed:
    """A plugin that is installed, whether enabled or not.

    distribution, version: the package that brings it.
    """

    entry_point: EntryPoint
    distribution: str
    version: str

    @property
    def name(self) -> str:
        return self.entry_point.name

    def load(self) -> type:
        """Import the plugin's class. Raises PluginError if it is none that can be built from settings."""
        try:
            plugin: Any = self.entry_point.load()
        except (Exception, SystemExit) as error:
            raise PluginError(
                self.name, f"can't be imported from {self.distribution}: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(plugin, type) or not dataclasses.is_dataclass(plugin):
            raise PluginError(self.name, f"{self.entry_point.value} is not a dataclass")
        if not plugin.__dataclass_params__.frozen:  # type: ignore[attr-defined]
            raise PluginError(self.name, f"{self.entry_point.value} is not frozen: @dataclass(frozen=True)")
        if problem := shape_problem(plugin):
            raise PluginError(self.name, f"its settings can't be read from TOML: {problem}")
        return plugin


def installed() -> Mapping[str, Installed]:
    """Every installed plugin by name, none of them imported. Raises PluginError if two bear one name."""
    found: dict[str, Installed] = {}
    for point in entry_points(group=GROUP):
        distribution = point.dist.name if point.dist else "an unknown package"
        plugin = Installed(point, distribution, point.dist.version if point.dist else "")
        other = found.setdefault(point.name, plugin)
        if other.entry_point.value != point.value:
            raise PluginError(
                point.name, f"is brought by {other.distribution} and by {distribution}: uninstall one"
            )
    return dict(sorted(found.items()))


def load(names: Iterable[str]) -> tuple[dict[str, type], list[Problem]]:
    """The classes of the plugins that a configuration enables, and the problems of names that none bears."""
    available = installed()
    classes, problems = {}, []
    for name in names:
        if name in available:
            classes[name] = available[name].load()
        else:
            problems.append(unknown_name(("plugins", name), name, "no installed plugin", available))
    return classes, problems


@dataclass(frozen=True)
class Declared:
    """What plugins brought: the daemon dispatches from these tables.

    events, timers: by kind. routes: by `PLUGIN`, or `PLUGIN/PATH`. sources: by name. reactions, sections, doubts, examinations: each with its
    plugin's name.
    """

    events: Mapping[str, type[Event]] = field(default_factory=dict)
    reactions: Sequence[tuple[str, Reaction[Any]]] = ()
    timers: Mapping[str, Owned] = field(default_factory=dict)
    commands: Sequence[Command] = ()
    answers: Sequence[Answers] = ()
    routes: Mapping[str, Route] = field(default_factory=dict)
    buttons: Sequence[Button] = ()
    feeds: Sequence[Feed] = ()
    sections: Sequence[tuple[str, Section]] = ()
    doubts: Sequence[tuple[str, Doubt]] = ()
    examinations: Sequence[tuple[str, Examination]] = ()
    sources: Mapping[str, Source] = field(default_factory=dict)
    pings: Sequence[Ping] = ()


class Plugins:
    """The plugins that run, each built from its table."""

    def __init__(self, plugins: Mapping[str, object]) -> None:
        """Take the plugins by name. Raises PluginError for a hook that is misspelt or misshapen."""
        self._manager = pluggy.PluginManager(hookspecs.hookspec.project_name)
        self._manager.add_hookspecs(hookspecs)
        for name, plugin in plugins.items():
            self._refuse_unknown_hooks(name, plugin)
            try:
                self._manager.register(plugin, name)
            except pluggy.PluginValidationError as error:
                raise PluginError(name, str(error).splitlines()[-1]) from None

    def _refuse_unknown_hooks(self, name: str, plugin: object) -> None:
        known = vars(self._manager.hook)
        for attribute in dir(type(plugin)):
            options = self._manager.parse_hookimpl_opts(plugin, attribute)
            if options and (hook := options.get("specname") or attribute) not in known:
                raise PluginError(name, f"there is no hook {hook!r}{did_you_mean(hook, known)}")

    def hooks_of(self, name: str) -> list[str]:
        """The hooks that a plugin answers."""
        plugin = self._manager.get_plugin(name)
        return sorted(caller.name for caller in self._manager.get_hookcallers(plugin) or ())

    def check(self, config: Config) -> Iterator[Problem]:
        """What the plugins find wrong with their settings."""
        for name, problems in self._ask("check_settings", Problem, config=config):
            for problem in problems:
                yield problem.below("plugins", name)

    def foresee(self, labels: Mapping[str, str], at: datetime, config: Config) -> Iterator[str]:
        """Whom an alert with these labels would page then, in lines."""
        for _, lines in self._ask("foresee_pages", str, labels=labels, at=at, config=config):
            yield from lines

    def declared(self) -> Declared:
        """All that the plugins bring. Raises PluginError for what is claimed twice, or can't work."""
        paths = dict.fromkeys(TAKEN_PATHS, "Tocsin itself")
        return Declared(
            self._events(),
            list(self._reactions()),
            self._timers(),
            self._commands(),
            self._answers(),
            self._routes(),
            self._signed("register_buttons", Button, ("ask", "press"), paths),
            self._signed("register_feeds", Feed, ("find", "write"), paths),
            self._each("postmortem_sections", Section, "write"),
            self._each("register_doubts", Doubt, "why"),
            self._each("register_examinations", Examination, "look"),
            self._sources(),
            self._signed("register_pings", Ping, ("find", "take"), paths),
        )

    def _events(self) -> Mapping[str, type[Event]]:
        events: dict[str, type[Event]] = {}
        for name, shapes in self._ask("register_events", type):
            for shape in shapes:
                kind = _own_kind(name, getattr(shape, "kind", ""), "event", events)
                events[kind] = _sound_event(name, shape)
        return events

    def _reactions(self) -> Iterator[tuple[str, Reaction[Any]]]:
        for name, reactions in self._ask("register_reactions", Reaction):
            for reaction in reactions:
                if not (isinstance(reaction.event, type) and issubclass(reaction.event, Event)):
                    raise PluginError(name, f"reacts to {reaction.event!r}, which is no Event")
                _check_handler(name, reaction.handler)
                yield name, reaction

    def _timers(self) -> Mapping[str, Owned]:
        timers: dict[str, Owned] = {}
        for name, kinds in self._ask("register_timers", TimerKind):
            for each in kinds:
                _check_handler(name, each.handler, may_wait=True)
                kind = _own_kind(name, each.kind, "timer", timers)
                timers[kind] = owned(name, each.handler, pages=each.pages, at_start=each.at_start)
        return timers

    def _routes(self) -> Mapping[str, Route]:
        routes: dict[str, Route] = {}
        for name, ways in self._ask("register_routes", Route):
            for route in ways:
                _check_handler(name, route.parse)
                _check_handler(name, route.take)
                if (path := "/".join(filter(None, (name, route.path)))) in routes:
                    raise PluginError(name, f"has two routes for /hooks/{path}")
                routes[path] = route
        return routes

    def _signed(self, hook: str, kind: type[S], handlers: Sequence[str], claims: dict[str, str]) -> list[S]:
        """What stands at addresses of its own, of that kind. handlers: their names in it. claims: path -> whose it is."""
        found = []
        for name, declared in self._ask(hook, kind):
            for one in declared:
                for handler in handlers:
                    _check_handler(name, getattr(one, handler))
                _claim_path(name, one.path, claims)
                found.append(one)
        return found

    def _each(self, hook: str, kind: type[E], handler: str) -> list[tuple[str, E]]:
        """All of that kind, each with its plugin's name. handler: its name in it."""
        found = []
        for name, declared in self._ask(hook, kind):
            for one in declared:
                _check_handler(name, getattr(one, handler))
                found.append((name, one))
        return found

    def _sources(self) -> Mapping[str, Source]:
        sources: dict[str, Source] = {}
        claims: dict[str, str] = {}
        for plugin, found in self._ask("register_sources", tuple):
            for name, source in found:
                if name in claims:
                    raise PluginError(plugin, f"source {name!r} is claimed by {claims[name]} and by {plugin}")
                if not inspect.iscoroutinefunction(getattr(source, "read", None)):
                    raise PluginError(plugin, f"source {name!r} has no `async def read`")
                claims[name], sources[name] = plugin, source
        return sources

    def _commands(self) -> list[Command]:
        claims = dict.fromkeys(OWN_WORDS, "Tocsin itself")
        own = [
            *answers.commands([answers.of_groups()]),
            *lists.commands(),
            *me.commands(),
            *oncall.commands(),
            *reload.commands(),
        ]
        claims |= dict.fromkeys(
            (*answers.WORDS, *(word for one in own for word in (one.name, *one.also))), "Tocsin itself"
        )
        commands = []
        for name, found in self._ask("register_commands", Command):
            for command in found:
                _check_handler(name, command.handler)
                for word in (command.name, *command.also):
                    if not re.fullmatch(r"[a-z][a-z0-9-]*", word):
                        raise PluginError(
                            name, f"{word!r} can't be typed as a command: it must be of a-z, 0-9 and '-'"
                        )
                    if word in claims:
                        raise PluginError(
                            name, f"command {word!r} is claimed by {claims[word]} and by {name}"
                        )
                    claims[word] = name
                commands.append(command)
        return commands

    def _answers(self) -> list[Answers]:
        claims = {(word, answers.of_groups().kind): "Tocsin itself" for word in answers.of_groups().words}
        found = []
        for name, kinds in self._ask("register_answers", Answers):
            for one in kinds:
                for word, handler in one.words.items():
                    _check_handler(name, handler)
                    if word not in answers.WORDS:
                        raise PluginError(
                            name, f"{word!r} is no word to answer with: there is {listed(answers.WORDS)}"
                        )
                    if (word, one.kind) in claims:
                        other = claims[word, one.kind]
                        raise PluginError(name, f"{word!r} to {one.kind} is claimed by {other} and by {name}")
                    claims[word, one.kind] = name
                _check_handler(name, one.waiting)
                found.append(one)
        return found

    def _ask(self, hook: str, kind: type[T], **arguments: Any) -> Iterator[tuple[str, list[T]]]:
        """Each plugin's answer, by name; pluggy's own call would mix them and stop at the first error."""
        caller = getattr(self._manager.hook, hook)
        for one in sorted(caller.get_hookimpls(), key=lambda one: one.plugin_name):
            try:
                found = one.function(*(arguments[name] for name in one.argnames))
                answer = list(found.items() if kind is tuple else found)
            except Exception as error:
                raise PluginError(
                    one.plugin_name, f"{hook} failed: {type(error).__name__}: {error}"
                ) from error
            for each in answer:
                if not isinstance(each, kind):
                    raise PluginError(
                        one.plugin_name, f"{hook} returned {each!r}, which is no {kind.__name__}"
                    )
            yield one.plugin_name, answer


def _own_kind(plugin: str, kind: Any, what: str, others: Iterable[str]) -> str:
    """The kind, if it is one that this plugin may declare: kinds stand in the database for ever."""
    if (
        not isinstance(kind, str)
        or not re.fullmatch(rf"{re.escape(plugin)}\.[a-z][a-z0-9_]*", kind)
        or plugin in _OF_THE_CORE
    ):
        raise PluginError(plugin, f"{what} kind {kind!r} must be named '{plugin}.WHAT'")
    if kind in others:
        raise PluginError(plugin, f"{what} kind {kind!r} is declared twice")
    return kind


def _claim_path(plugin: str, path: str, claims: dict[str, str]) -> None:
    """The first part of an address is one plugin's alone."""
    if not re.fullmatch(r"[a-z][a-z0-9-]*", path):
        raise PluginError(plugin, f"{path!r} is no path: it must be of a-z, 0-9 and '-'")
    if path in claims:
        raise PluginError(plugin, f"path {path!r} is claimed by {claims[path]} and by {plugin}")
    claims[path] = plugin


def _sound_event(plugin: str, kind: type) -> type[Event]:
    if not (issubclass(kind, Event) and dataclasses.is_dataclass(kind)):
        raise PluginError(
            plugin, f"register_events returned {kind.__name__}, which is no dataclass below Event"
        )
    if kind.headline is Event.headline:
        raise PluginError(plugin, f"event {kind.kind!r} has no headline()")
    return kind


def _check_handler(plugin: str, handler: Any, *, may_wait: bool = False) -> None:
    if not callable(handler):
        raise PluginError(plugin, f"{handler!r} can't be called")
    if inspect.iscoroutinefunction(handler) and not may_wait:
        raise PluginError(
            plugin, f"{handler.__name__} is a coroutine: a turn is a plain function and can't wait for it"
        )


_OF_THE_CORE = {"alert", "core", "group", "oncall", "page"}
