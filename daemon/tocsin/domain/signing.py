"""What only we can have written: a text with its signature behind it, fit for an address."""

import hashlib
import hmac
from base64 import urlsafe_b64encode

_BYTES = 16
"""Of HMAC-SHA256 so many are kept: 128 bits (RFC 2104, section 5), in 22 letters."""


def signed(key: bytes, purpose: str, text: str) -> str:
    """The text with its signature, which is good for that purpose alone. purpose: without a NUL."""
    return f"{text}.{_signature(key, purpose, text)}"


def unsigned(key: bytes, purpose: str, token: str) -> str | None:
    """What was signed for that purpose; None if that was not us. It takes as long for any signature."""
    text, _, signature = token.rpartition(".")
    given = signature.encode(errors="surrogateescape")
    return text if hmac.compare_digest(given, _signature(key, purpose, text).encode()) else None


def _signature(key: bytes, purpose: str, text: str) -> str:
    said = f"{purpose}\0{text}".encode(errors="surrogateescape")
    return urlsafe_b64encode(hmac.digest(key, said, hashlib.sha256)[:_BYTES]).rstrip(b"=").decode()
