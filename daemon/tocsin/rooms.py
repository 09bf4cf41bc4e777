"""What turns keep of rooms of our own: that one was made, is left, and who came there."""

import logging

from tocsin.domain.message import Place
from tocsin.domain.room import ROOMS, PersonCame, RoomMade
from tocsin.transaction import Transaction

log = logging.getLogger(__name__)


def made(place: Place, about: str, tx: Transaction) -> None:
    """A network has that room for us, or had it already; it is ours from now on."""
    if tx.made_rooms.get(place) != about:
        tx.record(RoomMade(subject=ROOMS, at=tx.now, network=place.network, room=place.name, about=about))


def came(place: Place, account: str, tx: Transaction) -> None:
    """Somebody came to a room; of those whom we know it is written down, if it is a room of our own."""
    about = tx.made_rooms.get(place)
    person = tx.person_of(place.network, account)
    if about is None:
        return
    if person is None:
        log.warning("%s: somebody whom I don't know came: %s", place, account)
        return
    tx.record(PersonCame(subject=about, at=tx.now, by=person, person=person, place=str(place)))
