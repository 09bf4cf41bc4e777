"""Which devices of people count as theirs: those that their identity vouches for, as it was when we saw it first.

An identity is pinned at first sight. A changed one is told once, and its devices count as not verified until whoever
runs Tocsin says `tocsin matrix trust`.
"""

import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from tocsin.domain.words import listed
from tocsin.errors import NetworkError
from tocsin.networks.matrix.account import read_json, write_json
from tocsin.networks.matrix.signing import Published

log = logging.getLogger(__name__)


class Trust:
    """path: where the pins are kept. us: whom nobody has to be told of. everyone: whether devices that nobody vouches
    for may read what is said.
    """

    def __init__(self, path: Path, *, us: str, everyone: bool) -> None:
        self._us = us
        self._path = path
        self._everyone = everyone
        self._pins: dict[str, dict[str, str]] = {}
        self._stamp = 0
        self._vouched: dict[str, Mapping[str, str]] = {}

    def take(self, published: Mapping[str, Published]) -> Collection[str]:
        """Learn what people's keys are now, by user; what is to be told of it. Reads and writes the file."""
        self._read()
        before = {user: dict(pin) for user, pin in self._pins.items()}
        news = [text for user, found in published.items() if (text := self._pin(user, found))]
        if self._pins != before:
            try:
                write_json(self._path, self._pins)
                self._stamp = self._path.stat().st_mtime_ns
            except NetworkError as error:
                log.warning("%s", error)  # it is pages that count
        return news

    def _read(self) -> None:
        """`tocsin matrix trust` may have taken a pin out."""
        try:
            stamp = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if stamp != self._stamp:
            try:
                self._pins, self._stamp = read_json(self._path), stamp
            except NetworkError as error:
                log.warning("%s", error)

    def _pin(self, user: str, found: Published) -> str:
        pin = self._pins.get(user)
        if (pin is None or user == self._us) and found.master:
            pin = self._pins[user] = {"master": found.master}
        good = pin is not None and pin["master"] == found.master
        self._vouched[user] = (
            {device.id: device.ed25519 for device in found.devices.values() if device.vouched} if good else {}
        )
        if pin is None or good:
            if pin is not None:
                pin.pop("told", None)
            return ""
        if pin.get("told", pin["master"]) == found.master:
            return ""
        pin["told"] = found.master
        what = "another identity than before" if found.master else "no identity any more"
        return (
            f"{user} has {what} on Matrix: their devices count as not verified. If it was them, type "
            f"tocsin matrix trust {user}"
        )

    def vouched(self, user: str, device: str, ed25519: str) -> bool:
        """Whether their pinned identity vouches for that device."""
        return bool(ed25519) and self._vouched.get(user, {}).get(device) == ed25519

    def apply(self, nio: Any, user: str) -> None:
        """Make nio share keys accordingly, and no others; it remembers that itself."""
        for device in list(nio.device_store.active_user_devices(user)):
            if self.vouched(user, device.id, device.ed25519):
                if not device.verified:
                    nio.verify_device(device)
            elif not self._everyone:
                if not device.blacklisted:
                    nio.blacklist_device(device)
            elif device.verified:
                nio.unverify_device(device)
            elif device.blacklisted:
                nio.unblacklist_device(device)

    def speaks_for(self, nio: Any, user: str, sender_key: str) -> bool:
        """Whether what was encrypted by that key comes from a device of exactly them."""
        device = nio.device_store.device_from_sender_key(user, sender_key)
        return device is not None and (self._everyone or bool(device.verified))

    def knows(self, nio: Any, user: str, sender_key: str) -> bool:
        """Whether that is the key of a device of theirs that we have heard of."""
        return nio.device_store.device_from_sender_key(user, sender_key) is not None

    def standing(self, nio: Any, user: str) -> str:
        """What they are told of their devices."""
        names: dict[bool, list[str]] = {True: [], False: []}
        for device in nio.device_store.active_user_devices(user):
            names[bool(device.verified)].append(str(device.id))
        blind = "" if self._everyone else " and can't read what I say"
        says = [
            f"your {'device' if len(some) == 1 else 'devices'} {listed(sorted(some))} "
            f"{'is' if len(some) == 1 else 'are'} {'verified' if good else f'not verified{blind}'}"
            for good, some in names.items()
            if some
        ]
        return "; ".join(says) or "you have no device that reads encrypted messages"


def forget(path: Path, user: str) -> bool:
    """Pin whatever identity somebody has when they are seen next; False if none was pinned."""
    pins = read_json(path)
    if pins.pop(user, None) is None:
        return False
    write_json(path, pins)
    return True
