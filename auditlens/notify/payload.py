"""What a receiver is told about one report, as its kind of receiver wants it.

Counts, levels, titles and ids leave the house, unless the settings say more. All text from rules
and log is data: it is escaped, or put where the receiver reads no markup.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

import polars as pl

from auditlens.audit import Audit
from auditlens.findings import LEVELS, is_excepted, reaches
from auditlens.notify.transport import DeliveryError, Response
from auditlens.settings import Target
from auditlens.triage import resolved

LISTED = 20
"""So many findings are named, the strongest first; the others are counted."""
SEVERITY = {"critical": "critical", "high": "error", "medium": "warning"}
FAILED = frozenset({"error", "errors", "failed", "failure", "invalid", "invalid event"})


def notice_of(audit: Audit, report: str, target: Target) -> dict[str, Any] | None:
    """What a receiver is told of one report.

    Nothing in it names a person, a resource or the workspace unless the target's ``tell`` is
    ``identities``. What an exception expects is counted as ``hidden`` alone.

    Args:
        audit: The run that was reported.
        report: The name of the report, ``2026-10`` or ``2026-10.a1``.
        target: The receiver.

    Returns:
        The notice as plain data; None when the target asked for higher levels only.
    """
    told = audit.findings.filter(~is_excepted())
    sure = audit.coverage.outcome != "incomplete"
    if target.level and sure and told.filter(reaches(target.level)).is_empty():
        return None
    notice: dict[str, Any] = {
        "report": report,
        "period": audit.period.label,
        "timezone": audit.period.timezone,
        "coverage": audit.coverage.outcome,
        "events": audit.events.height,
        "findings": told.height,
        "hidden": audit.findings.height - told.height,
        "levels": level_counts(told),
        "change": change_counts(audit),
        "head": audit.coverage.head or "",
    }
    if target.tell != "levels":
        notice["listed"] = [
            listed_finding(row, names=target.tell == "identities")
            for row in told.head(LISTED).iter_rows(named=True)
        ]
    return notice


def level_counts(findings: pl.DataFrame) -> dict[str, int]:
    """How many findings of each level there are, the highest first."""
    counts = Counter(findings["level"])
    return {level: counts[level] for level in reversed(LEVELS) if counts[level]}


def change_counts(audit: Audit) -> dict[str, Any]:
    """The change against the last signed month; empty without one."""
    if not audit.earlier:
        return {}
    last = audit.earlier[-1]
    states = Counter(audit.findings["state"])
    return {
        "against": last.label,
        **{state: states[state] for state in ("new", "persisting", "reopened")},
        "resolved": resolved(audit.findings, last).height,
    }


def listed_finding(row: dict[str, Any], *, names: bool) -> dict[str, str]:
    told = {"id": row["finding_id"], "level": row["level"], "title": row["title"],
            "state": row["state"]}  # fmt: skip
    if names:
        told["subject"] = row["subject_label"] or row["subject_id"] or ""
    return told


def trial_notice() -> dict[str, Any]:
    """What ``auditlens notify --test`` sends: no report, and it says so."""
    return {
        "report": "test",
        "period": "none",
        "timezone": "UTC",
        "coverage": "none",
        "events": 0,
        "findings": 0,
        "hidden": 0,
        "levels": {},
        "change": {},
        "head": "",
        "listed": [],
    }


def notice_subject(notice: Mapping[str, Any]) -> str:
    """The notice in one line."""
    if notice["report"] == "test":
        return "AuditLens: a test of this channel"
    levels = ", ".join(f"{n} {level}" for level, n in notice["levels"].items())
    counted = f"{notice['findings']} findings" + (f" ({levels})" if levels else "")
    return f"AuditLens: report {notice['report']}: {counted}"


def notice_lines(notice: Mapping[str, Any], name: str) -> list[str]:
    """The notice as lines of plain text, the last with its id."""
    told = [notice_subject(notice)]
    if notice["report"] == "test":
        return [*told, "No report stands behind it.", f"Id {name}"]
    told.append(
        f"{notice['period']} ({notice['timezone']}): {notice['events']:,} events, "
        f"coverage {notice['coverage']}, {notice['hidden']} findings hidden by exceptions"
    )
    if change := notice["change"]:
        counts = ", ".join(
            f"{change[key]} {key}" for key in ("new", "persisting", "reopened", "resolved")
        )
        told.append(f"Against {change['against']}, as signed: {counts}")
    listed: Sequence[Mapping[str, str]] = notice.get("listed", ())
    for one in listed:
        who = f" ({one['subject']})" if one.get("subject") else ""
        told.append(f"{one['id']} {one['level']}, {one['state']}: {one['title']}{who}")
    if listed and notice["findings"] > len(listed):
        told.append(f"and {notice['findings'] - len(listed)} more")
    told.append(f"Archive head {notice['head']}")
    return [*(printable(line) for line in told), f"Id {name}"]


def printable(text: str) -> str:
    """A line without controls and marks that reorder text."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def slack(notice: Mapping[str, Any], name: str, _: Target, __: str) -> dict[str, Any]:
    text = "\n".join(notice_lines(notice, name))
    for mark, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(mark, written)
    return {"text": text, "mrkdwn": False, "unfurl_links": False}


def teams(notice: Mapping[str, Any], name: str, _: Target, __: str) -> dict[str, Any]:
    body = [
        {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": line}]}
        for line in notice_lines(notice, name)
    ]
    card = {"type": "AdaptiveCard", "version": "1.4", "body": body}
    attached = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [attached]}


def pagerduty(notice: Mapping[str, Any], name: str, _: Target, secret: str) -> dict[str, Any]:
    worst = next(iter(notice["levels"]), "")
    return {
        "routing_key": secret,
        "event_action": "trigger",
        "dedup_key": name,
        "payload": {
            "summary": printable(notice_subject(notice))[:1024],
            "source": "auditlens",
            "severity": SEVERITY.get(worst, "info"),
            "custom_details": dict(notice),
        },
    }


def jira(notice: Mapping[str, Any], name: str, target: Target, _: str) -> dict[str, Any]:
    paragraphs = [
        {"type": "paragraph", "content": [{"type": "text", "text": line}]}
        for line in notice_lines(notice, name)
    ]
    return {
        "fields": {
            "project": {"key": target.text("project")},
            "issuetype": {"name": target.text("issue_type", "Task")},
            "summary": printable(notice_subject(notice))[:255],
            "description": {"type": "doc", "version": 1, "content": paragraphs},
            "labels": ["auditlens", name],
        }
    }


def webhook(notice: Mapping[str, Any], name: str, _: Target, __: str) -> dict[str, Any]:
    return {"schema": "auditlens.notice/1", "id": name, **notice}


BODIES: Mapping[str, Callable[[Mapping[str, Any], str, Target, str], dict[str, Any]]] = {
    "slack": slack,
    "teams": teams,
    "pagerduty": pagerduty,
    "jira": jira,
    "webhook": webhook,
}


def mail_of(notice: Mapping[str, Any], name: str, target: Target, queued_at: Any) -> EmailMessage:
    """The notice as a mail whose Message-ID is its id, the same each time it is sent."""
    mail = EmailMessage()
    mail["From"] = target.text("sender")
    mail["To"] = ", ".join(target.options["to"])
    mail["Subject"] = printable(notice_subject(notice))
    mail["Date"] = format_datetime(queued_at)
    mail["Message-ID"] = f"<{name}@auditlens>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content("\n".join(notice_lines(notice, name)) + "\n", cte="quoted-printable")
    return mail


def check_answer(kind: str, answer: Response) -> None:
    """Pass an answer that says the message was taken. Raises Undelivered for any other.

    A status of 2xx is not enough: Slack says ``ok``, PagerDuty ``success``, Jira the new issue's
    key, Teams nothing or ``1``; any other must send nothing, ``ok``, or JSON without an error.
    """
    if not 200 <= answer.status < 300:
        raise DeliveryError(f"it answered {answer.status}", fix=advice(answer.status))
    text = answer.body.decode("utf-8", "replace").strip()
    if not says_taken(kind, text):
        raise DeliveryError(
            f"it answered {answer.status}, but the body does not say that it took the message",
            fix="See the receiver's own log",
        )


def says_taken(kind: str, text: str) -> bool:
    if kind == "slack":
        return text == "ok"
    if kind == "teams" and text in ("", "1"):
        return True
    if kind == "webhook" and (not text or text.casefold() == "ok"):
        return True
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if kind == "pagerduty":
        return isinstance(said, dict) and said.get("status") == "success"
    if kind == "jira":
        return isinstance(said, dict) and bool(said.get("key"))
    return not says_failed(said)


def says_failed(said: Any) -> bool:
    """Whether a JSON body tells of an error."""
    if not isinstance(said, dict):
        return False
    if said.get("error") or said.get("errors") or said.get("ok") is False:
        return True
    if said.get("success") is False:
        return True
    return str(said.get("status", "")).casefold() in FAILED


def advice(status: int) -> str:
    if 300 <= status < 400:
        return "Redirects are not followed: name the address itself"
    if status in (401, 403):
        return "Check the secret"
    if status in (404, 410):
        return "Check the address: it is not there any more"
    return "It is tried again"
