"""The console network: a chat room in the terminal, to try everything with nothing but Python."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ConsoleSettings:
    """room: the name of the room where all alerts are told."""

    room: str = "#ops"
