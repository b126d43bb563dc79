"""A month is signed when nothing stands in the way, or when what does was said and recorded."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from auditlens.audit import run_audit
from auditlens.canonical import sha256_hex
from auditlens.errors import IntegrityError, UsageError
from auditlens.review import SignOffOptions, is_shipped, sign_off
from auditlens.seals import canonical, parse_seal, read_sign_offs, seal_hash
from auditlens.triage import add_entry


def test_a_decided_month_is_signed_and_holds(signed):
    """The seal binds every input by its hash, and a third party gets the same bytes."""
    seal = parse_seal(signed.out / "seal.json")
    audit = signed.audit()
    chain = signed.archive.chain()
    assert seal.digests["archive_head"] == chain.links[-2].hash
    assert chain.covers.signed.hash == seal.hash
    assert seal.digests["rules"] == audit.rules.digest
    assert seal.digests["journal"] == audit.journal.digest
    assert seal.digests["cases"] == sha256_hex("")  # Nobody was shown a case before.
    counts = seal.data["counts"]["cases"]
    assert counts["total"] == audit.cases.height
    assert counts["decided"] == counts["total"] - counts["observations"] > 0
    assert counts["to_decide"] == 0
    assert seal.digests["input"] == audit.coverage.input_digest
    assert seal.data["despite"] == {"reason": "", "told": []}
    found = signed.verify()
    assert found.differences == ()
    assert found.notes == ()
    assert found.findings == audit.findings.height > 0
    assert found.seal == seal.hash


def test_the_signed_report_shows_reviewer_and_decisions(signed):
    """The report is no draft any more, and each finding carries who decided it and why."""
    content = json.loads((signed.out / "findings.json").read_bytes())
    assert content["cover"]["status"] == "reviewed"
    reviewer = next(one for one in content["sign_off"]["lines"] if one["role"] == "reviewer")
    assert reviewer["name"].startswith("Rita Quill")
    assert {one["reviewer"] for one in content["findings"]} == {"Bo Larch"}
    assert [one["exception_id"] for one in content["exceptions"]] == ["X-clean-up"]


def test_what_tests_the_rules_had_is_sealed(signed):
    """The report counts the tests of each rule as they were: later ones change no byte of it."""
    content = json.loads((signed.out / "findings.json").read_bytes())
    counted = {row["name"]: row["tests_match"] for row in content["rules"]}
    assert min(counted.values()) >= 1
    for tests in signed.rules.rglob("*.test.yml"):
        tests.unlink()
    assert signed.verify().differences == ()


def test_open_findings_forbid_a_signature(pulled):
    """Findings of medium and above must be decided first; the message counts and names them."""
    with pytest.raises(UsageError, match=r"cases? to decide at medium or above: C-"):
        pulled.sign(pulled.audit(), despite="")
    assert not (pulled.folder / "out").exists()
    assert (
        not (pulled.folder / "signed").exists()
        or not read_sign_offs(pulled.folder / "signed").seals
    )


def test_signing_despite_it_is_recorded(pulled):
    """The reason and what it was said about stand in the seal for good."""
    seal = pulled.sign(pulled.audit(), despite="first month, nobody was trained")
    assert seal.data["despite"]["reason"] == "first month, nobody was trained"
    assert "to decide at medium or above" in seal.data["despite"]["told"][0]
    assert pulled.verify().ok


def test_an_incomplete_log_forbids_a_signature(pulled):
    """Nobody signs half a log without saying so."""
    import dataclasses

    audit = pulled.audit()
    lacking = dataclasses.replace(audit.coverage, outcome="incomplete", statement="5 are missing.")
    with pytest.raises(UsageError, match=r"coverage is incomplete: 5 are missing"):
        pulled.sign(dataclasses.replace(audit, coverage=lacking), despite="")


@pytest.mark.parametrize("spelling", ["{name}", "{email}", "  {NAME} ", "X <{EMAIL}>", "{id}"])
def test_nobody_signs_over_their_own_open_finding(pulled, spelling):
    """However the reviewer writes the name, and whatever reason is given."""
    audit = pulled.audit()
    finding = audit.findings.filter(audit.findings["subject_kind"] == "sender").row(0, named=True)
    event = audit.events.filter(audit.events["sender_id"] == finding["subject_id"]).row(
        0, named=True
    )
    name, email = event["sender_name"], event["sender_email"]
    reviewer = spelling.format(name=name, email=email, NAME=name.upper(), EMAIL=email.upper(),
                               id=event["sender_id"])  # fmt: skip
    with pytest.raises(UsageError, match="is the subject of"):
        pulled.sign(audit, reviewer=reviewer, despite="I am in a hurry")


def test_a_decision_about_oneself_is_none(pulled, decide_finding):
    """A person who calls the own act benign leaves the case to decide."""
    audit = pulled.audit()
    senders = audit.findings.filter(
        (audit.findings["subject_kind"] == "sender")
        & audit.findings["level"].is_in(["medium", "high"])
    )
    own = senders.row(0, named=True)
    for finding in audit.findings.to_dicts():
        decide_finding(pulled, finding, by="Bo Larch")
    decide_finding(pulled, own, by=own["subject_label"], at="2026-06-02T11:00:00Z")
    with pytest.raises(UsageError, match=rf"1 case to decide at medium or above: {own['case_id']}"):
        pulled.sign(pulled.audit(), despite="")


def test_work_to_do_keeps_a_finding_open(pulled, decide_finding):
    """ "Needs work" is a note, not a decision."""
    audit = pulled.audit()
    for finding in audit.findings.to_dicts():
        decide_finding(pulled, finding, verdict="needs_work")
    with pytest.raises(UsageError, match="to decide at medium or above"):
        pulled.sign(pulled.audit(), despite="")


def test_a_signed_month_changes_only_by_an_amendment(signed, decide_finding):
    """The second signature needs a reason, has a number, and leaves the first as it was."""
    first = {path: path.read_bytes() for path in signed.out.iterdir()}
    finding = signed.audit().findings.row(0, named=True)
    decide_finding(signed, finding, "true_positive", at="2026-06-20T10:00:00Z")
    with pytest.raises(UsageError, match="2026-05 was signed by Rita Quill"):
        signed.sign(signed.audit(), out="out2")
    with pytest.raises(UsageError, match="never overwritten"):
        signed.sign(signed.audit(), amend="was real after all")
    seal = signed.sign(signed.audit(), out="out2", amend="was real after all")
    assert seal.path.name == "2026-05.a1.json"
    assert seal.data["amends"] == parse_seal(signed.out / "seal.json").hash == seal.data["previous"]
    assert first == {path: path.read_bytes() for path in signed.out.iterdir()}
    assert (
        json.loads((signed.folder / "out2" / "findings.json").read_bytes())["cover"]["amendment"]
        == 1
    )
    assert signed.verify("out2").ok


def test_an_amendment_of_nothing_is_refused(pulled):
    """There must be something to amend."""
    with pytest.raises(UsageError, match="was not signed yet"):
        pulled.sign(pulled.audit(), amend="why not")


def test_a_draft_never_replaces_a_signed_report(signed):
    """The report command leaves a signed folder alone."""
    from auditlens.review import ReportOptions, write_report

    with pytest.raises(UsageError, match=r"such as 'seal\.json'"):
        write_report(signed.audit(), signed.out, ReportOptions(), (signed.rules,))


def test_what_a_killed_sign_off_left_is_replaced(pulled, monkeypatch):
    """A report folder whose seal never reached the sign-offs was not signed."""
    from auditlens.files import put

    def killed(path, data, **how):
        if how:
            raise KeyboardInterrupt
        put(path, data)

    with monkeypatch.context() as patched:
        patched.setattr("auditlens.review.signing.put", killed)
        with pytest.raises(KeyboardInterrupt):
            pulled.sign(pulled.audit())
    left = (pulled.out / "seal.json").read_bytes()
    again = pulled.sign(pulled.audit())
    assert again.path.read_bytes() == left
    assert pulled.verify().ok


def test_a_sign_off_killed_before_the_archive_knew_is_sealed_by_the_next_write(
    pulled, monkeypatch, pull_again
):
    """The month is signed; verify says that the head does not cover it yet, until it does."""
    from auditlens.archive import Archive

    def killed(self, now):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Archive, "cover", killed)
        with pytest.raises(KeyboardInterrupt):
            pulled.sign(pulled.audit())
    found = pulled.archive.verify()
    assert found.ok
    assert any("1 sign-off since then" in note for note in found.notes)
    pull_again(pulled, datetime(2026, 6, 4, tzinfo=UTC))
    assert pulled.archive.verify().notes == ()
    (pulled.folder / "signed" / "2026-05.json").unlink()
    assert "signed/2026-05.json" in str(pulled.archive.verify().problems[0])


def test_journal_lines_that_came_meanwhile_are_not_signed_unseen(pulled, decide_finding):
    """What is signed is what was checked."""
    audit = pulled.audit()
    decide_finding(pulled, audit.findings.row(0, named=True))
    with pytest.raises(UsageError, match="changed while the month was checked"):
        pulled.sign(audit)


def test_a_seal_put_in_from_elsewhere_breaks_the_chain(signed):
    """A seal with a good hash of its own still has to follow the one before."""
    path = signed.folder / "signed" / "2026-05.json"
    data = json.loads(path.read_bytes()) | {"previous": "00" * 32}
    path.write_bytes(canonical({**data, "seal": seal_hash(data)}))
    with pytest.raises(IntegrityError, match="does not follow"):
        read_sign_offs(path.parent)


def test_later_pulls_and_later_decisions_leave_a_signed_month_alone(signed, pull_again):
    """Next month's work does not break last month's report."""
    head = signed.archive.head
    pull_again(signed, datetime(2026, 7, 2, tzinfo=UTC))
    add_entry(signed.journal, {"finding": "F-AAAAAAAAAA", "as": "benign", "by": "Bo",
                               "reason": "June", "at": "2026-07-02T00:00:00Z"})  # fmt: skip
    assert signed.archive.head != head
    found = signed.verify()
    assert found.differences == ()
    assert any("1 entry added" in note for note in found.notes)


def test_a_month_that_is_not_over_cannot_be_signed(pulled):
    """There is still time for it to change."""
    import dataclasses

    early = dataclasses.replace(pulled.audit(), run_at=datetime(2026, 5, 31, 23, 59, tzinfo=UTC))
    with pytest.raises(UsageError, match="not over before 2026-06-01 00:00 UTC"):
        pulled.sign(early)


def test_a_part_of_the_shipped_rules_can_be_signed_and_verified(pulled):
    """The record names the folder, and those who verify find it in their own copy."""
    from auditlens.resources import rules_folder
    from auditlens.review import LocalInputs, verify_report
    from auditlens.rules import load_rules

    part = rules_folder() / "secoda" / "exposure"
    settings = replace(pulled.settings, rules=part)
    audit = run_audit(
        pulled.archive, load_rules(part), period="2026-05", settings=settings,
        now=pulled.run.run_at,
    )  # fmt: skip
    options = SignOffOptions("Rita Quill", despite="first month")
    sign_off(audit, (part,), pulled.out, options)
    judged = verify_report(pulled.out, pulled.archive, LocalInputs(settings, pulled.journal, None))
    assert judged.differences == ()


def test_rules_of_ones_own_are_sealed_beside_the_others(pulled):
    """Both are in the record; a change is found; who has the report alone can verify it."""
    from auditlens.resources import rules_folder
    from auditlens.review import LocalInputs, compare_rules, open_folder, verify_report
    from auditlens.rules import draft_rule, roots_read, rule_roots

    path, _ = draft_rule("our_own_little_rule", pulled.folder / "ours")
    settings = replace(
        pulled.settings, rules=rules_folder() / "secoda" / "exposure", own_rules=path.parent
    )
    audit = run_audit(pulled.archive, period="2026-05", settings=settings, now=pulled.run.run_at)
    assert "our_own_little_rule" in {rule.name for rule in audit.rules.rules}
    assert (audit.findings["rule_id"] == audit.rules["our_own_little_rule"].id).any()
    options = SignOffOptions("Rita Quill", despite="first month")
    sign_off(audit, roots_read(audit.rules, settings), pulled.out, options)

    unknown = replace(settings, own_rules=None, rules=None)
    third_party = LocalInputs(unknown, pulled.journal, None)
    judged = verify_report(pulled.out, pulled.archive, third_party)
    assert judged.differences == ()
    assert "own_rules" in " ".join(judged.notes)

    record = open_folder(pulled.out)[0].record
    assert list(compare_rules(record, rule_roots(settings))) == []
    path.write_text(path.read_text() + "# tuned\n")
    (found,) = compare_rules(record, rule_roots(settings))
    assert found.place == str(path)


@pytest.mark.parametrize(
    ("name", "ours"),
    [("secoda", True), ("secoda/x/y", True), (".", True), ("../x", False), ("secoda/../..", False),
     ("/etc", False), ("elsewhere", False)],
)  # fmt: skip
def test_a_record_names_shipped_rules_alone(name, ours):
    """An edited record cannot lead outside."""
    assert is_shipped(name) is ours
