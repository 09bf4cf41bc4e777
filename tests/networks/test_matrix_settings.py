"""Matrix: what the configuration says."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tocsin.domain.oncall import Identity
from tocsin.networks.matrix.settings import MatrixSettings

from tests.networks.settings_parts import complaints

SERVER = 'homeserver = "https://matrix.example.org"\n'
USER = 'user = "@tocsin:example.org"\n'
GOOD = f'{SERVER}{USER}room = "#ops:example.org"\n'
HOMESERVER = "must be the address of a homeserver such as 'https://matrix.example.org', not"
ROOM = "must be a room such as '#ops:example.org' or '!id:example.org', not"


def problems(
    write_config: Callable[..., Path], settings: str, account: str = "@carol:example.org"
) -> list[str]:
    return complaints(write_config, "matrix", settings, account)


@pytest.mark.parametrize(
    "settings",
    [
        f'{SERVER}{USER}room = "!abc:example.org:8448"',
        f'{SERVER}{USER}room = "!NhVzVsZ1JMYvJBzBZmXmKv0Vx5SDHZK5yQ4y9N5uG7s"',
        f'{SERVER}{USER}room = "#Läden:[::1]:8448"',
        f'{USER}room = "#ops:a"\nhomeserver = "http://127.0.0.1:8008/"',
        f'{USER}room = "#ops:a"\nhomeserver = "http://localhost:8008/synapse/"',
        f'{USER}room = "#ops:a"\nhomeserver = "http://[::1]:8008"',
        f'{SERVER}user = "@Bob/old!=x:10.0.0.1:80"\nroom = "#ops:a"',
        f'{GOOD}token.file = "prod.token"\ndevice = "ABCDEF_-"\ntls_ca = "prod.token"',
        f"{GOOD}unverified = false\nreactions = false",
        f'{GOOD}burst = 0\npace = "0s"',
    ],
)
def test_settings_that_can_be_used_are(write_config: Callable[..., Path], settings: str) -> None:
    assert problems(write_config, settings) == []


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ("", ".homeserver: is required"),
        (f"{GOOD}identity = 'codes'", ".identity: no such setting"),
        *(
            (f'homeserver = "{text}"\n{USER}room = "#o:a"', f".homeserver: {HOMESERVER} '{text}'")
            for text in (
                "example.org",
                "ftp://a",
                "https://",
                "https://a:x",
                "https://u@a",
                "https://a?b",
                "https://a b",
            )
        ),
        (
            f'homeserver = "http://a.org"\n{USER}room = "#o:a"',
            ".homeserver: would send the account's token in the clear: say https, not 'http://a.org'",
        ),
        *(
            (
                f'{SERVER}user = "{text}"\nroom = "#o:a"',
                f".user: must be a Matrix ID such as '@alice:example.org', not '{text}'",
            )
            for text in (
                "tocsin",
                "@tocsin",
                "tocsin:a",
                "@:a",
                "@a b:c",
                "@ä:b",
                "@a:b c",
                f"@{'a' * 255}:b",
            )
        ),
        *(
            (f'{SERVER}{USER}room = "{text}"', f": room {ROOM} '{text}'")
            for text in ("ops", "#ops", "!", "#:a", "@ops:a", "#ops:a/b", f"#{'ä' * 130}:b")
        ),
        (f'{GOOD}device = "a b"', ".device: must be 1 to 64 of A-Z, a-z, 0-9, '-' and '_', not 'a b'"),
    ],
)
def test_a_mistake_in_the_settings_is_told(
    write_config: Callable[..., Path], settings: str, complaint: str
) -> None:
    assert problems(write_config, settings)[0].startswith(f"networks.matrix{complaint}")


@pytest.mark.parametrize("account", ["carol", "@carol", "@cärol:a", "#carol:a"])
def test_what_can_not_be_an_account_is_told(write_config: Callable[..., Path], account: str) -> None:
    assert problems(write_config, GOOD, account) == [
        f"people.carol.accounts.matrix: must be a Matrix ID such as '@alice:example.org', not '{account}'"
    ]


def test_a_token_stands_in_a_file_of_its_own(write_config: Callable[..., Path]) -> None:
    [told] = problems(write_config, f'{GOOD}token = "syt_secret"')
    assert "a secret never stands in this file" in told
    assert "syt_secret" not in told


def test_what_is_not_set_is_set_for_a_synapse_as_it_comes() -> None:
    settings = MatrixSettings(homeserver="https://a.org", user="@t:a.org", room="#ops:a.org")
    assert (settings.device, settings.burst, settings.pace) == ("TOCSIN", 10, timedelta(seconds=5))
    assert (settings.unverified, settings.reactions) == (True, True)
    assert settings.identity is Identity.ACCOUNTS
