"""Pictures, which a homeserver keeps beside the events that show them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nio.crypto.attachments import encrypt_attachment

from tocsin.errors import NetworkError
from tocsin.networks.matrix.client import Client

_PATH = "/_matrix/media/v3/upload"


@dataclass(frozen=True)
class Uploaded:
    """url: where it is kept. keys: what decrypts it, if it is encrypted."""

    url: str
    keys: Mapping[str, Any] | None = None


async def upload(client: Client, png: bytes, *, encrypted: bool) -> Uploaded:
    """Let the homeserver keep a picture. Raises NetworkError: nobody can have seen it."""
    keys, kind = None, "image/png"
    if encrypted:
        png, keys = await asyncio.to_thread(encrypt_attachment, png)
        kind = "application/octet-stream"
    answer = await client.wire.ask("POST", _PATH, png, kind)
    place = answer.get("content_uri")
    if not isinstance(place, str) or not place.startswith("mxc://"):
        raise NetworkError("the homeserver says no place where the picture is kept")
    return Uploaded(place, keys)
