"""Signatures, identities and recovery keys of Matrix: what anybody may claim, and what holds."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.networks.matrix.secret_storage import open_secret, opens, read_recovery_key, seal
from tocsin.networks.matrix.signing import (
    Identity,
    Published,
    SigningKey,
    b64,
    canonical,
    signed_by,
    unb64,
)

ALICE = "@alice:example.org"
CURVE = b64(bytes(range(32)))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def answer(identity: Identity, device: SigningKey, *, vouched: bool = True) -> dict[str, Any]:
    """What `/keys/query` says of her."""
    keys: dict[str, Any] = {
        "user_id": ALICE,
        "device_id": "PHONE",
        "algorithms": [],
        "keys": {"ed25519:PHONE": device.public, "curve25519:PHONE": CURVE},
        "unsigned": {"device_display_name": "phone"},
    }
    own = device.signed(keys, ALICE)
    own["signatures"][ALICE] = {"ed25519:PHONE": own["signatures"][ALICE][device.id]}
    parts = identity.published(ALICE)
    return {
        "device_keys": {ALICE: {"PHONE": identity.self_signing.signed(own, ALICE) if vouched else own}},
        "master_keys": {ALICE: parts["master_key"]},
        "self_signing_keys": {ALICE: parts["self_signing_key"]},
    }


@pytest.fixture
def identity() -> Identity:
    return Identity.new()


@pytest.fixture
def device() -> SigningKey:
    return SigningKey.new()


def test_a_device_that_the_identity_signed_is_vouched_for(identity: Identity, device: SigningKey) -> None:
    found = Published.of(answer(identity, device), ALICE)
    assert (found.master, found.self_signing) == (identity.master.public, identity.self_signing.public)
    assert found.devices["PHONE"].vouched
    assert (found.devices["PHONE"].ed25519, found.devices["PHONE"].curve25519) == (device.public, CURVE)
    plain = Published.of(answer(identity, device, vouched=False), ALICE)
    assert not plain.devices["PHONE"].vouched


def of_somebody_else(told: dict[str, Any]) -> None:
    told["master_keys"][ALICE]["user_id"] = "@eve:example.org"


def of_another_use(told: dict[str, Any]) -> None:
    told["master_keys"][ALICE]["usage"] = ["self_signing"]


def with_two_masters(told: dict[str, Any]) -> None:
    other = SigningKey.new()
    told["master_keys"][ALICE]["keys"][other.id] = other.public


def with_another_master(told: dict[str, Any]) -> None:
    told["master_keys"][ALICE] = Identity.new().published(ALICE)["master_key"]


def with_another_self_signing_key(told: dict[str, Any]) -> None:
    told["self_signing_keys"][ALICE] = Identity.new().published(ALICE)["self_signing_key"]


def without_a_master(told: dict[str, Any]) -> None:
    del told["master_keys"]


def with_a_signature_that_is_none(told: dict[str, Any]) -> None:
    told["device_keys"][ALICE]["PHONE"]["signatures"][ALICE] |= {
        key: "AAAA"
        for key in told["device_keys"][ALICE]["PHONE"]["signatures"][ALICE]
        if key != "ed25519:PHONE"
    }


@pytest.mark.parametrize(
    "forged",
    [
        of_somebody_else,
        of_another_use,
        with_two_masters,
        with_another_master,
        with_another_self_signing_key,
        without_a_master,
        with_a_signature_that_is_none,
    ],
)
def test_a_chain_that_does_not_hold_vouches_for_nothing(
    identity: Identity, device: SigningKey, forged: Callable[[dict[str, Any]], None]
) -> None:
    told = copy.deepcopy(answer(identity, device))
    forged(told)
    found = Published.of(told, ALICE)
    assert not found.devices["PHONE"].vouched


@pytest.mark.parametrize(
    "change",
    [
        {"user_id": "@eve:example.org"},
        {"device_id": "LAPTOP"},
        {"keys": {}},
        {"keys": {"ed25519:PHONE": CURVE, "curve25519:PHONE": CURVE}},
        {"keys": {"ed25519:PHONE": 1, "curve25519:PHONE": CURVE}},
        {"algorithms": ["other"]},
        {"signatures": {}},
        {"signatures": 7},
    ],
)
def test_a_device_that_does_not_sign_itself_is_none(
    identity: Identity, device: SigningKey, change: dict[str, Any]
) -> None:
    told = answer(identity, device)
    told["device_keys"][ALICE]["PHONE"] |= change
    assert Published.of(told, ALICE).devices == {}


@given(JSON)
def test_whatever_a_homeserver_says_is_read(told: Any) -> None:
    assert Published.of(told, ALICE).devices == {}
    for part in ("device_keys", "master_keys", "self_signing_keys"):
        assert Published.of({part: told}, ALICE).master == ""
        assert Published.of({part: {ALICE: told}}, ALICE).devices == {}


def test_a_signature_covers_what_the_specification_says() -> None:
    """The example of its appendix "Signing JSON"."""
    key = SigningKey(unb64("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1"))
    assert key.public == "XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI"
    signed = key.signed({"one": 1, "two": "Two"}, "domain")
    assert signed["signatures"]["domain"][key.id] == (
        "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw"
    )
    assert signed_by(signed, "domain", key.id, key.public)
    assert not signed_by({**signed, "one": 2}, "domain", key.id, key.public)
    assert signed_by({**signed, "unsigned": {"age": 1}}, "domain", key.id, key.public)


def test_json_in_its_one_form() -> None:
    assert canonical({"b": "日本", "a": [1, {"d": None, "c": True}], "unsigned": 1, "signatures": 2}) == (
        '{"a":[1,{"c":true,"d":null}],"b":"日本"}'.encode()
    )


def test_an_identity_comes_back_from_its_seeds(identity: Identity) -> None:
    assert Identity.of(identity.seeds()) == identity
    assert identity.seeds()["master"] not in repr(identity)
    with pytest.raises(ValueError, match="the user_signing key is missing"):
        Identity.of({name: seed for name, seed in identity.seeds().items() if name != "user_signing"})


# Recovery keys.

RECOVERY_KEY = "EsTc LW2K PGiF wKEA 3As5 g5c4 BXwk qeeJ ZJV8 Q9fu gUMN UE4d"
OPENS_WITH = bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")


def test_a_recovery_key_is_read_however_it_is_grouped() -> None:
    assert read_recovery_key(RECOVERY_KEY) == OPENS_WITH
    assert read_recovery_key(RECOVERY_KEY.replace(" ", "")) == OPENS_WITH


@pytest.mark.parametrize(
    "typed", ["", "E", "0", RECOVERY_KEY[:-1], RECOVERY_KEY[:-1] + "e", RECOVERY_KEY * 5, "é" + RECOVERY_KEY]
)
def test_a_recovery_key_with_a_slip_is_refused_and_never_repeated(typed: str) -> None:
    with pytest.raises(ValueError, match="this is no recovery key") as caught:
        read_recovery_key(typed)
    assert not typed or typed not in str(caught.value) or len(typed) < 3


@given(st.binary(min_size=1), st.binary(min_size=16, max_size=16), st.text())
def test_what_is_sealed_opens_with_its_key_and_name_alone(secret: bytes, iv: bytes, name: str) -> None:
    sealed = {part: b64(raw) for part, raw in seal(OPENS_WITH, name, secret, iv).items()}
    assert open_secret(OPENS_WITH, name, sealed) == secret
    for key, other in ((bytes(32), name), (OPENS_WITH, name + "x")):
        with pytest.raises(ValueError, match="can't be opened by this recovery key"):
            open_secret(key, other, sealed)


def test_whose_recovery_key_it_is() -> None:
    proof = seal(OPENS_WITH, "", bytes(32), bytes(16))
    about = {"iv": b64(proof["iv"]), "mac": b64(proof["mac"])}
    assert opens(OPENS_WITH, about)
    assert not opens(bytes(32), about)
    assert not opens(OPENS_WITH, {})
    assert not opens(OPENS_WITH, {"iv": 1, "mac": None})
