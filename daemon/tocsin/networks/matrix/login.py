"""`tocsin matrix login`: a token, and an identity that vouches for our device.

The daemon may run meanwhile: nothing of nio's is touched here. It takes the new token by itself, and has our device
signed.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from tocsin.errors import NetworkError, TocsinError
from tocsin.networks.matrix import identity
from tocsin.networks.matrix.account import Account, Credentials
from tocsin.networks.matrix.replies import LoggedOut
from tocsin.networks.matrix.secret_storage import read_recovery_key
from tocsin.networks.matrix.signing import Identity
from tocsin.networks.matrix.wire import Wire, tls_context

DISPLAY_NAME = "Tocsin"


class LoginRefused(TocsinError):
    """What is asked for would not be safe, or can't be done; the message says what to do."""


@dataclass(frozen=True)
class Given:
    """What whoever logs in brings along.

    password: asks for it, when it is needed at all. token: a long-lived one instead. recovery_key: of the account's
    secret storage. replace: the account is to get another identity.
    """

    password: Callable[[], str]
    token: str = ""
    recovery_key: str = ""
    replace: bool = False


class _Login:
    def __init__(self, account: Account, given: Given, wire: Wire, say: Callable[[str], None]) -> None:
        self._account = account
        self._settings = account.settings
        self._given = given
        self._wire = wire
        self._say = say
        self._typed = ""

    async def run(self) -> None:
        await self._token()
        await self._identity()

    async def _password(self) -> str:
        self._typed = self._typed or await asyncio.to_thread(self._given.password)
        return self._typed

    # The token.

    async def _token(self) -> None:
        kept = self._account.kept()
        if self._settings.token is not None:
            found = self._account.credentials()
            await self._check(found)
        elif self._given.token:
            found = Credentials(self._settings.user, self._settings.device, self._given.token)
            await self._check(found)
            self._account.keep(found)
        elif await self._still_good():
            return
        else:
            found = await self._with_password()
            self._account.keep(found)
        self._say(f"logged in as {found.user} on device {found.device}")
        if kept is not None and (kept.user, kept.device) != (found.user, found.device):
            await self._log_out(kept, found)

    async def _still_good(self) -> bool:
        try:
            found = self._account.credentials()
            await self._check(found)
        except LoggedOut:
            self._wire.token = ""
            return False
        self._say(f"still logged in as {found.user} on device {found.device}")
        return True

    async def _check(self, found: Credentials) -> None:
        """Is the token theirs?"""
        self._wire.token = found.token
        answer = await self._wire.call("GET", "/account/whoami")
        user, device = answer.get("user_id"), answer.get("device_id")
        if user != found.user:
            raise LoginRefused(f"the token is that of {user}, and the settings name {found.user}")
        if device != found.device:
            raise LoginRefused(
                f"the token belongs to the device {device}: set device = '{device}' and try again"
            )

    async def _with_password(self) -> Credentials:
        settings = self._settings
        answer = await self._wire.call(
            "POST",
            "/login",
            {
                "type": "m.login.password",
                "identifier": {"type": "m.id.user", "user": settings.user},
                "password": await self._password(),
                "device_id": settings.device,
                "initial_device_display_name": DISPLAY_NAME,
            },
        )
        found = Credentials(*(str(answer.get(key)) for key in ("user_id", "device_id", "access_token")))
        if (found.user, found.device) != (settings.user, settings.device):
            raise LoginRefused(f"the homeserver says that this is {found.user} on device {found.device}")
        self._wire.token = found.token
        return found

    async def _log_out(self, before: Credentials, now: Credentials) -> None:
        """The device that we were before is of no use any more."""
        self._wire.token = before.token
        with suppress(NetworkError):
            await self._wire.call("POST", "/logout", {})
            self._say(f"logged out {before.user} on device {before.device}, which is of no use any more")
        self._wire.token = now.token

    # The identity.

    async def _identity(self) -> None:
        account, user = self._account, self._settings.user
        published, _ = await identity.published(self._wire, user)
        if self._given.recovery_key:
            account.keep_identity(await self._recovered(published.master))
            self._say("the account's identity was restored with its recovery key")
        elif self._given.replace:
            ours = Identity.new()
            account.keep_identity(ours)
            await identity.publish(self._wire, user, ours, self._password)
            self._say("the account has another identity now; people are shown that it has changed")
        elif not published.master:
            await identity.create(self._wire, account, self._password)
            self._say("the account has an identity now, which vouches for this device")
        else:
            ours_or_none = account.identity(published.master)
            if ours_or_none is None:
                raise LoginRefused(
                    "the account has an identity already, and its secrets are not here: give its recovery key "
                    f"(--recovery-key-file), or bring {account.folder / 'cross-signing.json'} back from a backup. "
                    "Only if both are lost: --replace-identity makes another one, and people are shown that it changed"
                )
            account.keep_identity(ours_or_none)

    async def _recovered(self, master: str) -> Identity:
        try:
            key = read_recovery_key(self._given.recovery_key)
            found = await identity.from_secret_storage(self._wire, self._settings.user, key)
        except ValueError as error:
            raise LoginRefused(str(error)) from None
        if found.master.public != master:
            raise LoginRefused(
                "the secret storage holds another identity than the one that the account has now"
            )
        return found


async def log_in(account: Account, given: Given, say: Callable[[str], None]) -> None:
    """Log in, and see to the identity. say: takes each thing that was done, in words.

    Raises NetworkError, LoginRefused.
    """
    wire = Wire(account.settings.homeserver, tls_context(account.settings.tls_ca))
    try:
        await _Login(account, given, wire, say).run()
    finally:
        await wire.close()
