"""Identifiers that are the same on every export of the same input."""

from __future__ import annotations

import uuid

from auditlens.report.content import Content

__all__ = ["stable_id"]

FAMILY = uuid.UUID("6f9c1f58-6a0b-5a5e-9c5f-3f1d6f0f6a11")


def stable_id(content: Content, *parts: str) -> str:
    """UUID version 5 of the run and ``parts``; the run is named by its input's hash."""
    run = uuid.uuid5(FAMILY, f"{content.cover.input_digest}/{content.cover.run_id}")
    return str(uuid.uuid5(run, "/".join(parts)))
