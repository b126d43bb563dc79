"""Settings: what can be set, where from, and whom a report is told to."""

from auditlens.settings.files import FILE_NAME, find_file, has_table
from auditlens.settings.key import find_key
from auditlens.settings.known import (
    FORMS,
    IDENTITIES,
    JOURNAL,
    NAMES,
    OTHER_VARIABLES,
    Settings,
    beside,
)
from auditlens.settings.load import load_settings
from auditlens.settings.targets import LEVELS, Target

__all__ = [
    "FILE_NAME",
    "FORMS",
    "IDENTITIES",
    "JOURNAL",
    "LEVELS",
    "NAMES",
    "OTHER_VARIABLES",
    "Settings",
    "Target",
    "beside",
    "find_file",
    "find_key",
    "has_table",
    "load_settings",
]
