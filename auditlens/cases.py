"""Cases: findings that are one story, which is what a person decides.

A case is a set of findings; each finding is in exactly one. Grouping is a pure function of the
findings and their events: equal input gives equal cases. Read :func:`build_cases`.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse

from auditlens.canonical import json_line, sha256_hex
from auditlens.findings import LEVELS, levels_from

__all__ = [
    "CASE_SCHEMA",
    "JOINED_BY",
    "KnownCase",
    "TimelineLine",
    "build_cases",
    "case_reaches",
    "case_timeline",
    "cut_to",
    "is_to_decide",
    "why_raised",
]

WINDOW = timedelta(days=7)
"""How long after one finding of an account another of it may begin and still be the same case.

Measured on 268 simulated and 1,283 real findings: with 3 days one of 75 incidents was split, with
7 none, and neither joined two incidents.
"""

LONGEST = timedelta(days=31)
"""The longest time that joining may make a case span."""

NEARBY = timedelta(hours=24)
"""How close two cases act on one resource for each to name the other as related."""

SHARED = 0.5
"""The part of the smaller finding's events that two findings share to be one case."""

MAIN_ACTOR = 0.8
"""The part of a resource finding's events that one account did to be its main actor."""

CONTAINED = 0.8
"""The part of a finding's events inside another's from which it says nothing of its own."""

LISTED = 20
"""How many accounts, resources and related cases a case lists; counts are always the true ones."""

HEADLINE = 90
"""Characters of a headline."""

POINTS = {"informational": 2.0, "low": 10.0, "medium": 25.0, "high": 50.0, "critical": 80.0}
"""What the highest finding of each kind adds to a case's score, before it is divided by its place.

Weak findings add up, and never to more than one strong finding: after Splunk's risk-based alerting.
"""

SCATTERED = ("identity",)
"""Model channels whose evidence is single days of a month: such a finding joins another of its
account when both have events on one day, not when the other lies anywhere in the month."""

CASE_SCHEMA: dict[str, pl.DataType] = {
    "case_id": pl.String(),
    "headline": pl.String(),
    "level": pl.String(),
    "level_from": pl.String(),
    "score": pl.Float64(),
    "subject_kind": pl.String(),
    "subject_id": pl.String(),
    "subject_label": pl.String(),
    "actors": pl.List(pl.String()),
    "actor_count": pl.Int64(),
    "resources": pl.List(pl.String()),
    "resource_count": pl.Int64(),
    "first_at": pl.Datetime("us", "UTC"),
    "last_at": pl.Datetime("us", "UTC"),
    "event_count": pl.Int64(),
    "finding_ids": pl.List(pl.String()),
    "joined_by": pl.List(pl.String()),
    "kinds": pl.List(pl.String()),
    "tactics": pl.List(pl.String()),
    "decide": pl.Boolean(),
    "hidden": pl.Int64(),
    "state": pl.String(),
    "disposition": pl.String(),
    "decided_on": pl.Datetime("us", "UTC"),
    "joined_after": pl.Int64(),
    "continues": pl.Boolean(),
    "no_longer_joined": pl.List(pl.String()),
    "related": pl.List(pl.String()),
}
"""Column name to dtype of the cases frame, in order; one row a case.

``level_from`` is the level before findings of rules and model, or three kinds, raised it.
``joined_by`` holds ``shared_events``, ``same_actor``, ``same_resource`` and ``same_silence``.
``decide`` is False for an observation: low and informational findings no two kinds of which are
within a day of each other. ``hidden`` counts the
findings that an exception covers. ``state`` is ``new``, ``in progress``, ``decided``, ``reopened``
or ``excepted``; ``joined_after`` counts findings that joined a decided case without reopening it;
``continues`` says that the case was shown in an earlier period already.
"""

JOINED_BY = {
    "shared_events": "the same events",
    "same_actor": "the same account within 7 days",
    "same_resource": "the same resource within 7 days",
    "same_silence": "what stopped on the same day",
}
"""What ``joined_by`` means in words."""

RAISED_BY = {
    "rules_and_model": "rules and the anomaly model agree",
    "three_kinds": "three kinds of finding agree",
    "second_kind": "a finding of another kind agrees with the match with another account",
}
"""Why a case is of a higher level than its findings, in words."""

TACTICS = (
    "reconnaissance", "resource-development", "initial-access", "execution", "persistence",
    "privilege-escalation", "defense-evasion", "credential-access", "discovery",
    "lateral-movement", "collection", "command-and-control", "exfiltration", "impact",
)  # fmt: skip
"""MITRE ATT&CK's tactics as Sigma's tags spell them."""


@dataclass
class Joined:
    """Findings joined so far: a union-find over their places, with what joined them and when."""

    first: list[datetime]
    last: list[datetime]
    parent: list[int] = field(default_factory=list)
    reasons: dict[int, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.parent = list(range(len(self.first)))
        self.first, self.last = list(self.first), list(self.last)

    def root(self, at: int) -> int:
        while self.parent[at] != at:
            self.parent[at] = self.parent[self.parent[at]]
            at = self.parent[at]
        return at

    def join(self, one: int, other: int, reason: str) -> bool:
        """Join two findings, unless their case would span more than LONGEST."""
        low, high = sorted((self.root(one), self.root(other)))
        if low != high:
            first = min(self.first[low], self.first[high])
            last = max(self.last[low], self.last[high])
            if last - first > LONGEST:
                return False
            self.parent[high] = low
            self.first[low], self.last[low] = first, last
            self.reasons.setdefault(low, set()).update(self.reasons.pop(high, ()))
        self.reasons.setdefault(low, set()).add(reason)
        return True


def evidence_of(findings: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """One row a finding and event it rests on.

    Returns ``at`` (the finding's place), ``id``, ``created_at``, ``sender_id``, ``resource_id``;
    an event that is not among ``events`` keeps its id alone.
    """
    listed = (
        findings.with_row_index("at")
        .select(pl.col("at").cast(pl.Int64), pl.col("event_ids").alias("id"))
        .explode("id")
        .drop_nulls()
        .unique(["at", "id"], maintain_order=True)
    )
    columns = ["id", "created_at", "sender_id", "resource_id"]
    known = events.select(columns).join(listed.select("id").unique(), on="id", how="semi")
    known = known.sort("created_at", "id").unique("id", keep="first", maintain_order=True)
    return listed.join(known, on="id", how="left", maintain_order="left")


def main_actors(findings: pl.DataFrame, evidence: pl.DataFrame) -> list[str | None]:
    """The account each finding is about, by place; None where no account did most of it."""
    counted = (
        evidence.filter(pl.col("sender_id").is_not_null())
        .group_by("at", "sender_id")
        .len("n")
        .sort("at", "n", "sender_id", descending=[False, True, False])
        .unique("at", keep="first", maintain_order=True)
    )
    total = evidence.group_by("at").len("total")
    most = counted.join(total, on="at").filter(
        (pl.col("total") >= 2) & (pl.col("n") >= MAIN_ACTOR * pl.col("total"))
    )
    by_events = dict(most.select("at", "sender_id").iter_rows())
    return [
        subject if kind == "sender" else by_events.get(at) if kind == "resource" else None
        for at, (kind, subject) in enumerate(
            findings.select("subject_kind", "subject_id").iter_rows()
        )
    ]


def overlapping(evidence: pl.DataFrame, count: int) -> Iterator[tuple[int, int]]:
    """Pairs of findings that share at least half of the events of the smaller, in order."""
    if evidence.is_empty():
        return
    number = evidence["id"].rank("dense").to_numpy().astype(np.int64) - 1
    at = evidence["at"].to_numpy()
    held = sparse.csr_matrix(
        (np.ones(len(at), dtype=np.int64), (at, number)), shape=(count, int(number.max()) + 1)
    )
    sizes = np.asarray(held.sum(axis=1)).ravel()
    shared = sparse.triu(held @ held.T, k=1).tocoo()
    smaller = np.minimum(sizes[shared.row], sizes[shared.col])
    # One event of two or three is half of them, and no story.
    enough = shared.data >= np.maximum(SHARED * smaller, np.minimum(smaller, 2))
    pairs = sorted(zip(shared.row[enough].tolist(), shared.col[enough].tolist(), strict=True))
    yield from pairs


def join_adjacent(joined: Joined, members: Iterable[int], reason: str) -> None:
    """Join findings of one account or resource, each to those that ended at most WINDOW before."""
    reach: datetime | None = None
    before = -1
    for at in members:
        first, last = joined.first[joined.root(at)], joined.last[joined.root(at)]
        near = reach is not None and first - reach <= WINDOW
        if near and joined.join(before, at, reason):
            reach, before = max(last, reach or last), at
        else:
            reach, before = last, at


def days_of(findings: pl.DataFrame, evidence: pl.DataFrame) -> list[set[date]]:
    """The days (UTC) on which the events of each finding lie, or its first and last."""
    found: dict[int, set[date]] = {}
    seen = evidence.drop_nulls("created_at").select("at", pl.col("created_at").dt.date()).unique()
    for at, day in seen.iter_rows():
        found.setdefault(at, set()).add(day)
    spans = findings.select(pl.col("first_at", "last_at").dt.date()).iter_rows()
    return [found.get(at, set(span)) for at, span in enumerate(spans)]


def agree_on_a_day(days: Sequence[tuple[str, set[date]]]) -> bool:
    """Whether findings of two kinds have events on the same day, or on two that adjoin."""
    near = timedelta(days=1)
    return any(
        one[0] != other[0] and any(abs(a - b) <= near for a in one[1] for b in other[1])
        for at, one in enumerate(days)
        for other in days[at + 1 :]
    )


def summaries(findings: pl.DataFrame) -> list[bool]:
    """Which findings tell of many accounts over weeks, as a rule above its budget does.

    They share events with the findings of each account, and are the story of none.
    """
    wide = pl.col("last_at") - pl.col("first_at") > WINDOW
    return findings.select((pl.col("subject_kind") == "workspace") & wide).to_series().to_list()


def alike(
    findings: pl.DataFrame, actors: Sequence[str | None], silences: Collection[str]
) -> dict[str, dict[str, list[int]]]:
    """Places of findings by what may join them: reason, then account, resource or rule and day.

    ``scattered`` holds those of SCATTERED by account.
    """
    found: dict[str, dict[str, list[int]]] = {
        "same_actor": {}, "same_resource": {}, "same_silence": {}, "scattered": {}
    }  # fmt: skip
    columns = ("rule_id", "subject_kind", "subject_id", "last_at")
    for at, (rule, kind, subject, last) in enumerate(findings.select(columns).iter_rows()):
        keys: dict[str, str | None]
        if rule in silences:
            keys = {"same_silence": f"{rule} {last.date()}"}
        elif rule in SCATTERED:
            keys = {"scattered": subject}
        else:
            about = subject if kind == "resource" else None
            keys = {"same_actor": actors[at], "same_resource": about}
        for reason, key in keys.items():
            if key is not None:
                found[reason].setdefault(key, []).append(at)
    return found


def partition(
    findings: pl.DataFrame, evidence: pl.DataFrame, silences: Collection[str]
) -> list[tuple[list[int], set[str]]]:
    """Which findings, by place, are one case, and what joined them; each part in order of time."""
    joined = Joined(findings["first_at"].to_list(), findings["last_at"].to_list())
    summary = summaries(findings)
    for one, other in overlapping(evidence, findings.height):
        if not (summary[one] or summary[other]):
            joined.join(one, other, "shared_events")
    groups = alike(findings, main_actors(findings, evidence), silences)
    scattered = groups.pop("scattered")
    for reason, found in groups.items():
        for _, members in sorted(found.items()):
            join_adjacent(joined, members, reason)
    days = days_of(findings, evidence)
    for account, places in sorted(scattered.items()):
        for at in places:
            for other in groups["same_actor"].get(account, ()):
                if days[at] & days[other]:
                    joined.join(at, other, "same_actor")
    parts: dict[int, list[int]] = {}
    for at in range(findings.height):
        parts.setdefault(joined.root(at), []).append(at)
    return [(members, joined.reasons.get(root, set())) for root, members in parts.items()]


def build_cases(
    findings: pl.DataFrame,
    events: pl.DataFrame,
    *,
    silences: Collection[str] = (),
    known: Sequence[KnownCase] = (),
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Put each finding into exactly one case.

    Two findings are one case when they share half of their events, or when one account (or one
    resource) is behind both and the later begins within seven days after the earlier ended; never
    because one rule fired for two accounts. A case spans 31 days at most.

    Args:
        findings: Findings (FINDING_SCHEMA), with their exceptions.
        events: Events among which those of the findings are (EVENT_SCHEMA).
        silences: Ids of rules that tell of something that stopped: what stopped on one day is one
            case of the workspace.
        known: Cases that a person was shown before, oldest first. Their findings stay one case
            and keep its id; a case of the same subject that goes on within seven days does too.

    Returns:
        The cases (CASE_SCHEMA), most severe first, all ``new``; and the findings with their
        ``case_id``, in their order.
    """
    ordered = findings.sort("first_at", "last_at", "finding_id")
    evidence = evidence_of(ordered, events)
    names = ordered["finding_id"].to_list()
    parts = [
        Part([names[at] for at in members], members, reasons)
        for members, reasons in partition(ordered, evidence, silences)
    ]
    parts = kept_together(parts, known)
    rows = ordered.to_dicts()
    actors, days = main_actors(ordered, evidence), days_of(ordered, evidence)
    held = evidence.partition_by("at", as_dict=True, include_key=True)
    labels = labels_of(events, evidence)
    drafts = []
    for part in parts:
        mine = [held[(at,)] for at in part.places if (at,) in held]
        proof = pl.concat(mine) if mine else evidence.clear()
        members = [rows[at] for at in part.places]
        acted = [actors[at] for at in part.places]
        on = [days[at] for at in part.places]
        drafts.append(case_row(part, members, acted, on, proof, labels, silences))
    named = with_ids(drafts, known)
    frame = pl.DataFrame(named, schema=CASE_SCHEMA)
    frame = frame.with_columns(related_of(frame, ordered, evidence))
    rank = pl.col("level").replace_strict({level: n for n, level in enumerate(LEVELS)}, default=0)
    frame = frame.sort(-rank.cast(pl.Int64), -pl.col("score"), "first_at", "case_id")
    of = frame.select(pl.col("finding_ids").alias("finding_id"), "case_id").explode("finding_id")
    in_case = findings.drop("case_id").join(of, on="finding_id", how="left", maintain_order="left")
    return frame, in_case.select(findings.columns)


@dataclass(frozen=True)
class KnownCase:
    """A case that a person was shown: what the ledger says of it.

    Attributes:
        id: Its id.
        subject_kind, subject_id: Whom or what it was about.
        first_at, last_at: What it spanned, in UTC.
        members: Id, kind (rule id or model channel) and level of each finding it had.
        periods: Labels of the periods in which it was shown.
    """

    id: str
    subject_kind: str
    subject_id: str
    first_at: datetime
    last_at: datetime
    members: tuple[tuple[str, str, str], ...]
    periods: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """Findings of one case before it has a name: ids and places in order of time."""

    ids: list[str]
    places: list[int]
    reasons: set[str]
    known: tuple[KnownCase, ...] = ()
    apart: tuple[str, ...] = ()


def kept_together(parts: list[Part], known: Sequence[KnownCase]) -> list[Part]:
    """Parts in which the findings of each known case are one, whatever joins them now."""
    for case in known:
        members = {name for name, _, _ in case.members}
        touched = [part for part in parts if members.intersection(part.ids)]
        if not touched:
            continue
        main = max(touched, key=lambda part: (len(members.intersection(part.ids)), -part.places[0]))
        apart = [
            name for part in touched if part is not main for name in part.ids if name in members
        ]
        places = sorted(at for part in touched for at in part.places)
        name_at = {
            at: name for part in touched for at, name in zip(part.places, part.ids, strict=True)
        }
        whole = Part(
            [name_at[at] for at in places],
            places,
            set().union(*(part.reasons for part in touched)),
            (*(one for part in touched for one in part.known), case),
            tuple(dict.fromkeys([*(name for part in touched for name in part.apart), *apart])),
        )
        first = min(parts.index(part) for part in touched)
        rest = [part for part in parts if part not in touched]
        parts = [*rest[:first], whole, *rest[first:]]
    return parts


def labels_of(events: pl.DataFrame, evidence: pl.DataFrame) -> dict[str, dict[str, str]]:
    """The last name or address of each account, and the last title of each resource, by id."""
    found = {}
    for column, texts in (("sender_id", ("sender_name", "sender_email")),
                          ("resource_id", ("resource_title",))):  # fmt: skip
        wanted = evidence.select(column).unique()
        seen = events.join(wanted, on=column, how="semi").sort("created_at", "id")
        last = seen.group_by(column).agg(pl.coalesce(*texts).drop_nulls().last().alias("label"))
        found[column] = dict(last.drop_nulls().iter_rows())
    return found


def case_row(
    part: Part,
    members: Sequence[Mapping[str, Any]],
    actors: Sequence[str | None],
    days: Sequence[set[date]],
    proof: pl.DataFrame,
    labels: Mapping[str, Mapping[str, str]],
    silences: Collection[str],
) -> dict[str, Any]:
    """One row of CASE_SCHEMA but for its id and what is related."""
    visible = [one for one in members if one["exception_id"] is None]
    counted = visible or list(members)
    highest = highest_levels(counted)
    level_from = max(highest.values(), key=LEVELS.index)
    subject = subject_of(part, members, actors, proof, labels)
    busiest = {name: by_count(proof, name) for name in ("sender_id", "resource_id")}
    judged = [
        (one["rule_id"], on)
        for one, on in zip(members, days, strict=True)
        if one["exception_id"] is None and LEVELS.index(one["level"]) > 0
    ]
    tags = [tag for one in members for tag in one["tags"] or ()]
    return {
        **subject,
        "headline": headline(subject["subject_label"], counted, silences),
        "level": escalated(level_from, counted),
        "level_from": level_from,
        "score": risk_score(highest),
        "actors": busiest["sender_id"][:LISTED],
        "actor_count": len(busiest["sender_id"]),
        "resources": busiest["resource_id"][:LISTED],
        "resource_count": len(busiest["resource_id"]),
        "first_at": min(one["first_at"] for one in members),
        "last_at": max(one["last_at"] for one in members),
        "event_count": proof["id"].n_unique(),
        "finding_ids": [one["finding_id"] for one in members],
        "joined_by": sorted(part.reasons),
        "kinds": list(dict.fromkeys(one["rule_id"] for one in members)),
        "tactics": [one for one in dict.fromkeys(t.removeprefix("attack.") for t in tags)
                    if one in TACTICS],
        "decide": bool(visible)
        and (LEVELS.index(level_from) >= LEVELS.index("medium") or agree_on_a_day(judged)),
        "hidden": len(members) - len(visible),
        "state": "new" if visible else "excepted",
        "disposition": None,
        "decided_on": None,
        "joined_after": 0,
        "continues": False,
        "no_longer_joined": list(part.apart),
        "_known": part.known,
    }  # fmt: skip


def highest_levels(members: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The highest level of each kind: rule id or channel of the model."""
    found: dict[str, str] = {}
    for one in members:
        kind = one["rule_id"]
        found[kind] = max(found.get(kind, one["level"]), one["level"], key=LEVELS.index)
    return found


def risk_score(highest: Mapping[str, str]) -> float:
    """Each kind once, strongest first, the i-th divided by i; two decimals."""
    points = sorted((POINTS[level] for level in highest.values()), reverse=True)
    return round(sum(value / at for at, value in enumerate(points, 1)), 2)


def agreement(members: Sequence[Mapping[str, Any]]) -> str:
    """What agrees in the findings of a case (a key of RAISED_BY); empty where nothing does.

    Days that match another account are low alone, and medium with a second kind.
    """
    medium = LEVELS.index("medium")
    serious = [one for one in members if LEVELS.index(one["level"]) >= medium]
    if {one["kind"] for one in serious} >= {"rule", "anomaly"}:
        return "rules_and_model"
    if len({one["rule_id"] for one in serious}) >= 3:
        return "three_kinds"
    kinds = {one["rule_id"] for one in members}
    return "second_kind" if "identity" in kinds and len(kinds) > 1 else ""


def escalated(level: str, members: Sequence[Mapping[str, Any]]) -> str:
    """One level up where rules and model agree, or three kinds do, each with medium or above."""
    agrees = agreement(members)
    if agrees in ("rules_and_model", "three_kinds"):
        return LEVELS[min(LEVELS.index(level) + 1, len(LEVELS) - 1)]
    return max(level, "medium", key=LEVELS.index) if agrees else level


def why_raised(case: Mapping[str, Any], members: Sequence[Mapping[str, Any]]) -> str:
    """Why a case is of a higher level than its findings, in words.

    Args:
        case: A row of cases (CASE_SCHEMA).
        members: Its findings (rows of FINDING_SCHEMA).

    Returns:
        The words; empty where it is not.
    """
    if case["level"] == case["level_from"]:
        return ""
    visible = [one for one in members if one["exception_id"] is None]
    return RAISED_BY.get(agreement(visible or members), "")


def by_count(proof: pl.DataFrame, column: str) -> list[str]:
    """The values of a column over distinct events, the most frequent first."""
    counted = proof.unique("id").drop_nulls(column).group_by(column).len("n")
    return counted.sort("n", column, descending=[True, False])[column].to_list()


def subject_of(
    part: Part,
    members: Sequence[Mapping[str, Any]],
    actors: Sequence[str | None],
    proof: pl.DataFrame,
    labels: Mapping[str, Mapping[str, str]],
) -> dict[str, str | None]:
    """Whom a case is about: the account of most findings, else the resource, else the workspace."""
    if "same_silence" in part.reasons and len(members) > 1:
        return named("workspace", "workspace", "the workspace")
    told = {
        (one["subject_kind"], one["subject_id"]): one["subject_label"]
        for one in members
        if one["subject_label"]
    }
    counted = Counter(actor for actor in actors if actor is not None)
    order = {name: at for at, name in enumerate(dict.fromkeys(actors))}
    if counted:
        top = min(counted, key=lambda name: (-counted[name], order[name]))
        if 2 * counted[top] >= len(members):
            label = told.get(("sender", top)) or labels["sender_id"].get(top) or top
            return named("sender", top, label)
    about = Counter(
        one["subject_id"]
        for one in members
        if one["subject_kind"] == "resource" and one["subject_id"]
    )
    resources = (
        [min(about, key=lambda name: (-about[name], name))]
        if about
        else by_count(proof, "resource_id")
    )
    if resources:
        top = resources[0]
        return named(
            "resource", top, told.get(("resource", top)) or labels["resource_id"].get(top) or top
        )
    if counted:
        label = told.get(("sender", top)) or labels["sender_id"].get(top) or top
        return named("sender", top, label)
    return named("workspace", "workspace", "the workspace")


def named(kind: str, subject: str | None, label: str) -> dict[str, str | None]:
    return {"subject_kind": kind, "subject_id": subject, "subject_label": label}


def headline(
    label: str | None,
    counted: Sequence[Mapping[str, Any]],
    silences: Collection[str],
) -> str:
    """Who, and at most two phrases of what the strongest findings say, in order of time."""
    subject = label or "the workspace"
    if counted[0]["rule_id"] in silences and len(counted) > 1 and subject == "the workspace":
        return cut_to(f"{len(counted)} overdue: {counted[0]['title']}")
    chosen: list[Mapping[str, Any]] = []
    for one in told_first(counted):
        if not any(within(one, other) for other in chosen):
            chosen.append(one)
        if len(chosen) == 2:
            break
    chosen.sort(key=lambda one: (one["first_at"], one["last_at"], one["finding_id"]))
    phrases = list(dict.fromkeys(filter(None, map(phrase_of, chosen))))
    if not phrases:
        return cut_to(f"{subject}: {told_first(counted)[0]['title']}")
    both = f"{subject} {' and '.join(phrases)}"
    if len(both) <= HEADLINE or len(phrases) == 1:
        return cut_to(both)
    strongest = phrase_of(told_first([one for one in chosen if phrase_of(one)])[0])
    return cut_to(f"{subject} {strongest}")


def told_first(members: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The findings within one level of the highest, the strongest first."""
    top = max(LEVELS.index(one["level"]) for one in members)
    near = [one for one in members if LEVELS.index(one["level"]) >= top - 1]
    return sorted(
        near,
        key=lambda one: (
            -LEVELS.index(one["level"]), one["kind"] != "rule", -one["event_count"],
            one["first_at"], one["finding_id"],
        ),
    )  # fmt: skip


def phrase_of(finding: Mapping[str, Any]) -> str:
    """The first phrase among its reasons; empty where there is none."""
    return next((one["phrase"] for one in finding["reasons"] or () if one.get("phrase")), "")


def within(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether most of a finding's events are another's."""
    mine, theirs = set(one["event_ids"] or ()), set(other["event_ids"] or ())
    return bool(mine) and len(mine & theirs) >= CONTAINED * len(mine)


def cut_to(text: str) -> str:
    """A headline of at most HEADLINE characters.

    Args:
        text: A headline of any length.

    Returns:
        The text; where it was cut, its last character is an ellipsis.
    """
    return text if len(text) <= HEADLINE else f"{text[: HEADLINE - 1].rstrip()}…"


def with_ids(drafts: list[dict[str, Any]], known: Sequence[KnownCase]) -> list[dict[str, Any]]:
    """The rows with ``case_id``: the one a person saw before, else one of subject and week."""
    taken = {case.id for case in known}
    latest: dict[tuple[str, str | None], KnownCase] = {}
    for case in sorted(known, key=lambda one: (one.last_at, one.id)):
        latest[case.subject_kind, case.subject_id or None] = case
    adopted: set[str] = set()
    for row in sorted(
        drafts, key=lambda row: (row["first_at"], row["last_at"], row["finding_ids"])
    ):
        shown = row.pop("_known")
        before = latest.get((row["subject_kind"], row["subject_id"]))
        if shown:
            row["case_id"] = shown[0].id
        elif before is not None and before.id not in adopted and goes_on(before, row):
            row["case_id"] = before.id
            row["continues"] = True
        else:
            row["case_id"] = case_id(row, taken)
        taken.add(row["case_id"])
        adopted.add(row["case_id"])
    return drafts


def goes_on(case: KnownCase, row: Mapping[str, Any]) -> bool:
    """Whether a case of this period is one that was shown before and has not ended yet."""
    first, last = row["first_at"], row["last_at"]
    near = timedelta() <= first - case.last_at <= WINDOW
    return near and bool(last - case.first_at <= LONGEST)


def case_id(row: Mapping[str, Any], taken: Collection[str]) -> str:
    """``C-`` and ten letters of SHA-256 over the subject and the ISO week it began in, in UTC."""
    year, week, _ = row["first_at"].isocalendar()
    parts = ["case", row["subject_kind"], row["subject_id"] or "", f"{year}-W{week:02d}"]
    digest = bytes.fromhex(sha256_hex(json_line(parts)))
    base = f"C-{base64.b32encode(digest).decode()[:10]}"
    number = 1
    while (name := base if number == 1 else f"{base}-{number}") in taken:
        number += 1
    return name


def related_of(cases: pl.DataFrame, findings: pl.DataFrame, evidence: pl.DataFrame) -> pl.Series:
    """For each case the ids of others that acted on one of its resources within a day."""
    nothing = pl.Series("related", [[]] * cases.height, dtype=pl.List(pl.String))
    if cases.height < 2:
        return nothing
    place = findings.with_row_index("at").select(pl.col("at").cast(pl.Int64), "finding_id")
    member = cases.select("case_id", pl.col("finding_ids").alias("finding_id"))
    member = member.explode("finding_id").join(place, on="finding_id")
    seen = evidence.drop_nulls(["resource_id", "created_at"]).join(member, on="at")
    seen = seen.group_by("case_id", "resource_id").agg(
        pl.col("created_at").min().alias("from"), pl.col("created_at").max().alias("to")
    )
    pairs = seen.join(seen, on="resource_id", suffix="_other").filter(
        (pl.col("case_id") != pl.col("case_id_other"))
        & (pl.col("from") - NEARBY <= pl.col("to_other"))
        & (pl.col("from_other") - NEARBY <= pl.col("to"))
    )
    near = pairs.group_by("case_id").agg(
        pl.col("case_id_other").unique().sort().head(LISTED).alias("related")
    )
    joined = cases.select("case_id").join(near, on="case_id", how="left", maintain_order="left")
    return joined["related"].fill_null(pl.Series([[]], dtype=pl.List(pl.String)))


def is_to_decide() -> pl.Expr:
    """Whether a case waits for a decision.

    Returns:
        A Boolean expression over CASE_SCHEMA.
    """
    return pl.col("decide") & pl.col("state").is_in(["new", "in progress", "reopened"])


def case_reaches(level: str) -> pl.Expr:
    """Whether a case to decide is of a level or above.

    Args:
        level: One of LEVELS; empty: no case is.

    Returns:
        A Boolean expression over CASE_SCHEMA.
    """
    if not level:
        return pl.lit(value=False)
    return pl.col("level").is_in(levels_from(level)) & is_to_decide()


@dataclass(frozen=True)
class TimelineLine:
    """One finding of a case in order of time.

    Attributes:
        finding: The finding's row (FINDING_SCHEMA).
        within: Id of the finding that holds all its events; None where none does.
    """

    finding: Mapping[str, Any]
    within: str | None


def case_timeline(case: Mapping[str, Any], findings: pl.DataFrame) -> list[TimelineLine]:
    """The findings of a case in order of time, those inside another below it.

    Args:
        case: A row of cases (CASE_SCHEMA).
        findings: The findings of the audit.

    Returns:
        One line a finding, sorted by ``first_at``, ``last_at`` and ``finding_id``.
    """
    held = findings.filter(pl.col("finding_id").is_in(case["finding_ids"]))
    rows = held.sort("first_at", "last_at", "finding_id").to_dicts()
    larger = sorted(rows, key=lambda one: (-one["event_count"], one["finding_id"]))
    inside: dict[str, str] = {}
    for one in reversed(larger):
        mine = set(one["event_ids"] or ())
        for other in larger:
            if other is one or other["finding_id"] in inside:
                continue
            if mine and mine <= set(other["event_ids"] or ()):
                inside[one["finding_id"]] = other["finding_id"]
                break
    lines = []
    for one in rows:
        if one["finding_id"] in inside:
            continue
        lines.append(TimelineLine(one, None))
        lines += [
            TimelineLine(other, one["finding_id"])
            for other in rows
            if inside.get(other["finding_id"]) == one["finding_id"]
        ]
    return lines
