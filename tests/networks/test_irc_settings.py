"""IRC: what the configuration says."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tocsin import daemon
from tocsin.config import Address, Document
from tocsin.domain.oncall import Identity
from tocsin.networks.irc.settings import IrcSettings

from tests.conftest import MINIMAL
from tests.networks.settings_parts import complaints

SERVER = 'server = "irc.example.org:6697"\n'
GOOD = f'{SERVER}room = "#ops"\n'
FILE = 'file = "prod.token"'
PASSWORD = f"password.{FILE}"
NICK = "must be a nick such as 'tocsin', not"
CHANNEL = "must be a channel such as '#ops', not"
WORD = "must be one word, without blank, comma or '!', not"
BY_CERTIFICATE = "account and password go together; leave both out to log in by certificate"


def problems(write_config: Callable[..., Path], settings: str, *accounts: str) -> list[str]:
    return complaints(write_config, "irc", settings, *(accounts or ("alice",)))


@pytest.mark.parametrize(
    "settings",
    [
        f'{SERVER}room = "&local"',
        f"{GOOD}tls = false\nburst = 0",
        f'{GOOD}nick = "tocsin[1]"\nsecond_nick = "töcsin"',
        f'{GOOD}sasl = {{ account = "tocsin", {PASSWORD} }}\n{PASSWORD}',
        f'{GOOD}sasl = {{}}\ncertificate = "prod.token"\ntls_ca = "prod.token"',
        f'{GOOD}keys."#ops".file = "prod.token"',
        f'{GOOD}detail."#OPS" = "full"',
        f'{GOOD}detail = {{ "#db" = "summary" }}\n[teams.db]\nmembers = ["alice"]\nrooms.irc = "#DB"',
        f'{GOOD}identity = "codes"',
        f'{GOOD}identity = "read-only"',
    ],
)
def test_settings_that_can_be_used_are(write_config: Callable[..., Path], settings: str) -> None:
    assert problems(write_config, settings) == []


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ('room = "#ops"', ".server: is required"),
        (SERVER, ".room: is required"),
        (f'{SERVER}room = "ops"', ": room must be a channel such as '#ops', not 'ops'"),
        (f'{SERVER}room = "#a,#b"', f".room: {WORD} '#a,#b'"),
        (f'{SERVER}room = ""', f".room: {WORD} ''"),
        (f"{GOOD}rooms = []", ".rooms: no such setting; did you mean 'room'?"),
        (f'{GOOD}nick = "two words"', f".nick: {WORD} 'two words'"),
        (f'{GOOD}nick = ""', f".nick: {WORD} ''"),
        (f'{GOOD}nick = ":x"', f".nick: {WORD} ':x'"),
        (f'{GOOD}nick = "a!b"', f".nick: {WORD} 'a!b'"),
        (f'{GOOD}nick = "#9"', f".nick: {NICK} '#9'"),
        (f'{GOOD}nick = "9x"', f".nick: {NICK} '9x'"),
        (f'{GOOD}second_nick = "-x"', f".second_nick: {NICK} '-x'"),
        (f'{GOOD}second_nick = "{"n" * 31}"', f".second_nick: {NICK} '{'n' * 31}'"),
        (f'{GOOD}nick = "Tocsin_"', ": nick and second_nick must differ"),
        (f'{GOOD}second_nick = "a,b"', f".second_nick: {WORD} 'a,b'"),
        (f'{GOOD}second_nick = "a\\r\\nQUIT"', f".second_nick: {WORD} 'a\\r\\nQUIT'"),
        (f"{GOOD}tls = 1", ".tls: must be true or false, not 1"),
        (f'{GOOD}tls = false\ntls_ca = "x"', ": tls_ca and certificate mean nothing without tls"),
        (f'{GOOD}tls = false\ncertificate = "x"', ": tls_ca and certificate mean nothing without tls"),
        (f"{GOOD}chanserv = true", ": chanserv registers channels to Tocsin's own account: set sasl"),
        (f'{GOOD}sasl = "x"', ".sasl: must be a table, not 'x'"),
        (f"{GOOD}sasl = {{}}", ": sasl names neither account and password, nor is there a certificate"),
        (f'{GOOD}sasl.account = "tocsin"', f".sasl: {BY_CERTIFICATE}"),
        (f"{GOOD}sasl.{PASSWORD}", f".sasl: {BY_CERTIFICATE}"),
        (f'{GOOD}sasl = {{ account = "a b", {PASSWORD} }}', f".sasl.account: {WORD} 'a b'"),
        (f'{GOOD}keys."#a b".{FILE}', f": keys.#a b {CHANNEL} '#a b'"),
        (f"{GOOD}keys.ops.{FILE}", f": keys.ops {CHANNEL} 'ops'"),
        (f'{GOOD}keys = {{ "#ops".{FILE}, "#a,#b".{FILE} }}', f": keys.#a,#b {CHANNEL} '#a,#b'"),
        (f'{GOOD}detail = {{ "#a,#b" = "full" }}', f": detail.#a,#b {CHANNEL} '#a,#b'"),
        (f'{GOOD}detail."#ops" = "all"', ".detail.#ops: must be 'full' or 'summary', not 'all'"),
        (f'{GOOD}detail = "full"', ".detail: must be a table, not 'full'"),
        (
            f'{GOOD}detail = {{ "#ops" = "full", "#OPS" = "summary" }}',
            ": detail names a channel twice: capitals make no other one",
        ),
        (
            f'{GOOD}detail."#osp" = "summary"',
            ".detail.#osp: no room of Tocsin's is called '#osp'; did you mean '#ops'?",
        ),
        (
            f'{GOOD}detail."#db" = "full"\n[teams.db]\nmembers = ["alice"]\nrooms.console = "#db"',
            ".detail.#db: no room of Tocsin's is called '#db'; there is #ops",
        ),
        (f"{GOOD}keys.a.value = 1", ".keys.a.value: no such setting; there is file, credential and env"),
        (f"{GOOD}burst = -1", ".burst: must be at least 0, not -1"),
        (f"{GOOD}burst = true", ".burst: must be a whole number, not true"),
        (f"{GOOD}pace = 1", ".pace: must be a length of time such as '30s', '5m' or '1h30m', not 1"),
    ],
)
def test_a_mistake_in_the_settings_is_told(
    write_config: Callable[..., Path], settings: str, complaint: str
) -> None:
    assert problems(write_config, settings) == [f"networks.irc{complaint}"]


def test_a_secret_stands_in_a_file_of_its_own(write_config: Callable[..., Path]) -> None:
    for setting in ('password = "hunter2"', 'keys."#ops" = "hunter2"', 'sasl.password = "hunter2"'):
        told = problems(write_config, GOOD + setting)
        assert "a secret never stands in this file" in told[0]
        assert "hunter2" not in "".join(told)


def test_a_proof_of_who_speaks_is_one_of_four(write_config: Callable[..., Path]) -> None:
    [told] = problems(write_config, GOOD + 'identity = "trust"')
    assert told == (
        "networks.irc.identity: must be 'accounts', 'trust-nicks', 'codes' or 'read-only', not 'trust'"
    )


@pytest.mark.parametrize("setting", ["tls_ca", "certificate"])
def test_a_certificate_that_is_not_there_is_told_by_its_path(
    write_config: Callable[..., Path], tmp_path: Path, setting: str
) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("gone.pem", "folder"):
        assert problems(write_config, f'{GOOD}{setting} = "{name}"') == [
            f"networks.irc: {tmp_path / name}: no such file"
        ]


def test_whoever_trusts_nicks_is_warned(write_config: Callable[..., Path]) -> None:
    assert problems(write_config, GOOD + 'identity = "trust-nicks"') == [
        "networks.irc.identity: whoever takes the nick of one of the people may act as them there"
    ]


@pytest.mark.parametrize("account", ["#ops", "&ops", "~eve", "@eve", "+eve", "a b", "a,b", "a!b", ":a"])
def test_what_can_not_be_an_account_is_told(write_config: Callable[..., Path], account: str) -> None:
    [told] = problems(write_config, GOOD, account)
    assert told == f"people.carol.accounts.irc: must be the name of an account, not '{account}'"


@pytest.mark.parametrize(("hers", "his"), [("alice", "Alice"), ("Alice", "alice"), ("al[1]", "AL[1]")])
def test_capitals_make_no_other_account(write_config: Callable[..., Path], hers: str, his: str) -> None:
    assert problems(write_config, GOOD, hers, his) == [
        f"people.dave.accounts.irc: {hers.lower()!r} is already the account of carol"
    ]


def test_one_account_on_two_networks_may_be_of_two_people(write_config: Callable[..., Path]) -> None:
    """On the console alice has it."""
    assert problems(write_config, GOOD, "Alice", "Alice_") == []


def test_what_is_not_set_is_set_for_a_server_as_most_are() -> None:
    settings = IrcSettings(server=Address("irc.example.org", 6697), room="#ops")
    assert (settings.tls, settings.nick, settings.second_nick) == (True, "tocsin", "tocsin_")
    assert (settings.burst, settings.pace) == (5, timedelta(seconds=1))
    assert settings.identity is Identity.ACCOUNTS
    assert settings.complaint() == settings.complaint(account="al[1]", room="&x") == ""
    assert settings.complaint(room="a b") == "must be a channel such as '#ops', not 'a b'"
    assert settings.complaint(room="#a b") == "must be a channel such as '#ops', not '#a b'"


def test_a_burst_of_none_would_never_say_anything(write_config: Callable[..., Path]) -> None:
    text = MINIMAL.replace("[networks.console]", f"[networks.console]\n[networks.irc]\n{GOOD}burst = 0")
    settings = daemon.prepare(Document.open(write_config(text))).config.networks["irc"]
    assert isinstance(settings, IrcSettings)
    assert settings.burst == 1
