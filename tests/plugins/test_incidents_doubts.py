"""Who says that an incident is over is asked why, once, if something speaks against that."""

from collections.abc import Callable

import pytest

from tocsin.api import CauseFound, Doubt, Incident, IncidentResolved, Transaction, hookimpl
from tocsin.errors import PluginError
from tocsin.plugins import Plugins

from tests.engine import Engine
from tests.plugins.incident_parts import TABLES, declared, said
from tests.tower import Tower, asks

ASKED = "1 not clear yet: 12 mails wait: why is it over all the same? !done 1 anyway BECAUSE"


class Queue:
    """Doubts that an incident is over as long as mails wait."""

    def __init__(self) -> None:
        self.waits = 12

    @hookimpl
    def register_doubts(self) -> list[Doubt]:
        return [Doubt(self.why)]

    def why(self, incident: Incident, tx: Transaction) -> str:
        assert incident is tx.incident("1")
        return f"not clear yet: {self.waits:.0f} mails wait" if self.waits else ""


@pytest.fixture
def queue(tower: Tower) -> Queue:
    made = Queue()
    tower.doubts += Plugins({"queue": made}).declared().doubts
    return made


async def ends(engine: Engine) -> list[tuple[str, str]]:
    """How it was resolved, each time: what spoke against that, and why it was all the same."""
    found = await engine.run.tocsin.turn(lambda tx: tx.story("1", (IncidentResolved,)))
    return [
        (one.event.despite, one.event.because) for one in found if isinstance(one.event, IncidentResolved)
    ]


async def causes(engine: Engine) -> list[str]:
    found = await engine.run.tocsin.turn(lambda tx: tx.story("1", (CauseFound,)))
    return [one.event.cause for one in found if isinstance(one.event, CauseFound)]


@pytest.mark.parametrize(
    "again", ["!done 1 anyway the queue of another host", "!done anyway the queue of another host"]
)
async def test_who_ends_it_is_asked_and_then_gives_a_reason(tower: Tower, queue: Queue, again: str) -> None:
    assert queue.waits
    async with tower(*TABLES, crash=True) as engine:
        await declared(engine)
        assert await asks(engine, "alice", "!done 1 a full disk", room="#ops") == [ASKED]
        assert await ends(engine) == []
    async with tower(*TABLES) as engine:
        [told] = await asks(engine, "alice", again, room="#ops")
        assert told.startswith(
            "1 resolved by alice after 0s, all the same: the queue of another host (not clear yet: 12 mails wait);"
            " cause: a full disk"
        )
        assert await ends(engine) == [("not clear yet: 12 mails wait", "the queue of another host")]
        assert await causes(engine) == ["a full disk"]


@pytest.mark.parametrize("again", ["!done 1 a full disk", "!done 1", "!done 1 anyway"])
async def test_they_are_asked_once(tower: Tower, queue: Queue, again: str) -> None:
    assert queue.waits
    async with tower(*TABLES) as engine:
        await declared(engine)
        assert await asks(engine, "alice", "!done 1 a full disk", room="#ops") == [ASKED]
        [told] = await asks(engine, "alice", again, room="#ops")
        assert told.startswith(
            "1 resolved by alice after 0s, all the same (not clear yet: 12 mails wait); cause: a full"
        )
        assert await ends(engine) == [("not clear yet: 12 mails wait", "")]
        assert await causes(engine) == ["a full disk"]


async def test_each_is_asked_and_again_once_it_was_reopened(tower: Tower, queue: Queue) -> None:
    assert queue.waits
    async with tower(*TABLES) as engine:
        await declared(engine)
        assert await asks(engine, "alice", "!done 1", room="#ops") == [ASKED]
        assert await asks(engine, "bob", "!done 1", room="#ops") == [ASKED]
        await engine.says("alice", "!done 1", room="#ops")
        await engine.says("bob", "!reopen 1", room="#ops")
        assert await asks(engine, "alice", "!done 1", room="#ops") == [ASKED]
        assert len(await ends(engine)) == 1


async def test_a_reason_that_is_said_at_once_is_enough(tower: Tower, queue: Queue) -> None:
    assert queue.waits
    async with tower(*TABLES) as engine:
        await declared(engine)
        await engine.advance(minutes=10)
        [told] = await asks(engine, "alice", "!done 1 at 03:05 anyway I looked", room="#ops")
        assert told.startswith("1 resolved by alice after 5m, all the same: I looked (not clear yet")
        assert "unexplained" in told


async def test_what_is_clear_meanwhile_is_no_matter_for_a_reason(tower: Tower, queue: Queue) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine)
        assert await asks(engine, "alice", "!done 1", room="#ops") == [ASKED]
        queue.waits = 0
        [told] = await asks(engine, "alice", "!done 1 anyway they are gone", room="#ops")
        assert told.startswith("1 resolved by alice after 0s; unexplained")
        assert await ends(engine) == [("", "they are gone")]


async def test_without_a_doubt_nobody_is_asked(tower: Tower, queue: Queue) -> None:
    queue.waits = 0
    async with tower(*TABLES) as engine:
        await declared(engine)
        [told] = await asks(engine, "alice", "!done 1 anyway it was a full disk", room="#ops")
        assert told.startswith("1 resolved by alice after 0s; cause: anyway it was a full disk")


async def test_a_doubt_that_fails_keeps_nobody_from_ending_it(
    tower: Tower, queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    queue.waits = "many"  # type: ignore[assignment]
    async with tower(*TABLES) as engine:
        await declared(engine)
        [told] = await asks(engine, "alice", "!done 1 a full disk", room="#ops")
        assert told.startswith("1 resolved by alice after 0s; cause: a full disk")
        assert "queue: whether 1 is over can't be told" in caplog.text
        assert not [one for one in said(tower, "room/#ops") if "many" in one]


async def test_what_is_over_already_is_not_asked_about(tower: Tower, queue: Queue) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine)
        await engine.says("alice", "!done 1 anyway I looked", room="#ops")
        assert queue.waits
        assert await asks(engine, "bob", "!done 1", room="#ops") == ["1 is resolved already"]


async def _waits(incident: Incident, tx: Transaction) -> str:
    return f"{incident.number} {tx.now}"


@pytest.mark.parametrize("why", ["no function", _waits])
def test_a_doubt_that_can_t_be_asked_is_refused(why: Callable[[Incident, Transaction], str]) -> None:
    class Odd:
        @hookimpl
        def register_doubts(self) -> list[Doubt]:
            return [Doubt(why)]

    with pytest.raises(PluginError, match="odd"):
        Plugins({"odd": Odd()}).declared()
