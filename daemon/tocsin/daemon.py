"""The only wiring: what is built, started and stopped, in order."""

from dataclasses import dataclass

from tocsin import networks, plugins
from tocsin.config import Config, Document, check_names, read_config
from tocsin.errors import ConfigError, Problem


@dataclass(frozen=True)
class Prepared:
    """A configuration that can run: read, its plugins built, every name resolved.

    warnings: what works but is probably not meant.
    """

    config: Config
    plugins: plugins.Plugins
    warnings: tuple[Problem, ...]


def prepare(document: Document) -> Prepared:
    """Read a configuration as far as that goes without starting anything.

    Raises ConfigError with all that is wrong: of the tables by themselves, or, when those are right, of the
    names in them. Raises PluginError for a plugin that can't be used.
    """
    enabled = document.tables.get("plugins", {})
    classes, problems = plugins.load(enabled if isinstance(enabled, dict) else ())
    try:
        config = read_config(document, networks=networks.SETTINGS, plugins=classes)
    except ConfigError as error:
        raise ConfigError([*problems, *error.problems]) from None
    if problems:
        raise ConfigError(problems)
    running = plugins.Plugins(config.plugins)
    found = [*check_names(config), *running.check(config)]
    if any(problem.fatal for problem in found):
        raise ConfigError(found)
    return Prepared(config, running, tuple(found))
