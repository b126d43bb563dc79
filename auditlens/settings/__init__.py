"""Settings: what can be set, where from, and whom a report is told to."""

from auditlens.settings.key import find_key
from auditlens.settings.loading import FILE_NAME, SettingsFile, find_file, has_table, load_settings
from auditlens.settings.schema import (
    FORMS,
    IDENTITIES,
    JOURNAL,
    LEVELS,
    NAMES,
    OTHER_VARIABLES,
    OWN_SECRETS,
    Settings,
    Target,
    beside,
)
from auditlens.settings.trust import (
    GUARDED,
    TRUST_VARIABLE,
    UntrustedError,
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
    "OWN_SECRETS",
    "TRUST_VARIABLE",
    "Settings",
    "SettingsFile",
    "Target",
    "UntrustedError",
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
