"""Settings: flags over environment over the nearest file over the user's file.

What moves a secret does not count from the nearest file unless its user has trusted it: ``trust``.

The key is not a setting, and no file of ours holds it: ``key`` finds it where these say.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
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
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    withheld: dict[str, Withheld] = {}
    unknown: list[str] = []
    hashes = given_hashes(environ, trust)
    nearest = find_file((start or Path.cwd()).resolve())
    own = own_file(environ)
    if nearest and nearest.name == FILE_NAME and has_table(nearest.parent):
        unknown.append(f"{nearest.with_name(PROJECT)} sets nothing: {FILE_NAME} is beside it")
    for path in (own, nearest):
        if path and (path == nearest or path.is_file()):
            file = SettingsFile(path)
            found = file.values()
            places = {name: file.origin_of(name) for name in found}
            guarded = found.keys() & GUARDED.keys()
            held = kept_back(file, environ, hashes) if guarded else None
            if held is not None:
                withheld |= {name: replace(held, place=places[name]) for name in guarded}
                places |= {name: f"{places[name]} (not trusted)" for name in guarded}
                found |= {name: DEFAULTS[name] for name in guarded}
            else:
                withheld = {name: one for name, one in withheld.items() if name not in guarded}
            values |= found
            origins |= places
    for variable, text in sorted(environ.items()):
        if variable.startswith("AUDITLENS_") and variable not in OTHER_VARIABLES:
            name = variable.removeprefix("AUDITLENS_").lower()
            if name not in NAMES or name in TABLES:
                unknown.append(f"{variable} is no setting. {suggestion(name)}")
                continue
            values[name] = checked(name, from_text(name, text), variable_fault(variable))
            origins[name] = variable
            withheld.pop(name, None)
    if url := environ.get("SECODA_API_URL"):
        values["api_url"], origins["api_url"] = url, "SECODA_API_URL"
        withheld.pop("api_url", None)
    return Settings(
        **values, path=nearest, origins=origins, withheld=withheld, unknown=tuple(unknown)
    )


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
