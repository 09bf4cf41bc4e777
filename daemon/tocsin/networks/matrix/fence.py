"""Where nio ends: it parses, keeps keys and rooms, encrypts and decrypts; it makes no request by itself.

Left to itself it tries again for ever, ends on one odd event of anybody, and forgets what a sync said of our keys.
"""

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

from nio import AsyncClient, AsyncClientConfig, SyncResponse
from nio.responses import RoomInfo, Timeline
from nio.store import SqliteStore

from tocsin.networks.matrix.account import Credentials
from tocsin.networks.matrix.wire import ANSWERED_WITHIN, Wire

log = logging.getLogger(__name__)

logging.getLogger("nio").setLevel(logging.ERROR)  # its warnings quote what they are about

LONGEST = timedelta(minutes=5)
"""What has no bound of its own, such as a first sync with all that there is."""


class _Store(SqliteStore):  # type: ignore[misc] # the package has no types
    """One sync to the disk a commit, as the daemon's own store does it; what can't be used is not left open."""

    def __post_init__(self) -> None:
        try:
            super().__post_init__()
        except Exception:
            self.database.close()
            raise

    def _create_database(self) -> Any:
        pragmas = {"foreign_keys": 1, "secure_delete": 1, "journal_mode": "wal", "synchronous": 2}
        database = super()._create_database()
        database.init(self.database_path, pragmas=pragmas)
        return database


class Fenced(AsyncClient):  # type: ignore[misc] # likewise
    """nio's client over our own wire.

    `SyncResponse`s have the homeserver's own words beside them, as `source`.
    """

    def __init__(self, wire: Wire, found: Credentials, database: Path, *, key: str) -> None:
        """Open the store of keys, or make it."""
        config = AsyncClientConfig(
            store=_Store,
            store_name=database.name,
            encryption_enabled=True,
            pickle_key=key,
            store_sync_tokens=False,
            max_limit_exceeded=0,
            max_timeouts=0,
            request_timeout=ANSWERED_WITHIN.total_seconds(),
        )
        super().__init__("", found.user, found.device, str(database.parent), config)
        self._wire = wire
        try:
            self.restore_login(found.user, found.device, found.token)
        except Exception:
            self.close_store()
            raise

    def close_store(self) -> None:
        """Give back the store of keys: nothing can be encrypted or decrypted then."""
        if self.store is not None:
            self.store.database.close()

    async def send(  # noqa: PLR0917 (as it is called there)
        self,
        method: str,
        path: str,
        data: Any = None,
        headers: Any = None,
        trace_context: Any = None,  # noqa: ARG002 (likewise)
        timeout: float | None = None,  # noqa: ASYNC109 (likewise)
    ) -> Any:
        within = ANSWERED_WITHIN if timeout is None else timedelta(seconds=timeout) or LONGEST
        return await self._wire.raw(method, path, data, headers, within)

    async def create_matrix_response(
        self, response_class: Any, transport_response: Any, data: Any = None, save_to: Any = None
    ) -> Any:
        if response_class is not SyncResponse:
            return await super().create_matrix_response(response_class, transport_response, data, save_to)
        source = await self.parse_body(transport_response)
        found = SyncResponse.from_dict(source)
        found.transport_response = transport_response
        found.source = source
        return found

    async def parse_body(self, transport_response: Any) -> dict[Any, Any]:
        body = await super().parse_body(transport_response)
        return body if isinstance(body, dict) else {}

    # What anybody may send ends nothing but itself.

    def _handle_decrypt_to_device(self, to_device_event: Any) -> Any:
        try:
            return super()._handle_decrypt_to_device(to_device_event)
        except Exception as error:  # noqa: BLE001 (whatever it is, the rest of the sync counts)
            log.warning("a message to our device can't be read: %s", type(error).__name__)
            return None

    def _handle_timeline_event(self, event: Any, room_id: str, room: Any, encrypted_rooms: set[str]) -> Any:
        try:
            return super()._handle_timeline_event(event, room_id, room, encrypted_rooms)
        except Exception as error:  # noqa: BLE001 (likewise)
            log.warning("an event in %s can't be read: %s", room_id, type(error).__name__)
            return None

    def _handle_joined_state(self, room_id: str, join_info: Any, encrypted_rooms: set[str]) -> None:
        info = RoomInfo(Timeline([], limited=False, prev_batch=""), [], [], [], join_info.summary)
        info.unread_notifications = join_info.unread_notifications
        for state in ([], *([event] for event in join_info.state)):
            info.state = state
            try:
                super()._handle_joined_state(room_id, info, encrypted_rooms)
            except Exception as error:  # noqa: BLE001 (likewise)
                log.warning("how %s stands can't be read: %s", room_id, type(error).__name__)
