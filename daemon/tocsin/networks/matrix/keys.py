"""What the homeserver has of our device: its keys, and one-time keys for those who want to write to it.

Every key is kept before it is uploaded. What is left over from an earlier run may have been uploaded or not, so it is
never uploaded again: a key that was used once already opens nothing.
"""

import logging
from collections.abc import Collection, Mapping
from typing import Any

from tocsin.errors import NetworkError
from tocsin.failpoints import reach
from tocsin.networks.matrix.replies import MatrixError
from tocsin.networks.matrix.wire import Wire

log = logging.getLogger(__name__)

KIND = "signed_curve25519"

TRIES = 20
"""A store that was brought back from a backup makes keys anew whose ids are taken: so many times it skips them."""


class Keys:
    """olm: nio's machine, which holds the secrets."""

    def __init__(self, olm: Any, wire: Wire) -> None:
        self._olm = olm
        self._wire = wire
        self._left: int | None = None
        self._fallback_used = False
        self._olm.mark_keys_as_published()
        self._olm.save_account()

    @property
    def ed25519(self) -> str:
        return str(self._olm.account.identity_keys["ed25519"])

    @property
    def curve25519(self) -> str:
        return str(self._olm.account.identity_keys["curve25519"])

    def counted(self, sync: Mapping[str, Any]) -> None:
        """Take what a sync says of the keys that are left. A kind that it does not name has none left."""
        counts = sync.get("device_one_time_keys_count")
        self._count(counts if isinstance(counts, dict) else {})
        unused = sync.get("device_unused_fallback_key_types")
        if isinstance(unused, list):  # else the homeserver knows no such keys
            self._fallback_used = KIND not in unused

    async def count(self) -> None:
        """Ask how many are left."""
        answer = await self._wire.call("POST", "/keys/upload", {})
        self._count(answer.get("one_time_key_counts", {}))

    async def publish(self) -> None:
        """Upload the device anew, and keys for it: the homeserver has lost it, or never had it."""
        self._olm.account.shared = False
        self._left = 0
        await self.refill()

    async def refill(self) -> None:
        """Upload what is missing."""
        for _ in range(TRIES):
            try:
                await self._upload()
            except MatrixError as error:
                if error.status != 400 or "already exists" not in str(error):
                    raise
                log.warning("some of our one-time keys are there already, so others are made")
                self._olm.mark_keys_as_published()
                self._olm.save_account()
            else:
                return
        raise NetworkError("the homeserver takes none of our one-time keys", unsent=True)

    async def _upload(self) -> None:
        olm, account = self._olm, self._olm.account
        spare = account._account  # noqa: SLF001 (nio knows no fallback keys, what it wraps does)
        body: dict[str, Any] = {}
        if not account.shared:
            body["device_keys"] = self._device()
        if self._left is not None and self._left <= account.max_one_time_keys // 2:
            account.generate_one_time_keys(account.max_one_time_keys - self._left)
            fresh = account.one_time_keys["curve25519"]
            body["one_time_keys"] = dict(self._signed(name, key) for name, key in fresh.items())
        if self._fallback_used or not account.shared:
            spare.generate_fallback_key()
            found = spare.fallback_key.items()
            body["fallback_keys"] = dict(
                self._signed(name, key.to_base64(), fallback=True) for name, key in found
            )
        if not body:
            return
        olm.save_account()
        reach("matrix-keys-kept")
        answer = await self._wire.call("POST", "/keys/upload", body)
        reach("matrix-keys-uploaded")
        account.shared = True
        olm.mark_keys_as_published()
        olm.save_account()
        self._fallback_used = False
        self._count(answer.get("one_time_key_counts", {}))

    def _count(self, counts: Any) -> None:
        left = counts.get(KIND, 0) if isinstance(counts, dict) else 0
        self._left = left if isinstance(left, int) else 0

    def _device(self) -> dict[str, Any]:
        olm = self._olm
        keys: dict[str, Any] = {
            "algorithms": algorithms(olm),
            "device_id": olm.device_id,
            "user_id": olm.user_id,
            "keys": {
                f"curve25519:{olm.device_id}": self.curve25519,
                f"ed25519:{olm.device_id}": self.ed25519,
            },
        }
        return keys | {"signatures": self._signature(keys)}

    def _signed(self, name: str, public: str, *, fallback: bool = False) -> tuple[str, dict[str, Any]]:
        key: dict[str, Any] = {"key": public, **({"fallback": True} if fallback else {})}
        return f"{KIND}:{name}", key | {"signatures": self._signature(key)}

    def _signature(self, thing: Mapping[str, Any]) -> dict[str, dict[str, str]]:
        return {self._olm.user_id: {f"ed25519:{self._olm.device_id}": self._olm.sign_json(thing)}}


def algorithms(olm: Any) -> Collection[str]:
    """What our device can read and write."""
    return list(olm._algorithms)  # noqa: SLF001 (said nowhere else)
