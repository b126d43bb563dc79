"""Chosen days become anomalies: subject, evidence, and why the day stands out.

Families of features stand by path credit; a family is told by its strongest fact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import product
from typing import Any

import numpy as np
import polars as pl

from auditlens.anomalies._arrays import Floats
from auditlens.anomalies.baselines import WINDOW
from auditlens.anomalies.catalogue import FAMILIES, Feature, ModelSpec
from auditlens.anomalies.identity import SPAN, THRESHOLD
from auditlens.anomalies.model import DayModel
from auditlens.anomalies.wording import MOST_WORDS, PERCENT, Count, headline_place, number, sentence
from auditlens.findings import FINDING_SCHEMA

__all__ = [
    "FLAGGED_SCHEMA", "NO_DRIVER", "Baselines", "flagged_rows", "identity_rows", "muted_reason",
    "reasons_of",
]  # fmt: skip

NO_DRIVER = "Several small deviations from own history; no single one stands out."
IDENTITY_TITLE = "Behavior Matches Another Account"
NO_DRIVER_TITLE = "Several Small Deviations From Own History"
MOST_REASONS = 3

MOST_LISTED = 6
"""So many evidence days a reason lists."""

AMONG_OTHERS = ("peer", "type", "audience")
"""Families that compare with others; above their 95th percentile is rare, whatever the own habit.
"""


@dataclass(frozen=True)
class Baselines:
    """What one row is compared with, by name of the count.

    Attributes:
        values: The row's own.
        own: Those of the baseline days, the last WINDOW active days before.
        usual: Whom else the value is compared with ("Peers"), and their 95th percentile.
        earlier: How many earlier days there are in the log, and how many reached the value.
    """

    values: Mapping[str, Any]
    own: Mapping[str, Sequence[int]]
    usual: Mapping[str, tuple[str, float]]
    earlier: Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class Fact:
    """One count of one row beside what it is compared with, in the unit a reader sees.

    Attributes:
        family: A key of FAMILIES.
        count: Name of the count.
        words: The count in words.
        value: Of the row.
        own: Values of the baseline days.
        whose: Whom else it is compared with: "Peers", "All accounts".
        usual: Their 95th percentile.
        earlier: Earlier days in the log, and how many of them reached the value.
    """

    family: str
    count: str
    words: Count
    value: float
    own: tuple[float, ...]
    whose: str
    usual: float | None
    earlier: tuple[int, int]

    @property
    def above_own(self) -> bool:
        """Whether no baseline day reached the value."""
        return not self.own or self.value > max(self.own)

    @property
    def above_others(self) -> bool:
        """Whether the value lies above the 95th percentile of the others."""
        return self.usual is not None and self.value > self.usual

    @property
    def label(self) -> str | None:
        """How rare the value is: among others' days where the family compares with those."""
        own = rarity(self.value, self.own)
        above = self.family in AMONG_OTHERS and self.above_others
        return "RARE" if above and own in (None, "INFREQUENT", "FREQUENT") else own

    def text(self) -> str:
        """The longest sentence of what, own history, others and rarity that is short enough."""
        lead = f"{sentence(self.words.clause(self.value))}."
        others = [f"{self.whose}: 95th percentile {number(self.usual or 0)}."]
        others = [] if self.usual is None else others
        if not self.above_own:
            return " ".join([lead, *others])
        rarest = [] if self.own and max(self.own) == 0 else earlier_words(self.earlier)
        forms = product((others, []), (rarest, []), own_forms(self.own))
        told = [" ".join([lead, *own, *other, *rare]) for other, rare, own in forms]
        return next((text for text in told if len(text.split()) <= MOST_WORDS), told[-1])

    def reason(self, share: float, *, headline: bool = False) -> dict[str, Any]:
        """The fact as a struct of REASON; one a headline takes has a phrase."""
        return reason(
            self.family,
            share,
            self.text(),
            self.value,
            float(np.median(self.own)) if self.own else None,
            self.usual,
            self.label,
            self.words.clause(self.value) if headline else None,
        )


def own_forms(own: Sequence[float]) -> list[list[str]]:
    """The own history in words, longest first."""
    if not own:
        return [[]]
    days = f"{len(own)} active day{'' if len(own) == 1 else 's'}"
    high = number(max(own))
    if max(own) == 0:
        return [
            [f"Own history: 0 on each of {days}." if len(own) > 1 else f"Own history: 0 in {days}."]
        ]
    median = number(float(np.median(own)))
    return [
        [f"Own history: median {median}, highest {high} in {days}."],
        [f"Own history: highest {high} in {days}."],
        [f"Own history: highest {high}."],
    ]


def earlier_words(earlier: tuple[int, int]) -> list[str]:
    """How rare a value is among all earlier days in the log."""
    days, reached = earlier
    if not days:
        return []
    return (
        [f"Reached on {reached} of {days} earlier days."]
        if reached
        else ["Never this high before."]
    )


def rarity(value: float, days: Sequence[float]) -> str | None:
    """How often the subject's own baseline days reached ``value``."""
    if not len(days):
        return None
    reached = sum(day >= value for day in days) / len(days)
    if reached == 0:
        return "UNSEEN"
    return "RARE" if reached <= 0.05 else "INFREQUENT" if reached <= 0.25 else "FREQUENT"


def reasons_of(
    spec: ModelSpec, credit: Floats, away: Floats, baselines: Baselines
) -> list[tuple[Fact, float]]:
    """The strongest facts of one row, one a family, and each family's share of the score.

    A fact inside the subject's own range says nothing, unless its family compares with others and
    it lies above their 95th percentile. Where no fact is left, any that lies above it is told.

    Args:
        spec: The model.
        credit: Path credit by feature.
        away: Robust deviation by feature.
        baselines: What the row is compared with.

    Returns:
        At most three families in the order of their credit, each by the fact with the highest
        product of credit and deviation; empty when nothing stands out.
    """
    gain = np.where(away <= 0, 0.0, np.maximum(credit, 0.0))
    total = max(float(gain.sum()), 1e-9)
    shares: dict[str, float] = {}
    for feature, part in zip(spec.features, gain, strict=True):
        shares[feature.family] = shares.get(feature.family, 0.0) + float(part) / total
    strength = gain * np.abs(away)
    ranked = sorted(
        (at for at in range(len(strength)) if strength[at] > 0), key=lambda at: (-strength[at], at)
    )
    facts = [
        fact_of(spec, spec.features[at], baselines)
        for at in ranked
        if baselines.values.get(spec.features[at].count, 0) > 0
    ]
    families = sorted(shares, key=lambda name: (-shares[name], name))
    for tells in (stands_out, above_others):
        if told := one_a_family([fact for fact in facts if tells(fact)], families):
            return [(fact, shares[fact.family]) for fact in told[:MOST_REASONS]]
    return []


def one_a_family(facts: Sequence[Fact], families: Sequence[str]) -> list[Fact]:
    """The strongest fact of each family whose count no earlier family told.

    Rather than all events, a kind of them.
    """
    told: dict[str, Fact] = {}
    for family in families:
        mine = [fact for fact in facts if fact.family == family and fact.count not in told]
        kinds = [fact for fact in mine if fact.count != "events"]
        for fact in (kinds or mine)[:1]:
            told[fact.count] = fact
    return list(told.values())


def stands_out(fact: Fact) -> bool:
    """Whether a fact lies outside the own range, or above others with whom it is compared."""
    return fact.above_own or (fact.family in AMONG_OTHERS and fact.above_others)


def above_others(fact: Fact) -> bool:
    """Whether a fact lies above the 95th percentile of others, whatever its family."""
    return fact.above_others


def headline_fact(facts: Sequence[Fact]) -> Fact | None:
    """The fact that a headline takes.

    What was never reached before stands before what is only above others; an action before
    sensitive data, first-time access, hours and plain volume; then the stronger fact first.
    """
    return min(
        facts, key=lambda fact: (not fact.above_own, headline_place(fact.count)), default=None
    )


def fact_of(spec: ModelSpec, feature: Feature, baselines: Baselines) -> Fact:
    """A feature's count and its baselines; thousandths become percent."""
    name = feature.count
    unit = 10.0 if name in PERCENT else 1.0
    whose, usual = baselines.usual.get(name, ("", None))
    return Fact(
        feature.family,
        name,
        spec.counts[name],
        baselines.values[name] / unit,
        tuple(value / unit for value in baselines.own.get(name, ())),
        whose,
        None if usual is None else usual / unit,
        baselines.earlier.get(name, (0, 0)),
    )


def muted_reason(family: str) -> dict[str, Any]:
    """The reason that says that a reviewer muted a family of a score.

    Args:
        family: A key of FAMILIES.

    Returns:
        A struct of REASON with share 0; a value and its baselines are null.
    """
    text = f"Muted by a reviewer: {FAMILIES[family]}"
    return reason(family, 0.0, text, None, None, None, None, None)


def reason(
    family: str,
    share: float | None,
    text: str,
    value: float | None,
    own: float | None,
    peers: float | None,
    label: str | None,
    phrase: str | None,
) -> dict[str, Any]:
    return {
        "family": family,
        "share": None if share is None else round(share, 6),
        "text": text,
        "value": value,
        "own_baseline": own,
        "peer_baseline": peers,
        "label": label,
        "phrase": phrase,
    }


FLAGGED_SCHEMA: dict[str, pl.DataType] = {
    "model": pl.String(),
    **{
        name: FINDING_SCHEMA[name]
        for name in (
            "title", "level", "subject_kind", "subject_id", "subject_label", "first_at", "last_at",
            "event_count", "event_ids", "value", "expected", "score_rank", "score_percentile",
            "reasons",
        )
    },
}  # fmt: skip
"""Column name to dtype of ``AnomalyOutcome.flagged``."""

PEERS_SHARE = 0.95


def flagged_rows(
    spec: ModelSpec,
    fitted: DayModel,
    table: pl.DataFrame,
    chosen: pl.DataFrame,
    ranked: pl.DataFrame,
    events: pl.DataFrame,
    timezone: str,
) -> pl.DataFrame:
    """Make anomalies of chosen days.

    Args:
        spec: The model that chose them.
        fitted: The same, fitted.
        table: The features of all days.
        chosen: Subject, ``day`` (the worst), ``days`` (list), ``score`` of each entry.
        ranked: ``rank`` and ``percentile`` of the period's days.
        events: Event table.
        timezone: IANA name of the zone of the days.

    Returns:
        One row an entry of ``chosen``, in its order (FLAGGED_SCHEMA).
    """
    subject = spec.subject
    places = ranked.select(subject, "day", "rank", "percentile")
    days = chosen.join(table, on=[subject, "day"], how="left", maintain_order="left")
    days = days.join(places, on=[subject, "day"], how="left", maintain_order="left")
    credit, away = fitted.credit(days), fitted.deviations(days)
    counts = sorted({"events", *(feature.count for feature in spec.features)})
    others = OtherDays(spec, table, counts)
    evidence = events_of(events, subject, days, timezone)
    rows = []
    for at, entry in enumerate(days.iter_rows(named=True)):
        before = days_before(table, subject, entry)
        known = baselines_of(entry, before, counts, others)
        facts = reasons_of(spec, credit[at], away[at], known)
        lead = headline_fact([fact for fact, _ in facts])
        why = [fact.reason(share, headline=fact is lead) for fact, share in facts] or [no_driver()]
        why += [muted_reason(family) for family in entry.get("muted") or ()]
        label = entry.get("subject_label") or title_of(evidence, entry[subject])
        rows.append(
            {
                "model": spec.name,
                "title": title(facts[0][0] if facts else None, len(entry["days"])),
                "level": level(entry, fitted.gate),
                "subject_kind": subject.removesuffix("_id"),
                "subject_id": entry[subject],
                "subject_label": label,
                **evidence_of(evidence, entry[subject], entry["days"]),
                "value": float(entry["events"]),
                "expected": float(np.median(known.own["events"])) if len(before) else None,
                "score_rank": entry["rank"],
                "score_percentile": entry["percentile"],
                "reasons": why,
            }
        )
    return pl.DataFrame(rows, schema=FLAGGED_SCHEMA)


def identity_rows(
    spec: ModelSpec,
    fitted: DayModel,
    table: pl.DataFrame,
    entries: pl.DataFrame,
    ranked: pl.DataFrame,
    events: pl.DataFrame,
    timezone: str,
) -> pl.DataFrame:
    """Make anomalies of accounts whose days add up to a match with another account.

    Args:
        spec: The identity model.
        fitted: The same, fitted.
        table: The features of all days.
        entries: Those of ``identity_entries``.
        ranked: ``rank`` and ``percentile`` of the period's days.
        events: Event table.
        timezone: IANA name of the zone of the days.

    Returns:
        One row an entry, in its order (FLAGGED_SCHEMA), of level low: ``value`` is the sum,
        ``expected`` the threshold. The first reason is the sum with its evidence days; others are
        of the day that deviates most. A day before the period has neither rank nor percentile.
    """
    chosen = entries.select(spec.subject, "day", "days", "score")
    rows = flagged_rows(spec, fitted, table, chosen, ranked, events, timezone)
    reasons = [
        [summed_reason(entry), *besides(why)]
        for entry, why in zip(entries.to_dicts(), rows["reasons"].to_list(), strict=True)
    ]
    counted = [len(entry) for entry in entries["days"].to_list()]
    return rows.with_columns(
        pl.Series("title", [titled(IDENTITY_TITLE, days) for days in counted], pl.String),
        pl.Series("reasons", reasons, FLAGGED_SCHEMA["reasons"]),
        level=pl.lit("low"),
        value=entries["score"],
        expected=pl.lit(THRESHOLD),
    )


def besides(why: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The facts of a day that stand beside its sum, and what a reviewer muted of it."""
    facts = [{**one, "phrase": None} for one in why if one["value"] is not None]
    facts = facts[: MOST_REASONS - 1]
    return [*facts, *(one for one in why if one["value"] is None and one["family"] != "none")]


def summed_reason(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The sum over 30 days, with the days that make it."""
    days = [f"{day:%Y-%m-%d}" for day in entry["days"]]
    listed = days if len(days) <= MOST_LISTED else [*days[: MOST_LISTED - 1], "…"]
    many = f"{len(days)} of {entry['scored']} scored days"
    text = (
        f"Differed from its own profile on {many} ({', '.join(listed)}). "
        f"Sum over {SPAN} days {entry['score']:.1f}, threshold {number(THRESHOLD)}."
    )
    phrase = f"acted unlike its own profile on {len(days)} days"
    if len(days) == 1:
        phrase = phrase.removesuffix("s")
    return reason("identity", None, text, entry["score"], None, None, None, phrase)


def no_driver() -> dict[str, Any]:
    return reason("none", 0.0, NO_DRIVER, None, None, None, None, None)


def title(lead: Fact | None, days: int) -> str:
    """From the strongest fact; over several days of one week with their number."""
    return titled(lead.words.title if lead else NO_DRIVER_TITLE, days)


def titled(text: str, days: int) -> str:
    return text if days == 1 or " Over " in text else f"{text}, {days} Days"


def level(entry: dict[str, Any], gate: float) -> str:
    """By how far the score passed the gate; rarity alone makes it medium at most.

    In a large log any day past the gate is rarer than one in a thousand, so that says little.
    """
    passed, percentile = (entry["score"] - gate) / (1 - gate), entry["percentile"] or 0.0
    if passed >= 0.4:
        return "high"
    return "medium" if passed >= 0.2 or percentile >= 99 else "low"


def days_before(table: pl.DataFrame, subject: str, entry: Mapping[str, Any]) -> pl.DataFrame:
    """The subject's active days before the entry's day, in order."""
    mine = table.filter(pl.col(subject) == entry[subject], pl.col("day") < entry["day"])
    return mine.sort("day")


def baselines_of(
    entry: Mapping[str, Any], before: pl.DataFrame, counts: Sequence[str], others: OtherDays
) -> Baselines:
    """What an entry is compared with."""
    own = before.tail(WINDOW)
    return Baselines(
        entry,
        {name: own[name].to_list() for name in counts},
        others.usual(entry),
        {name: (len(before), int((before[name] >= entry[name]).sum())) for name in counts},
    )


class OtherDays:
    """The 95th percentile of each count on the days of others, people and services apart.

    Peers where an account has some, resources of the type where a resource has some; else all.
    """

    def __init__(self, spec: ModelSpec, table: pl.DataFrame, counts: Sequence[str]) -> None:
        self.counts = counts
        account = spec.subject == "sender_id"
        self.near = "Peers" if account else "Similar resources"
        self.all = {
            False: "All accounts" if account else "All resources",
            True: "All services",
        }
        service = pl.col("service") if "service" in table.columns else pl.lit(value=False)
        high = [pl.col(x).quantile(PEERS_SHARE, "nearest").cast(pl.Float64) for x in counts]
        self.high: dict[bool, dict[str, float | None]] = {
            which: table.filter(service == which).select(high).row(0, named=True)
            for which in (False, True)
        }

    def usual(self, entry: Mapping[str, Any]) -> dict[str, tuple[str, float]]:
        """By count, who else an entry is compared with, and their 95th percentile."""
        service = bool(entry.get("service", False))
        found = {}
        for name in self.counts:
            near, far = entry.get(f"usual_{name}"), self.high[service][name]
            if near is not None and near >= 0:
                found[name] = (self.near, float(near))
            elif far is not None:
                found[name] = (self.all[service], far)
        return found


def events_of(
    events: pl.DataFrame, subject: str, days: pl.DataFrame, timezone: str
) -> pl.DataFrame:
    """The chosen subjects' events in order: ``who``, ``day``, ``created_at``, ``id``, title."""
    local = pl.col("created_at").dt.convert_time_zone(timezone).dt.date()
    who = pl.coalesce("resource_id", "entity_id") if subject == "resource_id" else pl.col(subject)
    return (
        events.lazy()
        .select("created_at", "id", "resource_title", "sender_id", who=who)
        .filter(pl.col("who").is_in(days[subject].to_list()), pl.col("sender_id").is_not_null())
        .with_columns(day=local)
        .sort("created_at", "id")
        .collect()
    )


def evidence_of(events: pl.DataFrame, who: str, days: Sequence[date]) -> dict[str, Any]:
    mine = events.filter(pl.col("who") == who, pl.col("day").is_in(list(days)))
    return {
        "first_at": mine["created_at"][0],
        "last_at": mine["created_at"][-1],
        "event_count": len(mine),
        "event_ids": mine["id"].to_list(),
    }


def title_of(events: pl.DataFrame, resource: str) -> str:
    name = events.filter(pl.col("who") == resource)["resource_title"].max()
    return str(name) if name is not None else resource
