"""Settings: flags over environment over the nearest file over the user's file.

What moves a secret does not count from the nearest file unless its user has trusted it: ``trust``.

The key is not a setting, and no file of ours holds it: ``key`` finds it where these say.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from auditlens.errors import UsageError
from auditlens.settings.files import FILE_NAME, PROJECT, SettingsFile, find_file, has_table
from auditlens.settings.known import DEFAULTS, NAMES, OTHER_VARIABLES, TABLES, Settings
from auditlens.settings.trust import (
    GUARDED,
    Withheld,
    given_hashes,
    is_own,
    own_file,
    settled,
    trusted_files,
)
from auditlens.settings.values import checked, from_text, suggestion

__all__ = ["load_settings"]


def load_settings(
    start: Path | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    trust: Iterable[str] = (),
) -> Settings:
    """Read the settings that hold in a folder.

    A guarded setting (``trust.GUARDED``) of a file that is neither the user's own nor trusted
    keeps its default and is told in ``withheld``.

    Args:
        start: The folder (default: the working folder).
        environ: The environment (default: that of the process).
        trust: SHA-256 (hex) of files that count as trusted, beside those of ``AUDITLENS_TRUST``
            and of the user's list.

    Raises:
        DocumentError: A fault in a file.
        UsageError: A fault in the environment, or in the list of trusted files.
    """
    environ = os.environ if environ is None else environ
    hashes = given_hashes(environ, trust)
    nearest = find_file((start or Path.cwd()).resolve())
    own = own_file(environ)
    found = Found()
    if nearest and nearest.name == FILE_NAME and has_table(nearest.parent):
        found.unknown.append(f"{nearest.with_name(PROJECT)} sets nothing: {FILE_NAME} is beside it")
    for path in (own, nearest):
        if path and (path == nearest or path.is_file()):
            found.add_file(SettingsFile(path), environ, hashes)
    found.add_environment(environ)
    return Settings(
        **found.values,
        path=nearest,
        origins=found.origins,
        withheld=found.withheld,
        unknown=tuple(found.unknown),
    )


@dataclass
class Found:
    """What was read so far, the later above the earlier."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    withheld: dict[str, Withheld] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    def add(self, name: str, value: Any, origin: str) -> None:
        """Take a value that counts."""
        self.values[name], self.origins[name] = value, origin
        self.withheld.pop(name, None)

    def add_file(
        self, file: SettingsFile, environ: Mapping[str, str], hashes: Collection[str]
    ) -> None:
        """Take a file's values; a guarded one of a file that is not trusted keeps its default."""
        values = file.values()
        guarded = values.keys() & GUARDED.keys()
        why = kept_back(file, environ, hashes) if guarded else None
        for name, value in values.items():
            place = file.origin_of(name)
            if why is not None and name in guarded:
                self.add(name, DEFAULTS[name], f"{place} (not trusted)")
                self.withheld[name] = replace(why, place=place)
            else:
                self.add(name, value, place)

    def add_environment(self, environ: Mapping[str, str]) -> None:
        """Take the variables of settings; one that looks like a setting and is none is told."""
        for variable, text in sorted(environ.items()):
            if variable.startswith("AUDITLENS_") and variable not in OTHER_VARIABLES:
                name = variable.removeprefix("AUDITLENS_").lower()
                if name not in NAMES or name in TABLES:
                    self.unknown.append(f"{variable} is no setting. {suggestion(name)}")
                    continue
                value = checked(name, from_text(name, text), variable_fault(variable))
                self.add(name, value, variable)
        if url := environ.get("SECODA_API_URL"):
            self.add("api_url", url, "SECODA_API_URL")


def kept_back(
    file: SettingsFile, environ: Mapping[str, str], hashes: Collection[str]
) -> Withheld | None:
    """Why the guarded settings of a file do not count; None when they do."""
    if file.sha256 in hashes or is_own(file.path, environ):
        return None
    known = trusted_files(environ).get(settled(file.path))
    if known is not None and known.sha256 == file.sha256:
        return None
    return Withheld(file.path, "", file.sha256, known.trusted_at if known else None)


def variable_fault(variable: str) -> Any:
    """Makes the error for the value of a variable, with its name."""
    return lambda message: UsageError(f"{variable}: {message}", fix="Change or unset it")
