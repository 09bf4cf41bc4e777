"""A real Matrix homeserver: Synapse, from the venv that `.ci/synapse` makes."""

import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.processes import PATIENCE
from tests.servers.programs import HOST, Child, Server

DOMAIN = "tocsin.test"

VENV = Path(__file__).parents[2] / ".venv-synapse"

_SECRET = "shared secret of tests"

# Made once for all: a server that has none would need seconds to make one.
_SIGNING_KEY = "ed25519 a_test r6w2W0y6tyBsUvsWyO9nhpXnOcWvNRwVRoHrfYwMuQ8\n"

_LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"log": {"class": "logging.StreamHandler"}},
    "root": {"level": "WARNING", "handlers": ["log"]},
}

_NO_LIMIT = {"per_second": 1_000_000, "burst_count": 1_000_000}

_NO_LIMITS = {
    "rc_message": _NO_LIMIT,
    "rc_registration": _NO_LIMIT,
    "rc_login": {"address": _NO_LIMIT, "account": _NO_LIMIT, "failed_attempts": _NO_LIMIT},
    "rc_joins": {"local": _NO_LIMIT, "remote": _NO_LIMIT},
    "rc_joins_per_room": _NO_LIMIT,
    "rc_invites": {"per_room": _NO_LIMIT, "per_user": _NO_LIMIT, "per_issuer": _NO_LIMIT},
    "rc_room_creation": _NO_LIMIT,
    "rc_key_requests": _NO_LIMIT,
    "rc_admin_redaction": _NO_LIMIT,
    "rc_media_create": _NO_LIMIT,
    "rc_presence": {"per_user": _NO_LIMIT},
}


@dataclass(frozen=True)
class Account:
    """Somebody on a homeserver, signed in on one device. name: the part of the user id before the colon."""

    name: str
    user_id: str
    password: str = field(repr=False)
    device_id: str
    token: str = field(repr=False)


class Refused(Exception):
    """A homeserver does not do it. status: of HTTP. code: Matrix's, such as `M_FORBIDDEN`. answer: all it says."""

    def __init__(self, status: int, answer: dict[str, Any]) -> None:
        super().__init__(f"{status} {answer}")
        self.status = status
        self.code: str = answer.get("errcode", "")
        self.answer = answer


def installed() -> Path:
    """The Python that runs it; without it the test is skipped."""
    if not (VENV / "made-from").exists():
        pytest.skip("Synapse is missing: run .ci/synapse")
    return VENV / "bin" / "python"


# Most of what it took was waiting for the disk. What it was told outlives its being killed all the same: what is lost
# is what a machine without power would lose.
_UNSYNCED = """
from synapse.app.homeserver import main
from synapse.storage.engines.sqlite import Sqlite3Engine

prepares = Sqlite3Engine.on_new_connection

def does_not_wait(self, connection):
    prepares(self, connection)
    connection.execute("PRAGMA synchronous = OFF")

Sqlite3Engine.on_new_connection = does_not_wait
main()
"""


class Synapse(Server):
    """One with its state in a folder.

    url: of its client API. limits: whether it slows down who is too fast, as it comes. synced: whether it waits for the
    disk, as it comes. services: the registrations of application services.
    """

    starts_within = 60.0  # with an empty database it takes seconds even where nothing else runs

    def __init__(
        self, folder: Path, *, limits: bool = False, synced: bool = False, services: Sequence[Path] = ()
    ) -> None:
        """Prepare one in a new folder."""
        python = installed()
        super().__init__(folder)
        self.limits = limits
        self._services = services
        self.url = f"http://{HOST}:{self.port}"
        self._names: Counter[str] = Counter()
        self._admin: Account | None = None
        settings = self.folder / "homeserver.yaml"  # JSON is YAML
        settings.write_text(json.dumps(self._settings()))
        (self.folder / "logging.yaml").write_text(json.dumps(_LOGGING))
        (self.folder / "signing.key").write_text(_SIGNING_KEY)
        app = ["-m", "synapse.app.homeserver"] if synced else ["-c", _UNSYNCED]
        command: list[str | Path] = [python, *app, "-c", settings]
        self._child = Child(command, self.folder / "synapse.log")

    def register(self, name: str, *, admin: bool = False) -> Account:
        """Make an account, signed in on a device. If somebody has the name, a number is put behind it."""
        self._names[name] += 1
        if (number := self._names[name]) > 1:
            name = f"{name}-{number}"
        password = f"password of {name}"
        path = "/_synapse/admin/v1/register"
        words = [self.call("GET", path)["nonce"], name, password, "admin" if admin else "notadmin"]
        mac = hmac.new(_SECRET.encode(), "\0".join(words).encode(), hashlib.sha1).hexdigest()
        body = {"nonce": words[0], "username": name, "password": password, "admin": admin, "mac": mac}
        return _account(name, password, self.call("POST", path, body))

    def login(self, account: Account) -> Account:
        """Sign the same person in on a further device, by the password."""
        body = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": account.user_id},
            "password": account.password,
        }
        return _account(account.name, account.password, self.call("POST", "/_matrix/client/v3/login", body))

    def revoke(self, account: Account) -> None:
        """Sign somebody out everywhere: none of their devices and tokens is good any more."""
        path = f"/_synapse/admin/v2/users/{quote(account.user_id)}"
        devices = [each["device_id"] for each in self.orders("GET", f"{path}/devices")["devices"]]
        self.orders("POST", f"{path}/delete_devices", {"devices": devices})

    def lock(self, account: Account, *, locked: bool = True) -> None:
        """Lock an account, or let them in again: their tokens are kept meanwhile."""
        self.orders("PUT", f"/_synapse/admin/v2/users/{quote(account.user_id)}", {"locked": locked})

    def deactivate(self, account: Account) -> None:
        """End an account, for good."""
        self.orders("POST", f"/_synapse/admin/v1/deactivate/{quote(account.user_id)}", {"erase": False})

    def lift_limit(self, account: Account) -> None:
        """Slow this one down no more, however much they say."""
        path = f"/_synapse/admin/v1/users/{quote(account.user_id)}/override_ratelimit"
        self.orders("POST", path, {"messages_per_second": 0, "burst_count": 0})

    def orders(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Ask for something as an administrator. Raises Refused."""
        self._admin = self._admin or self.register("root", admin=True)
        return self.call(method, path, body, self._admin.token)

    def call(self, method: str, path: str, body: object = None, token: str = "") -> dict[str, Any]:
        """Ask for something, and wait for the answer. Raises Refused."""
        status, answer = self._ask(method, path, body, token)
        if status != 200:
            raise Refused(status, answer)
        return answer

    def _settings(self) -> dict[str, Any]:
        return {
            "server_name": DOMAIN,
            "public_baseurl": f"{self.url}/",
            "listeners": [
                {
                    "port": self.port,
                    "type": "http",
                    "bind_addresses": [HOST],
                    "resources": [{"names": ["client", "media"]}],
                }
            ],
            "database": {"name": "sqlite3", "args": {"database": str(self.folder / "homeserver.db")}},
            "log_config": str(self.folder / "logging.yaml"),
            "media_store_path": str(self.folder / "media"),
            "signing_key_path": str(self.folder / "signing.key"),
            "pid_file": str(self.folder / "pid"),
            "registration_shared_secret": _SECRET,
            "macaroon_secret_key": _SECRET,
            "form_secret": _SECRET,
            "bcrypt_rounds": 4,
            "federation_domain_whitelist": [],
            "trusted_key_servers": [],
            "report_stats": False,
            "app_service_config_files": [str(service) for service in self._services],
            **({} if self.limits else _NO_LIMITS),
        }

    def _answers(self) -> bool:
        try:
            return self._ask("GET", "/_matrix/client/versions")[0] == 200
        except ConnectionRefusedError:
            return False

    def _ask(
        self, method: str, path: str, body: object = None, token: str = ""
    ) -> tuple[int, dict[str, Any]]:
        link = HTTPConnection(HOST, self.port, timeout=PATIENCE)
        try:
            credential = {"Authorization": f"Bearer {token}"} if token else {}
            link.request(method, path, None if body is None else json.dumps(body), credential)
            answer = link.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            link.close()


def _account(name: str, password: str, answer: dict[str, Any]) -> Account:
    return Account(name, answer["user_id"], password, answer["device_id"], answer["access_token"])
