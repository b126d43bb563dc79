"""OSCAL assessment-results: evidence as observations, clauses as findings.

One result a framework. No assessment plan exists, so ``import-ap`` points to a resource that
says so. A clause is ``satisfied`` only when the evidence supports it and the review was signed:
a log alone does not show design or intent.
"""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from typing import Any

from auditlens.report.content import Content
from auditlens.report.frameworks import NOT_ASSESSED
from auditlens.report.sections import Clause, Evidence, Framework
from auditlens.report.stable_ids import stable_id

__all__ = ["OSCAL_VERSION", "oscal_results"]

OSCAL_VERSION = "1.2.3"
CATALOG = "nist-800-53-r5"
NO_PLAN = "No assessment plan exists. The report states what was examined and how."


def oscal_results(content: Content) -> dict[str, Any]:
    """The whole document, ready to be written as JSON."""
    plan = stable_id(content, "oscal", "plan")
    return {
        "assessment-results": {
            "uuid": stable_id(content, "oscal"),
            "metadata": {
                "title": line(content.cover.title),
                "last-modified": stamp(content.cover.run_at),
                "version": content.cover.run_id,
                "oscal-version": OSCAL_VERSION,
            },
            "import-ap": {"href": f"#{plan}"},
            "results": [result(content, table) for table in content.frameworks]
            or [result(content, Framework("evidence", "Evidence of the run", "", (), ()))],
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


def result(content: Content, table: Framework) -> dict[str, Any]:
    name = table.framework
    span = content.cover.period
    controls = [{"control-id": control_id(name, clause.clause)} for clause in table.clauses]
    found: dict[str, Any] = {
        "uuid": stable_id(content, "oscal", name),
        "title": line(table.name),
        "description": line(f"{content.cover.title}: {table.name}"),
        "start": stamp(span.start),
        "end": stamp(span.end),
        "reviewed-controls": {
            "control-selections": [
                {"include-controls": controls} if controls else {"include-all": {}}
            ]
        },
        "observations": [observation(content, name, one) for one in content.completeness.evidence],
    }
    if table.clauses:
        found["findings"] = [finding(content, name, clause) for clause in table.clauses]
    return found


def observation(content: Content, framework: str, one: Evidence) -> dict[str, Any]:
    return {
        "uuid": stable_id(content, "oscal", framework, one.evidence_id),
        "title": line(f"{one.evidence_id} {one.name}"),
        "description": line(one.statement),
        "methods": ["EXAMINE"],
        "collected": stamp(content.cover.run_at),
        "props": [
            {"name": "evidence-state", "ns": "https://auditlens.invalid/ns", "value": one.state}
        ],
    }


def finding(content: Content, framework: str, clause: Clause) -> dict[str, Any]:
    control = control_id(framework, clause.clause)
    signed = content.sign_off.status in ("reviewed", "approved")
    satisfied = clause.status == "supported" and signed
    status: dict[str, Any] = {"state": "satisfied" if satisfied else "not-satisfied"}
    if not satisfied:
        why = "the review is not signed" if clause.status == "supported" else clause.limit
        if clause.status == NOT_ASSESSED:
            why = "no rule looked at the events"
        status["reason"] = "other"
        status["remarks"] = line(f"Evidence status: {clause.status}. {why}")
    return {
        "uuid": stable_id(content, "oscal", framework, clause.clause),
        "title": line(clause.clause),
        "description": line(clause.words),
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


def line(text: str) -> str:
    """``text`` as OSCAL wants a string: one line, not empty, no space at either end."""
    return " ".join(text.split()) or "none"


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
