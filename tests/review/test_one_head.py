"""One head covers log, directory and sign-offs: whatever is done to any of them, it shows.

The archive is that of version 0.1, upgraded, with two snapshots and two sign-offs.
"""

from __future__ import annotations

import json
import random
import shutil
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from auditlens.archive import Archive
from auditlens.cli import auditlens
from auditlens.errors import IntegrityError
from auditlens.files import lock
from auditlens.pages import Listing
from auditlens.seals import canonical, read_sign_offs, seal_hash

DATA = Path(__file__).parent / "data" / "month-signed-by-0.1.zip"
AT = datetime(2026, 7, 1, tzinfo=UTC)
NAMES = ("users", "groups", "teams", "tags", "resources")


@dataclass
class People:
    """A directory of so many people."""

    people: int
    name: str = "secoda:simulated"

    def listings(self) -> tuple[Listing, ...]:
        users = tuple(json.dumps({"id": f"u{n}"}).encode() for n in range(self.people))
        return tuple(Listing(n, f"/{n}/", users if n == "users" else (), None) for n in NAMES)


def amend(folder: Path, number: int) -> None:
    """Sign the month once more, without a key."""
    last = read_sign_offs(folder).seals[-1]
    data = {**last.data, "number": last.number + 1, "previous": last.hash, "amendment": number,
            "amends": last.hash, "keys": {}, "amended_because": "late events"}  # fmt: skip
    shutil.copy(folder / "2026-05.findings.json", folder / f"2026-05.a{number}.findings.json")
    (folder / f"2026-05.a{number}.json").write_bytes(canonical({**data, "seal": seal_hash(data)}))


def seal_beside(archive: Archive) -> None:
    with lock(archive.path):
        archive.cover(AT)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    with zipfile.ZipFile(DATA) as packed:
        packed.extractall(folder)
    archive = Archive(folder / "archive")
    seal_beside(archive)
    archive.pull_directory(People(3), now=lambda: AT)
    amend(folder / "signed", 1)
    seal_beside(archive)
    return folder


@pytest.fixture
def place(kept, tmp_path, monkeypatch):
    shutil.copytree(kept, tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    return tmp_path / "place"


def edit(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:20] + bytes([data[20] ^ 4]) + data[21:])


def cut(folder: Path, keep: int) -> None:
    """Take the last snapshots away, and mend the head."""
    for path in folder.iterdir():
        if path.name[:6].isdecimal() and int(path.name[:6]) > keep:
            path.unlink()
    digest = json.loads((folder / f"{keep:06d}.json").read_bytes())["hash"]
    (folder / "head").write_text(f"{keep} {digest}\n")


def pulled_anew(place: Path, *people: int) -> None:
    """A directory chain whole in itself, made elsewhere."""
    shutil.rmtree(place / "archive" / "directory")
    other = Archive(place / "other")
    for count in people:
        other.pull_directory(People(count), now=lambda: AT)
    shutil.move(place / "other" / "directory", place / "archive" / "directory")
    shutil.rmtree(place / "other")


def swap(one: Path, other: Path) -> None:
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


DIRECTORY = {
    "removed": (shutil.rmtree, "000001.json"),
    "made anew": (lambda d: pulled_anew(d.parent.parent, 1, 2), "000001.json"),
    "made anew and longer": (lambda d: pulled_anew(d.parent.parent, 1, 2, 3), "000002.json"),
    "made anew and shorter": (lambda d: pulled_anew(d.parent.parent, 2), "000001.json"),
    "truncated": (lambda d: cut(d, 1), "000002.json"),
    "swapped": (lambda d: swap(d / "000001.json", d / "000002.json"), "000001.json"),
    "first gone": (lambda d: (d / "000001.json").unlink(), "000001.json"),
    "edited": (lambda d: edit(d / "000002.json"), "000002.json"),
    "records edited": (lambda d: edit(d / "000001-users.ndjson.zst"), "000001-users.ndjson.zst"),
    "head edited": (lambda d: (d / "head").write_text("1 0\n"), "head"),
    "emptied": (lambda d: [path.unlink() for path in d.iterdir()], "000002.json"),
}


def remade(folder: Path, **changed: object) -> None:
    """A chain of sign-offs whole in itself, with other words in the first seal."""
    first = json.loads((folder / "2026-05.json").read_bytes())
    for path in folder.iterdir():
        if path.name != "2026-05.findings.json":
            path.unlink()
    data = {**first, "keys": {}, **changed}
    (folder / "2026-05.json").write_bytes(canonical({**data, "seal": seal_hash(data)}))
    if "number" not in changed:
        amend(folder, 1)


SIGNED = {
    "all removed": (shutil.rmtree, "2026-05.json"),
    "emptied": (lambda d: [path.unlink() for path in d.iterdir()], "2026-05.a1.json"),
    "last removed": (lambda d: (d / "2026-05.a1.json").unlink(), "2026-05.a1.json"),
    "first removed": (lambda d: (d / "2026-05.json").unlink(), "2026-05.a1.json"),
    "edited": (lambda d: edit(d / "2026-05.json"), "2026-05.json"),
    "made anew": (lambda d: remade(d, reviewer="Bo Larch"), "2026-05.json"),
    "made anew, one word": (lambda d: remade(d, statement="I looked."), "2026-05.json"),
    "cut and made anew": (
        lambda d: [(d / "2026-05.a1.json").unlink(), (d / "2026-05.a1.findings.json").unlink(),
                   remade(d, signed_at="2026-06-04T00:00:00+00:00"),
                   (d / "2026-05.a1.json").unlink()], "2026-05.json"),
    "renamed": (lambda d: (d / "2026-05.json").rename(d / "2026-04.json"), "2026-04.json"),
    "findings edited": (lambda d: edit(d / "2026-05.findings.json"), "2026-05.findings.json"),
    "findings gone": (lambda d: (d / "2026-05.findings.json").unlink(), "2026-05.findings.json"),
    "key gone": (lambda d: (d / "2026-05.json.ed25519").unlink(), "2026-05.json.ed25519"),
    "signature edited": (lambda d: edit(d / "2026-05.json.sig"), "2026-05.json.sig"),
}  # fmt: skip


def told(*more: str):
    return CliRunner().invoke(auditlens, ["verify", "-q", "--archive", "archive", *more])


def test_an_untouched_place_is_intact_against_every_head_it_had(place):
    """What was added later is growth."""
    for link in Archive("archive").chain().links:
        assert told("--against", link.hash).exit_code == 0


@pytest.mark.parametrize("case", DIRECTORY)
def test_a_change_of_the_directory_shows_and_is_named(place, case):
    """By verify, with the file; and no report is made from it."""
    change, file = DIRECTORY[case]
    change(place / "archive" / "directory")
    done = told("--against", Archive("archive").head)
    assert done.exit_code == 5, done.output
    assert f"directory/{file}" in done.stderr
    if file.endswith(".json"):
        with pytest.raises(IntegrityError):
            Archive("archive").directory()


@pytest.mark.parametrize("case", SIGNED)
def test_a_change_of_the_sign_offs_shows_and_is_named(place, case):
    """By verify, with the file."""
    change, file = SIGNED[case]
    change(place / "signed")
    done = told("--against", Archive("archive").head)
    assert done.exit_code == 5, done.output
    assert f"signed/{file}" in done.stderr


def flips_missed(place: Path, count: int, seed: int) -> list[str]:
    """Flip one bit at a time in archive and sign-offs; the files whose flip was not named."""
    chance = random.Random(seed)
    archive = Archive(place / "archive")
    archive.events()
    whole = [*(place / "archive").rglob("*"), *(place / "signed").iterdir()]
    paths = sorted(path for path in whole if path.is_file() and path.stat().st_size)
    missed = []
    for number in range(count):
        weights = [path.stat().st_size for path in paths] if number % 2 else None
        path = chance.choices(paths, weights)[0]
        data = bytearray(path.read_bytes())
        at, bit = chance.randrange(len(data)), chance.randrange(8)
        data[at] ^= 1 << bit
        path.write_bytes(data)
        if not any(path.name in problem.file for problem in archive.verify().problems):
            missed.append(f"{path.relative_to(place)}: bit {bit} of byte {at}")
        data[at] ^= 1 << bit
        path.write_bytes(data)
    return missed


def test_flipped_bits_of_every_chain_are_found(place):
    """Log, evidence, table, directory, seals, findings and signatures; the file is named."""
    assert flips_missed(place, 30, seed=0) == []


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_two_thousand_flipped_bits_of_every_chain_are_found(place):
    """The same, many times over."""
    assert flips_missed(place, 2000, seed=1) == []


@pytest.mark.parametrize("part", ["directory", "signed"])
def test_no_chain_is_made_anew_over_a_sealed_one(place, part):
    """Neither a pull of the directory nor a sign-off goes on from a chain that was cut."""
    shutil.rmtree(place / "archive" / part if part == "directory" else place / part)
    archive = Archive("archive")
    head = archive.head
    again = {
        "directory": lambda: archive.pull_directory(People(9), now=lambda: AT),
        "signed": lambda: seal_beside(archive),
    }
    with pytest.raises(IntegrityError, match="of the log seals"):
        again[part]()
    assert archive.head == head


def test_whoever_mends_the_log_too_is_found_by_the_head_noted_elsewhere(place):
    """The whole archive made anew agrees with itself; the head in an old report does not."""
    noted = Archive("archive").head
    pulled_anew(place, 1)
    (place / "archive" / "log" / "000005.json").unlink()
    for number in (4, 3):
        (place / "archive" / "log" / f"{number:06d}.json").unlink()
    last = json.loads((place / "archive" / "log" / "000002.json").read_bytes())["hash"]
    (place / "archive" / "head").write_text(f"2 {last}\n")
    seal_beside(Archive("archive"))
    assert told().exit_code == 0
    done = told("--against", noted)
    assert done.exit_code == 5
    assert "was cut or rewritten" in done.stderr
