"""What is not chat: a program of the operator's that gets the page on its standard input."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from tocsin.domain.message import Message, Place
from tocsin.networks.base import Listener, MakesNoRooms, Rank
from tocsin.programs import run_program


class Fallback(MakesNoRooms):
    """Starts the program once for each page. Exit code 0 means that it rang; else it is tried again."""

    name = "fallback"
    deaf_while_away = False
    edits = False
    sees = False

    def __init__(self, command: Sequence[str], timeout: timedelta) -> None:
        """As for `use`."""
        self.use(command, timeout)

    def use(self, command: Sequence[str], timeout: timedelta) -> None:
        """command: the program and its arguments, from now on. timeout: after which it is killed."""
        self._command = command
        self._timeout = timeout
        self.send_for = timeout + timedelta(seconds=5)

    async def run(self, listener: Listener) -> None:
        """A program is always there, and says nothing."""
        listener.up(self.name)

    async def send(
        self,
        place: Place,  # noqa: ARG002 (there is but one)
        message: Message,
        txn_id: str,  # noqa: ARG002 (a program has no memory)
        *,
        tried: datetime | None,  # noqa: ARG002
        rank: Rank,  # noqa: ARG002 (it waits for no other)
        amends: str = "",  # noqa: ARG002
    ) -> str:
        """Start the program. Raises NetworkError if it fails, or takes too long."""
        text = "\n".join(message.all_lines()) + "\n"
        await run_program(self._command, text, self._timeout)
        return "exit code 0"

    def complete(self, place: Place, message: Message, txn_id: str, receipt: str) -> None:
        """Nothing goes with a page."""

    def know(self, accounts: Mapping[str, str]) -> None:
        """It knows nobody."""

    def reaches(self, account: str) -> bool:
        """It calls nobody by name."""
        return not account
