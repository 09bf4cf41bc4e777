"""Signatures of Matrix: who vouches for which key. Pure; what servers say may hold anything."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

from Crypto.PublicKey import ECC
from Crypto.Random import get_random_bytes
from Crypto.Signature import eddsa

from tocsin.networks.matrix.parts import part

Json = Mapping[str, Any]

KEY_BYTES = 32


def b64(raw: bytes) -> str:
    """Without padding, as Matrix has it."""
    return base64.b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """Raises ValueError."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("is no base64") from None


def canonical(thing: Json) -> bytes:
    """What a signature of it covers. Raises ValueError for what can't be signed."""
    bare = {key: value for key, value in thing.items() if key not in ("signatures", "unsigned")}
    return json.dumps(
        bare, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False
    ).encode()


@dataclass(frozen=True)
class SigningKey:
    """A key of an identity; seed: all of its secret."""

    seed: bytes = field(repr=False)

    @classmethod
    def new(cls) -> Self:
        return cls(get_random_bytes(KEY_BYTES))

    @cached_property
    def public(self) -> str:
        return b64(self._key.public_key().export_key(format="raw"))

    @property
    def id(self) -> str:
        return f"ed25519:{self.public}"

    def signed(self, thing: Json, user: str) -> dict[str, Any]:
        """The same, with its signature beside those that were there; `unsigned` is left out."""
        signature = b64(eddsa.new(self._key, "rfc8032").sign(canonical(thing)))
        before = thing.get("signatures", {})
        signatures = {**before, user: {**before.get(user, {}), self.id: signature}}
        return {
            **{key: value for key, value in thing.items() if key != "unsigned"},
            "signatures": signatures,
        }

    @cached_property
    def _key(self) -> Any:
        return ECC.construct(curve="Ed25519", seed=self.seed)


@dataclass(frozen=True)
class Identity:
    """The three keys of an account's identity, with their secrets."""

    master: SigningKey
    self_signing: SigningKey
    user_signing: SigningKey

    @classmethod
    def new(cls) -> Self:
        return cls(SigningKey.new(), SigningKey.new(), SigningKey.new())

    @classmethod
    def of(cls, seeds: Json) -> Self:
        """From `seeds`. Raises ValueError."""
        keys = []
        for usage in USAGES:
            seed = unb64(str(seeds.get(usage, "")))
            if len(seed) != KEY_BYTES:
                raise ValueError(f"the {usage} key is missing, or no key")
            keys.append(SigningKey(seed))
        return cls(*keys)

    def seeds(self) -> dict[str, str]:
        """All secrets, to be kept."""
        return {usage: b64(getattr(self, usage).seed) for usage in USAGES}

    def published(self, user: str) -> dict[str, Any]:
        """What `/keys/device_signing/upload` takes."""
        parts = {}
        for usage in USAGES:
            key: SigningKey = getattr(self, usage)
            bare = {"user_id": user, "usage": [usage], "keys": {key.id: key.public}}
            parts[f"{usage}_key"] = bare if usage == "master" else self.master.signed(bare, user)
        return parts


USAGES = ("master", "self_signing", "user_signing")


@dataclass(frozen=True)
class Device:
    """A device as its owner published it, signed by itself. vouched: by its owner's identity as well."""

    id: str
    ed25519: str
    curve25519: str
    vouched: bool


@dataclass(frozen=True)
class Published:
    """What a homeserver says of somebody's keys, as far as the signatures hold.

    master, self_signing: the public keys of their identity, empty if they have none, or none that holds.
    devices: those whose keys may be used.
    """

    master: str
    self_signing: str
    devices: Mapping[str, Device]

    @classmethod
    def of(cls, answer: Any, user: str) -> Self:
        """answer: that of `/keys/query`."""
        master = _key(part(answer, "master_keys", user), user, "master")
        keys = part(answer, "self_signing_keys", user)
        self_signing = _key(keys, user, "self_signing")
        if not (master and self_signing and signed_by(keys, user, f"ed25519:{master}", master)):
            self_signing = ""
        devices = {}
        for name, theirs in part(answer, "device_keys", user).items():
            device = _device(theirs, user, name, self_signing)
            if device is not None:
                devices[name] = device
        return cls(master if self_signing else "", self_signing, devices)


def signed_by(thing: Any, user: str, key_id: str, public: str) -> bool:
    """Whether that key has signed it, on behalf of that user."""
    signature = part(thing, "signatures", user).get(key_id)
    if not isinstance(signature, str):
        return False
    try:
        key = eddsa.import_public_key(unb64(public))
        eddsa.new(key, "rfc8032").verify(canonical(thing), unb64(signature))
    except (ValueError, RecursionError):
        return False
    return True


def _is_key(text: Any) -> bool:
    try:
        return isinstance(text, str) and len(unb64(text)) == KEY_BYTES
    except ValueError:
        return False


def _key(thing: Json, user: str, usage: str) -> str:
    """The one public key of a part of an identity."""
    keys, usages = thing.get("keys"), thing.get("usage")
    if thing.get("user_id") != user or not isinstance(usages, list) or usage not in usages:
        return ""
    if not isinstance(keys, dict) or len(keys) != 1:
        return ""
    [(key_id, public)] = keys.items()
    return public if _is_key(public) and key_id == f"ed25519:{public}" else ""


def _device(keys: Any, user: str, name: str, self_signing: str) -> Device | None:
    if not isinstance(keys, dict) or keys.get("user_id") != user or keys.get("device_id") != name:
        return None
    ed25519, curve25519 = (part(keys, "keys").get(f"{kind}:{name}") for kind in ("ed25519", "curve25519"))
    if not (_is_key(ed25519) and _is_key(curve25519)):
        return None
    if not signed_by(keys, user, f"ed25519:{name}", str(ed25519)):
        return None
    vouched = bool(self_signing) and signed_by(keys, user, f"ed25519:{self_signing}", self_signing)
    return Device(name, str(ed25519), str(curve25519), vouched)
