"""What stands in the way of a sign-off: open findings, a log known to be incomplete, an interest.

The first two a reviewer may sign over with a reason, which is recorded. The last nobody may.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from auditlens.audit import Audit
from auditlens.findings import is_excepted, is_open, levels_from
from auditlens.seals.signers import parted, plain

__all__ = ["SIGN_LEVEL", "Obstacles", "obstacles", "own_decisions"]

SIGN_LEVEL = "medium"
"""Findings of this level and above must be decided before a month is signed."""

NAMED = 5


@dataclass(frozen=True)
class Obstacles:
    """Why a month cannot be signed as it is: ``open`` finding ids, and sentences.

    ``incomplete`` is empty or says what the log lacks; ``interest`` is empty or says which
    findings are about the reviewer.
    """

    open: tuple[str, ...]
    level: str
    incomplete: str
    interest: str

    @property
    def told(self) -> tuple[str, ...]:
        """What may be signed over, as sentences."""
        found = []
        if self.open:
            shown = ", ".join(self.open[:NAMED])
            more = f" and {len(self.open) - NAMED} more" if len(self.open) > NAMED else ""
            verb = "finding is" if len(self.open) == 1 else "findings are"
            found.append(f"{len(self.open)} {verb} open at {self.level} or above: {shown}{more}")
        if self.incomplete:
            found.append(f"coverage is incomplete: {self.incomplete}")
        return tuple(found)


def obstacles(audit: Audit, reviewer: str, level: str = SIGN_LEVEL) -> Obstacles:
    """What stands between ``reviewer`` and a signature under this audit.

    A decision that somebody made about their own act is no decision: the finding is open.
    """
    own = own_decisions(audit)
    waiting = is_open() | (pl.col("finding_id").is_in(own) & ~is_excepted())
    undecided = audit.findings.filter(waiting)
    about = [
        row["finding_id"]
        for row in undecided.iter_rows(named=True)
        if row["subject_kind"] == "sender" and same_person(reviewer, names_of(audit, row))
    ]
    lacking = audit.coverage.outcome == "incomplete"
    return Obstacles(
        open=tuple(undecided.filter(pl.col("level").is_in(levels_from(level)))["finding_id"]),
        level=level,
        incomplete=audit.coverage.statement if lacking else "",
        interest=f"{reviewer} is the subject of {', '.join(about)}, which nobody else decided"
        if about
        else "",
    )


def own_decisions(audit: Audit) -> list[str]:
    """Findings whose decision that counts was made by the very person they are about."""
    found = []
    for row in audit.findings.iter_rows(named=True):
        decision = audit.journal.latest.get(row["finding_id"])
        if decision is None or row["subject_kind"] != "sender":
            continue
        if same_person(decision.reviewer, names_of(audit, row)):
            found.append(row["finding_id"])
    return found


def names_of(audit: Audit, finding: dict[str, str | None]) -> set[str]:
    """Every name, address and id under which the subject of a finding appears in the log."""
    seen = audit.events.filter(pl.col("sender_id") == finding["subject_id"])
    texts = [finding["subject_id"], finding["subject_label"]]
    for column in ("sender_email", "sender_name"):
        texts += seen[column].unique().to_list()
    return {plain(text) for text in texts if text and plain(text)}


def same_person(written: str, names: set[str]) -> bool:
    """Whether a written name, ``Name <address>``, names the same person, whatever its case."""
    return any(part in names for part in (plain(written), *parted(written)) if part)
