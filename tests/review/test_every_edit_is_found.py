"""Whatever is edited after a sign-off, verify names it; what may be added, it leaves alone."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditlens.review import open_folder
from auditlens.seals import canonical, seal_hash
from auditlens.triage import add_entry

KINDS = ("archive", "rules", "journal", "report", "manifest", "seal", "sign-offs", "files")


@contextmanager
def edited(path: Path, data: bytes | None) -> Iterator[None]:
    """Change a file (None: take it away) for the length of a block."""
    before = path.read_bytes() if path.exists() else None
    if data is None:
        path.unlink()
    else:
        path.write_bytes(data)
    try:
        yield
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_bytes(before)


def mangled(data: bytes, chance: random.Random) -> bytes:
    """One small edit: a bit, a byte more or less, a cut tail, two bytes swapped."""
    if not data:
        return b"x"
    at = chance.randrange(len(data))
    kind = chance.choice(("bit", "insert", "remove", "cut", "swap"))
    if kind == "bit":
        return data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]
    if kind == "insert":
        return data[:at] + bytes([chance.randrange(256)]) + data[at:]
    if kind == "remove":
        return data[:at] + data[at + 1 :]
    if kind == "cut":
        return data[:at]
    other = (at + 1) % len(data)
    swapped = bytearray(data)
    swapped[at], swapped[other] = data[other], data[at]
    return bytes(swapped) if bytes(swapped) != data else data + b"\n"


def files_of(desk, kind: str) -> list[Path]:
    out, signed = desk.out, desk.folder / "signed"
    found = {
        "archive": [p for p in desk.archive.path.rglob("*") if p.is_file() and p.name != "lock"],
        "rules": [p for p in desk.rules.rglob("*.yml") if not p.name.endswith(".test.yml")],
        "journal": [desk.journal],
        "report": [p for p in out.iterdir() if p.name not in ("manifest.json", "seal.json")],
        "manifest": [out / "manifest.json"],
        "seal": [out / "seal.json"],
        "sign-offs": [p for p in signed.iterdir() if p.name != "lock"],
    }
    found["files"] = [*found["report"], *found["seal"], *found["sign-offs"], *found["archive"]]
    return sorted(found[kind])


def edit(desk, kind: str, chance: random.Random):
    """A random edit of one kind, as a context that takes it back."""
    path = chance.choice(files_of(desk, kind))
    return path, edited(path, None if kind == "files" else mangled(path.read_bytes(), chance))


def check_edits(desk, kind: str, seeds: range) -> None:
    for seed in seeds:
        chance = random.Random(f"{kind} {seed}")
        path, change = edit(desk, kind, chance)
        before = path.read_bytes()
        with change:
            if path.exists() and path.read_bytes() == before:
                continue
            found = desk.verify()
            assert not found.ok, f"{path}, seed {seed}: not found"
            assert found.differences[0].place
            assert found.differences[0].text


@pytest.mark.parametrize("kind", KINDS)
def test_a_random_edit_is_found(signed, kind):
    """One bit of any file, a cut, a byte more, or the whole file gone."""
    check_edits(signed, kind, range(8))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_random_edits_are_found(signed, kind):
    """The same, 250 times each."""
    check_edits(signed, kind, range(1000, 1250))


def test_an_unedited_desk_still_holds(signed):
    """The edits above are found because they are edits, and not for any other reason."""
    folder, wrong = open_folder(signed.out)
    assert folder is not None
    assert wrong == ()
    assert signed.verify().ok


def relisted(desk, name: str, data: bytes) -> None:
    """Put a changed file into the report folder and mend the manifest to fit."""
    (desk.out / name).write_bytes(data)
    path = desk.out / "manifest.json"
    listed = json.loads(path.read_bytes())
    for entry in listed["files"]:
        if entry["name"] == name:
            entry["bytes"], entry["sha256"] = len(data), hashlib.sha256(data).hexdigest()
    path.write_bytes((json.dumps(listed, indent=2, sort_keys=True) + "\n").encode())


def resealed(desk, **changed) -> None:
    """Forge the seal in the report folder so that its own hash fits again."""
    path = desk.out / "seal.json"
    data = json.loads(path.read_bytes())
    data["digests"] = data["digests"] | changed
    path.write_bytes(canonical({**data, "seal": seal_hash(data)}))


def test_a_forged_report_with_a_mended_manifest_is_found(signed):
    """The seal binds the manifest."""
    page = (signed.out / "report.html").read_bytes()
    relisted(signed, "report.html", page.replace(b"Rita", b"Rota"))
    assert str(signed.verify().differences[0]) == "manifest.json: is not the one that was signed"


def test_a_forged_report_with_a_mended_seal_is_found(signed):
    """Neither the archive's log nor the sign-offs beside it know the forged seal."""
    page = (signed.out / "report.html").read_bytes()
    relisted(signed, "report.html", page.replace(b"Rita", b"Rota"))
    manifest = hashlib.sha256((signed.out / "manifest.json").read_bytes()).hexdigest()
    resealed(signed, manifest=manifest)
    found = signed.verify().differences
    assert str(found[0]) == "seal.json: is not the sign-off that the archive's log seals"
    assert "does not hold the seal of 2026-05" in str(found[1])
    shutil.rmtree(signed.folder / "signed")
    assert signed.verify().differences == found[:1]


@pytest.mark.parametrize("field", ["level", "title"])
def test_a_forgery_without_a_seal_is_found_by_doing_it_again(pulled, field):
    """With everything mended in a draft, the first finding and field are named."""
    from auditlens.review import ReportOptions, write_report

    write_report(pulled.audit(), pulled.out, ReportOptions(), (pulled.rules,))
    content = json.loads((pulled.out / "findings.json").read_bytes())
    content["findings"][0][field] = "low" if field == "level" else "Nothing to see"
    relisted(
        pulled, "findings.json", (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()
    )
    first = str(pulled.verify().differences[0])
    assert first.startswith(f"findings.json: {content['findings'][0]['finding_id']}: {field} is ")


@pytest.mark.parametrize(
    "digest", ["archive_head", "input", "rules", "settings", "journal", "findings"]
)
def test_each_digest_of_a_seal_is_held_against_the_run_done_again(signed, digest):
    """A seal that names another log, rule, setting, journal or finding is told by its name."""
    # No forged seal gets past the sign-offs and the archive's log, so the comparison is asked
    # itself: it must hold for a log that was sealed anew as a whole.
    from auditlens.review.reperformance import compare_digests
    from auditlens.seals import parse_seal

    seal, audit = parse_seal(signed.out / "seal.json"), signed.audit()
    usual = {one.place for one in compare_digests(seal, audit)}
    forged = replace(seal, data={**seal.data, "digests": {**seal.digests, digest: "00" * 32}})
    told = {one.place for one in compare_digests(forged, audit)}
    assert told - usual == {digest.replace("_", " ")}


def test_a_noted_seal_betrays_a_whole_new_one(signed):
    """The hash written down at the sign-off is what nobody can forge."""
    from auditlens.seals import parse_seal

    noted = parse_seal(signed.out / "seal.json").hash
    resealed(signed, findings="00" * 32)
    found = signed.verify(against=noted)
    assert "is not the seal" in " ".join(map(str, found.differences))


def test_a_later_decision_about_a_signed_finding_is_found(signed):
    """A signed month changes only by an amendment; the line is named."""
    content = json.loads((signed.out / "findings.json").read_bytes())
    finding = content["findings"][0]["finding_id"]
    add_entry(signed.journal, {"finding": finding, "as": "true_positive", "by": "Bo",
                               "reason": "now I know", "at": "2026-07-01T00:00:00Z"})  # fmt: skip
    found = signed.verify()
    line = len(signed.journal.read_text().splitlines())
    assert str(found.differences[0]).startswith(f"{signed.journal}:{line}: decides {finding} anew")


def test_a_line_dated_back_is_found(signed):
    """What claims to be older than the signature, but was not there, is named."""
    add_entry(signed.journal, {"finding": "F-AAAAAAAAAA", "as": "benign", "by": "Bo",
                               "reason": "of course", "at": "2026-05-20T00:00:00Z"})  # fmt: skip
    assert "dated before the signature" in str(signed.verify().differences[0])


def test_an_exception_added_later_changes_nothing_signed(signed):
    """It may hide the like of it from now on; what was signed is done again without it."""
    add_entry(signed.journal, {"exception": "X-later", "rule": "sender-day", "sender": "u",
                               "owner": "a", "approver": "b", "reason": "c",
                               "at": "2026-07-01T00:00:00Z", "until": "2026-12-31"})  # fmt: skip
    assert signed.verify().ok


def test_rules_tuned_since_can_be_left_aside(signed):
    """The rules in the record do the report again, if asked to."""
    path = files_of(signed, "rules")[0]
    path.write_text(path.read_text(encoding="utf-8") + "# tuned\n", encoding="utf-8")
    found = signed.verify()
    assert str(path) in str(found.differences[0])
    assert signed.verify(sealed_rules=True).ok


def test_archive_and_report_are_enough_for_a_third_party(signed, tmp_path):
    """Rules, journal and settings are in the record."""
    away = tmp_path / "away"
    shutil.copytree(signed.archive.path, away / "archive")
    shutil.copytree(signed.out, away / "out")
    shutil.copytree(signed.rules, away / "rules")
    there = type(signed)(away)
    found = there.verify()
    assert found.differences == ()
    assert any("the one in the report was used" in note for note in found.notes)


def test_another_archive_is_named(signed, tmp_path):
    """A report is not done again from an archive it was not made from."""
    from auditlens.archive import Archive

    empty = tmp_path / "other"
    empty.mkdir()
    other = type(signed)(signed.folder)
    shutil.rmtree(other.archive.path)
    shutil.copytree(empty, other.archive.path)
    assert "is not in the log" in str(other.verify().differences[0])
    assert Archive(empty).head is None


def test_a_draft_is_done_again_too(pulled):
    """The report command's folder holds the record as well; it is told to be unsigned."""
    from auditlens.review import ReportOptions, write_report

    write_report(pulled.audit(), pulled.out, ReportOptions(), (pulled.rules,))
    found = pulled.verify()
    assert found.differences == ()
    assert "this report is not signed" in found.notes
    assert found.seal == ""


def test_versions_that_differ_are_noted(signed, monkeypatch):
    """Another version of a library is the first thing to look at."""
    import auditlens.provenance

    monkeypatch.setattr(auditlens.provenance, "version", lambda name: "0.0.1")
    found = signed.verify()
    assert any("the report was made with polars" in note for note in found.notes)
    assert found.ok


def test_the_journal_of_a_signed_month_is_read_at_its_time(signed):
    """The record holds the journal; its seal says when, in UTC."""
    folder, _ = open_folder(signed.out)
    assert folder.record.options.signed_at == datetime(2026, 6, 3, 9, 30, tzinfo=UTC)
    assert folder.record.journal.digest == folder.seal.digests["journal"]


def test_a_journal_begun_after_the_signature_is_no_fault(pulled):
    """Its first line is the tool's own; a comment or a blank line of anybody else's is told."""
    pulled.sign(pulled.audit())
    add_entry(pulled.journal, {"finding": "F-AAAAAAAAAA", "as": "benign", "by": "Bo",
                               "reason": "June", "at": "2026-07-02T00:00:00Z"})  # fmt: skip
    assert pulled.verify().differences == ()
    with pulled.journal.open("a", encoding="utf-8") as stream:
        stream.write("\n")
    assert "what was added is not an entry" in str(pulled.verify().differences[0])
