"""What the report says of reviews, changes, access and rules, before any markup."""

import json
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from auditlens.accounts import ACCOUNT_SCHEMA
from auditlens.report import (
    Disposition,
    ExceptionEntry,
    PreviousPeriod,
    Report,
    Resolved,
    Review,
    Signature,
)
from auditlens.triage import MONTH_SCHEMA, SignedMonth

AT = datetime(2026, 11, 5, 9, tzinfo=UTC)


def content(audit, **review):
    return Report(audit, review=Review(**review)).content()


def test_content_is_frozen(make_audit):
    """What was built cannot be changed by who renders it."""
    with pytest.raises(FrozenInstanceError):
        Report(make_audit(1)).content().cover = None


def test_nothing_recorded_is_said(make_audit):
    """Without a review every section says that none is recorded."""
    html = Report(make_audit(2)).html()
    assert "No earlier period was given" in html
    assert "None recorded. No finding is hidden from this report." in html
    assert html.count("not signed") == 2


def test_decided_findings_need_no_decision(make_audit):
    """The verdict counts cases that are undecided; decided ones stay listed after them."""
    audit = make_audit(10)
    decided = tuple(Disposition(one, "benign", "R") for one in audit.findings["finding_id"])
    said = content(audit, dispositions=decided)
    assert said.conclusion.verdict == "clear"
    assert said.conclusion.headline == "Nothing left to decide"
    assert said.conclusion.cases.to_decide == 0
    assert {row.disposition for row in said.cases if row.group == "decided"} == {"benign"}
    assert len(said.findings) == 10
    assert said.conclusion.decide == ()


def test_needs_work_is_still_open(make_audit):
    """A case whose finding needs work is not decided."""
    audit = make_audit(1)
    audit.findings = audit.findings.with_columns(level=pl.lit("medium"))
    one = Disposition(audit.findings["finding_id"][0], "needs work", "R", "ask the owner")
    assert content(audit, dispositions=(one,)).conclusion.cases.to_decide == 1
    audit.findings = audit.findings.with_columns(disposition=pl.lit("needs work"))
    assert content(audit).conclusion.cases.to_decide == 1


def test_decision_shows_with_who_and_why(make_audit):
    """Reviewer, reason, ticket and owner of a decision are on the page."""
    audit = make_audit(1)
    one = Disposition(audit.findings["finding_id"][0], "accepted risk", "R. Viewer",
                      "known migration", AT, "data team", "GOV-7")  # fmt: skip
    html = Report(audit, review=Review(dispositions=(one,))).html()
    assert all(part in html for part in ("R. Viewer", "known migration", "GOV-7", "data team"))


def test_change_against_the_last_period(make_audit):
    """New, still open and reopened come from the findings; resolved are told, worst first."""
    audit = make_audit(4)
    states = ["new", "persisting", "persisting", "reopened"]
    audit.findings = audit.findings.with_columns(state=pl.Series(states))
    before = {audit.findings["finding_id"][1]: "low", "F-GONE": "high"}
    digests = {rule.id: rule.digest for rule in audit.rules.rules[1:]}
    gone = (Resolved("F-LOW", "low"), Resolved("F-GONE", "high", "Bulk delete", "Ada Birch"))
    last = PreviousPeriod("2026-09", before, 400, digests, gone)
    said = content(audit, previous=last)
    change = said.change
    assert (change.new, change.persisting, change.reopened) == (1, 2, 1)
    assert [one.finding_id for one in change.resolved] == ["F-GONE", "F-LOW"]
    assert change.resolved_count == 2
    assert change.events_percent == 50.0
    assert change.rules_changed == (audit.rules.rules[0].id,)
    assert {one.level: one.difference for one in change.levels}["high"] == 0


def test_exceptions_are_listed_with_what_they_hid(make_audit):
    """Each exception stands with scope, owner, end and count, the soonest to end first."""
    late, soon = (
        ExceptionEntry(name, "rule bulk_1", "why", "owner", "approver", until, 3)
        for name, until in (("X-2", date(2027, 3, 1)), ("X-1", date(2026, 12, 1)))
    )
    rows = content(make_audit(2), exceptions=(late, soon)).exceptions
    assert [row.exception_id for row in rows] == ["X-1", "X-2"]
    assert rows[0].hid == 3


def test_excepted_findings_stay_in_the_report(make_audit):
    """A finding under an exception needs no decision and is still listed."""
    audit = make_audit(3)
    audit.findings = audit.findings.with_columns(exception_id=pl.lit("X-1"))
    said = content(audit)
    assert {row.group for row in said.cases} == {"excepted"}
    assert said.conclusion.cases.findings_excepted == len(said.findings) == 3


def test_status_comes_from_the_signatures(make_audit):
    """Draft, reviewed, approved: by who has signed."""
    audit = make_audit(1)
    reviewer, approver = Signature("reviewer", "R", AT), Signature("approver", "A", AT)
    assert content(audit).cover.status == "draft"
    assert content(audit, signatures=(reviewer,)).cover.status == "reviewed"
    assert content(audit, signatures=(reviewer, approver)).cover.status == "approved"


def test_reviewer_with_open_findings_is_named_a_conflict(make_audit):
    """A reviewer who is the subject of an undecided finding is told as such."""
    audit = make_audit(1)
    audit.findings = audit.findings.with_columns(level=pl.lit("low"))
    name = audit.findings["subject_label"][0]
    said = content(audit, signatures=(Signature("reviewer", name, AT),)).sign_off
    assert said.conflict == "The reviewer is the subject of 1 undecided finding."


def test_late_review_is_counted(make_audit):
    """Days after the due date are counted up to the signature."""
    signed = (Signature("reviewer", "R", AT),)
    said = content(make_audit(1), signatures=signed, due=date(2026, 11, 2))
    assert said.sign_off.days_late == 3
    assert said.conclusion.figures[2].state == "bad"


def test_amendment_is_numbered(make_audit):
    """An amended report says which amendment it is."""
    assert "amendment 2" in Report(make_audit(1), review=Review(amendment=2)).html()


def test_sample_can_be_drawn_again(make_audit):
    """The access sample is the first 25 by SHA-256 of seed and event id."""
    import hashlib

    audit = make_audit(0)
    access = content(audit).access
    groups = ["permission", "share", "admin"]
    ids = audit.events.filter(pl.col("action_group").is_in(groups))["id"].to_list()
    drawn = sorted(ids, key=lambda one: hashlib.sha256(f"{access.seed}{one}".encode()).hexdigest())
    assert [row.event_id for row in access.sample] == drawn[:25]
    assert access.population == len(ids)


def with_missing(audit, fields, missing, examined=9):
    """The first rule reads ``fields``; of these the log has none called ``missing``."""
    audit.rules.rules[0].fields = fields
    first = pl.int_range(pl.len()) == 0
    audit.rule_health = audit.rule_health.with_columns(
        fields_missing=pl.when(first).then(pl.lit(missing)).otherwise(pl.col("fields_missing")),
        examined=pl.when(first).then(examined).otherwise("examined"),
    )
    return audit


def test_rule_that_could_not_run_is_not_a_pass(make_audit):
    """A rule whose fields are all missing is failed, comes first, and costs trust."""
    said = content(with_missing(make_audit(0), ("metadata.role",), ["metadata.role"]))
    assert said.rules[0].health == "failed"
    assert said.conclusion.trust == "warn"
    assert said.conclusion.figures[1].note == "1 could not run, 1 switched off"


def test_rule_without_some_of_its_fields_is_partial(make_audit):
    """A rule that lacks one field of several ran in part, and that is said."""
    said = content(with_missing(make_audit(0), ("action", "subject"), ["subject"]))
    assert said.rules[0].health == "partial"
    assert said.conclusion.figures[1].note == "1 lack a field, 1 switched off"


def test_rule_without_events_of_its_kind_is_idle(make_audit):
    """A rule that had nothing to examine is told apart from one that found nothing."""
    audit = with_missing(make_audit(0), ("action",), [], examined=0)
    assert {row.health for row in content(audit).rules} == {"idle", "quiet", "off"}


def test_observations_ask_for_no_decision(make_audit):
    """One low kind alone is an observation: counted apart, listed, and nothing to decide."""
    audit = make_audit(6)
    audit.findings = audit.findings.with_columns(level=pl.lit("low"), rule_id=pl.lit("one"))
    said = content(audit)
    counts = said.conclusion.cases
    assert (said.conclusion.verdict, said.conclusion.headline) == ("clear", "Nothing to decide")
    assert (counts.to_decide, counts.observations) == (0, len(said.cases))
    assert counts.findings_observed == len(said.findings) == 6
    assert said.conclusion.sentences[1] == (
        f"{counts.total} cases (6 findings): 0 to decide, 0 decided; "
        f"{counts.total} observations, which ask for no decision."
    )


def test_findings_of_one_account_are_one_thing_to_decide(make_audit):
    """Many findings about one account within the window take one line of the first screen."""
    audit = make_audit(12)
    same = {"subject_kind": "sender", "subject_id": "ada", "subject_label": "Ada", "level": "high"}
    audit.findings = audit.findings.with_columns(**{k: pl.lit(v) for k, v in same.items()})
    said = content(audit).conclusion
    assert [one.findings for one in said.decide] == [12]
    assert said.headline == "1 case to decide (12 findings)"
    assert said.verdict == "urgent"


def test_cases_hold_every_finding_once(make_audit):
    """The cases are a partition of the findings, and the page's order follows theirs."""
    said = content(make_audit(60, 300))
    held = [one for case in said.cases for one in case.finding_ids]
    assert held == [row.finding_id for row in said.findings]
    assert len(held) == len(set(held)) == 60
    assert {row.case_id for row in said.findings} == {case.case_id for case in said.cases}
    groups = [case.group for case in said.cases]
    assert groups == sorted(groups, key=["to decide", "decided", "observation"].index)


def test_raised_case_says_why(make_audit):
    """A case above the level of its findings says from where, and what agreed."""
    audit = make_audit(4)
    same = {"subject_kind": "sender", "subject_id": "ada", "subject_label": "Ada",
            "level": "medium"}  # fmt: skip
    audit.findings = audit.findings.with_columns(**{k: pl.lit(v) for k, v in same.items()})
    (case,) = content(audit).cases
    assert (case.level_from, case.level) == ("medium", "high")
    assert case.raised_because == "rules and the anomaly model agree"
    html = Report(audit).html()
    assert "high, raised from medium because rules and the anomaly model agree" in html


def test_finding_inside_another_stands_below_it(make_audit):
    """A finding whose events another of the case holds comes right after it, and says so."""
    audit = make_audit(2)
    ids = audit.events["id"].to_list()
    audit.findings = audit.findings.with_columns(
        subject_kind=pl.lit("sender"), subject_id=pl.lit("ada"), subject_label=pl.lit("Ada"),
        event_ids=pl.Series([ids[:2], ids[:6]]), event_count=pl.Series([2, 6]),
    )  # fmt: skip
    whole, part = content(audit).findings
    assert (whole.event_count, whole.within) == (6, "")
    assert (part.event_count, part.within) == (2, whole.finding_id)


def test_every_rule_is_listed_with_its_reason_off(make_audit):
    """All rules are there, quiet ones and those off with the reason."""
    rows = content(make_audit(0)).rules
    assert len(rows) == 24
    assert [row.reason_off for row in rows if row.health == "off"] == ["too noisy here"]


def test_precision_is_that_of_all_periods(make_audit):
    """A rule's precision is what its health says: decisions of every period, not of this one."""
    audit = make_audit(0)
    right = [0.25] + [None] * 23
    decided = [8] + [0] * 23
    audit.rule_health = audit.rule_health.with_columns(
        precision=pl.Series(right), decided=pl.Series(decided)
    )
    rows = [row for row in content(audit).rules if row.precision_percent is not None]
    assert [(row.precision_percent, row.decided) for row in rows] == [(25.0, 8)]
    assert "25 % of 8 right" in Report(audit).html()


def test_similar_findings_of_signed_months_are_named(make_audit):
    """A finding says which signed months had one about the same thing, the latest first."""
    audit = make_audit(2)
    audit.earlier = tuple(
        SignedMonth(label, AT, AT, "", found.select(list(MONTH_SCHEMA)))
        for label, found in (
            ("2026-08", audit.findings),
            ("2026-09", audit.findings.filter(pl.col("rule_id") == audit.findings["rule_id"][0])),
        )
    )
    seen = {row.rule_id: row.seen_before for row in content(audit).findings}
    assert seen[audit.findings["rule_id"][0]] == ("2026-09", "2026-08")
    assert seen[audit.findings["rule_id"][1]] == ("2026-08",)
    assert "also in 2026-09, 2026-08" in Report(audit).html()


@pytest.mark.parametrize(("outcome", "state"), [("complete", "none"), ("unprovable", "unknown")])
def test_empty_days_are_proven_or_unknown(make_audit, outcome, state):
    """A day without events is proven quiet only where the pull is proven complete."""
    held = content(make_audit(0, 1, outcome=outcome)).completeness
    assert [day.state for day in held.strip].count(state) == 30
    assert held.days_without == 30


def test_gaps_are_those_of_the_period(make_audit):
    """Stretches without an event are cut to the period; others are left out."""
    audit = make_audit(0, 0)
    gaps = ((date(2026, 8, 1), date(2026, 8, 9)), (date(2026, 9, 28), date(2026, 10, 2)))
    audit.coverage = replace(audit.coverage, gaps=gaps)
    assert content(audit).completeness.gaps == ((date(2026, 10, 1), date(2026, 10, 2)),)


def test_no_folder_of_the_machine_is_told(make_audit):
    """A source's folder is left out; its file name stays."""
    audit = make_audit(0)
    audit.coverage = replace(audit.coverage, source="/home/someone/logs/october.ndjson")
    html = Report(audit).html()
    assert "october.ndjson" in html
    assert "someone" not in html


def test_days_and_hours_are_local(make_audit):
    """An event late on a UTC evening counts to the next local day."""
    audit = make_audit(0, 300, timezone="Asia/Tokyo")
    counted = content(audit).activity
    assert sum(sum(s.counts) for s in counted.series) == 300
    assert sum(map(sum, counted.hours)) == 300


def from_elsewhere(make_audit, generation, failed=5):
    """An audit of records that another product wrote; ``failed`` of them carry an error code."""
    audit = make_audit(0, 20)
    records = [
        json.dumps(
            {"sourceIPAddress": "192.0.2.1"} | ({"errorCode": "Denied"} if n < failed else {})
        )
        for n in range(20)
    ]
    audit.events = audit.events.with_columns(
        generation=pl.lit(generation), metadata=pl.Series(records)
    )
    audit.settings = replace(audit.settings, frameworks=("pci-4", "soc2"))
    return audit


def clauses(said):
    return {one.clause: one for table in said.frameworks for one in table.clauses}


def test_what_a_source_records_is_not_called_missing(make_audit):
    """CloudTrail has an outcome and an address: neither limit nor clause says otherwise."""
    said = content(from_elsewhere(make_audit, "cloudtrail"))
    assert not any("records no" in line for line in said.method.limits)
    outcome, address = said.completeness.fields[-2:]
    assert (outcome.state, address.state, address.percent) == ("present", "present", 100.0)
    assert "(25 %)" in outcome.note
    assert not clauses(said)["10.2.1.4"].limit
    evidence = {one.evidence_id: one.statement for one in said.completeness.evidence}
    assert "is not assessed" in evidence["E18"]
    assert not clauses(said)["CC6.6"].limit


def test_blind_spots_of_the_catalog_are_told(make_audit):
    """The catalog's log has neither: limits, fields and clauses say so."""
    audit = make_audit(0)
    audit.settings = replace(audit.settings, frameworks=("pci-4", "soc2"))
    said = content(audit)
    assert sum("records no" in line for line in said.method.limits) == 2
    assert {one.state for one in said.completeness.fields[-2:]} == {"not recorded"}
    assert clauses(said)["10.2.1.4"].status == "not assessable from this log"
    assert clauses(said)["CC6.6"].limit.startswith("No address")


def test_unknown_sources_are_not_told_blind(make_audit):
    """Of a source nobody described, nothing is claimed either way."""
    said = content(from_elsewhere(make_audit, "something"))
    assert not any("records no" in line for line in said.method.limits)
    assert {one.state for one in said.completeness.fields[-2:]} == {"not assessed"}
    assert "not assessed" in clauses(said)["CC6.6"].limit


def test_events_without_a_sender_add_no_sender_to_the_conclusion(make_audit):
    """The conclusion and the activity section count the same senders."""
    audit = make_audit(0, 300)
    audit.events = audit.events.with_columns(
        sender_id=pl.when(pl.int_range(pl.len()) > 5).then("sender_id")
    )
    content = Report(audit).content()
    said = " ".join(content.conclusion.sentences)
    assert f"by {content.activity.senders} account" in said


def test_inactive_accounts_are_named_in_the_full_edition_alone(make_audit):
    """The counts and what they rest on stand in every edition."""
    audit = make_audit(0, 300)
    end = audit.period.end
    audit.accounts = pl.DataFrame(
        {"sender_id": ["a", "b", "c"], "label": ["Ann", "Bob", "Cid"],
         "first_at": [end - timedelta(days=200)] * 3, "last_at": [end] * 3,
         "days": [100, 50, 3], "role": ["admin", None, None], "disabled": [None] * 3},
        schema=ACCOUNT_SCHEMA,
    )  # fmt: skip
    full = Report(audit, identity="full").content().inactive
    assert full.over == ((45, 2), (90, 1))
    assert [row.account for row in full.rows] == ["Ann", "Bob"]
    covered = Report(audit, identity="aggregate").content().inactive
    assert replace(full, rows=()) == covered
