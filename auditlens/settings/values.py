"""Values of settings in their own types; what cannot be one raises the fault it is given."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from auditlens.errors import UsageError
from auditlens.period import zone
from auditlens.settings.known import FORMS, IDENTITIES, NAMES, PATHS, Settings
from auditlens.settings.targets import LEVELS

__all__ = ["checked", "from_text", "suggestion"]

APIS = ("auto", "current", "legacy")
TRUTHS = {"true": True, "1": True, "false": False, "0": False}


def suggestion(name: str) -> str:
    near = difflib.get_close_matches(name, NAMES, n=1)
    return f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(NAMES)}"


def from_text(name: str, text: str) -> Any:
    """Read a setting written in the environment."""
    default = getattr(Settings, name, None)
    if isinstance(default, bool):
        return TRUTHS.get(text.lower(), text)
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
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise fault(f"'{name}' must be true or false, not {value!r}")
        return value
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
