"""What is kept of a Matrix account beside the database: its token, its identity, its keys."""

import contextlib
import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tocsin.errors import NetworkError
from tocsin.networks.matrix.replies import LoggedOut
from tocsin.networks.matrix.settings import MatrixSettings
from tocsin.networks.matrix.signing import Identity

LOG_IN = "type tocsin matrix login"


@dataclass(frozen=True)
class Credentials:
    """What proves who we are."""

    user: str
    device: str
    token: str = field(repr=False)


class Account:
    """The folder of one account, `matrix-NAME` in the state folder, for us alone.

    `account.json`: the token, by `tocsin matrix login`. `cross-signing.json`: the secrets of the identity. `store.key`,
    `crypto.db`: all other keys, nio's. `pins.json`: the identities of people as they were seen first.
    All methods read or write files.
    """

    def __init__(self, name: str, settings: MatrixSettings, state: Path) -> None:
        """state: the daemon's state folder."""
        self.name = name
        self.settings = settings
        self.folder = state / f"matrix-{name}"
        self._seen: object = None

    @property
    def pins(self) -> Path:
        return self.folder / "pins.json"

    @property
    def database(self) -> Path:
        return self.folder / "crypto.db"

    # The token.

    def credentials(self) -> Credentials:
        """Raises LoggedOut if there are none that fit the settings."""
        self._seen = self._stamp()
        settings = self.settings
        if settings.token is not None:
            try:
                return Credentials(settings.user, settings.device, settings.token.reveal())
            except ValueError as error:
                raise LoggedOut(f"the access token can't be read: {error}", unsent=True) from None
        kept = read_json(self._account)
        if not kept:
            text = f"nobody has logged in on {self.name} yet, so there is no {self._account}: {LOG_IN}"
            raise LoggedOut(text, unsent=True)
        found = Credentials(*(str(kept.get(key, "")) for key in ("user", "device", "token")))
        if (found.user, found.device) != (settings.user, settings.device):
            text = f"who has logged in on {self.name} is {found.user} with device {found.device}"
            raise LoggedOut(f"{text}, and the settings name another one: {LOG_IN}", unsent=True)
        return found

    def changed(self) -> bool:
        """Whether somebody has logged in, or changed the identity, since `credentials` was asked last: `open` and
        `ready` take that in.
        """
        return self._stamp() != self._seen

    def kept(self) -> Credentials | None:
        """Who logged in last, whatever the settings say by now."""
        kept = read_json(self._account)
        return Credentials(*(str(kept.get(key, "")) for key in ("user", "device", "token"))) if kept else None

    def keep(self, found: Credentials) -> None:
        """Take these from now on."""
        own_folder(self.folder)
        kept = {"user": found.user, "device": found.device, "token": found.token}
        write_json(self._account, {**kept, "homeserver": self.settings.homeserver})

    @property
    def _account(self) -> Path:
        return self.folder / "account.json"

    def _stamp(self) -> object:
        source = self.settings.token
        path = self._account if source is None else source.file
        return _stamp(path), _stamp(self._identity)

    # The identity.

    def identity(self, master: str = "") -> Identity | None:
        """The one that is in use; or one that was set aside, if that public key is its master's."""
        for path in (self._identity, *sorted(self.folder.glob("cross-signing.*.json"))):
            kept = read_json(path)
            if not kept:
                continue
            try:
                found = Identity.of(kept)
            except ValueError as error:
                raise NetworkError(f"{path}: {error}: bring it back from a backup", unsent=True) from None
            if master in {"", found.master.public}:
                return found
        return None

    def keep_identity(self, new: Identity) -> None:
        """Use this one from now on; the one before is set aside, and never lost."""
        own_folder(self.folder)
        before = self.identity()
        if before is not None and before.master.public == new.master.public:
            return
        if before is not None and self._identity.exists():
            name = before.master.public[:8].replace("/", "_").replace("+", "-")
            self._identity.rename(self.folder / f"cross-signing.{name}.json")
        before_us = self._stamp() == self._seen
        write_json(self._identity, new.seeds())
        if before_us:
            self._seen = self._stamp()

    @property
    def _identity(self) -> Path:
        return self.folder / "cross-signing.json"

    # The key of the keys.

    def store_key(self) -> str:
        """What nio's store is encrypted with. Raises NetworkError if there is a store, but no key to it."""
        own_folder(self.folder)
        path = self.folder / "store.key"
        kept = read_json(path).get("key", "")
        if kept:
            return str(kept)
        if self.database.exists():
            raise NetworkError(
                f"{path}: is gone, though {self.database} is there: bring it back from a backup"
            )
        key = secrets.token_hex(32)
        write_json(path, {"key": key})
        return key


def _stamp(path: Path | None) -> object:
    with contextlib.suppress(OSError):
        status = path.stat() if path is not None else None
        return status and (status.st_mtime_ns, status.st_ino, status.st_size)
    return None


def own_folder(folder: Path) -> None:
    """Make it, for its owner alone; run by root, for whom the folder around it belongs to. Raises NetworkError."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.stat()
        if status.st_mode & 0o077:
            raise NetworkError(f"{folder}: others may look into it: chmod 700 {folder}", unsent=True)
        _give(folder)
    except OSError as error:
        raise NetworkError(f"{folder}: can't be used: {error.strerror}", unsent=True) from None


def _give(path: Path) -> None:
    """What root makes belongs to whom the folder around it belongs to, since the daemon is to use it."""
    owner = path.parent.stat()
    if os.geteuid() == 0 and owner.st_uid != path.stat().st_uid:
        os.chown(path, owner.st_uid, owner.st_gid)


def read_json(path: Path) -> dict[str, Any]:
    """What is kept there, empty if nothing is. Raises NetworkError, without a part of it."""
    try:
        kept = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise NetworkError(f"{path}: can't be read: {error.strerror}", unsent=True) from None
    except ValueError:
        kept = None
    if not isinstance(kept, dict):
        raise NetworkError(f"{path}: is torn: bring it back from a backup", unsent=True)
    return kept


def write_json(path: Path, value: Any) -> None:
    """Whole or not at all, whatever crashes, and for the owner alone. Raises NetworkError."""
    new = path.with_suffix(".new")
    try:
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(value, file)
            file.flush()
            os.fsync(file.fileno())
        _give(new)
        new.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise NetworkError(f"{path}: can't be written: {error.strerror}", unsent=True) from None
