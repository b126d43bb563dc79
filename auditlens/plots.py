"""Altair charts of an audit, for notebooks: ``audit.plot.timeline()``, ``.sender(id)`` and so on.

Each method returns an ordinary Altair chart to look at or to build on; its rows are in
``chart.data``. Ids and names of the log stand in it with hidden characters shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Protocol

import polars as pl

from auditlens.anomalies import baseline_bands, hour_grid, sender_timeline
from auditlens.errors import UsageError
from auditlens.period import Period
from auditlens.text import visible

__all__ = ["Audited", "Plots", "finding_of"]

BAR, MARK, SOFT = "#5b7fa6", "#c0392b", "#c9d6e4"
GROUPS = {
    "read": "#c9d6e4", "write": "#5b7fa6", "auth": "#9b9b9b", "export": "#c0392b",
    "share": "#d98032", "permission": "#8e5ea2", "delete": "#7b241c", "admin": "#3f6b52",
    "system": "#dddddd", "unclassified": "#efe3b8",
}  # fmt: skip
"""The colour of each group of actions, in the order they are stacked."""

SUBJECTS = {"sender": "sender_id", "resource": "resource_id"}
NO_TIMELINE = pl.DataFrame(
    schema={"day": pl.Date(), "action_group": pl.String(), "events": pl.Int64()}
)


class Audited(Protocol):
    """An audit, as far as it is drawn or explained.

    Attributes:
        period: The period audited.
        events: Its events (EVENT_SCHEMA).
        findings: FINDING_SCHEMA.
        sender_days: One row an account and local day: ``day``, ``sender_id``, ``score`` and
            ``percentile`` are drawn.
        past: The events of the period and of the history before it (EVENT_SCHEMA).
    """

    @property
    def period(self) -> Period: ...
    @property
    def events(self) -> pl.DataFrame: ...
    @property
    def findings(self) -> pl.DataFrame: ...
    @property
    def sender_days(self) -> pl.DataFrame: ...
    @property
    def past(self) -> pl.DataFrame: ...


def finding_of(audit: Audited, finding_id: str) -> dict[str, Any]:
    """One finding of an audit.

    Args:
        audit: The audit.
        finding_id: Its id (``F-…``).

    Returns:
        The columns of FINDING_SCHEMA by name.

    Raises:
        UsageError: The audit has no such finding.
    """
    found = audit.findings.filter(pl.col("finding_id") == finding_id)
    if found.is_empty():
        raise UsageError(
            f"No finding {finding_id!r} in {audit.period}",
            fix="See audit.findings, or run 'auditlens check', for their ids",
        )
    return found.row(0, named=True)


class Plots:
    """Charts of one audit.

    A subject is the id of an account (sender) or the id of a finding, which stands for whom or what
    it is about.

    Args:
        audit: The audit.

    Raises:
        UsageError: By every method: Altair is not installed (``pip install "auditlens[plot]"``), or
            the audit does not know the subject.
    """

    def __init__(self, audit: Audited) -> None:
        self.audit = audit

    def __repr__(self) -> str:
        return f"Plots({self.audit.period}: timeline, sender, hours, scores)"

    def timeline(self, subject: str | None = None) -> Any:
        """Events per day of the period, stacked by group of action, with marks for findings.

        Args:
            subject: An account's id or a finding's (also one about a resource); default everyone.

        Returns:
            A layered chart. Rows: ``day`` (Date), ``action_group``, ``events`` (Int64), and
            ``findings`` (Int64): how many findings began that day, on each day's first row.
        """
        alt, audit = load_altair(), self.audit
        kind, who = self.subject(subject)
        data = days_of(audit, kind, who)
        name = f"{kind} {visible(who)}" if kind else "all accounts"
        title = f"Events per day, {name}, {audit.period} ({audit.period.timezone})"
        day = alt.X("day:T", title=None)
        bars = (
            alt.Chart(data, title=title, width=640, height=160)
            .mark_bar()
            .encode(
                x=day,
                y=alt.Y("events:Q", title="events"),
                color=alt.Color(
                    "action_group:N",
                    scale=alt.Scale(domain=list(GROUPS), range=list(GROUPS.values())),
                ),
                tooltip=["day:T", "action_group:N", "events:Q"],
            )
        )
        marks = (
            alt.Chart(data)
            .transform_filter("datum.findings > 0")
            .mark_point(color=MARK, filled=True, shape="triangle-down", size=60)
            .encode(x=day, y=alt.value(4), tooltip=["day:T", "findings:Q"])
        )
        return alt.layer(bars, marks, data=data)

    def sender(self, subject: str, count: str = "events") -> Any:
        """One count of an account per active day, with the range of the 28 active days before.

        Args:
            subject: An account's id, or the id of a finding about one.
            count: ``events``, ``resources``, ``containers``, ``burst``, ``risky`` or a group of
                actions (``export``).

        Returns:
            A layered chart. Rows: ``day``, ``value``, ``low``, ``typical``, ``high`` (null before
            there is a baseline), ``period`` (whether the day is in it).
        """
        alt, audit, who = load_altair(), self.audit, self.account(subject)
        zone = audit.period.timezone
        bands = baseline_bands(audit.past, who, count, timezone=zone)
        data = bands.with_columns(period=pl.col("day").is_in(list(audit.period.days)))
        title = f"{count} per day and own range before, {visible(who)} ({zone})"
        base = alt.Chart(title=title, width=640, height=160).encode(x=alt.X("day:T", title=None))
        band = base.mark_area(color=SOFT).encode(y=alt.Y("low:Q", title=count), y2="high:Q")
        typical = base.mark_line(color=SOFT, strokeDash=[4, 2]).encode(y="typical:Q")
        points = base.mark_point(filled=True).encode(
            y="value:Q",
            color=alt.condition("datum.period", alt.value(MARK), alt.value(BAR)),
            tooltip=["day:T", "value:Q", "low:Q", "typical:Q", "high:Q"],
        )
        return alt.layer(band, typical, points, data=data)

    def hours(self, subject: str, days: Sequence[date] | None = None) -> Any:
        """Hours of the week: events before ``days`` as shades, those on ``days`` as points.

        Args:
            subject: An account's id, or the id of a finding about one.
            days: Local days to mark; default those of the period.

        Returns:
            A layered chart. Rows: ``weekday`` (1 = Monday), ``hour``, ``usual``, ``now`` (Int64).
        """
        alt, audit, who = load_altair(), self.audit, self.account(subject)
        chosen = list(days or audit.period.days)
        data = hour_grid(audit.past, who, chosen, timezone=audit.period.timezone)
        title = f"Hours of the week, {visible(who)}, {audit.period} ({audit.period.timezone})"
        base = alt.Chart(title=title, width=640, height=130).encode(
            x="hour:O",
            y=alt.Y("weekday:O", title="weekday (1 = Monday)"),
            tooltip=["weekday:O", "hour:O", "usual:Q", "now:Q"],
        )
        usual = base.mark_rect().encode(
            color=alt.Color("usual:Q", scale=alt.Scale(range=["#f4f7fa", BAR]))
        )
        now = base.transform_filter("datum.now > 0").mark_point(color=MARK, filled=True)
        return alt.layer(usual, now, data=data)

    def scores(self) -> Any:
        """Every account-day's anomaly score; days inside a finding's span are marked.

        Unusual activity is not proof of misuse.

        Returns:
            A chart. Rows: ``day``, ``sender_id``, ``score``, ``percentile``, ``flagged``; days
            without a score are left out.
        """
        alt, audit = load_altair(), self.audit
        zone = audit.period.timezone
        spans = audit.findings.filter(
            pl.col("kind") == "anomaly", pl.col("subject_kind") == "sender"
        ).select(
            sender_id="subject_id",
            first=pl.col("first_at").dt.convert_time_zone(zone).dt.date(),
            last=pl.col("last_at").dt.convert_time_zone(zone).dt.date(),
        )
        days = audit.sender_days.select("day", "sender_id", "score", "percentile")
        marks = (
            days.join(spans, on="sender_id")
            .filter(pl.col("day").is_between(pl.col("first"), pl.col("last")))
            .select("day", "sender_id", flagged=pl.lit(value=True))
            .unique()
        )
        data = shown(
            days.filter(pl.col("score").is_not_null())
            .join(marks, on=["day", "sender_id"], how="left")
            .with_columns(pl.col("flagged").fill_null(value=False))
            .sort("day", "sender_id")
        )
        return (
            alt.Chart(data, title=f"Scores of account-days, {audit.period}", width=640, height=160)
            .mark_point(filled=True)
            .encode(
                x=alt.X("day:T", title=None),
                y="score:Q",
                color=alt.Color(
                    "flagged:N", scale=alt.Scale(domain=[False, True], range=[BAR, MARK])
                ),
                tooltip=["day:T", "sender_id:N", "score:Q", "percentile:Q"],
            )
        )

    def account(self, subject: str) -> str:
        """The id of an account; a finding stands for the account it is about."""
        kind, who = self.subject(subject)
        if kind != "sender":
            raise UsageError(f"{subject} is about no account", fix="Name an account's id")
        return who

    def subject(self, subject: str | None) -> tuple[str, str]:
        """Kind (sender, resource; empty for everyone) and id of what ``subject`` names."""
        if subject is None:
            return "", ""
        if not subject.startswith("F-"):
            return "sender", subject
        finding = finding_of(self.audit, subject)
        if finding["subject_kind"] not in SUBJECTS or not finding["subject_id"]:
            return "", ""
        return str(finding["subject_kind"]), str(finding["subject_id"])


def load_altair() -> Any:
    """Altair itself. Raises UsageError when it is not installed."""
    try:
        import altair as alt
    except ImportError:
        raise UsageError("Altair is not installed", fix='pip install "auditlens[plot]"') from None
    return alt


def shown(data: pl.DataFrame) -> pl.DataFrame:
    """``data`` with the hidden characters of account ids made visible."""
    ids = data["sender_id"].unique().drop_nulls().to_list()
    return data.with_columns(pl.col("sender_id").replace({one: visible(one) for one in ids}))


def days_of(audit: Audited, kind: str, who: str) -> pl.DataFrame:
    """Events and begun findings per local day of the period, of one subject or everyone."""
    events, findings, zone = audit.events, audit.findings, audit.period.timezone
    if kind:
        events = events.filter(pl.col(SUBJECTS[kind]) == who)
        findings = findings.filter(pl.col("subject_kind") == kind, pl.col("subject_id") == who)
        if events.is_empty():
            raise UsageError(
                f"No events of {kind} {who!r} in {audit.period}", fix="See audit.events"
            )
    # A timeline is of one account; of a log in which everyone is one account it is everyone's.
    whole = events.with_columns(sender_id=pl.lit(""))
    counted = sender_timeline(whole, "", timezone=zone) if whole.height else NO_TIMELINE
    began = (
        findings.group_by(pl.col("first_at").dt.convert_time_zone(zone).dt.date().alias("day"))
        .agg(findings=pl.len().cast(pl.Int64))
        .filter(pl.col("day").is_in(list(audit.period.days)))
    )
    place = pl.int_range(pl.len()).over("day")
    return (
        counted.join(began, on="day", how="full", coalesce=True)
        .sort("day", "action_group", nulls_last=True)
        .with_columns(pl.col("events").fill_null(0))
        .with_columns(findings=pl.when(place == 0).then(pl.col("findings").fill_null(0)))
    )
