"""What `tocsin init` asks: each thing is tried, as far as that can be, before the next question."""

import asyncio
import os
import shlex
import socket
from pathlib import Path
from zoneinfo import available_timezones

import click

from tocsin import heartbeat
from tocsin.cli import init_irc, init_matrix
from tocsin.cli.asking import Asking
from tocsin.cli.draft import Chat, Draft
from tocsin.cli.parts import UNUSABLE
from tocsin.config.first import HEARTBEAT, Answers
from tocsin.config.names import address_problems
from tocsin.config.tables import Heartbeat, Web
from tocsin.config.values import Address
from tocsin.domain.oncall import Identity

BOTH = "both"
NETWORKS = {init_irc.NAME: init_irc.ask, init_matrix.NAME: init_matrix.ask}
SCHEDULE = "primary"


def interview(draft: Draft, *, service: bool) -> Answers:
    """Ask everything. service: systemd will listen, where its unit says."""
    asking = draft.asking
    if not asking.asks:
        _complete(asking)
    chats = {name: NETWORKS[name](draft) for name in _which(asking)}

    def is_person(name: str) -> None:
        draft.config({"people": {name: {}}})
        if name == SCHEDULE:
            raise ValueError("that will be the name of the schedule: take another one")

    person = asking.text("person", "Who is on call first, by a short name", check=is_person)
    accounts = {name: _account(draft, name, chat, person) for name, chat in chats.items()}
    zone = asking.text(
        "timezone",
        f"Time zone of {person}",
        _own_zone(),
        check=draft.fits(lambda zone: {"people": {"any": {"timezone": zone}}}),
    )
    receiver = asking.text(
        "receiver",
        "What posts alerts, by a short name",
        "prometheus",
        check=draft.fits(lambda name: {"receivers": {name: {"token": {"env": "ANY"}}}}),
    )
    listen = _listen(asking, service=service)
    fallback = asking.text(
        "fallback",
        "Program that rings somebody when chat can't, such as an SMS gateway",
        empty=True,
        check=lambda text: _is_program(draft, text),
    )
    return Answers(
        person=person,
        timezone=zone,
        accounts=accounts,
        networks={name: chat.lines for name, chat in chats.items()},
        receiver=receiver,
        listen=listen,
        fallback=shlex.split(fallback),
        heartbeat=_heartbeat(draft),
    )


def _complete(asking: Asking) -> None:
    """Where nobody can be asked, all that is missing is told at once."""
    networks = [name for name in NETWORKS if asking.given(name)]
    if not networks:
        click.echo("where do your people chat? --irc HOST:PORT, --matrix URL, or both", err=True)
    needed = [*(f"{name}_room" for name in networks), "person"]
    if lacking := [option for option in needed if not asking.given(option)]:
        asking.missing(*lacking)
    if not networks:
        raise click.exceptions.Exit(UNUSABLE)


def _which(asking: Asking) -> list[str]:
    if given := [name for name in NETWORKS if asking.given(name)]:
        return given

    def known(answer: str) -> None:
        if answer not in (*NETWORKS, BOTH):
            raise ValueError(f"must be {', '.join(NETWORKS)} or {BOTH}, not {answer!r}")

    answer = asking.text("network", f"Where your people chat: {', '.join(NETWORKS)} or {BOTH}", check=known)
    return [name for name in NETWORKS if answer in (name, BOTH)]


def _account(draft: Draft, network: str, chat: Chat, person: str) -> str:
    """The person's account there."""
    option, asking = f"person_{network}", draft.asking
    what = "account" if chat.settings.identity is Identity.ACCOUNTS else "nick"

    def check(account: str) -> None:
        if complaint := chat.settings.complaint(account=account):
            raise ValueError(complaint)

    default = f"@{person}:{chat.domain}" if chat.domain else person
    doubted = ""
    while True:
        account = asking.text(option, f"{person}'s {what} on {network}", default, check=check)
        if draft.offline or network != init_matrix.NAME or account == doubted:
            return account
        if not init_matrix.is_nobody(draft, chat, account):
            return account
        doubted = account  # who insists may know better
        asking.again(f"nobody is called {account}, says their homeserver", option)


def _listen(asking: Asking, *, service: bool) -> str:
    """Where; empty for the default."""
    usual = str(Web().listen)
    if service and not asking.given("listen"):
        return ""

    def check(text: str) -> None:
        address = Address.parse(text)
        if service:
            return  # which may listen there already
        with socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind((address.host, address.port))
            except OSError as error:
                raise ValueError(f"can't listen on {text}: {error.strerror}: take another one") from None

    found = asking.text("listen", "Where it may post them, as ADDRESS:PORT", usual, check=check)
    return "" if found == usual else found


def _is_program(draft: Draft, text: str) -> None:
    program = Path(draft.config({"fallback": {"command": shlex.split(text)}}).fallback.command[0])
    if not program.is_file():
        raise ValueError(f"{program}: no such file")
    if not os.access(program, os.X_OK):
        raise ValueError(f"{program}: is not executable: chmod +x {program}")


def _heartbeat(draft: Draft) -> bool:
    """Whether there is an address that takes it."""

    def check(url: str) -> None:
        for problem in address_problems((), url):
            if problem.fatal:
                raise ValueError(problem.text)

    while True:
        url = draft.secret(
            "heartbeat_url_file",
            "Address outside to call while all is well, such as https://hc-ping.com/UUID",
            HEARTBEAT,
            check=check,
            empty=True,
        )
        if not url or draft.offline:
            return bool(url)
        wrong = asyncio.run(heartbeat.call(url, Heartbeat(), "tocsin init: does this come through?"))
        if not wrong:
            click.echo("  it took the first heartbeat")
            return True
        draft.asking.again(f"it did not take a heartbeat: {wrong}", "heartbeat_url_file")


def _own_zone() -> str:
    """The time zone of this machine, as far as that has a name."""
    name = os.environ.get("TZ", "") or os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2]
    return name if name in available_timezones() else "UTC"
