"""From an audit to the content of its report: read it from top to bottom."""

from __future__ import annotations

from collections.abc import Mapping

from auditlens.report.access import access
from auditlens.report.activity import activity
from auditlens.report.closing import appendix, exceptions, method, sign_off
from auditlens.report.completeness import completeness, field_fill
from auditlens.report.conclusion import change, conclusion, cover
from auditlens.report.content import SCHEMA_VERSION, Content
from auditlens.report.evidence import evidence_states
from auditlens.report.facts import Facts
from auditlens.report.finding_rows import PARQUET, finding_rows, rule_groups, shown_findings
from auditlens.report.frameworks import framework_tables
from auditlens.report.profiles import profiles
from auditlens.report.rule_rows import rule_rows, rule_summary
from auditlens.report.sender_months import sender_month_rows
from auditlens.report.tables import table_hashes

__all__ = ["build_content"]


def build_content(facts: Facts, *, limit: int, hashes: Mapping[str, str]) -> Content:
    """Everything the report says. ``limit`` caps the findings a page shows, never the data.

    ``hashes`` has the SHA-256 of each data file that the report cites.
    """
    rows = finding_rows(facts)
    page_rows, shown = shown_findings(rows, limit, hashes[PARQUET])
    rules = rule_rows(facts)
    signed = sign_off(facts)
    fields = field_fill(facts)
    evidence = evidence_states(facts, rules, signed, fields)
    population = completeness(facts, evidence, fields)
    frameworks = framework_tables(facts, evidence, rows)
    hashes = {**hashes, **table_hashes(rules, frameworks)}
    return Content(
        schema=SCHEMA_VERSION,
        cover=cover(facts),
        conclusion=conclusion(facts, rows, population, rules, signed),
        change=change(facts, rows, population.events_in_period),
        frameworks=frameworks,
        groups=rule_groups(facts, rows, page_rows),
        findings=rows,
        shown=shown,
        activity=activity(facts),
        profiles=profiles(facts),
        sender_months=sender_month_rows(facts),
        access=access(facts),
        rules=rules,
        rule_summary=rule_summary(facts, rules),
        completeness=population,
        method=method(facts),
        exceptions=exceptions(facts),
        sign_off=signed,
        appendix=appendix(facts, hashes),
    )
