"""Settings of where metrics are read."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from urllib.parse import urlsplit

from tocsin.api import Duration, FilePath, Secret, safe_link
from tocsin_verification.sources.addresses import forbidden, literal

_SHORTEST, _LONGEST = timedelta(seconds=1), timedelta(minutes=1)


@dataclass(frozen=True)
class SourceSettings:
    """Where metrics are read, and how we prove who we are: by a token, by user and password, or not at all.

    url: without `/api/v1` or `/render`. tls_ca: who signs its certificate, if the system doesn't know them.
    answers_within: how long it may take to answer a question.
    """

    kind: Literal["prometheus", "graphite"]
    url: str
    token: Secret | None = None
    user: str = ""
    password: Secret | None = None
    tls_ca: FilePath | None = None
    answers_within: Duration = timedelta(seconds=10)

    def __post_init__(self) -> None:
        check_url(self.url, "http://127.0.0.1:9090" if self.kind == "prometheus" else "http://127.0.0.1:8080")
        if set("?#") & set(self.url):
            raise ValueError("url holds no '?' and no '#': it is where the server's own paths begin")
        if self.token is not None and self.password is not None:
            raise ValueError("takes either a token, or a user and a password")
        if bool(self.user) is not (self.password is not None):
            raise ValueError("user and password go together")
        check_patience(self.answers_within)


def check_url(url: str, example: str) -> None:
    """Raises ValueError for one that is never asked."""
    if not safe_link(url):
        raise ValueError(f"url must be an address such as {example!r}, without a user in it")
    host = urlsplit(url).hostname or ""
    if literal(host) and forbidden(host):
        raise ValueError(f"url: nothing is asked at {host}: machines learn their secrets there")


def check_patience(length: timedelta) -> None:
    """Raises ValueError for a time limit that is none, or holds up everything else."""
    if not _SHORTEST <= length <= _LONGEST:
        raise ValueError("answers_within must be at least 1s, and at most 1m")
