"""Lets each network and plugin look whether all is as it must be: rooms, rights, encryption, whoever must wake up."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tocsin.core import Tocsin
from tocsin.domain.finding import Finding, yellow
from tocsin.errors import NetworkError
from tocsin.networks.base import Examines, Network
from tocsin.transaction import Transaction

log = logging.getLogger(__name__)

WITHIN = timedelta(seconds=8)
"""How long a network may take: whoever asks has no more patience than the command line's."""


@dataclass(frozen=True)
class Examination:
    """Asked by `tocsin doctor`.

    look: gets a turn, in which it changes nothing; what it sees.
    """

    look: Callable[[Transaction], Iterable[Finding]]


@dataclass(frozen=True)
class Examinations:
    """All that there are, each with the name of its plugin."""

    declared: Sequence[tuple[str, Examination]] = ()


class Examiner:
    """Asks all networks at once, and then the plugins."""

    def __init__(self, tocsin: Tocsin, networks: Mapping[str, Network]) -> None:
        self._tocsin = tocsin
        self._networks = networks

    async def answer(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        """findings: what was seen. on_call: by each schedule. reached: person -> the networks where they would get a page."""
        found = await asyncio.gather(*map(self._examine, self._networks))
        asked, on_call = await self._tocsin.turn(lambda tx: (self._asked(tx), _on_call(tx)))
        seen = [*(one for each in found for one in each), *asked]
        return {
            "findings": [one.spelled() for one in seen],
            "on_call": on_call,
            "reached": self._reached(),
        }

    def _asked(self, tx: Transaction) -> list[Finding]:
        found = list[Finding]()
        for owner, examination in tx.rules.of(Examinations).declared:
            try:
                found += examination.look(tx)
            except Exception as error:
                log.exception("%s can't be examined", owner)
                found.append(yellow(owner, f"can't be looked at: {type(error).__name__}", "see the log"))
        return found

    async def _examine(self, name: str) -> Sequence[Finding]:
        network = self._networks[name]
        if not isinstance(network, Examines):
            return []
        why = ""
        try:
            async with asyncio.timeout(WITHIN.total_seconds()):
                return await network.examine()
        except TimeoutError:
            why = f"no answer within {WITHIN.seconds} s"
        except NetworkError as error:
            why = str(error)
        except Exception as error:
            log.exception("%s can't be examined", name)
            why = f"{type(error).__name__} (see the log)"
        return [yellow(name, f"can't be looked at: {why}", "try again once it is up")]

    def _reached(self) -> Mapping[str, Sequence[str]]:
        return {
            name: [
                network
                for network, account in person.accounts.items()
                if self._networks[network].reaches(account)
            ]
            for name, person in self._tocsin.people.by_name.items()
        }


def _on_call(tx: Transaction) -> Mapping[str, Sequence[str]]:
    return {schedule: list(tx.callees(schedule)) for schedule in tx.config.schedules}
