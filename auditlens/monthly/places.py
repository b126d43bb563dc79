"""Where the job puts things when the settings do not say: beside the archive."""

from __future__ import annotations

from pathlib import Path

from auditlens.settings import Settings

__all__ = ["outbox_of", "reports_of"]


def reports_of(settings: Settings) -> Path:
    """The folder of all monthly reports."""
    return settings.reports or settings.archive.absolute().parent / "reports-out"


def outbox_of(settings: Settings) -> Path:
    """The folder of messages that wait, and of receipts."""
    return settings.outbox or settings.archive.absolute().parent / "outbox"
