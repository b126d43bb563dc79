"""Cases as a reviewer reads them: what is one story, how serious, decided how."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from auditlens.cases import JOINED_BY
from auditlens.findings import LEVELS
from auditlens.report.inputs import ReportInputs
from auditlens.report.model import CaseCounts, CaseRow, Decision, Disposition, FindingRow
from auditlens.report.text import mixed_scripts

GROUPS = ("to decide", "decided", "observation", "excepted")
"""What is to be done with a case, in the order of the page."""

TO_DECIDE = 5
"""How many cases to decide the first screen names."""

AS_THEY_ARE = (
    "case_id", "level", "level_from", "score", "actor_count", "resource_count", "first_at",
    "last_at", "event_count", "hidden", "state", "continues", "joined_after",
)  # fmt: skip
TEXT = ("headline", "subject_kind", "subject_id", "subject_label")
LISTS = ("actors", "resources", "no_longer_joined", "kinds", "tactics", "related")


def case_rows(inputs: ReportInputs) -> tuple[CaseRow, ...]:
    """Every case in the order of the page: to decide, decided, observations, excepted."""
    decided = {entry.finding_id: entry for entry in inputs.review.dispositions}
    controls = dict(inputs.findings.select("finding_id", "controls").iter_rows())
    rows = [
        case_row(row, inputs, [decided[one] for one in row["finding_ids"] if one in decided],
                 controls)
        for row in inputs.cases.iter_rows(named=True)
    ]  # fmt: skip
    return tuple(sorted(rows, key=lambda row: GROUPS.index(row.group)))


def case_row(
    row: Mapping[str, Any],
    inputs: ReportInputs,
    decisions: Sequence[Disposition],
    controls: Mapping[str, Sequence[str]],
) -> CaseRow:
    if row["group"] == "to decide" and not row["disposition"]:
        decisions = ()  # What was decided about single findings stands beside them.
    last = max(decisions, key=lambda one: (str(one.decided_at or ""), one.finding_id), default=None)
    words = {one.decision for one in decisions if one.decision} | {row["disposition"] or ""} - {""}
    plain: dict[str, Any] = {name: row[name] for name in AS_THEY_ARE}
    plain |= {name: row[name] or "" for name in TEXT}
    plain |= {name: tuple(row[name] or ()) for name in LISTS}
    timeline = inputs.timelines[row["case_id"]]
    return CaseRow(
        **plain,
        group=row["group"],
        raised_because=inputs.raised[row["case_id"]],
        lookalike=mixed_scripts(row["subject_label"] or ""),
        finding_ids=tuple(name for name, _ in timeline),
        joined_by=tuple(JOINED_BY[one] for one in row["joined_by"]),
        controls=tuple(sorted({one for name, _ in timeline for one in controls[name] or ()})),
        disposition=next(iter(words), "") if len(words) < 2 else "mixed",
        reviewer=last.reviewer if last else "",
        owner=last.owner if last else "",
        ticket=last.ticket if last else "",
        decided_at=last.decided_at if last else row["decided_on"],
        decision_reason=last.reason if last else "",
    )


def case_counts(cases: Sequence[CaseRow]) -> CaseCounts:
    """Cases by group, each with the findings inside."""
    number = Counter(row.group for row in cases)
    inside: Counter[str] = Counter()
    for row in cases:
        inside[row.group] += len(row.finding_ids)
    return CaseCounts(
        total=len(cases),
        findings=inside.total(),
        to_decide=number["to decide"],
        findings_to_decide=inside["to decide"],
        decided=number["decided"],
        findings_decided=inside["decided"],
        observations=number["observation"],
        findings_observed=inside["observation"],
        excepted=number["excepted"],
        findings_excepted=inside["excepted"],
        continuing=sum(row.continues for row in cases),
    )


def cases_to_decide(
    cases: Sequence[CaseRow], findings: Sequence[FindingRow]
) -> tuple[Decision, ...]:
    """The first cases to decide, with what their strongest finding rests on."""
    by_id = {row.finding_id: row for row in findings}
    waiting = [row for row in cases if row.group == "to decide"][:TO_DECIDE]
    return tuple(
        Decision(
            case_id=row.case_id,
            level=row.level,
            headline=row.headline,
            why=why(row, [by_id[one] for one in row.finding_ids]),
            findings=len(row.finding_ids),
        )
        for row in waiting
    )


def why(case: CaseRow, members: Sequence[FindingRow]) -> str:
    """The first reason of the strongest finding that says more than the headline does."""
    counted = [one for one in members if not one.exception_id] or members
    strongest = sorted(
        counted,
        key=lambda one: (-LEVELS.index(one.level), one.kind != "rule", -one.event_count),
    )
    told = [one.reasons[0].text for one in strongest if one.reasons]
    said = (text.removeprefix(case.subject_label).strip() for text in told)
    return next(
        (text for text, part in zip(told, said, strict=True) if part not in case.headline), ""
    )
