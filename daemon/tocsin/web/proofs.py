"""Who may post: each receiver proves itself by its token, or by its user and password. And who may read what is measured."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence

from tocsin.config.tables import Metrics, Receiver
from tocsin.errors import KeyPath


class Proofs:
    """What each receiver sends to prove who it is; the secrets themselves are not kept.

    for_metrics: whether it takes a token to read what is measured.
    """

    def __init__(self, receivers: Mapping[str, Receiver], metrics: Metrics) -> None:
        """Read their secrets. Raises ValueError."""
        self._wanted = {name: _wanted(receiver) for name, receiver in receivers.items()}
        self._metrics = _digest(metrics.token.reveal().encode()) if metrics.token is not None else b""
        self.for_metrics = metrics.token is not None
        self._nobodys = ("bearer", _digest(secrets.token_bytes()))

    def holds(self, receiver: str, header: str) -> bool:
        """Whether the header proves that the receiver posts; takes as long for a receiver that there is not."""
        scheme, wanted = self._wanted.get(receiver, self._nobodys)
        said, _, text = header.partition(" ")
        given = text.strip().encode(errors="surrogateescape")
        if scheme == "basic":
            try:
                given = base64.b64decode(given, validate=True)
            except binascii.Error:
                given = b""
        same = hmac.compare_digest(_digest(given), wanted)
        return same and said.lower() == scheme

    def reads_metrics(self, header: str) -> bool:
        """Whether the header holds the token by which metrics are read."""
        said, _, text = header.partition(" ")
        same = hmac.compare_digest(_digest(text.strip().encode(errors="surrogateescape")), self._metrics)
        return same and said.lower() == "bearer"

    def others(self, before: "Proofs") -> Sequence[KeyPath]:
        """Where the secrets are named that are other ones than before."""
        wanted = before._wanted  # noqa: SLF001 (of the same class)
        names = [name for name, one in self._wanted.items() if name in wanted and wanted[name] != one]
        anew = self.for_metrics and before.for_metrics and self._metrics != before._metrics  # noqa: SLF001
        return [*(("receivers", name) for name in names), *([("metrics", "token")] if anew else [])]

    def shown(self, path: str) -> str:
        """A path without a token, which does not belong there."""
        secret = {self._metrics, *(digest for _, digest in self._wanted.values())}
        return "/".join(
            "…" if _digest(part.encode(errors="surrogateescape")) in secret else part
            for part in path.split("/")
        )


def _wanted(receiver: Receiver) -> tuple[str, bytes]:
    """How a receiver proves who it is: the scheme, and the digest of what it sends."""
    if receiver.token is not None:
        return "bearer", _digest(receiver.token.reveal().encode())
    password = receiver.password.reveal() if receiver.password is not None else ""
    return "basic", _digest(f"{receiver.user}:{password}".encode())


def _digest(secret: bytes) -> bytes:
    """Of one length, so that comparing takes as long for any."""
    return hashlib.sha256(secret).digest()
