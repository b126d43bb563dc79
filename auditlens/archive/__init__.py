"""The archive: sealed evidence of a source's records, and the event table made from it."""

from auditlens.archive.archive import Archive
from auditlens.archive.chain import Problem
from auditlens.archive.scan import Progress
from auditlens.archive.status import ArchiveStatus
from auditlens.archive.sync import SyncOutcome, stop_on_signal

__all__ = [
    "Archive",
    "ArchiveStatus",
    "Problem",
    "Progress",
    "SyncOutcome",
    "stop_on_signal",
]
