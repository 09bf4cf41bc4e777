"""Makes sources of their settings."""

from tocsin.api import Source
from tocsin_verification.sources.http import Server
from tocsin_verification.sources.prometheus import Prometheus
from tocsin_verification.sources.settings import SourceSettings


def source(name: str, settings: SourceSettings) -> Source:
    """What reads there. name: as the settings have it."""
    return Prometheus(Server(name, settings))
