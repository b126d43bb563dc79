"""The directory: who and what the log speaks of, and how that was known at the time."""

from auditlens.directory.frames import LISTINGS, read_listing
from auditlens.directory.history import Directory, DirectoryHistory
from auditlens.directory.marks import MARKS, with_catalog_context, with_marks

__all__ = [
    "LISTINGS",
    "MARKS",
    "Directory",
    "DirectoryHistory",
    "read_listing",
    "with_catalog_context",
    "with_marks",
]
