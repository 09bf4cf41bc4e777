"""What Alertmanager posts in tests, and an Alertmanager that posts what it is told."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import ClientSession

from tocsin.domain.alert import Alert
from tocsin.plugins import Declared, Plugins
from tocsin_alertmanager import Alertmanager

from tests.engine import Engine, Pager
from tests.processes import TOKEN

AT = datetime(2026, 11, 21, 2, 52, 42, 969000, tzinfo=UTC)
SOON, LATER = AT + timedelta(minutes=2), AT + timedelta(minutes=5)
ZERO = "0001-01-01T00:00:00Z"
KEY = '{}:{alertname="ErrorRatioHigh"}'
GRAPH = "http://prometheus.example/graph?g0.expr=up"
Json = dict[str, Any]


def stamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def alert(
    service: str = "checkout",
    *,
    since: datetime = AT,
    until: datetime | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    **changes: Any,
) -> Json:
    """An alert as Alertmanager lists it; until: since when it fires no more."""
    own = {"alertname": "ErrorRatioHigh", "service": service, "severity": "critical"}
    return {
        "status": "resolved" if until else "firing",
        "labels": {**own, **(labels or {})},
        "annotations": {"summary": f"{service} fails", **(annotations or {})},
        "startsAt": stamp(since),
        "endsAt": stamp(until) if until else ZERO,
        "generatorURL": GRAPH,
        "fingerprint": f"fp-{service}",
        **changes,
    }


def payload(*alerts: Json, more: int = 0, **changes: Any) -> Json:
    alerts = alerts or (alert(),)
    return {
        "receiver": "tocsin",
        "status": "firing" if any(each["status"] == "firing" for each in alerts) else "resolved",
        "alerts": list(alerts),
        "groupLabels": {"alertname": "ErrorRatioHigh"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alerts.example",
        "version": "4",
        "groupKey": KEY,
        "truncatedAlerts": more,
        **changes,
    }


def body(*alerts: Json, more: int = 0, **changes: Any) -> bytes:
    return json.dumps(payload(*alerts, more=more, **changes)).encode()


def without(each: Json, *names: str) -> Json:
    return {name: value for name, value in each.items() if name not in names}


def taken(service: str = "checkout", **changes: Any) -> Alert:
    labels = {"alertname": "ErrorRatioHigh", "service": service, "severity": "critical"}
    return replace(Alert(f"fp-{service}", labels, f"{service} fails", GRAPH, AT, "up"), **changes)


@dataclass
class Sender:
    """An Alertmanager that posts what it is told, over a real connection."""

    session: ClientSession
    engine: Engine

    async def posts(self, sent: bytes) -> int:
        url = f"http://{self.engine.run.daemon.web.address}/hooks/alertmanager/prod"
        async with self.session.post(url, data=sent, headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
            await answer.read()
        await self.engine.run.settled()
        return answer.status

    async def accepts(self, *bodies: bytes) -> None:
        for each in bodies:
            assert await self.posts(each) == 202

    def pages(self) -> list[str]:
        return self.engine.chat.texts("person/alice")

    async def open_groups(self) -> int:
        return int((await self.engine.sql("select count(*) from subjects where closed_at is null"))[0][0])

    async def kinds(self) -> list[str]:
        return [kind for (kind,) in await self.engine.sql("select kind from events order by seq")]

    async def subject(self) -> str:
        return str((await self.engine.sql("select id from subjects"))[0][0])

    async def why(self) -> str:
        """What is said of the only group."""
        await self.engine.says("bob", f"!why {await self.subject()}")
        return self.engine.chat.texts("person/bob")[-1]


def declared() -> Declared:
    ours = Plugins({"alertmanager": Alertmanager()}).declared()
    return replace(Pager().declared(), routes=ours.routes)
