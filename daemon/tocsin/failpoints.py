"""Places where a test makes the daemon fail: `TOCSIN_FAILPOINT=after-commit:kill:3`, at its third passage.

In production the variable is not set, and passing such a place costs one look at an empty table.
"""

import os
import signal
import threading

_lock = threading.Lock()
_armed: dict[str, tuple[str, int]] = {}


def arm(points: str) -> None:
    """Fail at these points: `NAME:kill:PASSAGE` or `NAME:raise:PASSAGE`, separated by commas."""
    for each in filter(None, points.split(",")):
        name, action, passage = each.split(":")
        _armed[name] = (action, int(passage))


def reach(name: str) -> None:
    """Be killed here, or raise OSError here, if that was asked for."""
    if not _armed or name not in _armed:
        return
    with _lock:
        action, passages = _armed[name]
        _armed[name] = (action, passages - 1)
    if passages != 1:
        return
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    raise OSError(f"failpoint {name}")


arm(os.environ.get("TOCSIN_FAILPOINT", ""))
