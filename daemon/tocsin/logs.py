"""Where the log goes: under systemd to its journal, with what a line is about in fields; else to stderr, a line each."""

import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from logging_journald import JournaldTransport

from tocsin.domain.message import clean

PATIENCE = 0.02
"""How many seconds a line may wait for a journal that takes none; then lines are dropped until it takes one again."""

_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_DEBUG = 7

_ALERT = re.compile(r"[a-z][2-9][a-z2-9]{2,}")


class OneLine(logging.Formatter):
    """What servers say of themselves may stand in a message: it is one line of text, and nothing to a terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (as it is called there)
        return clean(super().formatMessage(record))


def about(subject: str = "", *, network: str = "", incident: str = "", event: str = "") -> Mapping[str, Any]:
    """What a line is about, as `extra` of it: `journalctl TOCSIN_GROUP=k7f3` finds it by that.

    subject: the id of an alert group or an incident; others are no field. incident: to which the group belongs.
    """
    found = {
        "group": subject if _ALERT.fullmatch(subject) else "",
        "incident": subject if subject.isdecimal() else incident,
        "network": network,
        "event": event,
    }
    return {"about": {name: value for name, value in found.items() if value}}


def set_up(journal: Path = JournaldTransport.SOCKET_PATH) -> None:
    """From now on everything that is logged goes there; of libraries, warnings are enough."""
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(OneLine("%(levelname)s %(name)s: %(message)s"))
    handler = Journal(journal, lines) if _is_journal(sys.stderr) else lines
    logging.basicConfig(handlers=[handler])
    logging.getLogger("tocsin").setLevel(logging.INFO)


class Journal(logging.Handler):
    """Writes each record as an entry of systemd's journal.

    A socket of datagrams that nobody empties would hold up whoever logs, and so the event loop: after a short while lines
    are dropped, which is told when the journal takes one again.
    """

    def __init__(self, path: Path, otherwise: logging.Handler) -> None:
        """path: of the journal's socket. otherwise: what takes a record while there is no journal."""
        super().__init__()
        self.setFormatter(OneLine("%(message)s"))
        self._transport = JournaldTransport(
            path, connected=False
        )  # a journal that was started anew is found again
        self._transport.socket.settimeout(PATIENCE)
        self._otherwise = otherwise
        self._dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write it; never raises."""
        try:
            if self._dropped:
                told = f"{self._dropped} lines of this log were dropped: the journal took none"
                self._transport.send([("MESSAGE", told), ("PRIORITY", 4), ("SYSLOG_IDENTIFIER", "tocsin")])
                self._dropped = 0
                self._transport.socket.settimeout(PATIENCE)
            self._transport.send(self._fields(record))
        except (TimeoutError, BlockingIOError):
            self._dropped += 1
            self._transport.socket.settimeout(0)
        except OSError:
            self._otherwise.handle(record)
        except Exception:  # noqa: BLE001 (as every handler of the standard library)
            self.handleError(record)

    def close(self) -> None:
        self._transport.socket.close()
        super().close()

    def _fields(self, record: logging.LogRecord) -> Iterator[tuple[str, Any]]:
        yield "MESSAGE", self.format(record)
        yield "PRIORITY", next((number for level, number in _PRIORITIES if record.levelno >= level), _DEBUG)
        yield "SYSLOG_IDENTIFIER", "tocsin"
        yield "LOGGER", record.name
        yield "CODE_FILE", record.pathname
        yield "CODE_LINE", record.lineno
        yield "CODE_FUNC", record.funcName
        for name, value in getattr(record, "about", {}).items():
            yield f"TOCSIN_{name.upper()}", value


def _is_journal(stream: TextIO) -> bool:
    """Whether a stream ends in the journal, as systemd says by its device and inode."""
    try:
        device, inode = map(int, os.environ.get("JOURNAL_STREAM", "").split(":"))
        status = os.fstat(stream.fileno())
    except (ValueError, OSError):
        return False
    return (status.st_dev, status.st_ino) == (device, inode)
