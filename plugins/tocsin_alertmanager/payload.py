"""What Alertmanager posts, version 4.

Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from tocsin.api import Alert, BadPayload, Report, safe_link

VERSION = "4"

MOST_ALERTS = 1000
"""Of one group so many are known one by one; those beyond are counted, as Alertmanager's `max_alerts` does."""

MOST_TEXTS = 5000
"""So many labels, or annotations, of an alert are looked at."""

SUMMARIES = ("summary", "message", "description", "title")
"""The annotations in which people write what is wrong, the best first."""

LONGEST_LINK = 12_000
"""In characters; one that is longer is not looked into."""

LINKS = ("runbook_url", "runbook", "dashboard_url")


def _few(value: Any) -> Any:
    """Cut before each of them is looked at, which would hold up every other thread; never refused, since whoever
    can give one alert that many could then keep all of its group from paging.
    """
    if isinstance(value, dict) and len(value) > MOST_TEXTS:
        first = {name: value[name] for name in (*Alert.TELLING, *SUMMARIES, *LINKS) if name in value}
        return dict(islice((first | value).items(), MOST_TEXTS))
    return value


_Texts = Annotated[Mapping[str, str], BeforeValidator(_few)]


@dataclass(frozen=True)
class _Alert:
    status: Literal["firing", "resolved"]
    labels: _Texts
    annotations: _Texts = field(default_factory=dict)
    starts_at: Annotated[str, Field(alias="startsAt")] = ""
    ends_at: Annotated[str, Field(alias="endsAt")] = ""
    link: Annotated[str, Field(alias="generatorURL")] = ""
    fingerprint: str = ""


@dataclass(frozen=True)
class _Payload:
    """What is read of a body; whatever else it holds is passed over. alerts: not looked at yet."""

    version: str
    status: Literal["firing", "resolved"]
    group_key: Annotated[str, Field(alias="groupKey")]
    alerts: Sequence[Any]
    truncated: Annotated[int, Field(alias="truncatedAlerts", ge=0)] = 0


_PAYLOAD = TypeAdapter(_Payload)
_ALERT = TypeAdapter(_Alert)


def read(receiver: str, body: bytes) -> Report:
    """What a body tells of its group. Raises BadPayload if not one of its alerts can be read.

    Of several, those that can't be read count as not listed: nobody keeps the others from paging by one such.
    A group whose status is "resolved" is over: Alertmanager then fires none of its alerts, listed or not. As
    long as it fires, what is not listed says nothing, since alerts may have been left out (`max_alerts`).
    """
    try:
        payload = _validated(_PAYLOAD, from_json(body))
    except ValueError:
        raise BadPayload("this is no JSON") from None
    if payload.version != VERSION:
        raise BadPayload(f"version: this is not Alertmanager's format {VERSION}")
    # One by one: to validate a thousand of them is one call that would hold up every other thread.
    alerts, unread = dict[str, _Alert](), list[BadPayload]()
    for place, one in enumerate(payload.alerts):
        try:
            alert = _validated(_ALERT, one, f"alerts[{place}].")
            alerts[_fingerprint(alert)] = alert
        except BadPayload as error:
            unread.append(error)
    if unread and not alerts:
        raise unread[0]
    firing = [(one, alert) for one, alert in alerts.items() if alert.status == "firing"]
    return Report(
        receiver,
        payload.group_key,
        firing=[_firing(one, alert) for one, alert in firing[:MOST_ALERTS]],
        resolved={one: _time(alert.ends_at) for one, alert in alerts.items() if alert.status == "resolved"},
        over=payload.status == "resolved",
        unlisted=payload.truncated + len(unread) + max(0, len(firing) - MOST_ALERTS),
    )


def _firing(fingerprint: str, alert: _Alert) -> Alert:
    links = (*(alert.annotations.get(name, "") for name in LINKS), alert.link)
    return Alert(
        fingerprint,
        alert.labels,
        summary=next((alert.annotations[name] for name in SUMMARIES if alert.annotations.get(name)), ""),
        link=next(filter(None, map(safe_link, links)), ""),
        starts_at=_time(alert.starts_at),
        expression=_expression(alert.link),
    )


def _expression(link: str) -> str:
    """What Prometheus evaluates for the alert, as stands in the link that it gives to it: `…/graph?g0.expr=up+%3D%3D+0`."""
    if "g0.expr=" not in link or len(link) > LONGEST_LINK:
        return ""
    try:
        found = parse_qs(urlsplit(link).query, max_num_fields=20)
    except ValueError:
        return ""
    return found.get("g0.expr", [""])[0]


def _fingerprint(alert: _Alert) -> str:
    """Alertmanager's own, which is the same for the same labels; else one with that property."""
    return (
        alert.fingerprint
        or hashlib.sha256(json.dumps(sorted(alert.labels.items())).encode()).hexdigest()[:16]
    )


def _time(text: str) -> datetime | None:
    """An instant, or nothing if it is none: an alert is paged for whatever its clock shows."""
    try:
        at = datetime.fromisoformat(text)
        told = at.tzinfo is not None and at.year > 1  # the year 1 is Go's way to say that there is none
        return at.astimezone(UTC) if told else None
    except (ValueError, OverflowError):
        return None


def _validated(shape: TypeAdapter[Any], value: Any, where: str = "") -> Any:
    """The value in its shape. Raises BadPayload without a word of the body: `alerts[0].labels: …`."""
    try:
        return shape.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = f"{where}{first['loc'][0]}" if first["loc"] else where.rstrip(".") or "the body"
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "dataclass_type":
            message = "should be an object"
        raise BadPayload(f"{field}: {message[0].lower()}{message[1:]}") from None
