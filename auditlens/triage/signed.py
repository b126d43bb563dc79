"""The findings of signed months, as they are sealed and read again."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from auditlens.canonical import sha256_hex
from auditlens.errors import IntegrityError
from auditlens.files import read
from auditlens.findings import FINDING_SCHEMA
from auditlens.period import Period
from auditlens.seals import Ledger, Seal
from auditlens.seals.seal import FIX, canonical
from auditlens.triage.change import MONTH_SCHEMA, SealedMonth

__all__ = ["findings_bytes", "month_of", "months_before", "sealed_findings"]


def findings_bytes(findings: pl.DataFrame) -> bytes:
    """Findings as they are sealed: every field of every finding, in order."""
    return canonical({"findings": findings_rows(findings)})


def findings_rows(findings: pl.DataFrame) -> list[dict[str, Any]]:
    moments = [name for name, dtype in findings.schema.items() if dtype.is_temporal()]
    as_text = pl.col(moments).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
    return findings.with_columns(as_text).to_dicts()


def sealed_findings(seal: Seal) -> pl.DataFrame:
    """The findings a seal binds (FINDING_SCHEMA). Raises IntegrityError when they changed."""
    path = seal.findings_path
    try:
        raw = read(path)
    except FileNotFoundError:
        raise IntegrityError(f"{path} is missing", fix=FIX) from None
    if sha256_hex(raw) != seal.digests["findings"]:
        raise IntegrityError(f"{path}: the bytes are not those that were signed", fix=FIX)
    plain = {
        name: pl.String() if dtype.is_temporal() else dtype
        for name, dtype in FINDING_SCHEMA.items()
    }
    moments = [name for name, dtype in FINDING_SCHEMA.items() if dtype.is_temporal()]
    frame = pl.DataFrame(json.loads(raw)["findings"], schema=plain)
    as_times = pl.col(moments).str.to_datetime("%Y-%m-%dT%H:%M:%S%.6fZ", time_zone="UTC")
    return frame.with_columns(as_times)


def month_of(seal: Seal) -> SealedMonth:
    found = sealed_findings(seal).select(list(MONTH_SCHEMA))
    period = seal.period
    return SealedMonth(
        label=seal.label,
        start=period.start,
        end=period.end,
        seal=seal.hash,
        findings=found,
        events=int(seal.data["events"]),
        rules=dict(seal.data["rules"]),
    )


def months_before(ledger: Ledger, period: Period) -> tuple[SealedMonth, ...]:
    """What was signed of the periods that ended before this one began, oldest first."""
    return tuple(month_of(seal) for seal in ledger.standing if seal.period.end <= period.start)
