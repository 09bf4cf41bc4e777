"""Finds plugins, builds those that the configuration enables, and asks them what they declare."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

import pluggy

from tocsin import hookspecs
from tocsin.commands import Command
from tocsin.config import Config, shape_problem, unknown_name
from tocsin.domain.event import Event
from tocsin.domain.words import did_you_mean
from tocsin.errors import PluginError, Problem
from tocsin.intake import Route
from tocsin.transaction import Owned, Reaction

GROUP = "tocsin"

T = TypeVar("T")


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

    events, timers and routes: by kind, kind and path. reactions: each with its plugin's name.
    """

    events: Mapping[str, type[Event]] = field(default_factory=dict)
    reactions: Sequence[tuple[str, Reaction[Any]]] = ()
    timers: Mapping[str, Owned] = field(default_factory=dict)
    commands: Sequence[Command] = ()
    routes: Mapping[str, Route] = field(default_factory=dict)


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

    def _ask(self, hook: str, kind: type[T], **arguments: Any) -> Iterator[tuple[str, list[T]]]:
        """Each plugin's answer, by name; pluggy's own call would mix them and stop at the first error."""
        caller = getattr(self._manager.hook, hook)
        for one in sorted(caller.get_hookimpls(), key=lambda one: one.plugin_name):
            try:
                answer = list(one.function(*(arguments[name] for name in one.argnames)))
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
