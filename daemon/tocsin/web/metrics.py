"""Who may read what is measured, and how it is written."""

import asyncio
from urllib.parse import urlsplit

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from tocsin.config import is_loopback
from tocsin.core import Tocsin
from tocsin.web.proofs import Proofs

_PASSED_ON = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP")
"""Headers by which a proxy says that it asks for somebody else."""


class Metrics:
    """Answers whoever has the token; as long as none is configured, whoever asks from the same machine."""

    def __init__(self, tocsin: Tocsin, registry: CollectorRegistry) -> None:
        """registry: all that is told."""
        self._tocsin = tocsin
        self._registry = registry
        self._one_at_a_time = asyncio.Lock()

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """The answer, written in a thread: it reads the disk, and takes longer than the event loop may be held up."""
        if refused := self._refusal(request):
            status, why = refused
            answer = web.Response(status=status, text=f"{why}\n", headers={"Server": "tocsin"})
            if status == 401:
                answer.headers["WWW-Authenticate"] = "Bearer"
            return answer
        try:
            write, content_type = choose_encoder(request.headers.get("Accept", ""))
        except (TypeError, ValueError):  # it reads versions as numbers
            write, content_type = choose_encoder("")
        async with self._one_at_a_time:
            body = await asyncio.to_thread(write, self._registry)
        return web.Response(body=body, headers={"Server": "tocsin", "Content-Type": content_type})

    def _refusal(self, request: web.BaseRequest) -> tuple[int, str] | None:
        proofs = self._tocsin.rules.of(Proofs)
        if proofs.for_metrics:
            if proofs.reads_metrics(request.headers.get("Authorization", "")):
                return None
            return (
                401,
                "the token is missing or wrong: send 'Authorization: Bearer TOKEN' with that of [metrics]",
            )
        if _is_local(request):
            return None
        return 403, "without a token metrics are for this machine alone: set token in [metrics] and send that"


def _is_local(request: web.BaseRequest) -> bool:
    """Whether this machine asks for itself: not a proxy on it for others, nor a page in its browser."""
    if any(header in request.headers for header in _PASSED_ON) or not is_loopback(request.remote or ""):
        return False
    try:
        asked = urlsplit(f"//{request.headers.get('Host', '')}").hostname or ""
    except ValueError:
        return False
    return is_loopback(asked)
