"""OCSF: one Detection Finding (2004) a finding, one Compliance Finding (2003) a clause.

Plain dictionaries in the schema's own names. Times are UTC milliseconds since 1970, as the
schema's ``timestamp_t`` has them. What has no field of its own stands under ``unmapped``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from auditlens.report.content import Content, FindingRow, Reason
from auditlens.report.sections import Clause, Framework
from auditlens.report.stable_ids import stable_id

__all__ = ["OCSF_VERSION", "ocsf_events"]

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


def ocsf_events(content: Content) -> Iterator[dict[str, Any]]:
    """Every finding and every clause as an OCSF event, in the order of the report."""
    for row in content.findings:
        yield detection(content, row)
    for table in content.frameworks:
        for clause in table.clauses:
            yield compliance(content, table, clause)


def milliseconds(at: datetime) -> int:
    """UTC milliseconds, whole: the float of ``timestamp`` would be off by one now and then."""
    return int(at.timestamp()) * 1000 + at.microsecond // 1000


def detection(content: Content, row: FindingRow) -> dict[str, Any]:
    event: dict[str, Any] = {
        "activity_id": 1,
        "category_uid": 2,
        "class_uid": 2004,
        "type_uid": 200401,
        "severity_id": SEVERITY.get(row.level, 0),
        "severity": row.level.capitalize(),
        "time": milliseconds(row.detected_at or content.cover.run_at),
        "count": row.event_count,
        "metadata": metadata(content, row.finding_id),
        "finding_info": finding_info(content, row),
        "evidences": [evidence(row)],
        "unmapped": unmapped(row),
        **status(row),
    }
    for name, at in (("start_time", row.first_at), ("end_time", row.last_at)):
        if at is not None:
            event[name] = milliseconds(at)
    if row.subject_kind == "resource":
        event["resources"] = [{"uid": row.subject_id, "name": row.subject_label}]
    if analysed := [reason for reason in row.reasons if reason.value is not None]:
        event["anomaly_analyses"] = [anomaly_analysis(row, analysed)]
    return event


def metadata(content: Content, uid: str) -> dict[str, Any]:
    return {
        "version": OCSF_VERSION,
        "uid": stable_id(content, "ocsf", uid),
        "product": {
            "name": "AuditLens",
            "vendor_name": "AuditLens",
            "version": content.cover.tool.removeprefix("AuditLens ") or "0",
        },
    }


def finding_info(content: Content, row: FindingRow) -> dict[str, Any]:
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


def evidence(row: FindingRow) -> dict[str, Any]:
    found: dict[str, Any] = {"data": {"event_ids": list(row.event_ids)}}
    if row.subject_kind == "sender":
        found["actor"] = {"user": {"uid": row.subject_id, "name": row.subject_label}}
    return found


def status(row: FindingRow) -> dict[str, Any]:
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


def unmapped(row: FindingRow) -> dict[str, Any]:
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


def compliance(content: Content, table: Framework, clause: Clause) -> dict[str, Any]:
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
        "metadata": metadata(content, uid),
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
