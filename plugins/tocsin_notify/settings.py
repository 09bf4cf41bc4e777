"""Settings: by which ways a person is reached, and when each rings."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

from tocsin.api import (
    Duration,
    FilePath,
    Name,
    Program,
    Secret,
    Smtp,
    did_you_mean,
    is_mail_address,
    safe_link,
)

KINDS = ("ntfy", "webhook", "smtp", "command", "apprise")

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
PLACEHOLDERS = ("text", "id", "person", "ack_url", "escalate_url")

_FIRST = timedelta(minutes=2)
_EACH = timedelta(minutes=3)


@dataclass(frozen=True)
class Way:
    """One way to ring somebody: exactly one of ntfy, webhook, smtp, command and apprise.

    ntfy: the address of a topic. webhook: an address that is posted to. smtp: a mail address. command: a program that
    gets the text on its standard input. apprise: one of Apprise's own addresses, which is a secret.
    token: sent as `Authorization: Bearer …`; user, password: as basic auth. headers: further ones, each a secret.
    form: what is posted to a webhook, as a form; else JSON. rings: whether it wakes people; mail alone does not.
    """

    ntfy: str = ""
    webhook: str = ""
    smtp: str = ""
    command: Program = ()
    apprise: Secret | None = None
    token: Secret | None = None
    user: str = ""
    password: Secret | None = None
    headers: Mapping[str, Secret] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    rings: bool | None = None

    def __post_init__(self) -> None:
        kinds = [kind for kind in KINDS if getattr(self, kind)]
        if len(kinds) != 1:
            raise ValueError(f"is one of ntfy, webhook, smtp, command and apprise, not {len(kinds)} of them")
        over_http = self.kind in ("ntfy", "webhook")
        if (self.token or self.user or self.password or self.headers) and not over_http:
            raise ValueError("token, user, password and headers are for ntfy and webhook")
        if self.form and not self.webhook:
            raise ValueError("form is for webhook")
        if self.token is not None and self.password is not None:
            raise ValueError("takes either a token, or a user and a password")
        if bool(self.user) is not (self.password is not None):
            raise ValueError("user and password go together")
        _check_headers(self.headers)
        _check_form(self.form)
        if self.ntfy:
            _check_topic(self.ntfy)
        if self.webhook:
            _check_address("webhook", self.webhook)
        if self.smtp and not is_mail_address(self.smtp):
            raise ValueError(f"smtp must be a mail address such as 'alice@example.org', not {self.smtp!r}")

    @property
    def kind(self) -> str:
        return next(kind for kind in KINDS if getattr(self, kind))

    @property
    def wakes(self) -> bool:
        """Whether it is a ringer: it wakes who sleeps."""
        return self.kind != "smtp" if self.rings is None else self.rings

    @property
    def target(self) -> str:
        """What is reached by it, for counting how much is under way there at once; nothing secret."""
        return urlsplit(self.ntfy or self.webhook).netloc or self.kind


def _check_headers(headers: Mapping[str, Secret]) -> None:
    for name in headers:
        if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", name):
            raise ValueError(f"headers: {name!r} can't be the name of a header")


def _check_form(form: Mapping[str, str]) -> None:
    for name, value in form.items():
        for found in PLACEHOLDER.findall(value):
            if found not in PLACEHOLDERS:
                known = ", ".join(f"{{{one}}}" for one in PLACEHOLDERS)
                hint = did_you_mean(found, PLACEHOLDERS) or f"; there is {known}"
                raise ValueError(f"form.{name}: nothing is called {{{found}}}{hint}")


def _check_address(name: str, url: str) -> None:
    if not safe_link(url):
        raise ValueError(
            f"{name} must be an address such as 'https://sms.example.org/send', without a user in it"
        )


def _check_topic(url: str) -> None:
    topic = urlsplit(url).path.strip("/")
    if not safe_link(url) or set("?#") & set(url) or not re.fullmatch(r"(.*/)?[-_A-Za-z0-9]{1,64}", topic):
        raise ValueError("ntfy must be the address of a topic, such as 'https://ntfy.example.org/alice'")


@dataclass(frozen=True)
class Step:
    """When a way rings. after: how long after the page began."""

    way: Name
    after: Duration = timedelta(0)


@dataclass(frozen=True)
class Person:
    """How a person is rung.

    ways: by the names that the person knows them by. default, urgent: which of them ring and when, for a page that is
    not urgent and for one that is; without it all of them, in their order.
    """

    ways: Mapping[Name, Way] = field(default_factory=dict)
    default: tuple[Step, ...] | None = None
    urgent: tuple[Step, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("default", "urgent"):
            steps = getattr(self, name) or ()
            for step in steps:
                if step.way not in self.ways:
                    raise ValueError(
                        f"{name}: no way is called {step.way!r}{did_you_mean(step.way, self.ways)}"
                    )
            if len({step.way for step in steps}) < len(steps):
                raise ValueError(f"{name}: names a way twice")

    def steps(self, *, urgent: bool) -> Sequence[Step]:
        """Which ways ring for a page, the first first."""
        wanted = self.urgent if urgent else self.default
        if wanted is None:
            waits = (timedelta(0) if urgent else _FIRST + _EACH * number for number in range(len(self.ways)))
            wanted = tuple(Step(way, after) for way, after in zip(self.ways, waits, strict=True))
        return sorted(wanted, key=lambda step: step.after)

    @property
    def ringers(self) -> Sequence[str]:
        """The ways that wake."""
        return [name for name, way in self.ways.items() if way.wakes]


@dataclass(frozen=True)
class Reach:
    """What all ways of everybody share. tls_ca: who signs the servers' certificates, if the system doesn't know them."""

    smtp: Smtp | None = None
    tls_ca: FilePath | None = None
