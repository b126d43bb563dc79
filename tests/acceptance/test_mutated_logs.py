"""Mutated logs of every form: read or refused with a reason, soon, and never a traceback."""

from __future__ import annotations

import gzip
import io
import json
import random
import time
from functools import cache
from pathlib import Path

import polars as pl
import pytest
import zstandard
from click.testing import CliRunner

from auditlens.cli import auditlens
from auditlens.errors import UsageError
from auditlens.simulator import simulate
from auditlens.sources import read_log

FEW, MANY = 30, 500
SECONDS = 5.0


@cache
def samples() -> dict[str, bytes]:
    """One small log in every form."""
    workspace = simulate(4, people=5, services=1, resources=40, days=6, events_per_day=6)
    lines = workspace.records("legacy")[:150]
    records = [json.loads(line) for line in lines]
    pages = [{"count": 150, "results": records[at : at + 30]} for at in range(0, 150, 30)]
    flat = pl.DataFrame([{k: json.dumps(v) if isinstance(v, dict | list) else v
                          for k, v in one.items()} for one in records])  # fmt: skip
    parquet = io.BytesIO()
    flat.write_parquet(parquet)
    ndjson = b"\n".join(lines) + b"\n"
    return {
        "log.ndjson": ndjson,
        "current.ndjson": b"\n".join(workspace.records("current")[:150]),
        "page.json": json.dumps(pages[0]).encode(),
        "pages.json": b"".join(json.dumps(page, indent=1).encode() for page in pages),
        "array.json": json.dumps(records).encode(),
        "log.csv": flat.write_csv().encode(),
        "log.parquet": parquet.getvalue(),
        "log.ndjson.gz": gzip.compress(ndjson),
        "log.ndjson.zst": zstandard.ZstdCompressor().compress(ndjson),
        "wide.csv": flat.write_csv().encode("utf-16"),
    }


SPICE = (b'"', b"{", b"}", b"[", b"]", b"\\", b"\n", b"\r", b"\0", b"\xff", b"\xed\xa0\xbd", b",",
         b"\\ud83d", b"NaN", b"-Infinity", b"1e999", b"0001-01-01T00:00:00Z", b"\xff\xfe", b"}{",
         b"][", b"[" * 3000, b'{"a":' * 400, b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"PAR1",
         b'{"results":[', b"9999-12-31T23:59:59Z", b'","' * 50)  # fmt: skip


def mutated(data: bytes, dice: random.Random) -> bytes:
    """The same bytes with one to six flips, cuts, insertions or repeated or swapped blocks."""
    text = bytearray(data)
    for _ in range(dice.randint(1, 6)):
        at, size = dice.randrange(len(text) + 1), dice.randint(1, 400)
        match dice.randrange(6):
            case 0 if text:
                for _ in range(dice.randint(1, 8)):
                    text[dice.randrange(len(text))] ^= 1 << dice.randrange(8)
            case 1:
                del text[at:]
            case 2:
                del text[at : at + size]
            case 3:
                text[at:at] = dice.choice(SPICE)
            case 4:
                text[at:at] = text[dice.randrange(len(text) + 1) :][:size]
            case _:
                text[at : at + size] = dice.randbytes(dice.randint(0, 40))
    return bytes(text)


def outcome(path: Path) -> int:
    """The exit code that reading a file leads to."""
    try:
        log = read_log(path)
    except UsageError as error:
        return 2 if error.fix and "\n" not in str(error) else 70
    assert log.events["id"].null_count() == 0
    return 3 if log.coverage.quarantined_count else 0


def examine(folder: Path, count: int, *, by_command: int) -> dict[int, int]:
    """Read mutated logs; each in a few seconds of work, some by the command line."""
    codes: dict[int, int] = {}
    names = list(samples())
    for seed in range(count):
        dice = random.Random(seed)
        name = names[seed % len(names)]
        path = folder / f"{seed}-{name}"
        path.write_bytes(mutated(samples()[name], dice))
        start = time.process_time()
        code = outcome(path)
        assert time.process_time() - start < SECONDS, path.name
        assert code in (0, 2, 3), path.name
        codes[code] = codes.get(code, 0) + 1
        if seed % by_command == 0:
            done = CliRunner().invoke(auditlens, ["check", str(path), "--period", "2026-06"])
            assert done.exit_code in (0, 1, 2, 3), (path.name, done.exception)
        path.unlink()
    return codes


def test_mutated_logs_are_read_or_refused_in_words(tmp_path):
    """Thirty of them, seeded; some are read whole, some in part, some refused."""
    assert sum(examine(tmp_path, FEW, by_command=15).values()) == FEW


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_five_hundred_mutated_logs(tmp_path):
    """The same for five hundred, every tenth through the command line."""
    codes = examine(tmp_path, MANY, by_command=10)
    assert codes.keys() <= {0, 2, 3}
    assert codes[3] > MANY // 4
