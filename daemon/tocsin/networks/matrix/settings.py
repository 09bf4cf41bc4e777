"""What the configuration says of a Matrix network; nothing here needs nio, which takes long to import."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from tocsin.config.values import Count, Duration, FilePath, Secret, is_loopback
from tocsin.domain.oncall import Identity
from tocsin.errors import KeyPath

LONGEST_ID = 255
"""Of a user, a room or an alias, in bytes, as the specification has it."""

_SERVER = r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z.-]+)(?::[0-9]{1,5})?"
_USER = re.compile(rf"@[\x21-\x39\x3b-\x7e]+:{_SERVER}")
"""With all that old accounts may hold: whatever ASCII prints but ':'."""
_ROOM = re.compile(rf"![\x21-\x39\x3b-\x7e]+(?::{_SERVER})?")
"""Rooms of version 12 and later belong to no server."""
_ALIAS = re.compile(rf"#[^:\x00]+:{_SERVER}")


def _homeserver(text: str) -> str:
    wanted = f"must be the address of a homeserver such as 'https://matrix.example.org', not {text!r}"
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(wanted) from None
    if parts.scheme not in ("https", "http") or not host or not text.isprintable() or " " in text:
        raise ValueError(wanted)
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError(wanted)
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError(f"would send the account's token in the clear: say https, not {text!r}")
    return text.rstrip("/")


def _user(text: str) -> str:
    if complaint := _about_user(text):
        raise ValueError(complaint)
    return text


def _about_user(text: str) -> str:
    if _USER.fullmatch(text) and len(text) <= LONGEST_ID:
        return ""
    return f"must be a Matrix ID such as '@alice:example.org', not {text!r}"


def _device(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text):
        raise ValueError(f"must be 1 to 64 of A-Z, a-z, 0-9, '-' and '_', not {text!r}")
    return text


@dataclass(frozen=True, kw_only=True)
class MatrixSettings:
    """One Matrix account.

    homeserver: where its requests go. user: its exact Matrix ID. device: the name of its one device, which stays for
    ever. room: where all alerts are told, by its id or its alias. token: an access token instead of a login.
    tls_ca: who signs the homeserver's certificate, if the system does not know.
    unverified: whether what is said is readable on devices that their owner has not verified.
    reactions: whether ours are put on pages, for people to tap.
    burst, pace: so many messages may go out at once, and then one each so often.
    """

    homeserver: Annotated[str, AfterValidator(_homeserver)]
    user: Annotated[str, AfterValidator(_user)]
    device: Annotated[str, AfterValidator(_device)] = "TOCSIN"
    room: str
    token: Secret | None = None
    tls_ca: FilePath | None = None
    unverified: bool = True
    reactions: bool = True
    burst: Annotated[Count, AfterValidator(lambda count: max(count, 1))] = 10
    pace: Duration = timedelta(seconds=5)

    def __post_init__(self) -> None:
        if problem := self.complaint(room=self.room):
            raise ValueError(f"room {problem}")
        if self.tls_ca is not None and not self.tls_ca.is_file():
            raise ValueError(f"{self.tls_ca}: no such file")

    @property
    def identity(self) -> Identity:
        """The homeservers vouch for the Matrix ID of who speaks, wherever that is."""
        return Identity.ACCOUNTS

    def about_rooms(self) -> Iterable[KeyPath]:
        return []

    def complaint(self, *, account: str = "", room: str = "") -> str:
        """Why that can't be an account or a room; empty if it can."""
        fits = _ROOM.fullmatch(room) or (_ALIAS.fullmatch(room) and room.isprintable())
        if room and not (fits and len(room.encode()) <= LONGEST_ID):
            return f"must be a room such as '#ops:example.org' or '!id:example.org', not {room!r}"
        return _about_user(account) if account else ""
