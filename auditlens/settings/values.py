"""Values of settings in their own types; what cannot be one raises the fault it is given."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

from auditlens.errors import UsageError
from auditlens.period import zone
from auditlens.settings.known import FORMS, IDENTITIES, NAMES, PATHS, Settings
from auditlens.settings.syntax import brief
from auditlens.settings.targets import LEVELS

__all__ = ["checked", "from_text", "suggestion"]

WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)
LONGEST = 4096
MOST = {"seed": 2**32 - 1, "history_days": 36_500, "retention_days": 36_500, "grace_days": 60}
"""The largest values; of a number that is not named here, a million."""
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


def checked_text(name: str, value: str, fault: Callable[[str], Exception]) -> Path | str:
    """Check a setting that is text: a choice, a zone or a path."""
    if not value.isprintable():
        raise fault(f"'{name}' holds a control character")
    if len(value) > LONGEST:
        raise fault(f"'{name}' is longer than {LONGEST:,} characters")
    allowed = {"api": APIS, "fail_on": ("", *LEVELS), "identity": IDENTITIES}.get(name)
    if allowed and value not in allowed:
        raise fault(f"'{name}' is {brief(value)}; use one of {', '.join(filter(None, allowed))}")
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
        raise fault(f"{brief(value)} is no day; write 2026-12-25") from None
