"""Who answers: responders, their teams, and who is on call."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Responder:
    """A person who may be paged and may answer.

    accounts: network -> the account by which that network knows them; on IRC the services account, on
    Matrix the MXID, never a nick or a display name.
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
