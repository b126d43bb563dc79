"""The archive: sealed evidence of a source's records, and the event table made from it."""

from auditlens.archive.accounting import ArchiveStatus
from auditlens.archive.archive import Archive
from auditlens.archive.chain import Problem
from auditlens.archive.interrupt import stop_on_signal
from auditlens.archive.sync import SyncOutcome
from auditlens.archive.verification import Verification
from auditlens.archive.walk import Progress

__all__ = [
    "Archive",
    "ArchiveStatus",
    "Problem",
    "Progress",
    "SyncOutcome",
    "Verification",
    "stop_on_signal",
]
