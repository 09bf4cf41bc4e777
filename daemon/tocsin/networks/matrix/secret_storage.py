"""Secrets that an account keeps encrypted on its homeserver, and the recovery key that opens them. Pure.

Specification: Client-Server API, "Secret storage".
"""

import hmac
from hashlib import sha256
from typing import Any

from Crypto.Cipher import AES

from tocsin.networks.matrix.signing import Json, unb64

ALGORITHM = "m.secret_storage.v1.aes-hmac-sha2"

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_PREFIX = bytes((0x8B, 0x01))
_LONGEST = 200

MISTYPED = "this is no recovery key: it is 48 letters and digits, in groups of four"


def read_recovery_key(text: str) -> bytes:
    """Raises ValueError, without a part of the key."""
    signs = "".join(text.split())
    if len(signs) > _LONGEST or not set(signs) <= set(_ALPHABET):
        raise ValueError(MISTYPED)
    number = 0
    for sign in signs:
        number = number * 58 + _ALPHABET.index(sign)
    raw = number.to_bytes(35, "big") if number.bit_length() <= 35 * 8 else b""
    parity = 0
    for byte in raw:
        parity ^= byte
    if not raw.startswith(_PREFIX) or parity:
        raise ValueError(MISTYPED)
    return raw[2:-1]


def opens(key: bytes, about: Json) -> bool:
    """Whether this is the key that `m.secret_storage.key.ID` is about."""
    try:
        iv, mac = unb64(about["iv"]), unb64(about["mac"])
        return hmac.compare_digest(seal(key, "", bytes(32), iv)["mac"], mac)
    except (KeyError, TypeError, ValueError):
        return False


def open_secret(key: bytes, name: str, sealed: Any) -> bytes:
    """What an account keeps under that name; sealed: one entry of its `encrypted`. Raises ValueError."""
    try:
        iv, text, mac = (unb64(sealed[part]) for part in ("iv", "ciphertext", "mac"))
    except (KeyError, TypeError):
        raise ValueError(f"{name} can't be read: it is not kept in a way that we know") from None
    cipher, proof = _halves(key, name)
    if not hmac.compare_digest(_mac(proof, text), mac):
        raise ValueError(f"{name} can't be opened by this recovery key")
    return _crypt(cipher, iv, text)


def seal(key: bytes, name: str, secret: bytes, iv: bytes) -> dict[str, bytes]:
    """Encrypt something to be kept. iv: 16 random bytes, the highest bit of the ninth zero."""
    cipher, proof = _halves(key, name)
    text = _crypt(cipher, iv, secret)
    return {"iv": iv, "ciphertext": text, "mac": _mac(proof, text)}


def _halves(key: bytes, name: str) -> tuple[bytes, bytes]:
    """HKDF-SHA256 with a salt of zeros: the key of the cipher, and that of the proof."""
    extracted = _mac(bytes(32), key)
    first = _mac(extracted, name.encode() + b"\x01")
    return first, _mac(extracted, first + name.encode() + b"\x02")


def _mac(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, sha256).digest()


def _crypt(key: bytes, iv: bytes, text: bytes) -> bytes:
    """AES-256-CTR, the same in both directions."""
    if len(iv) != 16:
        raise ValueError("is not sealed as we know it")
    return AES.new(key, AES.MODE_CTR, nonce=b"", initial_value=iv).encrypt(text)
