"""Where a habit ends: one more or one less, a day earlier or later."""

from __future__ import annotations

from math import log

from tests.anomalies.worked.log import Case, Row, mille, poisson
from tests.anomalies.worked.teams import ANN, BOB

SELDOM = Case(
    "two visits of 50 and two of 51 to a folder: it is not, and is, one hardly ever visited",
    """
    0 ann 9:00 read plan/home x48
    0 ann 9:00 read list/far x2
    1 ann 9:00 read new/far
    0 bob 9:00 read plan/home x49
    0 bob 9:00 read list/far x2
    1 bob 9:00 read newer/far
    """,
    senders=(
        Row("ann", "alien_resources", {1: 0}, "50 * 2 is not below 50 + 50"),
        Row("bob", "alien_resources", {1: 1}, "50 * 2 is below 51 + 50"),
    ),
)

TWO_PLACES = Case(
    "a thing met in two folders or as two types on a day is of the last of them by name",
    """
    0 ann 9:00 read plan/home x60
    1 ann 9:00 read new/home
    1 ann 9:00 read new/zoo
    0 bob 9:00 read apple/A as fruit
    0 bob 9:00 read beet/B  as root x9
    7 bob 9:00 read chard/C as fruit
    7 bob 9:00 read chard/C as root
    8 bob 9:00 read chard/C as fruit x2
    7 bob 9:00 read leek/C as fruit
    7 cat 9:00 read leek/C as root
    """,
    senders=(Row("ann", "alien_resources", {0: 1, 1: 1}, "the zoo is foreign, home is not"),),
    resources=(
        Row("apple", "type_events", {0: 0}, "no week before"),
        Row("chard", "type_events", {7: log(3 / 10), 8: log(3 / 10)},
            "a root, and from then on; roots had 9 a day, fruits 1"),
        Row("leek", "type_events", {7: log(3 / 10)}, "a root to cat, so a root"),
    ),
)  # fmt: skip

JUST_FAR = Case(
    "a folder where everyone is e times as often as she is far, to the thousandth",
    """
    0-11 ann  9:00 read apple/A
    12   ann  9:00 read banana/B
    0    a1,a2,a3,a4,a5,a6,a7,a8,a9,a10 9:00 read apple/A
    1    a1,a2,a3,a4       9:00 read apple/A
    0-6  b1,b2,b3,b4,b5,b6 9:00 read banana/B
    7    b1   9:00 read banana/B
    14   ann  9:00 read berry/B
    """,
    senders=(
        Row("ann", "remote_share",
            {14: round(1000 * log((45 / 73) / ((1 + 5 * 45 / 73) / (13 + 5))))},
            "everyone: 44 of 70 folder-days, (44 + 1) / (70 + 2 + 1); she: 1 of 13; 1000"),
        Row("ann", "remote_resources", {12: 0, 14: 1}, "1000 is far"),
        Row("ann", "remote_one", {12: 0, 14: 1}, "1000 is far"),
        Row("ann", "remote_new", {12: 0, 14: 1}, "1000 is far"),
    ),
)  # fmt: skip

JUST_NEAR = Case(
    "a thousandth less is not far",
    """
    0-11 ann  9:00 read apple/A
    12   ann  9:00 read banana/B
    0    a1,a2,a3,a4,a5,a6,a7,a8,a9,a10 9:00 read apple/A
    1    a1,a2,a3          9:00 read apple/A
    0-5  b1,b2,b3,b4,b5,b6 9:00 read banana/B
    6    b1,b2,b3,b4,b5    9:00 read banana/B
    14   ann  9:00 read berry/B
    """,
    senders=(
        Row("ann", "remote_share",
            {14: round(1000 * log((43 / 70) / ((1 + 5 * 43 / 70) / (13 + 5))))},
            "everyone: 42 of 67 folder-days, (42 + 1) / (67 + 2 + 1); she: 1 of 13; 999"),
        Row("ann", "remote_resources", {12: 0, 14: 0}, "999 is not far"),
        Row("ann", "remote_one", {12: 0, 14: 0}, "999 is not far"),
    ),
)  # fmt: skip

TOP_OF_ALL = Case(
    "a leap is measured from the highest day of anyone, people and services apart",
    """
    0-10 ann  9:00 delete     plan
    0-10 ann  9:00 permission plan
    0-10 ann  9:00 admin      plan
    0-10 ann  9:00 share      plan
    0-10 ann  9:00 read       plan
    0-10 ann  9:00 write      plan
    11   ann  9:00 delete     plan x9
    11   ann  9:00 permission plan x9
    11   ann  9:00 admin      plan x9
    11   ann  9:00 share      plan x9
    11   ann  9:00 read       plan x9
    11   ann  9:00 write      plan x9
    11   ann  9:00 read       secret*9 pii
    3    bob  9:00 delete     plan x4
    3    bob  9:00 permission plan x5
    3    bob  9:00 admin      plan x6
    3    bob  9:00 share      plan x30
    3    half  9:00 delete     plan x5 by integration
    3    half  9:00 read       plan x5 by user
    3    robot 9:00 delete     plan x40 by integration
    3    robot 9:00 read       plan x39 by user
    """,
    senders=(
        Row("ann", "top_delete", {6: -1, 11: 5},
            "half is a person half of the time, the robot is not"),
        Row("ann", "delete_leap", {9: 0, 10: 0, 11: poisson(9, 5)}, "half had 5"),
        Row("ann", "permission_leap", {10: 0, 11: poisson(9, 5)}, "bob had 5"),
        Row("ann", "admin_leap", {10: 0, 11: poisson(9, 6)}, "bob had 6"),
        Row("ann", "share_leap", {10: 0, 11: 0}, "bob had 30"),
        Row("ann", "read_leap", {10: 0, 11: poisson(18, 1)}, "only the own days count"),
        Row("ann", "write_leap", {10: 0, 11: poisson(9, 1)}, "only the own days count"),
        Row("ann", "events_leap", {10: 0, 11: poisson(63, 6)}, "only the own days count"),
        Row("ann", "sensitive_foreign_leap", {10: 0, 11: poisson(9, 0)}, "never before"),
    ),
)  # fmt: skip

ONE_IN_300 = Case(
    "of 300 days of people one with deletions is left out, two with grants are not",
    """
    3-27 p1,p2,p3,p4,p5,p6,p7,p8,p9,p10,p11,p12 9:00 read plan
    5    p1 9:00 delete     plan x4
    5,6  p1 9:00 permission plan x4
    28   p2 9:00 delete     plan x9
    28   p2 9:00 permission plan x9
    """,
    senders=(
        Row("p2", "top_delete", {27: 4, 28: 0}, "299 of 300 days have none; of 216 days all count"),
        Row("p2", "top_permission", {27: 4, 28: 4}, "298 of 300 days have none"),
        Row("p2", "delete_leap", {27: 0, 28: poisson(9, 0)}, "9 above 0"),
        Row("p2", "permission_leap", {27: 0, 28: poisson(9, 4)}, "9 above 4"),
    ),
)  # fmt: skip

ONE_IN_299 = Case(
    "of 299 days of people not one is left out",
    """
    3-27 p1,p2,p3,p4,p5,p6,p7,p8,p9,p10,p11 9:00 read plan
    3-26 p12 9:00 read plan
    5    p1 9:00 delete     plan x4
    28   p2 9:00 delete     plan x9
    """,
    senders=(Row("p2", "top_delete", {28: 4}, "299 less 299 / 300 is more than 298"),),
)

FOUR_WEEKS = Case(
    "the high days are those of the 28 days before Monday",
    f"""
    0-3 {ANN} 9:00 read   apple/A as fruit
    0-3 {BOB} 9:00 read   banana/B as root
    6   a1,a2,a3,a4,a5 9:00 share  apple/A as fruit x4
    7   a1,a2,a3,a4,a5 9:00 delete apple/A as fruit x4
    6   a1    9:00 permission apple/A as fruit x4
    34  a1,a2,a3,a4,a5 9:00 export apple/A as fruit x4
    35  a1,a2,a3,a4,a5 9:00 export apple/A as fruit x9
    28,35,42 ann 9:00 read apple/A as fruit
    """,
    senders=(
        Row("ann", "usual_share", {28: 4, 35: 0, 42: 0}, "Sunday of week 0: until week 4"),
        Row("ann", "usual_delete", {28: 4, 35: 4, 42: 0}, "Monday of week 1: until week 5"),
        Row("ann", "usual_export", {28: 0, 35: 4, 42: 9}, "Sunday of week 4, Monday of week 5"),
        Row("ann", "peer_export", {28: 0, 35: log(1 / 5), 42: log(1 / 10)}, "0 against it"),
    ),
    resources=(
        Row("apple", "usual_share", {28: 20, 35: 0, 42: 0}, "five times 4, of the one day"),
        Row("apple", "usual_delete", {28: 20, 35: 20, 42: 0}, "five times 4"),
        Row("apple", "usual_export", {28: 0, 35: 20, 42: 45}, "five times 4, five times 9"),
    ),
)  # fmt: skip

TWELVE_WEEKS = Case(
    "what was touched in week 0 is remembered in week 12 and forgotten in week 13",
    """
    0  ann,bob 9:00 read plan/home
    0  cid  9:00 read list/far
    90 ann  9:00 read plan/home
    91 bob  9:00 read plan/home
    84 cid  9:00 read list/far
    """,
    senders=(
        Row("ann", "own_unlike", {0: 1000, 90: 0}, "Sunday of week 12"),
        Row("bob", "own_unlike", {0: 1000, 91: 1000}, "Monday of week 13"),
        Row("cid", "other_margin", {0: 0, 84: -1000}, "just as ever, and nobody else is like it"),
        Row("cid", "resembles", {0: None, 84: None}, "nobody"),
    ),
)

TEN_PEERS = Case(
    "twelve people of one thing have ten colleagues each: the first ten",
    """
    0 p01,p02,p03,p04,p05,p06,p07,p08,p09,p10,p11,p12 9:00 read plan/home
    0 p11,p12 9:00 read secret/home
    0 q1,q2,q3,q4 9:00 read list/far
    7 p12 9:00 read plan/home
    7 p01 9:00 read secret/home
    7 q1  9:00 read list/far
    """,
    senders=(
        Row("p12", "peer_resource_mean", {7: mille((10 + 13 / 22) / 11)}, "ten had it; 12 of 18"),
        Row("p01", "peer_resource_mean", {7: mille((1 + 3 / 22) / 11)},
            "p02 to p10 are just alike, then comes p11, with the secret; p12 is one too many"),
        Row("q1", "peer_resource_mean", {7: 0}, "three colleagues are too few"),
    ),
)  # fmt: skip

FIVE_PEERS = Case(
    "with five colleagues one is compared, with four one is not",
    """
    0 p1,p2,p3,p4,p5,p6 9:00 read plan/home
    0 q1,q2,q3,q4,q5    9:00 read list/far
    6 p2 9:00 read sunday/home
    7 p3 9:00 read monday/home
    7 p1 9:00 read plan/home
    7 q1 9:00 read list/far
    7 p4 9:00 read sunday/home
    8 p4 9:00 read monday/home
    0 p2 9:00 read mango/market
    9 p4 9:00 read nut/market
    """,
    senders=(
        Row("p1", "peer_resource_mean", {7: mille((5 + 7 / 18) / 11)}, "five had it; 6 of 13"),
        Row("p4", "alien_resources", {9: 0}, "one colleague was in that folder"),
        Row(
            "p4",
            "foreign_resources",
            {7: 0, 8: 1, 9: 1},
            "had by a colleague before this week, in it",
        ),
        Row("q1", "peer_resource_mean", {7: 0}, "four are too few"),
    ),
)


def people(letter: str, number: int) -> str:
    return ",".join(f"{letter}{each:03d}" for each in range(number))


MANY = Case(
    "of 327 people: things of 80, 81 and 82 of them, and 84 who work alone",
    f"""
    0 {people("a", 80)} 9:00 read apple
    0 {people("b", 81)} 9:00 read banana
    0 {people("c", 82)} 9:00 read cherry
    0 {people("d", 84)} 9:00 auth
    7 a000 9:00 read apple
    7 b000 9:00 read banana
    7 c000 9:00 read cherry
    """,
    senders=(
        Row("a000", "usual_events", {7: 1}, "80 people of one thing are colleagues"),
        Row("b000", "usual_events", {7: -1}, "81 are too many"),
        Row("a000", "own_unlike", {7: 0}, "as ever"),
        Row("b000", "own_unlike", {7: 0}, "81, a quarter of everyone: it tells people apart"),
        Row("c000", "own_unlike", {7: 1000}, "a thing of more does not"),
    ),
)  # fmt: skip

CIRCLES = Case(
    "who share no thing are colleagues by their group, whoever was there before the week",
    """
    0 p1,p2,p3,p4,p5,p6 9:00 auth
    0 q1,q2,q3,q4,q5,q6 9:00 auth
    7 p1,late 9:00 read plan
    14 late 9:00 read plan
    """,
    senders=(
        Row("p1", "usual_events", {0: -1, 7: 1}, "five of the group"),
        Row("p1", "resources", {0: 0, 7: 1}, "a login is of no thing"),
        Row("late", "usual_events", {7: -1, 14: 1}, "nobody's colleague in the first week"),
    ),
    circles={
        **{f"p{n}": "left" for n in range(1, 7)},
        **{f"q{n}": "right" for n in range(1, 7)},
        "late": "left",
    },
)  # fmt: skip

THINGS_BEFORE_GROUPS = Case(
    "who shares her things is nearer than who shares her group",
    """
    0 ann,x0,x1,x2,x3,x4,x5,x6,x7,x8,x9 9:00 read plan/home
    0 y0,y1,y2,y3,y4,y5,y6,y7,y8,y9     9:00 read list/far
    7 ann 9:00 read plan/home
    """,
    senders=(
        Row("ann", "peer_resource_mean", {7: mille((10 + 12 / 24) / 11)},
            "the ten of the plan: alike by 1 / 1.25, those of the group by .25 / 1.25"),
    ),
    circles={
        "ann": "left",
        **{f"y{n}": "left" for n in range(10)},
        **{f"x{n}": "right" for n in range(10)},
    },
)  # fmt: skip

EVERYBODYS_CIRCLE = Case(
    "a group of all twelve makes nobody a colleague",
    """
    0 p1,p2,p3,p4,p5,p6 9:00 auth
    0 q1,q2,q3,q4,q5,q6 9:00 auth
    7 p1 9:00 read plan
    """,
    senders=(Row("p1", "usual_events", {7: -1}, "log(13 / 13) is 0"),),
    circles={f"{side}{n}": "staff" for side in "pq" for n in range(1, 7)},
)

THE_SYSTEM = Case(
    "what the system itself did is nobody's day; an account used by it once is one's",
    """
    0 cron 9:00 read plan by system
    0 cron 9:00 read plan by system
    0 ann  9:00 read plan by system
    0 ann  9:00 read plan by user
    """,
    senders=(
        Row("cron", "events", {0: None}, "all of its events are the system's"),
        Row("ann", "events", {0: 2}, "one of two is her own"),
    ),
)
