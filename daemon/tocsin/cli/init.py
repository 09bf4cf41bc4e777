"""`tocsin init`: from nothing to a tested page."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from tocsin import daemon
from tocsin.cli.asking import Asking
from tocsin.cli.draft import Draft
from tocsin.cli.interview import interview
from tocsin.cli.page import send
from tocsin.cli.parts import SERVICE, config_option, fail, opened, refuse, tell
from tocsin.config import Document
from tocsin.config.first import Answers, first_config, token_of
from tocsin.config.tables import Web
from tocsin.config.values import CREDENTIALS, Address
from tocsin.errors import ConfigError, StateError
from tocsin.trial import TrialFailed

UNIT = Path("/etc/systemd/system/tocsin.service")
EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104 (what it is asked to listen on)
ANSWERED_WITHIN = timedelta(minutes=5)
STARTED_WITHIN = timedelta(minutes=10)

SNIPPET = """\
Tell Alertmanager (0.22 or newer) where to post: add this to the route and the receivers in its alertmanager.yml.

route:
  routes:
    - receiver: tocsin
      matchers: ['severity="critical"']   # what is to page people
      group_by: ["alertname", "cluster", "service"]
      group_wait: 0s
      group_interval: 1m
      continue: true
receivers:
  - name: tocsin
    webhook_configs:
      - url: http://{listen}/hooks/alertmanager/{receiver}
        send_resolved: true
        http_config:
          authorization:
            credentials_file: {theirs}

Give it the token, whoever it runs as (on Debian: prometheus), and let it fire one:
  install -D -m 0400 -o prometheus {folder}/{token} {theirs}
  amtool --alertmanager.url http://127.0.0.1:9093 alert add TestAlert severity=critical
"""

THEIRS = "/etc/prometheus/tocsin.token"
"""Where Alertmanager reads the token."""

_secret = click.Path(path_type=Path, dir_okay=False)


@click.command(name="init", short_help="Make a first configuration, and page you with it.")
@config_option
@click.option("--no-input", is_flag=True, help="Ask nothing: options and defaults are the answers.")
@click.option("--offline", is_flag=True, help="Try no connection.")
@click.option("--network", type=click.Choice(["irc", "matrix", "both"]), help="Where your people chat.")
@click.option("--irc", metavar="HOST:PORT", help="The IRC server.")
@click.option("--irc-tls/--no-irc-tls", default=None, help="Whether it is reached by TLS.")
@click.option(
    "--irc-tls-ca", metavar="FILE", help="Who signs its certificate, if the system doesn't know them."
)
@click.option("--irc-nick", metavar="NICK", help="What Tocsin is called there.")
@click.option("--irc-account", metavar="ACCOUNT", help="Tocsin's own account there (SASL).")
@click.option("--irc-password-file", type=_secret, help="A file with that account's password.")
@click.option(
    "--irc-server-password-file", type=_secret, help="A file with the server's own password, if it has one."
)
@click.option("--irc-room", metavar="CHANNEL", help="The channel where all alerts are told.")
@click.option("--irc-key-file", type=_secret, help="A file with that channel's key, if it has one.")
@click.option("--irc-identity", metavar="KIND", help="How people prove who they are there: docs/irc.md.")
@click.option("--matrix", metavar="URL", help="The Matrix homeserver.")
@click.option(
    "--matrix-tls-ca", metavar="FILE", help="Who signs its certificate, if the system doesn't know them."
)
@click.option("--matrix-user", metavar="USER", help="Tocsin's own account there.")
@click.option("--matrix-password-file", type=_secret, help="A file with that account's password.")
@click.option("--matrix-room", metavar="ROOM", help="The room where all alerts are told.")
@click.option("--person", metavar="NAME", help="The first person on call.")
@click.option("--person-irc", metavar="ACCOUNT", help="Their account on IRC, or their nick.")
@click.option("--person-matrix", metavar="USER", help="Their account on Matrix.")
@click.option("--timezone", metavar="ZONE", help="Their time zone, such as Europe/Berlin.")
@click.option("--receiver", metavar="NAME", help="What posts alerts.")
@click.option("--listen", metavar="ADDRESS:PORT", help="Where it may post them.")
@click.option("--fallback", metavar="COMMAND", help="The program that rings somebody when chat can't.")
@click.option("--heartbeat-url-file", type=_secret, help="A file with the address to call while all is well.")
@click.option(
    "--start/--no-start", default=None, help="Whether systemd is to start it, now and at each boot."
)
@click.option("--page/--no-page", default=None, help="Whether to send a test page once it runs.")
def init(path: Path, *, no_input: bool, offline: bool, **given: Any) -> None:
    """Make a first configuration: one person on call, paged on IRC or Matrix for what Alertmanager posts.

    Each question has an option that answers it. Connections are tried before they are written down. Nothing that exists is
    overwritten; the file comes last, whole, and with all secrets beside it in the folder 'credentials'.

    Exits with 1 if something could not be reached, with 2 if an answer is missing or can't be used.
    """
    _refuse_what_exists(path)
    asks = not no_input
    if asks and not (sys.stdin.isatty() and sys.stdout.isatty()):
        refuse(
            "there is no terminal to ask on: say --no-input, and the answers as options: tocsin init --help"
        )
    service = path.absolute() == SERVICE and UNIT.exists()
    asking = Asking(given, asks=asks)
    draft = Draft(asking, path, offline=offline)
    try:
        if asks:
            click.echo("Enter takes what stands in brackets; Ctrl-C ends it, and nothing is written.\n")
        answers = interview(draft, service=service)
    except (click.Abort, KeyboardInterrupt):
        fail(f"\n{path}: was not written; tocsin init begins again")
    _write(path, answers, draft.secrets)
    if offline and "matrix" in answers.networks:
        click.echo(f"Log in to Matrix, once: tocsin matrix login --config {path}")
    folder = path.absolute().parent / CREDENTIALS
    listen = Address.parse(answers.listen) if answers.listen else Web().listen
    host = socket.getfqdn() if listen.host in EVERYWHERE else listen.host
    token = token_of(answers.receiver)
    click.echo(
        "\n"
        + SNIPPET.format(
            listen=Address(host, listen.port),
            receiver=answers.receiver,
            token=token,
            folder=folder,
            theirs=THEIRS,
        )
    )
    if service and answers.listen:
        click.echo(f"systemd listens for Tocsin: let it listen on {listen}: docs/install.md, tocsin.socket")
    try:
        _page(path, asking, answers, started=_started(path, asking, service=service))
    except (click.Abort, KeyboardInterrupt):
        fail(f"\nthe configuration is made. Whenever you like: tocsin test-page --config {path}")


def _refuse_what_exists(path: Path) -> None:
    if os.path.lexists(path):
        refuse(
            f"{path}: is there already, and is never overwritten. To look at it: tocsin check-config --config {path}, "
            f"and once it runs: tocsin doctor --config {path}"
        )
    folder = path.absolute().parent
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK):
        refuse(f"{path}: you may not write there: do it as root, or name another file with --config")


# What is written.


def _write(path: Path, answers: Answers, found: dict[str, str]) -> None:
    """The secrets, then the file that names them, which can be used as it is; or nothing."""
    folder = path.absolute().parent / CREDENTIALS
    text = first_config(answers)
    document = Document(path, text, tomllib.loads(text))
    made = list[Path]()
    try:
        path.absolute().parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        for name, secret in {token_of(answers.receiver): secrets.token_hex(32), **found}.items():
            if not (folder / name).exists():
                _write_once(folder / name, secret + "\n", 0o600)
                made.append(folder / name)
        prepared = daemon.prepare(document)
        _write_once(path, text, 0o644)
    except (OSError, KeyboardInterrupt, ConfigError) as error:
        for each in made:
            each.unlink(missing_ok=True)
        if isinstance(error, ConfigError):  # of what was there already, such as a token that others may read
            tell(error.problems, path, document)
            refuse(f"{path}: could not be used, so nothing was written")
        why = error.strerror if isinstance(error, OSError) else "you ended it"
        refuse(f"{path}: can't be written: {why}: nothing was")
    click.echo("\nmade:")
    for each in (*made, path.absolute()):
        click.echo(f"  {each}")
    tell(prepared.warnings, path, document)


def _write_once(path: Path, text: str, mode: int) -> None:
    """Write a file whole or not at all, whatever crashes; what is there stays. Raises OSError."""
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            os.fchmod(number, mode)
            file.write(text)
            file.flush()
            os.fsync(number)
        os.link(name, path)
    finally:
        Path(name).unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


# What comes next.


def _started(path: Path, asking: Asking, *, service: bool) -> bool:
    """Whether it runs then, as a service."""
    command = "systemctl enable --now tocsin.socket tocsin.service"
    if not service or not Path("/run/systemd/system").exists():
        click.echo(f"Start it:     tocsin run --config {path}")
        return False
    if os.geteuid() != 0 or not asking.yes(
        "start", "Start it now, and at each boot?", default=True, unasked=False
    ):
        click.echo(f"Start it:     {command}")
        return False
    systemctl, *words = command.split()
    done = subprocess.run([shutil.which(systemctl) or systemctl, *words], check=False)  # noqa: S603 (our own words)
    if done.returncode:
        fail("it was not started: journalctl -u tocsin says why")
    click.echo("it runs: systemctl status tocsin")
    return True


def _page(path: Path, asking: Asking, answers: Answers, *, started: bool) -> None:
    later = f"Try a page:   tocsin test-page --config {path}"
    waits = "" if started else ", as soon as it runs"
    question = f"Page {answers.person} now, as a test{waits}?"
    if not asking.yes("page", question, default=True, unasked=False):
        click.echo(later)
        return
    if not started:
        click.echo("waiting until it runs …")
    _, prepared = opened(path, daemon.prepare)
    try:
        send(path, prepared, {}, within=ANSWERED_WITHIN, runs_within=STARTED_WITHIN)
    except (StateError, TrialFailed) as error:
        fail(f"{error}\n{later}")
    click.echo(f"Look whether all else is well:   tocsin doctor --config {path}")
