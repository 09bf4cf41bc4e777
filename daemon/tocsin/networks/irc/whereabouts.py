"""Where people are: by which nicks somebody can be reached, and who was missed and may come."""

import asyncio
from collections.abc import Mapping, Sequence

from tocsin.domain.oncall import Identity
from tocsin.errors import NetworkError
from tocsin.networks.irc.lines import fold
from tocsin.networks.irc.link import Link
from tocsin.networks.irc.users import Users
from tocsin.networks.irc.wire import Heard

LOOK_AGAIN = 10.0
"""Whom the server did not know it is asked for again after so many seconds."""


class Whereabouts:
    """What is known of people on one network, as long as a link lasts; and whom a page has missed, for longer."""

    def __init__(self, name: str, identity: Identity, accounts: Mapping[str, str]) -> None:
        """name: the network's. accounts: as keys -> as the people's are spelled; it may change."""
        self._name = name
        self._by_account = identity is Identity.ACCOUNTS
        self._accounts = accounts
        self._users = Users()
        self._missed: dict[str, tuple[float, str]] = {}
        self._wanted: set[str] = set()

    def forget(self) -> None:
        """What we knew of others holds no more."""
        self._users.clear()
        self._missed.clear()

    def other_people(self) -> None:
        """The people's accounts have changed."""
        self._wanted.intersection_update(self._accounts)

    def closed(self, room: str) -> None:
        """We are no longer there, and see no more who is."""
        self._users.closed(room)

    def follow(self, heard: Heard, caps: set[str]) -> None:
        """See who comes and goes."""
        self._users.take(heard, caps)

    def sees(self, account: str) -> bool:
        """Whether they are in a channel with us."""
        return bool(self._users.nicks_of(account)) if self._by_account else account in self._users

    def account_of(self, nick: str) -> str | None:
        """Whose nick that is: empty if it is nobody's account, None if that is not known."""
        return self._users.account_of(nick)

    def nicks_seen(self, account: str) -> Sequence[str]:
        """By which nicks somebody is in a channel with us."""
        if self._by_account:
            return self._users.nicks_of(account)
        return [account] if account in self._users else []

    def nicks_in(self, room: str) -> Sequence[str]:
        """Who is in a channel with us, we ourselves among them."""
        return self._users.nicks_in(room)

    async def nicks(self, link: Link, account: str, last_nick: str) -> Sequence[str]:
        """By which nicks to reach an account. last_nick: by which it spoke last. Raises NetworkError if there is none."""
        self._still_absent(account)
        if not self._by_account:
            return [account]
        if account.startswith("~"):
            return [account[1:]]
        nicks = self._users.nicks_of(account)
        if not nicks:
            tries = dict.fromkeys((account, last_nick))
            found = [(await link.whois(nick)).account for nick in tries]
            nicks = [nick for nick, theirs in zip(tries, found, strict=True) if fold(theirs) == fold(account)]
        if not nicks:
            raise self.absent(account, f"{account} is nowhere online on {self._name}")
        return nicks

    def gone(self, nick: str) -> None:
        """Nobody bears that nick any more."""
        self._users.gone(nick)

    def absent(self, account: str, why: str, *, unsent: bool = True) -> NetworkError:
        """Somebody can't be reached now, and need not be tried again before a while, unless they are seen to come."""
        now = asyncio.get_running_loop().time()
        self._missed = {key: missed for key, missed in self._missed.items() if missed[0] > now}
        self._missed[fold(account)] = (now + LOOK_AGAIN, why)
        if fold(account) in self._accounts:
            self._wanted.add(fold(account))
        return NetworkError(why, unsent=unsent, absent=True)

    def _still_absent(self, account: str) -> None:
        """Raises NetworkError for whom the server did not know a moment ago."""
        until, why = self._missed.get(fold(account), (0.0, ""))
        if until > asyncio.get_running_loop().time() and not self.sees(account):
            raise NetworkError(why, unsent=True, absent=True)

    def have_come(self, heard: Heard) -> bool:
        """Whether this brings somebody whom a page has missed; that is said once."""
        if not self._wanted or heard.command not in {"JOIN", "ACCOUNT", "NICK", "354"}:
            return False
        return self._found({key for key in self._wanted if self.sees(self._accounts[key])})

    def spoke(self, account: str) -> bool:
        """They are there; whether a page has missed them. account: as a key."""
        self._missed.pop(account, None)
        return self._found({account} & self._wanted)

    def _found(self, wanted: set[str]) -> bool:
        self._wanted -= wanted
        return bool(wanted)
