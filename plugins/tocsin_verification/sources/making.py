"""Makes sources of their settings."""

from tocsin.api import Source
from tocsin_verification.sources.graphite import Graphite
from tocsin_verification.sources.prometheus import Prometheus
from tocsin_verification.sources.settings import SourceSettings


def source(name: str, settings: SourceSettings) -> Source:
    """What reads there. name: as the settings have it."""
    return server(name, settings)


def server(name: str, settings: SourceSettings) -> Graphite | Prometheus:
    """The same, which can be tried besides."""
    return Graphite.of(name, settings) if settings.kind == "graphite" else Prometheus.of(name, settings)
