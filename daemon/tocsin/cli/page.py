"""The command line's test page."""

import asyncio
from datetime import timedelta
from pathlib import Path

import click

from tocsin import daemon, trial
from tocsin.cli.parts import config_option, fail, label, length, prepare, refuse
from tocsin.daemon import Prepared
from tocsin.domain.oncall import Identity
from tocsin.domain.words import did_you_mean
from tocsin.errors import StateError
from tocsin.store.state import DATABASE
from tocsin.trial import Page, TrialFailed


@click.command(name="test-page", short_help="Page whoever is on call, as a test.")
@config_option
@click.argument("labels", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--receiver", default="", help="The receiver that it is posted to; without it, the first.")
@click.option(
    "--within",
    type=str,
    callback=length,
    default="5m",
    show_default=True,
    help="How long to wait for an answer.",
)
def page(path: Path, labels: tuple[str, ...], receiver: str, within: timedelta) -> None:
    """Post a test alert to the daemon that runs, tell who is paged and what becomes of it, and wait until somebody answers.

    It is a real page: it goes the way of any alert with these labels, up the policy and to the phones. Without labels it has
    the worst severity. Once somebody has answered, or nobody in time, it is over.

    Exits with 0 if somebody answered, with 1 if not.
    """
    prepared = prepare(path, warn=False)
    try:
        given = dict(map(label, labels))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    try:
        send(path, prepared, given, receiver=receiver, within=within)
    except (StateError, TrialFailed) as error:
        fail(error)


def send(
    path: Path,
    prepared: Prepared,
    labels: dict[str, str],
    *,
    receiver: str = "",
    within: timedelta,
    runs_within: timedelta = timedelta(0),
) -> None:
    """Send one, and tell what becomes of it. runs_within: how long it may take until a daemon runs.

    Raises StateError if none runs, TrialFailed.
    """
    config = prepared.config
    if "alertmanager" not in config.plugins or not config.receivers:
        refuse(f"{path}: nothing takes alerts: add [plugins.alertmanager] and [receivers.NAME]")
    name = receiver or next(iter(config.receivers))
    if name not in config.receivers:
        refuse(f"no receiver is called {name!r}{did_you_mean(name, config.receivers)}")
    folder = daemon.state_folder(config)
    posted = Page(
        {"alertname": trial.NAME, "severity": config.severities[0], **labels},
        name,
        config.receivers[name],
        folder / DATABASE,
        daemon.known_events(prepared.declared),
        by_code=[name for name, one in config.networks.items() if one.identity is Identity.CODES],
    )

    async def sent() -> str:
        address = await trial.listening(folder, runs_within, click.echo)
        return await trial.send(posted, address, within, click.echo)

    try:
        click.echo(f"{asyncio.run(sent())}: paging works. The test is over")
    except asyncio.CancelledError:  # told to end: it was taken back
        raise click.exceptions.Exit(1) from None
