"""What people say on IRC: who says it, and in which order it is handed on."""

import asyncio
import itertools
import logging
import secrets
from collections.abc import Callable, Mapping

from tocsin.domain.message import Line, Place
from tocsin.domain.oncall import Identity
from tocsin.errors import NetworkError
from tocsin.networks.base import Listener
from tocsin.networks.irc.lines import fold, plain
from tocsin.networks.irc.link import Link, Whois
from tocsin.networks.irc.rooms import Rooms
from tocsin.networks.irc.wire import Heard

log = logging.getLogger(__name__)

MOST_WAITING = 10_000
"""So many lines that were heard wait to be taken; beyond that they are lost, and it is logged."""

MOST_NICKS = 1000
"""Of so many accounts it is remembered by which nick they spoke; beyond that strangers are forgotten."""

STRANGER_FOR = 3.0
"""For so many seconds a stranger is one without our asking again: who floods us must not make us flood the server."""

_BOTS = {"bot", "draft/bot", "inspircd.org/bot"}


class Hearing:
    """Lines on their way from the server to the listener."""

    def __init__(
        self,
        name: str,
        identity: Identity,
        accounts: Mapping[str, str],
        rooms: Rooms,
        *,
        link: Callable[[], Link | None],
        on_spoke: Callable[[str], None],
    ) -> None:
        """accounts: as keys -> as the people's are spelled; it may change. link: the one that is up, if any.

        on_spoke: told as a key which of these accounts has just shown that it is there.
        """
        self._name = name
        self._identity = identity
        self._accounts = accounts
        self._rooms = rooms
        self._link = link
        self._on_spoke = on_spoke
        self._waiting = asyncio.Queue[tuple[Heard, str | None, str]](MOST_WAITING)
        self._numbers = itertools.count(1)
        self._run_id = secrets.token_hex(8)
        self._strangers: dict[str, tuple[float, Whois]] = {}
        self.last_nick: dict[str, str] = {}
        """Account, as a key -> the nick by which it was last heard."""

    def take(self, heard: Heard, link: Link) -> None:
        """Somebody said something, here or in private.

        What a server says itself, and what it repeats (in a batch) from before we came, is no talk. A notice, or what a
        bot says, asks for nothing; a bridge may repeat by it in a room what we said elsewhere.
        """
        account = heard.tags.get("account", "") if "account-tag" in link.caps else None
        in_room = self._rooms.find(heard.word(0)) is not None
        here = in_room or (fold(heard.word(0)) == fold(link.nick) and not _is_notice(heard))
        talk = heard.host and "batch" not in heard.tags
        if not here or not talk or heard.last.startswith("\x01"):
            return
        try:
            self._waiting.put_nowait((heard, account, link.nick))
        except asyncio.QueueFull:
            log.warning("%s: more is said than can be taken: a line is lost", self._name)

    def changed_hands(self, nick: str) -> None:
        """What was found out about a nick holds no more."""
        self._strangers.pop(fold(nick), None)

    def forget(self) -> None:
        """What was found out about anybody holds no more."""
        self._strangers.clear()

    async def run(self, listener: Listener) -> None:
        """Hand on what was heard, in its order, until cancelled; nothing else waits for that."""
        while True:
            heard, account, us = await self._waiting.get()
            try:
                await self._hand_on(heard, account, us, listener)
            except Exception:
                log.exception("%s: a line was not taken", self._name)

    async def _hand_on(self, heard: Heard, tagged: str | None, us: str, listener: Listener) -> None:
        text = plain(heard.last)
        private = self._rooms.find(heard.word(0)) is None
        notice = _is_notice(heard)
        asks = self._identity is Identity.ACCOUNTS and tagged is None and not notice
        asked = await self._asked(heard) if asks and listener.wants(text, private=private, us=us) else Whois()
        if asked.bot and private:
            return
        account = self._proven(heard, asked.account if tagged is None else tagged)
        nick_of = self._accounts.get(fold(heard.sender), "")
        room = self._rooms.find(heard.word(0))
        if room is not None:
            place = Place(self._name, room.name)
        elif self._identity is Identity.ACCOUNTS:
            known = account if fold(account) in self._accounts else f"~{heard.sender}"
            place = Place(self._name, known, private=True)
        else:
            place = Place(self._name, nick_of or heard.sender, private=True)
        claimed = nick_of if self._identity is Identity.CODES else ""
        number = f"{self._run_id}-{next(self._numbers)}"
        notice = notice or asked.bot
        line = Line(number, place, account, text, called=heard.sender, claimed=claimed, us=us, notice=notice)
        await listener.heard(line)

    def _proven(self, heard: Heard, account: str) -> str:
        """What proves who spoke, as the configuration spells it. account: theirs, as the server says."""
        if self._identity is Identity.NICKS:
            return self._accounts.get(fold(heard.sender), "")
        if self._identity is not Identity.ACCOUNTS:
            return ""
        if account:  # a stranger's too: this may be the line by which it becomes somebody's
            if len(self.last_nick) >= MOST_NICKS:
                self.last_nick = {key: nick for key, nick in self.last_nick.items() if key in self._accounts}
            self.last_nick[fold(account)] = heard.sender
        if fold(account) in self._accounts:
            self._on_spoke(fold(account))
        return self._accounts.get(fold(account), account)

    async def _asked(self, heard: Heard) -> Whois:
        """Who spoke, as the server says when asked; nobody if the nick may be another's by now."""
        link = self._link()
        if link is None:
            return Whois()
        now = asyncio.get_running_loop().time()
        until, known = self._strangers.get(fold(heard.sender), (0.0, Whois()))
        if until > now and known.host == heard.host:
            return known
        try:
            found = await link.whois(heard.sender)
        except NetworkError as error:
            log.warning("%s: %s", self._name, error)
            return Whois()
        found = found if found.host == heard.host else Whois(heard.host)
        self._strangers = {nick: known for nick, known in self._strangers.items() if known[0] > now}
        if fold(found.account) not in self._accounts:
            self._strangers[fold(heard.sender)] = (now + STRANGER_FOR, found)
        return found


def _is_notice(heard: Heard) -> bool:
    """Whether nothing is asked for by it."""
    return heard.command == "NOTICE" or bool(_BOTS & heard.tags.keys())
