"""How the records came: what rests on the pulls and not on the records.

The page and every other file of a report are the same however often a pull failed, was repeated
or came late. What those change stands here, in a file of its own beside the page.
"""

from __future__ import annotations

from dataclasses import dataclass

from auditlens.coverage import Pull
from auditlens.report.completeness import unreadable
from auditlens.report.facts import Facts, file_name
from auditlens.report.sections import Quarantine

__all__ = ["COLLECTION_FILE", "Collection", "collection"]

COLLECTION_FILE = "collection.json"
FORMAT = "auditlens.collection/1"


@dataclass(frozen=True)
class Collection:
    """The pulls since the period began and what they left, as ``collection.json`` has it.

    ``archive_head`` is the hash that seals the archive as it was read, null of files.
    ``seen_again`` counts records that came more than once, ``late`` events of the period that
    came after a pull had proven their time complete. ``quarantined`` says where each record lies
    that could not be read; its list is capped, ``quarantined_count`` is true.
    """

    format: str
    source: str
    archive_head: str | None
    seen_again: int
    late: int
    pulls: tuple[Pull, ...]
    quarantined: tuple[Quarantine, ...]
    quarantined_count: int


def collection(facts: Facts) -> Collection:
    """How the records of one audit came."""
    held = facts.coverage
    return Collection(
        format=FORMAT,
        source=file_name(held.source),
        archive_head=held.head,
        seen_again=held.duplicates,
        late=held.late,
        pulls=held.pulls,
        quarantined=unreadable(facts),
        quarantined_count=held.quarantined_count,
    )
