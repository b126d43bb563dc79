"""The steps that benchmarks/spine.py measures, each in a process of its own.

python -m benchmarks._spine_steps simulate LOG EVENTS
python -m benchmarks._spine_steps ingest LOG ARCHIVE
python -m benchmarks._spine_steps verify ARCHIVE
python -m benchmarks._spine_steps seal LOG

Each prints one JSON object: events, and the wall and CPU seconds of the step itself.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from auditlens.pages import Page

PAGE = 1000


class Shelf:
    """A source that hands over records from memory, newest first."""

    name = "benchmark"

    def __init__(self, path: Path) -> None:
        self.records = path.read_bytes().splitlines()[::-1]

    def page(self, number: int) -> Page:
        start = (number - 1) * PAGE
        total = -(-len(self.records) // PAGE)
        records = tuple(self.records[start : start + PAGE])
        return Page(number, records, len(self.records), total, number >= total, "legacy")


@contextmanager
def told(events: Callable[[], int]) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    seconds = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    print(json.dumps({"events": events(), **seconds}))


def make_log(path: Path, events: int) -> None:
    """Write about ``events`` simulated records of 90 days, oldest first."""
    from auditlens.simulator import simulate

    people = max(20, events // 2600)
    workspace = simulate(0, people=people, services=people // 20, resources=people * 15)
    with told(lambda: workspace.size):
        workspace.write_ndjson(path)


def ingest(log: Path, folder: Path) -> None:
    """Sync a whole log, held in memory, into a new archive."""
    from auditlens.archive import Archive

    shelf = Shelf(log)
    with told(lambda: len(shelf.records)):
        outcome = Archive(folder).sync(shelf)
    assert outcome.outcome == "complete", outcome


def verify(folder: Path) -> None:
    """Check every byte of an archive."""
    from auditlens.archive import Archive

    found = []
    with told(lambda: found[0].records):
        found.append(Archive(folder).verify())
    assert found[0].ok, found[0].problems


def seal(log: Path) -> None:
    """The floor under ingest: hash each record and compress all, keeping nothing."""
    import zstandard

    records = log.read_bytes().splitlines()
    with told(lambda: len(records)):
        for record in records:
            hashlib.sha256(b"\0" + record).digest()
        for start in range(0, len(records), PAGE * 50):
            zstandard.ZstdCompressor().compress(b"\n".join(records[start : start + PAGE * 50]))


if __name__ == "__main__":
    step, *rest = sys.argv[1:]
    if step == "simulate":
        make_log(Path(rest[0]), int(rest[1]))
    else:
        {"ingest": ingest, "verify": verify, "seal": seal}[step](*map(Path, rest))
