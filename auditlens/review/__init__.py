"""Review: a month is signed by its reviewer, and a third party can do it all again.

What reviewers decide about single findings is in the room ``triage``, which the audit reads.
"""

from auditlens.review.exceptions import ExceptionTrial, past_months, try_exception
from auditlens.review.folder import Difference, ReportFolder, open_folder
from auditlens.review.record import (
    RECORD,
    ReportOptions,
    is_shipped,
    make_record,
    note_shown,
    report_files,
    with_record,
    write_report,
)
from auditlens.review.reperformance import LocalInputs
from auditlens.review.signing import STATEMENT, SignOffOptions, sign_off
from auditlens.review.verification import ReportVerification, compare_rules, verify_report

__all__ = [
    "RECORD",
    "STATEMENT",
    "Difference",
    "ExceptionTrial",
    "LocalInputs",
    "ReportFolder",
    "ReportOptions",
    "ReportVerification",
    "SignOffOptions",
    "compare_rules",
    "is_shipped",
    "make_record",
    "note_shown",
    "open_folder",
    "past_months",
    "report_files",
    "sign_off",
    "try_exception",
    "verify_report",
    "with_record",
    "write_report",
]
