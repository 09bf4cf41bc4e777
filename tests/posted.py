"""What Alertmanager posts, and how."""

import json
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError


def payload(name: str, status: str, *, severity: str = "critical", instance: str = "") -> Mapping[str, Any]:
    """What Alertmanager posts of a group with one alert, which no other has with that name and instance."""
    group = {"alertname": name, **({"instance": instance} if instance else {})}
    labels = {**group, "severity": severity}
    alert = {
        "status": status,
        "labels": labels,
        "annotations": {"summary": "invented"},
        "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else "2026-01-01T00:05:00Z",
        "generatorURL": "http://prometheus.example/graph",
        "fingerprint": name + instance,
    }
    key = ", ".join(f'{label}="{value}"' for label, value in group.items())
    return {
        "version": "4",
        "groupKey": f"{{}}:{{{key}}}",
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "tocsin",
        "groupLabels": group,
        "commonLabels": labels,
        "commonAnnotations": alert["annotations"],
        "externalURL": "http://alertmanager.example",
        "alerts": [alert],
    }


def post(url: str, body: Any, token: str, *, within: float) -> int:
    """Post this, within so many seconds; the answer's status. Raises OSError if there is none."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=within) as answer:
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code
