"""Settings: flags over environment over ``auditlens.toml`` over the user's file.

The key is not a setting, and no file of ours holds it: ``key`` finds it where these say.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from auditlens.errors import DocumentError, UsageError
from auditlens.period import zone
from auditlens.settings.targets import LEVELS, Target, read_targets

__all__ = [
    "FILE_NAME",
    "FORMS",
    "IDENTITIES",
    "LEVELS",
    "NAMES",
    "OTHER_VARIABLES",
    "Settings",
    "find_file",
    "load_settings",
]

FILE_NAME = "auditlens.toml"
PATHS = ("archive", "rules", "journal", "reports", "outbox", "key_file")
APIS = ("auto", "current", "legacy")
FORMS = ("ndjson", "ocsf", "oscal", "pdf")
"""Further forms of a report."""
IDENTITIES = ("full", "pseudonymous", "aggregate")
OTHER_VARIABLES = frozenset(
    {"AUDITLENS_IDENTITY_KEY", "AUDITLENS_PAGE_DEADLINE", "AUDITLENS_RETRY_BUDGET"}
)


@dataclass(frozen=True)
class Settings:
    """Everything that can be set, with its default.

    ``timezone`` is the IANA zone of period edges and hours. ``archive`` and ``rules`` are
    folders and ``journal`` the triage file, relative to the settings file; ``reviewer`` is who
    decides when the command line does not say. ``placeholders`` fill ``%name%`` in rules.
    ``holidays`` are days without ordinary work. ``senders_a_day`` and ``senders_a_month``
    bound what the model may flag. ``reports`` is the folder of the monthly reports and ``outbox``
    that of what waits to be sent; ``grace_days`` is how long a report waits for late events,
    ``identity`` and ``also`` are how the monthly report is made. ``key_file`` and ``key_command``
    say where the key is when the environment has none. The three heartbeats are asked at the
    start, after a good end and after a bad one. ``notify`` are the receivers by name.
    ``origins`` says where each value came from; ``unknown`` tells
    of variables called AUDITLENS_… that set nothing.
    """

    archive: Path = Path("archive")
    rules: Path | None = None
    timezone: str = "UTC"
    workspace: str = ""
    api_url: str = ""
    api: str = "auto"
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
    holidays: tuple[date, ...] = ()
    reports: Path | None = None
    outbox: Path | None = None
    key_file: Path | None = None
    key_command: tuple[str, ...] = ()
    grace_days: int = 3
    identity: str = "full"
    also: tuple[str, ...] = ()
    heartbeat: str = ""
    heartbeat_start: str = ""
    heartbeat_fail: str = ""
    notify: Mapping[str, Target] = field(default_factory=dict)
    path: Path | None = None
    origins: Mapping[str, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()


NAMES = tuple(
    item.name
    for item in dataclasses.fields(Settings)
    if item.name not in ("path", "origins", "unknown")
)


TABLES = ("notify", "placeholders")
"""Settings that only a file can hold."""


def find_file(start: Path) -> Path | None:
    """Return the nearest ``auditlens.toml`` in ``start`` or a folder above it."""
    for folder in (start, *start.parents):
        if (path := folder / FILE_NAME).is_file():
            return path
    return None


def user_file(environ: Mapping[str, str]) -> Path:
    """Where the user's own settings file is, whether it exists or not."""
    base = environ.get("APPDATA") or environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "auditlens" / FILE_NAME


def load_settings(start: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings that hold in folder ``start``.

    Raises DocumentError for a fault in a file and UsageError for one in the environment.
    """
    environ = os.environ if environ is None else environ
    start = (start or Path.cwd()).resolve()
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    unknown: list[str] = []
    nearest = find_file(start)
    own = user_file(environ)
    for path in (own, nearest):
        if path and path.is_file():
            found = read_file(path)
            if "key_command" in found and path != own:
                # A folder that came from elsewhere must not choose what is run here.
                raise DocumentError(
                    "'key_command' is read from your own settings alone",
                    path=path,
                    line=line_of(path, "key_command"),
                    fix=f"Write it into {own}, or set AUDITLENS_KEY_COMMAND",
                )
            for name, value in found.items():
                values[name] = value
                origins[name] = str(path)
    for variable, text in sorted(environ.items()):
        if variable.startswith("AUDITLENS_") and variable not in OTHER_VARIABLES:
            name = variable.removeprefix("AUDITLENS_").lower()
            if name not in NAMES or name in TABLES:
                unknown.append(f"{variable} is no setting. {suggestion(name)}")
                continue
            values[name] = checked(name, from_text(name, text), UsageError)
            origins[name] = variable
    if url := environ.get("SECODA_API_URL"):
        values["api_url"], origins["api_url"] = url, "SECODA_API_URL"
    return Settings(**values, path=nearest, origins=origins, unknown=tuple(unknown))


def read_file(path: Path) -> dict[str, Any]:
    """Read one settings file; every name is known and every value has its type."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DocumentError(f"cannot be read ({error.strerror})", path=path) from None
    except UnicodeDecodeError:
        raise DocumentError("is not UTF-8 text", path=path) from None
    except tomllib.TOMLDecodeError as error:
        raise DocumentError(f"is not valid TOML: {error}", path=path) from None
    for name in data:
        if name not in NAMES:
            line = line_of(path, name)
            raise DocumentError(
                f"'{name}' is no setting", path=path, line=line, fix=suggestion(name)
            )
    values: dict[str, Any] = {}
    for name, value in data.items():
        fault = lambda m, n=name: DocumentError(m, path=path, line=line_of(path, n))  # noqa: E731
        if name == "notify":
            values[name] = read_targets(value, partial(target_fault, path))
            continue
        values[name] = checked(name, value, fault)
        if name in PATHS:
            values[name] = path.parent / values[name]
    return values


def line_of(path: Path, name: str) -> int:
    """Line in which a setting stands; 0 when it cannot be told."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((n for n, line in enumerate(lines, 1) if line.strip(" [").startswith(name)), 0)


def target_fault(path: Path, target: str, key: str, message: str) -> DocumentError:
    """The error for one key of one table ``[notify.NAME]``, with the line it stands in."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    heads = (f"[notify.{target}]", f'[notify."{target}"]', "[notify]", "notify")
    head = next(
        (n for n, line in enumerate(lines, 1) if line.split("#")[0].strip().startswith(heads)), 0
    )
    below = range(head, len(lines))
    end = next((n for n in below if lines[n].startswith("[")), len(lines))
    found = [n + 1 for n in range(head, end) if lines[n].split("=")[0].strip(" \"'") == key]
    where = f"[notify.{target}]: " if target else ""
    return DocumentError(
        f"{where}{message}",
        path=path,
        line=found[0] if key and found else head,
        fix="docs/notifications.md has a table for each kind",
    )


def suggestion(name: str) -> str:
    near = difflib.get_close_matches(name, NAMES, n=1)
    return f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(NAMES)}"


def from_text(name: str, text: str) -> Any:
    """Read a setting written in the environment."""
    default = getattr(Settings, name, None)
    if isinstance(default, int) and text.lstrip("-").isdigit():
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
    if isinstance(default, int):
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise fault(f"'{name}' must be a whole number of 0 or more, not {value!r}")
        return value
    return checked_text(name, as_text(value, fault), fault)


def checked_text(name: str, value: str, fault: Callable[[str], Exception]) -> Path | str:
    """Check a setting that is text: a choice, a zone or a path."""
    allowed = {"api": APIS, "fail_on": ("", *LEVELS), "identity": IDENTITIES}.get(name)
    if allowed and value not in allowed:
        raise fault(f"'{name}' is {value!r}; use one of {', '.join(filter(None, allowed))}")
    if name == "timezone":
        try:
            zone(value)
        except UsageError as error:
            raise fault(str(error)) from None
    return Path(value) if name in PATHS else value


def as_text(value: Any, fault: Callable[[str], Exception]) -> str:
    if not isinstance(value, str):
        raise fault(f"{value!r} must be text")
    return value


def placeholders(value: Any, fault: Callable[[str], Exception]) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict):
        raise fault("'placeholders' must be a table of lists")
    found = {}
    for name, texts in value.items():
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise fault(f"the placeholder '{name}' must be a list of texts")
        found[name] = tuple(texts)
    return found


def as_form(value: Any, fault: Callable[[str], Exception]) -> str:
    if value not in FORMS:
        raise fault(f"'also' names {value!r}; use {', '.join(FORMS)}")
    return str(value)


def as_date(value: Any, fault: Callable[[str], Exception]) -> date:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise fault(f"{value!r} is no day; write 2026-12-25") from None
