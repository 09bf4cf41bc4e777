"""One TOML file into frozen dataclasses; every error with its line, its path and what to do."""

from tocsin.config.changes import differences, named, need_restart
from tocsin.config.document import Document, spelled_out
from tocsin.config.names import check_names, unknown_name
from tocsin.config.reading import read_config, shape_problem
from tocsin.config.schedules import Schedule
from tocsin.config.tables import Config
from tocsin.config.values import (
    Address,
    Count,
    Duration,
    FilePath,
    LabelMatchers,
    Name,
    Names,
    NonEmpty,
    Secret,
    Texts,
    authorization,
    is_loopback,
)

__all__ = [
    "Address",
    "Config",
    "Count",
    "Document",
    "Duration",
    "FilePath",
    "LabelMatchers",
    "Name",
    "Names",
    "NonEmpty",
    "Schedule",
    "Secret",
    "Texts",
    "authorization",
    "check_names",
    "differences",
    "is_loopback",
    "named",
    "need_restart",
    "read_config",
    "shape_problem",
    "spelled_out",
    "unknown_name",
]
