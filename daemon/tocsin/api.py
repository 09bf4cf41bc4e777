"""All that a plugin may import of Tocsin."""

from tocsin.alerts import announce, announce_all, report
from tocsin.answers import Answers
from tocsin.buttons import Asked, Button
from tocsin.commands import Call, Command
from tocsin.config import (
    Config,
    Count,
    Duration,
    FilePath,
    LabelMatchers,
    Name,
    Names,
    NonEmpty,
    Schedule,
    Secret,
    Texts,
    unknown_name,
)
from tocsin.config.values import Command as Program
from tocsin.core import Tocsin
from tocsin.digests import alerts_of, digest_of
from tocsin.domain.alert import Alert, Report, rank
from tocsin.domain.duty import HANDOFF, OnCallChanged, OverrideEnded, OverrideSet
from tocsin.domain.event import Event
from tocsin.domain.flapping import FlappingBegan, FlappingEnded, GroupFiredAgain, GroupQuieted
from tocsin.domain.group import (
    AcknowledgementRenewed,
    AlertFired,
    AlertGroup,
    AlertResolved,
    AlertsUnlisted,
    GroupAcknowledged,
    GroupOpened,
    GroupReopened,
    GroupResolved,
    GroupSilenced,
    GroupState,
    GroupUnacknowledged,
    SilenceEnded,
)
from tocsin.domain.labels import Matcher, Matchers, parse_labels
from tocsin.domain.message import Message, Place, safe_link
from tocsin.domain.moments import (
    full_minute,
    parse_end,
    parse_length,
    parse_moment,
    written,
)
from tocsin.domain.oncall import Responder, Team
from tocsin.domain.page import PageDelivered, PageFailed, PageSeen, PageUnseen, PersonPaged, PersonReleased
from tocsin.domain.rota import EVERYBODY, Hours, Override, Shift
from tocsin.domain.words import (
    bare,
    counted,
    did_you_mean,
    first_few,
    listed,
    on_the_wall,
    parse_duration,
    spelled,
    time_of_day,
)
from tocsin.each import each, together
from tocsin.errors import (
    BadPayload,
    NetworkError,
    NotAllowed,
    PluginError,
    Problem,
    Refused,
    TocsinError,
    UnknownSubject,
    UsageError,
)
from tocsin.facts import GROUP
from tocsin.feeds import Feed
from tocsin.hookspecs import hookimpl
from tocsin.intake import Route
from tocsin.listing import MOST_LISTED, Told, about_all
from tocsin.meant import meant
from tocsin.oncall import end_override, set_override
from tocsin.programs import run_program
from tocsin.rules import Reaction, TimerKind, on
from tocsin.store.timers import Timer
from tocsin.transaction import PAGE_DEADLINE, Transaction

__all__ = [
    "EVERYBODY",
    "GROUP",
    "HANDOFF",
    "MOST_LISTED",
    "PAGE_DEADLINE",
    "AcknowledgementRenewed",
    "Alert",
    "AlertFired",
    "AlertGroup",
    "AlertResolved",
    "AlertsUnlisted",
    "Answers",
    "Asked",
    "BadPayload",
    "Button",
    "Call",
    "Command",
    "Config",
    "Count",
    "Duration",
    "Event",
    "Feed",
    "FilePath",
    "FlappingBegan",
    "FlappingEnded",
    "GroupAcknowledged",
    "GroupFiredAgain",
    "GroupOpened",
    "GroupQuieted",
    "GroupReopened",
    "GroupResolved",
    "GroupSilenced",
    "GroupState",
    "GroupUnacknowledged",
    "Hours",
    "LabelMatchers",
    "Matcher",
    "Matchers",
    "Message",
    "Name",
    "Names",
    "NetworkError",
    "NonEmpty",
    "NotAllowed",
    "OnCallChanged",
    "Override",
    "OverrideEnded",
    "OverrideSet",
    "PageDelivered",
    "PageFailed",
    "PageSeen",
    "PageUnseen",
    "PersonPaged",
    "PersonReleased",
    "Place",
    "PluginError",
    "Problem",
    "Program",
    "Reaction",
    "Refused",
    "Report",
    "Responder",
    "Route",
    "Schedule",
    "Secret",
    "Shift",
    "SilenceEnded",
    "Team",
    "Texts",
    "Timer",
    "TimerKind",
    "Tocsin",
    "TocsinError",
    "Told",
    "Transaction",
    "UnknownSubject",
    "UsageError",
    "about_all",
    "alerts_of",
    "announce",
    "announce_all",
    "bare",
    "counted",
    "did_you_mean",
    "digest_of",
    "each",
    "end_override",
    "first_few",
    "full_minute",
    "hookimpl",
    "listed",
    "meant",
    "on",
    "on_the_wall",
    "parse_duration",
    "parse_end",
    "parse_labels",
    "parse_length",
    "parse_moment",
    "rank",
    "report",
    "run_program",
    "safe_link",
    "set_override",
    "spelled",
    "time_of_day",
    "together",
    "unknown_name",
    "written",
]
