"""Verify finds every change of every file, and names the place."""

import json
import os
import random
import shutil
from datetime import UTC, datetime
from hashlib import sha256

import pytest
import zstandard

from auditlens.archive import Archive

# The classifier comes with the package; another one is put in its place.
from auditlens.archive import archive as archive_module
from auditlens.errors import IntegrityError, UsageError
from auditlens.events import load_classifier
from tests.archive.sealing import sealed


@pytest.fixture
def archive(tmp_path, make_workspace):
    """Three syncs with a quarantined record, a changed one and several segments."""
    found = Archive(tmp_path / "archive")
    workspace = make_workspace(400, size=50)
    workspace.events[7] = (workspace.events[7][0], b"{broken")
    found.sync(workspace)
    for _ in range(2):
        workspace.arrive(30)
        found.sync(workspace)
    return found


def files(archive, part=""):
    found = sorted(path for path in (archive.path / part).rglob("*") if path.is_file())
    return [path for path in found if path.stat().st_size]


def flip(path, bit):
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << (bit % 8)
    path.write_bytes(data)


def flips_missed(archive, count, seed=0):
    chance = random.Random(seed)
    missed = []
    for number in range(count):
        paths = files(archive)
        weights = [path.stat().st_size for path in paths] if number % 2 else None
        path = chance.choices(paths, weights)[0]
        bit = chance.randrange(path.stat().st_size * 8)
        flip(path, bit)
        problems = archive.verify().problems
        name = path.relative_to(archive.path).as_posix()
        if not any(problem.file == name for problem in problems):
            missed.append((name, bit))
        flip(path, bit)
    return missed


def test_sound_archive_has_no_problem(archive):
    """An untouched archive is sound, and every record was looked at."""
    found = archive.verify(against=archive.head)
    assert (found.ok, found.records, found.head) == (True, 460, archive.head)


def test_two_hundred_flipped_bits_are_all_found(archive):
    """Any bit of any file: segment, manifest, head, table, index; the file is named."""
    assert flips_missed(archive, 200) == []


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_two_thousand_flipped_bits_are_all_found(archive):
    """The same, ten times over."""
    assert flips_missed(archive, 2000, seed=1) == []


def test_every_bit_of_the_last_manifest_is_covered(archive):
    """The manifest that no other follows is held by its own hash."""
    path = files(archive, "log")[-1]
    for bit in range(0, path.stat().st_size * 8, 7):
        flip(path, bit)
        with pytest.raises(IntegrityError):
            archive.chain()
        flip(path, bit)


def test_damage_is_named_to_the_block_of_records(archive):
    """A flipped bit in a segment is reported by file and by a range of at most 256 records."""
    path = max(files(archive, "evidence"), key=lambda item: item.stat().st_size)
    flip(path, path.stat().st_size * 8 - 9)
    problem = archive.verify().problems[0]
    assert (problem.file, problem.records) == (f"evidence/{path.name}", "257-400")


def test_manifest_sealed_anew_breaks_the_chain(archive):
    """Whoever rewrites a manifest and its own hash still breaks the one that follows."""
    path = files(archive, "log")[0]
    path.write_bytes(sealed({**json.loads(path.read_bytes()), "tool": "another"})[0])
    assert "log/000002.json" in {problem.file for problem in archive.verify().problems}


def test_cut_tail_is_found_by_the_head_file(archive):
    """Removing the last manifest leaves a head that names what is no longer there."""
    files(archive, "log")[-1].unlink()
    assert archive.verify().problems[0].file == "head"
    with pytest.raises(IntegrityError):
        archive.events()


def test_tail_cut_with_its_traces_is_found_by_a_noted_head(archive, make_workspace):
    """Whoever also rewrites the head file is found by a head that was noted elsewhere."""
    noted, path = archive.head, archive.path
    shutil.copytree(path, path.with_name("cut"))
    cut = Archive(path.with_name("cut"))
    last = files(cut, "log")[-1]
    sequence = int(last.stem) - 1
    last.unlink()
    (cut.path / "head").write_text(f"{sequence} {cut_head(cut)}\n")
    assert cut.verify().ok
    assert not cut.verify(against=noted).ok


def cut_head(cut):
    data = files(cut, "log")[-1].read_bytes()
    return data[-67:-3].decode()


@pytest.mark.parametrize("part", ["log", "evidence", "table"])
def test_missing_swapped_renamed_and_added_files_are_found(archive, part):
    """Files of one folder lost, exchanged, renamed or added."""
    one, two = files(archive, part)[:2]
    kept = {path: path.read_bytes() for path in (one, two)}
    one.write_bytes(kept[two])
    two.write_bytes(kept[one])
    assert not archive.verify().ok
    two.write_bytes(kept[two])
    one.unlink()
    assert not archive.verify().ok
    other = one.with_name(f"000001-000001-0123456789ab{one.suffix}")
    other.write_bytes(kept[one])
    assert not archive.verify().ok
    one.write_bytes(kept[one])
    assert not archive.verify().ok
    other.unlink()
    assert archive.verify().ok


def test_table_that_disagrees_with_the_evidence_is_found(archive):
    """A table and index rewritten together still have to hold the leaves of the evidence."""
    import polars as pl

    index = archive.path / "table" / "index.json"
    held = json.loads(index.read_bytes())
    file = held["files"][0]
    path = index.parent / file["path"]
    pl.read_parquet(path).head(-1).write_parquet(path)
    file["sha256"] = sha256(path.read_bytes()).hexdigest()
    index.write_bytes(sealed(held)[0])
    assert "are not the records of the evidence" in archive.verify().problems[0].text


@pytest.mark.parametrize("damage", ["flip", "lose", "lose the index", "lose it all"])
def test_damaged_table_is_rebuilt_from_evidence(archive, damage):
    """The events are the same, and the archive is sound again."""
    before = archive.events()
    path = files(archive, "table")[0]
    if damage == "flip":
        flip(path, 1234)
    elif damage == "lose":
        path.unlink()
    elif damage == "lose the index":
        (archive.table.folder / "index.json").unlink()
    else:
        shutil.rmtree(archive.table.folder)
    assert archive.events().equals(before)
    assert archive.verify().ok


def test_hostile_table_is_never_parsed(archive, monkeypatch):
    """A file that is not what the index says reaches no Parquet reader."""
    import polars as pl

    before = archive.events()
    path = files(archive, "table")[0]
    hostile = b"PAR1" + os.urandom(500) + b"PAR1"
    path.write_bytes(hostile)
    seen = []
    parse = pl.read_parquet

    def watched(stream, **options):
        seen.append(stream.getvalue())
        return parse(stream, **options)

    monkeypatch.setattr(pl, "read_parquet", watched)
    assert archive.events().equals(before)
    assert seen
    assert hostile not in seen


def test_another_classifier_rebuilds_the_table(archive, monkeypatch, tmp_path):
    """Actions in the table are never those of an older classifier."""

    own = tmp_path / "actions.yml"
    own.write_text("actions:\n  - action: seen\n    group: read\n    what: viewed\n")
    monkeypatch.setattr(archive_module, "load_classifier", lambda: load_classifier(own))
    events = Archive(archive.path).events()
    assert set(events["action"].unique()) == {None, "seen"}


def test_scan_equals_events(archive):
    """The lazy table has the same rows and columns."""
    scanned = archive.scan().collect().sort("created_at", "id", "leaf")
    assert scanned.equals(archive.events())


def test_table_is_plain_parquet_for_other_engines(archive):
    """DuckDB reads the folder as it is."""
    import duckdb

    pattern = (archive.path / "table" / "*" / "*.parquet").as_posix()
    rows = duckdb.sql(f"select count(*) from read_parquet('{pattern}')").fetchall()
    assert rows == [(archive.events().height,)]


def test_evidence_is_plain_lines_for_other_tools(archive):
    """A segment unpacks to one record a line, as any tool for compressed text reads it."""
    import zstandard

    unpacker = zstandard.ZstdDecompressor()
    with files(archive, "evidence")[1].open("rb") as stream:
        lines = unpacker.stream_reader(stream, read_across_frames=True).read().splitlines()
    assert len(lines) == 30


def test_newer_format_is_refused_with_a_hint(archive):
    """An archive of a later AuditLens is left alone."""
    path = files(archive, "log")[0]
    path.write_bytes(sealed({"format": 2, "surprise": True})[0])
    with pytest.raises(UsageError, match="Install a newer AuditLens"):
        archive.events()


def test_symbolic_link_is_refused(archive, tmp_path):
    """An archive path that is a link could be moved by somebody else."""
    link = tmp_path / "link"
    link.symlink_to(archive.path)
    with pytest.raises(UsageError, match="symbolic link"):
        Archive(link).events()


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_archive_is_for_its_owner_only(archive):
    """Folders are 0700, files 0600."""
    modes = {path.is_dir(): path.stat().st_mode & 0o777 for path in archive.path.rglob("*")}
    assert modes == {True: 0o700, False: 0o600}
    assert archive.path.stat().st_mode & 0o777 == 0o700


def test_missing_archive_is_a_usage_error(tmp_path):
    """Reading what is not there says what to run."""
    with pytest.raises(UsageError, match="Create one with 'auditlens sync'"):
        Archive(tmp_path / "none").events()


def test_the_sealed_root_is_the_tree_of_rfc_6962(archive):
    """The root of a segment is what the RFC's own recursive definition gives for its records."""

    def tree(leaves: list[bytes]) -> bytes:
        if len(leaves) == 1:
            return sha256(b"\x00" + leaves[0]).digest()
        split = 1 << (len(leaves) - 1).bit_length() - 1
        return sha256(b"\x01" + tree(leaves[:split]) + tree(leaves[split:])).digest()

    roots = 0
    for path in sorted((archive.path / "log").glob("*.json")):
        note = json.loads(path.read_bytes()).get("segment") or {}
        if "root" not in note:
            continue
        data = (
            zstandard.ZstdDecompressor()
            .stream_reader(
                (archive.path / "evidence" / note["file"]).read_bytes(), read_across_frames=True
            )
            .read()
        )
        leaves = [sha256(line).digest() for line in data.splitlines()]
        assert tree(leaves).hex() == note["root"]
        roots += 1
    assert roots


def test_html_of_an_archive_is_escaped(archive, tmp_path):
    """A folder's name cannot become markup."""
    named = tmp_path / "<b>x"
    shutil.copytree(archive.path, named)
    shown = Archive(named)._repr_html_()
    assert "&lt;b&gt;x" in shown
    assert "<b>x" not in shown
    assert f"{archive.status().events:,}" in shown
    assert "nothing pulled yet" in Archive(tmp_path / "none")._repr_html_()


def test_status_counts_days_until_loss(archive):
    """The source may drop the next event 90 days after the last sync."""
    status = archive.status()
    assert status.days_until_loss in (89, 90)
    assert archive.status(datetime(2099, 1, 1, tzinfo=UTC)).days_until_loss == 0
