"""What a homeserver answers when it does not do what was asked, as errors in words."""

import json
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import aiohttp

from tocsin.domain.message import clean
from tocsin.errors import NetworkError

LONGEST_WAIT = timedelta(minutes=1)
"""Whatever a server asks us to wait, in no more than this it is tried again."""

LONGEST_TEXT = 200
"""How much of a server's own words is told, in characters."""

SHUT_OUT = {"M_USER_LOCKED", "M_USER_DEACTIVATED", "M_USER_SUSPENDED"}
"""Whoever runs Tocsin has to see to our account."""

_ABOUT_THE_MESSAGE = {"M_BAD_JSON", "M_NOT_JSON", "M_TOO_LARGE", "M_INVALID_PARAM", "M_BAD_ALIAS"}
_ABOUT_US = {"M_FORBIDDEN", "M_CONSENT_NOT_GIVEN", *SHUT_OUT}


class MatrixError(NetworkError):
    """A homeserver refused something.

    code: its `errcode`, empty if it gave none. status: of HTTP. body: all that it says.
    """

    def __init__(
        self,
        text: str,
        code: str = "",
        status: int = 0,
        *,
        body: Mapping[str, Any] = MappingProxyType({}),
        permanent: bool = False,
        unsent: bool = False,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(text, permanent=permanent, unsent=unsent, retry_after=retry_after)
        self.code = code
        self.status = status
        self.body = body


class LoggedOut(MatrixError):
    """Our access token means nothing to the server: whoever runs Tocsin has to log in again."""


def refusal(status: int, body: Any, headers: Mapping[str, str] | None = None) -> MatrixError:
    """The error of an answer that is none."""
    said = body if isinstance(body, dict) else {}
    code, words = (said[key] if isinstance(said.get(key), str) else "" for key in ("errcode", "error"))
    text = clean(f"{code or f'HTTP {status}'}: {words}" if words else code or f"HTTP {status}")[:LONGEST_TEXT]
    if code == "M_UNKNOWN_TOKEN" or (status == 401 and code == "M_MISSING_TOKEN"):
        return LoggedOut(
            "the homeserver does not know our access token any more: type tocsin matrix login",
            code,
            status,
            unsent=True,
        )
    if status == 429 or code == "M_LIMIT_EXCEEDED":
        wait = _wait(said.get("retry_after_ms"), headers or {})
        return MatrixError(
            f"too fast for the homeserver: {text}", code, status, unsent=True, retry_after=wait
        )
    return MatrixError(
        text,
        code,
        status,
        permanent=code in _ABOUT_THE_MESSAGE or status == 413,
        unsent=code in _ABOUT_US,
        body=said,
    )


def _wait(milliseconds: Any, headers: Any) -> timedelta:
    try:
        wait = timedelta(milliseconds=float(milliseconds))
    except (TypeError, ValueError, OverflowError):
        try:
            wait = timedelta(seconds=float(headers.get("Retry-After", "")))
        except (ValueError, OverflowError):  # nothing, or a date
            wait = timedelta(seconds=5)
    return min(max(wait, timedelta(0)), LONGEST_WAIT)


def problem(response: Any) -> MatrixError:
    """The error of one of nio's error responses."""
    reply = response.transport_response
    body = {
        "errcode": response.status_code,
        "error": response.message,
        "retry_after_ms": response.retry_after_ms,
    }
    return refusal(reply.status if reply is not None else 0, body, reply.headers if reply is not None else {})


def trouble(error: Exception) -> NetworkError:
    """The error of a request that brought no answer; `unsent` if surely nothing of it came to the server."""
    never = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
    if isinstance(error, TimeoutError):
        return NetworkError("the homeserver does not answer in time", unsent=never)
    if isinstance(error, json.JSONDecodeError):
        return NetworkError("the homeserver answers in no words that we know")
    return NetworkError(clean(f"the homeserver can't be reached: {error}")[:LONGEST_TEXT], unsent=never)
