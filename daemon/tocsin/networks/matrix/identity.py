"""Our own identity on the homeserver: made, found, and put under our device."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tocsin.errors import NetworkError
from tocsin.failpoints import reach
from tocsin.networks.matrix.account import LOG_IN, Account
from tocsin.networks.matrix.replies import MatrixError
from tocsin.networks.matrix.secret_storage import ALGORITHM, open_secret, opens
from tocsin.networks.matrix.signing import USAGES, Identity, Published, SigningKey
from tocsin.networks.matrix.wire import Wire, at


async def published(wire: Wire, user: str) -> tuple[Published, Mapping[str, Any]]:
    """What the homeserver says of somebody's keys; and their devices as they stand there."""
    answer = await wire.call("POST", "/keys/query", {"device_keys": {user: []}})
    devices = answer.get("device_keys", {}).get(user, {})
    return Published.of(answer, user), devices


async def create(
    wire: Wire, account: Account, password: Callable[[], Awaitable[str]] | None = None
) -> Identity:
    """Give an account that has no identity one, kept here before anybody sees it. Raises NetworkError."""
    ours = await asyncio.to_thread(account.identity) or Identity.new()
    await asyncio.to_thread(account.keep_identity, ours)
    reach("matrix-identity-kept")
    await publish(wire, account.settings.user, ours, password)
    return ours


async def publish(
    wire: Wire, user: str, identity: Identity, password: Callable[[], Awaitable[str]] | None = None
) -> None:
    """Upload an identity. password: asked for if the homeserver wants it.

    Raises NetworkError.
    """
    body = identity.published(user)
    path = "/keys/device_signing/upload"
    try:
        await wire.call("POST", path, body)
    except MatrixError as error:
        flows = error.body.get("flows")
        if error.status != 401 or not isinstance(flows, list):
            raise
        if password is None or {"stages": ["m.login.password"]} not in flows:
            raise MatrixError(_other_proof(error.body), error.code, error.status) from None
        proof = {
            "type": "m.login.password",
            "session": error.body.get("session"),
            "identifier": {"type": "m.id.user", "user": user},
            "password": await password(),
        }
        await wire.call("POST", path, {**body, "auth": proof})


def _other_proof(body: Mapping[str, Any]) -> str:
    params = body.get("params")
    urls = [
        str(each["url"]) for each in (params.values() if isinstance(params, dict) else ()) if "url" in each
    ]
    how = f"open {urls[0]} in a browser, allow it there, and try again" if urls else LOG_IN
    return f"the homeserver lets nobody publish an identity without further proof: {how}"


async def sign_device(wire: Wire, user: str, device: str, keys: Mapping[str, Any], by: SigningKey) -> None:
    """Vouch for a device. keys: as the homeserver has it. Raises NetworkError."""
    body = {user: {device: by.signed(keys, user)}}
    answer = await wire.call("POST", "/keys/signatures/upload", body)
    if answer.get("failures"):
        raise NetworkError("the homeserver does not take our identity's signature of our device")


async def from_secret_storage(wire: Wire, user: str, recovery_key: bytes) -> Identity:
    """The identity that another client has kept there. Raises NetworkError, ValueError."""
    seeds = {}
    for usage in USAGES:
        name = f"m.cross_signing.{usage}"
        kept = await _account_data(wire, user, name)
        sealed = kept.get("encrypted")
        if not isinstance(sealed, dict) or not sealed:
            raise ValueError(f"the account keeps no {name} in its secret storage")
        for key_id, each in sealed.items():
            about = await _account_data(wire, user, f"m.secret_storage.key.{key_id}")
            if about.get("algorithm") == ALGORITHM and opens(recovery_key, about):
                seeds[usage] = open_secret(recovery_key, name, each).decode(errors="replace")
                break
        else:
            raise ValueError("this is not the recovery key of the account's secret storage")
    return Identity.of(seeds)


async def _account_data(wire: Wire, user: str, kind: str) -> Mapping[str, Any]:
    try:
        return await wire.call("GET", at("user", user, "account_data", kind))
    except MatrixError as error:
        if error.code == "M_NOT_FOUND":
            return {}
        raise
