"""The only wiring: what is built, started and stopped, in order."""

import asyncio
import contextlib
import errno
import gc
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from tocsin import (
    answers,
    backups,
    flapping,
    intake,
    lists,
    me,
    networks,
    oncall,
    plugins,
    pruning,
    questions,
    reload,
    safety,
    seen,
)
from tocsin.auditor import Auditor
from tocsin.backups import Backups
from tocsin.buttons import ButtonsByPath
from tocsin.clock import Clock, SystemClock
from tocsin.commands import Vocabulary
from tocsin.config import (
    Config,
    Document,
    check_names,
    differences,
    named,
    need_restart,
    read_config,
    spelled_out,
)
from tocsin.control import Control, Question
from tocsin.core import Setup, Tocsin
from tocsin.courier import Courier
from tocsin.diary import Diary
from tocsin.domain import bridge, digest, duty, group, incident_events, page, room
from tocsin.domain import pruning as prunes
from tocsin.domain.event import Event
from tocsin.domain.message import Place
from tocsin.doubts import Doubts
from tocsin.ears import Ears
from tocsin.echoes import Echoes
from tocsin.engine import Engine
from tocsin.errors import ConfigError, PluginError, Problem
from tocsin.examining import Examinations, Examiner
from tocsin.facts import Known
from tocsin.feeds import FeedsByPath
from tocsin.gauges import Gauges
from tocsin.guard import Guard
from tocsin.hearing import Commands
from tocsin.heartbeat import Heartbeat
from tocsin.intake import Intake, Routes
from tocsin.meters import Meters
from tocsin.networks.base import Network
from tocsin.networks.fallback import Fallback
from tocsin.outages import Outages
from tocsin.people import People
from tocsin.pings import PingsByPath
from tocsin.postmortems import Sections
from tocsin.proving import Proving
from tocsin.reload import COMMAND_LINE, Reading, Reload
from tocsin.ringer import Ringer
from tocsin.rules import Rules, by_event
from tocsin.service import NOBODY, Manager, Service, passed_sockets
from tocsin.sources import Sources
from tocsin.status import status
from tocsin.store import Database, State
from tocsin.store.writer import EXIT_BROKEN
from tocsin.transaction import FALLBACK, Transaction
from tocsin.web import Buttons, Feeds, Pings, Web
from tocsin.web.proofs import Proofs

log = logging.getLogger(__name__)

STATE_OF_SERVICE = Path("/var/lib/tocsin")
"""Where it is if the configuration is in /etc: for root's command line, whom systemd says nothing."""

DRAIN_FOR = timedelta(seconds=10)
"""How long a stop waits for what is being sent."""

MOST_FILES = 65536

SWITCH_AFTER = timedelta(seconds=0.0005)
"""How long one thread may keep another one waiting, ten times less than Python's own: for one page the event loop and
the writer pass work to each other a dozen times."""

NETWORK_PAUSE = timedelta(seconds=5)
"""How long a network rests that failed as a whole."""


@dataclass(frozen=True)
class Prepared:
    """A configuration that can run: read, its plugins built, every name resolved.

    warnings: what works but is probably not meant. document: what was read.
    """

    config: Config
    declared: plugins.Declared
    plugins: plugins.Plugins
    warnings: tuple[Problem, ...]
    document: Document


def read(document: Document) -> Config:
    """Read a configuration, and resolve no name and no secret in it: here they may not be to be had.

    Raises ConfigError, and PluginError for a plugin that can't be used.
    """
    enabled = document.tables.get("plugins", {})
    classes, problems = plugins.load(enabled if isinstance(enabled, dict) else ())
    try:
        config = read_config(document, networks=networks.SETTINGS, plugins=classes)
    except ConfigError as error:
        raise ConfigError([*problems, *error.problems]) from None
    if problems:
        raise ConfigError(problems)
    return config


def prepare(document: Document) -> Prepared:
    """Read a configuration as far as that goes without starting anything.

    Raises ConfigError with all that is wrong: of the tables by themselves, or, when those are right, of the
    names in them. Raises PluginError for a plugin that can't be used.
    """
    config = read(document)
    running = plugins.Plugins(config.plugins)
    found = [*check_names(config), *running.check(config)]
    if any(problem.fatal for problem in found):
        raise ConfigError(found)
    return Prepared(config, running.declared(), running, tuple(found), document)


def prepare_again(document: Document, running: Config) -> Prepared:
    """As `prepare`, for a daemon that runs: raises ConfigError as well for what that one can't take."""
    prepared = prepare(document)
    if problems := list(need_restart(running, prepared.config)):
        raise ConfigError(problems)
    return prepared


def state_folder(config: Config) -> Path:
    """Where the daemon keeps its state: as configured, as systemd says, where a service has it, or beside the configuration."""
    if config.store.directory:
        return config.store.directory
    if by_systemd := os.environ.get("STATE_DIRECTORY", "").split(":")[0]:
        return Path(by_systemd)
    return STATE_OF_SERVICE if config.folder.is_relative_to("/etc") else config.folder / "state"


def known_events(declared: plugins.Declared) -> Mapping[str, type[Event]]:
    """The events of the core and of these plugins, by kind."""
    events = (
        *group.EVENTS,
        *page.EVENTS,
        *incident_events.EVENTS,
        *duty.EVENTS,
        *digest.EVENTS,
        *bridge.EVENTS,
        *room.EVENTS,
        *prunes.EVENTS,
    )
    return {**{kind.kind: kind for kind in events}, **declared.events}


def vocabulary(declared: plugins.Declared, prefix: str) -> Vocabulary:
    """The commands of the core and of these plugins."""
    words = answers.commands([answers.of_groups(), *declared.answers])
    own = [*words, *lists.commands(), *me.commands(), *oncall.commands(), *reload.commands()]
    return Vocabulary([*own, *declared.commands], prefix)


def set_up(
    config: Config, declared: plugins.Declared, state: State, reloading: Reload, backing_up: Backups
) -> Setup:
    """All that a configuration makes of the daemon. Raises ValueError for a receiver's secret that can't be read."""
    timers = {
        **safety.timer_kinds(),
        **intake.timer_kinds(),
        **oncall.timer_kinds(),
        **flapping.timer_kinds(),
        **seen.timer_kinds(),
        **reloading.timer_kinds(),
        **backing_up.timer_kinds(),
        **declared.timers,
    }
    tables = {
        Vocabulary: vocabulary(declared, config.prefix),
        Routes: Routes(declared.routes),
        ButtonsByPath: ButtonsByPath({button.path: button for button in declared.buttons}),
        FeedsByPath: FeedsByPath({feed.path: feed for feed in declared.feeds}),
        PingsByPath: PingsByPath({ping.path: ping for ping in declared.pings}),
        Proofs: Proofs(config.receivers, config.metrics),
        Sections: Sections(declared.sections),
        Doubts: Doubts(declared.doubts),
        Examinations: Examinations(declared.examinations),
        Sources: Sources(declared.sources),
    }
    return Setup(
        config,
        kinds=known_events(declared),
        key=state.key() if declared.buttons or declared.feeds else b"",
        rules=Rules(by_event([*seen.reactions(), *declared.reactions]), timers, tables=tables),
    )


def read_again(path: Path, before: Setup, set_up: Callable[[Config, plugins.Declared], Setup]) -> Reading:
    """Read a configuration as at the start; what a daemon that runs can't take is refused as well.

    before: what holds now. set_up: what the configuration makes of the daemon.
    """
    document = None
    try:
        document = Document.open(path)
        prepared = prepare_again(document, before.config)
    except ConfigError as error:
        faults = [problem for problem in error.problems if problem.fatal]
        return Reading(errors=spelled_out(faults, path, document))
    except PluginError as error:
        return Reading(errors=[f"{path}: {error}"])
    after = set_up(prepared.config, prepared.declared)
    rotated = after.rules.of(Proofs).others(before.rules.of(Proofs))
    changed = named([*differences(before.config, after.config), *rotated])
    return Reading(after, changed, warnings=spelled_out(prepared.warnings, path, document))


class Daemon:
    """All parts of a running Tocsin."""

    def __init__(
        self,
        config: Config,
        declared: plugins.Declared,
        *,
        clock: Clock,
        state: State,
        database: Database,
        networks: Mapping[str, Network],
        path: Path | None = None,
        manager: Manager = NOBODY,
        passed: Sequence[socket.socket] = (),
    ) -> None:
        """Build the parts; nothing moves before `run`. path: the file that can be read again. manager: who is told how it
        goes. passed: what to listen on.
        """
        self._path = path
        self._state = state
        self.reload = Reload(self._read_again)
        self.backups = Backups()
        setup = self._set_up(config, declared)
        known = Known(
            config,
            setup.kinds,
            key=setup.key,
            edits=frozenset(name for name, network in networks.items() if network.edits),
            sees=frozenset(name for name, network in networks.items() if network.sees),
        )
        self.tocsin = Tocsin(clock=clock, state=state, database=database, known=known, rules=setup.rules)
        self.networks = self.tocsin.networks = dict(networks)
        self._fallback = Fallback(config.fallback.command, config.fallback.timeout)
        everywhere = {**networks, FALLBACK.network: self._fallback}
        self.echoes = Echoes(self.tocsin)
        self.courier = Courier(self.tocsin, everywhere, self.echoes)
        self.intake = Intake(self.tocsin, careful=state.unclean)
        self.ringer = Ringer(self.tocsin, careful=state.unclean)
        self.commands = commands = Commands(self.tocsin)
        self.ears = Ears(self.tocsin, commands, self.courier, self.echoes, networks)
        self.outages = Outages(self.tocsin, self.ears.standing)
        signed: list[Buttons | Feeds] = [Buttons(self.tocsin, commands), Feeds(self.tocsin)]
        self.engine = Engine(self.tocsin, [self.ringer.nudge, self.intake.nudge])
        self.meters = Meters(self.tocsin)
        self.diary = Diary(clock)
        Gauges(self.tocsin, self.meters, self.ears.standing, self.ears.heard_at)
        pings = Pings(self.tocsin)
        self.web = Web(
            self.tocsin, self.intake, signed, pings, self.engine, meters=self.meters, passed=passed
        )
        self.service = Service(
            manager, clock, self.engine, lambda: self.ears.standing, lambda: self.web.address
        )
        self.guard = Guard(self.tocsin, everywhere)
        self.auditor = Auditor(self.tocsin, self.engine, self.ears.standing, everywhere)
        self.proving = Proving(self.tocsin, self.ears.standing, networks)
        self.heartbeat = Heartbeat(self.tocsin, self.engine, self.auditor, self.ears.standing, self.proving)
        asked: Mapping[str, Question] = {
            "examine": Examiner(self.tocsin, networks).answer,
            "export": partial(questions.export, self.tocsin),
            "prune": partial(pruning.asked, self.tocsin),
            "reload": self._reload,
            "say": partial(questions.say, self.tocsin, commands),
            "status": self._status,
        }
        self.control = Control(state.folder, asked)
        self._stop = asyncio.Event()
        self.tocsin.on_people = self._know
        self.tocsin.on_rooms = self._be_in
        self.tocsin.on_setup = self._follow
        self.tocsin.on_kept = self._kept
        self.tocsin.writer.on_batch = self.meters.batch
        self.reload.on_read = self.meters.reloaded
        self.tocsin.known.reaches = self.ears.reaches

    async def run(self) -> int:
        """Run until stopped, or until nothing can be kept any more; the process's exit code."""
        try:
            await self._run()
        finally:
            await self.tocsin.close()
        return EXIT_BROKEN if self.tocsin.writer.broken.done() else 0

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            running: list[asyncio.Task[None]] = []

            def start(name: str, run: Coroutine[Any, Any, None]) -> None:
                running.append(tasks.create_task(run, name=name))

            start("Guard", self.guard.run())
            start("start", self._start(start))
            stop: asyncio.Future[Any] = tasks.create_task(self._stop.wait())
            broke: asyncio.Future[Any] = self.tocsin.writer.broken
            await asyncio.wait([stop, broke], return_when=asyncio.FIRST_COMPLETED)
            self.service.stopping()
            if broke.done():
                log.critical("nothing can be kept any more, so the daemon leaves: %s", broke.result())
            else:
                await self.courier.drain(DRAIN_FOR)
            for part in (stop, *running):
                part.cancel()

    async def _start(self, start: Callable[[str, Coroutine[Any, Any, None]], None]) -> None:
        """First go on from where the last daemon stopped, with nothing in between: what brought it down is found
        out by being begun and never ended, so it must not wait once it was begun.
        """
        await self.tocsin.must(backups.tell_of_restore)
        await self.tocsin.must(flapping.begin)
        await self.ringer.take_over()
        await self.intake.take_over()
        await self.tocsin.must(lambda tx: tx.change_people())  # so that networks know them before they run
        self._be_in(await self.tocsin.must(lambda tx: tx.made_rooms))
        await self.tocsin.must(oncall.begin)
        await self.tocsin.must(backups.begin)
        await self.echoes.begin()
        parts = (self.courier, self.ears, self.outages, self.ringer, self.intake, self.control, self.web)
        for part in (*parts, self.service, self.meters, self.auditor, self.heartbeat, self.proving):
            start(type(part).__name__, part.run())
        start("reload", self.reload.run(self.tocsin))
        for name, network in self.networks.items():
            start(name, self._run_network(network))

    def stop(self) -> None:
        """Finish what is under way, and end."""
        self._stop.set()

    def hang_up(self) -> None:
        """SIGHUP: read the configuration again, unless it says that the terminal is gone on which we were started."""
        if _terminal_is_gone():
            self.stop()
        else:
            self.reload.signal()

    def _kept(self, turns: Sequence[Transaction]) -> None:
        self.meters.kept(turns)
        self.diary.kept(turns)

    def _know(self, people: People) -> None:
        for name, network in self.networks.items():
            network.know(people.accounts_on(name))

    def _be_in(self, rooms: Iterable[Place]) -> None:
        for name, network in self.networks.items():
            network.be_in([place.name for place in rooms if place.network == name])

    def _follow(self, setup: Setup) -> None:
        self._fallback.use(setup.config.fallback.command, setup.config.fallback.timeout)
        self.meters.follow(setup)

    def _read_again(self) -> Reading:
        """In a thread."""
        if self._path is None:
            return Reading(errors=["there is no file to read again"])
        return read_again(self._path, self.tocsin.setup, self._set_up)

    def _set_up(self, config: Config, declared: plugins.Declared) -> Setup:
        return set_up(config, declared, self._state, self.reload, self.backups)

    async def _run_network(self, network: Network) -> None:
        """Keep a network running; one that fails is no reason for the others to end."""
        while True:
            try:
                return await network.run(self.ears)
            except Exception as error:
                log.exception("%s failed", network.name)
                self.ears.down(network.name, f"{type(error).__name__} (see the log)")
                await asyncio.sleep(NETWORK_PAUSE.total_seconds())

    async def _status(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        standing = {name: why or self.proving.doubt(name) for name, why in self.ears.standing.items()}
        return await status(self.tocsin, standing, self.web.address, self.auditor.complaint())

    async def _reload(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        found = await self.reload.again(self.tocsin, COMMAND_LINE)
        return {"errors": found.errors, "warnings": found.warnings, "told": found.told().text}


async def run(prepared: Prepared, make_networks: Callable[[Config, Clock], Mapping[str, Network]]) -> int:
    """Run the daemon until it is told to stop; the process's exit code.

    Raises StateError if its state can't be used.
    """
    manager, passed = Manager.found(), passed_sockets()
    os.umask(0o077)
    _allow_many_files()
    sys.setswitchinterval(SWITCH_AFTER.total_seconds())
    clock = SystemClock()
    state = State.open(state_folder(prepared.config), clock.now())
    in_order = False
    try:
        database = backups.open_database(state, prepared.config, clock)
        daemon = Daemon(
            prepared.config,
            prepared.declared,
            clock=clock,
            state=state,
            database=database,
            networks=make_networks(prepared.config, clock),
            path=prepared.document.path,
            manager=manager,
            passed=passed,
        )
        gc.freeze()  # it stays: to look through all of it again and again would hold up the event loop
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, daemon.stop)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, daemon.hang_up)
        code = await daemon.run()
        in_order = code == 0
    finally:
        clock.close()
        state.close(in_order=in_order)
    return code


def _allow_many_files() -> None:
    """As many as we may have: each sender that is connected takes one, and the store must never lack one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # a sandbox may forbid it, and sets its own
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, MOST_FILES) if most > 0 else MOST_FILES, most))


def _terminal_is_gone() -> bool:
    try:
        os.tcgetpgrp(0)
    except OSError as error:
        return error.errno == errno.EIO  # any other error: there never was one
    return False
