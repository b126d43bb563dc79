"""Against the closest colleagues: two teams, each with its things and its folder."""

from __future__ import annotations

from math import log, sqrt

from tests.anomalies.worked.log import Case, Row, count_spreads, mille, poisson, spreads

ANN = "ann,a1,a2,a3,a4,a5"
BOB = "bob,b1,b2,b3,b4,b5"

LIKE_PEERS = Case(
    "after a week of two teams, ann is the only one at work and strays further every day",
    f"""
    0-6 {ANN} 9:00 read:open apple/A
    0   a1    9:00 read:open avocado/A
    0-6 {BOB} 9:00 read:look banana/B
    0-6 {BOB} 9:00 read:look berry/B
    7   ann   9:00 read:open apple/A
    8   ann   9:00 read:look apple/A
    9   ann   9:00 read:open banana/A
    9   ann   9:00 read:open apple/A
    10  ann   9:00 read:open avocado/A
    11  ann   9:00 export:open berry/B
    11  ann   9:00 export:open cherry/B x2
    12  ann   9:00 read:open apple/A
    """,
    senders=(
        Row("ann", "peer_kind_mean",
            {6: 0, 7: mille((5 + 44 / 130) / 11), 8: mille((0 + 85 / 131) / 11),
             9: mille((5 + 45 / 132) / 11), 11: mille((5 + 48 / 135) / 11)},
            "of ten peers and one, 5 had it before the week, and everyone's share: opened 43 of "
            "127 times, looked 84 of 128"),
        Row("ann", "peer_kind_mean_self",
            {6: 0, 7: spreads(0.723, 0), 8: spreads(2.830, 0.723), 9: spreads(0.722, 2.830)},
            "seven days without peers, then 723, 2830 and 722: each against the highest before"),
        Row("ann", "peer_resource_mean",
            {6: 0, 7: mille((5 + 43 / 132) / 11), 8: mille((5 + 44 / 133) / 11),
             9: (mille((0 + 43 / 134) / 11) + mille((5 + 45 / 134) / 11)) // 2,
             10: mille((1 + 2 / 136) / 11)},
            "4 things: apple 42 of 127 times, banana 42 of 129; only a1 had the avocado"),
        Row("ann", "peer_resource_mean_self",
            {6: 0, 7: spreads(0.725, 0), 8: spreads(0.724, 0.725), 9: spreads(2.129, 0.725),
             10: spreads(2.383, 0.725)},
            "against the highest of up to nine days, the second highest (725) of ten"),
        Row("ann", "peer_container_mean",
            {6: 0, 7: mille((5 + 44 / 130) / 11), 9: mille((5 + 46 / 132) / 11),
             11: mille((0 + 85 / 135) / 11), 12: mille((5 + 49 / 138) / 11)},
            "2 folders: A 43 of 127 times, B 84"),
        Row("ann", "peer_container_mean_self",
            {6: 0, 7: spreads(0.723, 0), 9: spreads(0.721, 0.723), 11: spreads(2.861, 0.722),
             12: spreads(0.720, 0.723)},
            "against the highest of up to nine days, then the second highest: of 723 722 721 720, "
            "and with 2861"),
        Row("ann", "new_resources", {7: 0, 9: 1, 10: 1, 11: 2, 12: 0}, "never had by ann"),
        Row("ann", "new_resource_share_self",
            {8: spreads(0, 1), 9: spreads(0.5, 1), 11: spreads(1, 1), 12: spreads(0, 1)},
            "all is new on the first day; then 1 of 2, then all"),
        Row("ann", "foreign_resources", {7: 0, 9: 1, 10: 0, 11: 2, 12: 0},
            "never had by ann or a peer: a1 had the avocado"),
        Row("ann", "foreign_resources_z",
            {7: count_spreads(0, 1), 9: 0, 10: count_spreads(0, 1), 11: count_spreads(2, 1),
             12: count_spreads(0, 1)},
            "the first day had one; of 12 days the second highest counts"),
        Row("ann", "foreign_share_self",
            {8: spreads(0, 1), 9: spreads(0.5, 1), 11: spreads(1, 0.5), 12: spreads(0, 1)},
            "1, then 0, .5, 0, 1"),
        Row("ann", "foreign_risky", {7: 0, 9: 0, 11: 3, 12: 0}, "exports of foreign things"),
        Row("ann", "foreign_risky_z",
            {9: 0, 10: 0, 11: count_spreads(3, 0), 12: 0}, "three where there was none"),
        Row("ann", "new_risky", {10: 0, 11: 3, 12: 0}, "exports of new things"),
        Row("ann", "alien_resources", {7: 0, 9: 0, 10: 0, 11: 2, 12: 0}, "only on day 11 in B"),
        Row("ann", "alien_resources_z",
            {7: count_spreads(0, 1), 10: 0, 11: count_spreads(2, 0), 12: count_spreads(0, 1)},
            "one on the first day of all; the second highest of ten and eleven days is 0"),
        Row("ann", "alien_share", {7: 0, 10: 0, 11: 1000, 12: 0}, "2 of 2"),
        Row("ann", "alien_share_self", {10: 0, 11: spreads(1, 0), 12: spreads(0, 1)},
            "the second highest of eleven days is 0, of twelve 1"),
        Row("ann", "alien_risky", {10: 0, 11: 3, 12: 0}, "3 exports of new things in B"),
        Row("ann", "alien_export", {10: 0, 11: 3, 12: 0}, "3 exports of new things in B"),
        Row("ann", "remote_share", {7: 0, 10: 0, 11: round(1000 * log(12 / 5)), 12: 0},
            "7 own days in A and 5 like everyone's: its share is 5 / 12 of everyone's"),
        Row("ann", "remote_share_self", {10: 0, 11: spreads(0.875, 0), 12: 0}, "days of 0 before"),
        Row("ann", "remote_resources", {11: 0}, "875 is not yet e times, 1000"),
    ),
)  # fmt: skip

FAR_AWAY = Case(
    "after two weeks of two teams, ann opens three things of the other folder; away for a week",
    f"""
    0-13  {ANN} 9:00 read apple/A
    0-13  {BOB} 9:00 read banana/B
    14-18 ann   9:00 read apple/A
    19    ann   9:00 read cherry*3/B
    20    ann   9:00 read cherry1/B
    20    ann   9:00 read apple/A
    21    ann   9:00 read apple/A
    28    ann   9:00 read cherry*4/B
    29    ann   9:00 read apple/A
    21    a5    9:00 read plum*2/B
    22    a5    9:00 read pear*2/B
    22    ann   9:00 read plum*2/C
    22    ann   9:00 read fig/D
    """,
    senders=(
        Row("ann", "remote_sum", {18: 0, 19: 3 * 1335 // 100, 20: 13, 21: 0, 22: 3 * 1686 // 100},
            "log of 19 / 5 (14 own days and 5 like everyone's), in tenths; later of 27 / 5"),
        Row("ann", "remote_sum_z",
            {18: 0, 19: count_spreads(40, 0), 20: count_spreads(13, 0), 21: 0},
            "40 where there was none; the third highest of 20 days is none"),
        Row("ann", "remote_new_sum", {18: 0, 19: 40, 20: 0, 21: 0, 22: 50}, "the first time only"),
        Row("ann", "remote_new_sum_z", {18: 0, 19: count_spreads(40, 0), 20: 0},
            "40 where there was none"),
        Row("ann", "remote_share", {18: 0, 19: 1335, 20: 1335 // 2, 21: 0}, "one of two on day 20"),
        Row("ann", "remote_share_self",
            {18: 0, 19: spreads(1.335, 0), 20: spreads(0.667, 0), 21: 0}, "none before"),
        Row("ann", "remote_resources", {18: 0, 19: 3, 20: 1, 21: 0, 22: 3, 28: 0, 29: 0},
            "two days in B make five of bob's team her colleagues; then B is near"),
        Row("ann", "remote_resources_z",
            {18: 0, 19: count_spreads(3, 0), 20: count_spreads(1, 0), 21: 0}, "none before"),
        Row("ann", "remote_new", {18: 0, 19: 3, 20: 0, 21: 0}, "the first time only"),
        Row("ann", "remote_new_z", {18: 0, 19: count_spreads(3, 0), 20: 0, 21: 0}, "none before"),
        Row("ann", "return_remote_new", {18: 0, 19: 0}, "she was not away"),
        Row("a5", "return_remote_new", {13: 0, 21: 2, 22: 0}, "eight days after day 13"),
        Row("a5", "remote_new", {13: 0, 21: 2, 22: 2}, "new things of B on both days"),
        Row("ann", "remote_one", {18: 0, 19: 3, 20: 1, 21: 0, 22: 2}, "the most of one folder"),
        Row("ann", "remote_deep", {18: 0, 19: 1, 20: 0, 21: 0}, "beyond the second"),
        Row("ann", "remote_deep_z", {18: 0, 19: count_spreads(1, 0), 20: 0}, "none before"),
        Row("ann", "remote_deep_leap", {18: 0, 19: poisson(1, 0), 20: 0}, "none before"),
        Row("ann", "remote_resources_14_ratio", {18: 0, 19: log(4), 20: log(5), 21: log(5)},
            "3, then 4 in fourteen days, where the days before promise none: 3 + 1 to 1"),
        Row("ann", "remote_resources_5_surge",
            {18: 0, 19: poisson(3, 0), 20: poisson(4, 0), 21: poisson(4, 0)}, "none before"),
        Row("bob", "remote_resources", {13: 0}, "B is his folder"),
    ),
)  # fmt: skip

HIGH_DAYS = Case(
    "five colleagues export every day; two of their 35 days have 4 shares, one has 4 deletions",
    f"""
    0-6 a1,a2,a3,a4,a5 9:00 export apple/A
    0-1 a1    9:00 share  apple/A x4
    2   a1    9:00 delete apple/A x4
    3-6 a1    9:00 read   apple/A x37
    0-6 ann   9:00 read   apple/A
    0-6 {BOB} 9:00 read   banana/B
    7   ann   9:00 export apple/A x3
    7   ann   9:00 share  apple/A x9
    7   ann   9:00 delete apple/A
    8   ann   9:00 export apple/A
    8   ann   9:00 share  apple/A
    9   ann   9:00 read   apple/A x99
    7-9 solo  9:00 export apple/A x3
    """,
    senders=(
        Row("ann", "usual_export", {6: -1, 7: 1, 9: 1}, "every day of the colleagues has 1"),
        Row("ann", "peer_export", {6: 0, 7: log(4 / 2), 8: log(2 / 2), 9: log(1 / 2)},
            "3, 1 and 0 against 1"),
        Row("ann", "usual_share", {7: 4}, "33 of 35 days have none; 95 % are 34"),
        Row("ann", "peer_share", {6: 0, 7: log(10 / 5), 8: log(2 / 5), 9: log(1 / 5)},
            "9, 1 and 0 against 4"),
        Row("ann", "usual_delete", {7: 0}, "34 of 35 days have none"),
        Row("ann", "peer_delete", {6: 0, 7: log(2 / 1), 8: 0, 9: 0}, "1 against 0"),
        Row("ann", "usual_risky", {7: 5}, "32 days have 1 and three have 5"),
        Row("ann", "peer_risky", {6: 0, 7: log(14 / 6), 8: log(3 / 6), 9: log(1 / 6)},
            "13, 2 and 0 against 5"),
        Row("ann", "usual_events", {7: 36}, "four of 35 days have 38, counted as 36 (12 % steps)"),
        Row("ann", "peer_events", {9: log(100 / 37)}, "99 against 36"),
        Row("solo", "usual_export", {7: -1}, "a newcomer has no colleagues yet"),
        Row("solo", "peer_export", {7: 0}, "a newcomer has no colleagues yet"),
    ),
)  # fmt: skip

LIKENESS = Case(
    "ann does what she always does, then half of it, then what bob does, then some of each",
    f"""
    0-6   {ANN} 9:00 read apple/A
    0     a1    9:00 read avocado/A
    0-6   {BOB} 9:00 read banana/B
    0-6   {BOB} 9:00 read berry/B
    7-10  ann   9:00 read apple/A
    11    ann   9:00 read banana/A
    12    ann   9:00 read banana/B
    13    ann   9:00 read apple/A x3
    13    ann   9:00 read berry/A
    7     a1    9:00 read apple/A
    """,
    senders=(
        Row("ann", "own_unlike",
            {6: 1000, 7: 0, 10: 0, 11: 500, 12: 1000,
             13: 1000 - round(1000 * (log(4) + log(5)) / sqrt(2)
                              / sqrt(log(4) ** 2 + log(2) ** 2 + log(5) ** 2))},
            "no profile in the first week, then apple and A, equally rare: both, one of two, "
            "none; apple 3 times, berry once, A 4 times"),
        Row("ann", "own_unlike_self",
            {6: 0, 7: spreads(0, 1), 10: spreads(0, 1), 11: spreads(0.5, 1), 12: 0},
            "seven of the days before are 1"),
        Row("ann", "other_margin", {6: 0, 7: 0, 11: 0, 12: round(1000 * 2 / sqrt(6)), 13: 0},
            "her colleagues are as alike as she; bob has banana, berry and B: two of his three"),
        Row("ann", "other_margin_self", {6: 0, 11: 0, 12: spreads(0.816, 0), 13: 0},
            "0 on every day before; the second highest of 13"),
        Row("ann", "resembles", {6: None, 7: "a2", 12: "b1"}, "of those most alike, the first"),
        Row("a1", "own_unlike",
            {7: 1000 - round(1000 * sqrt(2) * log(8) * log(13 / 7) / sqrt(
                2 * (log(8) * log(13 / 7)) ** 2 + (log(2) * log(13 / 2)) ** 2))},
            "apple and A on 7 days, by 6 of 12 people; avocado on one day, by one"),
        Row("a1", "resembles", {7: "a2"}, "of those most alike, the first"),
        Row("a1", "other_margin", {6: 0, 7: 1000 - 814}, "the others have no avocado: 1000"),
    ),
)  # fmt: skip

SENSITIVE = Case(
    "sensitive things: the own, a colleague's, and those of the other team",
    f"""
    0-6 {ANN} 9:00 read apple/A pii
    0   a1    9:00 read avocado/A pii
    0-6 {BOB} 9:00 read banana/B
    7   ann   9:00 read apple/A x3 pii
    8   ann   9:00 read avocado/A pii
    9   ann   9:00 export apricot*2/A pii
    10  ann   9:00 export cherry/B x2 pii
    10  ann   9:00 export banana/B
    11  ann   9:00 read apple/A
    12  ann   9:00 export apple/A pii
    """,
    senders=(
        Row("ann", "sensitive", {6: 1, 7: 3, 8: 1, 9: 2, 10: 2, 11: 0, 12: 1}, "events"),
        Row("ann", "sensitive_z",
            {4: 0, 6: 0, 7: count_spreads(3, 1), 8: count_spreads(1, 3), 9: count_spreads(2, 3),
             10: 0, 11: count_spreads(0, 2), 12: count_spreads(1, 2)},
            "against 3 until nine days are before, then against the second highest, 2"),
        Row("ann", "sensitive_new", {0: 1, 6: 0, 7: 0, 8: 1, 9: 2, 10: 1, 11: 0, 12: 0},
            "avocado, two apricots, the cherry"),
        Row("ann", "sensitive_new_z",
            {6: count_spreads(0, 1), 8: 0, 9: count_spreads(2, 1), 10: 0,
             11: count_spreads(0, 1), 12: count_spreads(0, 1)},
            "the apple was new on day 0"),
        Row("ann", "sensitive_foreign", {6: 0, 8: 0, 9: 2, 10: 1, 11: 0, 12: 0},
            "a1 had the avocado"),
        Row("ann", "sensitive_foreign_z",
            {8: count_spreads(0, 1), 9: count_spreads(2, 1), 10: 0, 11: count_spreads(0, 1)},
            "the apple was foreign to all on day 0"),
        Row("ann", "sensitive_alien", {8: 0, 9: 0, 10: 1, 11: 0}, "only the cherry is in B"),
        Row("ann", "sensitive_export", {8: 0, 9: 2, 10: 2, 11: 0, 12: 1}, "not the banana"),
        Row("ann", "sensitive_new_14", {0: 1, 7: 1, 8: 2, 9: 4, 10: 5, 12: 5}, "added up"),
        Row("ann", "sensitive_foreign_14", {0: 1, 8: 1, 9: 3, 10: 4, 12: 4}, "added up"),
        Row("ann", "sensitive_export_14", {8: 0, 9: 2, 10: 4, 11: 4, 12: 5}, "added up"),
        Row("ann", "sensitive_export_days_14", {8: 0, 9: 1, 10: 2, 11: 2, 12: 3}, "days of them"),
        Row("ann", "sensitive_5",
            {6: 0, 7: 2.773 / 5, 8: 2.773 / 5, 11: 2.773 / 5, 12: 0},
            "day 7 is log(4/2) / .25 = 2.773 spreads high, the days around are none or below"),
        Row("bob", "sensitive_z", {6: 0}, "nothing of his is marked"),
    ),
)  # fmt: skip
