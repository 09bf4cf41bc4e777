"""One TOML file into frozen dataclasses; every error with its line, its path and what to do."""

from tocsin.config.document import Document
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
    "check_names",
    "read_config",
    "shape_problem",
    "unknown_name",
]
