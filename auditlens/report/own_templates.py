"""Templates of the user's own: read once, as text, so that a report can be made again from them."""

from __future__ import annotations

from pathlib import Path

from auditlens.errors import UsageError
from auditlens.files import read_text

__all__ = ["SHEET", "read_templates"]

SHEET = "report.css"
LARGEST = 1_000_000
"""Bytes of all files together; the shipped templates have 40,000."""


def read_templates(folder: Path) -> dict[str, str]:
    """Every ``.html`` below ``folder`` and its ``report.css``, by name with forward slashes.

    Raises UsageError when there is no such folder, none in it, or they are no text of fair size.
    """
    if not folder.is_dir():
        raise UsageError(f"No folder {folder}", fix="Name a folder of templates")
    found = sorted([*folder.rglob("*.html"), *folder.glob(SHEET)])
    if not found:
        raise UsageError(
            f"{folder} holds no template", fix=f"Name them as the shipped ones, or {SHEET}"
        )
    if sum(path.stat().st_size for path in found) > LARGEST:
        raise UsageError(f"The templates in {folder} are too large", fix="Keep them below 1 MB")
    try:
        return {
            path.relative_to(folder).as_posix(): read_text(path, most=LARGEST) for path in found
        }
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"A template in {folder} cannot be read: {error}", fix="Templates are UTF-8 text"
        ) from None
