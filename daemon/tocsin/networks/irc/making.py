"""Channels of our own: made, closed to strangers, and kept so."""

import asyncio
import contextlib
import logging
import re
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping

from tocsin.domain.event import DIGITS, LETTERS
from tocsin.domain.message import Place, clean, cut
from tocsin.errors import NetworkError
from tocsin.networks.irc import modes
from tocsin.networks.irc.chanserv import ChanServ
from tocsin.networks.irc.guests import Guests, Made
from tocsin.networks.irc.lines import fold, line, room_for
from tocsin.networks.irc.link import Link
from tocsin.networks.irc.rooms import NO_ENTRY, Room, Rooms
from tocsin.networks.irc.settings import IrcSettings
from tocsin.networks.irc.whereabouts import Whereabouts
from tocsin.networks.irc.wire import Heard

log = logging.getLogger(__name__)

CLOSED = "+inst"
"""Only who is invited comes in, and nobody else sees that it is there, talks into it or says what it is about."""

ANSWERED_WITHIN = 20.0
"""How many seconds the server has to let us make a channel."""

OTHER_NAMES = 2
"""So often another name is tried where one is taken."""

LONGEST_TOPIC = 300
"""In bytes, where the server does not say how much it keeps (TOPICLEN)."""

LOOK_EVERY = 60.0
"""After so many seconds ChanServ is asked again."""

TITLE_AGAIN = 1.0
"""How many seconds later a topic is set again that the server did not take for now (InspIRCd: one in a second)."""

_FOR_NOW = {"405", "437", "471"}
_SUFFIX = re.compile("-[a-z][2-9][a-z][2-9]")
_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9_.-]{0,40}")


class Making:
    """All of them, by name."""

    def __init__(
        self,
        name: str,
        settings: IrcSettings,
        accounts: Mapping[str, str],
        rooms: Rooms,
        people: Whereabouts,
        *,
        link: Callable[[], Link | None],
        last_nick: Callable[[str], str],
        came: Callable[[Place, str], None],
    ) -> None:
        """accounts: as keys -> as the people's are spelled; it may change. link: the one that is up, if any.

        last_nick: by which an account spoke last. came: told who came to one of these channels.
        """
        self._name = name
        self._settings = settings
        self._rooms = rooms
        self._people = people
        self._link = link
        self._made: dict[str, Made] = {}
        self._to_be_in: set[str] = set()
        self._host = ""
        self._look_at = 0.0
        self._chanserv = ChanServ(name, CLOSED) if settings.chanserv else None
        self.guests = Guests(
            name, settings.identity, accounts, rooms, people, made=self._made, last_nick=last_nick, came=came
        )

    # What is asked of it.

    async def make(self, name: str, title: str, accounts: Collection[str]) -> str:
        """As `Network.make_room`."""
        link = self._up()
        if not _NAME.fullmatch(name):
            raise NetworkError(f"{name!r} is no name for a channel", permanent=True, unsent=True)
        types = link.features.get("CHANTYPES", "#") or "#"
        channel = f"{'#' if '#' in types else types[0]}{name}"
        made = self._find(channel)
        if made is None:
            made = await self._first_that_is_ours(channel, title, link)
        else:
            self._entered(made)
            self._entitle(made, title, link)
        await asyncio.gather(*(self.guests.call(made, account, link) for account in accounts))
        return made.name

    async def invite(self, channel: str, account: str) -> None:
        """As `Network.invite`; whoever is nowhere is invited once they are seen."""
        made = self._ours(channel)
        made.wanted.add(fold(account))
        link, room = self._up(), self._entered(made)
        if not room.op:
            raise NetworkError(
                f"can't invite anybody to {made.name}: I am not its operator; whoever is can invite them, or make me one",
                unsent=True,
            )
        await self.guests.call(made, account, link, anew=True)

    async def entitle(self, channel: str, title: str) -> None:
        """As `Network.entitle`; where we may not, it is done once we may."""
        self._entitle(self._ours(channel), title, self._link())

    def be_in(self, channels: Collection[str]) -> None:
        """As `Network.be_in`."""
        now = {fold(channel): channel for channel in channels}
        for key, channel in now.items():
            if (
                key not in self._made and self._rooms.find(channel) is None
            ):  # it may be one of the configuration
                self._made[key] = Made(self._rooms.add(channel).name)
        for key in self._to_be_in - now.keys():
            if key in self._made:
                self._leave(self._made[key], "it is over")
        self._to_be_in = set(now)

    # What is heard.

    def follow(self, heard: Heard, link: Link) -> None:
        """See what becomes of these channels; called for each line, once it is known who is where."""
        self.guests.follow(heard, link)
        match heard.command:
            case "JOIN" if fold(heard.sender) == fold(link.nick):
                self._host = heard.host
            case "353":
                self._ranks(heard, link)
            case "366":
                self._listed(heard.word(1), link)
            case "324":
                self._closed(heard.word(1), link)
            case "MODE":
                self._ranked(heard, link)
            case "482":
                self._refused(heard.word(1), "somebody else is its operator", link)
            case "NOTICE" if self._chanserv is not None:
                self._chanserv.take(heard, link)

    def kept_out(self, name: str, code: str, link: Link) -> bool:
        """The server does not let us in; whether that says no more than that the name is taken."""
        made = self._made.get(fold(name))
        if made is not None and made.opening is not None:
            _done(made.opening, code)
            return True
        room = self._rooms.find(name)
        if made is not None and room is not None and room.joined and code == "437":
            asyncio.get_running_loop().call_later(TITLE_AGAIN, self._entitle_again, made.name)
        elif made is not None and code == "473" and self._chanserv is not None:
            self._chanserv.let_us_in(made.name, link)
        return False

    def look_after_all(self, link: Link, now: float) -> None:
        """Ask ChanServ again for what it has not done: services may be away. Called about once a second."""
        if self._chanserv is None or now < self._look_at:
            return
        self._look_at = now + LOOK_EVERY
        self._chanserv.ask_again(link)
        for made in self._made.values():
            room = self._rooms.find(made.name)
            if room is not None and room.joined and room.seen and not room.op:
                self._chanserv.make_us_operator(made.name, link)

    def all_seen(self, room: Room, link: Link) -> None:
        """It is known who is in a room: whoever is wanted in one of these can be invited."""
        self.guests.invite_all(link)
        made = self._made.get(fold(room.name))
        if made is not None and made.opening is None and not room.op:
            self._no_operator(made, link)

    def forget(self) -> None:
        """The link is gone."""
        self.guests.forget()
        self._look_at = 0.0
        for made in self._made.values():
            made.told = False
            if made.opening is not None and not made.opening.done():
                made.opening.set_exception(NetworkError("the link was lost", unsent=True))

    # How one is made.

    async def _first_that_is_ours(self, channel: str, title: str, link: Link) -> Made:
        """Try one name after another. Raises NetworkError."""
        why, code = "it is one of the configuration", ""
        for name in _names(channel):
            if self._rooms.find(name) is not None:
                continue
            made = Made(name, clean(title))
            code = await self._open(made, link)
            if not code:
                log.info("%s: made %s", self._name, name)
                if self._chanserv is not None:
                    self._chanserv.register(name, link)
                return made
            why = NO_ENTRY.get(code, code)
            log.warning("%s: %s is not ours: %s", self._name, name, why)
            if code in _FOR_NOW:
                break
        raise NetworkError(f"can't make {channel}: {why}", permanent=code not in _FOR_NOW, unsent=True)

    async def _open(self, made: Made, link: Link) -> str:
        """Go there and close it behind us; empty, or why it is not ours: then we are not there any more."""
        self._made[fold(made.name)] = made
        opening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        made.opening = opening
        self._rooms.add(made.name).at = float("inf")  # nobody else need join it
        ours = False
        try:
            link.command(line("JOIN", made.name))
            async with asyncio.timeout(ANSWERED_WITHIN):
                code = await opening
            ours = not code
        except TimeoutError:
            raise NetworkError(f"the server does not say whether we can make {made.name}") from None
        except ConnectionError as error:
            raise NetworkError(str(error), unsent=True) from None
        finally:
            made.opening = None
            if not ours:
                self._leave(made, "it is not ours")
        return code

    def _alone(self, made: Made, link: Link) -> bool:
        return all(fold(nick) == fold(link.nick) for nick in self._people.nicks_in(made.name))

    def _ranks(self, heard: Heard, link: Link) -> None:
        room = self._rooms.find(heard.word(2))
        op = modes.operates(heard.last, link.nick)
        if room is not None and room.made and op is not None:
            room.op = op

    def _listed(self, name: str, link: Link) -> None:
        """We came, and know who is there."""
        made, room = self._find_both(name)
        if made is None or room is None or not room.joined:
            return
        if made.opening is not None and not (room.op and self._alone(made, link)):
            _done(made.opening, "others are there")
        elif room.op:
            self._close(made, link)
        else:
            link.command(line("MODE", made.name))

    def _close(self, made: Made, link: Link) -> None:
        """Keep out whoever is not invited, let ourselves in again should we lose the link, and ask whether it is so."""
        link.command(line("MODE", made.name, CLOSED))
        if modes.has_list("I", link.features) and self._host:
            masks = [f"{nick}!{self._host}" for nick in (self._settings.nick, self._settings.second_nick)]
            link.command(line("MODE", made.name, "+II", *masks))
        link.command(line("MODE", made.name))
        self._entitle(made, made.title, link)

    def _closed(self, name: str, link: Link) -> None:
        """The server has told its modes, after it took those that we set, or did not."""
        made, room = self._find_both(name)
        if made is None or room is None or made.opening is None:
            return
        if "i" not in (room.closing or ()):
            _done(made.opening, "the server does not close it")
        else:
            _done(made.opening, "" if self._alone(made, link) else "somebody came before it was closed")

    # How one stays ours.

    def _refused(self, name: str, why: str, link: Link) -> None:
        """Only its operator may do what we tried."""
        made, room = self._find_both(name)
        if made is None or room is None:
            return
        if made.opening is not None:
            _done(made.opening, why)
        else:
            room.op = False
            self._no_operator(made, link)

    def _ranked(self, heard: Heard, link: Link) -> None:
        """Somebody changed modes: we may be operator now, or no more."""
        made, room = self._find_both(heard.word(0))
        op = modes.ranked(heard.words[1:], link.features, link.nick)
        if made is None or room is None or not room.joined or op is None or op is room.op:
            return
        room.op = op
        if made.opening is not None:
            _done(made.opening, "somebody else rules there")
        elif op:
            made.told = False
            self._close(made, link)
            self.guests.invite_all(link)
        else:
            self._no_operator(made, link)

    def _no_operator(self, made: Made, link: Link) -> None:
        """Ask to be one where that can be asked for, and go on without meanwhile; that is said once."""
        if made.told:
            return
        made.told = True
        if self._chanserv is not None:
            self._chanserv.make_us_operator(made.name, link)
        log.warning(
            "%s: not the operator of %s: I can invite nobody, and tell alerts there in short",
            self._name,
            made.name,
        )

    def _leave(self, made: Made, why: str) -> None:
        room, link = self._rooms.find(made.name), self._link()
        self._made.pop(fold(made.name), None)
        self._rooms.remove(made.name)
        self._people.closed(made.name)
        if link is not None and room is not None and room.joined:
            with contextlib.suppress(ConnectionError):  # that the link has ended is seen elsewhere
                link.command(line("PART", made.name, text=why))
        if fold(made.name) in self._to_be_in and self._chanserv is not None:
            self._chanserv.drop(made.name, link)

    def _entitle(self, made: Made, title: str, link: Link | None) -> None:
        made.title = clean(title)
        room = self._rooms.find(made.name)
        if link is None or room is None or not (room.joined and room.op and made.title):
            return
        said = link.features.get("TOPICLEN", "")
        longest = min(int(said) if said.isdecimal() else LONGEST_TOPIC, room_for(link.nick, made.name))
        link.command_some_time(line("TOPIC", made.name, text=cut(made.title, longest)))

    def _entitle_again(self, name: str) -> None:
        made = self._made.get(fold(name))
        if made is not None:
            self._entitle(made, made.title, self._link())

    # What is looked up.

    def _up(self) -> Link:
        link = self._link()
        if link is None or not link.introduced.is_set():
            raise NetworkError(f"{self._name} is not connected", unsent=True)
        return link

    def _find(self, channel: str) -> Made | None:
        """The one that was made by that name."""
        for made in self._made.values():
            rest = fold(made.name).removeprefix(fold(channel))
            if fold(made.name) == fold(channel) or _SUFFIX.fullmatch(rest):
                return made
        return None

    def _find_both(self, name: str) -> tuple[Made | None, Room | None]:
        return self._made.get(fold(name)), self._rooms.find(name)

    def _ours(self, channel: str) -> Made:
        made = self._made.get(fold(channel))
        if made is None:
            raise NetworkError(f"{channel} is no channel of ours", permanent=True, unsent=True)
        return made

    def _entered(self, made: Made) -> Room:
        room = self._rooms.find(made.name)
        if room is None or not room.joined:
            raise NetworkError(f"not in {made.name}: {room.why if room is not None else 'left'}", unsent=True)
        return room


def _names(channel: str) -> Iterator[str]:
    """The name, and then others that nobody can know before."""
    yield channel
    for _ in range(OTHER_NAMES):
        yield f"{channel}-{''.join(secrets.choice(each) for each in (LETTERS, DIGITS, LETTERS, DIGITS))}"


def _done(opening: asyncio.Future[str], why: str) -> None:
    if not opening.done():
        opening.set_result(why)
