"""Receipts: what became of each message that was written to a server.

Where the server has labels and echoes (https://ircv3.net/specs/extensions/labeled-response), a line comes back under
its label, or its refusal does. Elsewhere a PING is written behind the lines: a server answers one client in order, so
whatever it refuses before the PONG is theirs, and a PONG without that says that it took them.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from tocsin.errors import NetworkError
from tocsin.networks.irc.lines import fold
from tocsin.networks.irc.wire import Heard

LABELLED = frozenset({"batch", "echo-message", "labeled-response"})
"""The capabilities by which each line has a receipt of its own."""

_ABOUT_A_LINE = {"411", "412", "413", "414", "417", "421", "FAIL"}
_ALSO_REFUSALS = {"FAIL", "707", "716", "936"}
TOO_FAST = {"439", "707"}
"""We said something to too many in too short a time."""


def _refuses(heard: Heard) -> bool:
    """Whether that may say why something was not passed on. Servers have many numbers for it."""
    return heard.command in _ALSO_REFUSALS or (heard.command.isdigit() and 400 <= int(heard.command) < 600)


@dataclass(eq=False)
class Spoken:
    """Lines for one target.

    lines: as they are written. done: the receipt, or NetworkError. fits: asked before each line whether it may still
    be said there. begun: set once one of them may be on its way, or never will. out: so many of them are written, or
    never will be. labels: one for each, if the server has labels.
    """

    target: str
    lines: Sequence[str]
    done: asyncio.Future[str]
    fits: Callable[[], bool] = lambda: True
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    out: int = 0
    labels: Sequence[str] = ()
    refusal: Heard | None = None
    echoed: set[str] = field(default_factory=set)
    waits_for: set[str] = field(default_factory=set)

    @property
    def over(self) -> bool:
        """Whether nothing of it is to be written any more: it is all out, or was given up before it was begun."""
        return self.out == len(self.lines) or (self.out == 0 and self.done.done())

    def settle(self, receipt: str) -> None:
        """The server has answered for all of it."""
        if self.done.done():
            return
        if self.refusal is None:
            self.done.set_result(receipt)
        else:
            self.done.set_exception(Refusal(self.refusal, unsent=self._seen_by_nobody))

    @property
    def _seen_by_nobody(self) -> bool:
        """Without labels it can't be known which of several lines were refused."""
        return not self.echoed if self.labels else len(self.lines) == 1

    def fail(self, why: str) -> None:
        """Nobody will answer for it any more."""
        if not self.done.done():
            self.done.set_exception(NetworkError(why, unsent=not self.begun.is_set()))
        self.begun.set()


class Refusal(NetworkError):
    """The server did not pass it on; code: why, as a number."""

    def __init__(self, heard: Heard, *, unsent: bool = True) -> None:
        self.code = heard.command
        wait = timedelta(seconds=10) if self.code in TOO_FAST else None
        super().__init__(f"{heard.last} ({heard.command})", unsent=unsent, retry_after=wait)


@dataclass(frozen=True)
class _Barrier:
    """A PING that asks for what was written before it.

    covered: what its answer is the receipt of. in_part: of these some lines were written before it, and some will be
    after it: their receipt is another's, but what is refused before the answer may be theirs.
    """

    token: str
    since: float
    covered: Sequence[Spoken]
    in_part: Sequence[Spoken]

    @property
    def before(self) -> Sequence[Spoken]:
        return [*self.covered, *self.in_part]


class Receipts:
    """What is under way on one link."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._labels: dict[str, Spoken] = {}
        self._batches: dict[str, str] = {}
        self._nested: set[str] = set()
        self._writing: list[Spoken] = []
        self._barriers: deque[_Barrier] = deque()
        self._uncovered: list[Spoken] = []
        self._since: dict[str, float] = {}

    @property
    def uncovered(self) -> bool:
        """Whether something was written for which no PING asks yet."""
        return bool(self._uncovered)

    def oldest(self) -> float | None:
        """Since when the longest has been waited for."""
        barriers = [barrier.since for barrier in itertools.islice(self._barriers, 1)]
        return min([*barriers, *itertools.islice(self._since.values(), 1)], default=None)

    def labels(self, spoken: Spoken) -> Sequence[str]:
        """A label for each of its lines."""
        found = [f"t{next(self._numbers)}" for _ in spoken.lines]
        spoken.labels = found
        self._labels |= dict.fromkeys(found, spoken)
        spoken.waits_for.update(found)
        return found

    def sent(self, label: str, at: float) -> None:
        """The line with this label was written."""
        self._since[label] = at

    def begin(self, spoken: Spoken) -> None:
        """Its lines are being written, without labels; some may be refused before the last one is out.

        Others, to other targets, may be begun and written meanwhile.
        """
        self._writing.append(spoken)

    def written(self, spoken: Spoken) -> None:
        """All its lines were."""
        self._uncovered.append(spoken)
        self._writing = [other for other in self._writing if other is not spoken]

    def barrier(self, at: float) -> str:
        """What a PING has to carry that asks for everything written before it."""
        token = f"t{next(self._numbers)}"
        self._barriers.append(_Barrier(token, at, self._uncovered, list(self._writing)))
        self._uncovered = []
        return token

    def take(self, heard: Heard) -> None:
        """Something was heard; it may be an answer."""
        label = heard.tags.get("label") or self._batches.get(heard.tags.get("batch", ""))
        if heard.command == "BATCH":
            self._batch(heard.word(0), label, nested="label" not in heard.tags)
        elif heard.command == "PONG":
            self._pong(heard.last)
        elif label in self._labels:
            if heard.command == "PRIVMSG":
                self._labels[label].echoed.add(label)
            elif _refuses(heard):
                self._labels[label].refusal = heard
            if "label" in heard.tags:  # else the rest of a batch follows
                self._answered(label)
        elif _refuses(heard):
            for spoken in self._blamed(heard):
                spoken.refusal = heard

    def end(self, why: str) -> None:
        """The link is gone."""
        for spoken in self._under_way():
            spoken.fail(why)

    def _under_way(self) -> Iterator[Spoken]:
        yield from self._labels.values()
        yield from self._unasked()
        for barrier in self._barriers:
            yield from barrier.covered

    def _unasked(self) -> list[Spoken]:
        """What was written, or is being written, for which no PING asks yet."""
        return [*self._uncovered, *self._writing]

    def _batch(self, name: str, label: str | None, *, nested: bool) -> None:
        if name.startswith("+") and label:
            self._batches[name[1:]] = label
            self._nested |= {name[1:]} if nested else set()
        elif name.startswith("-"):
            label = self._batches.pop(name[1:], "")
            if name[1:] in self._nested:
                self._nested.discard(name[1:])
            else:
                self._answered(label)

    def _answered(self, label: str) -> None:
        spoken = self._labels.pop(label, None)
        self._since.pop(label, None)
        if spoken is None:
            return
        spoken.waits_for.discard(label)
        if label not in spoken.echoed and spoken.refusal is None:
            spoken.fail("the server answered, and did not say that it took it")
        elif not spoken.waits_for:
            spoken.settle(f"echo {label}")

    def _pong(self, token: str) -> None:
        if not any(token == barrier.token for barrier in self._barriers):
            return
        known = ""
        while known != token:
            barrier = self._barriers.popleft()
            known = barrier.token
            for spoken in barrier.covered:
                spoken.settle(f"pong {token}")

    def _blamed(self, heard: Heard) -> Sequence[Spoken]:
        """What a refusal is about: the oldest that is unanswered and fits; some servers name it in the text alone."""
        pending = self._barriers[0].before if self._barriers else self._unasked()
        if heard.command in _ABOUT_A_LINE:
            return pending
        named = {fold(word) for part in heard.words[1:] for word in part.split()}
        return [spoken for spoken in pending if fold(spoken.target) in named]
