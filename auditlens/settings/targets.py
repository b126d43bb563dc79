"""Whom a report is told to: the tables ``[notify.NAME]`` of the settings, read strictly.

No table holds a secret. An address that is a secret, a token or a password is named by the
environment variable that holds it (``url_env``, ``key_env`` and so on).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from auditlens.settings.syntax import brief

__all__ = ["KINDS", "Target", "read_targets"]

Fault = Callable[[str, str, str], Exception]
"""Makes the error for a message about one key of one target: ``fault(target, key, message)``."""

EXTENT = ("levels", "findings", "identities")
ALLOWED = ("loopback", "private", "link-local")
LEVELS = ("informational", "low", "medium", "high", "critical")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
OURS = frozenset({"SECODA_API_KEY", "AUDITLENS_IDENTITY_KEY"})
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


@dataclass(frozen=True)
class Target:
    """One receiver. ``tell`` is how much leaves: counts by level, findings without people, all.

    ``level`` holds back a report whose findings all lie below it; ``allow`` names kinds of
    addresses that are refused otherwise; ``options`` are the keys of its kind.
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


def read_targets(data: Any, fault: Fault) -> dict[str, Target]:
    """Read the table ``notify``; every key is known and has its type."""
    if not isinstance(data, dict):
        raise fault("", "", "'notify' must hold tables, each [notify.NAME]")
    return {name: read_target(name, table, fault) for name, table in data.items()}


def read_target(name: str, table: Any, fault: Fault) -> Target:
    if not isinstance(table, dict):
        raise fault(name, "", f"{brief(name)} must be a table: [notify.NAME]")
    if not NAME.fullmatch(name):
        raise fault(name, "", f"{brief(name)} is no name; use a-z, 0-9, '-' and '_', at most 40")
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        found = "is missing" if kind is None else f"is {brief(kind)}"
        raise fault(name, "kind", f"'kind' {found}; use one of {', '.join(KINDS)}")
    keys = {**EVERY, **KINDS[kind]}
    for key in table:
        if key not in keys:
            near = difflib.get_close_matches(key, keys, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(keys)}"
            raise fault(name, key, f"{brief(key)} is no key of kind {kind!r}; {hint}")
    held = {key: checked(name, key, value, fault) for key, value in table.items()}
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


def checked(name: str, key: str, value: Any, fault: Fault) -> Any:
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
            raise fault(name, key, f"{brief(wrong[0])} is no e-mail address")
        return tuple(value)
    if not is_line(value):
        raise fault(name, key, f"'{key}' must be one line of text")
    return checked_line(name, key, value, fault)


def checked_line(name: str, key: str, value: str, fault: Fault) -> str:
    """One value that is text: a choice, a variable's name, an address of mail."""
    if key in CHOICES and value not in CHOICES[key]:
        raise fault(name, key, f"'{key}' is {brief(value)}; use one of {', '.join(CHOICES[key])}")
    if key.endswith("_env") and not VARIABLE.fullmatch(value):
        raise fault(name, key, f"'{key}' names an environment variable; the secret stands in it")
    if key.endswith("_env") and value.upper() in OURS:
        raise fault(name, key, f"'{key}' names {value}, which is no receiver's secret")
    if key == "sender" and not is_mailbox(value):
        raise fault(name, key, f"{brief(value)} is no e-mail address")
    return value


def is_line(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable() and bool(value.strip())


def is_mailbox(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    return bool(local and at and domain) and text.isascii() and not re.search(r"[\s<>,;:]", text)
