"""The command line."""

import asyncio
import faulthandler
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from tocsin import calendars, clock, control, daemon, demo, logs, plugins
from tocsin.chats import own_networks
from tocsin.cli.backup import bring_back, make_backup
from tocsin.cli.doctor import look
from tocsin.cli.incidents import export, say
from tocsin.cli.init import init
from tocsin.cli.page import page
from tocsin.cli.parts import UNUSABLE, config_option, fail, label, opened, prepare, refuse, tell
from tocsin.cli.prune import prune
from tocsin.cli.ring import ring
from tocsin.clock import Clock
from tocsin.config import Config, Document
from tocsin.config.values import SecretSource
from tocsin.domain.moments import MOMENT_FORM, parse_moment
from tocsin.domain.rota import Rota
from tocsin.domain.words import counted, did_you_mean, listed
from tocsin.errors import ConfigError, NetworkError, PluginError, Problem, StateError
from tocsin.networks.matrix.settings import MatrixSettings

if TYPE_CHECKING:
    from tocsin.networks.matrix.account import Account

IN_USE = 75
"""The exit code when another Tocsin uses the state: trying again later may help (EX_TEMPFAIL)."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tocsin", message="tocsin %(version)s")
def main() -> None:
    """Page the people on call until a human answers."""


for command in (make_backup, bring_back, export, init, look, page, prune, ring, say):
    main.add_command(command)


@main.command(short_help="Say all that is wrong with the configuration.")
@config_option
def check_config(path: Path) -> None:
    """Read the configuration and say all that is wrong with it; nothing is started.

    Exits with 0 if it can be used, warnings or not, else with 2.
    """
    document, prepared = opened(path, daemon.prepare)
    tell([*prepared.warnings, *_without_login(prepared.config)], path, document)
    click.echo(f"{path}: good: {_summary(prepared.config)}")


@main.command(short_help="Run the daemon.")
@config_option
def run(path: Path) -> None:
    """Run until SIGTERM or Ctrl-C.

    Exits with 0 when stopped, with 2 if the configuration or the state can't be used, with 75 if another
    Tocsin uses the state, with 74 if the disk fails.
    """
    faulthandler.enable()  # what hangs says where, when the watchdog kills it
    prepared = prepare(path)
    logs.set_up()
    try:
        code = asyncio.run(daemon.run(prepared, own_networks))
    except StateError as error:
        click.echo(str(error), err=True)
        raise click.exceptions.Exit(IN_USE if error.transient else UNUSABLE) from None
    raise click.exceptions.Exit(code)


@main.command(name="demo", short_help="Play an outage on this terminal.")
@click.option("--pace", type=click.FloatRange(0.1, 20), default=1.0, help="How many times faster than life.")
@click.option(
    "--irc", is_flag=True, help="On an IRC server that it starts (needs ngircd), so that you can join."
)
@click.option(
    "--matrix",
    is_flag=True,
    help="On a Matrix homeserver that it starts (needs Synapse), so that you can sign in.",
)
def play_demo(pace: float, *, irc: bool, matrix: bool) -> None:
    """Play a short outage, in about a minute, with a real daemon on a temporary folder.

    On a terminal the prompt is yours afterwards. Nothing else on the machine is touched.
    """
    if irc and matrix:
        raise click.UsageError("it is played on one stage: say --irc or --matrix")
    raise click.exceptions.Exit(asyncio.run(demo.play(pace, *_stage(irc=irc, matrix=matrix))))


def _stage(*, irc: bool, matrix: bool) -> Sequence[Callable[[Clock, Path], demo.Stage]]:
    """What makes the stage, if it is not the terminal; networks take long to import."""
    if irc:
        from tocsin.demo_irc import IrcStage  # noqa: PLC0415

        return [IrcStage]
    if matrix:
        from tocsin.demo_matrix import MatrixStage  # noqa: PLC0415

        return [MatrixStage]
    return []


@main.command(short_help="Say how the running daemon stands.")
@config_option
def status(path: Path) -> None:
    """Ask the daemon that runs with this configuration how it stands."""
    folder = daemon.state_folder(prepare(path, warn=False).config)
    try:
        answer = control.ask(folder, "status")
    except StateError as error:
        fail(error)
    for name, down in answer.pop("networks").items():
        click.echo(f"{name}: {f'down: {down}' if down else 'up'}")
    for name, value in answer.items():
        click.echo(f"{name}: {value}")


@main.command(name="reload", short_help="Let the running daemon read its configuration again.")
@config_option
def read_again(path: Path) -> None:
    """Let the daemon that runs with this configuration read it again: it takes all of it, or nothing.

    Exits with 2 if it can't take it, and says why.
    """
    _, config = opened(path, daemon.read)  # the daemon itself looks at the rest
    try:
        answer = control.ask(daemon.state_folder(config), "reload")
    except StateError as error:
        fail(error)
    for line in [*answer["errors"], *answer["warnings"]]:
        click.echo(line, err=True)
    if answer["errors"]:
        refuse("configuration not reloaded, the old one holds")
    click.echo(answer["told"])


@main.group(short_help="Log in to Matrix; trust people's new devices.")
def matrix() -> None:
    """What is done by hand for a Matrix network. A daemon that runs takes notice by itself."""


_secret_file = click.Path(path_type=Path, dir_okay=False)


@matrix.command(short_help="Log in, once.")
@config_option
@click.argument("network", default="")
@click.option("--password-file", type=_secret_file, help="Read the password here instead of asking for it.")
@click.option(
    "--token-file", type=_secret_file, help="Take this long-lived access token instead of a password."
)
@click.option(
    "--recovery-key-file", type=_secret_file, help="Restore the account's identity with its recovery key."
)
@click.option(
    "--replace-identity", is_flag=True, help="Give the account another identity; its old one is lost."
)
def login(
    path: Path,
    network: str,
    *,
    password_file: Path | None,
    token_file: Path | None,
    recovery_key_file: Path | None,
    replace_identity: bool,
) -> None:
    """Log in to a Matrix NETWORK, the only one if it is not named, and give the account an identity that vouches for
    Tocsin's device.

    Asks for the password if it is needed. Tocsin stays logged in; type this again when it says that it is not.
    """
    account = _matrix_account(path, network)
    from tocsin.networks.matrix.login import Given, LoginRefused, log_in  # noqa: PLC0415 (not needed for anything else)

    def password() -> str:
        if password_file is not None:
            return _secret(password_file)
        if not sys.stdin.isatty():
            raise LoginRefused("there is no terminal to type the password on: use --password-file")
        typed: str = click.prompt(f"password of {account.settings.user}", hide_input=True, err=True)
        return typed

    try:
        given = Given(
            password,
            token=_secret(token_file) if token_file else "",
            recovery_key=_secret(recovery_key_file) if recovery_key_file else "",
            replace=replace_identity,
        )
        asyncio.run(log_in(account, given, click.echo))
    except (NetworkError, LoginRefused) as error:
        fail(error)
    click.echo(f"kept in {account.folder}")


@matrix.command(short_help="Accept somebody's new identity.")
@config_option
@click.argument("user")
@click.argument("network", default="")
def trust(path: Path, user: str, network: str) -> None:
    """Accept the identity that USER has now on a Matrix NETWORK, after it was said that it has changed.

    Ask them first, by another way, whether it was them.
    """
    account = _matrix_account(path, network)
    from tocsin.networks.matrix.trust import forget  # noqa: PLC0415 (not needed for anything else)

    try:
        known = forget(account.pins, user)
    except NetworkError as error:
        fail(error)
    if not known:
        refuse(f"{user}: no identity of theirs was ever seen")
    click.echo(f"{user}: the identity that they have now counts from their next message on")


def _matrix_account(path: Path, network: str) -> "Account":
    from tocsin.networks.matrix.account import Account  # noqa: PLC0415 (not needed for anything else)

    _, config = opened(path, daemon.read)  # root has no systemd credentials
    found = {name: each for name, each in config.networks.items() if isinstance(each, MatrixSettings)}
    if not network and len(found) == 1:
        [network] = found
    if network not in found:
        if not found:
            refuse(f"{path}: there is no Matrix network: add [networks.matrix]")
        asked = f"no Matrix network is called {network!r}" if network else "say on which network"
        refuse(f"{path}: {asked}: there is {listed(found)}")
    folder = daemon.state_folder(config)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Account(network, found[network], folder)


def _without_login(config: Config) -> Iterator[Problem]:
    """The Matrix networks on which nobody will be reached until somebody logs in."""
    found = {name: each for name, each in config.networks.items() if isinstance(each, MatrixSettings)}
    for name, settings in found.items():
        from tocsin.networks.matrix.account import Account  # noqa: PLC0415 (not needed for anything else)

        try:
            Account(name, settings, daemon.state_folder(config)).credentials()
        except NetworkError as error:
            yield Problem(("networks", name), f"nobody is paged there: {error}", fatal=False)


def _secret(path: Path) -> str:
    """What a file holds that is nobody else's to read."""
    try:
        return SecretSource(file=path).reveal()
    except ValueError as error:
        refuse(str(error))


@main.group(short_help="Show who is on call when.")
def schedule() -> None:
    """What the schedules of the configuration mean."""


_days = click.option(
    "--days", type=click.IntRange(1, 731), default=28, show_default=True, help="How many days to look ahead."
)
_first = click.option(
    "--from", "first", type=click.DateTime(["%Y-%m-%d"]), help="The first day; without it, today."
)


@schedule.command(short_help="Draw a calendar.")
@config_option
@click.argument("names", nargs=-1, metavar="[SCHEDULE]...")
@_days
@_first
def show(path: Path, names: tuple[str, ...], days: int, first: datetime | None) -> None:
    """Draw each SCHEDULE, or all, a line a day; below it stands each handoff. Times are the schedule's own."""
    for name, rota, day in _rotas(path, names, first):
        click.echo(f"{name} ({rota.zone.key})")
        for line in calendars.calendar(rota, day, days):
            click.echo(f"  {line}")
        for line in calendars.handoffs(rota, day, days):
            click.echo(f"  {line}")


@schedule.command(name="gaps", short_help="Say when nobody is on call.")
@config_option
@click.argument("names", nargs=-1, metavar="[SCHEDULE]...")
@_days
@_first
def show_gaps(path: Path, names: tuple[str, ...], days: int, first: datetime | None) -> None:
    """Say when nobody is on call by a SCHEDULE, or by any of them. Exits with 1 if there is such a time."""
    found = False
    for name, rota, day in _rotas(path, names, first):
        for line in calendars.gaps(rota, day, days):
            click.echo(f"{name}: nobody from {line} ({rota.zone.key})")
            found = True
    if not found:
        click.echo(f"no gap in {counted(days, 'day')}")
    raise click.exceptions.Exit(1 if found else 0)


@schedule.command(short_help="Say who would be on call how much.")
@config_option
@click.argument("names", nargs=-1, metavar="[SCHEDULE]...")
@_days
@_first
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def simulate(path: Path, names: tuple[str, ...], days: int, first: datetime | None, *, as_json: bool) -> None:
    """Say who is on call how long by each SCHEDULE, or all, in how many shifts, and on how many weekends and nights.

    A weekend or night counts for everybody who has a part of it. Nothing is started: name another file with --config to
    see what it would change.
    """
    found: dict[str, Any] = {}
    for name, rota, day in _rotas(path, names, first):
        shares, lacking = calendars.simulate(rota, day, days)
        if not as_json:
            click.echo(f"{name} ({rota.zone.key}), {counted(days, 'day')} from {day:%a %d %b %Y}")
            for line in calendars.table(shares, lacking):
                click.echo(f"  {line}")
        found[name] = {
            "timezone": rota.zone.key,
            "from": day.isoformat(),
            "days": days,
            "nobody": {"hours": calendars.hours(lacking)},
            "people": {
                one.person: {
                    "hours": calendars.hours(one.on_call),
                    "shifts": one.shifts,
                    "weekends": one.weekends,
                    "nights": one.nights,
                }
                for one in shares
            },
        }
    if as_json:
        click.echo(json.dumps(found, indent=2))


def _rotas(path: Path, names: Sequence[str], first: datetime | None) -> Iterator[tuple[str, Rota, date]]:
    """The schedules of these names, or all, each with the first day there."""
    _, config = opened(path, daemon.read)
    if not config.schedules:
        refuse(f"{path}: there is no schedule: add [schedules.NAME]")
    for name in names or config.schedules:
        if name not in config.schedules:
            refuse(f"no schedule is called {name!r}{did_you_mean(name, config.schedules)}")
        rota = config.schedules[name].rota
        yield name, rota, (first or clock.now().astimezone(rota.zone)).date()


@main.command(short_help="Say whom an alert would page.")
@config_option
@click.argument("labels", nargs=-1, required=True, metavar="NAME=VALUE...")
@click.option(
    "--at", "when", default="now", help="When it fires, as in '2026-12-24T18:00' or 'tomorrow 03:00'; in UTC."
)
def whowould(path: Path, labels: tuple[str, ...], when: str) -> None:
    """Say step by step whom an alert with these labels would page; nobody is.

    It is what the configuration tells: overrides that people set in chat are not counted.
    """
    _, (config, running) = opened(path, _foreseeing)
    now = clock.now()
    try:
        given = dict(map(label, labels))
        at = _moment(when, now)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if at != now:
        click.echo(f"at {at:%a %d %b %Y %H:%M} UTC:")
    try:
        lines = list(running.foresee(given, at, config))
    except PluginError as error:
        refuse(f"{path}: {error}")
    for line in lines or ["no plugin that is enabled pages anybody"]:
        click.echo(line)


def _foreseeing(document: Document) -> tuple[Config, plugins.Plugins]:
    """As far as it is asked who would be paged: where that is asked secrets may not be to be had."""
    config = daemon.read(document)
    running = plugins.Plugins(config.plugins)
    asked = [name for name in config.plugins if "foresee_pages" in running.hooks_of(name)]
    wrong = [problem for problem in running.check(config) if problem.fatal and problem.at[1] in asked]
    if wrong:
        raise ConfigError(wrong)
    return config, running


def _moment(text: str, now: datetime) -> datetime:
    at, taken = parse_moment(text.split(), now, ZoneInfo("UTC"))
    if text.split()[taken:]:
        raise ValueError(f"must be {MOMENT_FORM}, not {text!r}")
    return at


@main.command(name="plugins", short_help="List the installed plugins.")
@config_option
@click.pass_context
def list_plugins(context: click.Context, path: Path) -> None:
    """List the installed plugins and which of them the configuration enables."""
    asked_for = context.get_parameter_source("path") is not click.core.ParameterSource.DEFAULT
    enabled = prepare(path) if asked_for or path.exists() else None
    try:
        rows = [_plugin_row(plugin, enabled) for plugin in plugins.installed().values()]
    except PluginError as error:
        refuse(f"tocsin: {error}")
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _plugin_row(plugin: plugins.Installed, prepared: daemon.Prepared | None) -> tuple[str, str, str]:
    source = f"{plugin.distribution} {plugin.version}"
    if prepared is None or plugin.name not in prepared.config.plugins:
        return plugin.name, source, f"not enabled: add [plugins.{plugin.name}]"
    about = (type(prepared.config.plugins[plugin.name]).__doc__ or "").strip().splitlines()
    hooks = ", ".join(prepared.plugins.hooks_of(plugin.name)) or "none"
    return plugin.name, source, f"{about[0] if about else 'enabled'} Hooks: {hooks}."


def _summary(config: Config) -> str:
    what = [
        counted(len(config.people), "person", "people"),
        f"{counted(len(config.networks), 'network')} ({', '.join(config.networks)})",
        counted(len(config.receivers), "receiver"),
    ]
    return f"{', '.join(what)}; plugins: {listed(config.plugins) or 'none'}"
