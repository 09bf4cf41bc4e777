"""Who answers: responders, their teams, and who is on call."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from zoneinfo import ZoneInfo


class Identity(StrEnum):
    """How a chat network proves who speaks.

    ACCOUNTS: by the account that its servers, or their services, know them by. NICKS: not at all, and whoever bears
    the name is taken for the person. CODES: not at all, so each private page brings a code that proves who got it.
    NOBODY: not at all, so that people are paged there and answer elsewhere.
    """

    ACCOUNTS = "accounts"
    NICKS = "trust-nicks"
    CODES = "codes"
    NOBODY = "read-only"


@dataclass(frozen=True)
class Responder:
    """A person who may be paged and may answer.

    accounts: network -> the account by which that network knows them; on IRC the services account, on
    Matrix the MXID, never a display name; a nick only where nicks are all there is.
    """

    accounts: Mapping[str, str] = field(default_factory=dict)
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))


@dataclass(frozen=True)
class Team:
    """People who answer for the same things.

    rooms: network -> the team's room there.
    """

    members: tuple[str, ...] = ()
    rooms: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Schedule:
    """Who is on call.

    on_call: the people who are, always.
    """

    on_call: tuple[str, ...]
