"""Makes sources of their settings."""

from tocsin.api import Source
from tocsin_verification.sources import prometheus
from tocsin_verification.sources.http import Server
from tocsin_verification.sources.settings import SourceSettings


def source(name: str, settings: SourceSettings) -> Source:
    """What reads there. name: as the settings have it."""
    return prometheus.Prometheus(Server(name, settings, prometheus.PATH, prometheus.SIMPLEST))
