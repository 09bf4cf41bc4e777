"""The first words with a server: capabilities, proof of who we are, and a nick that is free."""

import base64
import itertools
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from tocsin.errors import NetworkError
from tocsin.networks.irc.lines import line
from tocsin.networks.irc.wire import Heard

WANTED = frozenset(
    {
        "account-notify",
        "account-tag",
        "batch",
        "cap-notify",
        "echo-message",
        "extended-join",
        "labeled-response",
        "message-tags",
        "sasl",
    }
)
"""The capabilities that are of use; whatever else a server offers is left alone."""

LATER = timedelta(seconds=2)
"""How long a server that turned us away is left in peace the first time; it may have come up before its services."""

_CHUNK = 400  # of what AUTHENTICATE carries: https://ircv3.net/specs/extensions/sasl-3.1
_TURNED_AWAY = {
    "432": "the server does not take the nick",
    "463": "the server does not let this host in",
    "464": "the server's password is wrong",
    "465": "we are banned from this server",
}
_NOT_PROVEN = {"902", "904", "905", "906", "908"}
_IN_USE = {"433", "436", "437"}


def refused(why: str) -> NetworkError:
    """Asking again soon would only annoy."""
    return NetworkError(why, unsent=True, retry_after=LATER)


@dataclass
class Login:
    """Says what to say next until `done`.

    nicks: the first that is free is taken. password: the server's. sasl: ("PLAIN", account, password) or
    ("EXTERNAL",), or empty; if there is one, nothing else than that will do.
    caps: what the server has switched on. nick: what we are called.
    """

    nicks: Sequence[str]
    password: str = field(default="", repr=False)
    sasl: Sequence[str] = field(default=(), repr=False)
    caps: set[str] = field(default_factory=set)
    nick: str = ""
    done: bool = False
    _offered: dict[str, str] = field(default_factory=dict)
    _proven: bool = False

    def __post_init__(self) -> None:
        invented = (f"{self.nicks[0][:5]}{secrets.randbelow(10_000):04}" for _ in range(5))
        self._to_try = itertools.chain(self.nicks, invented)

    def hello(self) -> Iterator[str]:
        """What comes first."""
        yield line("CAP", "LS", "302")
        if self.password:
            yield line("PASS", text=self.password)
        yield line("NICK", next(self._to_try))
        yield line("USER", "tocsin", "0", "*", text="Tocsin")

    def take(self, heard: Heard) -> Iterator[str]:
        """What to say to that. Raises NetworkError if the server won't have us, or not as we want to be had."""
        match heard.command:
            case "CAP":
                yield from self._capabilities(heard)
            case "AUTHENTICATE" if heard.last == "+" and self.sasl:
                yield from self._proof()
            case "903" | "907":
                self._proven = True
                yield line("CAP", "END")
            case command if command in _NOT_PROVEN and self.sasl:
                raise refused(f"the login to our account failed: {self.without_secrets(heard.last)}")
            case command if command in _IN_USE and not self.done:
                nick = next(self._to_try, None)
                if nick is None:
                    raise refused("no nick is free")
                yield line("NICK", nick)
            case command if command in _TURNED_AWAY and not self.done:
                raise refused(f"{_TURNED_AWAY[command]}: {self.without_secrets(heard.last)}")
            case "001":
                if self.sasl and not self._proven:
                    raise refused("the server let us in without the login to our account")
                self.nick = heard.word(0)
                self.done = True

    def without_secrets(self, text: str) -> str:
        """What a server says as people may read it: one that turns us away may repeat what we said to it."""
        for secret in (self.password, *self.sasl[2:], self._proof_text()):
            text = text.replace(secret, "…") if secret else text
        return text

    def _capabilities(self, heard: Heard) -> Iterator[str]:
        match heard.word(1):
            case "LS":
                self._offered |= dict(item.partition("=")[::2] for item in heard.last.split())
                if heard.word(2) == "*" and len(heard.words) > 3:
                    return  # more of them follow
                if self.sasl and not self._takes(self.sasl[0]):
                    raise refused(f"the server offers no login by SASL {self.sasl[0]}")
                wanted = (WANTED if self.sasl else WANTED - {"sasl"}) & self._offered.keys()
                yield line("CAP", "REQ", text=" ".join(sorted(wanted))) if wanted else line("CAP", "END")
            case "ACK" if not self.done:
                self.caps |= set(heard.last.split())
                yield line("AUTHENTICATE", self.sasl[0]) if self.sasl else line("CAP", "END")
            case "NAK" if not self.done:
                if self.sasl:
                    raise refused("the server offers SASL, and then refuses it")
                yield line("CAP", "END")
            case "DEL":
                self.caps -= set(heard.last.split())

    def _takes(self, mechanism: str) -> bool:
        """Whether the server takes this kind of proof; old ones don't say which they take."""
        kinds = self._offered.get("sasl")
        return kinds is not None and (not kinds or mechanism in kinds.upper().split(","))

    def _proof(self) -> Iterator[str]:
        text = self._proof_text()
        chunks = [text[start : start + _CHUNK] for start in range(0, len(text), _CHUNK)]
        if not chunks or len(chunks[-1]) == _CHUNK:
            chunks.append("+")
        for chunk in chunks:
            yield line("AUTHENTICATE", chunk)

    def _proof_text(self) -> str:
        words = self.sasl[1:]
        return base64.b64encode("\0".join(("", *words)).encode()).decode() if words else ""
