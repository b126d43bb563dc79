"""Resources: against their own days, their type's, and who came to them."""

from __future__ import annotations

from math import log

from tests.anomalies.worked.log import Case, Row, count_spreads, mille, poisson, spreads
from tests.anomalies.worked.teams import ANN, BOB

FRUIT = Case(
    "twenty fruit-days of two teams and one other; then ann reads a lot and bob comes to the apple",
    f"""
    0-6 {ANN} 9:00 read   apple/A as fruit
    3   a1    9:00 export apple/A as fruit x4
    0   a1    9:00 read   avocado/A as fruit
    0-6 {BOB} 9:00 read   banana/B as fruit
    2-3 bob   9:00 share  banana/B as fruit x4
    4   b1    9:00 delete banana/B as fruit x4
    5-6 b1    9:00 permission banana/B as fruit x4
    0-4 solo  9:00 read   cherry/C as fruit
    7   ann   9:00 read   apple/A as fruit x20
    7   bob   9:00 export apple/A as fruit x2
    8   b1    9:00 delete banana/B as fruit x3
    8   b1    9:00 share  banana/B as fruit x9
    8   b1    9:00 permission banana/B as fruit x9
    8   ann   9:00 export avocado/A as fruit
    9   ann   9:00 read   apple/A as fruit
    9   ann   9:00 read   pear/A as fruit x32
    8   solo  9:00 read   fig/A as fruit
    9   ann   9:00 read   fig/A as fruit
    10  bob,b1,b2 9:00 read apple/A as fruit
    11  ann   9:00 read   apple/A as fruit
    """,
    resources=(
        Row("apple", "events_z",
            {6: count_spreads(6, 10), 7: count_spreads(22, 10), 9: 0, 10: count_spreads(3, 22),
             11: 0},
            "of seven days the highest (6 and 4 exports); one event is never too many"),
        Row("apple", "senders_z",
            {6: 0, 7: count_spreads(2, 6), 9: 0, 10: count_spreads(3, 6)}, "6 a day before"),
        Row("apple", "top_events_z", {6: 0, 7: count_spreads(20, 5), 9: 0, 10: 0},
            "20 by ann; a1 had 5 on day 3"),
        Row("apple", "new_senders", {0: 6, 1: 0, 7: 1, 9: 0, 10: 2, 11: 0},
            "bob, then b1 and b2; on the first day the folder is new to all six"),
        Row("apple", "new_senders_z", {6: 0, 7: 0, 9: 0, 10: count_spreads(2, 6), 11: 0},
            "one newcomer is never too many; nine days of 6 0 0 0 0 0 0 1 0"),
        Row("apple", "strangers", {0: 6, 1: 0, 7: 1, 9: 0, 10: 2, 11: 0},
            "newcomers whose colleagues never touched it"),
        Row("apple", "strangers_z",
            {6: 0, 7: count_spreads(1, 6), 9: 0, 10: count_spreads(2, 6), 11: 0},
            "one stranger may be one too many"),
        Row("avocado", "strangers", {0: 1, 8: 0}, "a1, a colleague, had it before ann"),
        Row("avocado", "new_senders", {0: 1, 8: 1}, "ann"),
        Row("apple", "newcomer_risk", {3: 0, 6: 0, 7: 2, 9: 0}, "bob's exports, not a1's"),
        Row("avocado", "newcomer_risk", {0: 0, 8: 1}, "ann's export"),
        Row("apple", "audience_sum",
            {6: 0, 7: mille((0 + 47 / 119) / 11), 9: 0},
            "no colleague of bob's, and everyone's share: 46 of 114 times, 4 things"),
        Row("apple", "audience_mean",
            {6: 0, 7: (mille((0 + 47 / 119) / 11) + mille((5 + 47 / 119) / 11)) // 2,
             9: mille((5 + 69 / 165) / 11)},
            "bob and ann; five of ann's colleagues had it"),
        Row("apple", "audience_self",
            {6: 0, 7: spreads(2.019, 0), 9: 0, 10: spreads(3.448, 2.019)},
            "days of 0 before; without newcomers none; then three without colleagues: 70/200/11"),
        Row("apple", "usual_events", {6: -1, 7: 10}, "19 of 20 days: six have 10"),
        Row("apple", "type_events", {6: 0, 7: log(23 / 11), 9: log(2 / 11), 10: log(4 / 11)},
            "22, 1 and 3 against 10"),
        Row("apple", "type_senders", {6: 0, 7: log(3 / 7), 9: log(2 / 7)}, "2 and 1 against 6"),
        Row("apple", "type_top_events", {6: 0, 7: log(21 / 6), 9: log(2 / 6)},
            "20 and 1 against 5"),
        Row("apple", "type_export", {3: 0, 7: log(3 / 1), 9: 0},
            "2 against 0: one of twenty days has 4"),
        Row("banana", "type_share", {6: 0, 8: log(10 / 5)}, "9 against 4: two days have them"),
        Row("apple", "type_share", {6: 0, 7: log(1 / 5)}, "0 against 4"),
        Row("banana", "type_permission", {6: 0, 8: log(10 / 5)}, "9 against 4: two days"),
        Row("apple", "type_permission", {6: 0, 7: log(1 / 5)}, "0 against 4"),
        Row("banana", "type_delete", {6: 0, 8: log(4 / 1)}, "3 against 0: one day has 4"),
        Row("apple", "type_delete", {6: 0, 7: 0}, "0 against 0"),
        Row("apple", "type_risky", {6: 0, 7: log(3 / 5), 9: log(1 / 5)}, "2 and 0 against 4"),
        Row("banana", "type_risky", {8: log(22 / 5)}, "21 against 4"),
        Row("apple", "type_new_senders", {6: 0, 7: log(2 / 7), 9: log(1 / 7), 10: log(3 / 7)},
            "1, 0 and 2 against 6 of two first days"),
        Row("apple", "type_strangers", {6: 0, 7: log(2 / 7), 9: log(1 / 7), 10: log(3 / 7)},
            "1, 0 and 2 against 6"),
        Row("fig", "strangers", {8: 1, 9: 1}, "A is foreign to solo; no colleague of ann's had it"),
        Row("pear", "new_senders", {9: 0}, "everyone is new to it, and the folder is her own"),
        Row("pear", "strangers", {9: 0}, "the folder is her own"),
        Row("pear", "events_z", {9: log(33 / 11) / 0.5},
            "a new thing is compared with its type, with a spread of a half"),
        Row("pear", "events_leap", {9: poisson(32, 10)}, "against its type alone"),
        Row("apple", "events_leap",
            {6: poisson(6, 10), 7: poisson(22, 10), 9: 0, 10: poisson(3, 22)},
            "above the higher of its type's high day and its own highest: 10 and 10, then 22"),
    ),
)  # fmt: skip
