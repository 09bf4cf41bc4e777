"""A real Alertmanager, and amtool, which comes with it."""

import json
import re
import socket
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from signal import SIGKILL
from typing import Any

from tests.processes import PATIENCE, until
from tests.servers import programs

PACKAGE = "prometheus-alertmanager"

Alert = dict[str, Any]
"""As its API takes it."""

USER, PASSWORD = "tocsin", "0123456789abcdef0123456789abcdef"
HASH = "$2b$04$abcdefghijklmnopqrstuuyKB7PfxDWSFbFy.F2ttv21Vr/lmdnbO"  # bcrypt's of that


def program(name: str) -> str:
    """Where a program of the package is; without it the test is skipped."""
    return programs.program(name, PACKAGE)


def alert(name: str, *, summary: str = "", link: str = "", **labels: str) -> Alert:
    """An alert that fires from now on, however often it is posted."""
    return {
        "labels": {"alertname": name, **labels},
        "annotations": {"summary": summary},
        "generatorURL": link,
        "startsAt": _now(),
    }


class Alertmanager:
    """One that groups alerts by their names, and posts them to one webhook.

    address: where it listens, whenever it runs. log: what it writes since it was started last.
    """

    def __init__(
        self,
        folder: Path,
        hook: str,
        http_config: Mapping[str, Any],
        *,
        group_wait: str = "10ms",
        max_alerts: int = 0,
        locked: bool = False,
    ) -> None:
        """Prepare one with its state in a folder. http_config: how it proves who it is, in its own words.

        locked: who asks it must be `USER`, with `PASSWORD`.
        """
        webhook = {"url": hook, "max_alerts": max_alerts, "http_config": http_config}
        config = {
            "route": {
                "receiver": "tocsin",
                "group_by": ["alertname"],
                "group_wait": group_wait,
                "group_interval": "100ms",
                "repeat_interval": "1h",
            },
            "receivers": [{"name": "tocsin", "webhook_configs": [webhook]}],
        }
        self.address = _free_address()
        folder.mkdir()
        settings = folder / "alertmanager.yml"
        settings.write_text(json.dumps(config))
        command: list[str | Path] = [
            program("prometheus-alertmanager"),
            f"--config.file={settings}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address={self.address}",
            "--web.external-url=http://alertmanager.test/",
            "--cluster.listen-address=",
        ]
        self._credential = {}
        if locked:
            pair = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            self._credential = {"Authorization": f"Basic {pair}"}
            web = folder / "web.yml"
            web.write_text(json.dumps({"basic_auth_users": {USER: HASH}}))
            command.append(f"--web.config.file={web}")
        self._child = programs.Child(command, folder / "log")
        self.log = self._child.log

    def start(self) -> None:
        """Start it; it is ready then."""
        self._child.start()
        until(self._ready)

    def close(self) -> None:
        """Kill it if it runs."""
        self.ends(SIGKILL)

    def ends(self, signal: int) -> None:
        """Send it a signal that ends it, if it runs."""
        self._child.ends(signal)

    def fires(self, *alerts: Alert) -> None:
        self._post(alerts)

    def resolves(self, *alerts: Alert) -> None:
        self._post([{**each, "endsAt": _now()} for each in alerts])

    def silences(self) -> list[dict[str, Any]]:
        """Those that it keeps and that have not ended."""
        return [one for one in self._get("silences") if one["status"]["state"] != "expired"]

    def mutes(self, name: str) -> bool:
        """Whether it has alerts of that name, and keeps quiet about all of them."""
        found = [one for one in self._get("alerts") if one["labels"]["alertname"] == name]
        return bool(found) and all(one["status"]["silencedBy"] for one in found)

    def accepted(self) -> int:
        """How many of its posts were answered with 2xx since it was started."""
        return self._count("alertmanager_notification_requests_total") - self.failed()

    def failed(self) -> int:
        """How many of its posts were not."""
        return self._count("alertmanager_notification_requests_failed_total")

    def _ready(self) -> bool:
        self._child.check()
        if f'msg="Listening on" address={self.address}\n' not in self.log.read_text():
            return False
        return self._ask("GET", "/-/ready")[0] == 200

    def _get(self, what: str) -> Any:
        status, text = self._ask("GET", f"/api/v2/{what}")
        assert status == 200, text
        return json.loads(text)

    def _post(self, alerts: object) -> None:
        answer = self._ask("POST", "/api/v2/alerts", json.dumps(alerts))
        assert answer == (200, ""), answer

    def _count(self, metric: str) -> int:
        _, text = self._ask("GET", "/metrics")
        found = re.search(rf'^{metric}{{integration="webhook"}} (\d+)$', text, re.MULTILINE)
        assert found is not None, text
        return int(found[1])

    def _ask(self, method: str, path: str, body: str = "") -> tuple[int, str]:
        link = HTTPConnection(self.address, timeout=PATIENCE)
        try:
            link.request(method, path, body, {"Content-Type": "application/json", **self._credential})
            answer = link.getresponse()
            return answer.status, answer.read().decode()
        finally:
            link.close()


def _free_address() -> str:
    """One that it can be at again once it was gone."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"127.0.0.1:{taken.getsockname()[1]}"


def _now() -> str:
    return datetime.now(UTC).isoformat()  # noqa: TID251 (who sends alerts has a clock of their own)
