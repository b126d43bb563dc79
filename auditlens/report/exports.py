"""The report as files for other programs: CSV, Parquet, JSON, NDJSON, OCSF, OSCAL, PDF."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import polars as pl

from auditlens.canonical import sha256_hex
from auditlens.errors import UsageError
from auditlens.report.completeness import Collection
from auditlens.report.findings import RULES_FILE
from auditlens.report.frameworks import NOT_ASSESSED
from auditlens.report.model import (
    CaseRow,
    Clause,
    Content,
    Evidence,
    FindingRow,
    Framework,
    Reason,
    RuleRow,
)
from auditlens.report.text import json_text, spreadsheet_cell
from auditlens.text import count

CONTROLS_FILE = "controls.csv"
"""The file that has every clause whole."""
CASES_VERSION = "auditlens.cases/1"
FAMILY = uuid.UUID("6f9c1f58-6a0b-5a5e-9c5f-3f1d6f0f6a11")
OCSF_VERSION = "1.8.0"
SEVERITY = {"informational": 1, "low": 2, "medium": 3, "high": 4, "critical": 5}
RULE, LEARNING = {"type": "Rule", "type_id": 1}, {"type": "Learning (ML/DL)", "type_id": 4}
NEW, IN_PROGRESS, SUPPRESSED, RESOLVED = (
    {"status_id": 1, "status": "New"},
    {"status_id": 2, "status": "In Progress"},
    {"status_id": 3, "status": "Suppressed"},
    {"status_id": 4, "status": "Resolved"},
)
CLAUSE_STATUS = {
    "supported": (1, 1),
    "supported with exceptions": (2, 2),
    "partly assessable": (2, 1),
    "gap": (3, 3),
    "not assessed": (0, 2),
    "not assessable from this log": (0, 1),
}
"""Status to OCSF ``compliance.status_id`` (0 unknown, 1 pass, 2 warning, 3 fail), severity."""
NAMESPACE = "https://auditlens.invalid/ns"
OSCAL_VERSION = "1.2.3"
CATALOG = "nist-800-53-r5"
NO_PLAN = "No assessment plan exists. The report states what was examined and how."


def as_json(content: Content | Collection) -> bytes:
    """A content, or a collection of evidence, as one JSON document.

    Args:
        content: What is written; of a content every finding.

    Returns:
        UTF-8, with sorted keys, indented by two spaces.
    """
    return (json_text(content, indent=2) + "\n").encode()


def cases_json(cases: pl.DataFrame) -> bytes:
    """Every case with the frame's own fields, sorted keys, two spaces."""
    document = {"schema": CASES_VERSION, "cases": cases.to_dicts()}
    return (json_text(document, indent=2) + "\n").encode()


def as_ndjson(findings: pl.DataFrame) -> bytes:
    """Findings as JSON, one a line.

    Args:
        findings: FINDING_SCHEMA.

    Returns:
        UTF-8: the frame's own fields with sorted keys, nothing shortened.
    """
    return "".join(json_text(row) + "\n" for row in findings.iter_rows(named=True)).encode()


def as_ocsf(content: Content) -> bytes:
    """One OCSF event a line: a finding each, then a case each, then a clause each."""
    return "".join(json_text(event) + "\n" for event in ocsf_events(content)).encode()


def as_oscal(content: Content) -> bytes:
    """The OSCAL assessment-results document."""
    return (json_text(oscal_results(content), indent=2) + "\n").encode()


def as_csv(table: pl.DataFrame) -> bytes:
    """The copy for spreadsheets: text cannot run as a formula, lists are joined by spaces."""
    flat = table.select(flat_column(table.schema, name) for name in table.columns)
    safe = flat.with_columns(
        pl.col(name).map_elements(spreadsheet_cell, return_dtype=pl.String)
        for name, dtype in flat.schema.items()
        if dtype == pl.String
    )
    buffer = io.BytesIO()
    safe.write_csv(buffer, datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ")
    return buffer.getvalue()


def flat_column(schema: pl.Schema, name: str) -> pl.Expr:
    """A column of plain values; reasons keep their sentences."""
    dtype: Any = schema[name]
    if name == "reasons":
        text, family = (pl.element().struct.field(part) for part in ("text", "family"))
        sentences = pl.when(text != "").then(text).otherwise(family)
        return pl.col(name).list.eval(sentences).list.join("; ").alias(name)
    if isinstance(dtype, pl.List):
        return pl.col(name).list.join(" ")
    return pl.col(name)


def as_parquet(table: pl.DataFrame) -> bytes:
    """The faithful copy, typed."""
    buffer = io.BytesIO()
    table.write_parquet(buffer, compression="zstd", statistics=False)
    return buffer.getvalue()


def table_files(content: Content) -> dict[str, bytes]:
    """The two files by name."""
    return table_bytes(content.rules, content.frameworks)


def table_hashes(rules: Sequence[RuleRow], frameworks: Sequence[Framework]) -> dict[str, str]:
    """SHA-256 of the two files by name."""
    made = table_bytes(rules, frameworks)
    return {name: sha256_hex(data) for name, data in made.items()}


def table_bytes(rules: Sequence[RuleRow], frameworks: Sequence[Framework]) -> dict[str, bytes]:
    return {
        RULES_FILE: as_table(columns_of(RuleRow), map(row_cells, rules)),
        CONTROLS_FILE: as_table(
            ["id", "framework", "name", *columns_of(Clause)],
            (
                # A spreadsheet takes the clause 8.10 alone for a number.
                [
                    f"{table.framework}:{clause.clause}",
                    table.framework,
                    table.name,
                    *row_cells(clause),
                ]
                for table in frameworks
                for clause in table.clauses
            ),
        ),
    }


def columns_of(kind: Any) -> list[str]:
    return [one.name for one in fields(kind)]


def row_cells(row: Any) -> Iterator[Any]:
    """The values of a row; lists are joined by spaces."""
    for one in fields(row):
        value = getattr(row, one.name)
        yield " ".join(value) if isinstance(value, tuple) else value


def as_table(columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> bytes:
    """CSV in which no text runs as a formula."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(spreadsheet_cell(one) if isinstance(one, str) else one for one in row)
    return buffer.getvalue().encode()


def stable_id(content: Content, *parts: str) -> str:
    """UUID version 5 of the run and ``parts``; the run is named by its input's hash."""
    run = uuid.uuid5(FAMILY, f"{content.cover.input_digest}/{content.cover.run_id}")
    return str(uuid.uuid5(run, "/".join(parts)))


def ocsf_events(content: Content) -> Iterator[dict[str, Any]]:
    """Every finding, case and clause as an OCSF event, in the order of the report."""
    for row in content.findings:
        yield ocsf_detection(content, row)
    members = {row.finding_id: row for row in content.findings}
    for case in content.cases:
        yield ocsf_incident(content, case, [members[one] for one in case.finding_ids])
    for table in content.frameworks:
        for clause in table.clauses:
            yield ocsf_compliance(content, table, clause)


def milliseconds(at: datetime) -> int:
    """UTC milliseconds, whole: the float of ``timestamp`` would be off by one now and then."""
    return int(at.timestamp()) * 1000 + at.microsecond // 1000


def ocsf_detection(content: Content, row: FindingRow) -> dict[str, Any]:
    event: dict[str, Any] = {
        "activity_id": 1,
        "category_uid": 2,
        "class_uid": 2004,
        "type_uid": 200401,
        "severity_id": SEVERITY.get(row.level, 0),
        "severity": row.level.capitalize(),
        "time": milliseconds(row.detected_at or content.cover.run_at),
        "count": row.event_count,
        "metadata": ocsf_metadata(content, row.finding_id),
        "finding_info": ocsf_finding_info(content, row),
        "evidences": [ocsf_evidence(row)],
        "unmapped": ocsf_unmapped(row),
        **ocsf_status(row),
    }
    for name, at in (("start_time", row.first_at), ("end_time", row.last_at)):
        if at is not None:
            event[name] = milliseconds(at)
    if row.subject_kind == "resource":
        event["resources"] = [{"uid": row.subject_id, "name": row.subject_label}]
    if analysed := [reason for reason in row.reasons if reason.value is not None]:
        event["anomaly_analyses"] = [anomaly_analysis(row, analysed)]
    return event


def ocsf_metadata(content: Content, uid: str) -> dict[str, Any]:
    return {
        "version": OCSF_VERSION,
        "uid": stable_id(content, "ocsf", uid),
        "product": {
            "name": "AuditLens",
            "vendor_name": "AuditLens",
            "version": content.cover.tool.removeprefix("AuditLens ") or "0",
        },
    }


def ocsf_finding_info(content: Content, row: FindingRow) -> dict[str, Any]:
    digests = {rule.rule_id: rule.digest for rule in content.rules}
    info: dict[str, Any] = {
        "uid": row.finding_id,
        "title": row.title,
        "types": [row.kind],
        "analytic": {
            "uid": row.rule_id,
            "name": row.title,
            "version": digests.get(row.rule_id, ""),
            **(RULE if row.kind == "rule" else LEARNING),
        },
        "related_events_count": row.event_count,
    }
    if row.reasons:
        info["desc"] = "; ".join(reason.text for reason in row.reasons)
    for name, at in (("first_seen_time", row.first_at), ("last_seen_time", row.last_at)):
        if at is not None:
            info[name] = milliseconds(at)
    return info


def ocsf_evidence(row: FindingRow) -> dict[str, Any]:
    found: dict[str, Any] = {"data": {"event_ids": list(row.event_ids)}}
    if row.subject_kind == "sender":
        found["actor"] = {"user": {"uid": row.subject_id, "name": row.subject_label}}
    return found


def ocsf_status(row: FindingRow) -> dict[str, Any]:
    """Suppressed by an exception, resolved or in progress by a disposition, else new."""
    if row.exception_id:
        return SUPPRESSED
    if row.disposition in ("", "open"):
        return NEW
    return IN_PROGRESS if row.disposition == "needs work" else RESOLVED


def anomaly_analysis(row: FindingRow, reasons: list[Reason]) -> dict[str, Any]:
    """The figures behind the reasons: what was observed, and what was usual."""
    analysis: dict[str, Any] = {
        "analysis_targets": [{"name": row.subject_label or "workspace", "type": row.subject_kind}],
        "anomalies": [
            {
                "observation_parameter": reason.family,
                "observation_type": "Deviation Analysis",
                "observations": [{"value": f"{reason.value:g}"}],
                **({"observed_pattern": reason.label} if reason.label else {}),
            }
            for reason in reasons
        ],
    }
    usual = [
        {
            "observation_parameter": f"{reason.family} ({whose})",
            "observations": [{"value": f"{value:g}"}],
        }
        for reason in reasons
        for whose, value in (("own", reason.own_baseline), ("peers", reason.peer_baseline))
        if value is not None
    ]
    if usual:
        analysis["baselines"] = usual
    return analysis


def ocsf_incident(content: Content, case: CaseRow, members: Sequence[FindingRow]) -> dict[str, Any]:
    """A case as an Incident Finding; its members stay Detection Findings of their own."""
    event: dict[str, Any] = {
        "activity_id": 3 if case.group in ("decided", "excepted") else 1,
        "category_uid": 2,
        "class_uid": 2005,
        "severity_id": SEVERITY.get(case.level, 0),
        "severity": case.level.capitalize(),
        "time": milliseconds(content.cover.run_at),
        "count": case.event_count,
        "desc": case.headline,
        "metadata": ocsf_metadata(content, case.case_id),
        "finding_info_list": [ocsf_finding_info(content, row) for row in members],
        "unmapped": ocsf_case(case),
        **ocsf_case_status(case),
    }
    event["type_uid"] = event["class_uid"] * 100 + event["activity_id"]
    # OCSF asks for one of the two; a case that nobody took is the reviewers'.
    if person := case.owner or case.reviewer:
        event["assignee"] = {"name": person}
    else:
        event["assignee_group"] = {"name": "Reviewers"}
    if case.decision_reason:
        event["comment"] = case.decision_reason
    for name, at in (("start_time", case.first_at), ("end_time", case.last_at)):
        if at is not None:
            event[name] = milliseconds(at)
    return event


def ocsf_case_status(case: CaseRow) -> dict[str, Any]:
    """Closed by an exception, resolved by a decision, in progress, else new."""
    if case.group == "excepted":
        return {"status_id": 5, "status": "Closed"}
    if case.group == "decided":
        return RESOLVED
    return IN_PROGRESS if case.state == "in progress" else NEW


def ocsf_case(case: CaseRow) -> dict[str, Any]:
    extra = {
        "case_id": case.case_id,
        "group": case.group,
        "state": case.state,
        "disposition": case.disposition,
        "score": case.score,
        "level_from": case.level_from,
        "joined_by": list(case.joined_by),
        "tactics": list(case.tactics),
        "controls": list(case.controls),
        "related": list(case.related),
        "subject": {"kind": case.subject_kind, "uid": case.subject_id, "name": case.subject_label},
    }
    return {key: value for key, value in extra.items() if value not in ("", [])}


def ocsf_unmapped(row: FindingRow) -> dict[str, Any]:
    extra = {
        "tags": list(row.tags),
        "controls": list(row.controls),
        "state": row.state,
        "disposition": row.disposition,
        "exception_id": row.exception_id,
        "value": row.value,
        "expected": row.expected,
        "score_rank": row.score_rank,
        "score_percentile": row.score_percentile,
    }
    return {key: value for key, value in extra.items() if value not in (None, "", [])}


def ocsf_compliance(content: Content, table: Framework, clause: Clause) -> dict[str, Any]:
    status_id, severity = CLAUSE_STATUS[clause.status]
    uid = f"{table.framework}:{clause.clause}"
    return {
        "activity_id": 1,
        "category_uid": 2,
        "class_uid": 2003,
        "type_uid": 200301,
        "severity_id": severity,
        "time": milliseconds(content.cover.run_at),
        "start_time": milliseconds(content.cover.period.start),
        "end_time": milliseconds(content.cover.period.end),
        "metadata": ocsf_metadata(content, uid),
        "finding_info": {"uid": uid, "title": f"{table.name}, {clause.clause}: {clause.words}"},
        "compliance": {
            "control": clause.clause,
            "standards": [table.name],
            "requirements": list(clause.evidence),
            "status": clause.status,
            "status_id": status_id,
            **({"status_detail": clause.limit} if clause.limit else {}),
        },
        "unmapped": {"open_findings": clause.open},
    }


NO_FRAMEWORK = Framework("evidence", "Evidence of the run", "", (), ())
"""What the evidence is told under where no framework was chosen."""


def oscal_results(content: Content) -> dict[str, Any]:
    """The whole document, ready to be written as JSON."""
    plan = stable_id(content, "oscal", "plan")
    return {
        "assessment-results": {
            "uuid": stable_id(content, "oscal"),
            "metadata": {
                "title": one_line(content.cover.title),
                "last-modified": oscal_time(content.cover.run_at),
                "version": content.cover.run_id,
                "oscal-version": OSCAL_VERSION,
            },
            "import-ap": {"href": f"#{plan}"},
            "results": [
                *(
                    [oscal_result(content, table) for table in content.frameworks]
                    or [oscal_result(content, NO_FRAMEWORK)]
                ),
                *([oscal_cases(content)] if content.cases else []),
            ],
            "back-matter": {
                "resources": [
                    {
                        "uuid": plan,
                        "title": "No plan",
                        "description": NO_PLAN,
                        "base64": {
                            "filename": "no-plan.txt",
                            "media-type": "text/plain",
                            "value": base64.b64encode(NO_PLAN.encode()).decode(),
                        },
                    }
                ]
            },
        }
    }


def oscal_result(content: Content, table: Framework) -> dict[str, Any]:
    name = table.framework
    span = content.cover.period
    controls = [{"control-id": control_id(name, clause.clause)} for clause in table.clauses]
    found: dict[str, Any] = {
        "uuid": stable_id(content, "oscal", name),
        "title": one_line(table.name),
        "description": one_line(f"{content.cover.title}: {table.name}"),
        "start": oscal_time(span.start),
        "end": oscal_time(span.end),
        "reviewed-controls": {
            "control-selections": [
                {"include-controls": controls} if controls else {"include-all": {}}
            ]
        },
        "observations": [
            oscal_observation(content, name, one) for one in content.completeness.evidence
        ],
    }
    if table.clauses:
        found["findings"] = [oscal_finding(content, name, clause) for clause in table.clauses]
    return found


def oscal_observation(content: Content, framework: str, one: Evidence) -> dict[str, Any]:
    return {
        "uuid": stable_id(content, "oscal", framework, one.evidence_id),
        "title": one_line(f"{one.evidence_id} {one.name}"),
        "description": one_line(one.statement),
        "methods": ["EXAMINE"],
        "collected": oscal_time(content.cover.run_at),
        "props": [{"name": "evidence-state", "ns": NAMESPACE, "value": one.state}],
    }


def oscal_cases(content: Content) -> dict[str, Any]:
    """The cases as risks, which rest on their findings as observations."""
    span = content.cover.period
    return {
        "uuid": stable_id(content, "oscal", "cases"),
        "title": "Cases",
        "description": one_line(f"{content.cover.title}: {content.conclusion.sentences[1]}"),
        "start": oscal_time(span.start),
        "end": oscal_time(span.end),
        "reviewed-controls": {"control-selections": [{"include-all": {}}]},
        "observations": [oscal_seen(content, row) for row in content.findings],
        "risks": [oscal_risk(content, case) for case in content.cases],
    }


def oscal_seen(content: Content, row: FindingRow) -> dict[str, Any]:
    """A finding as an observation."""
    why = "; ".join(reason.text for reason in row.reasons)
    return {
        "uuid": stable_id(content, "oscal", "cases", row.finding_id),
        "title": one_line(f"{row.finding_id} {row.title}"),
        "description": one_line(why or row.title),
        "methods": ["EXAMINE"],
        "types": ["finding"],
        "collected": oscal_time(row.detected_at or content.cover.run_at),
        "props": [
            {"name": "level", "ns": NAMESPACE, "value": row.level},
            {"name": "events", "ns": NAMESPACE, "value": str(row.event_count)},
        ],
    }


def oscal_risk(content: Content, case: CaseRow) -> dict[str, Any]:
    """A case as a risk: closed once decided or under an exception."""
    closed = case.group in ("decided", "excepted")
    said = f"{case.state}: {case.disposition}" if case.disposition else case.state
    return {
        "uuid": stable_id(content, "oscal", "cases", case.case_id),
        "title": one_line(f"{case.case_id} {case.headline}"),
        "description": one_line(f"{case.headline}. {case.group.capitalize()}, {said}."),
        "statement": one_line(f"Level {case.level}, {count(case.event_count, 'event')}."),
        "props": [
            {"name": "level", "ns": NAMESPACE, "value": case.level},
            {"name": "score", "ns": NAMESPACE, "value": f"{case.score:g}"},
        ],
        "status": "closed" if closed else "open",
        "related-observations": [
            {"observation-uuid": stable_id(content, "oscal", "cases", one)}
            for one in case.finding_ids
        ],
    }


def oscal_finding(content: Content, framework: str, clause: Clause) -> dict[str, Any]:
    control = control_id(framework, clause.clause)
    signed = content.sign_off.status in ("reviewed", "approved")
    satisfied = clause.status == "supported" and signed
    status: dict[str, Any] = {"state": "satisfied" if satisfied else "not-satisfied"}
    if not satisfied:
        why = "the review is not signed" if clause.status == "supported" else clause.limit
        if clause.status == NOT_ASSESSED:
            why = "no rule looked at the events"
        status["reason"] = "other"
        status["remarks"] = one_line(f"Evidence status: {clause.status}. {why}")
    return {
        "uuid": stable_id(content, "oscal", framework, clause.clause),
        "title": one_line(clause.clause),
        "description": one_line(clause.words),
        "target": {"type": "objective-id", "target-id": f"{control}_obj", "status": status},
        "related-observations": [
            {"observation-uuid": stable_id(content, "oscal", framework, one)}
            for one in clause.evidence
        ],
    }


def control_id(framework: str, clause: str) -> str:
    """A name token: ``AU-3(1)`` is ``au-3.1`` as NIST's catalog has it; others get a prefix."""
    plain = re.sub(r"[^a-z0-9.\-]+", ".", clause.lower()).strip(".")
    return plain if framework == CATALOG else f"{framework}_{plain}"


def one_line(text: str) -> str:
    """``text`` as OSCAL wants a string: one line, not empty, no space at either end."""
    return " ".join(text.split()) or "none"


def oscal_time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def as_pdf(page: str, attached: bytes, name: str, at: datetime) -> bytes:
    """Print ``page`` with ``attached`` as file ``name``; ``at`` is every date in the file.

    Raises UsageError when WeasyPrint or the libraries it needs are missing.
    """
    try:
        from weasyprint import HTML, Attachment  # type: ignore[import-untyped]
    except (ImportError, OSError) as error:
        raise UsageError(
            f"The PDF cannot be made: {type(error).__name__}",
            fix='Install "auditlens[pdf]" and Pango, or print report.html from a browser',
        ) from None
    attachment = Attachment(
        string=attached, name=name, description="The report as data", created=at, modified=at
    )
    return bytes(
        HTML(string=page, url_fetcher=refuse_fetch, media_type="print").write_pdf(
            pdf_variant="pdf/ua-1",
            pdf_identifier=hashlib.sha256(attached).digest()[:16],
            attachments=[attachment],
        )
    )


def refuse_fetch(url: str, *_: Any, **__: Any) -> Any:
    """Fetch nothing: the page is complete by itself.

    Args:
        url: What was asked for.

    Raises:
        ValueError: Always.
    """
    raise ValueError(f"The report loads nothing, not even {url[:60]!r}")
