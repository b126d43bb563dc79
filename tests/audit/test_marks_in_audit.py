"""The directory feeds rules and model, and its seal stands in the provenance."""

from datetime import UTC, datetime

import polars as pl
import pytest

import auditlens as al
from auditlens.archive import Archive

MAY = datetime(2026, 5, 20, tzinfo=UTC)
JULY = datetime(2026, 7, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def never(log, few_rules):
    """The audit of a workspace whose directory was never pulled."""
    return run(log, few_rules, None)


def run(log, rules, history):
    return al.run_audit(log, rules, period="2026-06", directory=history)


def test_a_disabled_account_that_acts_is_a_finding(log, few_rules, pulls, made_up):
    """Each disabled person of the directory who did more than read, and nobody else."""
    busy = log.filter(pl.col("sender_kind") == "user")["sender_id"].value_counts(sort=True)
    gone = busy["sender_id"][0]
    users = made_up.directory.users.with_columns(disabled=pl.col("id") == gone)
    audit = run(log, few_rules, pulls(MAY, users=users))
    found = audit.findings.filter(pl.col("title") == "Disabled Account Used")
    assert found["subject_id"].unique().to_list() == [gone]
    missing = dict(audit.rule_health.select("name", "fields_missing").iter_rows())
    assert missing["secoda_disabled_account_acted"] == []


def test_a_viewer_who_changes_personal_data_is_a_finding(log, few_rules, pulls, made_up):
    """Role and PII mark both come from the directory."""
    roles = made_up.directory.users.with_columns(role=pl.lit("Viewer"))
    audit = run(log, few_rules, pulls(MAY, users=roles))
    found = audit.findings.filter(pl.col("title") == "Sensitive Data Changed by Viewer or Guest")
    marked = made_up.directory.resources.filter(pl.col("pii"))["id"].to_list()
    ids = found["event_ids"].explode().to_list()
    touched = log.filter(pl.col("id").is_in(ids))["resource_id"]
    assert found.height
    assert touched.is_in(marked).all()


def test_without_a_directory_the_rules_say_what_they_never_saw(never):
    """Blind is told apart from quiet."""
    missing = dict(never.rule_health.select("name", "fields_missing").iter_rows())
    assert missing == {
        "secoda_disabled_account_acted": ["sender.disabled"],
        "secoda_pii_changed_by_viewer": ["resource.pii", "sender.role"],
    }
    assert "directory_head" not in never.provenance
    assert never.directory is None


def test_a_pull_after_the_period_changes_nothing(log, few_rules, pulls, made_up, never):
    """A report stays what it was, whatever is pulled later."""
    everyone = made_up.directory.users.with_columns(disabled=pl.lit(value=True))
    later = run(log, few_rules, pulls(JULY, users=everyone))
    assert later.findings.drop("detected_at").equals(never.findings.drop("detected_at"))
    assert later.provenance == never.provenance


def test_the_same_directory_gives_the_same_findings_and_its_seal_is_told(log, few_rules, pulls):
    """Twice the same, and the provenance names date and hash of the last pull used."""
    history = pulls(MAY, datetime(2026, 6, 10, tzinfo=UTC), JULY)
    one, two = (run(log, few_rules, history) for _ in range(2))
    assert one.findings.drop("detected_at").equals(two.findings.drop("detected_at"))
    assert one.sender_days.equals(two.sender_days)
    assert one.provenance["directory_at"] == "2026-06-10T00:00:00Z"
    assert one.provenance["directory_head"] == f"{1:064d}"
    assert one.directory.users.height == 11


def test_the_catalog_makes_a_log_without_marks_as_good_as_one_with(log, few_rules, pulls):
    """Without marks in the records the sensitivity family is silent; the catalog gives it back."""
    bare = log.with_columns(
        metadata=pl.col("metadata").str.replace_all(r'"pii":(true|false),?', "")
    )
    columns = ["sensitive", "sensitive_new"]
    blind = run(bare, few_rules, None).sender_days.select(pl.col(columns).sum())
    seeing = run(bare, few_rules, pulls(MAY)).sender_days.select(pl.col(columns).sum())
    assert blind.row(0) == (0, 0)
    assert seeing["sensitive"][0] > seeing["sensitive_new"][0] > 0


def test_an_archive_brings_its_directory_and_a_report_its_seal(made_up, few_rules, tmp_path):
    """Pulled, sealed, read as of the period's end, shown in the report, and done again."""
    from auditlens.report import Report
    from auditlens.simulator import serve
    from auditlens.sources import SecodaSource

    archive = Archive(tmp_path / "archive")
    with serve(made_up, page_size=1000) as server:
        source = SecodaSource(server.url, server.key)
        archive.sync(source)
        sealed, _ = archive.pull_directory(source.directory(), now=lambda: MAY)
        source.close()
    audit = al.run_audit(archive, few_rules, period="2026-06")
    assert audit.provenance["directory_head"] == sealed.hash
    assert sealed.hash in Report(audit).html()
