"""Provenance: what a third party needs to repeat a run and compare."""

from __future__ import annotations

import platform
from importlib.metadata import version

from auditlens.canonical import json_line, sha256_hex
from auditlens.coverage import Coverage
from auditlens.period import Period
from auditlens.settings import Settings

__all__ = ["describe_run"]

LIBRARIES = ("auditlens", "polars", "scikit-learn", "numpy", "pysigma")
DECIDING = (
    "timezone", "seed", "senders_weekly", "senders_a_month", "history_days",
    "placeholders", "holidays",
)  # fmt: skip


def settings_digest(settings: Settings) -> str:
    """SHA-256 (hex) of the settings that can change a finding."""
    values = {name: getattr(settings, name) for name in DECIDING}
    values["placeholders"] = {name: list(v) for name, v in settings.placeholders.items()}
    values["holidays"] = [day.isoformat() for day in settings.holidays]
    return sha256_hex(json_line(values))


def describe_run(
    coverage: Coverage, rules_digest: str, settings: Settings, period: Period
) -> dict[str, str]:
    """Versions and digests of one run: what it takes to repeat it and compare.

    Args:
        coverage: Gives the digest of the events and the archive's head.
        rules_digest: SHA-256 (hex) of the rules.
        settings: Those that can change a finding are digested.
        period: The period audited.

    Returns:
        By name the version of each library and of Python, ``input_digest``, ``archive_head`` (empty
        without an archive), ``rules_digest``, ``settings_digest``, ``period`` and ``timezone``.
    """
    found = {name: version(name) for name in LIBRARIES}
    found["python"] = platform.python_version()
    found["input_digest"] = coverage.input_digest
    found["archive_head"] = coverage.head or ""
    found["rules_digest"] = rules_digest
    found["settings_digest"] = settings_digest(settings)
    found["period"] = period.label
    found["timezone"] = period.timezone
    return found
