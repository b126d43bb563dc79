"""What plots and explanations read of an audit."""

from __future__ import annotations

from typing import Any, Protocol

import polars as pl

from auditlens.errors import UsageError
from auditlens.period import Period

__all__ = ["Audited", "finding_of"]


class Audited(Protocol):
    """An audit, as far as it is drawn or explained."""

    @property
    def period(self) -> Period: ...
    @property
    def events(self) -> pl.DataFrame: ...
    @property
    def findings(self) -> pl.DataFrame: ...
    @property
    def sender_days(self) -> pl.DataFrame: ...
    @property
    def past(self) -> pl.DataFrame:
        """The events of the period and of the history before it."""


def finding_of(audit: Audited, finding_id: str) -> dict[str, Any]:
    """One finding by its id. Raises UsageError when the audit has none of it."""
    found = audit.findings.filter(pl.col("finding_id") == finding_id)
    if found.is_empty():
        raise UsageError(
            f"No finding {finding_id!r} in {audit.period}",
            fix="See audit.findings, or run 'auditlens check', for their ids",
        )
    return found.row(0, named=True)
