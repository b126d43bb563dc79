"""What can be set: names, defaults, and the check of each value; what fails raises its fault.

Receivers of a report stand in tables ``[notify.NAME]``. No table holds a secret: an address that is
a secret, a token or a password is named by the environment variable that holds it (``url_env``,
``key_env`` and so on).
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from auditlens.errors import UsageError
from auditlens.period import zone
from auditlens.settings.trust import TRUST_VARIABLE, Withheld

__all__ = [
    "DEFAULTS",
    "FORMS",
    "IDENTITIES",
    "JOURNAL",
    "KINDS",
    "NAMES",
    "OTHER_VARIABLES",
    "PATHS",
    "TABLES",
    "Settings",
    "Target",
    "beside",
    "checked",
    "from_text",
    "read_targets",
    "suggestion",
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

Fault = Callable[[str, str, str], Exception]
"""Makes the error for a message about one key of one target: ``fault(target, key, message)``."""

EXTENT = ("levels", "findings", "identities")
ALLOWED = ("loopback", "private", "link-local")
LEVELS = ("informational", "low", "medium", "high", "critical")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
OWN_SECRETS = frozenset({"SECODA_API_KEY", "AUDITLENS_IDENTITY_KEY"})
"""Variables with secrets of our own, which no receiver may have."""
EVERY = {"kind": True, "tell": False, "level": False, "allow": False}
KINDS: Mapping[str, Mapping[str, bool]] = {
    "slack": {"url_env": True},
    "teams": {"url_env": True},
    "pagerduty": {"key_env": True, "url": False},
    "jira": {"url": True, "user": True, "token_env": True, "project": True, "issue_type": False},
    "webhook": {"url_env": True, "secret_env": False},
    "email": {
        "host": True, "port": False, "security": False, "user": False, "password_env": False,
        "sender": True, "to": True,
    },
}  # fmt: skip
"""The keys of each kind of target, beside those of all; True for one that must be there."""

CHOICES = {"tell": EXTENT, "level": LEVELS, "security": ("starttls", "tls", "none")}

MAX_DIGITS = 18
"""Digits of a whole number: those of TOML have 64 bits."""

WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)
LONGEST = 4096
MOST = {"seed": 2**32 - 1, "history_days": 36_500, "retention_days": 36_500, "grace_days": 60}
"""The largest values; of a number that is not named here, a million."""
APIS = ("auto", "current", "legacy")
TRUTHS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True)
class Target:
    """One receiver of reports.

    Attributes:
        name: Its name in the settings.
        kind: One of KINDS.
        tell: How much leaves: ``levels`` (counts), ``findings`` (without people), ``identities``.
        level: A report whose findings all lie below it is held back; empty: none is.
        allow: Kinds of addresses that are refused otherwise (loopback, private, link-local).
        options: The keys of its kind.
    """

    name: str
    kind: str
    tell: str = "findings"
    level: str = ""
    allow: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def text(self, key: str, default: str = "") -> str:
        """An option that is text."""
        return str(self.options.get(key, default))


WORKING_DAYS = 5
"""Days of a week's pool that one place a day of ``senders_a_day`` stands for."""


@dataclass(frozen=True)
class Settings:
    """Everything that can be set, with its default; :func:`load_settings` fills it.

    Paths of a settings file are relative to that file.

    Attributes:
        archive: Folder of the archive.
        rules: Folder of rules; default: the shipped ones of the log's product.
        own_rules: Folder of rules read beside ``rules``.
        timezone: IANA name of the zone of period edges and hours.
        workspace: Name of the workspace, as reports show it.
        api_url: Address of the API; the variable SECODA_API_URL sets it too.
        api: Generation of the API: ``auto``, ``current`` or ``legacy``.
        directory: Whether the monthly job pulls the directory too.
        fail_on: Level from which cases to decide end ``check`` with 1; empty: none does.
        fail_on_finding: Level from which findings, decided or not, do; empty: none does.
        alert_level: Level from which ``run`` tells of a case on the day it finds it.
        digest: ``weekly``: ``run`` lists what waits for a decision once a week; empty: never.
        journal: The triage file; default: ``triage.yml`` beside the archive.
        reviewer: Who decides when the command line does not say.
        seed: Seed of the model.
        senders_a_week: The most accounts that the model flags a week.
        senders_a_day: Deprecated; read ``senders_weekly``.
        senders_a_month: The most accounts that the model flags a month.
        history_days: Days before a period that form its baselines.
        retention_days: Days for which the source keeps its log.
        frameworks: Names of the frameworks that a report maps its findings to.
        placeholders: Texts that fill ``%name%`` in rules.
        skip_broken: Whether rules that cannot be read are left out, and named, instead of stopping.
        holidays: Days without ordinary work.
        reports: Folder of the monthly reports; default: ``reports-out`` beside the archive.
        outbox: Folder of what waits to be sent; default: ``outbox`` beside the archive.
        key_file: File with the API key, when the environment has none.
        key_command: Program that prints the API key, and its arguments.
        allowed_signers: The verifier's own list of who may sign with which key.
        grace_days: Days that a monthly report waits for late events.
        identity: How the monthly report names people (IDENTITIES).
        also: Further forms of the monthly report (FORMS).
        heartbeat: Address that is asked after a good end of the monthly job.
        heartbeat_start: Address that is asked when it starts.
        heartbeat_fail: Address that is asked after a bad end.
        notify: Receivers of reports by name.
        path: The nearest settings file, None without one.
        origins: Where each value came from: ``file:line`` or a variable.
        withheld: Settings that would move a secret and stand in a file that is not trusted; they
            keep their defaults.
        unknown: A sentence for each thing that looks like a setting and sets nothing.
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
    fail_on_finding: str = ""
    alert_level: str = "high"
    digest: str = ""
    journal: Path | None = None
    reviewer: str = ""
    seed: int = 0
    senders_a_week: int = 15
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
    def senders_weekly(self) -> int:
        """``senders_a_week``; where only the older ``senders_a_day`` is set, five times that."""
        if self.sets_senders_a_day:
            return WORKING_DAYS * self.senders_a_day
        return self.senders_a_week

    @property
    def sets_senders_a_day(self) -> bool:
        """Whether the pool of a week comes from the deprecated setting."""
        fields = type(self).__dataclass_fields__
        return bool(
            self.senders_a_day != fields["senders_a_day"].default
            and self.senders_a_week == fields["senders_a_week"].default
        )

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
    """The path of what stands beside an archive where the settings say nothing else.

    Args:
        archive: The archive's folder.
        name: A file or folder.

    Returns:
        An absolute path.
    """
    return archive.absolute().parent / name


NAMES = tuple(
    item.name
    for item in dataclasses.fields(Settings)
    if item.name not in ("path", "origins", "withheld", "unknown")
)
DEFAULTS = {name: getattr(Settings(), name) for name in NAMES}


def suggestion(name: str) -> str:
    """The setting that was perhaps meant, as a sentence; else all there are."""
    near = difflib.get_close_matches(name, NAMES, n=1)
    return f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(NAMES)}"


def from_text(name: str, text: str) -> Any:
    """Read a setting written in the environment."""
    default = getattr(Settings, name, None)
    if isinstance(default, bool):
        return TRUTHS.get(text.lower(), text)
    if isinstance(default, int) and WHOLE.fullmatch(text):
        return int(text)
    if isinstance(default, tuple):
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def checked(name: str, value: Any, fault: Callable[[str], Exception]) -> Any:
    """Return a setting's value in its own type, or raise ``fault(message)``."""
    default = getattr(Settings, name, None)
    if name == "placeholders":
        return placeholders(value, fault)
    if isinstance(default, tuple):
        if not isinstance(value, list):
            raise fault(f"'{name}' must be a list")
        convert = {"holidays": as_date, "also": as_form}.get(name, as_text)
        return tuple(convert(one, fault) for one in value)
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise fault(f"'{name}' must be true or false, not {brief(value)}")
        return value
    if isinstance(default, int):
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise fault(f"'{name}' must be a whole number of 0 or more, not {brief(value)}")
        if value > (most := MOST.get(name, 1_000_000)):
            raise fault(f"'{name}' must be {most:,} at most, not {brief(value)}")
        return value
    return checked_text(name, as_text(value, fault), fault)


SETTING_CHOICES = {
    "api": APIS,
    "fail_on": ("", *LEVELS),
    "fail_on_finding": ("", *LEVELS),
    "alert_level": LEVELS,
    "digest": ("", "weekly"),
    "identity": IDENTITIES,
}
"""The texts that a setting may have, where it may not have any."""


def unknown_value(name: str, value: str, allowed: Iterable[str]) -> str:
    """Refuse a value that is none of those allowed, with the one that was perhaps meant."""
    known = [one for one in allowed if one]
    near = difflib.get_close_matches(value, known, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"use one of {', '.join(known)}"
    what = "level" if LEVELS[0] in known else f"value of '{name}'"
    return f"unknown {what} {brief(value)}; {hint}"


def checked_text(name: str, value: str, fault: Callable[[str], Exception]) -> Path | str:
    """Check a setting that is text: a choice, a zone or a path."""
    if not value.isprintable():
        raise fault(f"'{name}' holds a control character")
    if len(value) > LONGEST:
        raise fault(f"'{name}' is longer than {LONGEST:,} characters")
    allowed = SETTING_CHOICES.get(name)
    if allowed and value not in allowed:
        raise fault(unknown_value(name, value, allowed))
    if name == "timezone":
        try:
            zone(value)
        except UsageError as error:
            raise fault(str(error)) from None
    return Path(value) if name in PATHS else value


def as_text(value: Any, fault: Callable[[str], Exception]) -> str:
    if not isinstance(value, str):
        raise fault(f"{brief(value)} must be text")
    return value


def placeholders(value: Any, fault: Callable[[str], Exception]) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict):
        raise fault("'placeholders' must be a table of lists")
    found = {}
    for name, texts in value.items():
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise fault(f"the placeholder {brief(name)} must be a list of texts")
        found[name] = tuple(texts)
    return found


def as_form(value: Any, fault: Callable[[str], Exception]) -> str:
    if value not in FORMS:
        raise fault(f"'also' names {brief(value)}; use {', '.join(FORMS)}")
    return str(value)


def as_date(value: Any, fault: Callable[[str], Exception]) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise fault(f"{brief(value)} is not a day; write 2026-12-25") from None


def brief(value: Any) -> str:
    """A value as a message shows it: on one line, of a bounded length."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, int) and abs(value) >= 10**MAX_DIGITS:
        return f"a number of more than {MAX_DIGITS} digits"
    if isinstance(value, str):
        return repr(brief_text(value))
    return brief_text(str(value) if isinstance(value, bool) else repr(value))


def brief_text(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."


def read_targets(data: Any, fault: Fault) -> dict[str, Target]:
    """Read the table ``notify``; every key is known and has its type."""
    if not isinstance(data, dict):
        raise fault("", "", "'notify' must hold tables, each [notify.NAME]")
    return {name: read_target(name, table, fault) for name, table in data.items()}


def read_target(name: str, table: Any, fault: Fault) -> Target:
    if not isinstance(table, dict):
        raise fault(name, "", f"{brief(name)} must be a table: [notify.NAME]")
    if not NAME.fullmatch(name):
        raise fault(name, "", f"{brief(name)} is not a name; use a-z, 0-9, '-' and '_', at most 40")
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        found = "is missing" if kind is None else f"is {brief(kind)}"
        raise fault(name, "kind", f"'kind' {found}; use one of {', '.join(KINDS)}")
    keys = {**EVERY, **KINDS[kind]}
    for key in table:
        if key not in keys:
            near = difflib.get_close_matches(key, keys, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(keys)}"
            raise fault(name, key, f"{brief(key)} is not a key of kind {kind!r}; {hint}")
    held = {key: checked_option(name, key, value, fault) for key, value in table.items()}
    for key, needed in keys.items():
        if needed and key not in table:
            raise fault(name, "", f"'{key}' is missing, which 'kind' {kind!r} needs")
    return Target(
        name=name,
        kind=kind,
        tell=held.pop("tell", "findings"),
        level=held.pop("level", ""),
        allow=held.pop("allow", ()),
        options={key: value for key, value in held.items() if key != "kind"},
    )


def checked_option(name: str, key: str, value: Any, fault: Fault) -> Any:
    """One value in its type."""
    if key == "port":
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 65_536:
            raise fault(name, key, f"'port' must be a number from 1 to 65535, not {brief(value)}")
        return value
    if key in ("to", "allow"):
        if not isinstance(value, list) or not all(is_line(one) for one in value) or not value:
            raise fault(name, key, f"'{key}' must be a list of texts")
        if key == "allow" and (wrong := [one for one in value if one not in ALLOWED]):
            raise fault(name, key, f"'allow' names {brief(wrong[0])}; use {', '.join(ALLOWED)}")
        if key == "to" and (wrong := [one for one in value if not is_mailbox(one)]):
            raise fault(name, key, f"{brief(wrong[0])} is not an e-mail address")
        return tuple(value)
    if not is_line(value):
        raise fault(name, key, f"'{key}' must be one line of text")
    return checked_line(name, key, value, fault)


def checked_line(name: str, key: str, value: str, fault: Fault) -> str:
    """One value that is text: a choice, a variable's name, an address of mail."""
    if key in CHOICES and value not in CHOICES[key]:
        raise fault(name, key, unknown_value(key, value, CHOICES[key]))
    if key.endswith("_env") and not VARIABLE.fullmatch(value):
        raise fault(name, key, f"'{key}' names an environment variable; the secret stands in it")
    if key.endswith("_env") and value.upper() in OWN_SECRETS:
        raise fault(name, key, f"'{key}' names {value}, which is not a receiver's secret")
    if key == "sender" and not is_mailbox(value):
        raise fault(name, key, f"{brief(value)} is not an e-mail address")
    return value


def is_line(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable() and bool(value.strip())


def is_mailbox(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    return bool(local and at and domain) and text.isascii() and not re.search(r"[\s<>,;:]", text)
