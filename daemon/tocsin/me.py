"""`!me`: what people say of themselves. It is told to them alone, wherever they ask."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from zoneinfo import available_timezones

from tocsin.commands import Call, Command
from tocsin.domain.message import Message, Place
from tocsin.domain.oncall import Identity, QuietHours
from tocsin.domain.words import bare, counted, did_you_mean, listed, spelled
from tocsin.errors import Refused, UsageError
from tocsin.store import profiles
from tocsin.store.outbox import Lane
from tocsin.transaction import Transaction

NOTED = "noted"

_DEFAULT = "default"

Answer = Message | str | Refused


def commands() -> Sequence[Command]:
    """The word that is about who asks."""
    help_ = "your time zone, quiet hours and accounts: me zone, me quiet, me link, me unlink"
    return [Command("me [WHAT] [VALUE…]", me, help_, secret=True, strangers=("link",))]


def me(call: Call, tx: Transaction) -> Answer:
    """Tell who asks what is known of them, or take what they say."""
    what = _ABOUT.get(call["WHAT"].lower())
    if what is None:  # what was typed may be a code, so it is not repeated
        words = listed(tx.typed(f"me {word}") for word in ("zone", "quiet", "link", "unlink"))
        raise UsageError(f"say {words}; {tx.typed('me')} alone tells you what I know of you")
    return what(call, tx)


def _tell(call: Call, tx: Transaction) -> Answer:
    person = tx.person(call.by)
    quiet = f"quiet {person.quiet}" if person.quiet else "no quiet hours"
    configured = tx.config.people[call.by].accounts
    accounts = listed(
        f"{network} {account}{'' if network in configured else ' (linked)'}"
        for network, account in person.accounts.items()
    )
    text = f"you are {call.by}; {person.timezone.key} (it is {_time(call, tx)}); {quiet}; your accounts: {accounts}"
    return _in_private(text, call, tx)


def _zone(call: Call, tx: Transaction) -> Answer:
    asked = "_".join(call["VALUE"].lower().split())
    if not asked:
        raise UsageError(f"say {tx.typed('me zone Europe/Berlin')}")
    key = "" if asked in (_DEFAULT, profiles.OFF) else _zones().get(asked)
    if key is None:
        raise Refused(f"there is no time zone {call['VALUE']!r}{did_you_mean(asked, _zones().values())}")
    profiles.set_timezone(tx.connection, call.by, key)
    tx.change_people()
    zone = tx.person(call.by).timezone.key
    text = f"your time zone is {zone}: it is {_time(call, tx)} there"
    end = _back("zone", tx) if key else "as in the configuration"
    return _in_private(f"{text}; {end}", call, tx, NOTED)


def _quiet(call: Call, tx: Transaction) -> Answer:
    asked = call["VALUE"].lower()
    if not asked:
        raise UsageError(f"say {tx.typed('me quiet 22:00-07:00')} or {tx.typed('me quiet off')}")
    if asked == _DEFAULT:
        hours = ""
    elif asked == profiles.OFF:
        hours = profiles.OFF
    else:
        try:
            hours = str(QuietHours.parse(asked))
        except ValueError as error:
            raise Refused(f"your quiet hours {error}") from None
    profiles.set_quiet(tx.connection, call.by, hours)
    tx.change_people()
    end = _back("quiet", tx) if hours else "as in the configuration"
    return _in_private(f"{_hours(call, tx)}; {end}", call, tx, NOTED)


def _hours(call: Call, tx: Transaction) -> str:
    """When what can wait waits, and what that means now."""
    person = tx.person(call.by)
    if person.quiet is None:
        return "you have no quiet hours"
    over = person.quiet.over_at(tx.now, person.timezone)
    now = f"until {person.quiet.end:%H:%M}" if over else f"from {person.quiet.start:%H:%M} on"
    zone = person.timezone.key
    return f"your quiet hours are {person.quiet} {zone}: it is {_time(call, tx)} there, so what can wait waits {now}"


def _link(call: Call, tx: Transaction) -> Answer:
    """Give a person a code, or take it from somebody by whose account they are not known yet."""
    code = bare(call["VALUE"])
    if not call.place.private:
        if not code:
            raise Refused("not here, where others read: type in private to me: me link")
        profiles.use_code(tx.connection, code, tx.now)  # by now others know it
        return Refused("not here, where others read: that code is void. Type in private to me: me link")
    if code:
        return _claim(code, call, tx)
    if not call.by:
        raise Refused(
            "I don't know you here: where I do, type in private to me: me link. That brings a code for here"
        )
    network = call.place.network
    if tx.config.networks[network].identity is not Identity.ACCOUNTS:  # a link would outlast the nick
        names = "people.NAME.accounts in the configuration names further accounts"
        raise Refused(f"your nick on {network} proves nothing elsewhere: {names}")
    code = profiles.new_code(tx.connection, call.by, tx.now)
    good = spelled(profiles.GOOD_FOR)
    return f"on the other network, type in private to me: me link {code} (good for {good}, once)"


def _claim(code: str, call: Call, tx: Transaction) -> Answer:
    """Link the account that speaks to the person whose code that is. What would tell a guesser more comes last."""
    network, account = call.place.network, call.line.account
    settings = tx.config.networks[network]
    if settings.identity is not Identity.ACCOUNTS:
        names = f"people.NAME.accounts.{network} in the configuration names a nick"
        raise Refused(f"{network} proves nothing of who you are there: {names}")
    if not account:
        raise Refused(f"I see no account of yours on {network}: log in to it, and type that again")
    if call.by:
        raise Refused(f"I know you here, {call.by}: type that where I don't know you yet")
    if complaint := settings.complaint(account=account):
        raise Refused(f"your account {complaint}")
    if any(account.lower() == known.lower() for known in tx.people.accounts_on(network)):
        raise Refused(f"the account {account!r} is somebody's already")
    person = profiles.use_code(tx.connection, code, tx.now)
    if person not in tx.config.people:
        if profiles.wrong_code(tx.connection, tx.now):
            typed = f"{counted(profiles.MOST_WRONG, 'wrong code')} were typed, the last on {network}"
            tx.tell(f"{typed}: all codes for further accounts are void")
        return Refused("that code is wrong, or too old: me link brings another, where I know you")
    if network in tx.config.people[person].accounts:
        where = f"people.{person}.accounts.{network}"
        raise Refused(f"you have an account on {network} already, which the configuration names: {where}")
    return _take(person, call, tx)


def _take(person: str, call: Call, tx: Transaction) -> str:
    network, account = call.place.network, call.line.account
    before = tx.person(person).accounts.get(network)
    theirs = tx.private_places(person)
    profiles.link(tx.connection, network, account, person, tx.now)
    tx.change_people()
    in_place = f" in place of {before}" if before else ""
    text = f"on {network} the account {account} is linked to you{in_place}: pages may go there, and it may answer"
    unless = f"if that was not you: {tx.typed(f'me unlink {network}')}"
    for place in theirs:
        tx.say(place, f"{text}; {unless}", lane=Lane.ANSWER)
    return f"you are {person} here from now on: pages may come here, and you may answer; {unless}"


def _unlink(call: Call, tx: Transaction) -> Answer:
    network = call["VALUE"].lower()
    if not network:
        raise UsageError(f"say {tx.typed('me unlink NETWORK')}")
    theirs = tx.private_places(call.by)
    account = profiles.unlink(tx.connection, network, call.by)
    if not account:
        return _in_private(
            f"no account is linked to you on {network!r}: {tx.typed('me')} tells which are", call, tx
        )
    tx.change_people()
    text = f"on {network} the account {account} is no longer linked to {call.by}"
    here = _own(call)
    for place in theirs:
        if place != here:
            tx.say(place, text, lane=Lane.ANSWER)
    return _in_private(text, call, tx, NOTED)


_ABOUT: Mapping[str, Callable[[Call, Transaction], Answer]] = {
    "": _tell,
    "zone": _zone,
    "timezone": _zone,
    "tz": _zone,
    "quiet": _quiet,
    "link": _link,
    "unlink": _unlink,
}


def _in_private(text: str, call: Call, tx: Transaction, in_room: str = "") -> str:
    """The answer, if only who asked reads it; else they get it in private, and the room reads that something came."""
    if call.place.private:
        return text
    tx.say(_own(call), text, lane=Lane.ANSWER)
    return in_room or f"{call.by}: I told you in private"


def _own(call: Call) -> Place:
    """The caller's own place on the network where they ask."""
    return Place(call.place.network, call.line.account or call.line.claimed, private=True)


def _back(word: str, tx: Transaction) -> str:
    return f"{tx.typed(f'me {word} {_DEFAULT}')} goes back to the configuration"


def _time(call: Call, tx: Transaction) -> str:
    return f"{tx.now.astimezone(tx.person(call.by).timezone):%H:%M}"


@cache
def _zones() -> Mapping[str, str]:
    """The time zones that there are, by their names in small letters."""
    return {key.lower(): key for key in available_timezones()}
