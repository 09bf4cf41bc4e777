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
from tocsin.networks.irc.link import Link
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
        self._waiting = asyncio.Queue[tuple[Heard, str | None]](MOST_WAITING)
        self._numbers = itertools.count(1)
        self._run_id = secrets.token_hex(8)
        self._strangers: dict[str, tuple[float, str, str]] = {}
        self.last_nick: dict[str, str] = {}
        """Account, as a key -> the nick by which it was last heard."""

    def take(self, heard: Heard, link: Link) -> None:
        """Somebody said something, here or in private."""
        account = heard.tags.get("account", "") if "account-tag" in link.caps else None
        here = fold(heard.word(0)) == fold(link.nick) or self._rooms.find(heard.word(0)) is not None
        if not here or heard.last.startswith("\x01") or _BOTS & heard.tags.keys():
            return
        try:
            self._waiting.put_nowait((heard, account))
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
            heard, account = await self._waiting.get()
            try:
                await self._hand_on(heard, account, listener)
            except Exception:
                log.exception("%s: a line was not taken", self._name)

    async def _hand_on(self, heard: Heard, tagged: str | None, listener: Listener) -> None:
        text = plain(heard.last)
        account = await self._account_of(heard, text, tagged, listener)
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
        await listener.heard(Line(number, place, account, text, called=heard.sender, claimed=claimed))

    async def _account_of(self, heard: Heard, text: str, tagged: str | None, listener: Listener) -> str:
        """What proves who spoke, as the configuration spells it.

        Where the server doesn't tag lines it is asked who has the nick, and whoever came to it since is nobody.
        """
        if self._identity is Identity.NICKS:
            return self._accounts.get(fold(heard.sender), "")
        if self._identity is not Identity.ACCOUNTS:
            return ""
        if tagged is not None:
            account = tagged
        elif listener.wants(text, private=self._rooms.find(heard.word(0)) is None):
            account = await self._asked(heard)
        else:
            return ""
        if account:  # a stranger's too: this may be the line by which it becomes somebody's
            if len(self.last_nick) >= MOST_NICKS:
                self.last_nick = {key: nick for key, nick in self.last_nick.items() if key in self._accounts}
            self.last_nick[fold(account)] = heard.sender
        if fold(account) in self._accounts:
            self._on_spoke(fold(account))
        return self._accounts.get(fold(account), account)

    async def _asked(self, heard: Heard) -> str:
        """The account behind the nick that spoke, as the server says when asked; empty if it may be another's by now."""
        link = self._link()
        if link is None:
            return ""
        now = asyncio.get_running_loop().time()
        until, host, account = self._strangers.get(fold(heard.sender), (0.0, "", ""))
        if until > now and host == heard.host:
            return account
        try:
            found = await link.whois(heard.sender)
        except NetworkError as error:
            log.warning("%s: %s", self._name, error)
            return ""
        account = found.account if found.host == heard.host else ""
        self._strangers = {nick: known for nick, known in self._strangers.items() if known[0] > now}
        if fold(account) not in self._accounts:
            self._strangers[fold(heard.sender)] = (now + STRANGER_FOR, heard.host, account)
        return account
