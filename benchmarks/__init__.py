"""Figures beside their goals: ``python3 dev bench [NAME ...]``.

A module in this folder is a benchmark when it has a function ``run() -> list[Row]``; the
command finds it by that. A row states one thing that was measured, what was seen and the goal:

    Row("check of 1M events", seen=14.2, unit="s", goal=20.0, better="less")

``better`` says whether less or more is better; a row without a goal is information alone.
Costly input is made once in a temporary folder of the module's own. Rows that compare two ways
in one run carry ``unit="x"``: ratios hold on other machines, seconds do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Row"]


@dataclass(frozen=True)
class Row:
    """One figure: what was measured, what was seen, in which unit, and the goal if there is one."""

    what: str
    seen: float
    unit: str
    goal: float | None = None
    better: Literal["less", "more"] = "less"
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal was reached; None without a goal."""
        if self.goal is None:
            return None
        return self.seen <= self.goal if self.better == "less" else self.seen >= self.goal
