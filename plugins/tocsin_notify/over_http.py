"""Rings over HTTP: ntfy, which has buttons of its own, and webhooks, as gateways for SMS and telephones take them."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)

from tocsin.api import NetworkError, authorization, tls_context
from tocsin_notify.ring import Ring
from tocsin_notify.settings import PLACEHOLDER, Reach, Way

ANSWERS_WITHIN = 10
"""So many seconds a server has to answer."""

_ANSWERS = ClientTimeout(total=ANSWERS_WITHIN)

LONGEST_WAIT = timedelta(minutes=5)

LONGEST_TEXT = 3500
"""In bytes: of what is longer than 4096 ntfy makes a file to be fetched."""

_URGENT, _DEFAULT, _LOW = 5, 4, 2


async def ntfy(way: Way, ring: Ring, reach: Reach) -> None:
    """Publish to a topic. Each ring is a notification of its own, since one that is only changed makes no sound; the
    one before is taken away. Servers before 2.16 know neither, and show them all.
    """
    server, topic = _topic(way.ntfy)
    body: dict[str, Any] = {
        "topic": topic,
        "title": ring.title,
        "message": _cut(ring.text),
        "priority": _LOW if ring.calm else _URGENT if ring.urgent else _DEFAULT,
        "tags": ["white_check_mark" if ring.calm else "rotating_light"],
        "sequence_id": ring.id,
    }
    if ring.presses:
        body["actions"] = [
            # What is escalated rings on, and may still be answered here.
            {
                "action": "http",
                "label": press.label,
                "url": press.url,
                "method": "POST",
                "clear": press.label != "Escalate",
            }
            for press in ring.presses
        ]
    if ring.link:
        body["click"] = ring.link
    await _ask("POST", server, way, reach, json=body)
    if ring.replaces and ring.replaces != ring.id:
        with suppress(NetworkError):
            await _ask("DELETE", f"{way.ntfy.rstrip('/')}/{ring.replaces}", way, reach)


async def webhook(way: Way, ring: Ring, reach: Reach) -> None:
    """Post JSON, or the form that the settings say."""
    values = {
        "id": ring.id,
        "person": ring.person,
        "text": ring.short,
        "ack_url": ring.url("Ack"),
        "escalate_url": ring.url("Escalate"),
    }
    if way.form:
        # Once through, so that nothing in a value is taken for a placeholder.
        form = {
            name: PLACEHOLDER.sub(lambda found: values[found[1]], value) for name, value in way.form.items()
        }
        return await _ask("POST", way.webhook, way, reach, form=form)
    confirm = ring.url("Confirm")
    more = {"urgent": ring.urgent, **({"confirm_url": confirm} if confirm else {})}
    return await _ask("POST", way.webhook, way, reach, json=values | more)


async def _ask(
    method: str,
    url: str,
    way: Way,
    reach: Reach,
    *,
    json: Mapping[str, Any] | None = None,
    form: Mapping[str, str] | None = None,
) -> None:
    """Ask, and see that it was taken. Raises NetworkError."""
    trusted = await tls_context(reach.tls_ca) if url.startswith("https:") else True
    try:
        async with (
            ClientSession(
                connector=TCPConnector(ssl=trusted),
                timeout=_ANSWERS,
                trust_env=False,
                cookie_jar=DummyCookieJar(),
                auto_decompress=False,
            ) as session,
            session.request(
                method, url, json=json, data=form, headers=_headers(way), allow_redirects=False
            ) as answer,
        ):
            # What else it says is not waited for: it has taken it, or not.
            _judge(way.kind, answer)
    except TimeoutError:
        raise NetworkError(f"{way.kind} did not answer within {ANSWERS_WITHIN} s") from None
    except ClientConnectorError as error:
        raise NetworkError(f"{way.kind} can't be reached: {type(error).__name__}", unsent=True) from None
    except (ClientError, OSError) as error:
        raise NetworkError(f"{way.kind} does not answer: {type(error).__name__}") from None


def _headers(way: Way) -> Mapping[str, str]:
    own = {name: secret.reveal() for name, secret in way.headers.items()}
    return {**own, **authorization(way.token, way.user, way.password)}


def _judge(called: str, answer: ClientResponse) -> None:
    """Raise NetworkError unless it was taken. What a server says besides is for no room: it may repeat anything."""
    status = answer.status
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise NetworkError(
            f"{called} answers {status}, which leads elsewhere: name the address itself",
            permanent=True,
            unsent=True,
        )
    if status in (401, 403):
        raise NetworkError(f"{called} does not take our credential ({status})", permanent=True, unsent=True)
    passing = status >= 500 or status in (408, 425, 429)
    wait = _wait(answer.headers.get("Retry-After", "")) if passing else None
    unsent = status < 500 and status != 408
    raise NetworkError(f"{called} answers {status}", permanent=not passing, unsent=unsent, retry_after=wait)


def _wait(header: str) -> timedelta | None:
    if not header.isascii() or not header.isdigit() or len(header) > 6:
        return None
    return min(timedelta(seconds=int(header)), LONGEST_WAIT)


def _topic(url: str) -> tuple[str, str]:
    """The server's own address, and the topic's name."""
    parts = urlsplit(url)
    path, _, topic = parts.path.rstrip("/").rpartition("/")
    return urlunsplit((parts.scheme, parts.netloc, f"{path}/", "", "")), topic


def _cut(text: str) -> str:
    raw = text.encode()
    return text if len(raw) <= LONGEST_TEXT else raw[:LONGEST_TEXT].decode(errors="ignore") + "\u2026"
