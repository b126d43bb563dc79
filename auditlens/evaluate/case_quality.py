"""Case quality: whether cases are the incidents that were planted, and worth a reviewer's time."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import polars as pl

from auditlens.cases import is_to_decide

__all__ = ["FIRST", "CaseQuality", "judge_cases"]

FIRST = 20
"""So many cases, in the order of the report, are what a reviewer surely looks at."""


PART, HALF = 0.1, 0.5


@dataclass(frozen=True)
class CaseQuality:
    """Cases of one or several workspaces against what was planted; counts, so that they add up.

    Attributes:
        to_decide: Cases that ask for a decision.
        planted: Of those, the cases with a finding about a planted incident.
        first: Cases to decide among the first FIRST of each workspace.
        first_planted: Of those, the cases with a finding about a planted incident.
        mixed: Cases with findings about incidents of different accounts.
        incidents: Planted incidents that a finding in a case to decide is about.
        split: Of those, the incidents about which more than one case to decide has a finding.
        look_alikes: Cases to decide that rest on a harmless look-alike and on no incident.
        near, near_joined: Pairs of incidents of one account at most 7 days apart that were found,
            and those of them that are one case.
        far, far_joined: The same of pairs further apart.
    """

    to_decide: int = 0
    planted: int = 0
    first: int = 0
    first_planted: int = 0
    mixed: int = 0
    incidents: int = 0
    split: int = 0
    look_alikes: int = 0
    near: int = 0
    near_joined: int = 0
    far: int = 0
    far_joined: int = 0

    def __add__(self, other: CaseQuality) -> CaseQuality:
        pairs = zip(astuple(self), astuple(other), strict=True)
        return CaseQuality(*(one + another for one, another in pairs))


def judge_cases(
    cases: pl.DataFrame, findings: pl.DataFrame, labels: pl.DataFrame, traps: pl.DataFrame
) -> CaseQuality:
    """Compare the cases of an audit with what was planted.

    A finding is about an incident when at least a tenth of its events, or half of the incident's,
    are the incident's: one visit of a crowd among a month's events is none.

    Args:
        cases: The cases (CASE_SCHEMA), in their order.
        findings: The findings of the audit, with ``case_id``.
        labels: The planted incidents: ``incident_id``, ``sender_id``, ``start``, ``end`` and
            ``event_ids``.
        traps: Harmless look-alikes: ``sender_id``, ``start`` and ``end``.

    Returns:
        The counts of this audit.
    """
    asked = cases.filter(is_to_decide())
    held = about(findings, labels)
    asked_held = held.filter(pl.col("case_id").is_in(asked["case_id"].implode()))
    true = set(asked_held["case_id"])
    accounts = asked_held.drop_nulls("sender_id").group_by("case_id").agg(
        pl.col("sender_id").n_unique()
    )  # fmt: skip
    per_incident = asked_held.group_by("incident_id").agg(pl.col("case_id").n_unique())
    lures = asked.select("case_id", "first_at", "last_at", pl.col("actors").alias("sender_id"))
    lures = lures.explode("sender_id").join(traps, on="sender_id").filter(
        (pl.col("first_at") <= pl.col("end")) & (pl.col("start") <= pl.col("last_at"))
    )  # fmt: skip
    lured = set(lures["case_id"]) - true
    first = asked["case_id"].head(FIRST).to_list()
    pairs = account_pairs(labels, asked_held)
    return CaseQuality(
        to_decide=asked.height,
        planted=len(true),
        first=len(first),
        first_planted=sum(one in true for one in first),
        mixed=accounts.filter(pl.col("sender_id") > 1).height,
        incidents=per_incident.height,
        split=per_incident.filter(pl.col("case_id") > 1).height,
        look_alikes=len(lured),
        **pairs,
    )


def about(findings: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """Pairs of case and incident (``case_id``, ``incident_id``, ``sender_id``) by its findings."""
    listed = findings.select(
        "case_id", "finding_id", pl.col("event_ids").alias("event"),
        mine=pl.col("event_ids").list.len(),
    )  # fmt: skip
    planted = labels.select(
        "incident_id", "sender_id", pl.col("event_ids").alias("event"),
        theirs=pl.col("event_ids").list.len(),
    )  # fmt: skip
    shared = listed.explode("event").join(planted.explode("event"), on="event")
    keys = ("case_id", "finding_id", "incident_id", "sender_id", "mine", "theirs")
    counted = shared.group_by(keys).len("both")
    share = (pl.col("both") >= PART * pl.col("mine")) | (pl.col("both") >= HALF * pl.col("theirs"))
    return counted.filter(share).select("case_id", "incident_id", "sender_id").unique()


def account_pairs(labels: pl.DataFrame, held: pl.DataFrame) -> dict[str, int]:
    """Pairs of incidents of one account, near and far apart, and how many are one case."""
    where = held.group_by("incident_id").agg(pl.col("case_id").unique())
    known = labels.drop_nulls("sender_id").select("incident_id", "sender_id", "start", "end")
    known = known.join(where, on="incident_id").sort("sender_id", "start")
    both = known.join(known, on="sender_id", suffix="_later").filter(
        pl.col("start_later") > pl.col("start")
    )
    gap = pl.col("start_later") - pl.col("end")
    joined = pl.col("case_id").list.set_intersection("case_id_later").list.len() > 0
    near = gap <= pl.duration(days=7)
    counts = both.select(
        near=near.sum(), near_joined=(near & joined).sum(),
        far=(~near).sum(), far_joined=(~near & joined).sum(),
    )  # fmt: skip
    return {name: int(counts[name].sum()) for name in counts.columns}
