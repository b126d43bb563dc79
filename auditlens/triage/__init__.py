"""Triage: what reviewers decided about findings, what is expected until when, what was signed."""

from auditlens.triage.append import add_entry, entry_line, exception_id
from auditlens.triage.apply import (
    EXCEPTION_SCHEMA,
    apply_journal,
    covers,
    decision_words,
    exceptions_used,
    unmatched,
)
from auditlens.triage.change import SealedMonth, mark_states, resolved, unseen
from auditlens.triage.entry import FINDING_ID, VERDICTS, Disposition, FindingException
from auditlens.triage.journal import Journal, parse_journal, read_journal
from auditlens.triage.precision import rule_precision, tuning_hints, with_precision
from auditlens.triage.signed import months_before
from auditlens.triage.teaching import Lesson, lessons, tell_lessons

__all__ = [
    "EXCEPTION_SCHEMA",
    "FINDING_ID",
    "VERDICTS",
    "Disposition",
    "FindingException",
    "Journal",
    "Lesson",
    "SealedMonth",
    "add_entry",
    "apply_journal",
    "covers",
    "decision_words",
    "entry_line",
    "exception_id",
    "exceptions_used",
    "lessons",
    "mark_states",
    "months_before",
    "parse_journal",
    "read_journal",
    "resolved",
    "rule_precision",
    "tell_lessons",
    "tuning_hints",
    "unmatched",
    "unseen",
    "with_precision",
]
