"""An Alertmanager that is told of silences, by its API: the silence itself is a value there, never a text to parse."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar

from tocsin.api import Secret, TocsinError, authorization, safe_link

ANSWERS_WITHIN = 10
"""So many seconds an Alertmanager has to answer."""

LONGEST_ANSWER = 1024 * 1024

GONE = "expired"


class Unsilenced(TocsinError):
    """An Alertmanager did not do as it was told; the text says why, and holds nothing of a credential."""


@dataclass(frozen=True)
class Wanted:
    """A silence as Alertmanager should keep it. labels: what an alert has that is silenced, each exactly."""

    labels: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime
    created_by: str
    comment: str

    def body(self, silence_id: str) -> Mapping[str, Any]:
        """As its API takes it."""
        matchers = [
            {"name": name, "value": value, "isRegex": False, "isEqual": True}
            for name, value in self.labels.items()
        ]
        return {
            **({"id": silence_id} if silence_id else {}),
            "matchers": matchers,
            "startsAt": self.starts_at.isoformat(),
            "endsAt": self.ends_at.isoformat(),
            "createdBy": self.created_by,
            "comment": self.comment,
        }


@dataclass(frozen=True)
class Upstream:
    """Where an Alertmanager is, and how we prove who we are: by a token, by user and password, or not at all.

    url: without `/api/v2`.
    """

    url: str
    token: Secret | None = None
    user: str = ""
    password: Secret | None = None

    def __post_init__(self) -> None:
        if not safe_link(self.url) or set("?#") & set(self.url):
            raise ValueError("url must be an Alertmanager's own, such as 'http://127.0.0.1:9093'")
        if self.token is not None and self.password is not None:
            raise ValueError("takes either a token, or a user and a password")
        if bool(self.user) is not (self.password is not None):
            raise ValueError("user and password go together")

    async def put(self, wanted: Wanted, silence_id: str = "") -> str:
        """Make a silence, or change the one with this id; the id that it has from now on. Raises Unsilenced."""
        status, answer = await self._ask("POST", "silences", wanted.body(silence_id))
        if status == 404 and silence_id:  # it has forgotten that one
            status, answer = await self._ask("POST", "silences", wanted.body(""))
        if status != 200:
            raise Unsilenced(self._complaint(status, answer))
        found = answer.get("silenceID") if isinstance(answer, dict) else None
        # It stands in a path later.
        if not isinstance(found, str) or not re.fullmatch(r"[0-9A-Za-z-]{1,64}", found):
            raise Unsilenced("Alertmanager answers with something else than a silence's id")
        return found

    async def end(self, silence_id: str) -> None:
        """End a silence, unless it has ended already. Raises Unsilenced."""
        status, answer = await self._ask("DELETE", f"silence/{silence_id}")
        if status == 200:
            return
        # One that is not there, or not any more, is answered in different ways by different versions.
        now, found = await self._ask("GET", f"silence/{silence_id}")
        state = found.get("status") if now == 200 and isinstance(found, dict) else None
        if now != 404 and not (isinstance(state, dict) and state.get("state") == GONE):
            raise Unsilenced(self._complaint(status, answer))

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        """The status of its answer, and what it holds if that is JSON. Raises Unsilenced."""
        url = f"{self.url.rstrip('/')}/api/v2/{path}"
        try:
            headers = self._credential()
            async with (
                ClientSession(
                    timeout=ClientTimeout(total=ANSWERS_WITHIN), trust_env=False, cookie_jar=DummyCookieJar()
                ) as session,
                session.request(method, url, json=body, headers=headers, allow_redirects=False) as answer,
            ):
                return answer.status, await _read(answer)
        except TimeoutError:
            raise Unsilenced(f"Alertmanager did not answer within {ANSWERS_WITHIN} s") from None
        except (ClientError, OSError) as error:
            raise Unsilenced(f"Alertmanager does not answer: {type(error).__name__}") from None

    def _credential(self) -> Mapping[str, str]:
        try:
            return authorization(self.token, self.user, self.password)
        except ValueError as error:
            raise Unsilenced(f"no credential for Alertmanager: {error}") from None

    def _complaint(self, status: int, answer: Any) -> str:
        """What it says is wrong, unless it repeats how we prove who we are."""
        if status in (401, 403):
            return f"Alertmanager does not take our credential (it answers {status})"
        if isinstance(answer, dict):
            answer = answer.get("message")
        why = answer.strip() if isinstance(answer, str) else ""
        shown = [secret.reveal() for secret in (self.token, self.password) if secret is not None]
        shown += [value.partition(" ")[2] for value in self._credential().values()]
        if why and not any(secret in why for secret in shown):
            return f"Alertmanager answers {status}: {why[:200]}"
        return f"Alertmanager answers {status}"


async def _read(answer: ClientResponse) -> Any:
    """What it says, or nothing if that is no JSON. Raises Unsilenced if it is too long."""
    raw = bytearray()
    async for part in answer.content.iter_chunked(64 * 1024):
        raw += part
        if len(raw) > LONGEST_ANSWER:
            raise Unsilenced("Alertmanager's answer is too long")
    try:
        return json.loads(raw)
    except ValueError:
        return None
