"""Where people are while daemons are killed: what they type there, and what they see of it, line by line."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import ClassVar

KILLED = "-- killed"
"""Stands below the last line of a daemon that was killed."""

LOST = "-- lost"
"""Stands below the last line that came through a server which was lost."""

ROOM = "#ops"
BOT = "tocsin"
PEOPLE = ("alice", "bob")


@dataclass(frozen=True)
class Seen:
    """A line that somebody saw.

    life: how many daemons were killed, and servers lost, before. place: `#room` or `@person`. speaker: who said it;
    empty for a line that nobody should see. raw: how it was taken down.
    after, before: when that was. Of two lines in two places, one was surely later if its `after` is greater than the
    other's `before`.
    """

    life: int
    place: str
    speaker: str
    words: str
    after: int
    before: int
    raw: str


def lives(text: str) -> Iterator[tuple[int, str, str]]:
    """The lines of a record but for those marks, each with its life and with the line below it."""
    life = 0
    for line, below in itertools.pairwise([*text.splitlines(), ""]):
        if line in (KILLED, LOST):
            life += 1
        else:
            yield life, line, below


class Peer(ABC):
    """The far side of a daemon's only network, and alice and bob on it.

    network: its name. seen: the file in which all that people see is taken down, for `read`.
    away: whether nobody can hear or say anything now. lost: how often that came about.
    forgets: whether what is said may be lost with a daemon, so that people say it again, and so does Tocsin, marked.
    taps: whether one tap is an answer, which can be taken back. side_by_side: so many are affordable at once.
    """

    network: ClassVar[str]
    forgets: ClassVar[bool] = True
    taps: ClassVar[bool] = False
    side_by_side: ClassVar[int] = 4

    def __init__(self, folder: Path) -> None:
        """folder: the daemon's, in which its `typed` and its `terminal` must stand."""
        self.folder = folder
        self.seen = folder / "seen"
        self.away = False
        self.lost = 0

    @property
    @abstractmethod
    def settings(self) -> str:
        """The network's table in the configuration."""

    @staticmethod
    @abstractmethod
    def read(text: str) -> Sequence[Seen]:
        """What was taken down, in that order, without what is a matter of course."""

    @abstractmethod
    def types(self, who: str, text: str, *, private: bool) -> None:
        """Somebody says something, in the room or in private; it may be lost."""

    @staticmethod
    def account(who: str) -> str:
        """Somebody's account there."""
        return who

    def acknowledges(
        self,
        chance: Random,
        call: Seen | None,  # noqa: ARG002 (where a line can be answered itself)
        named: str,
    ) -> Callable[[], None]:
        """Choose who says that they have it, where and how; saying it, which may be lost if the network `forgets`.

        call: a line that calls people to it, if one stands there. named: the id of what they have.
        """
        who = chance.choice(PEOPLE)
        private, mark = chance.choice(((False, "!"), (True, "!"), (True, "")))
        return partial(self.types, who, f"{mark}ack {named}", private=private)

    def slips(self, chance: Random, call: Seen) -> tuple[Callable[[], None], Callable[[], None]]:
        """Somebody says by mistake that they have it; and takes that back. Only where there are `taps`."""
        raise NotImplementedError

    def found(self) -> tuple[Mapping[str, int], Sequence[str]]:
        """What people saw that there is on this network alone, and what is wrong with it; asked once all is over."""
        return {}, []

    @abstractmethod
    async def upset(self, daemon: int, chance: Random) -> None:
        """Fail, now and then. daemon: the process that lives meanwhile."""

    @abstractmethod
    async def bury(self) -> None:
        """A daemon was killed: once all is taken down that it said, take that down; be there for the next one."""

    @abstractmethod
    async def open(self) -> None:
        """Be there."""

    @abstractmethod
    async def close(self) -> None:
        """Leave nothing behind."""
