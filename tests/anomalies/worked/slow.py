"""What adds up over five days and over two weeks."""

from __future__ import annotations

from math import log

from tests.anomalies.worked.log import Case, Row, poisson

COUNTS = {
    **dict.fromkeys(range(10), 1),
    11: 4,
    17: 1,
    18: 1,
    24: 2,
    25: 1,
}
"""Day and how many: ten single days, then gaps."""

FORTNIGHTS = Case(
    "one thing a day for ten days, then 4, 1, 1, 2, 1 with gaps: each of seven people in a way",
    "\n".join(
        f"""
        {day} exporter 9:00 export e/E x{count}
        {day} sharer   9:00 share  s/S x{count}
        {day} marked   9:00 export m/M x{count} pii
        {day} curious  9:00 read   c{day}_*{count}/C
        {day} nosy     9:00 read   n{day}_*{count}/N pii
        {day} afar     9:00 read   f{day}_*{count}/F{day}
        {day} taker    9:00 export t{day}_*{count}/T
        """.strip()
        for day, count in COUNTS.items()
    ),
    senders=tuple(
        Row(
            who,
            f"{count}_14_ratio",
            {
                9: 0,
                17: 0,
                18: log((11 + 1) / (8 * 1 + 1)),
                24: log((8 + 1) / (4 * 1 + 1)),
                25: log((5 + 1) / (4 * 1.3 + 1)),
            },
            "day 17 has four active days before days 4-17, too few; days 5-18 have 5 + 4 + 1 + 1, "
            "8 active, 1 a day before; days 11-24 have 8, 4 active; days 12-25 have 5, 4 active, "
            "and the ten before 13",
        )
        for who, count in (
            ("exporter", "export"),
            ("exporter", "risky"),
            ("sharer", "share"),
            ("sharer", "risky"),
            ("marked", "sensitive_export"),
            ("curious", "foreign_resources"),
            ("curious", "new_resources"),
            ("nosy", "sensitive_foreign"),
            ("nosy", "sensitive_new"),
            ("afar", "alien_resources"),
            ("taker", "new_taken"),
        )
    )
    + tuple(
        Row(who, f"{count}_14", {0: 1, 9: 10, 11: 14, 17: 11, 18: 11, 24: 8, 25: 5},
            "of days 0-9; of days 0-11; 4-17, 5-18, 11-24 and 12-25")
        for who, count in (
            ("exporter", "export"), ("sharer", "share"), ("exporter", "risky"),
            ("marked", "sensitive_export"), ("nosy", "sensitive_foreign"),
            ("nosy", "sensitive_new"), ("afar", "alien_resources"), ("taker", "new_taken"),
            ("curious", "foreign_resources"),
        )
    )
    + (
        Row("marked", "sensitive_export_days_14", {0: 1, 9: 10, 11: 11, 17: 8, 18: 8, 24: 4, 25: 4},
            "active days of the fortnight"),
        Row("exporter", "share_14_ratio", {18: 0, 24: 0}, "shares nothing"),
        Row("exporter", "sensitive_export_14_ratio", {18: 0}, "nothing is marked"),
    ),
)  # fmt: skip

FIVE_DAYS = Case(
    "for fifteen days one a day, then 3, 3 and 9: each of six people in a way",
    "\n".join(
        f"""
        {day} exporter 9:00 export e/E x{count}
        {day} sharer   9:00 share  s/S x{count}
        {day} marked   9:00 read   m/M x{count} pii
        {day} taker    9:00 export t{day}_*{count}/T
        {day} passer   9:00 export p*{count + 1}/P
        {day} passer   9:00 share  p*{count + 1}/P
        """.strip()
        for day, count in {**dict.fromkeys(range(15), 1), 15: 3, 16: 3, 20: 9}.items()
    )
    + """
        0-14 once 9:00 read   plan
        15   once 9:00 export plan
        0-14 lots 9:00 read   plan
        15   lots 9:00 export plan x9
        15   giver 9:00 share given*3
        16   lots 9:00 read   plan
    """,
    senders=tuple(
        Row(
            who,
            f"{count}_5_surge",
            {13: 0, 14: 0, 15: poisson(7, 5), 16: poisson(9, 5), 20: poisson(12, 7)},
            "days 10-14 have 5 and only from day 14 on ten days are before; 11-15 have 7, 12-16 "
            "have 9, 16-20 have 12; the highest before is 5, and 7 (days 11-15) before day 16",
        )
        for who, count in (
            ("exporter", "export"), ("exporter", "risky"), ("sharer", "share"),
            ("taker", "new_taken"), ("passer", "passed_on"),
        )
    )
    + tuple(
        Row(who, f"{count}_5",
            {4: 0, 14: 0, 15: 2.773 / 5, 16: 2 * 2.773 / 5, 20: (2.773 + 2.773 + 3.665) / 5},
            "days 15 and 16 are log(4/2) / .25 = 2.773 spreads high; 16 of 16 days: the second "
            "highest is 1; day 20 lies log(10/4) / .25 = 3.665 above the second highest, 3")
        for who, count in (("exporter", "export"), ("sharer", "share"), ("marked", "sensitive"))
    )
    + (
        Row("exporter", "passed_on", {14: 0, 15: 0}, "nothing, not less than nothing"),
        Row("taker", "passed_on", {15: 0, 20: 0}, "exported only"),
        Row("giver", "passed_on", {15: 0}, "shared only"),
        Row("passer", "passed_on", {14: 1, 15: 3, 20: 9}, "things exported and shared, less 1"),
        Row("once", "export_5_surge", {14: 0, 15: poisson(1, 0)}, "one where there was none"),
        Row("lots", "export_5", {14: 0, 15: 5 / 5, 16: 5 / 5},
            "log(10) / .25 is 9.2 spreads; more than 5 count as 5"),
        Row("once", "export_5_sum", {14: 0, 15: 1}, "one in five days"),
        Row("exporter", "share_5", {15: 0, 20: 0}, "shares nothing"),
        Row("exporter", "share_5_surge", {15: 0, 20: 0}, "shares nothing"),
        Row("exporter", "export_5_leap", {14: 0, 15: poisson(7, 5)}, "as the surge"),
        Row("exporter", "passed_on_5_surge", {15: 0, 20: 0}, "passes nothing on"),
    ),
)  # fmt: skip
