"""Who may post: each receiver proves itself by its token, or by its user and password."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence

from tocsin.config.tables import Receiver


class Proofs:
    """What each receiver sends to prove who it is; the secrets themselves are not kept."""

    def __init__(self, receivers: Mapping[str, Receiver]) -> None:
        """Read the receivers' secrets."""
        self._wanted = {name: _wanted(receiver) for name, receiver in receivers.items()}
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

    def others(self, before: "Proofs") -> Sequence[str]:
        """The receivers whose secrets are other ones than before."""
        wanted = before._wanted  # noqa: SLF001 (of the same class)
        return [name for name, one in self._wanted.items() if name in wanted and wanted[name] != one]

    def shown(self, path: str) -> str:
        """A path without a token, which does not belong there."""
        secret = {digest for _, digest in self._wanted.values()}
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
