"""A JSON document takes bounded memory, however many elements it has."""

from __future__ import annotations

import subprocess
import sys

import pytest

LIMITED = """
import resource, sys
from auditlens.sources.documents import read_documents
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
count = 0
record = b'{"id": "e", "created_at": "2026-10-05T10:00:00Z", "content": "' + b"x" * 400 + b'"},'
part = {"empty": b"{}," * 300_000, "records": record * 2_000, "spaces": b" " * 1_000_000,
        "page": record * 2_000}[sys.argv[1]]
parts = (part for _ in range(int(sys.argv[2])))
def whole():
    yield b'{"results": [' if sys.argv[1] == "page" else b"["
    yield from parts
    yield record[:-1] + (b"]}" if sys.argv[1] == "page" else b"]")
for pieces, wrong in read_documents(whole()):
    count += len(pieces)
    assert not wrong
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
print(count, grown)
"""


def measured(kind: str, parts: int) -> tuple[int, int]:
    """Elements found, and MiB by which the process grew."""
    done = subprocess.run([sys.executable, "-c", LIMITED, kind, str(parts)],
                          capture_output=True, text=True, check=True)  # fmt: skip
    count, grown = map(int, done.stdout.split())
    return count, grown


@pytest.mark.parametrize("kind", ["empty", "records", "page", "spaces"])
def test_a_document_of_tens_of_megabytes_takes_a_fraction_of_it(kind):
    """Elements go as they come."""
    count, grown = measured(kind, 10 if kind == "empty" else 30)
    assert count == {"empty": 3_000_001, "spaces": 1}.get(kind, 60_001)
    assert grown < 150


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["records", "page"])
def test_a_document_of_half_a_gigabyte_takes_no_more(kind):
    """There is no bound on a document."""
    count, grown = measured(kind, 560)
    assert count == 1_120_001
    assert grown < 150
