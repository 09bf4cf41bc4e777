"""What tests of the parts of IRC share: text of any kind, lines from a server, and what becomes of ours."""

import asyncio

from hypothesis import strategies as st

from tocsin.errors import NetworkError
from tocsin.networks.irc.receipts import Receipts, Refusal, Spoken
from tocsin.networks.irc.wire import Heard

from tests.servers.irc_user import parse

NASTY = "\x00\x01\x02\x03\x07\x0b\x0f\x1f\x7f\r\n\t :,!@\x85\xa0\u2028\u202e\u3000\ud800K\N{KELVIN SIGN}é🔥"

# One alphabet of them all would be that of `characters`, and what is nasty so rare that it never came.
anything = st.lists(
    st.one_of(st.text(st.characters()), st.text(st.sampled_from(NASTY)), st.text(st.sampled_from(" aé🔥")))
).map("".join)
letters = st.characters(categories=["L", "N"])


def heard(text: str) -> Heard:
    """A line from the server, taken apart by another hand than the product's."""
    found = parse(text.encode())
    _, _, host = found.source.partition("!")
    return Heard(found.nick, host, found.command, found.params, found.tags)


NAMES_ITS_TARGET = ["401", "402", "403", "404", "407", "408", "439", "442", "477", "489", "531", "707", "716"]
NAMES_NONE = ["411", "412", "413", "414", "417", "421", "FAIL"]


def spoken(target: str = "#ops", lines: int = 1) -> Spoken:
    return Spoken(target, [f"PRIVMSG {target} :{number}" for number in range(lines)], loop_future())


def loop_future() -> asyncio.Future[str]:
    return asyncio.get_running_loop().create_future()


def outcome(each: Spoken) -> str:
    """`waits`, its receipt, or the number of its refusal, or that it is lost."""
    if not each.done.done():
        return "waits"
    error = each.done.exception()
    if error is None:
        return each.done.result()
    if isinstance(error, Refusal):
        return error.code
    assert isinstance(error, NetworkError)
    return "unsent" if error.unsent else "lost"


def outcomes(*all_of_them: Spoken) -> list[str]:
    return [outcome(each) for each in all_of_them]


def echo(label: str) -> str:
    return f"@label={label} :tocsin!u@h PRIVMSG #ops :0"


def take(receipts: Receipts, *texts: str) -> None:
    for text in texts:
        receipts.take(heard(text))
