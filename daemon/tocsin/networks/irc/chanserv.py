"""ChanServ: what is asked of it for a channel of our own, so that it stays ours whoever leaves."""

import logging
import re

from tocsin.networks.irc.lines import fold, line, plain
from tocsin.networks.irc.link import Link
from tocsin.networks.irc.wire import Heard

log = logging.getLogger(__name__)

_NICK = "ChanServ"
_DROPPED = re.compile("dropped|n[o']t registered")
_CONFIRM = re.compile(r"\bDROP\s+(\S+)\s+([0-9A-Za-z:]{1,40})(?:\s|$)")
"""Services want to hear a word back before they drop a channel (Atheme 7)."""


class ChanServ:
    """Asked by private messages, when nothing else is to be said; what it answers is logged, and mostly no matter."""

    def __init__(self, name: str, closed: str) -> None:
        """name: the network's. closed: the modes that close a channel."""
        self._name = name
        self._closed = closed
        self._registering: dict[str, str] = {}
        self._dropping: dict[str, str] = {}

    def register(self, channel: str, link: Link) -> None:
        """Let it be ours, and stay closed."""
        self._dropping.pop(fold(channel), None)
        self._registering[fold(channel)] = channel
        self._ask(link, "REGISTER", channel)
        self._ask(link, "SET", channel, "MLOCK", self._closed)

    def make_us_operator(self, channel: str, link: Link) -> None:
        self._ask(link, "OP", channel)

    def let_us_in(self, channel: str, link: Link) -> None:
        self._ask(link, "INVITE", channel)

    def drop(self, channel: str, link: Link | None) -> None:
        """It is ours no more, now or once we are connected."""
        self._registering.pop(fold(channel), None)
        self._dropping[fold(channel)] = channel
        if link is not None:
            self._ask(link, "DROP", channel)

    def ask_again(self, link: Link) -> None:
        """Ask once more for that to which it has said nothing yet."""
        for channel in self._dropping.values():
            self._ask(link, "DROP", channel)
        for channel in list(self._registering.values()):
            self.register(channel, link)

    def take(self, heard: Heard, link: Link) -> None:
        """It may have said something, to us: what names a channel is the answer for that."""
        if fold(heard.sender) != fold(_NICK) or fold(heard.word(0)) != fold(link.nick):
            return
        text = plain(heard.last)
        log.info("%s: %s says: %s", self._name, _NICK, text)
        found = _CONFIRM.search(text)
        if found is not None and fold(found[1]) in self._dropping:
            self._ask(link, "DROP", self._dropping[fold(found[1])], found[2])
            return
        for word in {fold(word.strip("'\".,:;()")) for word in text.split()}:
            self._registering.pop(word, None)
            if _DROPPED.search(text):
                self._dropping.pop(word, None)

    def _ask(self, link: Link, *words: str) -> None:
        link.command_some_time(line("PRIVMSG", _NICK, text=" ".join(words)))
