"""Files that hold settings: ``auditlens.toml``, or ``[tool.auditlens]`` in ``pyproject.toml``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from auditlens.errors import AuditLensError, DocumentError
from auditlens.files import read_text
from auditlens.settings.known import NAMES, PATHS
from auditlens.settings.targets import read_targets
from auditlens.settings.values import checked, suggestion

__all__ = ["FILE_NAME", "SettingsFile", "find_file", "has_table"]

FILE_NAME = "auditlens.toml"
PROJECT = "pyproject.toml"
TABLE = "tool.auditlens"
LARGEST = 1 << 20
"""Bytes a settings file may have; a larger one is no settings file."""
PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def find_file(start: Path) -> Path | None:
    """Return the nearest file with settings in ``start`` or a folder above it.

    In one folder ``auditlens.toml`` stands above ``pyproject.toml``, which counts only when it
    has a table ``[tool.auditlens]``.
    """
    for folder in (start, *start.parents):
        if (path := folder / FILE_NAME).is_file():
            return path
        if has_table(folder):
            return folder / PROJECT
    return None


def has_table(folder: Path) -> bool:
    """Whether the folder's ``pyproject.toml`` holds settings of ours."""
    try:
        text = read_text(folder / PROJECT, most=LARGEST)
        if "auditlens" not in text:
            return False
        return "auditlens" in tomllib.loads(text).get("tool", {})
    except tomllib.TOMLDecodeError:
        # One that says it is ours is read all the same, so that its fault is told.
        return f"[{TABLE}" in text
    except (OSError, UnicodeDecodeError, AuditLensError):
        return False


def toml_fault(path: Path, told: str) -> DocumentError:
    """The error for text that is no TOML, with the place the parser names."""
    found = PLACE.search(told)
    line, column = (int(found[n] or 0) for n in (1, 2)) if found else (0, 0)
    fix = "Write name = value, and put text between quotes"
    message = f"is not valid TOML: {PLACE.sub('', told)}"
    return DocumentError(message, path=path, line=line, column=column, fix=fix)


@dataclass(frozen=True)
class SettingsFile:
    """One file with settings; what is read from it knows the line it stands in."""

    path: Path

    @property
    def table(self) -> str:
        """The table that holds the settings; empty for the top of the file."""
        return TABLE if self.path.name == PROJECT else ""

    @cached_property
    def text(self) -> str:
        """The whole file. Raises DocumentError when it is not readable text."""
        try:
            return read_text(self.path, most=LARGEST)
        except OSError as error:
            raise DocumentError(f"cannot be read ({error.strerror})", path=self.path) from None
        except AuditLensError as error:
            reason = error.message.removeprefix(f"{self.path} ")
            raise DocumentError(reason, path=self.path, fix=error.fix) from None
        except UnicodeDecodeError:
            raise DocumentError("is not UTF-8 text", path=self.path) from None

    def parsed(self) -> Mapping[str, Any]:
        """The settings as TOML has them. Raises DocumentError for what is no TOML."""
        try:
            data = tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            raise toml_fault(self.path, str(error)) from None
        held = data["tool"]["auditlens"] if self.table else data
        if not isinstance(held, dict):
            raise DocumentError(f"[{TABLE}] must be a table", path=self.path)
        return held

    def values(self) -> dict[str, Any]:
        """Every setting of the file, each known and of its type. Raises DocumentError."""
        found: dict[str, Any] = {}
        data = self.parsed()
        for name in data:
            if name not in NAMES:
                raise self.fault(name, f"'{name}' is no setting", fix=suggestion(name))
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

    def line_of(self, name: str) -> int:
        """Line in which a setting stands; 0 when it cannot be told."""
        inside = not self.table
        above = f"{self.table}." if self.table else ""
        for number, line in enumerate(self.text.splitlines(), 1):
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
        lines = [line.split("#")[0].strip() for line in self.text.splitlines()]
        above = f"{self.table}." if self.table else ""
        heads = (f'[{above}notify.{target}]', f'[{above}notify."{target}"]', f"[{above}notify]",
                 "notify")  # fmt: skip
        head = next((n for n, line in enumerate(lines, 1) if line.startswith(heads)), 0)
        below = range(head, len(lines))
        end = next((n for n in below if lines[n].startswith("[")), len(lines))
        found = [n + 1 for n in range(head, end) if lines[n].split("=")[0].strip(" \"'") == key]
        where = f"[{above}notify.{target}]: " if target else ""
        return DocumentError(
            f"{where}{message}",
            path=self.path,
            line=found[0] if key and found else head,
            fix="docs/notifications.md has a table for each kind",
        )
