"""How the daemon stands at the moment at which it is asked, in the words of Prometheus; read in a thread of its own."""

import contextlib
import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tocsin.core import Tocsin
from tocsin.domain.group import GroupState
from tocsin.domain.incident_events import INCIDENT, SEVERITIES
from tocsin.errors import StateError
from tocsin.facts import GROUP
from tocsin.meters import Meters
from tocsin.status import count
from tocsin.store.outbox import Lane
from tocsin.store.timers import microseconds
from tocsin.transaction import FALLBACK

log = logging.getLogger(__name__)

STATES = (GroupState.TRIGGERED, GroupState.ACKNOWLEDGED, GroupState.SILENCED)

Sample = tuple[Sequence[str], float]


class Gauges(Collector):
    """Made anew for each that asks: nothing of it is remembered."""

    def __init__(
        self, tocsin: Tocsin, meters: Meters, standing: Mapping[str, str], heard_at: Mapping[str, datetime]
    ) -> None:
        """standing: network -> why it is down, or empty. heard_at: network -> when something was heard there last."""
        self._tocsin = tocsin
        self._meters = meters
        self._standing = standing
        self._heard_at = heard_at
        meters.registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """Nothing: else all of it would be read at once, before there is a database."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All of it; what can't be read is left out."""
        meters = self._meters
        yield _gauge(
            "start_time_seconds", "When the daemon started, in seconds since 1970.", meters.started_at
        )
        yield _gauge(
            "config_last_reload_successful",
            "Whether the configuration that was read last holds; 0 while a refused one waits to be mended.",
            meters.config_holds,
        )
        yield from self._open()
        yield from self._networks()
        yield from self._writer()
        yield from self._plugins()
        yield from self._room()
        try:
            yield from self._waiting()
        except StateError as error:
            log.warning("what waits can't be counted: %s", error)

    def _open(self) -> Iterator[Metric]:
        severities = self._tocsin.config.severities
        standing = list(self._meters.standing.values())
        alerts = Counter((one.state, one.severity) for one in standing if one.kind == GROUP)
        yield _gauges(
            "alerts_open",
            "Alerts that are open, by state and severity.",
            ["state", "severity"],
            [((state, severity), alerts[state, severity]) for state in STATES for severity in severities],
        )
        incidents = Counter(one.severity for one in standing if one.kind == INCIDENT)
        yield _gauges(
            "incidents_open",
            "Incidents that are not closed, by severity.",
            ["severity"],
            [((severity,), incidents[severity]) for severity in SEVERITIES],
        )

    def _networks(self) -> Iterator[Metric]:
        yield _gauges(
            "network_up",
            "Whether a network takes messages.",
            ["network"],
            [((name,), not why) for name, why in list(self._standing.items())],
        )
        yield _gauges(
            "network_last_heard_seconds",
            "When something was heard on a network last, in seconds since 1970.",
            ["network"],
            [((name,), at.timestamp()) for name, at in list(self._heard_at.items())],
        )
        yield _gauges(
            "last_confirmed_page_seconds",
            "When a network confirmed a page last, in seconds since 1970; known over restarts.",
            ["network"],
            [((name,), at.timestamp()) for name, at in list(self._meters.paged_at.items())],
        )

    def _writer(self) -> Iterator[Metric]:
        writer = self._tocsin.writer
        yield _gauge(
            "writer_turns_waiting", "Turns that were asked for and are not kept yet.", writer.waiting
        )
        yield _gauge("store_failing", "Whether the last commit failed.", writer.failing)
        yield _gauge(
            "last_turn_seconds",
            "When turns ended last, in seconds since 1970; they do so each second, whatever else happens.",
            self._meters.turned_at,
        )

    def _plugins(self) -> Iterator[Metric]:
        breaker, boot = self._tocsin.rules.breaker, microseconds(self._tocsin.clock.boot())
        plugins = sorted(self._tocsin.config.plugins)
        faults = CounterMetricFamily("tocsin_plugin_faults", "Times that a plugin failed.", labels=["plugin"])
        for name in plugins:
            faults.add_metric([name], breaker.count[name])
        yield faults
        yield _gauges(
            "plugin_left_out",
            "Whether a plugin is left out for a minute, since it failed again and again.",
            ["plugin"],
            [((name,), bool(breaker.left_out_for(name, boot))) for name in plugins],
        )

    def _room(self) -> Iterator[Metric]:
        state = self._tocsin.state
        yield _gauge("disk_full", "Whether posts are refused since the disk is full.", state.short_of_room)
        with contextlib.suppress(OSError):
            disk = os.statvfs(state.folder)
            free, size = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
            yield _gauge("disk_free_bytes", "What is left of the disk on which the state is.", free)
            yield _gauge("disk_size_bytes", "How large that disk is.", size)
        for name, help_text, path in (
            ("database_bytes", "How large the database is.", state.database),
            ("database_wal_bytes", "How large its write-ahead log is.", Path(f"{state.database}-wal")),
        ):
            with contextlib.suppress(OSError):
                yield _gauge(name, help_text, path.stat().st_size)

    def _waiting(self) -> Iterator[Metric]:
        found, now = count(self._tocsin), self._tocsin.clock.now()
        networks = [*self._tocsin.config.networks, FALLBACK.network]
        lanes = [(network, lane) for network in networks for lane in Lane]
        waiting = {at: found.messages.get(at) for at in lanes}
        yield _gauges(
            "outbox_messages",
            "Messages that wait for a network, by what they are.",
            ["network", "lane"],
            [(_lane(at), one.count if one else 0) for at, one in waiting.items()],
        )
        yield _gauges(
            "outbox_oldest_seconds",
            "For how long the oldest message has been waiting for a network.",
            ["network", "lane"],
            [(_lane(at), (now - one.since).total_seconds() if one else 0) for at, one in waiting.items()],
        )
        yield _gauge("bodies_waiting", "What was posted and has not taken effect yet.", found.bodies)
        kinds = self._tocsin.rules.timers
        yield _gauges(
            "timers_waiting",
            "Timers that are set, by kind.",
            ["kind"],
            [((kind,), found.timers.get(kind, 0)) for kind in kinds],
        )
        late = (now - found.next_due).total_seconds() if found.next_due else 0
        yield _gauge("timers_overdue_seconds", "How late the most overdue timer is.", max(late, 0))


def _lane(at: tuple[str, Lane]) -> tuple[str, str]:
    network, lane = at
    return network, lane.name.lower()


def _gauge(name: str, told: str, value: float | datetime) -> Metric:
    """One that stands alone; an instant is told in seconds since 1970."""
    number = value.timestamp() if isinstance(value, datetime) else float(value)
    return GaugeMetricFamily(f"tocsin_{name}", told, value=number)


def _gauges(name: str, told: str, labels: Sequence[str], samples: Iterable[Sample]) -> Metric:
    family = GaugeMetricFamily(f"tocsin_{name}", told, labels=labels)
    for values, number in samples:
        family.add_metric(values, float(number))
    return family
