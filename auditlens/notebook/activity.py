"""Activity a day of an audit's period: of everyone, one sender, one resource or one finding."""

from __future__ import annotations

import polars as pl

from auditlens.errors import UsageError
from auditlens.notebook.audited import Audited, finding_of
from auditlens.notebook.plot import Plot

__all__ = ["plot_activity"]

COLUMNS = {"sender": "sender_id", "resource": "resource_id"}


def plot_activity(
    audit: Audited,
    *,
    sender_id: str | None = None,
    resource_id: str | None = None,
    finding_id: str | None = None,
) -> Plot:
    """Events a day, and a mark on each day on which findings began.

    At most one of the ids chooses whom or what to look at; a finding stands for its subject.
    Days are those of the period's time zone. Raises UsageError for an unknown finding, for a
    subject without events in the period, and for more than one id.
    """
    chosen = [one for one in (sender_id, resource_id, finding_id) if one is not None]
    if len(chosen) > 1:
        raise UsageError("A plot shows one subject", fix="Give one id, or none")
    kind, subject = "workspace", ""
    if sender_id is not None:
        kind, subject = "sender", sender_id
    elif resource_id is not None:
        kind, subject = "resource", resource_id
    elif finding_id is not None:
        kind, subject = subject_of(audit, finding_id)
    return drawn(audit, kind, subject)


def subject_of(audit: Audited, finding_id: str) -> tuple[str, str]:
    """Kind and id of whom or what a finding is about."""
    row = finding_of(audit, finding_id)
    return str(row["subject_kind"]), row["subject_id"] or ""


def drawn(audit: Audited, kind: str, subject: str) -> Plot:
    events, findings, name = audit.events, audit.findings, "all senders"
    if kind in COLUMNS:
        events = events.filter(pl.col(COLUMNS[kind]) == subject)
        about = (pl.col("subject_kind") == kind) & (pl.col("subject_id") == subject)
        findings = findings.filter(about)
        name = f"{kind} {subject}"
        if events.is_empty():
            raise UsageError(f"No events of {name} in {audit.period}", fix="See audit.events")
    zone = audit.period.timezone
    days = pl.DataFrame({"day": audit.period.days}, schema={"day": pl.Date()})
    counted = (
        days.join(by_day(events, "created_at", "events", zone), on="day", how="left")
        .join(by_day(findings, "first_at", "findings", zone), on="day", how="left")
        .with_columns(pl.col("events", "findings").fill_null(0).cast(pl.Int64))
        .sort("day")
    )
    return Plot(f"Events a day, {name}, {audit.period} ({zone})", counted)


def by_day(frame: pl.DataFrame, moment: str, name: str, zone: str) -> pl.DataFrame:
    """Rows a local day."""
    day = pl.col(moment).dt.convert_time_zone(zone).dt.date().alias("day")
    return frame.group_by(day).agg(pl.len().alias(name))
