"""A benign decision mutes a family until a day: it changes ranking, says so, and ends."""

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

import auditlens as al
from auditlens.anomalies import Mute
from auditlens.errors import DocumentErrors
from auditlens.period import Period
from auditlens.triage import parse_journal, suppressions

LINE = (
    "- {{finding: F-AAAAAAAAAA, as: {verdict}, by: Ana, reason: a new task, at: {at}, "
    "rule: {rule}, subject: '{who}', family: {family}, until: {until}}}\n"
)
USUAL = {"verdict": "benign", "at": "2026-05-31T09:00:00Z", "rule": "sender-day",
         "family": "self", "until": "2026-06-30", "who": "u-1"}  # fmt: skip


def journal(**given):
    return parse_journal(LINE.format(**{**USUAL, **given}), Path("triage.yml"))


@pytest.fixture(scope="module")
def strongest(audited):
    """The strongest anomaly of a sender, and its first family."""
    found = audited.findings.filter(
        pl.col("kind") == "anomaly", pl.col("subject_kind") == "sender"
    ).sort("score_rank")
    row = found.row(0, named=True)
    return row["subject_id"], row["reasons"][0]["family"], row["finding_id"]


def of(audit, who):
    return audit.findings.filter(
        pl.col("kind") == "anomaly", pl.col("subject_id") == who
    ).to_dicts()


def test_a_mute_changes_the_ranking_and_the_finding_names_the_decision(
    log, few_rules, audited, strongest
):
    """The muted sender's score falls; others keep theirs; nothing is hidden in silence."""
    who, family, _ = strongest
    taught = al.run_audit(log, few_rules, period="2026-06", journal=journal(who=who, family=family))
    mine = pl.col("sender_id") == who
    before, after = (one.sender_days.filter(mine)["score"].max() for one in (audited, taught))
    assert after < before
    told = f"Muted by Ana until 2026-06-30: {family} (F-AAAAAAAAAA, a new task)"
    assert any(told in note for note in taught.model["notes"])
    for finding in of(taught, who):
        assert any(told in reason["text"] for reason in finding["reasons"])


def test_what_ended_before_or_began_after_changes_nothing(log, few_rules, audited, strongest):
    """June comes out as it was signed: a decision of July teaches July, one of April is over."""
    who, family, finding = strongest
    over = {"at": "2026-04-01T09:00:00Z", "until": "2026-05-31"}
    later = {"at": "2026-07-02T09:00:00Z", "until": "2026-08-31"}
    text = "".join(
        LINE.format(**{**USUAL, "who": who, "family": family, **given}).replace(
            "F-AAAAAAAAAA", name
        )
        for name, given in (("F-AAAAAAAAAA", over), (finding, later))
    )
    read = parse_journal(text, Path("triage.yml"))
    again = al.run_audit(log, few_rules, period="2026-06", journal=read)
    assert again.sender_days.equals(audited.sender_days)
    assert again.model["notes"] == audited.model["notes"]
    assert not any("Left out" in str(one["reasons"]) for one in of(again, who))


@pytest.mark.parametrize(
    ("at", "until", "held"),
    [
        ("2026-05-31T09:00:00Z", "2026-06-01", True),
        ("2026-06-29T09:00:00Z", "2026-07-31", True),
        ("2026-06-30T09:00:00Z", "2026-07-31", False),
        ("2026-05-01T09:00:00Z", "2026-05-31", False),
    ],
)
def test_a_mute_holds_from_the_day_after_it_to_its_last_day(at, until, held):
    """Just inside and just outside of June."""
    found = suppressions(journal(at=at, until=until), Period.parse("2026-06"))
    assert bool(found) is held
    if held:
        assert found[0].mute == Mute(
            "u-1", "self", date.fromisoformat(until) + timedelta(days=1),
            "a new task", since=date.fromisoformat(at[:10]),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"verdict": "true_positive"}, "only a benign anomaly"),
        ({"rule": "resource-day"}, "only a benign anomaly"),
        ({"family": "moods"}, "not a family"),
        ({"until": "2028-01-01"}, "within 365 days"),
        ({"until": "2026-05-01"}, "within 365 days"),
    ],
)
def test_a_mute_that_says_nonsense_is_refused_with_its_line(given, word):
    """Nothing is muted for ever, for everyone, or without a decision that it is benign."""
    with pytest.raises(DocumentErrors, match=word):
        journal(**given)


def test_old_journals_keep_their_digest():
    """A journal without mutes says what it always said: signed months still hold."""
    text = "- {finding: F-AAAAAAAAAA, as: benign, by: Ana, reason: why, at: 2026-05-31T09:00:00Z}\n"
    (said,) = parse_journal(text, Path("triage.yml")).texts
    assert "family" not in said
    assert "until" not in said
