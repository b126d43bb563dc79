"""Settings: what can be set, where from, and whom a report is told to."""

from auditlens.settings.files import FILE_NAME, SettingsFile, find_file, has_table
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
from auditlens.settings.trust import (
    GUARDED,
    UntrustedError,
    Withheld,
    forget_file,
    is_own,
    require_trusted,
    trust_file,
    trusted_files,
    withheld_told,
)

__all__ = [
    "FILE_NAME",
    "FORMS",
    "GUARDED",
    "IDENTITIES",
    "JOURNAL",
    "LEVELS",
    "NAMES",
    "OTHER_VARIABLES",
    "Settings",
    "SettingsFile",
    "Target",
    "UntrustedError",
    "Withheld",
    "beside",
    "find_file",
    "find_key",
    "forget_file",
    "has_table",
    "is_own",
    "load_settings",
    "require_trusted",
    "trust_file",
    "trusted_files",
    "withheld_told",
]
