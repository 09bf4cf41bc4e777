"""The kinds of values that settings take, each with one spelling and an error in words."""

import os
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, ValidationInfo

from tocsin.config.document import permission_problem
from tocsin.domain.labels import Matchers
from tocsin.domain.oncall import QUIET_FORM, QuietHours
from tocsin.domain.words import DURATION_FORM, parse_duration

T = TypeVar("T")


def from_text(parse: Callable[[str], T], expected: str) -> Callable[[Any], T]:
    """Reads a value that is written as a text. expected: what it must be, as an error says it."""

    def read(value: Any) -> T:
        if not isinstance(value, str):
            raise ValueError(f"must be {expected}, not {value!r}")
        return parse(value)

    return read


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,31}", text):
        raise ValueError(
            "people type this name: it must be 1 to 32 of a-z, 0-9, '-' and '_', and begin with a letter or digit"
        )
    return text


Name = Annotated[str, AfterValidator(_name)]
"""The name of a person, team, network …: what people type, so short and plain."""


def _one_or_more(noun: str) -> BeforeValidator:
    def read(value: Any) -> Any:
        if isinstance(value, str):
            return (value,)
        if not isinstance(value, list):
            raise ValueError(f"must be a {noun} or a list of {noun}s, not {value!r}")
        return tuple(value)

    return BeforeValidator(read)


Names = Annotated[tuple[Name, ...], _one_or_more("name")]
"""One name, or a list of names."""

Texts = Annotated[tuple[str, ...], _one_or_more("text")]
"""One text, or a list of texts."""

Count = Annotated[int, Field(ge=0)]
"""A whole number from 0 on."""

Duration = Annotated[timedelta, PlainValidator(from_text(parse_duration, DURATION_FORM))]
"""A length of time, written `30s`, `5m`, `1h30m`; a bare number is refused."""


Quiet = Annotated[QuietHours, PlainValidator(from_text(QuietHours.parse, QUIET_FORM))]
"""The hours in which a person is left in peace, written `22:00-07:00`."""


def _prefix(text: str) -> str:
    if not 1 <= len(text) <= 3 or not all(sign in "!.?,;:-+=*~^$%&|@_\\" for sign in text):
        raise ValueError(
            "must be one to three signs such as '!' or '.', and no '/', which chat programs keep for themselves"
        )
    return text


Prefix = Annotated[str, AfterValidator(_prefix)]
"""What stands before a command in a room."""


def _absolute(path: Path, info: ValidationInfo) -> Path:
    folder: Path = info.context["folder"] if info.context else Path()
    return folder / path.expanduser()


FilePath = Annotated[Path, AfterValidator(_absolute)]
"""A file's path; a relative one starts at the configuration file's folder."""


def _program(command: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    if any("\0" in word for word in command):
        raise ValueError("must not hold a NUL character")
    return (str(_absolute(Path(command[0]), info)), *command[1:]) if command else ()


Command = Annotated[tuple[str, ...], AfterValidator(_program)]
"""A program and its arguments, run without a shell; the program's path as for `FilePath`."""


_ADDRESS_FORM = "an address and a port such as '127.0.0.1:8627'"


@dataclass(frozen=True)
class Address:
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `127.0.0.1:8627` or `[::1]:8627`. Raises ValueError."""
        found = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([^\s:/\[\]]+)):([0-9]{1,5})", text)
        if found is None or int(found[3]) > 65535:
            raise ValueError(f"must be {_ADDRESS_FORM}, not {text!r}")
        return cls(found[1] or found[2], int(found[3]))


def is_loopback(host: str) -> bool:
    """Whether that is this very machine, by its address or by name."""
    try:
        found = ip_address(host)
    except ValueError:
        return host == "localhost"
    return ((found.ipv4_mapped if isinstance(found, IPv6Address) else None) or found).is_loopback


AddressSetting = Annotated[Address, PlainValidator(from_text(Address.parse, _ADDRESS_FORM))]


def _matchers(value: Any) -> Matchers:
    texts = value if isinstance(value, list) else [value]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("must be label matchers such as ['team=\"db\"', 'severity=~\"critical|page\"']")
    return Matchers(tuple(one for text in texts for one in Matchers.parse(text).conditions))


LabelMatchers = Annotated[Matchers, PlainValidator(_matchers)]
"""Label matchers in Alertmanager's syntax: a text, or a list of texts that must all hold."""


def _not_empty(value: Sized) -> Sized:
    if not value:
        raise ValueError("must not be empty")
    return value


NonEmpty = AfterValidator(_not_empty)
"""For a list or table that needs at least one entry: `Annotated[tuple[Step, ...], NonEmpty]`."""

_SECRET_LIMIT = 64 * 1024


IN_SERVICE = "CREDENTIALS_DIRECTORY"
"""The variable by which systemd names where its credentials are."""

CREDENTIALS = "credentials"
"""The folder beside the configuration file in which credentials are found without systemd, as by root's `tocsin doctor`."""

OF_FOLDER = "tocsin_"
"""So begin the names that systemd gives to what it finds in that folder: LoadCredential=tocsin:/etc/tocsin/credentials."""


def _credential(path: Path, info: ValidationInfo) -> Path:
    name = str(path)
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*", name):
        raise ValueError(f"must be the plain name of a credential, not {name!r}")
    return _absolute(Path(CREDENTIALS), info) / name


@dataclass(frozen=True)
class SecretSource:
    """Where a secret is kept; the secret itself is in no object that could be printed.

    file: a file of its own that only its owner, and at most its group, may read.
    credential: the name of a systemd credential (LoadCredential=); kept as where it is without systemd.
    env: the name of an environment variable.
    """

    file: FilePath | None = None
    credential: Annotated[Path, AfterValidator(_credential)] | None = None
    env: str | None = None

    def __post_init__(self) -> None:
        if sum(source is not None for source in (self.file, self.credential, self.env)) != 1:
            raise ValueError("names where the secret is kept by one of file, credential and env")

    def reveal(self) -> str:
        """Read the secret, without the line end that editors add.

        Raises ValueError with what is wrong and how to mend it, never with a part of the secret.
        """
        if self.env is not None:
            if self.env not in os.environ:
                raise ValueError(f"the environment variable {self.env!r} is not set")
            return _one_line(os.environ[self.env], f"the environment variable {self.env!r}")
        path = self._path()
        try:
            if complaint := permission_problem(path, forbidden=0o027):
                raise ValueError(f"{path}: {complaint}")
            with path.open("rb") as file:
                raw = file.read(_SECRET_LIMIT + 1)
        except OSError as error:
            raise ValueError(f"{path}: {self._complaint(error, path)}") from None
        if len(raw) > _SECRET_LIMIT:
            raise ValueError(f"{path}: is too large for a secret")
        try:
            return _one_line(raw.decode(), str(path))
        except UnicodeDecodeError:
            raise ValueError(f"{path}: is not UTF-8 text") from None

    def _complaint(self, error: OSError, path: Path) -> str:
        """Why it can't be read, and what to do."""
        served = IN_SERVICE in os.environ
        match error:
            case FileNotFoundError() if self.credential is not None:
                more = "; a new one takes a restart: systemctl restart tocsin" if served else ""
                return f"no such file, and systemd gives no credential {self.credential.name!r}{more}"
            case FileNotFoundError():
                return f"no such file; make one with: (umask 077; openssl rand -hex 32 > {path})"
            case PermissionError() if served:
                return "can't be read: a service may not read what is root's: name it as a credential: docs/install.md"
            case PermissionError():
                return "can't be read: Permission denied: do it as root, or as the user that Tocsin runs as"
            case _:
                return f"can't be read: {error.strerror}"

    def _path(self) -> Path:
        if self.file is not None:
            return self.file
        there = Path(str(self.credential))
        if folder := os.environ.get(IN_SERVICE):
            given, of_folder = Path(folder, there.name), Path(folder, OF_FOLDER + there.name)
            return of_folder if of_folder.exists() and not given.exists() else given
        return there


def authorization(token: SecretSource | None, user: str, password: SecretSource | None) -> Mapping[str, str]:
    """The header by which we prove who we are: by a token, by user and password, or nothing. Raises ValueError as `reveal`."""
    if token is not None:
        return {"Authorization": f"Bearer {token.reveal()}"}
    if password is not None:
        pair = f"{user}:{password.reveal()}"
        return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
    return {}


def _one_line(text: str, source: str) -> str:
    secret = text.removesuffix("\n").removesuffix("\r")
    if not secret:
        raise ValueError(f"{source}: is empty")
    if not secret.isprintable():
        raise ValueError(f"{source}: holds more than one line, or control characters")
    return secret


def _no_literal(value: Any) -> Any:
    if not isinstance(value, dict):
        raise ValueError(
            "a secret never stands in this file: put it into a file of its own and name that here, as in "
            "token.file = 'alertmanager.token'"
        )
    return value


Secret = Annotated[SecretSource, BeforeValidator(_no_literal)]
"""A secret, named by where it is kept: `token.file = "…"`, `token.credential = "…"` or `token.env = "…"`."""
