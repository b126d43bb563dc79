"""The plots of an audit: ``plot.timeline()``, ``.sender(…)``, ``.hours(…)``, ``.scores()``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from functools import partial
from typing import Any

import polars as pl

from auditlens.anomalies import baseline_bands, hour_grid, sender_timeline
from auditlens.errors import UsageError
from auditlens.notebook.audited import Audited, finding_of
from auditlens.notebook.picture import (
    BAR,
    FOOT,
    GROUPS,
    HEIGHT,
    LEFT,
    MARK,
    SOFT,
    TOP,
    WIDTH,
    Picture,
    axis,
    label,
    square,
    svg_of,
)

__all__ = ["Plots"]

BASE = HEIGHT - FOOT
WEEK = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
HOUR_WIDE, HOUR_HIGH = (WIDTH - LEFT) / 24, 18
LABELS = 12


class Plots:
    """Plots of one audit; a sender is named by its id or by the id of a finding about it."""

    def __init__(self, audit: Audited) -> None:
        self.audit = audit

    def __repr__(self) -> str:
        return f"Plots({self.audit.period}: timeline, sender, hours, scores)"

    def timeline(self, sender: str | None = None) -> Picture:
        """Events a day of the period by group of action, of everyone or one sender.

        ``data``: day, action_group, events. Raises UsageError for an unknown sender.
        """
        audit, zone = self.audit, self.audit.period.timezone
        who = None if sender is None else self.who(sender)
        if who is None:
            # One sender's timeline, of a log in which everyone is one sender.
            whole = audit.events.with_columns(sender_id=pl.lit(""))
            data = sender_timeline(whole, "", timezone=zone) if whole.height else EMPTY_TIMELINE
        else:
            data = sender_timeline(audit.events, who, timezone=zone)
        title = f"Events a day, {who or 'all senders'}, {audit.period} ({zone})"
        days = list(audit.period.days)
        return Picture(
            title, data, timeline_svg(title, data, days), partial(timeline_chart, title, data)
        )

    def sender(self, sender: str, count: str = "events") -> Picture:
        """A count of one sender by active day, with the band of the 28 active days before.

        ``data``: day, value, low, typical, high, period (whether the day is in it). ``count`` is
        events, resources, containers, burst, risky or a group of actions. Raises UsageError for
        an unknown sender or count.
        """
        audit, who = self.audit, self.who(sender)
        zone = audit.period.timezone
        bands = baseline_bands(audit.past, who, count, timezone=zone)
        inside = pl.col("day").is_in(list(audit.period.days))
        data = bands.with_columns(period=inside)
        title = f"{count} a day and the usual band, {who} ({zone})"
        return Picture(title, data, bands_svg(title, data), partial(bands_chart, title, data))

    def hours(self, sender: str, days: Sequence[date] | None = None) -> Picture:
        """The hours of the week: usual ones before ``days`` (default: the period), and those now.

        ``data``: weekday (1 = Monday), hour, usual, now. Raises UsageError for an unknown sender.
        """
        audit, who = self.audit, self.who(sender)
        chosen = list(days or audit.period.days)
        data = hour_grid(audit.past, who, chosen, timezone=audit.period.timezone)
        title = f"Hours of the week, {who}, {audit.period} ({audit.period.timezone})"
        return Picture(title, data, hours_svg(title, data), partial(hours_chart, title, data))

    def scores(self) -> Picture:
        """Every sender-day's score, those of findings marked; unusual does not mean wrong.

        ``data``: day, sender_id, score, percentile, flagged. Days without a score are left out.
        """
        audit = self.audit
        about = audit.findings.filter(
            pl.col("kind") == "anomaly", pl.col("subject_kind") == "sender"
        )
        zone = audit.period.timezone
        spans = about.select(
            sender_id="subject_id",
            first=pl.col("first_at").dt.convert_time_zone(zone).dt.date(),
            last=pl.col("last_at").dt.convert_time_zone(zone).dt.date(),
        )
        days = audit.sender_days.select("day", "sender_id", "score", "percentile")
        flagged = days.join(spans, on="sender_id").filter(
            pl.col("day").is_between(pl.col("first"), pl.col("last"))
        )
        marks = flagged.select("day", "sender_id", flagged=pl.lit(value=True)).unique()
        data = (
            days.filter(pl.col("score").is_not_null())
            .join(marks, on=["day", "sender_id"], how="left")
            .with_columns(pl.col("flagged").fill_null(value=False))
            .sort("day", "sender_id")
        )
        title = f"Scores of sender-days, {audit.period}"
        svg = scores_svg(title, data, list(audit.period.days))
        return Picture(title, data, svg, partial(scores_chart, title, data))

    def who(self, sender: str) -> str:
        """The sender's id; a finding stands for the sender it is about."""
        if not sender.startswith("F-"):
            return sender
        finding = finding_of(self.audit, sender)
        if finding["subject_kind"] != "sender" or not finding["subject_id"]:
            raise UsageError(f"{sender} is about no sender", fix="Name a sender's id")
        return str(finding["subject_id"])


EMPTY_TIMELINE = pl.DataFrame(
    schema={"day": pl.Date(), "action_group": pl.String(), "events": pl.Int64()}
)


def day_marks(days: Sequence[date], step: float) -> Iterator[str]:
    """A date under a day now and then."""
    every = -(-len(days) // LABELS) if days else 1
    for at, day in enumerate(days):
        if at % every == 0:
            yield label(LEFT + (at + 0.5) * step, HEIGHT - 8, f"{day:%m-%d}")


def timeline_svg(title: str, data: pl.DataFrame, days: Sequence[date]) -> str:
    held: dict[date, dict[str, int]] = {}
    for day, group, count in data.iter_rows():
        held.setdefault(day, {})[group] = count
    peak = max((sum(one.values()) for one in held.values()), default=0)
    step = (WIDTH - LEFT) / max(len(days), 1)
    parts = [axis(peak), *day_marks(days, step)]
    for at, day in enumerate(days):
        top = float(BASE)
        for group, colour in GROUPS.items():
            if count := held.get(day, {}).get(group, 0):
                high = count / peak * (BASE - TOP)
                top -= high
                told = f"{day}: {count:,} {group}"
                parts.append(square(LEFT + at * step, top, step - 1, high, colour, told))
    met = [group for group in GROUPS if (data["action_group"] == group).any()]
    for at, group in enumerate(met):
        parts.append(square(LEFT + at * 80, 22, 8, 8, GROUPS[group], group))
        parts.append(label(LEFT + at * 80 + 11, 30, group, "start"))
    return svg_of(title, f"{data['events'].sum():,} events", parts)


def bands_svg(title: str, data: pl.DataFrame) -> str:
    rows = data.to_dicts()
    peak = max((max(row["value"], row["high"] or 0) for row in rows), default=0) or 1
    step = (WIDTH - LEFT) / max(len(rows), 1)
    parts = [axis(peak), *day_marks([row["day"] for row in rows], step)]
    scale = (BASE - TOP) / peak
    for at, row in enumerate(rows):
        x = LEFT + at * step
        if row["high"] is not None:
            told = f"usual {row['low']:g} to {row['high']:g}, typical {row['typical']:g}"
            high = (row["high"] - row["low"]) * scale
            parts.append(square(x, BASE - row["high"] * scale, step, max(high, 1), SOFT, told))
        colour = MARK if row["period"] and row["value"] > (row["high"] or 0) else BAR
        told = f"{row['day']}: {row['value']:,}"
        parts.append(square(x + step / 2 - 2, BASE - row["value"] * scale - 2, 4, 4, colour, told))
    return svg_of(title, f"{len(rows)} active days", parts)


def hours_svg(title: str, data: pl.DataFrame) -> str:
    peak = max(int(data["usual"].to_numpy().max(initial=0)), 1)
    parts = []
    for at, name in enumerate(WEEK):
        parts.append(label(LEFT - 6, TOP + at * HOUR_HIGH + 12, name, "end"))
    for weekday, hour, usual, now in data.iter_rows():
        x, y = LEFT + hour * HOUR_WIDE, TOP + (weekday - 1) * HOUR_HIGH
        told = f"{WEEK[weekday - 1]} {hour:02d}: {usual:,} before, {now:,} now"
        shade = 0.06 + 0.94 * usual / peak
        parts.append(square(x, y, HOUR_WIDE - 1, HOUR_HIGH - 1, BAR, told, opacity=shade))
        if now:
            colour = MARK if not usual else "#222222"
            parts.append(square(x + HOUR_WIDE / 2 - 3, y + 6, 6, 6, colour, told))
    middle = LEFT + 0.5 * HOUR_WIDE
    parts += [label(middle + hour * HOUR_WIDE, TOP - 5, f"{hour:02d}") for hour in range(0, 24, 3)]
    return svg_of(title, "shaded as usual, marked as now", parts)


def scores_svg(title: str, data: pl.DataFrame, days: Sequence[date]) -> str:
    peak = float(data["score"].to_numpy().max(initial=0.0)) or 1.0
    step = (WIDTH - LEFT) / max(len(days), 1)
    place = {day: at for at, day in enumerate(days)}
    parts = [axis(peak), *day_marks(days, step)]
    for day, sender, score, percentile, flagged in data.sort(
        "flagged", "day", "sender_id"
    ).iter_rows():
        rarity = (
            "" if percentile is None else f", above {min(percentile, 99.9):.1f} % of reference days"
        )
        told = f"{day} {sender}: {score:.3f}{rarity}"
        x = LEFT + (place.get(day, 0) + 0.5) * step
        y = BASE - max(score, 0) / peak * (BASE - TOP)
        size = 6 if flagged else 3
        parts.append(square(x - size / 2, y - size / 2, size, size, MARK if flagged else BAR, told))
    shown = int(data["flagged"].sum())
    return svg_of(title, f"{data.height:,} sender-days, {shown} in findings", parts)


def timeline_chart(title: str, data: pl.DataFrame, alt: Any) -> Any:
    colours = alt.Scale(domain=list(GROUPS), range=list(GROUPS.values()))
    return (
        alt.Chart(data, title=title, width=640, height=160)
        .mark_bar()
        .encode(x=alt.X("day:T", title=None), y="events:Q",
                color=alt.Color("action_group:N", scale=colours),
                tooltip=["day:T", "action_group:N", "events:Q"])
    )  # fmt: skip


def bands_chart(title: str, data: pl.DataFrame, alt: Any) -> Any:
    base = alt.Chart(data, title=title, width=640, height=160).encode(x=alt.X("day:T", title=None))
    band = base.mark_area(color=SOFT).encode(y="low:Q", y2="high:Q")
    typical = base.mark_line(color=SOFT, strokeDash=[4, 2]).encode(y="typical:Q")
    points = base.mark_point(color=BAR, filled=True).encode(
        y="value:Q", tooltip=["day:T", "value:Q", "low:Q", "typical:Q", "high:Q"]
    )
    return alt.layer(band, typical, points)


def hours_chart(title: str, data: pl.DataFrame, alt: Any) -> Any:
    base = alt.Chart(data, title=title, width=640, height=130).encode(
        x="hour:O",
        y=alt.Y("weekday:O", title=None),
        tooltip=["weekday:O", "hour:O", "usual:Q", "now:Q"],
    )
    usual = base.mark_rect().encode(
        color=alt.Color("usual:Q", scale=alt.Scale(range=["#f4f7fa", BAR]))
    )
    now = base.transform_filter("datum.now > 0").mark_point(color=MARK, filled=True)
    return alt.layer(usual, now)


def scores_chart(title: str, data: pl.DataFrame, alt: Any) -> Any:
    colours = alt.Scale(domain=[False, True], range=[BAR, MARK])
    return (
        alt.Chart(data, title=title, width=640, height=160)
        .mark_point(filled=True)
        .encode(x=alt.X("day:T", title=None), y="score:Q",
                color=alt.Color("flagged:N", scale=colours),
                tooltip=["day:T", "sender_id:N", "score:Q", "percentile:Q"])
    )  # fmt: skip
