"""Who is there, by which nick and account, as far as the channels that we are in show it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tocsin.networks.irc.lines import fold
from tocsin.networks.irc.wire import Heard

WHO_IS_WHO = "152"
"""What marks the answers to our own WHO; any number below 1,000."""

WHO_FORM = f"%tna,{WHO_IS_WHO}"
"""What our WHO asks for: the mark, nicks and accounts (WHOX)."""

_NO_ACCOUNT = {"0", "*"}
_RANKS = "~&@%+!"


@dataclass
class _User:
    """account: None if it is not known, empty if there is none."""

    nick: str
    account: str | None = None
    rooms: set[str] = field(default_factory=set)


class Users:
    """Everybody who shares a channel with us, and we ourselves."""

    def __init__(self) -> None:
        self._users: dict[str, _User] = {}

    def __contains__(self, nick: object) -> bool:
        return isinstance(nick, str) and fold(nick) in self._users

    def clear(self) -> None:
        """We are nowhere."""
        self._users.clear()

    def nicks_of(self, account: str) -> Sequence[str]:
        """By which nicks an account is there."""
        wanted = fold(account)
        users = list(self._users.values())  # at once, since the writer's thread asks too
        return [user.nick for user in users if user.account and fold(user.account) == wanted]

    def account_of(self, nick: str) -> str | None:
        """Whose nick that is: empty if it is nobody's account, None if that is not known."""
        user = self._users.get(fold(nick))
        return user.account if user is not None else None

    def nicks_in(self, room: str) -> Sequence[str]:
        """Who is in a channel with us, we ourselves among them."""
        return [user.nick for user in self._users.values() if fold(room) in user.rooms]

    def take(self, heard: Heard, caps: set[str]) -> None:
        """Follow who comes and goes."""
        match heard.command:
            case "JOIN":
                account = heard.word(1) if "extended-join" in caps else None
                self._joined(heard.sender, heard.word(0), account)
            case "353":
                self._named(heard.last, heard.word(2))
            case "354" if heard.word(1) == WHO_IS_WHO:
                self.logged_in(heard.word(2), heard.word(3))
            case "ACCOUNT":
                self.logged_in(heard.sender, heard.word(0))
            case "PRIVMSG" if "account-tag" in caps:
                self.logged_in(heard.sender, heard.tags.get("account", ""))
            case "PART":
                self._left(heard.sender, heard.word(0))
            case "KICK":
                self._left(heard.word(1), heard.word(0))
            case "QUIT":
                self.gone(heard.sender)
            case "NICK":
                self._renamed(heard.sender, heard.word(0))

    def logged_in(self, nick: str, account: str) -> None:
        """account: as the server says it; empty, `0` or `*` if there is none."""
        user = self._users.get(fold(nick))
        if user is not None:
            user.account = "" if account in _NO_ACCOUNT else account

    def gone(self, nick: str) -> None:
        """Nobody bears that nick any more."""
        self._users.pop(fold(nick), None)

    def closed(self, room: str) -> None:
        """We are no longer there, and see no more who is."""
        for user in list(self._users.values()):
            self._left(user.nick, room)

    def _named(self, names: str, room: str) -> None:
        for word in names.split():
            self._joined(word.lstrip(_RANKS), room, None)

    def _joined(self, nick: str, room: str, account: str | None) -> None:
        self._users.setdefault(fold(nick), _User(nick)).rooms.add(fold(room))
        if account is not None:
            self.logged_in(nick, account)

    def _left(self, nick: str, room: str) -> None:
        user = self._users.get(fold(nick))
        if user is not None:
            user.rooms.discard(fold(room))
            if not user.rooms:
                self.gone(nick)

    def _renamed(self, old: str, new: str) -> None:
        user = self._users.pop(fold(old), None)
        if user is not None:
            user.nick = new
            self._users[fold(new)] = user
