"""Kinds of event, their order, folders and hours against the own habit."""

from __future__ import annotations

from math import log

from tests.anomalies.worked.log import Case, Row, count_spreads, mille, spreads


def habit(own: float, of: int, everyone: float, *, weight: int = 2) -> float:
    """Share of the own earlier events, with everyone's share counting like ``weight`` events."""
    return (own + weight * everyone) / (of + weight)


TWO_KINDS = Case(
    "ann opens and bob closes, one event a day; on day 5 ann opens once and closes once",
    """
    0-4 ann  9:00 read:open  plan/home
    5   ann  9:00 read:open  plan/home
    5   ann  9:00 read:close plan/home
    6   ann  9:00 read:open  plan/home
    7   ann  9:00 export     plan/home
    0-5 bob  9:00 read:close list/far
    """,
    senders=(
        Row("ann", "kind_mean",
            {0: mille(1), 1: mille(habit(1, 1, 2 / 5)), 2: mille(habit(2, 2, 3 / 7)),
             3: mille(habit(3, 3, 4 / 9)), 4: mille(habit(4, 4, 5 / 11)),
             5: (mille(habit(5, 5, 6 / 13)) + mille(habit(0, 5, 6 / 13))) // 2,
             6: mille(habit(6, 7, 7 / 16))},
            "everyone's share on day 1: (1 + 1) of (2 events + 2 kinds + 1); so 511, 336, 251, 201,"
            " then (167 + 2026) // 2 = 1096; day 6: (6 + 1) of (13 + 2 + 1)"),
        Row("ann", "kind_mean_self", {4: 0, 5: spreads(1.096, 0.511, 0.085),
            6: spreads(0.269, 1.096, 0.155)},
            "before day 5: 0 .511 .336 .251 .201, median .251, which lie .251 .26 .085 0 .05 away; "
            "before day 6 also 1.096, median .2935, .155 away in the middle"),
        Row("ann", "kind_max", {4: 201, 5: 2026, 6: 269, 7: mille(habit(0, 8, 1 / 17))},
            "the larger of the two"),
        Row("ann", "kind_max_self", {4: 0, 5: spreads(2.026, 0.511, 0.085)},
            "before day 5 the same as the means"),
        Row("ann", "kind_llr_mean",
            {0: 0, 1: 511 - 916, 2: 336 - 847, 3: 251 - 811, 4: 201 - 788,
             5: ((167 - 773) + (2026 - 773)) // 2},
            "less -log of everyone's share: 2/5, 3/7, 4/9, 5/11, 6/13"),
        Row("ann", "kind_llr_mean_self", {4: 0, 5: spreads(0.323, 0, 0.076)},
            "before: 0 -.405 -.511 -.56 -.587, median -.511, .511 .106 0 .049 .076 away"),
        Row("ann", "divergence",
            {0: 693, 1: 288, 2: 182, 3: 134, 4: 105,
             5: (round(1000 * log(6)) - round(1000 * log(11 / 6))) // 2},
            "-log of (t + .5) / (t + 1); on day 5 the halves against .5/6 and 5.5/6"),
        Row("ann", "divergence_self", {4: 0, 5: spreads(0.593, 0.693, 0.077)},
            "before: .693 .288 .182 .134 .105, median .182, .511 .106 0 .048 .077 away"),
        Row("ann", "g_statistic", {4: 105, 5: 1792 - 606, 6: 208},
            "not divided by the number of events; day 6: -log of 6.5/8"),
        Row("ann", "kind_entropy", {4: 0, 5: 693}, "two halves: log 2"),
        Row("ann", "new_kinds", {0: 1, 4: 0, 5: 1, 6: 0, 7: 1}, "open, close, export"),
        Row("ann", "new_risky_kinds", {0: 0, 5: 0, 6: 0, 7: 1}, "only an export can do harm"),
        Row("ann", "rare_kinds", {0: 0, 4: 0, 5: 1, 6: 0, 7: 1}, "never done by her before"),
        Row("ann", "rare_kinds_z",
            {4: 0, 5: count_spreads(1, 0), 6: count_spreads(0, 1), 7: 0},
            "one against days of none; then none against a highest of one; then one"),
        Row("bob", "rare_kinds_z", {5: 0}, "always the same"),
    ),
)  # fmt: skip

RARE_KINDS = Case(
    "a kind done once among 50 and among 51 events is not rare, and is rare",
    """
    0 ann 9:00 read  plan x49
    0 ann 9:00 write plan
    1 ann 9:00 write plan x3
    0 bob 9:00 read  plan x50
    0 bob 9:00 write plan
    1 bob 9:00 write plan x3
    """,
    senders=(
        Row("ann", "rare_kinds", {0: 0, 1: 0}, "1 of 50"),
        Row("bob", "rare_kinds", {0: 0, 1: 3}, "1 of 51, three events of it"),
    ),
)  # fmt: skip

STEPS = Case(
    "open, then close, every day; on day 5 the other way round",
    """
    0-4,6 ann 9:00 read:open  plan
    0-4,6 ann 9:10 read:close plan
    5     ann 9:00 read:close plan
    5     ann 9:10 read:open  plan
    """,
    senders=(
        Row("ann", "strange_steps", {0: 2, 1: 0, 4: 0, 5: 2, 6: 0},
            "nothing to close, close to open"),
        Row("ann", "step_mean",
            {0: 0,
             1: mille(habit(1, 1, habit(1, 1, 2 / 5, weight=5), weight=5)),
             2: mille(habit(2, 2, habit(2, 2, 3 / 7, weight=5), weight=5)),
             3: mille(habit(3, 3, habit(3, 3, 4 / 9, weight=5), weight=5)),
             4: mille(habit(4, 4, habit(4, 4, 5 / 11, weight=5), weight=5)),
             5: (mille(habit(0, 5, habit(0, 5, 6 / 13, weight=5), weight=5)) + mille(6 / 13)) // 2},
            "539, 345, 245, 185; on day 5 (2159 + 773) // 2, for nothing ever followed a close"),
        Row("ann", "step_mean_self", {4: 0, 5: spreads(1.466, 0.539, 0.1)},
            "before: 0 .539 .345 .245 .185, median .245, .245 .294 .1 0 .06 away"),
    ),
)  # fmt: skip

EVERYONES_STEPS = Case(
    "what others do after a login makes it less surprising",
    """
    0 ann 9:00 auth  plan
    0 ann 9:10 read  plan
    0 bob 9:00 auth  plan
    0 bob 9:10 write plan x2
    1 ann 9:00 auth  plan
    1 ann 9:10 write plan
    """,
    senders=(
        Row("ann", "step_mean",
            {1: (mille(habit(1, 1, habit(2, 2, 3 / 9, weight=5), weight=5))
                 + mille(habit(0, 1, habit(1, 2, 3 / 9, weight=5), weight=5))) // 2},
            "kinds of 5 events: 2 auth, 1 read, 2 write, and 3 kinds; after auth: 1 write of 2"),
        Row("ann", "strange_steps", {0: 2, 1: 1}, "auth to write is new to her"),
        Row("bob", "strange_steps", {0: 3}, "to auth, to write, write to write"),
    ),
)  # fmt: skip

OTHER_STEPS = Case(
    "neither what another did, nor a step from or to another kind, makes a step known",
    """
    0 ann 9:00 write plan
    0 ann 9:10 auth  plan
    1 bob 9:00 auth  plan
    1 bob 9:10 read  plan
    1 bob 9:20 auth  plan
    2 bob 9:00 auth  plan
    2 bob 9:10 write plan
    """,
    senders=(
        Row("ann", "strange_steps", {0: 2}, "to write, to auth"),
        Row("bob", "strange_steps", {1: 3, 2: 1}, "to auth, to read, to auth; auth to write"),
        Row("bob", "step_mean",
            {1: (mille(habit(0, 0, habit(0, 1, 2 / 5, weight=5), weight=5))
                 + mille(habit(0, 0, habit(0, 0, 1 / 5, weight=5), weight=5))
                 + mille(habit(0, 0, habit(0, 0, 2 / 5, weight=5), weight=5))) // 3},
            "before were one write, one auth: 2 kinds; a start was followed by a write"),
    ),
)  # fmt: skip

TWO_FOLDERS = Case(
    "ann works at home and bob far away, one event a day; on day 5 ann is once in each",
    """
    0-4 ann  9:00 read plan/home
    5   ann  9:00 read plan/home
    5   ann  9:00 read plan/far
    6   ann  9:00 read plan/home x2
    7   ann  9:00 read plan/home
    7   ann  9:00 read plan/new x2
    0-5 bob  9:00 read list/far
    """,
    senders=(
        Row("ann", "container_mean",
            {0: 0, 1: 511, 2: 336, 3: 251, 4: 201, 5: (167 + 2026) // 2, 6: 269},
            "as the kinds of event: everyone's share 2/5, 3/7, 4/9, 5/11, 6/13, 7/16"),
        Row("ann", "container_mean_self", {4: 0, 5: spreads(1.096, 0.511, 0.085)},
            "before: 0 .511 .336 .251 .201"),
        Row("ann", "container_max", {4: 201, 5: 2026, 6: 269}, "the larger of the two"),
        Row("ann", "container_max_self", {4: 0, 5: spreads(2.026, 0.511, 0.085)},
            "before: 0 .511 .336 .251 .201"),
        Row("ann", "container_llr_mean", {0: 0, 1: -405, 2: -511, 3: -560, 4: -587, 5: 323},
            "as the kinds: less -log of everyone's share"),
        Row("ann", "container_llr_mean_self", {4: 0, 5: spreads(0.323, 0, 0.076)},
            "before: 0 -.405 -.511 -.56 -.587"),
        Row("ann", "strange_share", {0: 1000, 4: 0, 5: 500, 6: 0, 7: 666}, "1 of 2, 2 of 3"),
        Row("ann", "strange_container_events", {0: 1, 4: 0, 5: 1, 6: 0, 7: 2}, "events in them"),
        Row("ann", "new_containers", {0: 1, 4: 0, 5: 1, 6: 0, 7: 1}, "folders never visited"),
        Row("ann", "containers", {4: 1, 5: 2, 6: 1, 7: 2}, "home and far, home and new"),
        Row("ann", "new_containers_z", {4: 0, 5: 0, 6: count_spreads(0, 1)},
            "the first day had one, too"),
    ),
)  # fmt: skip

HOURS = Case(
    "ann at nine, bob at fifteen o'clock, Monday to Friday; Saturday; ten; three in the night",
    """
    0-4 ann  9:00 read plan
    0-4 bob 15:00 read plan
    5   ann  9:00 read plan
    7   ann 10:00 read plan x2
    7   ann  9:00 read plan
    8   ann 15:00 read plan
    8   ann  9:00 read plan x2
    9   ann  3:00 read plan
    10  ann  9:00 read plan
    """,
    senders=(
        Row("ann", "hour_mean",
            {0: mille(1 / 48), 1: mille(habit(1, 1, 2 / 50)), 2: mille(habit(2, 2, 3 / 52)),
             3: mille(habit(3, 3, 4 / 54)), 4: mille(habit(4, 4, 5 / 56)), 5: mille(1 / 48),
             7: (2 * mille(habit(2.5, 5, 3.5 / 58)) + mille(habit(5, 5, 6 / 58))) // 3,
             8: (mille(habit(0, 6, 6 / 59)) + 2 * mille(habit(6, 6, 7 / 59))) // 3,
             9: mille(habit(0, 7, 1 / 60))},
            "everyone's share of day 1: (1 + 1) of (2 days + 48 hours); 3871 1022 637 463 362; "
            "Saturday is another week; ten is half of nine; 15 was bob's hour on 5 of 11 days"),
        Row("ann", "hour_mean_self",
            {4: 0, 5: spreads(3.871, 3.871, 0.275), 9: spreads(5.598, 3.871, 0.4635)},
            "before day 5: 3.871 1.022 .637 .463 .362, median .637, 3.234 .385 0 .174 .275 away; "
            "before day 9 also 3.871 .753 1.39, median .8875"),
        Row("ann", "hour_max",
            {4: 362, 7: mille(habit(2.5, 5, 3.5 / 58)), 8: mille(habit(0, 6, 6 / 59)),
             9: mille(habit(0, 7, 1 / 60)), 10: mille(habit(7, 8, 8 / 61))},
            "the largest of the day"),
        Row("ann", "hour_max_self",
            {4: 0, 5: spreads(3.871, 3.871, 0.275), 7: spreads(0.982, 3.871, 0.417),
             9: spreads(5.598, 3.871, 0.5895)},
            "before day 7: 3.871 1.022 .637 .463 .362 3.871, median .8295; before day 9 also "
            ".982 3.672, median 1.002"),
        Row("ann", "odd_hour_events", {0: 0, 4: 0, 5: 0, 7: 0, 8: 1, 9: 1, 10: 0},
            "fifteen, three; there is no habit of a first day"),
        Row("ann", "odd_hour_share", {7: 0, 8: 333, 9: 1000, 10: 0}, "1 of 3 events, 1 of 1"),
        Row("bob", "odd_hour_share", {4: 0}, "always the same"),
    ),
)  # fmt: skip

MIDNIGHT = Case(
    "midnight is the neighbour of 23 o'clock",
    """
    0-3 ann 23:00 read plan
    4   ann  0:00 read plan
    """,
    senders=(
        Row("ann", "hour_mean", {4: mille(habit(2, 4, 3 / 52))}, "half of four days"),
        Row("ann", "odd_hour_events", {4: 0}, "2 of 4 days"),
    ),
)  # fmt: skip

BEFORE_MIDNIGHT = Case(
    "and 23 o'clock that of midnight; Saturday's midnight is a Saturday's",
    """
    0-3 ann  0:00 read plan
    4   ann 23:00 read plan
    5   ann  0:00 read plan
    12  ann  0:00 read plan
    """,
    senders=(
        Row("ann", "hour_mean",
            {4: mille(habit(2, 4, 3 / 52)), 5: mille(1 / 48), 12: mille(habit(1, 1, 2 / 49))},
            "half of four days; no Saturday before; one"),
        Row("ann", "odd_hour_events", {4: 0, 5: 0, 12: 0}, "2 of 4 days, none of 0, 1 of 1"),
    ),
)  # fmt: skip

ODD_HOURS = Case(
    "the hour beside one used once is odd from the ninth day of that kind on",
    """
    0-4,7-9    ann 12:00 read plan
    0          ann  9:00 read plan
    10         ann 10:00 read plan
    0-4,7-10   bob 12:00 read plan
    0          bob  9:00 read plan
    5-6        bob 12:00 read plan
    11         bob 10:00 read plan x2
    """,
    senders=(
        Row("ann", "odd_hour_events", {10: 0}, ".5 is not below 6 % of 8 days, .48"),
        Row("bob", "odd_hour_events", {11: 2}, ".5 is below 6 % of 9 days, .54"),
    ),
)  # fmt: skip
