"""Random numbers: one stream a subject, all from one seed."""

from __future__ import annotations

from zlib import crc32

import numpy as np
import polars as pl

__all__ = ["generator", "identifiers", "pick_rows", "pick_share"]


def generator(seed: int, subject: str) -> np.random.Generator:
    """A generator for one subject, so that a change in one leaves the others as they were."""
    return np.random.default_rng([seed, crc32(subject.encode())])


def identifiers(rng: np.random.Generator, count: int) -> pl.Series:
    """``count`` UUID-shaped identifiers (String)."""
    raw = rng.integers(0, 256, (count, 16), dtype=np.uint8)
    raw[:, 6] = raw[:, 6] & 0x0F | 0x40
    raw[:, 8] = raw[:, 8] & 0x3F | 0x80
    whole = raw.tobytes().hex()
    column = pl.col("raw")
    cuts = ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12))
    frame = pl.DataFrame({"raw": [whole[n : n + 32] for n in range(0, len(whole), 32)]})
    parts = [column.str.slice(first, length) for first, length in cuts]
    return frame.select(pl.concat_str(parts, separator="-").alias("id"))["id"]


def pick_share(rng: np.random.Generator, size: int, share: float) -> np.ndarray:
    """Mark (bool) a share of ``size`` at random: as many each time, one at least from 20 on."""
    count = max(round(size * share), int(size >= 20))
    return np.asarray(rng.permutation(size) < count)


def pick_rows(rng: np.random.Generator, cumulative: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Draw one column for each of ``rows`` from that row's cumulative shares (ending at 1)."""
    flat = (cumulative + np.arange(len(cumulative))[:, None]).ravel()
    drawn = np.searchsorted(flat, rows + rng.random(len(rows)), side="right")
    within = drawn - rows * cumulative.shape[1]
    return np.asarray(np.clip(within, 0, cumulative.shape[1] - 1))
