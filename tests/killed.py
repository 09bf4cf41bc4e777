"""Something is done in a process of its own, which is killed at a failpoint."""

import multiprocessing
import signal
from collections.abc import Callable
from typing import Any

from tocsin import failpoints

from tests.processes import PATIENCE

# A parent that has imported all of this, so that a start takes milliseconds.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.killed", "tocsin.testing"])


def killed_at(failpoint: str, work: Callable[..., object], *given: Any) -> None:
    """Do that work, and be killed in the middle: it is a function of a module, and fails if it comes to its end.

    failpoint: such as `after-commit:3`, at its third passage.
    """
    name, _, passage = failpoint.partition(":")
    process = _CONTEXT.Process(target=_work, args=(f"{name}:kill:{passage or 1}", work, *given))
    process.start()
    process.join(PATIENCE)
    assert process.exitcode == -signal.SIGKILL, f"{failpoint} was never reached: {process.exitcode}"


def _work(failpoint: str, work: Callable[..., object], *given: Any) -> None:
    failpoints.arm(failpoint)
    work(*given)
