"""Posting to our own receivers, as whoever has the secret of one does."""

from collections.abc import Mapping
from typing import Any

from aiohttp import ClientSession, ClientTimeout

from tocsin.config import authorization
from tocsin.config.tables import Receiver

WITHIN = ClientTimeout(total=10)


def address_of(name: str, listening: str) -> str:
    """Where Alertmanager's alerts for that receiver are posted. listening: where the daemon listens."""
    return f"http://{listening}/hooks/alertmanager/{name}"


async def post(url: str, receiver: Receiver, body: Mapping[str, Any]) -> tuple[int, str]:
    """Post it; the answer's status, and what it says.

    Raises ValueError if the secret can't be read, and ClientError, TimeoutError or OSError if there is no answer.
    """
    headers = authorization(receiver.token, receiver.user, receiver.password)
    async with (
        ClientSession(timeout=WITHIN) as session,
        session.post(url, json=body, headers=headers) as answer,
    ):
        return answer.status, (await answer.text()).strip()
