"""Files that hold settings: ``auditlens.toml``, or ``[tool.auditlens]`` in ``pyproject.toml``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from auditlens.canonical import sha256_hex
from auditlens.errors import AuditLensError, DocumentError
from auditlens.files import read
from auditlens.settings.known import NAMES, PATHS
from auditlens.settings.syntax import MAX_BYTES, brief, parse_toml
from auditlens.settings.targets import NAME, read_targets
from auditlens.settings.values import checked, suggestion

__all__ = ["FILE_NAME", "SettingsFile", "find_file", "has_table"]

FILE_NAME = "auditlens.toml"
PROJECT = "pyproject.toml"
TABLE = "tool.auditlens"


def find_file(start: Path) -> Path | None:
    """Return the nearest file with settings in ``start`` or a folder above it.

    In one folder ``auditlens.toml`` stands above ``pyproject.toml``, which counts only when it
    has a table ``[tool.auditlens]``.
    """
    for folder in (start, *start.parents):
        # What stands there but is no readable file is told when it is read.
        if os.path.lexists(path := folder / FILE_NAME):
            return path
        if has_table(folder):
            return folder / PROJECT
    return None


def has_table(folder: Path) -> bool:
    """Whether the folder's ``pyproject.toml`` holds settings of ours."""
    path = folder / PROJECT
    try:
        raw = read(path, most=MAX_BYTES, follow=True)
        if b"auditlens" not in raw:
            return False
        tool = parse_toml(raw, path).get("tool")
        return isinstance(tool, dict) and "auditlens" in tool
    except DocumentError:
        # One that says it is ours is read all the same, so that its fault is told.
        return f"[{TABLE}".encode() in raw
    except (OSError, AuditLensError):
        return False


@dataclass(frozen=True)
class SettingsFile:
    """One file with settings; what is read from it knows the line it stands in."""

    path: Path

    @property
    def table(self) -> str:
        """The table that holds the settings; empty for the top of the file."""
        return TABLE if self.path.name == PROJECT else ""

    @cached_property
    def raw(self) -> bytes:
        """The bytes of the file, read once. Raises DocumentError when it is no regular file."""
        try:
            return read(self.path, most=MAX_BYTES, follow=True)
        except OSError as error:
            raise DocumentError(f"cannot be read ({error.strerror})", path=self.path) from None
        except AuditLensError as error:
            reason = error.message.removeprefix(f"{self.path} ")
            raise DocumentError(reason, path=self.path, fix=error.fix) from None

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of its bytes: what trust in it rests on."""
        return sha256_hex(self.raw)

    def parsed(self) -> Mapping[str, Any]:
        """The settings as TOML has them. Raises DocumentError for what is no TOML."""
        held: Any = parse_toml(self.raw, self.path)
        for name in self.table.split(".") if self.table else ():
            held = held.get(name) if isinstance(held, dict) else None
        if not isinstance(held, dict):
            raise DocumentError(f"[{TABLE}] must be a table", path=self.path)
        return held

    def values(self) -> dict[str, Any]:
        """Every setting of the file, each known and of its type. Raises DocumentError."""
        found: dict[str, Any] = {}
        data = self.parsed()
        for name in data:
            if name not in NAMES:
                raise self.fault(name, f"{brief(name)} is no setting", fix=suggestion(name))
        for name, value in data.items():
            if name == "notify":
                found[name] = read_targets(value, self.target_fault)
                continue
            found[name] = checked(name, value, lambda m, n=name: self.fault(n, m))  # type: ignore[misc]
            if name in PATHS:
                found[name] = self.path.parent / found[name]
        return found

    def fault(self, name: str, message: str, *, fix: str = "") -> DocumentError:
        """The error for one setting, with the line it stands in."""
        return DocumentError(message, path=self.path, line=self.line_of(name), fix=fix)

    @cached_property
    def lines(self) -> list[str]:
        return self.raw.decode("utf-8", "replace").split("\n")

    def line_of(self, name: str) -> int:
        """Line in which a setting stands; 0 when it cannot be told."""
        inside = not self.table
        above = f"{self.table}." if self.table else ""
        for number, line in enumerate(self.lines, 1):
            bare = line.split("#")[0].strip()
            if bare.startswith("["):
                head = bare.strip("[] ").replace(" ", "")
                inside = head == self.table
                if f"{head}.".startswith(f"{above}{name}."):
                    return number
            elif inside and bare.partition("=")[0].strip(" \"'").partition(".")[0] == name:
                return number
        return 0

    def origin_of(self, name: str) -> str:
        """File and line of a setting, as ``config show --origin`` tells it."""
        line = self.line_of(name)
        return f"{self.path}:{line}" if line else str(self.path)

    def target_fault(self, target: str, key: str, message: str) -> DocumentError:
        """The error for one key of one table ``[notify.NAME]``, with the line it stands in."""
        lines = [line.split("#")[0].strip() for line in self.lines]
        above = f"{self.table}." if self.table else ""
        heads = (f'[{above}notify.{target}]', f'[{above}notify."{target}"]', f"[{above}notify]",
                 "notify")  # fmt: skip
        head = next((n for n, line in enumerate(lines, 1) if line.startswith(heads)), 0)
        below = range(head, len(lines))
        end = next((n for n in below if lines[n].startswith("[")), len(lines))
        found = [n + 1 for n in range(head, end) if lines[n].split("=")[0].strip(" \"'") == key]
        where = f"[{above}notify.{target}]: " if NAME.fullmatch(target) else ""
        return DocumentError(
            f"{where}{message}",
            path=self.path,
            line=found[0] if key and found else head,
            fix="docs/notifications.md has a table for each kind",
        )
