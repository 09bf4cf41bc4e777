"""The chat networks that Tocsin speaks by itself."""

from collections.abc import Mapping

from tocsin.config.tables import NetworkSettings
from tocsin.networks.console import ConsoleSettings
from tocsin.networks.irc.settings import IrcSettings
from tocsin.networks.matrix.settings import MatrixSettings

SETTINGS: Mapping[str, type[NetworkSettings]] = {
    "console": ConsoleSettings,
    "irc": IrcSettings,
    "matrix": MatrixSettings,
}
"""Kind of network -> its settings."""
