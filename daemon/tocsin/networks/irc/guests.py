"""Who is to be in the channels that we make: invited once they are seen, and told of when they come."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tocsin.domain.message import Place
from tocsin.domain.oncall import Identity
from tocsin.errors import NetworkError
from tocsin.networks.irc.lines import fold, line
from tocsin.networks.irc.link import Link
from tocsin.networks.irc.rooms import Rooms
from tocsin.networks.irc.whereabouts import Whereabouts
from tocsin.networks.irc.wire import Heard

log = logging.getLogger(__name__)


@dataclass
class Made:
    """A channel that we made.

    title: what it is about, if we know. wanted: the accounts, as keys, of who is to be there. asked: the nicks, as keys, that
    were invited and may come. opening: while it is being made: done once it is ours, or with why it is not.
    told: whether it was said that we are not its operator.
    """

    name: str
    title: str = ""
    wanted: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    opening: asyncio.Future[str] | None = None
    told: bool = False


class Guests:
    """Those of all channels that we made."""

    def __init__(
        self,
        name: str,
        identity: Identity,
        accounts: Mapping[str, str],
        rooms: Rooms,
        people: Whereabouts,
        *,
        made: Mapping[str, Made],
        last_nick: Callable[[str], str],
        came: Callable[[Place, str], None],
    ) -> None:
        """accounts: as keys -> as the people's are spelled; it may change. made: the channels, by name; they may too.

        last_nick: by which an account spoke last. came: told who came to one of them.
        """
        self._name = name
        self._identity = identity
        self._accounts = accounts
        self._rooms = rooms
        self._people = people
        self._made = made
        self._last_nick = last_nick
        self._came = came
        self._tasks: set[asyncio.Task[None]] = set()

    def forget(self) -> None:
        """The link is gone: whoever is to be there must be invited again."""
        for task in self._tasks:
            task.cancel()
        for made in self._made.values():
            made.asked.clear()

    def follow(self, heard: Heard, link: Link) -> None:
        """Called for each line, once it is known who is where."""
        match heard.command:
            case "JOIN" if fold(heard.sender) != fold(link.nick):
                self._joined(heard, link)
                self.seen(heard.sender, link)
            case "ACCOUNT" | "PRIVMSG":
                self.seen(heard.sender, link)
            case "354":
                self.seen(heard.word(2), link)
            case "NICK":
                self._renamed(heard.sender, heard.word(0), link)
            case "QUIT":
                self._gone(heard.sender)
            case "401":
                self._gone(heard.word(1))

    def seen(self, nick: str, link: Link, account: str = "") -> None:
        """Somebody is there by that nick; invite them where they are wanted. account: theirs, as a key, if it is known."""
        by_account = self._identity is Identity.ACCOUNTS
        key = account or (fold(self._people.account_of(nick) or "") if by_account else fold(nick))
        for made in self._made.values() if key else ():
            if key in made.wanted:
                self._invite(made, nick, link)

    def invite_all(self, link: Link) -> None:
        """Invite who is seen, wherever they are wanted."""
        for made in self._made.values():
            for account in made.wanted:
                for nick in self._people.nicks_seen(account):
                    self._invite(made, nick, link)

    async def call(self, made: Made, account: str, link: Link, *, anew: bool = False) -> None:
        """Invite somebody by each of their nicks, now or once they are seen. anew: also who was invited and did not come."""
        made.wanted.add(fold(account))
        try:
            nicks = await self._people.nicks(link, account, self._last_nick(account))
        except (NetworkError, ValueError) as error:
            log.info("%s: %s is invited to %s later: %s", self._name, account, made.name, error)
            return
        for nick in nicks:
            if anew:
                made.asked.discard(fold(nick))
            self._invite(made, nick, link)

    def _invite(self, made: Made, nick: str, link: Link) -> None:
        room = self._rooms.find(made.name)
        there = {fold(one) for one in self._people.nicks_in(made.name)}
        if room is None or not (room.joined and room.op) or fold(nick) in made.asked | there:
            return
        made.asked.add(fold(nick))
        link.command_some_time(line("INVITE", nick, made.name))

    def _renamed(self, old: str, new: str, link: Link) -> None:
        for made in self._made.values():
            if fold(old) in made.asked:
                made.asked = made.asked - {fold(old)} | {fold(new)}
        self.seen(new, link)

    def _gone(self, nick: str) -> None:
        """They are away, and are invited when they come back."""
        for made in self._made.values():
            made.asked.discard(fold(nick))

    def _joined(self, heard: Heard, link: Link) -> None:
        """Somebody came to a channel; if it is one of these, tell who, once that is known."""
        made, room = self._made.get(fold(heard.word(0))), self._rooms.find(heard.word(0))
        if made is None or room is None or not room.joined or made.opening is not None:
            return
        place = Place(self._name, room.name)
        account = self._people.account_of(heard.sender)
        if self._identity is Identity.NICKS:
            self._tell(place, heard.sender, heard.sender)
        elif self._identity is Identity.ACCOUNTS and account is not None:
            self._tell(place, heard.sender, account)
        elif self._identity is Identity.ACCOUNTS:
            task = asyncio.get_running_loop().create_task(self._look_who_came(place, heard, link))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _look_who_came(self, place: Place, heard: Heard, link: Link) -> None:
        try:
            found = await link.whois(heard.sender)
        except NetworkError as error:
            log.warning("%s: %s", self._name, error)
        else:
            self._tell(place, heard.sender, found.account if found.host == heard.host else "")

    def _tell(self, place: Place, nick: str, account: str) -> None:
        self._came(place, self._accounts.get(fold(account), account) or f"~{nick}")
