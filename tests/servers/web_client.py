"""People on Matrix who look at a web client on a phone: Hydrogen, in Debian's Chromium."""

import struct
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from tests.servers.js_program import Program
from tests.servers.programs import program
from tests.servers.synapse import Account

WIDTH, HEIGHT = 390, 844
"""A phone's, in CSS pixels; a photograph has two pixels for each."""


class Phone(Program):
    """Somebody's. As a context, it is signed in, on a further device of theirs that nobody has signed.

    An encrypted message can be read if it was sent when this device was there, to whom its sender has the key given.
    """

    def __init__(self, url: str, account: Account) -> None:
        super().__init__("web.mjs")
        self._words = {
            "url": url,
            "user": account.name,
            "password": account.password,
            "chromium": program("chromium", "chromium"),
            "width": WIDTH,
            "height": HEIGHT,
        }
        # Not in the folder of a test: the path of a socket ends at 107 characters.
        self._home = TemporaryDirectory(prefix="phone", ignore_cleanup_errors=True)

    async def __aenter__(self) -> Self:
        await self.run(self._words, home=Path(self._home.name))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
        self._home.cleanup()

    async def opens(self, room: str) -> None:
        """Look into a room where they are, or are about to be."""
        await self.does("opens", room=room)

    async def shows(self, text: str) -> None:
        """Wait until a text is on the screen."""
        await self.does("shows", text=text)

    async def shown(self) -> str:
        """All that is on the screen, as text."""
        text: str = await self.does("shown")
        return text

    async def photograph(self, path: Path) -> None:
        """Save what is on the screen, as a PNG."""
        await self.does("photograph", path=str(path))


def size(picture: Path) -> tuple[int, int]:
    """Of a PNG. Source: https://www.w3.org/TR/png-3/#11IHDR."""
    head = picture.read_bytes()[:24]
    assert head.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", head[16:])
    return width, height
