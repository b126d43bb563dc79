"""Triage: what reviewers decided about findings, and what is expected until when."""

from auditlens.triage.append import add_entry, exception_id
from auditlens.triage.apply import (
    EXCEPTION_SCHEMA,
    apply_journal,
    exceptions_used,
    rule_precision,
)
from auditlens.triage.journal import (
    VERDICTS,
    Disposition,
    FindingException,
    Journal,
    read_journal,
)

__all__ = [
    "EXCEPTION_SCHEMA",
    "VERDICTS",
    "Disposition",
    "FindingException",
    "Journal",
    "add_entry",
    "apply_journal",
    "exception_id",
    "exceptions_used",
    "read_journal",
    "rule_precision",
]
