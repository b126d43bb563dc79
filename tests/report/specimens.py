"""Made-up audits for the tests and benchmarks of the report, any size, always the same."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import polars as pl

from auditlens.cases import build_cases
from auditlens.coverage import Coverage, Pull, Quarantined
from auditlens.events import EVENT_SCHEMA
from auditlens.findings import FINDING_SCHEMA, LEVELS
from auditlens.period import Period
from auditlens.settings import Settings
from auditlens.triage import CaseLedger, Journal, case_states

NAMES = ("Ada Birch", "Kai Juniper", "Bo Larch", "Ines Rowan", "Tom Alder", "Mia Hazel")
GROUPS = (
    ("read", "view"), ("write", "update"), ("delete", "delete"), ("permission", "grant"),
    ("export", "export"), ("system", "run"), ("share", "share"), ("admin", "settings_change"),
)  # fmt: skip
RULES = 24
HEALTH = {
    "rule_id": pl.String, "name": pl.String, "title": pl.String, "level": pl.String,
    "kind": pl.String, "status": pl.String, "enabled": pl.Boolean, "reason_off": pl.String,
    "hits": pl.Int64, "findings": pl.Int64, "examined": pl.Int64,
    "fields_missing": pl.List(pl.String), "seconds": pl.Float64,
}  # fmt: skip


class Specimen(SimpleNamespace):
    """An audit with the fields of the real one; its cases follow its findings as they stand."""

    @property
    def cases(self) -> pl.DataFrame:
        cases, found = build_cases(self.findings, self.events)
        found = found.with_columns(disposition=pl.lit(None, pl.String))  # no journal has them
        return case_states(cases, found, Journal(), CaseLedger(), self.period.label)


def uid(text: str) -> str:
    """A stable made-up id in the form of a UUID."""
    h = hashlib.sha256(text.encode()).hexdigest()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:32]}"


def make_events(period: Period, count: int, text: str = "") -> pl.DataFrame:
    """Events spread over the period with office hours; ``text`` goes into every text field."""
    rows = []
    days = max(len(period.days), 1)
    for n in range(count):
        group, action = GROUPS[(n * n + n // 7) % 8 if n % 3 else 0]
        name = NAMES[(n // 3) % len(NAMES)]
        at = period.start + timedelta(days=(n * 7) % days, hours=7 + (n * 5) % 11, minutes=n % 60)
        row = dict.fromkeys(EVENT_SCHEMA)
        row |= {
            "id": uid(f"event {n}") + (f" {text}" if text else ""), "created_at": at,
            "event": text or f"table_{action}", "action": text or action, "action_group": group,
            "sender_id": uid(name) + text, "sender_name": text or name,
            "sender_email": text or name.lower().replace(" ", ".") + "@example.org",
            "sender_kind": "user", "resource_id": uid(f"r{n % 40}") + text,
            "resource_title": text or f"orders table {n % 40}", "resource_type": "table",
            "entity_type": "table", "entity_id": uid(f"r{n % 40}") + text, "generation": "legacy",
            "content": text, "summary": text, "subject": text, "metadata": text or None,
            "related_ids": [text] if text else [], "leaf": hashlib.sha256(str(n).encode()).digest(),
        }  # fmt: skip
        rows.append(row)
    return pl.DataFrame(rows, schema=EVENT_SCHEMA, orient="row").sort("created_at", "id")


def make_findings(events: pl.DataFrame, period: Period, count: int, text: str = "") -> pl.DataFrame:
    """``count`` findings over the rules and the model, most of them medium or below."""
    ids = events["id"].to_list() or [uid("none")]
    rows = []
    for n in range(count):
        name, model = NAMES[n % len(NAMES)], n % 4 == 3
        at = period.start + timedelta(hours=7 * n % (24 * 28) + 9, minutes=n % 60)
        level = LEVELS[4] if n % 97 == 5 else LEVELS[3] if n % 23 == 2 else LEVELS[n % 3]
        subject = "resource" if n % 5 == 4 else "sender"
        label = f"orders table {n % 40}" if subject == "resource" else name
        reasons = [
            {
                "family": family, "share": share, "text": text or
                f"{14 + n % 60} {family} in a day against a usual {n % 7}", "value": 14.0 + n % 60,
                "own_baseline": float(n % 7), "peer_baseline": 3.5, "label": "RARE",
            }
            for family, share in ((("exports", 0.52), ("night hours", 0.31)) if model
                                  else (("deletions", None),))
        ]  # fmt: skip
        row = {
            "finding_id": "F-" + hashlib.sha256(str(n).encode()).hexdigest()[:10].upper(),
            "kind": "anomaly" if model else "rule",
            "rule_id": "sender-day" if model else uid(f"rule {n % RULES}"),
            "title": text or ("Unusual day of a sender" if model
                              else f"Bulk change number {n % RULES}"), "level": level,
            "subject_kind": subject,
            "subject_id": (uid(f"r{n % 40}") if subject == "resource" else uid(name)) + text,
            "subject_label": text or label, "first_at": at,
            "last_at": at + timedelta(minutes=n % 90), "detected_at": period.end,
            "event_count": 2 + n % 9, "event_ids": [ids[(n * 11 + k) % len(ids)]
                                                   for k in range(2 + n % 9)],
            "value": 14.0 + n % 60, "expected": float(n % 7),
            "score_rank": n + 1 if model else None,
            "score_percentile": 99.5 if model else None, "reasons": reasons,
            "tags": ["attack.t1485"], "controls": ["soc2:CC7.2"], "state": "new",
            "disposition": None, "exception_id": None,
        }  # fmt: skip
        rows.append(row)
    return pl.DataFrame(rows, schema=FINDING_SCHEMA, orient="row")


def make_rules(
    findings: pl.DataFrame, events: int, text: str = ""
) -> tuple[SimpleNamespace, pl.DataFrame]:
    """A rule set and its health: one rule off, the others ran."""
    hits = dict(findings.group_by("rule_id").len().iter_rows())
    rules, rows = [], []
    for n in range(RULES):
        rule_id, title = uid(f"rule {n}"), text or f"Bulk change number {n}"
        off = n == RULES - 1
        rules.append(
            SimpleNamespace(
                id=rule_id, name=f"bulk_{n}", title=title, level=LEVELS[n % 5], kind="rule",
                enabled=not off, description=text or "Many changes by one sender within an hour.",
                digest=hashlib.sha256(rule_id.encode()).hexdigest(), controls=("soc2:CC7.2",),
                path=Path(),
            )
        )  # fmt: skip
        rows.append(
            [rule_id, f"bulk_{n}", title, LEVELS[n % 5], "rule", "stable", not off,
             text or "too noisy here" if off else "", hits.get(rule_id, 0) * 3,
             hits.get(rule_id, 0), 0 if off else events, [], 0.01]
        )  # fmt: skip
    return (
        SimpleNamespace(rules=tuple(rules), digest=hashlib.sha256(b"rules").hexdigest()),
        pl.DataFrame(rows, schema=HEALTH, orient="row"),
    )


def make_audit(
    findings: int = 10,
    events: int = 600,
    *,
    text: str = "",
    timezone: str = "UTC",
    outcome: str = "complete",
    workspace: str = "Simulated workspace",
) -> Specimen:
    """An audit of October 2026 in a made-up workspace, with the fields of the real one."""
    period = Period.parse("2026-10", timezone=timezone)
    log = make_events(period, events, text)
    found = make_findings(log, period, findings, text)
    rules, health = make_rules(found, events, text)
    statement = text or {
        "complete": f"All {events:,} events that the server counted are held.",
        "incomplete": "34 events that the server counted are not held.",
    }.get(outcome, "Nothing can say what the server held.")
    pull = Pull(period.end, text or "/notification/workspace/", 20, 5, events, outcome, None)
    return Specimen(
        period=period,
        events=log,
        findings=found,
        sender_days=pl.DataFrame(),
        resource_days=pl.DataFrame(),
        rule_health=health,
        coverage=Coverage(
            outcome=outcome,
            statement=statement,
            source=text or "archive",
            missing=34 if outcome == "incomplete" else 0,
            first_at=period.start - timedelta(days=30),
            last_at=period.end,
            events_held=events + 1200,
            events_in_period=events,
            quarantined=(Quarantined(text, 3, text, text),) if text else (),
            quarantined_count=1 if text else 0,
            changed_ids=(text,) if text else (),
            changed_count=1 if text else 0,
            pulls=(pull,),
            head=hashlib.sha256(b"head").hexdigest(),
            input_digest=hashlib.sha256(f"{events}".encode()).hexdigest(),
        ),
        rules=rules,
        settings=Settings(workspace=text or workspace, timezone=timezone),
        run_at=datetime(2026, 11, 2, 6, 30, tzinfo=UTC),
        model={
            "seed": 0,
            "trees": 500,
            "features": ["exports", "night hours"],
            "notes": [text or "The baseline spans 62 days."],
        },
        source=None,
        provenance={"auditlens": "0.1.0", "polars": "2.1.0", "note": text},
    )
