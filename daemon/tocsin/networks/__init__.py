"""The chat networks that Tocsin speaks by itself."""

from collections.abc import Mapping

from tocsin.networks.console import ConsoleSettings

SETTINGS: Mapping[str, type[ConsoleSettings]] = {"console": ConsoleSettings}
"""Kind of network -> its settings."""
