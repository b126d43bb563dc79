"""Identity modes: who is named, who is not, and that nobody can be guessed without the key."""

import re

import polars as pl
import pytest

from auditlens.errors import UsageError
from auditlens.report import Disposition, Report, Review, pseudonyms

KEY = b"a key of sixteen bytes or more"
FORMS = ("ndjson", "ocsf", "oscal")


def names_of(audit):
    """Every name, address and id of a person or resource in the log."""
    columns = ("sender_id", "sender_name", "sender_email", "resource_title", "resource_id")
    found = {value for name in columns for value in audit.events[name].drop_nulls().to_list()}
    return found | set(audit.findings["subject_label"].to_list())


@pytest.mark.parametrize("mode", ["pseudonymous", "aggregate"])
def test_no_name_is_left_in_any_file(make_audit, mode):
    """No name, address, title or id of the log stands in any form of a redacted report."""
    audit = make_audit(40, text="")
    review = Review(dispositions=(Disposition(audit.findings["finding_id"][0], "benign",
                                              reason="Ada Birch was on call"),))  # fmt: skip
    files = Report(audit, identity=mode, key=KEY, review=review).files(also=FORMS)
    for name, data in files.items():
        if not name.endswith(".parquet"):
            assert not [one for one in names_of(audit) if one.encode() in data], name
    assert b"Ada Birch" not in files["findings.parquet"]


@pytest.mark.parametrize("mode", ["pseudonymous", "aggregate"])
def test_free_text_of_reasons_is_dropped(make_audit, mode):
    """A sentence that names somebody does not pass."""
    audit = make_audit(8, text="Ada Birch did it")
    report = Report(audit, identity=mode, key=KEY)
    for row in report.content().findings:
        told = [row.subject_id, row.subject_label, *(one.text for one in row.reasons)]
        assert "Ada" not in " ".join(told)
    assert {one["text"] for row in report.inputs.findings["reasons"] for one in row} == {""}


@pytest.mark.parametrize(
    ("mode", "headline"),
    [("pseudonymous", r"[SR]-\w+: .+"), ("aggregate", r"(An account|A resource): .+")],
)
def test_headline_of_a_case_holds_no_phrase(make_audit, mode, headline):
    """A headline is made anew from the pseudonym and the titles: a phrase may hold a name."""
    audit = make_audit(8)
    told = [
        [one | {"phrase": "helped Ada Birch"} for one in reasons]
        for reasons in audit.findings["reasons"].to_list()
    ]
    schema = audit.findings.schema["reasons"]
    audit.findings = audit.findings.with_columns(reasons=pl.Series(told, dtype=schema))
    assert "Ada Birch" in " ".join(audit.cases["headline"])
    report = Report(audit, identity=mode, key=KEY)
    for row in report.content().cases:
        assert re.fullmatch(headline, row.headline)
        assert len(row.headline) <= 90
        named = [row.subject_id, row.subject_label, *row.actors, *row.resources, row.headline]
        assert not [one for one in names_of(audit) if one in " ".join(named)]
    assert b"Ada Birch" not in report.files()["cases.parquet"]


def test_case_ids_of_a_redacted_report_are_its_own(make_audit):
    """A case id is made of the account's id and a week, which can be guessed, so none is told."""
    audit = make_audit(40)
    known = set(audit.cases["case_id"])
    for mode in ("pseudonymous", "aggregate"):
        report = Report(audit, identity=mode, key=KEY)
        files = report.files(also=FORMS)
        assert not [n for n, data in files.items() for one in known if one.encode() in data]
        cases = report.content().cases
        ids = {row.case_id for row in cases}
        assert len(ids) == len(known)
        assert {one for row in cases for one in row.related} <= ids
        assert {row.case_id for row in report.content().findings} == ids


def test_finding_ids_are_the_same_in_all_modes(make_audit):
    """Editions can be laid side by side by finding id."""
    audit = make_audit(40)
    full, redacted, grouped = (
        Report(audit, identity=mode, key=KEY).content()
        for mode in ("full", "pseudonymous", "aggregate")
    )
    ids = [row.finding_id for row in full.findings]
    assert ids == [row.finding_id for row in redacted.findings]
    assert ids == [row.finding_id for row in grouped.findings]


def test_one_person_has_one_pseudonym(make_audit):
    """The same sender has the same label in findings, activity and profiles."""
    content = Report(make_audit(40), identity="pseudonymous", key=KEY).content()
    labels = {row.subject_label for row in content.findings if row.subject_kind == "sender"}
    assert labels <= {share.label for share in content.activity.top_senders}
    assert all(label.startswith("S-") and len(label) == 8 for label in labels)


def test_another_key_gives_other_pseudonyms():
    """Without the key the labels say nothing."""
    one, two = (pseudonyms("S", ["ada"], key) for key in (KEY, KEY[::-1]))
    assert one != two


def test_equal_short_labels_are_told_apart(monkeypatch):
    """Two people whose short labels meet both get longer ones."""
    real = __import__("auditlens.report.redact", fromlist=["pseudonym"]).pseudonym

    def meeting(prefix, value, key, length=6):
        return "S-SAME" if length == 6 else real(prefix, value, key, length)

    monkeypatch.setattr("auditlens.report.redact.pseudonym", meeting)
    labels = pseudonyms("S", ["ada", "kai"], KEY)
    assert len(set(labels.values())) == 2


def test_pseudonyms_need_a_key(make_audit, monkeypatch):
    """Without a key, or with a short one, the fix is told."""
    monkeypatch.delenv("AUDITLENS_IDENTITY_KEY", raising=False)
    with pytest.raises(UsageError, match="AUDITLENS_IDENTITY_KEY"):
        Report(make_audit(1), identity="pseudonymous")
    with pytest.raises(UsageError, match="16 bytes"):
        Report(make_audit(1), identity="pseudonymous", key=b"short")


def test_key_comes_from_the_environment(make_audit, monkeypatch):
    """The key may come from the environment, and stands in no file."""
    monkeypatch.setenv("AUDITLENS_IDENTITY_KEY", KEY.decode())
    files = Report(make_audit(3), identity="pseudonymous").files(also=FORMS)
    assert not [name for name, data in files.items() if KEY in data]


def test_aggregate_withholds_small_groups(make_audit):
    """In aggregate mode no count rests on fewer than five senders, and nobody is listed."""
    content = Report(make_audit(10, 40), identity="aggregate").content()
    assert content.activity.withheld_below == 5
    assert content.activity.top_senders == ()
    assert content.profiles == ()
    assert content.access.sample == ()
    assert None in content.activity.hours[0]


def test_unknown_mode_is_told(make_audit):
    """A mode that does not exist names those that do."""
    with pytest.raises(UsageError, match="pseudonymous"):
        Report(make_audit(1), identity="hidden")


def test_keeper_of_the_key_can_look_people_up(make_audit):
    """The map from label to person is given on request, and for pseudonyms alone."""
    audit = make_audit(10)
    report = Report(audit, identity="pseudonymous", key=KEY)
    known = report.identities()
    row = next(one for one in report.content().findings if one.subject_kind == "sender")
    real = audit.findings.filter(audit.findings["finding_id"] == row.finding_id)
    found = known.filter(known["label"] == row.subject_label)
    assert found["name"].to_list() == real["subject_label"].to_list()
    with pytest.raises(UsageError, match="no pseudonyms"):
        Report(audit).identities()
