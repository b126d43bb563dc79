"""Does every cell of the event table follow from the evidence?

Reports are made from the table, so a hash that anyone can write anew is not enough. The chain
vouches for the table that a sync left behind; one made since then is compared cell by cell.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from auditlens.actions import load_classifier
from auditlens.archive.chain import Chain, Problem
from auditlens.archive.index import Index, TableFile, stamp_of
from auditlens.archive.rows import TABLE_SCHEMA, classified, decoded, groups
from auditlens.archive.table import FOLDER, Table

__all__ = ["cell_problems"]

KEY = ["segment", "leaf"]


def cell_problems(folder: Path, chain: Chain, index: Index | None) -> Iterator[Problem]:
    """Files of the table that hold another cell than their records lead to.

    Costs a hash for a table that a sync sealed, and decoding all evidence for any other.
    Hashes, segments and leaves are to be checked before.
    """
    if index is None or any(note.table == index.digest for _, note in chain.outcomes):
        return
    for file in index.files:
        if not follows(folder, chain, index, file):
            text = "cells are not what the evidence says; the evidence can rebuild it"
            yield Problem(f"{FOLDER}/{file.path}", f"1-{file.rows}", text)


def follows(folder: Path, chain: Chain, index: Index, file: TableFile) -> bool:
    """Whether the rows of one file are those its segments lead to."""
    columns = list(TABLE_SCHEMA)
    classifier = load_classifier()
    if index.stamp != stamp_of(classifier):
        # No reader uses a table classified in another way; it is made anew first.
        columns = [name for name in columns if not name.startswith("action")]
    held = Table.frame_of(folder / FOLDER, file, columns)
    wanted = set(held["segment"].unique())
    sealed = [item for item in chain.segments if item[0].sequence in wanted]
    made = [
        classified(decoded(folder, group).join(held, on=KEY, how="semi"), classifier)
        for group in groups(sealed)
    ]
    if not made:
        return held.is_empty()
    return pl.concat(made).select(columns).sort(KEY).equals(held.sort(KEY))
