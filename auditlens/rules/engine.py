"""Runs rules over events: detections, then correlations and behaviours, then episodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from time import perf_counter

import numpy as np
import polars as pl

from auditlens.errors import UsageError
from auditlens.events import EVENT_SCHEMA
from auditlens.period import Period
from auditlens.rules.behaviours import WHOLE_RECORD, GroupedEvents, behaviour_hits
from auditlens.rules.condition import Keyword, leaves
from auditlens.rules.dictionary import Mask, Rows, candidate_columns, column_of, rows_mentioning
from auditlens.rules.episodes import (
    EPISODE_SCHEMA,
    Evidence,
    episode_rows,
    from_anchors,
    from_hits,
    no_evidence,
    with_evidence_below,
)
from auditlens.rules.hours import Calendar
from auditlens.rules.logsource import EVENT_MARKS, LogSource, Scope, origins
from auditlens.rules.prefilter import BUDGET_SECONDS, Hits, scan_rules
from auditlens.rules.rule import Behaviour, Correlation, Detection, Rule, internal_ids
from auditlens.rules.windows import anchors, build_timeline, event_times

__all__ = ["HEALTH_SCHEMA", "RuleOutcome", "columns_of_record", "evaluate", "match_frame"]

SAMPLE = 1_000
FIELDS_READ = {"dormant_return": ("action_group", "resource_id")}
"""What a kind of behaviour reads besides the fields its rule names."""

HEALTH_SCHEMA: dict[str, pl.DataType] = {
    "rule_id": pl.String(),
    "name": pl.String(),
    "title": pl.String(),
    "level": pl.String(),
    "kind": pl.String(),
    "status": pl.String(),
    "enabled": pl.Boolean(),
    "reason_off": pl.String(),
    "applies": pl.Boolean(),
    "hits": pl.Int64(),
    "findings": pl.Int64(),
    "examined": pl.Int64(),
    "learning": pl.Int64(),
    "fields_missing": pl.List(pl.String()),
    "seconds": pl.Float64(),
}


@dataclass(frozen=True)
class RuleOutcome:
    """What the rules found.

    Attributes:
        episodes: One row an episode, columns of EPISODE_SCHEMA.
        health: One row a rule in the order of the set, columns of HEALTH_SCHEMA: whether any event
            is of its log source, hits and episodes inside the period, rows examined, fields no
            event has, and seconds spent (which never belong in a digest or a report).
        scopes: One entry a log source, with the rules that judged its events.
    """

    episodes: pl.DataFrame
    health: pl.DataFrame
    scopes: tuple[Scope, ...] = ()


@dataclass
class Evaluation:
    """The hits of every rule over one frame, worked out in order of their dependence."""

    frame: pl.DataFrame
    times: pl.Series | None
    hits: dict[str, Rows]
    evidence: dict[str, Evidence]
    examined: dict[str, int]
    seconds: dict[str, float]
    origins: tuple[tuple[LogSource | None, Rows | None], ...] = ()
    learning: dict[str, Rows] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)
    keyed: dict[tuple[str, ...], GroupedEvents] = field(default_factory=dict)
    record: Evaluation | None = None

    @property
    def before(self) -> int:
        """How many events of the record come before those of the frame."""
        return self.record.frame.height - self.frame.height if self.record else 0


def match_frame(
    rules: Sequence[Rule], frame: pl.DataFrame, *, time: str | None, timezone: str
) -> pl.DataFrame:
    """Match every enabled rule against a frame; see RuleSet.match."""
    done = run(rules, frame, time=time, calendar=Calendar(timezone))
    if done.stopped:
        names = ", ".join(sorted(rule.name for rule in rules if rule.id in done.stopped))
        raise UsageError(
            f"Stopped after {BUDGET_SECONDS:g} seconds: {names}", fix="Simplify their patterns"
        )
    internal = internal_ids(rules)
    ids = sorted({rule.id for rule in rules if rule.enabled} - internal)
    sizes = [len(done.hits[rule_id]) for rule_id in ids]
    rows = np.concatenate([np.empty(0, dtype=np.int64), *(done.hits[rule_id] for rule_id in ids)])
    which = pl.Series(np.repeat(np.arange(len(ids)), sizes), dtype=pl.Int64)
    names_of_hits = pl.Series("rule_id", ids, dtype=pl.String).gather(which)
    return pl.DataFrame([names_of_hits, pl.Series("row", rows, dtype=pl.UInt32)])


def run(
    rules: Sequence[Rule], frame: pl.DataFrame, *, time: str | None, calendar: Calendar,
    sources: Mapping[str, LogSource] | None = None, earlier: pl.DataFrame | None = None,
) -> Evaluation:  # fmt: skip
    """Match detections in one scan, then correlations and behaviours over their hits.

    ``earlier`` are events before those of the frame, which behaviours compare with.
    """
    by_id = {rule.id: rule for rule in rules}
    wanted = evaluation_order(rules)
    sources_of_rows = origins(frame, sources)
    detections = [by_id[one] for one in wanted if isinstance(by_id[one].body, Detection)]
    scanned = scan_origins(detections, frame, sources_of_rows, calendar.timezone)
    above = [one for one in wanted if not isinstance(by_id[one].body, Detection)]
    times = event_times(frame, time) if above else None
    done = Evaluation(
        frame,
        times,
        {rule_id: hits.rows for rule_id, hits in scanned.items()},
        {},
        {rule_id: hits.examined for rule_id, hits in scanned.items()},
        {rule_id: hits.seconds for rule_id, hits in scanned.items()},
        sources_of_rows,
    )
    done.stopped.update(rule_id for rule_id, hits in scanned.items() if hits.stopped)
    below = rules_below(rules)
    if earlier is not None and earlier.height and below:
        columns = [name for name in frame.columns if name in earlier.columns]
        record = pl.concat([earlier.select(columns), frame.select(columns)])
        # By these the event table is known; what no behaviour reads of them is not there.
        marks = [name for name in EVENT_MARKS if name in frame.columns and name not in columns]
        record = record.with_columns(pl.lit(None, pl.String).alias(name) for name in marks)
        done.record = run(below, record, time=time, calendar=calendar, sources=sources)
        done.record.times = event_times(record, time)
        done.stopped |= done.record.stopped
    for rule_id in above:
        start = perf_counter()
        if done.stopped.intersection(by_id[rule_id].references_to):
            done.stopped.add(rule_id)
        window_hits(by_id[rule_id], done, calendar)
        done.seconds[rule_id] = perf_counter() - start
    return done


def scan_origins(
    rules: Sequence[Rule],
    frame: pl.DataFrame,
    sources_of_rows: Sequence[tuple[LogSource | None, Rows | None]],
    timezone: str,
) -> dict[str, Hits]:
    """Match each detection against the events of its own log source alone."""
    pieces: dict[str, list[Hits]] = {rule.id: [] for rule in rules}
    for source, rows in sources_of_rows:
        part = frame if rows is None else frame[rows]
        chosen = [one for one in rules if source is None or one.logsource.covers(source)]
        for rule_id, hits in scan_rules(chosen, part, timezone).items():
            in_frame = hits if rows is None else replace(hits, rows=rows[hits.rows])
            pieces[rule_id].append(in_frame)
    return {rule_id: combined_hits(some) for rule_id, some in pieces.items()}


def combined_hits(pieces: Sequence[Hits]) -> Hits:
    """The hits of one rule in several log sources as one."""
    if len(pieces) == 1:
        return pieces[0]
    rows = [np.empty(0, dtype=np.int64), *(one.rows for one in pieces)]
    return Hits(
        np.sort(np.concatenate(rows)),
        sum(one.examined for one in pieces),
        sum(one.seconds for one in pieces),
        any(one.stopped for one in pieces),
    )


def rule_ids_about(rules: Sequence[Rule], source: LogSource | None) -> frozenset[str]:
    """Ids of the rules about events of this log source; of a window, if one of its rules is."""
    ids = {
        rule.id
        for rule in rules
        if isinstance(rule.body, Detection) and (source is None or rule.logsource.covers(source))
    }
    above = [rule for rule in rules if rule.references_to]
    while more := {r.id for r in above if r.id not in ids and ids.intersection(r.references_to)}:
        ids |= more
    return frozenset(ids)


def scopes_of(
    rules: Sequence[Rule], done: Evaluation, covered: Sequence[frozenset[str]],
    within: Mask,
) -> tuple[Scope, ...]:  # fmt: skip
    """For each log source its events in the period, and how many rules judged them."""
    scopes = []
    for (source, rows), ids in zip(done.origins, covered, strict=True):
        mine = [rule for rule in rules if rule.id in ids]
        on = sum(rule.enabled for rule in mine)
        named = source or LogSource()
        scopes.append(
            Scope(
                product=named.product or "",
                service=named.service or "",
                events=int((within if rows is None else within[rows]).sum()),
                rules=on,
                off=len(mine) - on,
                named=sum(rule.product == named.product for rule in rules),
            )
        )
    return tuple(sorted(scopes, key=lambda one: (one.product, one.service)))


def evaluation_order(rules: Sequence[Rule]) -> list[str]:
    """Return ids of the enabled rules and all they are built on, each after what it needs."""
    by_id = {rule.id: rule for rule in rules}
    order: dict[str, None] = {}

    def add(rule_id: str) -> None:
        if rule_id not in order:
            for one in by_id[rule_id].references_to:
                add(one)
            order[rule_id] = None

    for rule in rules:
        if rule.enabled:
            add(rule.id)
    return list(order)


def window_hits(rule: Rule, done: Evaluation, calendar: Calendar) -> None:
    """Work out one correlation or behaviour and note its hits and evidence."""
    body = rule.body
    inputs = [done.hits[one] for one in rule.references_to]
    assert done.times is not None
    done.examined[rule.id] = sum(len(rows) for rows in inputs)
    if not done.examined[rule.id]:
        done.evidence[rule.id] = no_evidence()
        done.learning[rule.id] = np.empty(0, dtype=np.int64)
    elif isinstance(body, Behaviour):
        whole = (done.record if body.type in WHOLE_RECORD else None) or done
        assert whole.times is not None
        before = done.before if whole is done.record else 0
        past = [whole.hits[one] for one in rule.references_to]
        found, learning = behaviour_hits(
            body, whole.frame, whole.times, past, calendar, whole.keyed, before
        )
        done.evidence[rule.id] = counted_from(found, before)
        done.learning[rule.id] = learning - before
    else:
        assert isinstance(body, Correlation)
        inputs = [
            one_per_instant(done, ref, rows) for ref, rows in zip(body.rules, inputs, strict=True)
        ]
        horizon = int(done.times.max() or 0)  # type: ignore[arg-type]
        line, _ = build_timeline(body, done.frame, done.times, inputs, horizon)
        windows = from_anchors(body, line, anchors(body, line))
        below = [done.evidence[ref] for ref in body.rules if ref in done.evidence]
        done.evidence[rule.id] = with_evidence_below(windows, below)
    done.hits[rule.id] = done.evidence[rule.id].anchors


def rules_below(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """The rules whose hits on the whole record behaviours need, with all they are built on."""
    by_id = {rule.id: rule for rule in rules}
    watching = [
        rule
        for rule in map(by_id.__getitem__, evaluation_order(rules))
        if isinstance(rule.body, Behaviour) and rule.body.type in WHOLE_RECORD
    ]
    wanted: set[str] = set()
    stack = [ref for rule in watching for ref in rule.references_to]
    while stack:
        ref = stack.pop()
        if ref not in wanted:
            wanted.add(ref)
            stack.extend(by_id[ref].references_to)
    return tuple(replace(rule, enabled=True) for rule in rules if rule.id in wanted)


def columns_of_record(rules: Iterable[Rule]) -> tuple[str, ...]:
    """The event columns that behaviours read of the whole record, in the order of the schema.

    Args:
        rules: The rules, such as a RuleSet.

    Returns:
        Names of EVENT_SCHEMA; those that name and date an event are always among them.
    """
    rules = tuple(rules)
    below = rules_below(rules)
    bodies = [rule.body for rule in below if isinstance(rule.body, Detection)]
    if any(isinstance(leaf, Keyword) for body in bodies for leaf in leaves(body.condition)):
        return tuple(EVENT_SCHEMA)
    fields = {name for rule in below for name in rule.fields}
    fields |= {
        name
        for rule in rules
        if rule.enabled and isinstance(rule.body, Behaviour)
        for name in (*rule.fields, *FIELDS_READ.get(rule.body.type, ()))
    }
    bare = pl.DataFrame(schema=EVENT_SCHEMA)
    read = {name for one in fields for name in candidate_columns(bare, one)}
    read |= {"id", "created_at", "leaf", "generation", "sender_id", "resource_id"}
    return tuple(name for name in EVENT_SCHEMA if name in read)


def counted_from(evidence: Evidence, before: int) -> Evidence:
    """Evidence on the record as evidence on the events after its first ``before``.

    What began earlier than these keeps what is among them.
    """
    if not before:
        return evidence
    row = pl.col("row") - before
    return replace(
        evidence,
        anchors=evidence.anchors[evidence.anchors >= before] - before,
        instants=evidence.instants.with_columns(row).filter(pl.col("row") >= 0),
        rows=evidence.rows.with_columns(row).filter(pl.col("row") >= 0),
    )


def one_per_instant(done: Evaluation, ref: str, rows: Rows) -> Rows:
    """Count the tied anchors of a correlation in a chain as one hit."""
    if ref not in done.evidence or not len(rows):
        return rows
    return np.unique(done.evidence[ref].instants.get_column("row").to_numpy())


def evaluate(
    rules: Iterable[Rule],
    events: pl.DataFrame | pl.LazyFrame,
    period: Period,
    *,
    timezone: str = "UTC",
    holidays: Iterable[date] = (),
    sources: Mapping[str, LogSource] | None = None,
    earlier: pl.DataFrame | None = None,
) -> RuleOutcome:
    """Run every enabled rule over events and return the episodes of a period.

    A rule sees the events of its log source alone. An episode belongs to the period in which it
    ended: ``last_at`` in [start, end). Nothing depends on the order of rows or rules.

    Args:
        rules: The rules, such as a RuleSet.
        events: Columns of EVENT_SCHEMA, history included.
        period: The period audited.
        timezone: IANA zone of hours and days.
        holidays: Local days without ordinary work, whose hours no ordinary day makes usual.
        sources: The log source of each value of ``generation``; None = those of the shipped
            profiles. Events without a generation are seen by every rule.
        earlier: Events before those of ``events``, with at least the columns that
            ``columns_of_record`` names; behaviours compare with them too. None = there are none.

    Returns:
        Episodes, the health of every rule, and the log sources met.
    """
    frame = events.collect() if isinstance(events, pl.LazyFrame) else events
    frame, rules = in_order(frame), tuple(rules)
    calendar = Calendar(timezone, frozenset(holidays))
    past = None if earlier is None else in_order(earlier)
    done = run(rules, frame, time="created_at", calendar=calendar, sources=sources, earlier=past)
    pieces = []
    internal = internal_ids(rules)
    for rule in rules:
        if not rule.enabled or rule.id in internal or rule.id in done.stopped:
            continue
        evidence = done.evidence.get(rule.id)
        if evidence is None and len(done.hits[rule.id]):
            evidence = from_hits(frame, done.hits[rule.id])
        if evidence is not None and evidence.rows.height:
            pieces.append(episode_rows(rule, frame, evidence, period))
    empty = pl.DataFrame(schema=EPISODE_SCHEMA)
    episodes = pl.concat([empty, *pieces]).sort("first_at", "last_at", "rule_id", "subject_id",
                                                "event_ids", nulls_last=True)  # fmt: skip
    inside = frame.get_column("created_at").is_between(period.start, period.end, closed="left")
    within = inside.to_numpy()
    covered = [rule_ids_about(rules, source) for source, _ in done.origins]
    about = frozenset().union(*covered)
    return RuleOutcome(
        episodes,
        health(rules, frame, done, episodes, within, about),
        scopes_of(rules, done, covered, within),
    )


def in_order(frame: pl.DataFrame) -> pl.DataFrame:
    """Sort by time, id and content; what is in order already is not copied."""
    order = frame.select(pl.arg_sort_by("created_at", "id", "leaf")).to_series()
    return frame if order.is_sorted() else frame[order]


def health(
    rules: Sequence[Rule],
    frame: pl.DataFrame,
    done: Evaluation,
    episodes: pl.DataFrame,
    within: Mask,
    about: frozenset[str],
) -> pl.DataFrame:
    """Return one row a rule: what it looked at, what it found, what it could not see.

    ``within`` marks the events of the period, ``about`` are the rules some event is for.
    """
    counts = dict(episodes.group_by("rule_id").len().iter_rows())
    missing = missing_fields([rule for rule in rules if rule.id in about], frame)
    over = f"stopped: its patterns ran longer than {BUDGET_SECONDS:g} seconds, nothing was judged"
    rows = [
        {
            "rule_id": rule.id,
            "name": rule.name,
            "title": rule.title,
            "level": rule.level,
            "kind": rule.kind,
            "status": rule.status,
            "enabled": rule.enabled,
            "reason_off": over if rule.id in done.stopped else rule.reason_off,
            "applies": rule.id in about,
            "hits": int(within[done.hits[rule.id]].sum()) if rule.id in done.hits else 0,
            "findings": counts.get(rule.id, 0),
            "examined": done.examined.get(rule.id, 0),
            "learning": int(within[done.learning[rule.id]].sum())
            if rule.id in done.learning
            else 0,
            "fields_missing": [
                name for name in rule.fields if name in missing and rule.id in about
            ],
            "seconds": done.seconds.get(rule.id, 0.0),
        }
        for rule in rules
    ]
    return pl.DataFrame(rows, schema=HEALTH_SCHEMA)


def missing_fields(rules: Sequence[Rule], frame: pl.DataFrame) -> frozenset[str]:
    """Return the fields that rules read and no event has a value for."""
    names = {name for rule in rules for name in rule.fields}
    first_events = frame.head(SAMPLE)
    names = {name for name in names if not any_value(first_events, name)}
    inside = {name for name in names if candidate_columns(frame, name)[-1] == "metadata"}
    present = {name for name in names - inside if any_value(frame, name)}
    column = frame.get_column("metadata") if "metadata" in frame.columns else None
    if column is None or column.dtype != pl.String:
        return frozenset(names - present - {name for name in inside if any_value(frame, name)})
    # Most events have none of these: only those that name one are read field by field.
    part = column.gather(rows_mentioning(column, sorted(inside))) if inside else column.clear()
    return frozenset(names - present - {name for name in inside if any_inside(part, name)})


def any_value(frame: pl.DataFrame, name: str) -> bool:
    """Say whether some event has the field."""
    column = column_of(frame, name)
    return column is not None and column.null_count() < len(column)


def any_inside(column: pl.Series, name: str) -> bool:
    """Say whether some JSON text has the field, reading few texts first."""
    rows = rows_mentioning(column, [name])
    texts = (column.gather(rows.head(SAMPLE)), column.gather(rows.slice(SAMPLE)))
    return any(len(some) and any_value(some.to_frame(), name) for some in texts)
