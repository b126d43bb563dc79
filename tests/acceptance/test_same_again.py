"""The same evidence gives the same bytes, wherever and however often it is asked."""

from __future__ import annotations

import gzip
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

REAL = Path(__file__).parents[3] / "shared" / "data" / "activity" / "workspace-b.ndjson.gz"
CREATED = slice(len('{"id":"","created_at":"') + 36, None)
PLACES = (
    {"PYTHONHASHSEED": "0", "LC_ALL": "C", "TZ": "UTC"},
    {
        "PYTHONHASHSEED": "4242",
        "LC_ALL": "C.UTF-8",
        "LANG": "tr_TR.UTF-8",
        "TZ": "Pacific/Kiritimati",
    },
)


@pytest.fixture
def months(tmp_path) -> Path:
    """Half a year of a real activity stream, where it is at hand; else a made-up one."""
    path = tmp_path / "months.ndjson"
    if REAL.exists():
        with gzip.open(REAL) as lines:
            kept = [
                line
                for line in lines
                if b"2022-11" <= line[line.index(b'_at":"') + 6 :][:7] < b"2023-05"
            ]
        path.write_bytes(b"".join(kept))
        return path
    path.write_bytes(b"".join(made_up(random.Random(3))))
    return path


def made_up(chance: random.Random) -> list[bytes]:
    """Ten people at their daily work for six months, and one bad night."""
    moments = [(day, chance.randrange(8 * 60, 18 * 60)) for day in range(181) for _ in range(20)]
    moments += [(170, minute // 4) for minute in range(300)]
    start = datetime(2022, 11, 1, tzinfo=UTC)
    lines = []
    for number, (day, minute) in enumerate(sorted(moments)):
        who = 99 if day == 170 and minute < 80 else chance.randrange(10)
        what = chance.choice(("document_updated", "document_created", "document_deleted"))
        at = start + timedelta(days=day, minutes=minute, milliseconds=number % 1000)
        record = {
            "id": f"e{number}",
            "created_at": f"{at:%Y-%m-%dT%H:%M:%S}.{number % 1000:03d}Z",
            "resource_id": f"r{chance.randrange(300)}",
            "resource_title": "document",
            "resource_type": "document",
            "event": "document_deleted" if who == 99 else what,
            "content": "a document",
            "sender": {"id": f"s{who}", "email": f"s{who}@example.org", "first_name": f"S{who}"},
            "metadata": {"container": f"c{number % 9}"},
            "short_summary": f"S{who} at work",
            "subject": "Document",
            "entity_snapshot_key": None,
        }
        lines.append(json.dumps(record).encode() + b"\n")
    return lines


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_two_reports_are_the_same_to_the_byte(auditlens, tmp_path, months):
    """Another hash seed, locale and zone change nothing; the run's time comes from outside."""
    folders = []
    for number, place in enumerate(PLACES):
        out = tmp_path / f"out{number}"
        ran = auditlens(
            "report",
            months,
            "--period",
            "2023-04",
            "--out",
            out,
            SOURCE_DATE_EPOCH="1700000000",
            **place,
        )
        assert ran.code == 0, ran.err
        folders.append(tree(out))
    assert set(folders[0]) == set(folders[1])
    assert set(folders[0]) >= {
        "report.html",
        "findings.json",
        "findings.csv",
        "findings.parquet",
        "manifest.json",
    }
    assert [name for name in folders[0] if folders[0][name] != folders[1][name]] == []


def findings(auditlens, *files: Path, period: str) -> list[dict]:
    ran = auditlens("check", "--json", *files, "--period", period, SOURCE_DATE_EPOCH="1700000000")
    assert ran.code in {0, 1}, ran.err
    document = json.loads(ran.out)
    assert "schema_version" in document
    return document["findings"]


def test_shuffled_input_gives_the_same_findings(auditlens, tmp_path, months):
    """The order of lines in a file says nothing, so it may change nothing."""
    lines = months.read_bytes().splitlines(keepends=True)
    random.Random(5).shuffle(lines)
    shuffled = tmp_path / "shuffled.ndjson"
    shuffled.write_bytes(b"".join(lines))
    period = "2023-04-01..2023-04-30"
    straight = findings(auditlens, months, period=period)
    assert straight
    assert findings(auditlens, shuffled, period=period) == straight


TOLD = (
    "finding_id",
    "kind",
    "rule_id",
    "title",
    "level",
    "subject_id",
    "first_at",
    "last_at",
    "event_count",
    "event_ids",
)
SAME = (
    "id",
    "created_at",
    "event",
    "action",
    "sender_id",
    "sender_email",
    "sender_name",
    "resource_id",
    "resource_title",
    "resource_type",
    "summary",
)


def told(found: list[dict]) -> list[dict]:
    """What a finding says, without what names the run or the wording of a generation."""
    return sorted(
        ({key: one[key] for key in TOLD} for one in found),
        key=lambda one: one["finding_id"],
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_real_stream_says_the_same_through_either_generation(
    workspace, auditlens, tmp_path, months
):
    """Served in the older and in the current shape, it becomes the same events and findings."""
    import auditlens as al

    frames, found = [], []
    for generation in ("legacy", "current"):
        secoda = workspace(file=str(months), generations=[generation], cap=500)
        secoda.config(page_size={"legacy": 500, "current": 500})
        folder = tmp_path / generation
        ran = auditlens.sync(secoda, folder)
        assert ran.code == 0, ran.err
        frames.append(al.Archive(folder).events().select(SAME).sort("id"))
        ran = auditlens(
            "check",
            "--json",
            "--archive",
            folder,
            "--period",
            "2023-04-01..2023-04-30",
            SOURCE_DATE_EPOCH="1700000000",
        )
        assert ran.code in {0, 1}, ran.err
        found.append(told(json.loads(ran.out)["findings"]))
    assert frames[0].equals(frames[1])
    assert found[0]
    assert found[0] == found[1]
