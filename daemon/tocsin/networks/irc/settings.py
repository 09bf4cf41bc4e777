"""What the configuration says of an IRC network."""

import re
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator

from tocsin.config.values import AddressSetting, Count, Duration, FilePath, Secret
from tocsin.domain.oncall import Identity
from tocsin.errors import KeyPath
from tocsin.networks.irc.lines import fold


def _is_word(text: str) -> bool:
    return bool(text) and text.isprintable() and text[0] != ":" and not {" ", ",", "!"} & set(text)


def _word(text: str) -> str:
    if not _is_word(text):
        raise ValueError(f"must be one word, without blank, comma or '!', not {text!r}")
    return text


Word = Annotated[str, AfterValidator(_word)]


def _nick(text: str) -> str:
    _word(text)
    if re.match(r"[0-9#&@+~%$-]", text) or len(text) > LONGEST_NICK:
        raise ValueError(f"must be a nick such as 'tocsin', not {text!r}")
    return text


Nick = Annotated[str, AfterValidator(_nick)]

LONGEST_NICK = 30
LONGEST_CHANNEL = 100
"""In characters, more than servers allow."""


class Detail(StrEnum):
    """How much is said of an alert: everything, or what all the world may know."""

    FULL = "full"
    SUMMARY = "summary"


@dataclass(frozen=True, kw_only=True)
class Sasl:
    """How Tocsin logs in to its own account.

    account, password: by SASL PLAIN. Without a password the client certificate proves it (SASL EXTERNAL).
    """

    account: Word = ""
    password: Secret | None = None

    def __post_init__(self) -> None:
        if bool(self.account) is not (self.password is not None):
            raise ValueError("account and password go together; leave both out to log in by certificate")


@dataclass(frozen=True, kw_only=True)
class IrcSettings:
    """One IRC network.

    server: its address and port. tls_ca: who signs its certificate, if the system does not know. certificate: our
    own, with its key in the same file. password: the server's. nick: the first that is free of these two.
    room: where all alerts are told. keys: channel -> its key. detail: channel -> how much is said there; where it
    does not say so, all of it in a channel that is closed. identity: how the network proves who speaks.
    chanserv: whether channels that we make are registered with ChanServ, so that they stay ours.
    burst, pace: so many lines may go out at once, and then one each so often.
    """

    server: AddressSetting
    tls: bool = True
    tls_ca: FilePath | None = None
    certificate: FilePath | None = None
    password: Secret | None = None
    sasl: Sasl | None = None
    nick: Nick = "tocsin"
    second_nick: Nick = "tocsin_"
    room: Word
    keys: Mapping[str, Secret] = field(default_factory=dict)
    detail: Mapping[str, Detail] = field(default_factory=dict)
    identity: Identity = Identity.ACCOUNTS
    chanserv: bool = False
    burst: Annotated[Count, AfterValidator(lambda count: max(count, 1))] = 5
    pace: Duration = timedelta(seconds=1)

    def __post_init__(self) -> None:
        if self.nick.lower() == self.second_nick.lower():
            raise ValueError("nick and second_nick must differ")
        if not self.tls and (self.tls_ca or self.certificate):
            raise ValueError("tls_ca and certificate mean nothing without tls")
        named = {"room": self.room} | {".".join(path): path[-1] for path in self._per_room()}
        for setting, room in named.items():
            if problem := self.complaint(room=room):
                raise ValueError(f"{setting} {problem}")
        if len({fold(room) for room in self.detail}) < len(self.detail):
            raise ValueError("detail names a channel twice: capitals make no other one")
        for path in filter(None, (self.tls_ca, self.certificate)):
            if not path.is_file():
                raise ValueError(f"{path}: no such file")
        if self.chanserv and self.sasl is None:
            raise ValueError("chanserv registers channels to Tocsin's own account: set sasl")
        if self.sasl is not None and self.sasl.password is None and self.certificate is None:
            raise ValueError("sasl names neither account and password, nor is there a certificate")

    def trust(self) -> ssl.SSLContext:
        """Whom we trust by TLS, and what we prove. Reads files, so in a thread. Raises ValueError if one can't be used."""
        path = self.tls_ca
        try:
            context = ssl.create_default_context(cafile=path)
            path = self.certificate
            if path is not None:
                context.load_cert_chain(path)
        except OSError as error:
            raise ValueError(f"{path}: can't be used: {error.strerror or error}") from None
        return context

    def about_rooms(self) -> Iterable[KeyPath]:
        return [path for path in self._per_room() if path[0] == "detail"]

    def _per_room(self) -> Iterable[tuple[str, str]]:
        return [*(("keys", room) for room in self.keys), *(("detail", room) for room in self.detail)]

    def complaint(self, *, account: str = "", room: str = "") -> str:
        """Why that can't be an account or a channel; empty if it can."""
        if room and not (room.startswith(("#", "&")) and _is_word(room) and len(room) <= LONGEST_CHANNEL):
            return f"must be a channel such as '#ops', not {room!r}"
        if account and (not _is_word(account) or account.startswith(("#", "&", "~", "@", "+"))):
            return f"must be the name of an account, not {account!r}"
        return ""
