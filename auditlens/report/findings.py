"""Findings and rules as a reviewer reads them: what, why, on which evidence, decided how."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from auditlens.report.inputs import STRONGEST_FIRST, ReportInputs
from auditlens.report.model import (
    CaseRow,
    Disposition,
    EvidenceRow,
    FindingRow,
    Reason,
    RuleRow,
    RuleSummary,
    Shown,
)
from auditlens.report.text import figure, mixed_scripts, percent
from auditlens.rules import NO_SAMPLES, Samples

PARQUET = "findings.parquet"
"""The file that has every finding whole."""

EVIDENCE_SHOWN = 5
"""How many events of a finding the page lists row by row."""

DETAILED = 25
"""How many findings, most severe first, list their events row by row; the rest list ids."""

IDS_LISTED = 50
"""How many findings, most severe first, name their first event; the files list all ids."""

REASONS_LISTED = 1
"""How many reasons the page gives for the findings after those: the weightiest."""

CONFIDENCE = {"rule": "condition met", "anomaly": "ranked by the model"}
PLAIN_TEXT = (
    "finding_id",
    "case_id",
    "within",
    "kind",
    "rule_id",
    "title",
    "level",
    "subject_kind",
    "subject_id",
    "subject_label",
    "exception_id",
)
AS_THEY_ARE = ("first_at", "last_at", "detected_at", "event_count", "score_rank")
HEALTH_ORDER = ("failed", "partial", "hit", "quiet", "idle", "off", "elsewhere")
RULES_FILE = "rules.csv"
"""The file that has every rule whole."""
RAN = ("partial", "hit", "quiet", "idle")
"""The health of rules that ran; ``idle`` had no event of their kind to examine."""


def finding_rows(inputs: ReportInputs, cases: Sequence[CaseRow]) -> tuple[FindingRow, ...]:
    """Every finding of the run, in the order of the page: by case, then by its timeline."""
    decided = {entry.finding_id: entry for entry in inputs.review.dispositions}
    held = {row["finding_id"]: row for row in inputs.findings.iter_rows(named=True)}
    order = [(name, case.case_id) for case in cases for name in case.finding_ids]
    within = {one: holder for case in cases for one, holder in inputs.timelines[case.case_id]}
    evidence = evidence_rows(inputs, [held[name] for name, _ in order[:DETAILED]])
    return tuple(
        finding_row(
            held[name] | {"case_id": case, "within": within[name]},
            decided.get(name),
            evidence if n < DETAILED else {},
            inputs.past.get(name, ()),
        )
        for n, (name, case) in enumerate(order)
    )


def finding_row(
    row: Mapping[str, Any],
    decided: Disposition | None,
    evidence: Mapping[str, EvidenceRow],
    seen_before: tuple[str, ...],
) -> FindingRow:
    ids = tuple(row["event_ids"] or ())
    decision = decided or Disposition(row["finding_id"], row["disposition"] or "")
    plain: dict[str, Any] = {name: row[name] or "" for name in PLAIN_TEXT}
    plain |= {name: row[name] for name in AS_THEY_ARE}
    return FindingRow(
        **plain,
        lookalike=mixed_scripts(row["subject_label"] or ""),
        event_ids=ids,
        evidence=tuple(evidence[one] for one in ids[:EVIDENCE_SHOWN] if one in evidence),
        value=figure(row["value"]),
        expected=figure(row["expected"]),
        score_percentile=figure(row["score_percentile"]),
        confidence=CONFIDENCE.get(row["kind"], row["kind"]),
        reasons=tuple(reason_row(one) for one in row["reasons"] or ()),
        tags=tuple(row["tags"] or ()),
        controls=tuple(row["controls"] or ()),
        state=row["state"] or "new",
        seen_before=seen_before,
        disposition=decision.decision,
        reviewer=decision.reviewer,
        owner=decision.owner,
        ticket=decision.ticket,
        decided_at=decision.decided_at,
        decision_reason=decision.reason,
    )


def reason_row(one: Mapping[str, Any]) -> Reason:
    share = one["share"]
    value, own, peers = (figure(one[key]) for key in ("value", "own_baseline", "peer_baseline"))
    return Reason(
        family=one["family"] or "",
        share_percent=None if share is None else percent(share, 1),
        text=one["text"] or comparison(one["family"] or "value", value, own, peers),
        value=value,
        own_baseline=own,
        peer_baseline=peers,
        label=one["label"] or "",
    )


def comparison(family: str, value: float | None, own: float | None, peers: float | None) -> str:
    """The sentence of a reason whose own sentence was dropped or never written."""
    parts = [family if value is None else f"{family}: {value:g}"]
    if own is not None:
        parts.append(f"usual for this subject {own:g}")
    if peers is not None:
        parts.append(f"usual for peers {peers:g}")
    return ", ".join(parts)


def evidence_rows(
    inputs: ReportInputs, first: Sequence[Mapping[str, Any]]
) -> dict[str, EvidenceRow]:
    """The events that the ``first`` findings list, by id."""
    wanted = {one for row in first for one in (row["event_ids"] or ())[:EVIDENCE_SHOWN]}
    found = inputs.events.filter(pl.col("id").is_in(sorted(wanted))).unique("id", keep="first")
    columns = ("id", "created_at", "event", "sender_label", "resource_label")
    return {
        row[0]: EvidenceRow(row[0], row[1], row[2] or "", row[3], row[4])
        for row in found.select(columns).iter_rows()
    }


def shown_findings(
    rows: tuple[FindingRow, ...], limit: int, sha256: str
) -> tuple[tuple[FindingRow, ...], Shown]:
    """The first ``limit`` findings of the page, and the note that says how many there are."""
    kept = rows[:limit]
    return kept, Shown(len(rows), len(kept), PARQUET, sha256)


def rule_rows(inputs: ReportInputs) -> tuple[RuleRow, ...]:
    """Every rule; a rule that could not run comes first, since it is not a pass."""
    loaded = {rule.id: rule for rule in inputs.rules}
    rows = [
        rule_row(row, loaded.get(row["rule_id"]), inputs.samples.get(row["name"], NO_SAMPLES))
        for row in inputs.health.iter_rows(named=True)
    ]
    if not inputs.events.height:
        # No event means no field either: that a rule lacks one cannot be told from nothing.
        rows = [replace(row, health="idle") if row.health == "failed" else row for row in rows]
    return tuple(sorted(rows, key=by_health))


def by_health(row: RuleRow) -> tuple[int, int, str]:
    level = STRONGEST_FIRST.index(row.level) if row.level in STRONGEST_FIRST else 9
    return HEALTH_ORDER.index(row.health), level, row.title + row.rule_id


def rule_row(row: dict[str, Any], rule: Any, samples: Samples) -> RuleRow:
    precision = row.get("precision")
    logic = getattr(rule, "description", "") or "" if rule is not None else ""
    return RuleRow(
        rule_id=row["rule_id"],
        name=row["name"] or "",
        title=row["title"] or "",
        level=row["level"] or "",
        kind=row["kind"] or "rule",
        status=row["status"] or "",
        health=rule_health(row, rule),
        reason_off=row["reason_off"] or "",
        logic=" ".join(logic.split()),
        digest=(getattr(rule, "digest", "") or "")[:12],
        examined=row["examined"] or 0,
        learning=row.get("learning") or 0,
        hits=row["hits"] or 0,
        findings=row["findings"] or 0,
        decided=row.get("decided") or 0,
        precision_percent=None if precision is None else percent(precision, 1),
        fields_missing=tuple(row["fields_missing"] or ()),
        tests_match=samples.match,
        tests_other=samples.other,
        tests_digest=samples.digest[:12],
    )


def rule_summary(inputs: ReportInputs, rows: tuple[RuleRow, ...]) -> RuleSummary:
    """All rules together."""
    health = Counter(row.health for row in rows)
    tried = Counter(row.status for row in rows if row.status)
    return RuleSummary(
        total=len(rows),
        health=tuple((word, health[word]) for word in HEALTH_ORDER if health[word]),
        tried=tuple(sorted(tried.items())),
        tests_match=sum(row.tests_match for row in rows),
        tests_other=sum(row.tests_other for row in rows),
        untested=tuple(row.title for row in rows if not row.tests_match + row.tests_other),
        skipped=inputs.skipped,
        digest=inputs.rules_digest,
        file=RULES_FILE,
    )


def rule_health(row: dict[str, Any], rule: Any) -> str:
    """One word: off, elsewhere, failed or partial (blind to what it reads), or how it went."""
    if not row["enabled"]:
        return "off"
    if row.get("applies") is False:
        return "elsewhere"
    missing = set(row["fields_missing"] or ())
    fields = set(getattr(rule, "fields", ()) or missing)
    if row["findings"] or row["hits"]:
        return "hit"
    if not row["examined"]:
        return "failed" if fields and fields <= missing else "idle"
    if missing:
        return "failed" if fields <= missing else "partial"
    return "quiet"
