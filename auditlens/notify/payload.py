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
from auditlens.cases import case_reaches, is_to_decide
from auditlens.findings import LEVELS, is_excepted
from auditlens.notify.transport import DeliveryError, Response
from auditlens.settings import Target
from auditlens.text import count, cut
from auditlens.triage import resolved

LISTED = 20
"""So many findings are named, the strongest first; the others are counted."""
LINE = 400
"""Characters of one line; longer ones are cut and say how much is missing."""
SLACK_MOST, TEAMS_MOST, JIRA_MOST, PAGERDUTY_MOST = 3_000, 24_000, 30_000, 1_024
"""What each receiver takes, with room for the frame: 3,000 characters of one text in Slack, 28 KB
of a card in Teams, 32,767 characters in Jira, 1,024 of a summary in PagerDuty."""
TEAMS_FRAME = 80
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
    waiting = audit.cases.filter(is_to_decide())
    sure = audit.coverage.outcome != "incomplete"
    if target.level and sure and waiting.filter(case_reaches(target.level)).is_empty():
        return None
    notice: dict[str, Any] = {
        "report": report,
        "period": audit.period.label,
        "timezone": audit.period.timezone,
        "coverage": audit.coverage.outcome,
        "events": audit.events.height,
        "cases": waiting.height,
        "observations": audit.cases.filter(~pl.col("decide"), pl.col("hidden") == 0).height,
        "findings": told.height,
        "hidden": audit.findings.height - told.height,
        "levels": level_counts(waiting),
        "change": change_counts(audit),
        "head": audit.coverage.head or "",
    }
    if target.tell != "levels":
        notice["listed"] = listed_cases(audit, waiting, names=target.tell == "identities")
    return notice


def listed_cases(audit: Audit, cases: pl.DataFrame, *, names: bool) -> list[dict[str, str]]:
    """The first cases, each with its headline, or without names the titles of its findings."""
    return [
        {
            "id": row["case_id"],
            "level": row["level"],
            "state": row["state"],
            "title": row["headline"] if names else nameless(audit, row),
        }
        for row in cases.head(LISTED).iter_rows(named=True)
    ]


def case_notice(
    audit: Audit, case: Mapping[str, Any], change: str, name: str, target: Target
) -> dict[str, Any] | None:
    """What a receiver is told of a case on the day it is found.

    The headline names people and resources, so it goes only to a target whose ``tell`` is
    ``identities``; any other is told the titles of the strongest findings.

    Args:
        audit: The run that found it.
        case: A row of cases (CASE_SCHEMA).
        change: ``new``, ``raised`` or ``reopened``.
        name: The name of the message, ``C-….1``.
        target: The receiver.

    Returns:
        The notice as plain data; None when the target asked for higher levels only.
    """
    if target.level and LEVELS.index(case["level"]) < LEVELS.index(target.level):
        return None
    notice: dict[str, Any] = {
        "about": "case",
        "report": name,
        "case": case["case_id"],
        "change": change,
        "level": case["level"],
        "period": audit.period.label,
        "first_at": case["first_at"].isoformat(),
        "last_at": case["last_at"].isoformat(),
        "events": case["event_count"],
        "findings": len(case["finding_ids"]),
        "coverage": audit.coverage.outcome,
        "explain": f"auditlens explain {case['case_id']} --period {audit.period.label}",
    }
    if target.tell == "identities":
        notice["headline"] = case["headline"]
    elif target.tell != "levels":
        notice["headline"] = nameless(audit, case)
    return notice


SUBJECTS = {"sender": "An account", "resource": "A resource", "workspace": "The workspace"}
TITLES = 2


def nameless(audit: Audit, case: Mapping[str, Any]) -> str:
    """A headline of titles, which name nobody: those of the strongest findings."""
    held = audit.findings.filter(pl.col("finding_id").is_in(case["finding_ids"]), ~is_excepted())
    titles = list(dict.fromkeys(held["title"].to_list()))
    more = f" and {len(titles) - TITLES} more" if len(titles) > TITLES else ""
    return f"{SUBJECTS[case['subject_kind']]}: {'; '.join(titles[:TITLES])}{more}"


def digest_notice(audit: Audit, name: str, target: Target) -> dict[str, Any] | None:
    """What a receiver is told once a week of the cases that wait for a decision.

    Args:
        audit: A run over the period.
        name: The name of the message, ``digest-2026-W48``.
        target: The receiver.

    Returns:
        The notice as plain data; None when no case waits, or none of the level the target asks for.
    """
    waiting = audit.cases.filter(is_to_decide())
    if target.level:
        waiting = waiting.filter(case_reaches(target.level))
    if waiting.is_empty():
        return None
    notice: dict[str, Any] = {
        "about": "digest",
        "report": name,
        "period": audit.period.label,
        "cases": waiting.height,
        "levels": level_counts(waiting),
        "coverage": audit.coverage.outcome,
    }
    if target.tell != "levels":
        notice["listed"] = listed_cases(audit, waiting, names=target.tell == "identities")
    return notice


def level_counts(rows: pl.DataFrame) -> dict[str, int]:
    """How many rows of each level there are, the highest first."""
    counts = Counter(rows["level"])
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


def trial_notice() -> dict[str, Any]:
    """What ``auditlens notify --test`` sends: no report, and it says so.

    Returns:
        A notice with every count 0, as plain data.
    """
    return {
        "report": "test",
        "period": "none",
        "timezone": "UTC",
        "coverage": "none",
        "events": 0,
        "cases": 0,
        "observations": 0,
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
    if notice.get("about") == "case":
        return f"AuditLens: {notice['change']} {notice['level']} case {notice['case']}"
    if notice.get("about") == "digest":
        told = ", ".join(f"{n} {level}" for level, n in notice["levels"].items())
        return f"AuditLens: {count(notice['cases'], 'case')} awaiting review ({told})"
    levels = ", ".join(f"{n} {level}" for level, n in notice["levels"].items())
    inside = count(notice["findings"], "finding")
    # A message of an earlier version, which still waits, counts findings alone.
    counted = f"{count(notice['cases'], 'case')} to decide" if "cases" in notice else inside
    return f"AuditLens: report {notice['report']}: {counted}" + (f" ({levels})" if levels else "")


def notice_lines(notice: Mapping[str, Any], name: str) -> list[str]:
    """The notice as lines of plain text, the last with its id."""
    told = [notice_subject(notice)]
    if notice["report"] == "test":
        return [*told, "No report stands behind it.", f"Id {name}"]
    if about := notice.get("about"):
        told += case_notice_lines(notice) if about == "case" else digest_lines(notice)
        return [*(printable(line) for line in told), f"Id {name}"]
    told.append(
        f"{notice['period']} ({notice['timezone']}): {count(notice['events'], 'event')}, "
        f"coverage {notice['coverage']}, {count(notice['findings'], 'finding')}, "
        f"{notice['hidden']:,} more under exceptions"
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
    total = notice.get("cases", notice["findings"])
    if listed and total > len(listed):
        told.append(f"and {total - len(listed):,} more")
    if seen := notice.get("observations"):
        told.append(f"{count(seen, 'observation')}, not asked about")
    told.append(f"Archive head {notice['head']}")
    return [*(printable(line) for line in told), f"Id {name}"]


def case_notice_lines(notice: Mapping[str, Any]) -> list[str]:
    """A case as lines: headline, when and how much, where to read on."""
    first, last = notice["first_at"][:16], notice["last_at"][:16]
    return [
        *([notice["headline"]] if notice.get("headline") else []),
        (
            f"{first.replace('T', ' ')} to {last.replace('T', ' ')} UTC: "
            f"{count(notice['events'], 'event')}, {count(notice['findings'], 'finding')}; "
            f"coverage {notice['coverage']}"
        ),
        notice["explain"],
        "Unusual activity is not proof of misuse.",
    ]


def digest_lines(notice: Mapping[str, Any]) -> list[str]:
    """The cases that wait, one a line."""
    listed = notice.get("listed", ())
    lines = [f"{one['id']} {one['level']}, {one['state']}: {one['title']}" for one in listed]
    if listed and notice["cases"] > len(listed):
        lines.append(f"and {notice['cases'] - len(listed)} more")
    return [*lines, f"Period {notice['period']}, coverage {notice['coverage']}"]


def fitted(lines: Sequence[str], most: int, size: Callable[[str], int] = len) -> list[str]:
    """As many lines as a receiver takes, the last with the id always; says what was left out."""
    *told, last = [cut(line, LINE) for line in lines]
    left = 0
    while told and sum(size(line) + 1 for line in (*told, last)) + LINE > most:
        told.pop()
        left += 1
    return [*told, *([f"({count(left, 'more line')} not shown)"] if left else []), last]


def json_size(line: str) -> int:
    """Bytes of a line in a Teams card, its frame included."""
    return len(json.dumps(line)) + TEAMS_FRAME


def printable(text: str) -> str:
    """A line without controls and marks that reorder text."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def slack_text(line: str) -> str:
    """A line in which Slack reads no markup."""
    for mark, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        line = line.replace(mark, written)
    return line


def slack_size(line: str) -> int:
    """Characters of a line once its marks are spelt out."""
    return len(slack_text(line))


def slack(notice: Mapping[str, Any], name: str, _: Target, __: str) -> dict[str, Any]:
    lines = fitted(notice_lines(notice, name), SLACK_MOST, slack_size)
    text = "\n".join(map(slack_text, lines))
    return {"text": text, "mrkdwn": False, "unfurl_links": False}


def teams(notice: Mapping[str, Any], name: str, _: Target, __: str) -> dict[str, Any]:
    body = [
        {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": line}]}
        for line in fitted(notice_lines(notice, name), TEAMS_MOST, json_size)
    ]
    card = {"type": "AdaptiveCard", "version": "1.4", "body": body}
    attached = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [attached]}


def shortened(value: Any) -> Any:
    """A value whose texts are at most 1,024 characters long."""
    if isinstance(value, str):
        return cut(value, PAGERDUTY_MOST - 32)
    if isinstance(value, Mapping):
        return {key: shortened(one) for key, one in value.items()}
    return [shortened(one) for one in value] if isinstance(value, list) else value


def pagerduty(notice: Mapping[str, Any], name: str, _: Target, secret: str) -> dict[str, Any]:
    worst = notice.get("level") or next(iter(notice.get("levels", {})), "")
    return {
        "routing_key": secret,
        "event_action": "trigger",
        "dedup_key": name,
        "payload": {
            "summary": printable(notice_subject(notice))[:PAGERDUTY_MOST],
            "source": "auditlens",
            "severity": SEVERITY.get(worst, "info"),
            "custom_details": {key: shortened(value) for key, value in notice.items()},
        },
    }


def jira(notice: Mapping[str, Any], name: str, target: Target, _: str) -> dict[str, Any]:
    paragraphs = [
        {"type": "paragraph", "content": [{"type": "text", "text": line}]}
        for line in fitted(notice_lines(notice, name), JIRA_MOST)
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
    return {"schema": "auditlens.notice/2", "id": name, **notice}


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
