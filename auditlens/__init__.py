"""AuditLens: from a data catalog's audit log to a compliance report people can trust.

    import auditlens as al

    events = al.read_events("october.ndjson")
    audit = al.run_audit(events, period="2026-10")
    al.Report(audit).write("out/")

Names are loaded on first use, so that ``import auditlens`` stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from auditlens.archive import Archive
    from auditlens.audit import Audit, run_audit
    from auditlens.errors import AuditLensError
    from auditlens.period import Period
    from auditlens.report import Report
    from auditlens.rules import RuleSet, load_rules
    from auditlens.settings import Settings, load_settings
    from auditlens.sources import SecodaSource, read_events, read_log

__all__ = [
    "Archive",
    "Audit",
    "AuditLensError",
    "Period",
    "Report",
    "RuleSet",
    "SecodaSource",
    "Settings",
    "load_rules",
    "load_settings",
    "read_events",
    "read_log",
    "run_audit",
]

HOMES = {
    "Archive": "archive",
    "Audit": "audit",
    "AuditLensError": "errors",
    "Period": "period",
    "Report": "report",
    "RuleSet": "rules",
    "SecodaSource": "sources",
    "Settings": "settings",
    "load_rules": "rules",
    "load_settings": "settings",
    "read_events": "sources",
    "read_log": "sources",
    "run_audit": "audit",
}


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module 'auditlens' has no attribute {name!r}")
    return getattr(import_module(f"auditlens.{HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
