"""The shipped rules: each passes its own tests, reads as agreed, and is quiet in quiet times."""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from functools import cache
from pathlib import Path
from uuid import UUID

import polars as pl
import pytest

from auditlens.events import classify, decode_records
from auditlens.period import Period
from auditlens.report import load_pack, pack_names
from auditlens.rules import (
    Correlation,
    Detection,
    check_rules,
    evaluate,
    load_rules,
    read_cases,
    run_case,
    run_tests,
    sidecar_path,
)
from auditlens.simulator import simulate

ROOT = Path(__file__).resolve().parents[2]
PACKS = {product: load_rules(product=product) for product in ("secoda", "cloudtrail")}
THEMES = {"identity", "privilege", "exposure", "tampering", "configuration", "quality",
          "governance"}  # fmt: skip
MACHINES = ("system", "automation", "monitor", "integration")
ALSO_MACHINES = {
    "secoda_admin_role_granted", "secoda_change_without_person",
    "secoda_endless_access_to_sensitive_data", "secoda_own_request_approved",
}  # fmt: skip
"""Rules that hold whoever acts: a grant by provisioning is as grave as one by hand."""

FOUND = {
    "api_key_bulk": "correlation_secoda_key_then_bulk_change",
    "dormant_return": "secoda_dormant_account_returns",
    "gone_but_active": "correlation_secoda_removed_account_active",
    "mass_delete": "correlation_secoda_mass_deletion",
    "permission_churn": "correlation_secoda_rights_churn",
    "pii_stripped": "correlation_secoda_pii_marks_stripped",
    "privilege_chain": "secoda_own_role_raised",
    "self_approval": "secoda_own_request_approved",
}
"""Planted incidents that leave evidence in the log as it is known, and the rule for each."""


TEXTS_SAY = {"righ": "perm", "mark": "clas"}
"""Rights and marks stand in names, which never change; texts use the words of the field."""


def word_beginnings(name: str) -> set[str]:
    """The beginnings of a text's words, those that every text has left out."""
    words = re.findall(r"[a-z]{3,}", name.lower())
    return {word[:4] for word in words} - {"corr", "seco", "clou", "detects"}


@cache
def cases_of(product: str) -> dict:
    """The tests beside each rule of a pack, by the rule's name; events as they are written."""
    return {
        rule.name: read_cases(sidecar_path(rule.path), classified=False) for rule in PACKS[product]
    }


def faults_of(product: str, check) -> list[str]:
    """The names of rules for which a check fails, so that a failing test names them all."""
    return [rule.name for rule in PACKS[product] if not check(rule)]


@pytest.mark.parametrize("product", PACKS)
def test_every_rule_passes_the_tests_beside_it(product):
    """Every case of every sidecar, run by the real engine."""
    results = run_tests(PACKS[product])
    assert len(results) >= 2 * len(PACKS[product])
    assert [f"{one.rule}: {one.name}: {one.message}" for one in results if not one.passed] == []


@pytest.mark.parametrize("product", PACKS)
def test_every_rule_has_a_test_that_matches_and_one_that_does_not(product):
    """And no test is for another rule."""

    def proven(rule) -> bool:
        cases = cases_of(product)[rule.name]
        expected = {case.expect for case in cases}
        return {"match", "no_match"} <= expected and {case.rule for case in cases} == {rule.name}

    assert faults_of(product, proven) == []


@pytest.mark.parametrize("product", PACKS)
def test_sidecars_have_the_cases_their_kind_asks_for(product):
    """Windows are tried from both sides, other groups and orders; habits from a cold start."""

    def tried(rule) -> bool:
        cases = cases_of(product)[rule.name]
        kinds = {case.kind for case in cases}
        if isinstance(rule.body, Correlation):
            wanted = {"just inside", "just outside", "other group"}
            wanted |= {"wrong order"} if rule.body.type == "temporal_ordered" else set()
            outside = {case.expect for case in cases if case.kind == "just outside"}
            return wanted <= kinds and outside == {"no_match"}
        if rule.kind == "behaviour":
            learning = "learning" in {case.expect for case in cases}
            return learning and {"cold start", "just inside", "just outside"} <= kinds
        return True

    assert faults_of(product, tried) == []


@pytest.mark.parametrize("product", PACKS)
def test_name_file_title_and_description_guess_each_other(product):
    """Who knows one of them finds the rule."""
    for rule in PACKS[product]:
        assert rule.path.name.split(".")[0] == rule.name
        assert re.fullmatch(rf"(correlation_)?{product}_[a-z0-9_]+", rule.name)
        assert rule.name.startswith("correlation_") == (rule.kind == "correlation"), rule.name
        assert rule.path.name.endswith(".behaviour.yml") == (rule.kind == "behaviour"), rule.name
        assert 10 <= len(rule.path.name) <= 70, rule.name
        assert rule.path.parent.name in THEMES, rule.name
        named = {TEXTS_SAY.get(word, word) for word in word_beginnings(rule.name)}
        said = word_beginnings(f"{rule.title} {rule.description} {rule.phrase}")
        assert 2 * len(named & said) >= len(named), rule.name
        assert rule.description.startswith("Detects "), rule.name


@pytest.mark.parametrize("product", PACKS)
def test_titles_and_phrases_fit_where_they_are_shown(product):
    """A title is short and no other rule's; a phrase begins as it goes on after a name."""
    titles = [rule.title for rule in PACKS[product]]
    assert len(set(titles)) == len(titles)
    for rule in PACKS[product]:
        assert len(rule.title) <= 60, rule.name
        if rule.kind != "behaviour" or rule.phrase:
            assert re.fullmatch(r"[a-z].*[^.]", rule.phrase), rule.name


@pytest.mark.parametrize("product", PACKS)
def test_rules_say_what_a_reader_of_a_finding_needs(product):
    """Date, author, false positives, a reason in plain words, and clauses of shipped frameworks."""
    for rule in PACKS[product]:
        assert rule.author == "AuditLens", rule.name
        assert rule.status == "experimental", rule.name
        assert rule.falsepositives, rule.name
        assert rule.references, rule.name
        assert rule.level == "informational" or (rule.reason and rule.controls), rule.name
        cited = {control.casefold().replace(":a.", ":") for control in rule.controls}
        assert cited <= clauses(), rule.name


@cache
def clauses() -> frozenset[str]:
    """Every clause of the shipped frameworks, as rules cite them."""
    return frozenset(
        f"{alias}:{clause.clause}".casefold()
        for name in pack_names()
        for alias in load_pack(name).aliases
        for clause in load_pack(name).clauses
    )


@pytest.mark.parametrize("product", PACKS)
def test_ids_are_random_uuids_and_unique(product):
    """Ids come from nobody's counter; findings and decisions hang on them."""
    ids = [UUID(rule.id) for pack in PACKS.values() for rule in pack.rules]
    assert {one.version for one in ids} == {4}
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("product", PACKS)
def test_inputs_make_no_findings_and_the_others_do(product):
    """Level informational means input: it feeds a rule that is on, and is not reported itself."""
    rules = PACKS[product]
    internal = rules.internal
    for rule in rules.rules:
        if rule.enabled:
            assert (rule.level == "informational") == (rule.id in internal), rule.name


@pytest.mark.parametrize("product", PACKS)
def test_rules_check_finds_nothing_to_remark(product):
    """Errors and warnings, those of the offline SigmaHQ validators included."""
    found = check_rules(product=product)
    assert [str(one) for one in found.problems if one.severity != "note"] == []
    assert set(found.rule_table()["data"]) <= {"A", "B", "C"}


def test_pack_is_as_large_and_as_broad_as_promised():
    """At least 45 rules over seven themes and every kind, and 12 for the second product."""
    secoda = [rule for rule in PACKS["secoda"].rules if rule.level != "informational"]
    assert len(secoda) >= 45
    assert {rule.path.parent.name for rule in secoda} == THEMES
    types = {rule.body.type for rule in secoda if not isinstance(rule.body, Detection)}
    assert types >= {"event_count", "value_count", "temporal_ordered", "first_seen",
                     "dormant_return", "off_hours", "deviation", "silence"}  # fmt: skip
    assert len([r for r in PACKS["cloudtrail"].rules if r.level != "informational"]) >= 12


def test_rules_without_evidence_in_the_log_are_off_and_say_why():
    """Exports, views and failed logins were seen in no record."""
    for rule in PACKS["secoda"].rules:
        assert rule.enabled == (not rule.reason_off)
        if rule.data == "C":
            assert not rule.enabled, rule.name


def test_rules_about_people_do_not_fire_on_machines():
    """What makes a rule on single events fire is tried again with each machine as its sender."""
    rules = PACKS["secoda"]
    people = [rule for rule in rules if rule.level != "informational" and rule.kind == "rule"
              and rule.name not in ALSO_MACHINES]  # fmt: skip
    pieces = [
        case.events.with_columns(pl.lit(rule.id).alias("generation"))
        for rule in people
        for case in read_cases(sidecar_path(rule.path))
    ]
    # The column of the record's generation, which rules do not read, says whose test it is.
    events = pl.concat(pieces)
    assert events.height > 150
    for kind in MACHINES:
        frame = events.with_columns(
            pl.lit(kind).alias("sender_kind"), pl.lit(None, pl.String).alias("generation")
        )
        hits = rules.only(*(rule.id for rule in people)).match(frame)
        own = hits["rule_id"] == events["generation"].gather(hits["row"])
        names = {rules[one].name for one in hits.filter(own)["rule_id"]}
        assert names == set(), f"fire on {kind}"


def test_both_generations_of_record_give_the_same_findings():
    """What a rule finds does not hang on which API the workspace has."""
    workspace = simulate(3, people=12, days=45, resources=400, incidents=1)
    found = [
        evaluate(PACKS["secoda"], classify(decode_records(workspace.records(generation)).events),
                 Period.parse("2026-06")).episodes
        for generation in ("legacy", "current")
    ]  # fmt: skip
    assert found[0].height > 0
    assert found[0].drop("reason").equals(found[1].drop("reason"))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_a_month_without_incidents_is_readable(seed):
    """Sixty people: at most seven findings of medium or above, and fifty in all."""
    people = 60
    workspace = simulate(seed, people=people, days=90, incidents=False)
    events = classify(decode_records(workspace.records()).events)
    found = evaluate(PACKS["secoda"], events, Period.parse("2026-06")).episodes
    counts = Counter(found["level"].to_list())
    assert counts["medium"] + counts["high"] + counts["critical"] <= people / 10 + 1, counts
    assert found.height <= 50


@pytest.mark.slow
def test_planted_incidents_with_evidence_are_found():
    """For each kind the rule that is meant for it names the sender or the resource."""
    workspace = simulate(0, people=60, days=90)
    events = classify(decode_records(workspace.records()).events)
    period = Period.parse("2026-04-02..2026-06-30")
    found = evaluate(PACKS["secoda"], events, period).episodes
    rules = PACKS["secoda"]
    for label in workspace.labels.iter_rows(named=True):
        if label["kind"] in FOUND:
            mine = found.filter(rule_id=rules[FOUND[label["kind"]]].id)
            days = mine.filter(
                pl.col("first_at") <= label["end"], pl.col("last_at") >= label["start"]
            )
            assert days.height, label["kind"]


def test_template_is_a_rule_and_the_tests_written_in_it_pass(tmp_path):
    """Who copies it begins with something that works."""
    text = (PACKS["secoda"].rules[0].path.parents[2] / "_template.yml").read_text(encoding="utf-8")
    name = "secoda_template_rule"
    tests = text[text.index(f"#   rule: {name}") :].replace("#   ", "")
    (tmp_path / f"{name}.yml").write_text(text, encoding="utf-8")
    (tmp_path / f"{name}.test.yml").write_text(tests, encoding="utf-8")
    rules = load_rules(tmp_path)
    cases = read_cases(tmp_path / f"{name}.test.yml")
    assert [run_case(rules, case).message for case in cases] == ["", ""]
    left = [one for one in check_rules(tmp_path).problems if one.severity != "note"]
    assert {(one.code, one.message.split("'")[1]) for one in left} == {
        ("unfilled", "id"), ("unfilled", "author")}  # fmt: skip


def test_page_of_the_pack_is_current():
    """Run ``python3 dev docs`` when this fails."""
    place = ROOT / "tests" / "docs" / "rules_pack.py"
    spec = importlib.util.spec_from_file_location("rules_pack", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (ROOT / "docs" / "rules-pack.md").read_text(encoding="utf-8")
    assert module.with_tables(page) == page
    for placeholder in re.findall(r"^\| `(\w+)` \| `\w+` \| the", page, flags=re.MULTILINE):
        assert any(placeholder in rule.reason_off for rule in PACKS["secoda"].rules)
