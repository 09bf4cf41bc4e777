"""What the command line asks of a daemon that runs, and no other part answers."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from tocsin.core import Tocsin
from tocsin.domain.words import did_you_mean
from tocsin.errors import Refused
from tocsin.exports import from_database
from tocsin.hearing import Commands
from tocsin.postmortems import Sections


async def say(tocsin: Tocsin, commands: Commands, question: Mapping[str, Any]) -> Mapping[str, Any]:
    """What somebody at the command line has a person say, as if they had typed it in private."""
    by, text = (str(question.get(name, "")) for name in ("by", "text"))
    if by not in tocsin.config.people:
        near = did_you_mean(by, tocsin.config.people)
        return {"told": f"nobody is called {by!r}{near}", "done": False}
    told, done = await tocsin.must(lambda tx: commands.asked(by, text, "command line", tx))
    return {"told": told, "done": done}


async def export(tocsin: Tocsin, question: Mapping[str, Any]) -> Mapping[str, Any]:
    """An incident in some form."""
    setup = tocsin.setup
    asked = {name: str(question.get(name, "")) for name in ("number", "form")}
    write = partial(
        from_database,
        tocsin.state.database,
        setup.config,
        setup.kinds,
        setup.rules.of(Sections),
        tocsin.time(),
        **asked,
    )
    try:
        return {"text": await asyncio.to_thread(write)}
    except Refused as error:
        return {"refused": str(error)}
