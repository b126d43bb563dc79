"""Settings: what can be set, where from, and whom a report is told to."""

from auditlens.settings.key import find_key
from auditlens.settings.load import (
    FILE_NAME,
    FORMS,
    IDENTITIES,
    LEVELS,
    NAMES,
    OTHER_VARIABLES,
    Settings,
    find_file,
    load_settings,
)
from auditlens.settings.targets import Target

__all__ = [
    "FILE_NAME",
    "FORMS",
    "IDENTITIES",
    "LEVELS",
    "NAMES",
    "OTHER_VARIABLES",
    "Settings",
    "Target",
    "find_file",
    "find_key",
    "load_settings",
]
