"""What events hold, those that are encrypted too."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nio import Event, MegolmEvent
from nio.exceptions import EncryptionError

from tocsin.networks.matrix.client import Client
from tocsin.networks.matrix.parts import part, text_of

log = logging.getLogger(__name__)

ENCRYPTED = "m.room.encrypted"

IN_THE_CLEAR = {"m.reaction", "m.room.redaction"}
"""What is never encrypted."""


@dataclass(frozen=True)
class Opened:
    """kind, content: of the event, decrypted if need be. proven: whether its sender surely is who said it.
    known: whether the device is known that it was said on; if not, it may yet be proven.
    """

    kind: str
    content: Mapping[str, Any]
    proven: bool
    known: bool = True


def opened(client: Client, room_id: str, raw: Mapping[str, Any], event: Any = None) -> Opened | None:
    """What an event holds; None if we have no key to it. event: nio's, if there is one already."""
    kind, content = text_of(raw, "type"), part(raw, "content")
    if kind != ENCRYPTED:
        return Opened(kind, content, kind in IN_THE_CLEAR or not client.encrypted(room_id))
    if not content:  # it was taken back
        return Opened("", {}, proven=False)
    event = event if event is not None else Event.parse_event(dict(raw))
    if isinstance(event, MegolmEvent):
        event.room_id = room_id
        try:
            event = client.nio.decrypt_event(event)
        except EncryptionError:
            return None
        except Exception as error:  # noqa: BLE001 (whatever it holds, it is only one event)
            log.warning("an event in %s can't be decrypted: %s", room_id, type(error).__name__)
            return None
    if not getattr(event, "decrypted", False):
        return None
    return Opened(
        text_of(event.source, "type"),
        part(event.source, "content"),
        proven=client.speaks_for(event),
        known=client.knows(event),
    )
