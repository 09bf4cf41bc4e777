"""What `tocsin init` asks of an IRC network."""

import asyncio
import json
from dataclasses import dataclass, replace
from typing import Any, cast

import click

from tocsin.cli.draft import SAMPLES, Chat, Draft
from tocsin.config.first import setting
from tocsin.domain.oncall import Identity
from tocsin.errors import NetworkError
from tocsin.networks.irc.settings import IrcSettings

NAME = "irc"
PLAIN_PORT = ":6667"
PASSWORD, SERVER_PASSWORD, KEY = "irc.password", "irc-server.password", "irc-room.key"
"""The credentials that hold these."""


def ask(draft: Draft) -> Chat:
    """Ask for the server and try it, then for who we are there and which room, and try that."""
    table = _server(draft)
    lines = {"server": setting("server", table["server"])}
    for name in ("tls", "tls_ca"):
        if name in table:
            lines[name] = setting(name, table[name])
    login = _login(draft, table)
    if login.nick != "tocsin":
        lines["nick"] = setting("nick", login.nick)
    if login.account:
        lines["sasl.account"] = setting("sasl.account", login.account)
        lines["sasl.password.file"] = setting("sasl.password.credential", PASSWORD)
    if login.server_password:
        lines["password.file"] = setting("password.credential", SERVER_PASSWORD)
    lines["room"] = setting("room", login.room)
    if login.key:
        room = json.dumps(login.room, ensure_ascii=False)
        lines["keys"] = f'keys = {{ {room} = {{ credential = "{KEY}" }} }}'
    identity = draft.asking.text(
        "irc_identity",
        "How people prove who they are: by their services account (accounts), by a code in each page, answered in private by "
        "'ack CODE' (codes), by their nick alone (trust-nicks), or not here (read-only)",
        str(Identity.ACCOUNTS if login.tells_accounts else Identity.CODES),
        check=draft.of(NAME, "identity"),
    )
    if identity != Identity.ACCOUNTS:
        lines["identity"] = setting("identity", identity)
    return Chat(draft.network(NAME, {**table, "room": login.room, "identity": identity}), lines)


def _server(draft: Draft) -> dict[str, Any]:
    from tocsin.networks.irc.probe import reach  # noqa: PLC0415 (takes long to import)

    asking = draft.asking
    ca = draft.file(NAME, "irc_tls_ca")
    while True:
        server = asking.text("irc", "IRC server, as HOST:PORT", check=draft.of(NAME, "server"))
        plain = server.endswith(PLAIN_PORT)
        table: dict[str, Any] = {**SAMPLES[NAME], "server": server}
        if not asking.yes("irc_tls", "With TLS?", default=not plain, unasked=True):
            table["tls"] = False
        elif ca:
            table["tls_ca"] = ca
        if draft.tried(reach(_read(draft, table)), "irc", "irc_tls"):
            return table


@dataclass(frozen=True)
class _Login:
    nick: str
    account: str
    password: str
    server_password: str
    room: str
    key: str
    tells_accounts: bool = True


def _login(draft: Draft, table: dict[str, Any]) -> _Login:
    """Ask until the server lets us in, and into the room."""
    from tocsin.networks.irc.probe import INVITED_ONLY, WRONG_KEY, KeptOut, visit  # noqa: PLC0415

    keyed = draft.has("irc_key_file", KEY)
    locked = draft.has("irc_server_password_file", SERVER_PASSWORD)
    while True:
        found = _asked(draft, keyed=keyed, locked=locked)
        if draft.offline:
            return found
        settings = _read(draft, {**table, "nick": found.nick, "room": found.room})
        sasl = ("PLAIN", found.account, found.password) if found.account else ()
        try:
            visited = asyncio.run(visit(settings, sasl, found.server_password, found.key))
        except KeptOut as error:
            if error.code == INVITED_ONLY:
                click.echo(f"  {error}: once it runs, say /invite {found.nick} {found.room}")
                return found
            keyed = keyed or error.code == WRONG_KEY
            draft.asking.again(error, "irc_room", "irc_key_file")
        except NetworkError as error:
            locked = True  # servers tell it in many ways that this is what they want
            options = ("irc_nick", "irc_account", "irc_password_file", "irc_server_password_file")
            draft.asking.again(error, *options)
        else:
            who = f"logged in as {found.account}, " if found.account else ""
            click.echo(f"  {who}called {visited.nick}, and let into {found.room}")
            return replace(found, tells_accounts=visited.tells_accounts)


def _asked(draft: Draft, *, keyed: bool, locked: bool) -> _Login:
    asking = draft.asking
    nick = asking.text("irc_nick", "Tocsin's nick there", "tocsin", check=draft.of(NAME, "nick"))
    account = asking.text(
        "irc_account",
        "Tocsin's own account there, by SASL",
        empty=True,
        check=draft.of(NAME, "sasl", lambda it: {"account": it, "password": {"env": "ANY"}}),
    )
    password = draft.secret("irc_password_file", f"Password of {account}", PASSWORD) if account else ""
    server_password = ""
    if locked:
        question = "The server's own password"
        server_password = draft.secret("irc_server_password_file", question, SERVER_PASSWORD, empty=True)
    suggested = "#ops" if asking.asks else ""
    room = asking.text("irc_room", "Channel for all alerts", suggested, check=draft.of(NAME, "room"))
    key = draft.secret("irc_key_file", f"Key of {room}", KEY) if keyed else ""
    return _Login(nick, account, password, server_password, room, key)


def _read(draft: Draft, table: dict[str, Any]) -> IrcSettings:
    return cast("IrcSettings", draft.network(NAME, table))
