"""The networks that a configuration names, built. Those whose packages take long to import are imported if there is one."""

import signal
import sys
from collections.abc import Mapping

from tocsin.clock import Clock
from tocsin.config import Config
from tocsin.config.tables import NetworkSettings
from tocsin.daemon import state_folder
from tocsin.networks.base import Network
from tocsin.networks.console import Console, ConsoleSettings
from tocsin.networks.irc.settings import IrcSettings
from tocsin.networks.matrix.settings import MatrixSettings
from tocsin.people import People


def own_networks(config: Config, clock: Clock) -> Mapping[str, Network]:
    """The networks that the configuration names."""
    return {name: _network(name, settings, config, clock) for name, settings in config.networks.items()}


def _network(name: str, settings: NetworkSettings, config: Config, clock: Clock) -> Network:
    people = People.of(config).accounts_on(name)
    rooms = [team.rooms[name] for team in config.teams.values() if name in team.rooms]
    match settings:
        case ConsoleSettings():
            return Console(
                name,
                settings,
                people,
                stdin=sys.stdin,
                stdout=sys.stdout,
                now=clock.now,
                on_quit=lambda: signal.raise_signal(signal.SIGINT),
            )
        case IrcSettings():
            from tocsin.networks.irc.network import Irc  # noqa: PLC0415

            return Irc(name, settings, accounts=people, rooms=rooms)
        case MatrixSettings():
            from tocsin.networks.matrix.account import Account  # noqa: PLC0415
            from tocsin.networks.matrix.network import Matrix  # noqa: PLC0415

            account = Account(name, settings, state_folder(config))
            return Matrix(name, account, accounts=people, rooms=rooms, now=clock.now)
        case _:
            raise NotImplementedError(type(settings))
