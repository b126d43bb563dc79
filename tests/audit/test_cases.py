"""Cases: which findings are one story, what it is called, and who has to decide it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditlens.cases import (
    CASE_SCHEMA,
    KnownCase,
    build_cases,
    case_reaches,
    case_timeline,
    is_to_decide,
    why_raised,
)
from auditlens.events import EVENT_SCHEMA
from auditlens.findings import FINDING_SCHEMA, LEVELS

START = datetime(2026, 10, 5, 12, tzinfo=UTC)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def finding(letter: str, day: float = 0, *, events: str = "", **more: object) -> dict:
    """A finding about u-1 on a day after START, resting on the events named by letters."""
    at = START + timedelta(days=day)
    ids = list(events or f"{letter}{letter.lower()}")
    phrase = more.pop("phrase", f"did {letter}")
    row = dict.fromkeys(FINDING_SCHEMA) | {
        "finding_id": f"F-{letter * 10}", "kind": "rule", "rule_id": f"r-{letter}",
        "title": f"Title {letter}", "level": "medium", "subject_kind": "sender",
        "subject_id": "u-1", "subject_label": "Ana", "first_at": at, "last_at": at,
        "detected_at": at, "event_count": len(ids), "event_ids": ids, "tags": [], "controls": [],
        "state": "new",
        "reasons": [{"family": "rule", "share": 1.0, "text": "why", "phrase": phrase}],
    }  # fmt: skip
    return row | more


def events(*rows: tuple[str, str, str], at: datetime = START) -> pl.DataFrame:
    """Events by id, account and resource."""
    return pl.DataFrame(
        [dict.fromkeys(EVENT_SCHEMA) | {"id": one, "created_at": at, "sender_id": who,
                                       "sender_name": who.upper(), "resource_id": what}
         for one, who, what in rows],
        schema=EVENT_SCHEMA,
    )  # fmt: skip


def cases(*rows: dict, held: pl.DataFrame | None = None, **more) -> list[dict]:
    found = pl.DataFrame(list(rows), schema=FINDING_SCHEMA)
    frame, _ = build_cases(found, events() if held is None else held, **more)
    assert frame.schema == pl.Schema(CASE_SCHEMA)
    return frame.to_dicts()


def groups(*rows: dict, held: pl.DataFrame | None = None, **more) -> set[str]:
    """The findings of each case, by their letters."""
    found = cases(*rows, held=held, **more)
    return {"".join(sorted(one[2] for one in row["finding_ids"])) for row in found}


@pytest.mark.parametrize(("days", "parts"), [(7, {"AB"}), (7.01, {"A", "B"}), (12, {"A", "B"})])
def test_two_findings_of_an_account_are_one_case_within_seven_days(days, parts):
    """The second begins at most seven days after the first ended."""
    assert groups(finding("A"), finding("B", days)) == parts


def test_a_case_spans_31_days_at_most():
    """A chain of findings six days apart is broken before it is longer than 31 days."""
    chain = [finding(letter, 6 * n) for n, letter in enumerate("ABCDEFGH")]
    assert groups(*chain) == {"ABCDEF", "GH"}


def test_one_rule_that_fires_for_two_accounts_makes_two_cases():
    """Neither a rule nor a resource alone joins what two people did."""
    other = {"subject_id": "u-2", "rule_id": "r-A"}
    held = events(("A", "u-1", "t-1"), ("B", "u-2", "t-1"))
    rows = cases(finding("A", events="A"), finding("B", events="B", **other), held=held)
    one, other = rows
    assert (one["related"], other["related"]) == ([other["case_id"]], [one["case_id"]])


@pytest.mark.parametrize(
    ("second", "parts"),
    [("abxy", {"AB"}), ("axyz", {"A", "B"}), ("ax", {"A", "B"}), ("ab", {"AB"}), ("a", {"AB"})],
)
def test_findings_that_share_half_of_the_smaller_ones_events_are_one_case(second, parts):
    """Half joins the findings of two accounts, a single common event does not."""
    rows = finding("A", events="abcd"), finding("B", 9, events=second, subject_id="u-2")
    assert groups(*rows) == parts


def test_a_rule_told_of_for_all_accounts_together_joins_none_of_them():
    """What is about the workspace over weeks shares events with many stories and is none."""
    summary = {"subject_kind": "workspace", "subject_id": "workspace"}
    mine, other = finding("A", events="ab"), finding("B", 9, events="cd", subject_id="u-2")
    wide = finding("C", events="abcd", last_at=START + timedelta(days=9), **summary)
    assert groups(mine, other, wide) == {"A", "B", "C"}
    near = finding("C", events="abx", last_at=START + timedelta(days=1), **summary)
    assert groups(mine, other, near) == {"AC", "B"}


def test_a_resource_finding_belongs_to_the_account_that_did_most_of_it():
    """With four events in five by one account it joins that account's case, with less none's."""
    about = {"subject_kind": "resource", "subject_id": "t-1", "subject_label": "table"}
    mine = [(letter, "u-1", "t-1") for letter in "vwxy"]
    held = events(*mine, ("z", "u-2", "t-1"))
    assert groups(finding("A", 3), finding("B", events="vwxyz", **about), held=held) == {"AB"}
    held = events(*mine[:3], ("y", "u-2", "t-1"), ("z", "u-3", "t-1"))
    assert groups(finding("A", 3), finding("B", events="vwxyz", **about), held=held) == {"A", "B"}


def test_what_stopped_on_one_day_is_one_case_of_the_workspace():
    """Twelve overdue monitors are one thing to decide, said in one line."""
    about = {"subject_kind": "resource", "rule_id": "quiet", "title": "Data Monitor Run Overdue"}
    rows = [finding(letter, subject_id=f"m-{letter}", **about) for letter in LETTERS[:12]]
    (row,) = cases(*rows, silences=["quiet"])
    assert (row["subject_kind"], row["joined_by"]) == ("workspace", ["same_silence"])
    assert row["headline"] == "12 overdue: Data Monitor Run Overdue"
    assert len(cases(*rows)) == 12


def test_weak_findings_ask_for_a_decision_when_two_kinds_agree():
    """One low kind alone, however often, is an observation; two within a day are to decide."""
    low = {"level": "low"}
    again = finding("B", 1, rule_id="r-A", **low)
    assert [row["decide"] for row in cases(finding("A", **low), again)] == [False]
    assert [row["decide"] for row in cases(finding("A", **low), finding("B", 1, **low))] == [True]
    assert [row["decide"] for row in cases(finding("A", **low), finding("B", 2, **low))] == [False]
    assert [row["decide"] for row in cases(finding("A"))] == [True]
    record = finding("B", 1, level="informational")
    assert [row["decide"] for row in cases(finding("A", **low), record)] == [False]


@pytest.mark.parametrize(
    ("others", "level"),
    [
        ([("rule", "r-2", "high")], "high"),
        ([("anomaly", "sender-day", "medium")], "critical"),
        ([("anomaly", "sender-day", "low")], "high"),
        ([("rule", "r-2", "medium"), ("rule", "r-3", "medium")], "critical"),
        ([("rule", "r-2", "medium"), ("rule", "r-2", "medium")], "high"),
    ],
)
def test_a_case_is_raised_when_rules_and_model_or_three_kinds_agree(others, level):
    """One level up, for findings of medium and above; the level before stays to be seen."""
    more = [
        finding(letter, 1, kind=kind, rule_id=rule, level=at)
        for letter, (kind, rule, at) in zip("BCD", others, strict=False)
    ]
    (row,) = cases(finding("A", level="high"), *more)
    assert (row["level"], row["level_from"]) == (level, "high")


def test_no_level_is_above_critical_and_identity_needs_a_second_kind():
    """Critical stays critical; days that match another account are medium with another kind."""
    model = {"kind": "anomaly", "rule_id": "sender-day"}
    (row,) = cases(finding("A", level="critical"), finding("B", 1, **model))
    assert row["level"] == "critical"
    alone = finding("A", kind="anomaly", rule_id="identity", level="low")
    assert [row["level"] for row in cases(alone)] == ["low"]
    assert [row["level"] for row in cases(alone, finding("B", level="low"))] == ["medium"]


def test_a_finding_whose_days_are_scattered_joins_what_lies_on_one_of_them():
    """Days of a month that match another account join the same day's finding, not any other."""
    held = events(("A", "u-1", "t-1")), events(("B", "u-1", "t-1"), at=START + timedelta(days=20))
    month = finding("C", events="AB", kind="anomaly", rule_id="identity", level="low",
                    last_at=START + timedelta(days=20))  # fmt: skip
    apart = finding("D", 10, level="low")
    assert groups(month, apart, held=pl.concat(held)) == {"C", "D"}
    same = finding("D", 20, level="low")
    assert groups(month, same, held=pl.concat(held)) == {"CD"}


def test_the_score_counts_each_kind_once_and_less_with_its_place():
    """80 + 50/2 + 25/3 for a critical, a high and a medium kind, however often each fired."""
    levels = {"A": "medium", "B": "critical", "C": "high"}
    rows = [finding(letter, level=level) for letter, level in levels.items()]
    rows.append(finding("D", level="high", rule_id="r-C"))
    (row,) = cases(*rows)
    assert row["score"] == pytest.approx(80 + 25 + 25 / 3, abs=0.01)


def test_cases_are_ordered_by_level_and_then_score():
    """The most severe stand first, and a case of more kinds before one of fewer."""
    two = [finding("A", level="high"), finding("B", level="medium", rule_id="r-2")]
    one = finding("C", level="high", subject_id="u-2")
    top = finding("D", level="critical", subject_id="u-3")
    assert [row["finding_ids"][0][2] for row in cases(*two, one, top)] == ["D", "A", "C"]


def test_the_headline_tells_the_two_strongest_things_in_order_of_time():
    """What is inside another finding, or more than a level weaker, is not told."""
    rows = (
        finding("A", level="critical", events="pqr", phrase="changed its own role"),
        finding("B", level="high", events="pq", phrase="inside the first"),
        finding("C", -1, level="high", events="stu", phrase="exported 43 resources"),
        finding("D", level="medium", events="v", phrase="too weak"),
    )
    (row,) = cases(*rows)
    assert row["headline"] == "Ana exported 43 resources and changed its own role"


def test_a_headline_is_cut_and_falls_back_to_a_title():
    """At most ninety characters; without a phrase the rule's title stands after the name."""
    (row,) = cases(finding("A", phrase="did " + "very " * 40))
    assert len(row["headline"]) <= 90
    assert row["headline"].endswith("…")
    (row,) = cases(finding("A", phrase=None))
    assert row["headline"] == "Ana: Title A"


def test_what_an_exception_hides_counts_for_nothing_but_stays_a_member():
    """Level, score and headline come from the rest; with nothing left the case is excepted."""
    hidden = finding("A", level="critical", exception_id="X-1")
    (row,) = cases(hidden, finding("B", level="medium"))
    assert (row["level"], row["hidden"], row["headline"]) == ("medium", 1, "Ana did B")
    assert len(row["finding_ids"]) == 2
    (row,) = cases(hidden)
    assert (row["state"], row["decide"]) == ("excepted", False)


def test_the_id_rests_on_subject_and_week():
    """Another finding later in the case, or other words, keep the id; another week does not."""
    (one,) = cases(finding("A"))
    (more,) = cases(finding("A", title="Other"), finding("B", 3))
    (week,) = cases(finding("A", 7))
    assert one["case_id"] == more["case_id"] != week["case_id"]
    assert len({row["case_id"] for row in cases(finding("A"), finding("B", subject_id="u-2"))}) == 2


def known(case: dict, *, last: float = 0, case_id: str = "C-KNOWNAAAAA", **more) -> KnownCase:
    held = {"id": case_id, "subject_kind": "sender", "subject_id": "u-1", "first_at": START,
            "last_at": START + timedelta(days=last), "periods": ("2026-09",),
            "members": tuple((one, "r", "medium") for one in case["finding_ids"])}  # fmt: skip
    return KnownCase(**(held | more))


def test_a_case_that_was_shown_keeps_its_id():
    """An earlier event that comes late would change the week; the id stays all the same."""
    (shown,) = cases(finding("A"))
    (row,) = cases(finding("A"), finding("B", -6), known=[known(shown, case_id="C-AAAAAAAAAA")])
    assert row["case_id"] == "C-AAAAAAAAAA"


def test_a_case_never_splits_and_says_what_would():
    """Findings shown as one case stay one when nothing joins them any more."""
    (shown,) = cases(finding("A"), finding("B", 5))
    (row,) = cases(finding("A"), finding("B", 20), known=[known(shown)])
    assert row["no_longer_joined"] == ["F-BBBBBBBBBB"]


def test_two_cases_that_become_one_keep_the_older_id():
    """The one that was shown first gives its name."""
    first, second = (
        known({"finding_ids": ["F-AAAAAAAAAA"]}, case_id="C-OLDERAAAAA"),
        known({"finding_ids": ["F-CCCCCCCCCC"]}, case_id="C-NEWERAAAAA"),
    )
    (row,) = cases(finding("A"), finding("B", 5), finding("C", 10), known=[first, second])
    assert row["case_id"] == "C-OLDERAAAAA"


@pytest.mark.parametrize(("gap", "same"), [(6, True), (8, False)])
def test_a_case_goes_on_over_the_edge_of_a_month(gap, same):
    """The same subject within seven days of a case of the month before is that case."""
    before = known({"finding_ids": ["F-ZZZZZZZZZZ"]}, last=1)
    (row,) = cases(finding("A", 1 + gap), known=[before])
    assert (row["case_id"] == before.id) is same
    assert row["continues"] is same


def test_the_timeline_sets_what_is_inside_another_finding_below_it():
    """Lines stand in order of time; a finding whose events are all another's follows that one."""
    rows = finding("A", 0, events="pqr"), finding("B", 1, events="s"), finding("C", 2, events="pq")
    found = pl.DataFrame(list(rows), schema=FINDING_SCHEMA)
    (row,) = cases(*rows)
    lines = [(one.finding["finding_id"][2], one.within) for one in case_timeline(row, found)]
    assert lines == [("A", None), ("C", "F-AAAAAAAAAA"), ("B", None)]


def test_only_cases_to_decide_reach_a_level():
    """A decided case and an observation fail nothing; the empty level is reached by none."""
    found = pl.DataFrame([finding("A"), finding("B", 20, level="low")], schema=FINDING_SCHEMA)
    frame, _ = build_cases(found, events())
    assert frame.filter(case_reaches("low")).height == 1
    assert frame.filter(case_reaches("")).is_empty()
    decided = frame.with_columns(pl.lit("decided").alias("state"))
    assert decided.filter(is_to_decide() | case_reaches("low")).is_empty()


@st.composite
def random_findings(draw) -> pl.DataFrame:
    count = draw(st.integers(0, 9))
    rows = [
        finding(
            LETTERS[n],
            draw(st.integers(0, 40)),
            events="".join(draw(st.lists(st.sampled_from("abcdefgh"), min_size=1, unique=True))),
            subject_kind=draw(st.sampled_from(["sender", "resource", "workspace"])),
            subject_id=draw(st.sampled_from(["u-1", "u-2", "t-1"])),
            level=draw(st.sampled_from(LEVELS)),
            rule_id=draw(st.sampled_from(["r-1", "r-2", "quiet"])),
            exception_id=draw(st.sampled_from([None, None, "X-1"])),
        )
        for n in range(count)
    ]
    return pl.DataFrame(rows, schema=FINDING_SCHEMA)


HELD = events(*((letter, f"u-{n % 3}", f"t-{n % 2}") for n, letter in enumerate("abcdefgh")))


@settings(max_examples=60, deadline=None)
@given(random_findings(), st.randoms())
def test_each_finding_is_in_one_case_and_row_order_changes_nothing(found, chance):
    """A partition: no finding is lost or doubled, no event counted twice, ids all different."""
    frame, inside = build_cases(found, HELD, silences=["quiet"])
    listed = frame["finding_ids"].explode().drop_nulls().to_list()
    assert sorted(listed) == sorted(found["finding_id"])
    assert frame["case_id"].n_unique() == frame.height
    of = dict(inside.select("finding_id", "case_id").iter_rows())
    for row in frame.iter_rows(named=True):
        members = found.filter(pl.col("finding_id").is_in(row["finding_ids"]))
        assert {of[one] for one in row["finding_ids"]} == {row["case_id"]}
        assert row["event_count"] == members["event_ids"].explode().n_unique()
        assert all(a <= b for a, b in pairwise(members.sort("first_at")["first_at"]))
    order = list(range(found.height))
    chance.shuffle(order)
    again, _ = build_cases(found[order], HELD, silences=["quiet"])
    assert again.equals(frame)


@pytest.mark.parametrize(("days", "parts"), [(31, {"AB"}), (31.01, {"A", "B"})])
def test_not_even_shared_events_join_more_than_31_days(days, parts):
    """The longest case is 31 days, to the second."""
    other = finding("B", days, events="abxy", subject_id="u-2")
    assert groups(finding("A", events="abcd"), other) == parts


def test_a_case_lists_twenty_resources_and_counts_all():
    """The busiest come first; the number is the true one."""
    ids = [f"e{n:02}" for n in range(25)]
    held = events(*((one, "u-1", f"t-{n:02}") for n, one in enumerate([*ids, "again"]) if n < 25),
                  ("again", "u-1", "t-24"))  # fmt: skip
    (row,) = cases(finding("A", event_ids=[*ids, "again"]), held=held)
    assert (len(row["resources"]), row["resource_count"]) == (20, 25)
    assert row["resources"][0] == "t-24"
    assert (row["actors"], row["actor_count"]) == (["u-1"], 1)


@pytest.mark.parametrize(
    ("level", "points"),
    [("informational", 2), ("low", 10), ("medium", 25), ("high", 50), ("critical", 80)],
)
def test_one_finding_scores_the_points_of_its_level(level, points):
    """The scale is that of the documents."""
    assert [row["score"] for row in cases(finding("A", level=level))] == [points]


def test_why_a_case_was_raised_is_said_in_words():
    """Rules and model, three kinds, or a second kind beside a match; nothing where it was not."""
    model = finding("B", kind="anomaly", rule_id="sender-day")
    match = finding("C", kind="anomaly", rule_id="identity", level="low")
    for rows, word in (
        ([finding("A")], ""),
        ([finding("A"), model], "rules and the anomaly model"),
        ([finding("A"), finding("B"), finding("C")], "three kinds"),
        ([match, finding("D", level="low")], "another kind"),
    ):
        (row,) = cases(*rows)
        assert word in why_raised(row, rows)
        assert bool(word) == bool(why_raised(row, rows))


@pytest.mark.parametrize(("more", "kind"), [("", "sender"), ("D", "resource")])
def test_a_case_is_about_the_account_of_half_of_its_findings(more, kind):
    """With less than half it is about the resource."""
    about = {"subject_kind": "resource", "subject_id": "t-1", "subject_label": "orders"}
    held = events(
        ("a", "u-1", "t-1"), ("b", "u-2", "t-1"), ("c", "u-3", "t-1"), ("d", "u-4", "t-1")
    )
    rows = [finding("A", events="ab"), finding("B", events="abcd", **about)]
    rows += [finding(letter, events="abcd", **about) for letter in more]
    (row,) = cases(*rows, held=held)
    assert (row["subject_kind"], row["subject_label"]) == (kind, "Ana" if not more else "orders")


def told(*phrases: str, **more) -> str:
    """The headline of findings of one level, one a day, none inside another."""
    rows = [finding(letter, n, phrase=phrase, **more)
            for n, (letter, phrase) in enumerate(zip("ABC", phrases, strict=False))]  # fmt: skip
    (row,) = cases(*rows)
    return row["headline"]


def test_a_headline_has_two_phrases_at_most_and_ninety_characters():
    """A third is left out; what is a character too long keeps the strongest alone."""
    assert told("did one", "did two", "did three") == "Ana did one and did two"
    first, second = "a" * 40, "b" * 41
    assert told(first, second) == f"Ana {first} and {second}"
    assert len(told(first, second)) == 90
    assert told(first, second + "b") == f"Ana {first}"


def test_a_rule_is_told_before_the_model_and_the_larger_before_the_smaller():
    """At one level: what a written condition says, then what has more events."""
    long = "x" * 60
    model = finding("A", kind="anomaly", rule_id="sender-day", events="abcd", phrase=f"m{long}")
    rule = finding("B", 1, events="e", phrase=f"r{long}")
    assert cases(model, rule)[0]["headline"] == f"Ana r{long}"
    large = finding("C", 2, events="fgh", phrase=f"l{long}")
    assert cases(rule, large)[0]["headline"] == f"Ana l{long}"


@pytest.mark.parametrize(("inside", "headline"), [("abcd", "Ana did A"), ("abc", None)])
def test_what_lies_in_another_finding_to_four_fifths_is_not_told(inside, headline):
    """Four of five events within another say nothing of their own; three do."""
    small = finding("B", 1, level="high", events=f"{inside}{'xyz'[: 5 - len(inside)]}")
    (row,) = cases(finding("A", level="critical", events="abcdefgh"), small)
    assert row["headline"] == (headline or "Ana did A and did B")


def test_related_cases_are_within_a_day_of_any_stretch_on_the_resource():
    """From a day before the first act on it to a day after the last."""
    first = events(("a", "u-1", "t-1")), events(("b", "u-1", "t-1"), at=START + timedelta(days=3))
    for day, related in ((-0.9, 1), (3.9, 1), (-1.1, 0), (4.1, 0)):
        other = events(("c", "u-2", "t-1"), at=START + timedelta(days=day))
        mine = finding("A", events="ab", last_at=START + timedelta(days=3))
        theirs = finding("C", day, events="c", subject_id="u-2")
        rows = cases(mine, theirs, held=pl.concat([*first, other]))
        assert [len(row["related"]) for row in rows] == [related, related]
