"""What is counted while the daemon runs, and how it stands, in the words of Prometheus: numbers alone.

No label comes from outside: its values are words of ours, or names that the configuration holds.
"""

import asyncio
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Histogram, Info, ProcessCollector
from prometheus_client.metrics import disable_created_metrics

from tocsin.core import Setup, Tocsin
from tocsin.domain.group import GroupAcknowledged, GroupOpened, GroupReopened
from tocsin.domain.incident_events import INCIDENT
from tocsin.domain.message import Place
from tocsin.domain.page import PageDelivered, PageFailed
from tocsin.facts import GROUP
from tocsin.store import paged
from tocsin.store.database import read_only
from tocsin.store.writer import MOST_TURNS, Batch
from tocsin.transaction import FALLBACK, Recorded, Standing, Transaction

LOOK_EVERY = 0.25
"""How often it is looked how late the event loop is, in seconds."""

GIVE_WAY = 0.05
"""The pause between the portions in which what was open at the start is looked at: what pages comes first."""

POSTED = ("202", "400", "401", "503")
"""The answers to posts that each receiver begins with; others are added as they come."""

SENT = ("taken", "put_off", "absent", "given_up")

_PAGES = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600)
_ANSWERS = (15, 30, 60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 14400)
_COMMITS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_LAGS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Meters:
    """Counts what is kept, once it is kept; all of it in the event loop.

    standing: how each alert group and incident that is open stands, by id; whole some time after the start.
    started_at, turned_at: when the daemon started, and when the writer ended turns last. paged_at: network -> when it confirmed
    a page last. config_holds: whether the configuration that was read last was taken.
    """

    def __init__(self, tocsin: Tocsin) -> None:
        """Nothing has happened yet."""
        disable_created_metrics()  # type: ignore[no-untyped-call] # they would be half of all that is said
        self._tocsin = tocsin
        self.standing = dict[str, Standing]()
        self.started_at = self.turned_at = tocsin.clock.now()
        self.paged_at = dict[str, datetime]()
        self.config_holds = True
        self._accepted = dict[str, datetime]()
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        made = partial(Counter, registry=self.registry)
        timed = partial(Histogram, registry=self.registry)
        Info("tocsin_build", "The version that runs, and Python's.", registry=self.registry).info(
            {"version": version("tocsin"), "python": platform.python_version()}
        )
        self._posts = made("tocsin_posts", "Posts, by receiver and HTTP status.", ["receiver", "code"])
        self._events = made("tocsin_events", "What happened, by kind of event.", ["kind"])
        self._pages = made(
            "tocsin_pages",
            "Pages, by the network that took them or did not: delivered, failed, or absent, which is nobody there.",
            ["network", "outcome"],
        )
        self._messages = made(
            "tocsin_messages",
            "Messages that were sent: taken, put off, absent (nobody there), or given up for good.",
            ["network", "outcome"],
        )
        self._paged = timed(
            "tocsin_time_to_page_seconds",
            "From the accepted post to the first page that a network confirmed.",
            buckets=_PAGES,
        )
        self._answered = timed(
            "tocsin_time_to_acknowledge_seconds",
            "From when an alert began to ring until somebody acknowledged it.",
            buckets=_ANSWERS,
        )
        self._commits = timed(
            "tocsin_commit_duration_seconds", "How long keeping turns on the disk took.", buckets=_COMMITS
        )
        self._failures = made("tocsin_store_failures", "Commits that failed.")
        self._lag = timed(
            "tocsin_event_loop_lag_seconds", "How late the event loop came to what was due.", buckets=_LAGS
        )
        self._reloads = made(
            "tocsin_config_reloads", "Times that the configuration was read again.", ["outcome"]
        )
        for outcome in ("ok", "failed"):
            self._reloads.labels(outcome)
        for network in (*tocsin.config.networks, FALLBACK.network):
            for outcome in ("delivered", "failed", "absent"):
                self._pages.labels(network, outcome)
            for outcome in SENT:
                self._messages.labels(network, outcome)
        self.follow(tocsin.setup)

    def follow(self, setup: Setup) -> None:
        """Another configuration holds: what can be counted begins with 0, so that the first one is seen as a rise."""
        for kind in setup.kinds:
            self._events.labels(kind)
        for receiver in setup.config.receivers:
            for code in POSTED:
                self._posts.labels(receiver, code)

    async def run(self) -> None:
        """Look how late the event loop is, until cancelled."""
        self.paged_at = {**await asyncio.to_thread(self._last_pages), **self.paged_at}
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look_at_what_is_open(), name="look at what is open")
            clock = asyncio.get_running_loop().time
            while True:
                began = clock()
                await asyncio.sleep(LOOK_EVERY)
                self._lag.observe(max(0.0, clock() - began - LOOK_EVERY))

    def _last_pages(self) -> Mapping[str, datetime]:
        networks = [*self._tocsin.config.networks, FALLBACK.network]
        with read_only(self._tocsin.state.database) as connection:
            found = {network: paged.last_confirmed(connection, network) for network in networks}
        return {network: at for network, at in found.items() if at is not None}

    async def _look_at_what_is_open(self) -> None:
        """What was open at the start, a few at a time; what became of each since then is known by its own turn."""

        def open_now(tx: Transaction) -> Sequence[str]:
            return [*tx.all_open(GROUP), *tx.all_open(INCIDENT)]

        def look(some: Iterable[str], tx: Transaction) -> None:
            for subject in some:
                tx.look_after(subject)

        found = await self._tocsin.must(open_now)
        for at in range(0, len(found), MOST_TURNS):
            await self._tocsin.must(partial(look, found[at : at + MOST_TURNS]))
            await asyncio.sleep(GIVE_WAY)

    def kept(self, turns: Sequence[Transaction]) -> None:
        """These turns were kept."""
        for tx in turns:
            for recorded in tx.recorded:
                self._count(recorded, tx)
            for subject, standing in tx.standing.items():
                if standing.open:
                    self.standing[subject] = standing
                else:
                    self.standing.pop(subject, None)
                    self._accepted.pop(subject, None)
            for network, outcome in tx.sent:
                self._messages.labels(network, outcome).inc()

    def _count(self, recorded: Recorded, tx: Transaction) -> None:
        event = recorded.event
        self._events.labels(event.kind).inc()
        match event:
            case GroupOpened() | GroupReopened():
                if tx.accepted_at is not None:
                    self._accepted[event.subject] = tx.accepted_at
            case GroupAcknowledged() if recorded.after is not None:
                self._answered.observe(recorded.after.total_seconds())
            case PageDelivered():
                network = Place.parse(event.place).network
                self._pages.labels(network, "delivered").inc()
                self.paged_at[network] = tx.now
                if recorded.after is not None:
                    # After a restart what it waited to be taken in is not known any more: that is left out.
                    accepted = self._accepted.pop(event.subject, event.at - recorded.after)
                    self._paged.observe((event.at - accepted).total_seconds())
            case PageFailed():
                outcome = "absent" if event.absent else "failed"
                self._pages.labels(Place.parse(event.place).network, outcome).inc()
            case _:
                pass

    def batch(self, batch: Batch) -> None:
        """The writer has done with some turns."""
        self.turned_at = self._tocsin.clock.now()
        if not batch.kept:
            self._failures.inc()
        elif batch.wrote:
            self._commits.observe(batch.took)

    def posted(self, receiver: str, status: int) -> None:
        """A post was answered. receiver: as its sender says, which may be anything."""
        known = receiver if receiver in self._tocsin.config.receivers else "-"
        self._posts.labels(known, str(status)).inc()

    def reloaded(self, done: bool) -> None:  # noqa: FBT001 (called with nothing else)
        """The configuration was read again."""
        self._reloads.labels("ok" if done else "failed").inc()
        self.config_holds = done
