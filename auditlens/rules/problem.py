"""One remark on a rule, with its place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["SEVERITIES", "Problem"]

SEVERITIES = ("error", "warning", "note")
"""Gravest first: the rule cannot be trusted; it may not mean what it says; worth knowing."""


@dataclass(frozen=True)
class Problem:
    """A remark: how grave, a code for it, what was found, where, and what would be right."""

    severity: str
    code: str
    message: str
    path: Path
    line: int
    column: int
    rule: str = ""
    fix: str = ""

    def __str__(self) -> str:
        text = (
            f"{self.path}:{self.line}:{self.column}: {self.severity} [{self.code}] {self.message}"
        )
        return f"{text}. {self.fix}" if self.fix else text
