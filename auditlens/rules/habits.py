"""Behaviours: stub until its own stage."""

from __future__ import annotations

from typing import Any

import polars as pl

from auditlens.documents import Document
from auditlens.rules.episodes import Evidence
from auditlens.rules.rule import Behaviour
from auditlens.rules.vocabulary import Rows

__all__ = ["behaviour_body", "behaviour_hits"]


def behaviour_body(document: Document) -> Behaviour:
    raise document.error("behaviours are not supported yet", "behaviour")


def behaviour_hits(
    body: Behaviour, frame: pl.DataFrame, times: pl.Series, inputs: list[Rows], timezone: str
) -> Evidence:
    raise NotImplementedError(body, frame, times, inputs, timezone, Any)
