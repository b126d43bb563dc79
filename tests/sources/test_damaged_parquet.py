"""A damaged Parquet file is told in one line, and by nobody else."""

import os
import random
from pathlib import Path

import polars as pl
import pytest

from auditlens.errors import UsageError
from auditlens.sources import read_events

# No damaged file lets others print while it is read.
from auditlens.sources.tables import panics_only_raised


@panics_only_raised()
def panic():
    os.write(2, b"a backtrace")
    raise pl.exceptions.PanicException


def test_flipped_bits_make_the_engine_print_nothing(tmp_path, capfd):
    """Whatever the engine makes of 300 damaged files, only our own errors leave the reader."""
    records = [{"id": str(n), "created_at": f"2026-10-01T00:00:{n:02d}Z"} for n in range(60)]
    pl.DataFrame(records).write_parquet(tmp_path / "whole.parquet")
    whole, dice, refused = (tmp_path / "whole.parquet").read_bytes(), random.Random(1), 0
    descriptors = len(list(Path("/dev/fd").iterdir()))
    for _ in range(300):
        flipped = bytearray(whole)
        for _ in range(dice.choice([1, 2, 5])):
            flipped[dice.randrange(len(flipped))] ^= 1 << dice.randrange(8)
        (tmp_path / "flipped.parquet").write_bytes(flipped)
        try:
            read_events(tmp_path / "flipped.parquet")
        except UsageError:
            refused += 1
    assert refused > 50
    assert len(list(Path("/dev/fd").iterdir())) == descriptors
    assert capfd.readouterr().err == ""


def test_what_others_print_meanwhile_is_not_lost(capfd):
    """Text on standard error comes out afterwards, unless it was a panic's own."""
    with panics_only_raised():
        os.write(2, b"a message")
    with pytest.raises(pl.exceptions.PanicException):
        panic()
    assert capfd.readouterr().err == "a message"
