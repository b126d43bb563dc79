"""What can be set, with its default."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from auditlens.settings.targets import Target
from auditlens.settings.trust import TRUST_VARIABLE, Withheld

__all__ = [
    "DEFAULTS",
    "FORMS",
    "IDENTITIES",
    "JOURNAL",
    "NAMES",
    "OTHER_VARIABLES",
    "PATHS",
    "TABLES",
    "Settings",
    "beside",
]

PATHS = (
    "archive",
    "rules",
    "own_rules",
    "journal",
    "reports",
    "outbox",
    "key_file",
    "allowed_signers",
)
FORMS = ("ndjson", "ocsf", "oscal", "pdf")
"""Further forms of a report."""
IDENTITIES = ("full", "pseudonymous", "aggregate")
OTHER_VARIABLES = frozenset(
    {
        "AUDITLENS_IDENTITY_KEY",
        "AUDITLENS_PAGE_DEADLINE",
        "AUDITLENS_RETRY_BUDGET",
        "AUDITLENS_TRACEBACK",
        TRUST_VARIABLE,
    }
)
JOURNAL = "triage.yml"
TABLES = ("notify", "placeholders")
"""Settings that only a file can hold."""


@dataclass(frozen=True)
class Settings:
    """Everything that can be set, with its default.

    ``timezone`` is the IANA zone of period edges and hours. ``archive``, ``rules`` and
    ``own_rules`` (read beside the others) are folders and ``journal`` the triage file, relative
    to the settings file; ``reviewer`` is who decides when the command line does not say.
    ``placeholders`` fill ``%name%`` in rules; ``skip_broken`` leaves out rules that cannot be read
    and says so, instead of stopping. ``holidays`` are days without ordinary work.
    ``senders_a_day`` and ``senders_a_month`` bound what the model may flag. ``directory`` makes
    the monthly job pull the directory too. ``reports`` is the folder of the monthly reports and
    ``outbox`` that of what waits to be sent; ``grace_days`` is how long a report waits for late
    events, ``identity`` and ``also`` are how the monthly report is made. ``key_file`` and
    ``key_command`` say where the key is when the environment has none; ``allowed_signers`` is the
    verifier's own list of who may sign with which key. The three heartbeats are
    asked at the start, after a good end and after a bad one. ``notify`` are the receivers by name.
    ``origins`` says where each value came from: ``file:line`` or a variable. ``withheld`` are the
    settings that would move a secret and stand in a file that is not trusted: they keep their
    defaults. ``unknown`` tells of what looks like a setting and sets nothing.
    """

    archive: Path = Path("archive")
    rules: Path | None = None
    own_rules: Path | None = None
    timezone: str = "UTC"
    workspace: str = ""
    api_url: str = ""
    api: str = "auto"
    directory: bool = False
    fail_on: str = ""
    journal: Path | None = None
    reviewer: str = ""
    seed: int = 0
    senders_a_day: int = 3
    senders_a_month: int = 30
    history_days: int = 120
    retention_days: int = 90
    frameworks: tuple[str, ...] = ("nist-800-53-r5", "soc2", "iso27001-2022", "nist-csf-2")
    placeholders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    skip_broken: bool = False
    holidays: tuple[date, ...] = ()
    reports: Path | None = None
    outbox: Path | None = None
    key_file: Path | None = None
    key_command: tuple[str, ...] = ()
    allowed_signers: Path | None = None
    grace_days: int = 3
    identity: str = "full"
    also: tuple[str, ...] = ()
    heartbeat: str = ""
    heartbeat_start: str = ""
    heartbeat_fail: str = ""
    notify: Mapping[str, Target] = field(default_factory=dict)
    path: Path | None = None
    origins: Mapping[str, str] = field(default_factory=dict)
    withheld: Mapping[str, Withheld] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    @property
    def journal_path(self) -> Path:
        """The review journal: the one that is set, else ``triage.yml`` beside the archive."""
        return self.journal or beside(self.archive, JOURNAL)

    @property
    def reports_path(self) -> Path:
        """The folder of all monthly reports: the one that is set, else beside the archive."""
        return self.reports or beside(self.archive, "reports-out")

    @property
    def outbox_path(self) -> Path:
        """The folder of messages and receipts: the one that is set, else beside the archive."""
        return self.outbox or beside(self.archive, "outbox")


def beside(archive: Path, name: str) -> Path:
    """The path of what stands beside an archive where the settings say nothing else."""
    return archive.absolute().parent / name


NAMES = tuple(
    item.name
    for item in dataclasses.fields(Settings)
    if item.name not in ("path", "origins", "withheld", "unknown")
)
DEFAULTS = {name: getattr(Settings(), name) for name in NAMES}
