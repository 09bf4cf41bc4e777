"""Makes sources of their settings."""

from tocsin.api import Source
from tocsin_verification.sources import graphite, prometheus
from tocsin_verification.sources.http import Server
from tocsin_verification.sources.settings import SourceSettings


def source(name: str, settings: SourceSettings) -> Source:
    """What reads there. name: as the settings have it."""
    if settings.kind == "graphite":
        return graphite.Graphite(Server(name, settings, graphite.PATH, graphite.SIMPLEST))
    return prometheus.Prometheus(Server(name, settings, prometheus.PATH, prometheus.SIMPLEST))
