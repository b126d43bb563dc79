"""The report: what an audit found, and how complete it is, as files a third party can check."""

from auditlens.report.build import STATEMENTS
from auditlens.report.completeness import EVIDENCE_NAMES
from auditlens.report.exports import as_json, as_ndjson, refuse_fetch
from auditlens.report.folder import FORMAT, MANIFEST, manifest_bytes, write_folder
from auditlens.report.frameworks import (
    STATUSES,
    ClauseRule,
    clause_status,
    decided_by,
    load_pack,
    pack_names,
)
from auditlens.report.inputs import review_of
from auditlens.report.model import (
    Disposition,
    ExceptionEntry,
    PreviousPeriod,
    Resolved,
    Review,
    Signature,
    schema_text,
)
from auditlens.report.page import read_templates
from auditlens.report.redact import pseudonyms
from auditlens.report.report import FORMS, MAX_ROWS, PDF_ROWS, Report, archive_heads
from auditlens.report.text import json_text, mixed_scripts, spreadsheet_cell

__all__ = [
    "EVIDENCE_NAMES",
    "FORMAT",
    "FORMS",
    "MANIFEST",
    "MAX_ROWS",
    "PDF_ROWS",
    "STATEMENTS",
    "STATUSES",
    "ClauseRule",
    "Disposition",
    "ExceptionEntry",
    "PreviousPeriod",
    "Report",
    "Resolved",
    "Review",
    "Signature",
    "archive_heads",
    "as_json",
    "as_ndjson",
    "clause_status",
    "decided_by",
    "json_text",
    "load_pack",
    "manifest_bytes",
    "mixed_scripts",
    "pack_names",
    "pseudonyms",
    "read_templates",
    "refuse_fetch",
    "review_of",
    "schema_text",
    "spreadsheet_cell",
    "write_folder",
]
