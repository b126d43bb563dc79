"""A malformed journal is refused with file, line and fix, and changes no finding silently."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from auditlens.errors import AuditLensError
from auditlens.triage import read_journal

GOOD = [
    '- {finding: F-AAAAAAAAA2, as: benign, by: ana, reason: planned, at: 2026-11-02T09:00:00Z}',
    ('- {finding: F-BBBBBBBBB3, as: true_positive, by: bo, reason: real, '
     'at: 2026-11-02T10:00:00Z, ticket: "SEC-1", owner: cy}'),
    ('- {exception: X-1, rule: mass_delete, sender: u-1, owner: ana, approver: bo, '
     'reason: clean-up, at: 2026-11-01T09:00:00Z, until: 2026-12-31}'),
    ('- {exception: X-2, family: volume, resource: r-9, owner: ana, approver: bo, '
     'reason: migration, at: 2026-11-01T09:30:00Z, until: 2027-01-31}'),
]  # fmt: skip
LINE = Callable[[str], str]


def without(key: str) -> LINE:
    def change(line: str) -> str:
        inside = line[3:-1].split(", ")
        return "- {" + ", ".join(part for part in inside if not part.startswith(f"{key}:")) + "}"

    return change


def setting(key: str, value: str) -> LINE:
    def change(line: str) -> str:
        inside = line[3:-1].split(", ")
        return (
            "- {"
            + ", ".join(f"{key}: {value}" if p.startswith(f"{key}:") else p for p in inside)
            + "}"
        )

    return change


def adding(text: str) -> LINE:
    return lambda line: line[:-1] + f", {text}}}"


REQUIRED = [("finding", 0), ("as", 0), ("by", 0), ("reason", 0), ("at", 0), ("exception", 2),
            ("owner", 2), ("approver", 2), ("reason", 2), ("at", 2), ("until", 2)]  # fmt: skip
WRONG_VALUES = {
    "finding": ["F-1", "f-aaaaaaaaa2", "AAAAAAAAA2", "F-AAAAAAAAA22", "F-AAAAAAAAA0",
                '"F-AAAAAAAAA2 "x', "F-AAAAAAAAA2-0", "12", "[F-AAAAAAAAA2]", "'*'"],
    "as": ["fine", "Benign", "true positive", "BENIGN", "benign.", "yes", "true", "[benign]",
           "''", "1"],
    "by": ["''", "' '", "{}", "[ana]", "12", "null", "true",
           '"a\\u0007b"', '"a\\nb"', '"\\u202eana"'],
    "reason": ["''", "~", "[]", "3.5", '"\\u0000"', '"a\\u0085b"', "'" + "x" * 2001 + "'", "{a: b}",
               "false"],
    "at": ["soon", "2026-13-01", "2026-11-31T00:00:00Z", "'02.11.2026'", "1730541600", "''",
           "2026-11-02T25:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T00:00:00Z", "null"],
}  # fmt: skip
WRONG_EXCEPTIONS = {
    "until": ["never", "2026-02-30", "2026-10-31", "2027-11-02", "2030-01-01", "''", "20261231x",
              "365", "null", "[2026-12-31]"],
    "rule": ["'*'", "any", "all", "'%'", "''", "'.*'", "every", "[mass_delete]", "'**'", "7"],
    "owner": ["''", "~", "[]", "12", '"\\t"'],
    "approver": ["''", "~", "[]", '"\\u200b"'],
    "exception": ["X 1", "1", "''", "Y-1", "[X-1]", "'X-'", "'X-ä'"],
}  # fmt: skip
WHOLE_FILES = [
    "finding: F-AAAAAAAAA2\n", "just a text\n", "- - 1\n", "42\n", "- {finding: F-AAAAAAAAA2\n",
    "- finding: [\n", "\t- {}\n", "- {a: *b}\n", "- &x {finding: 1}\n", "- !!python/none x\n",
    "---\n- {}\n---\n- {}\n", "- \"unclosed\n", "- {}}\n", "%YAML 9\n---\n- 1\n", "{}\n",
    "- null\n", "- []\n", "- 2026-11-02\n", "- {finding: F-AAAAAAAAA2, finding: F-BBBBBBBBB3}\n",
    "<<<<<<< HEAD\n",
]  # fmt: skip


def variants() -> Iterator[tuple[str, int, str]]:
    """Name, number of the good line that is spoilt, and its spoilt form."""
    for key, number in REQUIRED:
        yield f"without {key}", number, without(key)(GOOD[number])
    for wrong, number in ((WRONG_VALUES, 0), (WRONG_EXCEPTIONS, 2)):
        for key, values in wrong.items():
            for value in values:
                yield f"{key} {value[:20]}", number, setting(key, value)(GOOD[number])
    for number, line in enumerate(GOOD):
        for text in ("verdict: benign", "As: benign", "untill: 2027-01-01", "x: 1", "'': a",
                     "finding: F-CCCCCCCCC4", "exception: X-9", "reason: twice"):  # fmt: skip
            yield f"line {number} and {text}", number, adding(text)(line)
    yield "everything", 2, without("sender")(without("rule")(GOOD[2]))
    yield "whole family", 3, setting("family", "rule")(without("resource")(GOOD[3]))
    yield "an id taken", 3, setting("exception", "X-1")(GOOD[3])
    chance = random.Random(6)
    for cut in range(60):
        number = chance.randrange(len(GOOD))
        line = GOOD[number]
        yield f"cut {cut}", number, line[: chance.randrange(4, len(line) - 1)]


VARIANTS = list(variants())


def test_there_are_two_hundred_variants():
    """The list is long enough to mean something."""
    assert len(VARIANTS) + len(WHOLE_FILES) >= 200


@pytest.mark.parametrize(
    ("number", "line"), [v[1:] for v in VARIANTS], ids=[v[0] for v in VARIANTS]
)
def test_a_spoilt_line_is_told_with_place_and_fix(tmp_path: Path, number: int, line: str):
    """File, line and a fix; and the whole journal is refused, so no finding changes silently."""
    path = tmp_path / "triage.yml"
    lines = ["# ours", *GOOD]
    lines[number + 1] = line
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    told_well(path, range(number + 2, len(lines) + 2))


@pytest.mark.parametrize("text", WHOLE_FILES)
def test_a_file_that_is_no_list_of_entries_is_refused(tmp_path: Path, text: str):
    """Whatever else the file holds."""
    path = tmp_path / "triage.yml"
    path.write_text(text, encoding="utf-8")
    told_well(path, range(1, 5))


@pytest.mark.parametrize(
    "data", [b"\xff\xfe- 1\n", b"- a\n- \xc3\x28\n", b"#" * (1 << 20) + b"\n-"]
)
def test_bytes_that_are_no_text_of_ours_are_refused(tmp_path: Path, data: bytes):
    """Other encodings, broken UTF-8, and a file without end."""
    path = tmp_path / "triage.yml"
    path.write_bytes(data)
    told_well(path, range(1, 3))


def told_well(path: Path, lines: range) -> None:
    with pytest.raises(AuditLensError) as caught:
        read_journal(path)
    assert caught.value.exit_code == 2
    for fault in caught.value.errors:
        assert fault.path == path
        assert fault.line in lines
        assert str(fault).startswith(f"{path}:{fault.line}:")
        assert fault.fix


def test_the_good_lines_are_good(tmp_path: Path):
    """Each variant above is refused for what was changed in it."""
    path = tmp_path / "triage.yml"
    path.write_text("\n".join(GOOD) + "\n", encoding="utf-8")
    journal = read_journal(path)
    assert (len(journal.dispositions), len(journal.exceptions)) == (2, 2)


def test_a_malformed_journal_stops_the_check(tmp_path: Path):
    """An audit refuses to run on it; it never runs as if there were no journal."""
    from auditlens.audit import run_audit
    from auditlens.events import empty_events

    path = tmp_path / "triage.yml"
    path.write_text(GOOD[0] + "\n- {finding: F-1}\n", encoding="utf-8")
    with pytest.raises(AuditLensError, match=r"triage\.yml:2:"):
        run_audit(empty_events(), period="2026-10", journal=path)
