"""Where the shipped rules and report files are, in a wheel and in a checkout.

A wheel carries them inside the package (``_shipped/``); a checkout and an editable install
have them beside it. The package is looked at first.
"""

from __future__ import annotations

from pathlib import Path

from auditlens.errors import UsageError

__all__ = ["reports_folder", "rules_folder"]

PACKAGE = Path(__file__).resolve().parent


def find(name: str) -> Path:
    """Return the shipped folder called ``name``; raise UsageError on a broken install."""
    for folder in (PACKAGE / "_shipped" / name, PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise UsageError(
        f"The shipped folder '{name}' is missing beside {PACKAGE}",
        fix="Install AuditLens again; its wheel carries this folder",
    )


def rules_folder() -> Path:
    """Folder of the shipped rules, the classifier (``actions.yml``) and the profiles.

    Returns:
        Its path.

    Raises:
        UsageError: The installation lacks it.
    """
    return find("rules")


def reports_folder() -> Path:
    """Folder of the shipped report templates and framework files.

    Returns:
        Its path.

    Raises:
        UsageError: The installation lacks it.
    """
    return find("reports")
