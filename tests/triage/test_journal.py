"""The triage journal: strict, append-only, and independent of the order of its lines."""

from __future__ import annotations

import random
from datetime import date
from pathlib import Path

import pytest

from auditlens.errors import DocumentErrors, UsageError
from auditlens.triage import add_entry, read_journal

BENIGN = (
    "- {finding: F-AAAAAAAAAA, as: benign, by: ana, reason: planned, at: 2026-11-02T09:00:00Z}\n"
)
WORK = (
    "- {finding: F-AAAAAAAAAA, as: needs_work, by: bo, reason: unclear, at: 2026-11-01T09:00:00Z}\n"
)
EXPECTED = (
    "- {exception: X-1, rule: mass_delete, sender: u-1, owner: ana, approver: bo, "
    "reason: clean-up, at: 2026-11-01T09:00:00Z, until: 2026-12-31}\n"
)


def write(folder: Path, text: str) -> Path:
    path = folder / "triage.yml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_missing_journal_is_an_empty_one(tmp_path: Path):
    """Nobody has to make the file first."""
    assert read_journal(tmp_path / "triage.yml").dispositions == ()


def test_the_order_of_lines_means_nothing(tmp_path: Path):
    """Two people's additions merge in any order to the same journal."""
    lines = [BENIGN, WORK, EXPECTED]
    first = read_journal(write(tmp_path, "".join(lines)))
    random.Random(1).shuffle(lines)
    second = read_journal(write(tmp_path, "".join(lines)))
    assert first.digest == second.digest
    assert [one.verdict for one in second.history("F-AAAAAAAAAA")] == ["needs_work", "benign"]
    assert second.exceptions[0].until == date(2026, 12, 31)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (BENIGN.replace("benign", "fine"), "'fine' is not a decision. Use one of true_positive"),
        (BENIGN.replace("by: ana, ", ""), "a reviewer is required. Write by: '…'"),
        (BENIGN.replace("reason: planned", "reason: "), "a reason is required"),
        (BENIGN.replace("2026-11-02T09:00:00Z", "soon"), "'soon' is not a time"),
        (BENIGN.replace("by:", "bye:"), "'bye' is not known here"),
        (EXPECTED.replace("until: 2026-12-31", "until: 2028-12-31"), "not within 365 days"),
        (EXPECTED.replace(", until: 2026-12-31", ""), "'until' is required"),
        (EXPECTED.replace("rule: mass_delete, sender: u-1, ", ""), "would hide everything"),
        (EXPECTED.replace("rule: mass_delete, sender: u-1", "rule: '*'"), "would hide everything"),
        ("- just text\n", "an entry is"),
        ("- {note: hello}\n", "needs 'case', 'finding', 'exception' or 'acknowledged'"),
    ],
)
def test_a_fault_has_its_line_and_the_fix(tmp_path: Path, line: str, told: str):
    """Each broken entry is told with file and line; the good one before it hides nothing."""
    path = write(tmp_path, BENIGN + line)
    with pytest.raises(DocumentErrors) as caught:
        read_journal(path)
    assert str(caught.value).startswith(f"{path}:2:")
    assert told in str(caught.value)


def exception_until(day: str) -> str:
    return EXPECTED.replace("until: 2026-12-31", f"until: {day}")


def benign_at(day: str) -> str:
    return BENIGN.replace("2026-11-02T", f"{day}T")


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (exception_until("2027-11-01"), exception_until("2027-11-02")),
        (exception_until("2026-11-01"), exception_until("2026-10-31")),
        (BENIGN.replace("planned", "x" * 2000), BENIGN.replace("planned", "x" * 2001)),
        (benign_at("2000-01-01"), benign_at("1999-12-31")),
        (benign_at("2199-12-31"), benign_at("2200-01-01")),
        (EXPECTED.replace("X-1", "X-" + "a" * 60), EXPECTED.replace("X-1", "X-" + "a" * 61)),
    ],
)  # fmt: skip
def test_limits_of_an_entry_are_where_they_are_said_to_be(tmp_path: Path, good: str, bad: str):
    """The last good value is taken and the next refused: days, characters, years, ids."""
    read_journal(write(tmp_path, good))
    with pytest.raises(DocumentErrors):
        read_journal(write(tmp_path, bad))


def test_every_fault_is_told_at_once(tmp_path: Path):
    """A person mends the file in one go."""
    with pytest.raises(DocumentErrors) as caught:
        read_journal(write(tmp_path, "- 1\n- 2\n- 3\n"))
    assert len(caught.value.errors) == 3


def test_adding_keeps_every_earlier_byte(tmp_path: Path):
    """The journal only grows, whatever a person left at its end."""
    path = write(tmp_path, "# mine\n" + BENIGN.rstrip("\n"))
    before = path.read_bytes()
    entry = {"finding": "F-BBBBBBBBBB", "as": "benign", "by": "Ana \"A\" Birch", "reason": "é: #x",
             "at": "2026-11-03T00:00:00Z"}  # fmt: skip
    journal = add_entry(path, entry)
    assert path.read_bytes().startswith(before)
    assert journal.dispositions[-1].reviewer == 'Ana "A" Birch'
    assert journal.dispositions[-1].reason == "é: #x"


def test_a_faulty_entry_is_not_added(tmp_path: Path):
    """What could not be read back is not written."""
    path = write(tmp_path, BENIGN)
    with pytest.raises(UsageError, match="Not recorded: 'F-B' is not a finding's id"):
        add_entry(path, {"finding": "F-B", "as": "benign", "by": "a", "reason": "b", "at": "c"})
    assert path.read_text() == BENIGN
