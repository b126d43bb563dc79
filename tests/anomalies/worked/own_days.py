"""Counts against the own days before."""

from __future__ import annotations

from math import log

from tests.anomalies.worked.log import Case, Row, count_spreads, poisson

GROUPS = ("read", "write", "export", "share", "permission", "delete", "admin")

ONE_ACTION_EACH = Case(
    "seven people of one action each: once a day, three times on the sixth day, then once",
    "\n".join(
        f"""
        0-4,6 to_{group} 9:00 {group} {group}
        5     to_{group} 9:00 {group} {group} x3
        7     to_{group} 9:00 auth    {group}
        """.strip()
        for group in GROUPS
    ),
    senders=(
        *(
            Row(
                f"to_{group}",
                f"{group}_z",
                {
                    4: 0,
                    5: (log(4) - log(2)) / 0.25,
                    6: (log(2) - log(4)) / 0.25,
                    7: (log(1) - log(4)) / 0.25,
                },
                "four earlier days are too few; then 3 against five days of 1; then 1, and then "
                "none, against a high day of 3; the spread is 0, so 0.25",
            )
            for group in GROUPS
        ),
        *(
            Row(f"to_{group}", f"{other}_z", {5: 0, 6: 0, 7: 0}, "never done")
            for group in GROUPS
            for other in GROUPS
            if other != group
        ),
        Row(
            "to_share",
            "events_z",
            {4: 0, 5: count_spreads(3, 1), 6: count_spreads(1, 3), 7: count_spreads(1, 3)},
            "events 1 1 1 1 1 3 1 1",
        ),
        Row("to_share", "days_before", {0: 0, 1: 1, 5: 5, 7: 7}, "earlier active days"),
        Row("to_share", "risky", {4: 1, 5: 3, 6: 1, 7: 0}, "a share can do harm, a login cannot"),
        Row("to_read", "risky", {5: 0}, "reading does no harm"),
        Row("to_write", "risky", {5: 0}, "changing does no harm"),
        Row("to_admin", "risky", {5: 3}, "administration can do harm"),
        Row("to_delete", "risky", {5: 3}, "deletion can do harm"),
        Row("to_permission", "risky", {5: 3}, "a grant can do harm"),
        Row("to_export", "risky", {5: 3}, "an export can do harm"),
    ),
    resources=(
        *(
            Row(
                thing,
                f"{count}_z",
                {4: 0, 5: count_spreads(3, 1), 6: 0 if count == "read" else count_spreads(1, 3),
                 7: 0},
                "as for the sender; one read is never more than usual, one that can do harm is",
            )
            for thing, count in (
                ("read", "read"), ("export", "export"), ("share", "share"), ("delete", "delete"),
                ("permission", "permission"), ("export", "risky"), ("admin", "risky"),
            )
        ),
        *(
            Row("write", f"{count}_z", {5: 0, 6: 0}, "never done to it")
            for count in ("read", "export", "share", "delete", "permission", "risky")
        ),
        Row("share", "events_z", {4: 0, 5: count_spreads(3, 1), 6: 0, 7: 0}, "1 is never too many"),
        Row("share", "days_before", {0: 0, 1: 1, 7: 7}, "earlier days of it"),
        Row("share", "events_leap", {5: poisson(3, 1)}, "five days are enough for a highest one"),
        Row("share", "idle_days", {0: 0, 1: 1, 7: 1}, "days since it was touched"),
    ),
)  # fmt: skip

LONG_HABIT = Case(
    "exports of one person: 9 on each of three days, then 1 and 2 by turns, then bursts",
    """
    0-2                                  ann 9:00 export plan x9
    3,5,7,9,11,13,15,17,19,21,23,25,27   ann 9:00 export plan
    4,6,8,10,12,14,16,18,20,22,24,26     ann 9:00 export plan x2
    28                                   ann 9:00 export plan
    29                                   ann 9:00 export plan x7
    30-31                                ann 9:00 export plan x12
    0-8                                  bob 9:00 export list
    9                                    bob 9:00 export list x5
    10                                   bob 9:00 export list x9
    """,
    senders=(
        Row(
            "ann",
            "export_z",
            {
                28: (log(2) - log(10)) / (1.4826 * log(3 / 2) + 0.25),
                29: (log(8) - log(3)) / (1.4826 * log(3 / 2) / 2 + 0.25),
                30: (log(13) - log(3)) / (1.4826 * log(3 / 2) / 2 + 0.25),
            },
            "the third highest of 28 days is the high day: 9 (of 9 9 9), then 2 (of 9 9 2), then "
            "2 (of 9 7 2); median 2, then between 1 and 2, so half of log 3 - log 2 away",
        ),
        Row("ann", "export_leap", {27: 0, 29: 0, 30: poisson(12, 9), 31: 0},
            "7 are below the highest day (9), 12 above it, and then 12 is the highest"),
        Row("bob", "export_leap", {9: 0, 10: poisson(9, 5)},
            "nine days are too few for a highest one; of ten 5 is the highest"),
    ),
)  # fmt: skip

REMOVED = Case(
    "an account that goes on after its removal",
    """
    0-9 ann  9:00 read plan
    10  boss 9:00 admin:member_removed ann
    10  ann  9:00 read plan
    10  ann  9:01 read plan x3
    11  ann  9:00 read plan
    40  ann  9:00 read plan
    40  ann  9:00:00.000001 read plan x2
    41  ann  9:00 read plan
    9   bob  9:00 admin:member_removed bob
    10  bob  9:00 read plan
    """,
    senders=(
        Row("ann", "removed", {9: 0, 10: 3, 11: 1, 40: 1, 41: 0},
            "3 after the minute of the removal, none in it; 1 thirty days later to the minute"),
        Row("bob", "removed", {10: 0}, "who leaves is not removed"),
        Row("ann", "removed_z",
            {9: 0, 10: count_spreads(3, 0), 11: count_spreads(1, 0), 40: 0,
             41: count_spreads(0, 1)},
            "3 against ten days of 0; the second highest of 11 days is 0, of 12 and 13 it is 1"),
        Row("ann", "removed_leap", {10: poisson(3, 0), 11: 0}, "3 against a highest of 0, then 3"),
        Row("ann", "gap_days", {11: 1, 40: 29, 41: 1}, "from day 11 to day 40"),
    ),
)  # fmt: skip

OWN_RIGHTS = Case(
    "a grant and an administrative action for oneself, a grant to another, a login",
    """
    0-9 ann  9:00 read plan
    10  ann  9:00 permission ann x2
    10  ann  9:01 admin ann
    10  ann  9:01 permission bob
    10  ann  9:02 auth ann
    11  ann  9:00 permission ann
    12  ann  9:00 permission bob
    """,
    senders=(
        Row("ann", "own_rights", {9: 0, 10: 3, 11: 1, 12: 0}, "2 grants + 1 administration"),
        Row("ann", "own_rights_z", {9: 0, 10: count_spreads(3, 0), 11: count_spreads(1, 0),
            12: count_spreads(0, 1)}, "3 and 1 where the high day is 0; 0 where it is 1"),
        Row("ann", "own_rights_leap", {9: 0, 10: poisson(3, 0), 11: 0, 12: 0},
            "3 above a highest of 0"),
    ),
)  # fmt: skip

BURSTS = Case(
    "how many events end within five minutes, and what half an hour without any parts",
    """
    0-4 ann  9:00 export plan
    5   ann  9:00 export plan
    5   ann  9:05 export plan
    5   ann  9:01 read   plan x2
    5   ann  9:35 read   plan
    6   ann  9:00 export plan
    6   ann  9:05:00.000001 export plan
    6   ann  9:35:00.000002 read plan
    6   ann 23:58 export plan x3
    7   ann  0:01 export plan
    7   ann  0:03:00.000001 export plan
    4-7 bob  9:00 export plan
    """,
    senders=(
        Row("ann", "risky_burst", {4: 1, 5: 2, 6: 3, 7: 4},
            "9:00 and 9:05 meet, a microsecond later they do not; 23:58 meets 0:01 of day 7"),
        Row("ann", "risky_burst_z",
            {4: 0, 5: count_spreads(2, 1), 6: count_spreads(3, 2), 7: count_spreads(4, 3)},
            "each against the highest day before"),
        Row("bob", "risky_burst", {7: 1}, "the minutes of others do not count"),
        Row("ann", "burst", {4: 1, 5: 4, 6: 3, 7: 4}, "the same of all events"),
        Row("ann", "sessions", {4: 1, 5: 1, 6: 3, 7: 0},
            "9:05 to 9:35 is one sitting, a microsecond more makes two; the night goes on"),
    ),
)  # fmt: skip

RETURN = Case(
    "exports of new things on the days after six and after seven days away",
    """
    0-4 ann  9:00 read   plan
    5   ann  9:00 export plan
    5   ann  9:01 export five
    11  ann  9:00 export eleven*2
    18  ann  9:00 export eighteen*2
    18  ann  9:01 share  other
    18  ann  9:02 export plan
    19  ann  9:00 read   plan
    """,
    senders=(
        Row("ann", "gap_days",
            {0: 0, 1: 1, 4: 1, 5: 1, 11: 6, 18: 7, 19: 1}, "days since the last"),
        Row("ann", "new_taken", {4: 0, 5: 1, 11: 2, 18: 3, 19: 0},
            "exports and shares of what the sender never had; the plan is known"),
        Row("ann", "return_new_taken", {4: 0, 5: 0, 11: 0, 18: 3, 19: 0},
            "only after seven days away"),
        Row("ann", "new_taken_z",
            {4: 0, 5: count_spreads(1, 0), 11: count_spreads(2, 1), 18: count_spreads(3, 2)},
            "against the highest of so few days"),
        Row("ann", "new_risky", {4: 0, 5: 1, 11: 2, 18: 3, 19: 0}, "the same of risky actions"),
        Row("ann", "new_risky_z",
            {4: 0, 5: count_spreads(1, 0), 11: count_spreads(2, 1), 18: count_spreads(3, 2)},
            "against the highest of so few days"),
        Row("ann", "new_resources", {0: 1, 4: 0, 5: 1, 11: 2, 18: 3, 19: 0}, "things never had"),
    ),
)  # fmt: skip

BESIDE_THE_OTHERS = Case(
    "the day of each of four people beside the middle of all",
    """
    0-4 ann,bob,cid,dot 9:00 read plan x3
    5   ann 9:00 read plan x31
    5   bob 9:00 read plan x15
    5   cid 9:00 read plan x7
    5   dot 9:00 read plan x3
    6   ann,bob,cid 9:00 read plan
    """,
    senders=(
        Row("ann", "day_z",
            {4: 0, 5: 1.5 * log(2) / 0.25, 6: (log(2 / 32) - log(2 / 16)) / 0.25},
            "32, 16, 8 and 4 times log: the middle is between 16 and 8; then bob is in the middle"),
        Row("dot", "day_z", {4: 0, 5: -1.5 * log(2) / 0.25}, "as far below"),
        Row("cid", "day_z", {6: (log(2 / 8) - log(2 / 16)) / 0.25}, "above bob"),
    ),
)  # fmt: skip

ONE_AFTER_ANOTHER = Case(
    "the last event of one person and the first of the next are not one sitting",
    """
    0 ann 9:40 read plan
    0 bob 9:00 read plan
    """,
    senders=(Row("bob", "sessions", {0: 1}, "his first"), Row("ann", "sessions", {0: 1}, "hers")),
)

COUNTS = Case(
    "a day of seven events, and the next of one",
    """
    0 ann  9:00 auth
    0 ann  9:00 read   plan*3/home as table
    0 ann 10:00 write  plan1/home  as table x2
    0 ann 11:00 system plan1/far   as view
    1 ann  9:00 read   plan1/home  as table
    """,
    senders=(
        Row("ann", "events", {0: 7, 1: 1}, "1 + 3 + 2 + 1"),
        Row("ann", "resources", {0: 3, 1: 1}, "three plans; a login is of no thing"),
        Row("ann", "containers", {0: 3, 1: 1}, "home, far, and that of no folder"),
        Row("ann", "kinds", {0: 4, 1: 1}, "login, read, change, system"),
        Row("ann", "active_hours", {0: 3, 1: 1}, "nine, ten, eleven"),
        Row("ann", "sessions", {0: 3, 1: 1}, "an hour apart"),
        Row("ann", "auth", {0: 1, 1: 0}, "one login"),
        Row("ann", "read", {0: 3, 1: 1}, "three"),
        Row("ann", "write", {0: 2, 1: 0}, "two"),
        Row("ann", "system", {0: 1, 1: 0}, "one"),
        Row("ann", "new_types", {0: 3, 1: 0}, "table, view, unknown"),
        Row("ann", "new_kinds", {0: 4, 1: 0}, "all of the first day"),
        Row("ann", "new_containers", {0: 3, 1: 0}, "all of the first day"),
        Row("ann", "new_resources", {0: 3, 1: 0}, "all of the first day"),
        Row("ann", "new_resource_share", {0: 1000, 1: 0}, "all of the first day"),
        Row("ann", "foreign_share", {0: 1000, 1: 0}, "all of the first day"),
    ),
)  # fmt: skip
