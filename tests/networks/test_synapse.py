"""What tests of Matrix stand on: the homeserver does what it is started for."""

from pathlib import Path
from signal import SIGKILL, SIGTERM

import pytest

from tests.servers import synapse as servers
from tests.servers.programs import running
from tests.servers.synapse import Account, Refused, Synapse

_CLIENT = "/_matrix/client/v3"


def whoami(synapse: Synapse, account: Account) -> str:
    answer = synapse.call("GET", f"{_CLIENT}/account/whoami", token=account.token)
    assert answer["device_id"] == account.device_id
    user: str = answer["user_id"]
    return user


def sends(synapse: Synapse, account: Account, room: str, txn_id: str) -> str:
    path = f"{_CLIENT}/rooms/{room}/send/m.room.message/{txn_id}"
    body = {"msgtype": "m.text", "body": "hello"}
    event: str = synapse.call("PUT", path, body, account.token)["event_id"]
    return event


def says_twenty(synapse: Synapse, account: Account, room: str) -> None:
    for number in range(20):
        sends(synapse, account, room, f"{number}")


def room_of(synapse: Synapse, account: Account) -> str:
    room: str = synapse.call("POST", f"{_CLIENT}/createRoom", {}, account.token)["room_id"]
    return room


def test_who_is_registered_is_signed_in(synapse: Synapse) -> None:
    one, other = synapse.register("walter"), synapse.register("walter")
    assert one.user_id == "@walter:tocsin.test"
    assert (whoami(synapse, one), whoami(synapse, other)) == (one.user_id, other.user_id)
    assert one.user_id != other.user_id
    assert one.token not in repr(one)


def test_a_further_device_is_another_one_of_the_same_person(synapse: Synapse) -> None:
    phone = synapse.register("wanda")
    laptop = synapse.login(phone)
    assert whoami(synapse, laptop) == whoami(synapse, phone) == phone.user_id
    assert laptop.device_id != phone.device_id


def test_a_token_that_was_revoked_is_good_no_more(synapse: Synapse) -> None:
    account = synapse.register("walter")
    synapse.revoke(account)
    with pytest.raises(Refused) as caught:
        whoami(synapse, account)
    assert (caught.value.status, caught.value.code) == (401, "M_UNKNOWN_TOKEN")
    again = synapse.login(account)
    assert whoami(synapse, again) == account.user_id


def test_an_account_is_locked_for_a_while(synapse: Synapse) -> None:
    account = synapse.register("walter")
    synapse.lock(account)
    with pytest.raises(Refused) as caught:
        whoami(synapse, account)
    assert (caught.value.status, caught.value.code) == (401, "M_USER_LOCKED")
    synapse.lock(account, locked=False)
    assert whoami(synapse, account) == account.user_id


def test_an_account_is_ended(synapse: Synapse) -> None:
    account = synapse.register("walter")
    synapse.deactivate(account)
    with pytest.raises(Refused, match="M_UNKNOWN_TOKEN"):
        whoami(synapse, account)
    with pytest.raises(Refused, match="M_FORBIDDEN"):
        synapse.login(account)


@pytest.mark.parametrize("signal", [SIGKILL, SIGTERM], ids=["killed", "in order"])
def test_a_server_that_has_ended_comes_again_as_it_was(signal: int, tmp_path: Path) -> None:
    with running(Synapse(tmp_path / "synapse")) as synapse:
        account = synapse.register("walter")
        room = room_of(synapse, account)
        event = sends(synapse, account, room, "one")
        synapse.ends(signal)
        with pytest.raises(ConnectionRefusedError):
            whoami(synapse, account)
        synapse.start()
        assert whoami(synapse, account) == account.user_id
        assert sends(synapse, account, room, "one") == event
        assert sends(synapse, account, room, "two") != event


def test_a_server_that_is_frozen_says_nothing_and_has_lost_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(Synapse(tmp_path / "synapse")) as synapse:
        account = synapse.register("walter")
        synapse.freezes()
        with monkeypatch.context() as patch:
            patch.setattr(servers, "PATIENCE", 0.2)
            with pytest.raises(TimeoutError):
                whoami(synapse, account)
        synapse.thaws()
        assert whoami(synapse, account) == account.user_id


def test_who_is_too_fast_is_slowed_down_where_there_are_limits(synapse: Synapse, tmp_path: Path) -> None:
    with running(Synapse(tmp_path / "synapse", limits=True)) as limited:
        account = limited.register("walter")
        room = room_of(limited, account)
        with pytest.raises(Refused) as caught:
            says_twenty(limited, account, room)
        assert (caught.value.status, caught.value.code) == (429, "M_LIMIT_EXCEEDED")
        assert caught.value.answer["retry_after_ms"] > 0
        limited.lift_limit(account)
        says_twenty(limited, account, room)
    account = synapse.register("walter")
    says_twenty(synapse, account, room_of(synapse, account))


def test_without_its_venv_a_test_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "VENV", tmp_path)
    with pytest.raises(pytest.skip.Exception, match=r"run \.ci/synapse"):
        Synapse(tmp_path / "synapse")
