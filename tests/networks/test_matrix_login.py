"""`tocsin matrix login`, on a real homeserver."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tocsin.networks.matrix.secret_storage import read_recovery_key, seal
from tocsin.networks.matrix.signing import Published, b64

from tests.conftest import MINIMAL
from tests.networks.matrix_account import keys_of
from tests.servers.synapse import Account as Person
from tests.servers.synapse import Refused, Synapse
from tests.typed import secret, typed

Login = Callable[..., Result]
_CLIENT = "/_matrix/client/v3"

RECOVERY_KEY = "EsTc LW2K PGiF wKEA 3As5 g5c4 BXwk qeeJ ZJV8 Q9fu gUMN UE4d"


@pytest.fixture
def person(synapse: Synapse) -> Person:
    return synapse.register("bot")


@pytest.fixture
def login(synapse: Synapse, person: Person, write_config: Callable[..., Path], tmp_path: Path) -> Login:
    """Type `tocsin matrix login` with these options; settings: what else the network's table says."""

    def run(*options: str, settings: str = "", password: str = person.password) -> Result:
        table = (
            f'homeserver = "{synapse.url}"\nuser = "{person.user_id}"\nroom = "#ops:tocsin.test"\n{settings}'
        )
        path = write_config(f"{MINIMAL}\n[networks.matrix]\n{table}\n")
        if "--token-file" not in options:
            options = (*options, "--password-file", secret(tmp_path / "password", password))
        ran = typed("matrix", "login", "--config", path, *options)
        assert person.password not in ran.output
        return ran

    return run


def kept(tmp_path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((tmp_path / "state" / "matrix-matrix" / "account.json").read_text())
    return found


def seeds(tmp_path: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(
        (tmp_path / "state" / "matrix-matrix" / "cross-signing.json").read_text()
    )
    return found


def identity_of(synapse: Synapse, person: Person) -> Published:
    asks = synapse.register("alice")
    return Published.of(keys_of(synapse, person.user_id, asks.token), person.user_id)


def whoami(synapse: Synapse, token: str) -> Mapping[str, Any]:
    return synapse.call("GET", f"{_CLIENT}/account/whoami", token=token)


def test_a_login_keeps_a_token_and_makes_an_identity(
    synapse: Synapse, person: Person, login: Login, tmp_path: Path
) -> None:
    ran = login()
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert ran.stdout.splitlines() == [
        f"logged in as {person.user_id} on device TOCSIN",
        "the account has an identity now, which vouches for this device",
        f"kept in {tmp_path / 'state' / 'matrix-matrix'}",
    ]
    assert whoami(synapse, kept(tmp_path)["token"])["device_id"] == "TOCSIN"
    assert identity_of(synapse, person).master
    devices = synapse.call("GET", f"{_CLIENT}/devices", token=kept(tmp_path)["token"])["devices"]
    assert [each["display_name"] for each in devices if each["device_id"] == "TOCSIN"] == ["Tocsin"]


def test_a_login_that_still_holds_is_not_made_again(
    synapse: Synapse, person: Person, login: Login, tmp_path: Path
) -> None:
    login()
    before, identity, secrets = kept(tmp_path), identity_of(synapse, person), seeds(tmp_path)
    ran = login(password="wrong")
    assert ran.stdout.splitlines()[0] == f"still logged in as {person.user_id} on device TOCSIN"
    assert (kept(tmp_path), identity_of(synapse, person), seeds(tmp_path)) == (before, identity, secrets)


def test_after_the_token_was_revoked_the_identity_is_the_same(
    synapse: Synapse, person: Person, login: Login, tmp_path: Path
) -> None:
    login()
    before = identity_of(synapse, person)
    synapse.revoke(person)
    assert login().exit_code == 0
    assert identity_of(synapse, person).master == before.master
    assert whoami(synapse, kept(tmp_path)["token"])["device_id"] == "TOCSIN"


def test_a_wrong_password_is_said(login: Login, tmp_path: Path) -> None:
    ran = login(password="wrong")
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert "M_FORBIDDEN: Invalid username or password" in ran.stderr
    assert not (tmp_path / "state" / "matrix-matrix").exists()


def test_a_homeserver_that_is_not_there_is_said(login: Login) -> None:
    ran = login(settings='tls_ca = "prod.token"')
    assert ran.exit_code == 1
    assert "can't be used" in ran.stderr


def test_a_long_lived_token_is_taken_if_it_is_that_of_the_device(
    person: Person, login: Login, tmp_path: Path
) -> None:
    file = secret(tmp_path / "token", person.token)
    ran = login("--token-file", file)
    assert ran.exit_code == 1
    assert ran.stderr == (
        f"the token belongs to the device {person.device_id}: set device = '{person.device_id}' and try again\n"
    )
    ran = login("--token-file", file, settings=f'device = "{person.device_id}"')
    assert ran.exit_code == 0, ran.stderr
    assert kept(tmp_path)["token"] == person.token
    assert person.token not in ran.output


def test_a_token_in_the_settings_needs_no_password(person: Person, login: Login, tmp_path: Path) -> None:
    secret(tmp_path / "matrix.token", person.token)
    ran = login(settings=f'device = "{person.device_id}"\ntoken.file = "matrix.token"', password="wrong")
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert not (tmp_path / "state" / "matrix-matrix" / "account.json").exists()
    assert seeds(tmp_path)


def test_a_token_of_somebody_else_is_refused(synapse: Synapse, login: Login, tmp_path: Path) -> None:
    eve = synapse.register("eve")
    ran = login("--token-file", secret(tmp_path / "token", eve.token))
    assert ran.exit_code == 1
    assert f"the token is that of {eve.user_id}, and the settings name" in ran.stderr


def test_who_was_another_device_before_is_logged_out_there(
    synapse: Synapse, person: Person, login: Login, tmp_path: Path
) -> None:
    login()
    before = kept(tmp_path)["token"]
    ran = login(settings='device = "TOCSIN2"')
    assert f"logged out {person.user_id} on device TOCSIN, which is of no use any more" in ran.stdout
    assert whoami(synapse, kept(tmp_path)["token"])["device_id"] == "TOCSIN2"
    with pytest.raises(Refused):
        whoami(synapse, before)


def test_an_identity_whose_secrets_are_elsewhere_is_never_replaced_silently(
    synapse: Synapse, person: Person, login: Login, tmp_path: Path
) -> None:
    login()
    (tmp_path / "state").rename(tmp_path / "elsewhere")
    before = identity_of(synapse, person)
    ran = login()
    assert ran.exit_code == 1
    assert "the account has an identity already, and its secrets are not here" in ran.stderr
    assert "--recovery-key-file" in ran.stderr
    assert "--replace-identity" in ran.stderr
    assert identity_of(synapse, person) == before
    assert not (tmp_path / "state" / "matrix-matrix" / "cross-signing.json").exists()
    ran = login("--replace-identity")
    assert ran.exit_code == 0, ran.stderr
    assert identity_of(synapse, person).master not in {"", before.master}


def test_an_identity_that_was_replaced_is_set_aside(login: Login, tmp_path: Path) -> None:
    login()
    first = seeds(tmp_path)
    ran = login("--replace-identity", password="wrong")
    assert ran.exit_code == 1
    assert "M_FORBIDDEN" in ran.stderr
    assert login().exit_code == 0  # the homeserver still has the first one
    assert seeds(tmp_path) == first
    ran = login("--replace-identity")
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert seeds(tmp_path) != first
    aside = (tmp_path / "state" / "matrix-matrix").glob("cross-signing.*.json")
    assert first in [json.loads(path.read_text()) for path in aside]


def put_into_secret_storage(synapse: Synapse, person: Person, token: str, secrets: Mapping[str, str]) -> None:
    """As other clients do it."""
    key = read_recovery_key(RECOVERY_KEY)

    def puts(kind: str, content: object) -> None:
        synapse.call("PUT", f"{_CLIENT}/user/{person.user_id}/account_data/{kind}", content, token)

    def sealed(name: str, text: bytes) -> dict[str, str]:
        return {part: b64(raw) for part, raw in seal(key, name, text, bytes(16)).items()}

    proof = sealed("", bytes(32))
    about = {"algorithm": "m.secret_storage.v1.aes-hmac-sha2", "iv": proof["iv"], "mac": proof["mac"]}
    puts("m.secret_storage.key.KEY", about)
    puts("m.secret_storage.default_key", {"key": "KEY"})
    for usage, seed in secrets.items():
        name = f"m.cross_signing.{usage}"
        puts(name, {"encrypted": {"KEY": sealed(name, seed.encode())}})


def test_an_identity_is_restored_with_the_recovery_key(
    synapse: Synapse, person: Person, login: Login, tmp_path: Path
) -> None:
    login()
    first = seeds(tmp_path)
    put_into_secret_storage(synapse, person, kept(tmp_path)["token"], first)
    (tmp_path / "state" / "matrix-matrix" / "cross-signing.json").unlink()
    ran = login("--recovery-key-file", secret(tmp_path / "recovery", "EsTc GVzr JB1n"))
    assert ran.exit_code == 1
    assert "this is no recovery key: it is 48 letters and digits, in groups of four" in ran.stderr
    ran = login("--recovery-key-file", secret(tmp_path / "recovery", RECOVERY_KEY))
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert "the account's identity was restored with its recovery key" in ran.stdout
    assert seeds(tmp_path) == first


def test_secret_storage_of_another_identity_is_refused(
    synapse: Synapse, person: Person, login: Login, tmp_path: Path
) -> None:
    login()
    put_into_secret_storage(synapse, person, kept(tmp_path)["token"], seeds(tmp_path))
    login("--replace-identity")
    second = seeds(tmp_path)
    ran = login("--recovery-key-file", secret(tmp_path / "recovery", RECOVERY_KEY))
    assert ran.exit_code == 1
    assert "holds another identity than the one that the account has now" in ran.stderr
    assert seeds(tmp_path) == second


def test_a_password_is_never_read_from_what_is_no_terminal(login: Login, tmp_path: Path) -> None:
    login()
    path = tmp_path / "config.toml"
    (tmp_path / "state" / "matrix-matrix" / "account.json").unlink()
    ran = typed("matrix", "login", "--config", path, answers="x\n")
    assert ran.exit_code == 1
    assert ran.stderr == "there is no terminal to type the password on: use --password-file\n"


def test_a_password_that_others_may_read_is_refused(login: Login, tmp_path: Path) -> None:
    login()
    file = Path(secret(tmp_path / "password", "x"))
    file.chmod(0o644)
    ran = typed("matrix", "login", "--config", tmp_path / "config.toml", "--recovery-key-file", file)
    assert ran.exit_code == 2


def test_which_network_is_meant(write_config: Callable[..., Path]) -> None:
    path = write_config()
    ran = typed("matrix", "login", "--config", path)
    assert (ran.exit_code, ran.stderr) == (
        2,
        f"{path}: there is no Matrix network: add [networks.matrix]\n",
    )
    tables = "".join(
        f'[networks.{name}]\nkind = "matrix"\nhomeserver = "https://m.org"\nuser = "@t:m.org"\nroom = "!a:m.org"\n'
        for name in ("work", "home")
    )
    path = write_config(f"{MINIMAL}\n{tables}")
    ran = typed("matrix", "login", "--config", path)
    assert ran.stderr == f"{path}: say on which network: there is work and home\n"
    ran = typed("matrix", "login", "--config", path, "wrok")
    assert ran.stderr == f"{path}: no Matrix network is called 'wrok': there is work and home\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_makes_belongs_to_the_owner_of_the_state_folder(login: Login, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    os.chown(state, 12345, 12345)
    assert login().exit_code == 0
    made = [state / "matrix-matrix", *(state / "matrix-matrix").iterdir()]
    assert len(made) == 3
    assert {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(12345, 12345)}
