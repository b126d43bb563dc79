"""An archive that was touched after it was sealed says so, and says where."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

import pytest

SLOW = pytest.mark.slow


def head_of(folder: Path) -> str:
    import auditlens as al

    head = al.Archive(folder).head
    assert head
    return head


def verified(folder: Path) -> bool:
    """Whether a verification in this process finds the archive untouched."""
    import auditlens as al
    from auditlens.errors import IntegrityError, UsageError

    try:
        return al.Archive(folder).verify().ok
    except (IntegrityError, UsageError):
        return False


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)


def evidence_of(folder: Path) -> list[Path]:
    return [path for path in files_of(folder) if path.name.endswith(".zst")]


def manifests_of(folder: Path) -> list[Path]:
    """The sealed log, oldest first: JSON files named by their number."""
    return [path for path in files_of(folder) if path.suffix == ".json" and path.stem.isdecimal()]


def flip(path: Path, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


def bit_flips(folder: Path, seed: int, flips: int) -> list[str]:
    """Flip one bit at a time, anywhere; return what was not found."""
    chance = random.Random(seed)
    files = files_of(folder)
    missed = []
    for _ in range(flips):
        # Small files matter as much as large ones: half of the flips are spread over files.
        weights = [path.stat().st_size for path in files] if chance.random() < 0.5 else None
        path = chance.choices(files, weights)[0]
        bit = chance.randrange(path.stat().st_size * 8)
        flip(path, bit)
        if verified(folder):
            missed.append(f"{path.relative_to(folder)} bit {bit}")
        flip(path, bit)
    return missed


@pytest.mark.parametrize(
    ("seed", "flips"), [(1, 150), *(pytest.param(seed, 1000, marks=SLOW) for seed in (2, 3))]
)
@pytest.mark.timeout(900)
def test_every_flipped_bit_is_found(sealed, seed, flips):
    """One bit anywhere in the archive, in evidence, manifests or table, never goes unseen."""
    folder, _ = sealed
    assert verified(folder)
    assert bit_flips(folder, seed, flips) == []
    assert verified(folder)


def test_verify_names_the_file_and_the_records(sealed, auditlens, one_clear_line):
    """Through the command line: exit 5, and the damaged place by file and record range."""
    folder, _ = sealed
    path = max(evidence_of(folder), key=lambda each: each.stat().st_size)
    flip(path, path.stat().st_size * 4)
    ran = auditlens("verify", "--archive", folder)
    assert ran.code == 5
    said = ran.out + ran.err
    assert path.name in said
    assert re.search(r"records? \d+(-| to )\d+", said), said
    assert "Traceback" not in said


@pytest.mark.slow
def test_twenty_flips_through_the_command_line(sealed, auditlens):
    """The same judgement as in the process, by exit code 5 and the file's name."""
    folder, _ = sealed
    chance = random.Random(7)
    for path in chance.choices(files_of(folder), k=20):
        bit = chance.randrange(path.stat().st_size * 8)
        flip(path, bit)
        ran = auditlens("verify", "--archive", folder)
        assert ran.code == 5, f"{path} bit {bit}: {ran.out}{ran.err}"
        assert path.name in ran.out + ran.err
        flip(path, bit)
    assert auditlens("verify", "--archive", folder).code == 0


def unpacked(path: Path) -> list[bytes]:
    import zstandard

    data = path.read_bytes()
    raw = b""
    while data:
        part = zstandard.ZstdDecompressor().decompressobj()
        raw += part.decompress(data)
        data = part.unused_data
    return raw.splitlines(keepends=True)


def repack(path: Path, lines: list[bytes]) -> None:
    import zstandard

    path.write_bytes(zstandard.ZstdCompressor(level=3).compress(b"".join(lines)))


def edit_a_field(folder: Path) -> None:
    path = evidence_of(folder)[0]
    lines = unpacked(path)
    lines[3] = lines[3].replace(b"person", b"nobody", 1).replace(b"table_", b"tablf_", 1)
    repack(path, lines)


def remove_a_record(folder: Path) -> None:
    path = evidence_of(folder)[0]
    lines = unpacked(path)
    del lines[2]
    repack(path, lines)


def swap_two(folder: Path) -> None:
    one, two = evidence_of(folder)[:2]
    one_data, two_data = one.read_bytes(), two.read_bytes()
    one.write_bytes(two_data)
    two.write_bytes(one_data)


def rename_one(folder: Path) -> None:
    path = evidence_of(folder)[0]
    path.rename(path.with_name("0" * 8 + path.name[8:]))


def lose_one(folder: Path) -> None:
    evidence_of(folder)[0].unlink()


def lose_a_manifest(folder: Path) -> None:
    manifests_of(folder)[1].unlink()


def swap_manifests(folder: Path) -> None:
    one, two = manifests_of(folder)[:2]
    one_data, two_data = one.read_bytes(), two.read_bytes()
    one.write_bytes(two_data)
    two.write_bytes(one_data)


def add_a_manifest(folder: Path) -> None:
    last = manifests_of(folder)[-1]
    shutil.copy(last, last.with_name(f"{int(last.stem) + 1:0{len(last.stem)}d}.json"))


def add_a_table(folder: Path) -> None:
    table = min(folder.rglob("*.parquet"))
    shutil.copy(table, table.with_name("2026-01.parquet"))


def edit_the_table(folder: Path) -> None:
    import polars as pl

    table = min(folder.rglob("*.parquet"))
    pl.read_parquet(table).with_columns(sender_email=pl.lit("x")).write_parquet(table)


def empty_one(folder: Path) -> None:
    evidence_of(folder)[-1].write_bytes(b"")


def zero_one(folder: Path) -> None:
    path = evidence_of(folder)[-1]
    path.write_bytes(bytes(path.stat().st_size))


DEEDS = (
    edit_a_field,
    remove_a_record,
    swap_two,
    rename_one,
    lose_one,
    lose_a_manifest,
    swap_manifests,
    add_a_manifest,
    add_a_table,
    edit_the_table,
    empty_one,
    zero_one,
)


def test_every_deed_is_found(sealed, tmp_path):
    """Edited, removed, swapped, renamed, lost or added: none passes verification."""
    folder, _ = sealed
    passed = []
    for deed in DEEDS:
        copy = tmp_path / deed.__name__
        shutil.copytree(folder, copy)
        deed(copy)
        if verified(copy):
            passed.append(deed.__name__)
    assert passed == []


@pytest.mark.parametrize(
    "deed",
    [edit_a_field, remove_a_record, *(pytest.param(d, marks=SLOW) for d in DEEDS[2:])],
    ids=lambda deed: deed.__name__,
)
def test_every_deed_ends_the_command_with_five(sealed, auditlens, deed):
    """The same through the command line: exit 5 and no traceback."""
    folder, _ = sealed
    deed(folder)
    ran = auditlens("verify", "--archive", folder)
    assert ran.code == 5, ran.out + ran.err
    assert "Traceback" not in ran.out + ran.err


def cut_tail(folder: Path, keep: int) -> None:
    """Cut the chain as somebody would who knows it: the tail and what tells of it."""
    logs = manifests_of(folder)
    for path in logs[keep:]:
        path.unlink()


def test_a_cut_tail_is_found_against_a_noted_head(sealed, auditlens, tmp_path, workspace):
    """An older copy is sound in itself; only a head noted elsewhere can tell what is gone."""
    folder, heads = sealed
    noted = auditlens("verify", "--archive", folder, "--against", heads[-1])
    assert noted.code == 0, noted.err
    assert auditlens("verify", "--archive", folder, "--against", heads[0]).code == 0
    cut_tail(folder, keep=len(manifests_of(folder)) - 1)
    assert auditlens("verify", "--archive", folder).code == 5
    assert auditlens("verify", "--archive", folder, "--against", heads[-1]).code == 5


def test_an_older_copy_put_back_is_found_against_a_noted_head(workspace, auditlens, tmp_path):
    """A whole archive restored from before the last pull verifies, but not against its head."""
    folder, older = tmp_path / "archive", tmp_path / "older"
    secoda = workspace(events=80)
    assert auditlens.sync(secoda, folder).code == 0
    shutil.copytree(folder, older)
    secoda.order("change", arrive=9)
    assert auditlens.sync(secoda, folder).code == 0
    head = head_of(folder)
    assert auditlens("verify", "--archive", older).code == 0
    ran = auditlens("verify", "--archive", older, "--against", head)
    assert ran.code == 5, ran.out + ran.err
    unknown = auditlens("verify", "--archive", folder, "--against", "0" * 64)
    assert unknown.code == 5


def test_a_damaged_archive_is_not_written_on(sealed, workspace, auditlens, one_clear_line):
    """Neither a sync nor a report goes on as if nothing had happened."""
    folder, _ = sealed
    path = manifests_of(folder)[0]
    flip(path, path.stat().st_size * 4)
    ran = auditlens(
        "sync",
        "--archive",
        folder,
        SECODA_API_URL=workspace(events=600, step=7200).url,
        SECODA_API_KEY="5f1c7c1e-0d4e-4a0c-9a35-8d6b2f00beef",
    )
    assert ran.code in {2, 5}, ran.out
    one_clear_line(ran)
    ran = auditlens("check", "--archive", folder, "--period", "2026-01-01..2026-12-31")
    assert ran.code == 5, ran.out
    one_clear_line(ran)


def test_a_table_file_beside_the_index_is_named(sealed, auditlens):
    """What may be a killed run's leftover is no damage, but other readers must hear of it."""
    folder, _ = sealed
    table = min(folder.rglob("*.parquet"))
    shutil.copy(table, table.with_name(f"x{table.name}"))
    ran = auditlens("verify", "--archive", folder)
    assert f"x{table.name}" in ran.out + ran.err


def test_what_a_killed_run_left_behind_is_not_called_tampering(sealed, auditlens):
    """An unfinished file of a dead run is no damage, and the next verify stays green."""
    folder, _ = sealed
    for sub in {path.parent for path in files_of(folder)}:
        (sub / ".new-00112233445566aa").write_bytes(b"half")
    assert auditlens("verify", "--archive", folder).code == 0
