"""What the answers of `tocsin init` come to, looked at by the eyes of the configuration that they will be."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tocsin import daemon
from tocsin.cli.asking import Asking, Check
from tocsin.config import Config, Document
from tocsin.config.tables import NetworkSettings
from tocsin.config.values import CREDENTIALS
from tocsin.errors import ConfigError, NetworkError

SAMPLES: Mapping[str, Mapping[str, str]] = {
    "irc": {"server": "irc.example.org:6697", "room": "#any"},
    "matrix": {
        "homeserver": "https://matrix.example.org",
        "user": "@any:example.org",
        "room": "#any:example.org",
    },
}
"""What a network needs at least, so that one answer can be looked at before the others are there."""


@dataclass(frozen=True)
class Chat:
    """A network as it was answered. lines: of its table, as in `Part`. domain: where its accounts are, if they say."""

    settings: NetworkSettings
    lines: Mapping[str, str]
    domain: str = ""


class Draft:
    """secrets: what is to be kept, by the name of its file."""

    def __init__(self, asking: Asking, path: Path, *, offline: bool) -> None:
        """path: where the configuration will be. offline: nothing is tried that needs a network."""
        self.asking = asking
        self.path = path
        self.offline = offline
        self.secrets = dict[str, str]()

    def has(self, option: str, name: str) -> bool:
        """Whether a secret that not everybody needs was given, or is there already."""
        return self.asking.given(option) or self._file(name).exists()

    def _file(self, name: str) -> Path:
        return self.path.absolute().parent / CREDENTIALS / name

    def secret(self, option: str, question: str, name: str, **how: Any) -> str:
        """Ask for a secret that is to have a file of its own. how: as for `Asking.secret`."""
        kept = self._file(name)
        found = self.asking.secret(option, question, kept, **how)
        if found and not kept.exists():
            self.secrets[name] = found
        return found

    def file(self, network: str, option: str) -> str:
        """The path of `tls_ca`, which nobody is asked for; empty if it was not typed."""
        if not self.asking.given(option):
            return ""
        check = self.of(network, "tls_ca", lambda text: str(Path(text).absolute()))
        return str(Path(self.asking.text(option, "", check=check)).absolute())

    def tried(self, trial: Coroutine[Any, Any, object], *options: str) -> bool:
        """Whether it works out; if not, these are to be asked for again."""
        if self.offline:
            trial.close()
            return True
        try:
            asyncio.run(trial)
        except NetworkError as error:
            self.asking.again(error, *options)
            return False
        return True

    def fits(self, tables: Callable[[str], Mapping[str, Any]]) -> Check:
        """Whether these tables can be read, with an answer in them."""
        return lambda answer: self.config(tables(answer))

    def of(self, network: str, name: str, value: Callable[[str], Any] = str) -> Check:
        """Whether an answer can be that setting of a network. value: what stands there then."""
        return lambda answer: self.network(network, {**SAMPLES[network], name: value(answer)})

    def network(self, name: str, table: Mapping[str, Any]) -> NetworkSettings:
        """The settings of a network. Raises ValueError with the first thing that is wrong."""
        return self.config({"networks": {name: table}}).networks[name]

    def config(self, tables: Mapping[str, Any]) -> Config:
        """What these tables mean in that file. Raises ValueError with the first thing that is wrong."""
        try:
            return daemon.read(Document(self.path, "", tables))
        except ConfigError as error:
            raise ValueError(error.problems[0].text) from None
