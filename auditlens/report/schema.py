"""The published JSON Schema of the report's content: ``reports/report.schema.json``."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from auditlens.report.content import SCHEMA_VERSION, Content

__all__ = ["report_schema", "schema_text"]


def report_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of ``findings.json``, drawn from the content's own types."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": SCHEMA_VERSION,
        **closed(msgspec.json.schema(Content)),
    }


def closed(value: Any) -> Any:
    """The schema with every object closed and every field required: content is complete."""
    if isinstance(value, list):
        return [closed(one) for one in value]
    if not isinstance(value, dict):
        return value
    inner = {key: closed(one) for key, one in value.items()}
    if inner.get("type") == "object" and "properties" in inner:
        inner["required"] = sorted(inner["properties"])
        inner["additionalProperties"] = False
    return inner


def schema_text() -> str:
    """The schema as the file holds it."""
    return json.dumps(report_schema(), indent=1, sort_keys=True) + "\n"
