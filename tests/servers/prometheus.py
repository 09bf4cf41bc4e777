"""A real Prometheus, what it scrapes, and a history that it has from its first moment."""

import json
import math
import struct
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.processes import PATIENCE, until
from tests.servers import programs
from tests.servers.alertmanager import HASH, PASSWORD, USER

PACKAGE = "prometheus"

_CREDENTIAL = {"Authorization": f"Basic {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"}
"""Asked for by a locked one; others look over it."""

_Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Past:
    """A series as it was before the server started. at: seconds since 1970, ascending; some minutes before now."""

    name: str
    at: Sequence[float]
    values: Sequence[float]
    labels: Mapping[str, str] = field(default_factory=dict)


class Target:
    """What is scraped: series whose values a test sets."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, _Labels], float] = {}
        target = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = target.shown().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with suppress(ConnectionError):  # it was killed
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing is logged."""

        self._server = ThreadingHTTPServer((programs.HOST, 0), Handler)
        self.address = f"{programs.HOST}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def set(self, name: str, value: float, **labels: str) -> None:
        self._values[name, tuple(sorted(labels.items()))] = value

    def drop(self, name: str, **labels: str) -> None:
        """From now on there is no such series."""
        del self._values[name, tuple(sorted(labels.items()))]

    def shown(self) -> str:
        return "".join(f"{_series(name, labels)} {value!r}\n" for (name, labels), value in self._copy())

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE)

    def _copy(self) -> list[tuple[tuple[str, _Labels], float]]:
        return list(self._values.items())


class Prometheus(programs.Server):
    """One that scrapes a target of its own, and tells an Alertmanager of what its rules find.

    target: what it scrapes; of its series it adds the labels job="app" and instance="app:80". url: where its API is.
    """

    def __init__(
        self,
        folder: Path,
        *,
        alertmanager: str = "",
        rules: Iterable[Mapping[str, Any]] = (),
        every: str = "200ms",
        locked: bool = False,
        writable: bool = False,
        flags: Sequence[str] = (),
    ) -> None:
        """Prepare one. alertmanager: its address. rules: as a rule file has them, such as {"alert": "ErrorsHigh",
        "expr": "errors > 0.05", "labels": {"severity": "critical"}}. every: how often it scrapes, and looks at its rules.

        locked: who asks it must be `USER`, with `PASSWORD` (of tests.servers.alertmanager). writable: it takes what `write`
        gives it, and what it scrapes besides.
        """
        super().__init__(folder)
        self.target = Target()
        self.url = f"http://{programs.HOST}:{self.port}"
        self._data = self.folder / "data"
        groups = [{"name": "tests", "interval": every, "rules": list(rules)}]
        (self.folder / "rules.yml").write_text(json.dumps({"groups": groups}))
        relabel = [{"target_label": "instance", "replacement": "app:80"}]
        settings: dict[str, Any] = {
            "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
            "rule_files": ["rules.yml"],
            "scrape_configs": [
                {
                    "job_name": "app",
                    "static_configs": [{"targets": [self.target.address]}],
                    "relabel_configs": relabel,
                }
            ],
        }
        if writable:
            settings["storage"] = {"tsdb": {"out_of_order_time_window": "1d"}}
        if alertmanager:
            settings["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
        (self.folder / "prometheus.yml").write_text(json.dumps(settings))
        command: list[str | Path] = [
            programs.program("prometheus", PACKAGE),
            f"--config.file={self.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._data}",
            "--storage.tsdb.retention.time=90d",
            f"--web.listen-address={programs.HOST}:{self.port}",
            "--web.external-url=http://prometheus.test/",
            "--rules.alert.resend-delay=1s",
            "--log.level=warn",
            *(["--web.enable-remote-write-receiver"] if writable else []),
            *flags,
        ]
        if locked:
            web = self.folder / "web.yml"
            web.write_text(json.dumps({"basic_auth_users": {USER: HASH}}))
            command.append(f"--web.config.file={web}")
        self._child = programs.Child(command, self.folder / "log")

    def backfill(self, *series: Past) -> None:
        """Give it a history, before it starts. A series to be scraped on needs the labels job and instance."""
        text = self.folder / "history.om"
        with text.open("w") as file:
            for past in sorted(series, key=lambda one: one.name):
                called = _series(past.name, tuple(sorted(past.labels.items())))
                file.writelines(
                    f"{called} {_number(value)} {at:.3f}\n"
                    for at, value in zip(past.at, past.values, strict=True)
                )
            file.write("# EOF\n")
        subprocess.run(
            [
                programs.program("promtool", PACKAGE),
                *("tsdb", "create-blocks-from", "openmetrics", "--quiet", "--max-block-duration=486h"),
                *(str(text), str(self._data)),
            ],
            check=True,
            capture_output=True,
        )
        text.unlink()

    def write(self, past: Past) -> None:
        """Give a writable one samples while it runs, of any time, by the protocol of remote write."""
        headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
        link = HTTPConnection(programs.HOST, self.port, timeout=PATIENCE)
        try:
            link.request("POST", "/api/v1/write", _stored(_write_request(past)), headers)
            answer = link.getresponse()
            assert answer.status == 204, answer.read()
        finally:
            link.close()

    def has(self, expression: str) -> None:
        """Wait until the expression gives something now; after a start it takes 5 s before it scrapes."""
        until(lambda: self._child.check() and bool(self.ask("query", query=expression)))

    def ask(self, what: str, **parameters: str) -> list[Any]:
        """What an unlocked one answers to a query: its result."""
        link = HTTPConnection(programs.HOST, self.port, timeout=PATIENCE)
        try:
            link.request("GET", f"/api/v1/{what}?{urlencode(parameters)}")
            found: list[Any] = json.loads(link.getresponse().read())["data"]["result"]
            return found
        finally:
            link.close()

    def close(self) -> None:
        super().close()
        self.target.close()

    def _answers(self) -> bool:
        link = HTTPConnection(programs.HOST, self.port, timeout=PATIENCE)
        try:
            link.request("GET", "/-/ready", headers=_CREDENTIAL)
            return link.getresponse().status == 200
        except OSError:
            return False
        finally:
            link.close()


def _series(name: str, labels: _Labels) -> str:
    inside = ",".join(f"{label}={json.dumps(value, ensure_ascii=False)}" for label, value in labels)
    return f"{name}{{{inside}}}" if inside else name


def _number(value: float) -> str:
    return (
        repr(float(value))
        if math.isfinite(value)
        else {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, "NaN")
    )


def _write_request(past: Past) -> bytes:
    """In protobuf: WriteRequest{1: TimeSeries{1: Label{1: name, 2: value}, 2: Sample{1: value, 2: milliseconds}}}."""
    labels = sorted({"__name__": past.name, **past.labels}.items())
    of_all = b"".join(_part(1, _part(1, name.encode()) + _part(2, value.encode())) for name, value in labels)
    for at, value in zip(past.at, past.values, strict=True):
        of_all += _part(2, b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(round(at * 1000)))
    return _part(1, of_all)


def _part(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


def _stored(text: bytes) -> bytes:
    """In the form of snappy, which may also leave a text as it is: it is cut into literals of 64 KiB at most."""
    parts = [text[at : at + 0x10000] for at in range(0, len(text), 0x10000)]
    return _varint(len(text)) + b"".join(b"\xf4" + struct.pack("<H", len(part) - 1) + part for part in parts)
