"""`!sources`: each source and probe is asked once, so that nobody learns in an incident that one can't be read."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from tocsin.api import Call, Message, Place, Refused, Timer, Tocsin, Transaction, Unreadable, counted, listed
from tocsin_verification.sources.making import server
from tocsin_verification.sources.probe import ProbeSettings
from tocsin_verification.sources.settings import SourceSettings

TRY = "verification.try"

AT_START = "start"
AFTER = timedelta(minutes=1)
"""How long after a start they are tried: on a machine that has just booted, others begin too."""


@dataclass(frozen=True)
class Trials:
    """Tries what the settings name."""

    sources: Mapping[str, SourceSettings]
    probes: Mapping[str, ProbeSettings]

    def ask(self, call: Call, tx: Transaction) -> str:
        """Try all of them, and say there how they answer."""
        if not self.sources and not self.probes:
            raise Refused("there is none: plugins.verification.sources in the configuration names them")
        tx.set_timer(TRY, str(call.place), after=timedelta(0))
        return f"asking {listed([*self.sources, *self.probes])}"

    async def run(self, timer: Timer, tocsin: Tocsin) -> None:
        """Try them: for who asked, or some time after the start, when only what is wrong is told."""
        if not timer.key:
            if self.sources:
                await tocsin.must(lambda tx: tx.set_timer(TRY, AT_START, after=AFTER))
            return
        asked = timer.key != AT_START
        sources = await asyncio.gather(*(_source(name, one) for name, one in self.sources.items()))
        wrong = [line for line, well in sources if not well]
        if not asked:
            if wrong:
                await tocsin.must(lambda tx: _warn(wrong, tx))
            return
        probes = await asyncio.gather(*(_probe(name, one) for name, one in self.probes.items()))
        lines = [line for line, _ in (*sources, *probes)]
        place = Place.parse(timer.key)

        def answer(tx: Transaction) -> None:
            if place.network in tx.config.networks:
                tx.say(place, Message(lines[0], lines=tuple(lines[1:])))

        await tocsin.must(answer)


def _warn(wrong: Sequence[str], tx: Transaction) -> None:
    """Tell in the rooms of sources that can't be read."""
    many = len(wrong) > 1
    text = f"{counted(len(wrong), 'source')} can't be read" if many else wrong[0]
    lines = (*(wrong if many else ()), "no check there can tell whether something is over")
    tx.tell(Message(text, command=tx.typed("sources"), lines=lines))


async def _source(name: str, settings: SourceSettings) -> tuple[str, bool]:
    """How a source answers, in a line, and whether it is well."""
    clock = asyncio.get_running_loop().time
    begun = clock()
    try:
        await server(name, settings).answers()
    except Unreadable as error:
        return str(error), False
    return f"source {name} answers in {(clock() - begun) * 1000:.0f} ms", True


async def _probe(name: str, settings: ProbeSettings) -> tuple[str, bool]:
    found = await settings.probe()
    took = f"{found.took * 1000:.0f} ms"
    return f"probe {name} " + (f"is well, in {took}" if found.ok else found.why), found.ok
