"""What `tocsin init` asks of a Matrix network."""

import asyncio
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import click

from tocsin import daemon
from tocsin.cli.draft import SAMPLES, Chat, Draft
from tocsin.config.first import setting
from tocsin.errors import NetworkError

if TYPE_CHECKING:
    from tocsin.networks.matrix.account import Account
    from tocsin.networks.matrix.settings import MatrixSettings

NAME = "matrix"


class _PasswordNeededError(Exception):
    """The login that is kept, if any is, does not do."""


def ask(draft: Draft) -> Chat:
    """Ask for the homeserver, log in there, and go into the room."""
    from tocsin.networks.matrix.probe import join  # noqa: PLC0415 (takes long to import)

    asking = draft.asking
    table = _homeserver(draft)
    domain = (urlsplit(table["homeserver"]).hostname or "").removeprefix("matrix.")
    while True:
        table["user"] = asking.text(
            "matrix_user", "Tocsin's own account there", f"@tocsin:{domain}", check=draft.of(NAME, "user")
        )
        if draft.offline or _logged_in(draft, table):
            break
    domain = table["user"].partition(":")[2]
    while True:
        table["room"] = asking.text(
            "matrix_room",
            "Room for all alerts",
            f"#ops:{domain}" if asking.asks else "",
            check=draft.of(NAME, "room"),
        )
        if draft.offline:
            break
        if draft.tried(join(account_of(draft, table)), "matrix_room"):
            click.echo(f"  let into {table['room']}")
            break
    lines = {name: setting(name, value) for name, value in table.items()}
    return Chat(draft.network(NAME, table), lines, domain)


def is_nobody(draft: Draft, chat: Chat, user: str) -> bool:
    """Whether it is sure that there is nobody of that Matrix ID."""
    from tocsin.networks.matrix.probe import knows  # noqa: PLC0415

    settings = cast("MatrixSettings", chat.settings)
    table = {"homeserver": settings.homeserver, "user": settings.user, "room": settings.room}
    if settings.tls_ca is not None:
        table["tls_ca"] = str(settings.tls_ca)
    try:
        return not asyncio.run(knows(account_of(draft, table), user))
    except NetworkError as error:
        click.echo(f"  it can't be looked up whether there is {user}: {error}")
        return False


def _homeserver(draft: Draft) -> dict[str, Any]:
    from tocsin.networks.matrix.probe import reach  # noqa: PLC0415

    asking = draft.asking
    table: dict[str, Any] = {**SAMPLES[NAME]}
    if ca := draft.file(NAME, "matrix_tls_ca"):
        table["tls_ca"] = ca
    while True:
        table["homeserver"] = asking.text(
            "matrix", "Homeserver, such as https://matrix.example.org", check=draft.of(NAME, "homeserver")
        ).rstrip("/")
        if draft.tried(reach(cast("MatrixSettings", draft.network(NAME, table))), "matrix"):
            return table


def _logged_in(draft: Draft, table: dict[str, Any]) -> bool:
    """By the very code of `tocsin matrix login`. What that keeps is good by itself, whatever comes after it."""
    from tocsin.networks.matrix.login import Given, LoginRefused, log_in  # noqa: PLC0415

    typed = list[str]()

    def password() -> str:
        if not typed:
            raise _PasswordNeededError
        return typed[0]

    while True:
        try:
            asyncio.run(log_in(account_of(draft, table), Given(password), _say))
        except _PasswordNeededError:  # it is asked for here, where Ctrl-C ends it
            question = f"Password of {table['user']}"
            typed.append(draft.asking.secret("matrix_password_file", question))
        except (NetworkError, LoginRefused) as error:
            draft.asking.again(error, "matrix_user", "matrix_password_file")
            return False
        else:
            return True


def _say(text: str) -> None:
    click.echo(f"  {text}")


def account_of(draft: Draft, table: dict[str, Any]) -> "Account":
    """What is kept of the account, in the folder where the daemon will look for it."""
    from tocsin.networks.matrix.account import Account  # noqa: PLC0415

    config = draft.config({"networks": {NAME: table}})
    folder = daemon.state_folder(config)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Account(NAME, cast("MatrixSettings", config.networks[NAME]), folder)
