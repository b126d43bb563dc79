"""Settings: flags over environment over the nearest file over the user's file.

The key is not a setting, and no file of ours holds it: ``key`` finds it where these say.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from auditlens.errors import UsageError
from auditlens.settings.files import FILE_NAME, PROJECT, SettingsFile, find_file, has_table
from auditlens.settings.known import NAMES, OTHER_VARIABLES, TABLES, Settings
from auditlens.settings.values import checked, from_text, suggestion

__all__ = ["load_settings"]


def user_file(environ: Mapping[str, str]) -> Path:
    """Where the user's own settings file is, whether it exists or not."""
    base = environ.get("APPDATA") or environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "auditlens" / FILE_NAME


def load_settings(start: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings that hold in folder ``start``.

    Raises DocumentError for a fault in a file and UsageError for one in the environment.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    unknown: list[str] = []
    nearest = find_file((start or Path.cwd()).resolve())
    own = user_file(environ)
    if nearest and nearest.name == FILE_NAME and has_table(nearest.parent):
        unknown.append(f"{nearest.with_name(PROJECT)} sets nothing: {FILE_NAME} is beside it")
    for path in (own, nearest):
        if path and path.is_file():
            file = SettingsFile(path)
            found = file.values()
            if "key_command" in found and path != own:
                # A folder that came from elsewhere must not choose what is run here.
                raise file.fault(
                    "key_command",
                    "'key_command' is read from your own settings alone",
                    fix=f"Write it into {own}, or set AUDITLENS_KEY_COMMAND",
                )
            values |= found
            origins |= {name: file.origin_of(name) for name in found}
    for variable, text in sorted(environ.items()):
        if variable.startswith("AUDITLENS_") and variable not in OTHER_VARIABLES:
            name = variable.removeprefix("AUDITLENS_").lower()
            if name not in NAMES or name in TABLES:
                unknown.append(f"{variable} is no setting. {suggestion(name)}")
                continue
            values[name] = checked(name, from_text(name, text), variable_fault(variable))
            origins[name] = variable
    if url := environ.get("SECODA_API_URL"):
        values["api_url"], origins["api_url"] = url, "SECODA_API_URL"
    return Settings(**values, path=nearest, origins=origins, unknown=tuple(unknown))


def variable_fault(variable: str) -> Any:
    """Makes the error for the value of a variable, with its name."""
    return lambda message: UsageError(f"{variable}: {message}", fix="Change or unset it")
