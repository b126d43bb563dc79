"""Findings as a reviewer reads them: what, why, who, when, on which evidence, decided how."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from auditlens.report.content import EvidenceRow, FindingRow, Reason, RuleGroup, Shown
from auditlens.report.facts import Facts
from auditlens.report.review import Disposition
from auditlens.report.text import mixed_scripts
from auditlens.report.wording import figure, percent

__all__ = ["DETAILED", "EVIDENCE_SHOWN", "finding_rows", "rule_groups", "shown_findings"]

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

MODEL_TITLES = {
    "sender-day": "Unusual days of senders",
    "resource-day": "Unusual days of resources",
    "identity": "Days that look like someone else's",
}
"""The group of each model; its findings carry titles of their own."""

CONFIDENCE = {"rule": "condition met", "anomaly": "ranked by the model"}


def finding_rows(facts: Facts) -> tuple[FindingRow, ...]:
    """Every finding of the run, in the order of the page."""
    decided = {entry.finding_id: entry for entry in facts.review.dispositions}
    evidence = evidence_rows(facts)
    return tuple(
        finding_row(
            row,
            decided.get(row["finding_id"]),
            evidence if n < DETAILED else {},
            facts.past.get(row["finding_id"], ()),
        )
        for n, row in enumerate(facts.findings.iter_rows(named=True))
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
        reasons=tuple(reason(one) for one in row["reasons"] or ()),
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


PLAIN_TEXT = (
    "finding_id",
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


def reason(one: Mapping[str, Any]) -> Reason:
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


def evidence_rows(facts: Facts) -> dict[str, EvidenceRow]:
    """The events that the most severe findings list, by id."""
    listed = facts.findings.head(DETAILED)["event_ids"].list.head(EVIDENCE_SHOWN)
    wanted = listed.explode().drop_nulls().unique().to_list()
    found = facts.events.filter(pl.col("id").is_in(wanted)).unique("id", keep="first")
    columns = ("id", "created_at", "event", "sender_label", "resource_label")
    return {
        row[0]: EvidenceRow(row[0], row[1], row[2] or "", row[3], row[4])
        for row in found.select(columns).iter_rows()
    }


def rule_groups(
    facts: Facts, rows: Iterable[FindingRow], shown: Iterable[FindingRow]
) -> tuple[RuleGroup, ...]:
    """Findings by rule (or model) and level, in the order of the page."""
    members: dict[tuple[str, str], list[FindingRow]] = defaultdict(list)
    for row in rows:
        members[row.level, row.rule_id].append(row)
    on_page: dict[tuple[str, str], int] = defaultdict(int)
    for row in shown:
        on_page[row.level, row.rule_id] += 1
    why = {rule.id: getattr(rule, "description", "") or "" for rule in facts.rules}
    return tuple(
        rule_group(key, found, on_page[key], why.get(key[1], "")) for key, found in members.items()
    )


def rule_group(key: tuple[str, str], found: list[FindingRow], shown: int, why: str) -> RuleGroup:
    first = found[0]
    return RuleGroup(
        rule_id=key[1],
        title=MODEL_TITLES.get(key[1], first.title),
        kind=first.kind,
        level=key[0],
        why=" ".join(why.split()),
        count=len(found),
        shown=shown,
        subjects=len({(row.subject_kind, row.subject_id) for row in found}),
        controls=tuple(sorted({one for row in found for one in row.controls})),
        tags=tuple(sorted({one for row in found for one in row.tags})),
        finding_ids=tuple(row.finding_id for row in found),
    )


def shown_findings(
    rows: tuple[FindingRow, ...], limit: int, sha256: str
) -> tuple[tuple[FindingRow, ...], Shown]:
    """The most severe ``limit`` findings, and the note that says how many there are."""
    kept = rows[:limit]
    return kept, Shown(len(rows), len(kept), PARQUET, sha256)
