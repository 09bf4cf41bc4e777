"""Receipts: what became of each message that was written to a server.

Where the server has labels and echoes (https://ircv3.net/specs/extensions/labeled-response), a line comes back under
its label, or its refusal does. Elsewhere a PING is written behind the lines: a server answers one client in order, so
whatever it refuses before the PONG is theirs, and a PONG without that says that it took them.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tocsin.errors import NetworkError
from tocsin.networks.irc.lines import fold
from tocsin.networks.irc.wire import Heard

LABELLED = frozenset({"batch", "echo-message", "labeled-response"})
"""The capabilities by which each line has a receipt of its own."""

_ABOUT_A_TARGET = {"401", "402", "403", "404", "407", "415", "442", "477", "482", "486", "489", "531", "716"}
_ABOUT_A_LINE = {"411", "412", "413", "414", "417", "421"}
REFUSALS = frozenset(_ABOUT_A_TARGET | _ABOUT_A_LINE | {"FAIL"})


@dataclass(eq=False)
class Spoken:
    """Lines for one target.

    lines: as they are written. begun: set once one of them may be on its way, or never will. done: the receipt, or
    NetworkError.
    """

    target: str
    lines: Sequence[str]
    done: asyncio.Future[str]
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    refusal: Heard | None = None
    waits_for: set[str] = field(default_factory=set)

    def settle(self, receipt: str) -> None:
        """The server has answered for all of it."""
        if self.done.done():
            return
        if self.refusal is None:
            self.done.set_result(receipt)
        else:
            self.done.set_exception(Refusal(self.refusal))

    def fail(self, why: str) -> None:
        """Nobody will answer for it any more."""
        if not self.done.done():
            self.done.set_exception(NetworkError(why, unsent=not self.begun.is_set()))
        self.begun.set()


class Refusal(NetworkError):
    """The server did not pass it on; code: why, as a number."""

    def __init__(self, heard: Heard) -> None:
        self.code = heard.command
        super().__init__(f"{heard.last} ({heard.command})", unsent=True)


class Receipts:
    """What is under way on one link."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._labels: dict[str, Spoken] = {}
        self._batches: dict[str, str] = {}
        self._barriers: deque[tuple[str, float, list[Spoken]]] = deque()
        self._uncovered: list[Spoken] = []
        self._since: dict[str, float] = {}

    @property
    def uncovered(self) -> bool:
        """Whether something was written for which no PING asks yet."""
        return bool(self._uncovered)

    def oldest(self) -> float | None:
        """Since when the longest has been waited for."""
        barriers = [since for _, since, _ in itertools.islice(self._barriers, 1)]
        return min([*barriers, *itertools.islice(self._since.values(), 1)], default=None)

    def labels(self, spoken: Spoken) -> Sequence[str]:
        """A label for each of its lines."""
        found = [f"t{next(self._numbers)}" for _ in spoken.lines]
        self._labels |= dict.fromkeys(found, spoken)
        spoken.waits_for.update(found)
        return found

    def sent(self, label: str, at: float) -> None:
        """The line with this label was written."""
        self._since[label] = at

    def written(self, spoken: Spoken) -> None:
        """All its lines were written, without labels."""
        self._uncovered.append(spoken)

    def barrier(self, at: float) -> str:
        """What a PING has to carry that asks for everything written before it."""
        token = f"t{next(self._numbers)}"
        self._barriers.append((token, at, self._uncovered))
        self._uncovered = []
        return token

    def take(self, heard: Heard) -> None:
        """Something was heard; it may be an answer."""
        label = heard.tags.get("label") or self._batches.get(heard.tags.get("batch", ""))
        if heard.command == "BATCH":
            self._batch(heard.word(0), label)
        elif heard.command == "PONG":
            self._pong(heard.last)
        elif label in self._labels:
            if heard.command in REFUSALS:
                self._labels[label].refusal = heard
            if "label" in heard.tags:  # else the rest of a batch follows
                self._answered(label)
        elif heard.command in REFUSALS:
            for spoken in self._blamed(heard):
                spoken.refusal = heard

    def end(self, why: str) -> None:
        """The link is gone."""
        for spoken in self._under_way():
            spoken.fail(why)

    def _under_way(self) -> Iterator[Spoken]:
        yield from self._labels.values()
        yield from self._uncovered
        for _, _, covered in self._barriers:
            yield from covered

    def _batch(self, name: str, label: str | None) -> None:
        if name.startswith("+") and label:
            self._batches[name[1:]] = label
        elif name.startswith("-"):
            self._answered(self._batches.pop(name[1:], ""))

    def _answered(self, label: str) -> None:
        spoken = self._labels.pop(label, None)
        self._since.pop(label, None)
        if spoken is not None:
            spoken.waits_for.discard(label)
            if not spoken.waits_for:
                spoken.settle(f"echo {label}")

    def _pong(self, token: str) -> None:
        if not any(token == known for known, _, _ in self._barriers):
            return
        known = ""
        while known != token:
            known, _, covered = self._barriers.popleft()
            for spoken in covered:
                spoken.settle(f"pong {token}")

    def _blamed(self, heard: Heard) -> Sequence[Spoken]:
        """What a refusal is about: the oldest that is unanswered and fits."""
        covered = self._barriers[0][2] if self._barriers else self._uncovered
        if heard.command in _ABOUT_A_LINE:
            return covered
        return [spoken for spoken in covered if fold(spoken.target) == fold(heard.word(1))]
