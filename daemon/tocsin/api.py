"""All that a plugin may import of Tocsin."""

from tocsin.config import (
    Config,
    Count,
    Duration,
    FilePath,
    LabelMatchers,
    Name,
    Names,
    NonEmpty,
    Secret,
    unknown_name,
)
from tocsin.domain.labels import Matcher, Matchers
from tocsin.domain.oncall import Responder, Schedule, Team
from tocsin.errors import PluginError, Problem, TocsinError
from tocsin.hookspecs import hookimpl

__all__ = [
    "Config",
    "Count",
    "Duration",
    "FilePath",
    "LabelMatchers",
    "Matcher",
    "Matchers",
    "Name",
    "Names",
    "NonEmpty",
    "PluginError",
    "Problem",
    "Responder",
    "Schedule",
    "Secret",
    "Team",
    "TocsinError",
    "hookimpl",
    "unknown_name",
]
