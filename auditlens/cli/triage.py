"""``auditlens triage``: decide findings, one by name or all open ones in a walk."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditlens.cli.commands import examples
from auditlens.cli.options import audit_options, make_audit, quiet_option, settings_of
from auditlens.errors import UsageError

if TYPE_CHECKING:
    from auditlens.audit import Audit
    from auditlens.triage import Journal

__all__ = ["triage"]

VERDICTS = ("true-positive", "benign", "accepted-risk", "duplicate", "needs-work")
KEYS = {"t": "true_positive", "b": "benign", "m": "benign", "a": "accepted_risk", "d": "duplicate",
        "n": "needs_work"}  # fmt: skip
MENU = "[t]rue positive  [b]enign  {mute}[a]ccepted risk  [d]uplicate  [n]eeds work  [s]kip  [q]uit"
MUTE = "[m]ute: benign until a date  "
MUTE_DAYS = 90
SIMILAR = 3


@dataclass(frozen=True)
class Decision:
    """What goes into the journal besides the finding."""

    verdict: str
    reviewer: str
    reason: str
    ticket: str = ""
    owner: str = ""
    mute_until: str = ""


@examples(
    "triage",
    "triage F-HZSSJQZSHA --as benign --reason 'planned clean-up' --by 'Ana Birch'",
)
@click.command()
@audit_options
@click.option("--as", "verdict", type=click.Choice(VERDICTS), help="The disposition.")
@click.option("--reason", default="", help="The reason, shown in the report.")
@click.option("--by", "reviewer", help="The reviewer (default: setting reviewer).")
@click.option("--ticket", default="", help="Ticket or link to the work.")
@click.option("--owner", default="", help="Who is responsible for follow-up.")
@click.option(
    "--mute-until",
    metavar="DAY",
    help="With benign: mute the finding's first family in the account's score until this day.",
)
@click.option("--no-input", is_flag=True, help="Do not prompt; list what is open.")
@click.option("--json", "as_json", is_flag=True, help="List open findings as one JSON document.")
@quiet_option
def triage(
    *, verdict: str | None, reason: str, reviewer: str | None, ticket: str, owner: str,
    mute_until: str | None, no_input: bool, as_json: bool, allow_gaps: bool, **options: Any,  # noqa: ARG001 - shared options
) -> None:  # fmt: skip
    """Record a disposition for the finding F-… (in place of FILE), or review all open findings.

    Each decision is appended to the journal; the latest counts, earlier ones stay on record.
    """
    from auditlens.triage import FINDING_ID

    named = [str(one) for one in options["files"] if FINDING_ID.fullmatch(str(one))]
    files = tuple(one for one in options["files"] if str(one) not in named)
    reviewer = reviewer or settings_of().reviewer
    if named and (not verdict or not reason or not reviewer):
        raise UsageError(
            "A decision needs --as, --reason and --by",
            fix="For example: --as benign --reason 'planned clean-up' --by 'Ana Birch'",
        )
    if as_json and verdict:
        raise UsageError("--json lists what is open and decides nothing", fix="Leave --as out")
    if verdict and not named:
        raise UsageError("--as needs the finding it is about", fix="auditlens triage F-… --as …")
    audit = make_audit(**{**options, "files": files})
    path = journal_path(audit)
    if named:
        made = Decision((verdict or "").replace("-", "_"), reviewer, reason, ticket, owner,
                        mute_until or "")  # fmt: skip
        for finding_id in named:
            decide(path, finding_of(audit, finding_id), made)
        after(audit, path)
    elif as_json or no_input or not sys.stdin.isatty():
        list_open(audit, as_json=as_json)
    else:
        walk(audit, path, reviewer)
        after(audit, path)


def journal_path(audit: Audit) -> Path:
    if audit.journal.path is None:
        raise UsageError("No review journal to write to", fix="Name one with --journal FILE")
    return audit.journal.path


def finding_of(audit: Audit, finding_id: str) -> dict[str, Any]:
    for row in audit.findings.iter_rows(named=True):
        if row["finding_id"] == finding_id:
            return row
    raise UsageError(
        f"No finding {finding_id!r} in {audit.period}",
        fix="Run 'auditlens check' with the same log and period for their ids",
    )


def decide(path: Path, finding: dict[str, Any], made: Decision) -> None:
    """Write one decision and say so."""
    from datetime import timedelta

    from auditlens.period import run_time
    from auditlens.triage import add_entry, decision_words, read_journal

    now = run_time()
    suppression = {}
    if made.mute_until:
        suppression = {"family": finding["reasons"][0]["family"], "until": made.mute_until}
    if history := read_journal(path).history(finding["finding_id"]):
        # The latest time decides, so a second thought within one second needs a later one.
        now = max(now, history[-1].at + timedelta(seconds=1))
    add_entry(
        path,
        {
            "finding": finding["finding_id"],
            "as": made.verdict,
            "by": made.reviewer,
            "reason": made.reason,
            "at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
            "ticket": made.ticket,
            "owner": made.owner,
            "rule": finding["rule_id"] or "",
            "subject": finding["subject_id"] or "",
            **suppression,
        },
    )
    muted = (
        f"; {suppression['family']} is muted until {suppression['until']}" if suppression else ""
    )
    click.echo(
        f"{finding['finding_id']}: {decision_words(made.verdict)}, by {made.reviewer}{muted}"
    )


def after(audit: Audit, path: Path) -> None:
    """What is left to do, and which rules the decisions say to tune."""
    from auditlens.audit import apply_review
    from auditlens.cli.review import print_hints
    from auditlens.findings import is_open
    from auditlens.text import count
    from auditlens.triage import read_journal

    now = apply_review(audit, read_journal(path), audit.earlier)
    click.echo(
        f"{count(now.findings.filter(is_open()).height, 'finding')} awaiting review in {now.period}"
    )
    print_hints(now)


def list_open(audit: Audit, *, as_json: bool) -> None:
    from auditlens.cli.terminal import print_json, visible
    from auditlens.findings import is_open
    from auditlens.text import count

    rows = audit.findings.filter(is_open())
    if as_json:
        print_json({"period": audit.period.label, "open": rows.to_dicts()})
        return
    for row in rows.iter_rows(named=True):
        who = visible(row["subject_label"] or row["subject_id"] or "-")
        click.echo(f"{row['finding_id']}  {row['level']}  {visible(row['title'])}  {who}")
    click.echo(f"{count(rows.height, 'finding')} awaiting review in {audit.period}")


def walk(audit: Audit, path: Path, reviewer: str) -> None:
    """Show each open finding and take one key; a quit keeps what was decided so far."""
    from auditlens.findings import is_open
    from auditlens.triage import read_journal

    rows = audit.findings.filter(is_open()).to_dicts()
    reviewer = reviewer or (ask("Reviewer (recorded with each decision)") if rows else "")
    reason = ""
    for number, finding in enumerate(rows, 1):
        click.echo(f"\n{number} of {len(rows)}")
        show(audit, finding, read_journal(path))
        while (key := one_key(mutes=can_mute(finding))) not in "sq":
            reason = ask("Reason", reason)
            ticket = ask("Ticket (Enter: none)", "")
            until = ask("Mute until", in_ninety_days()) if key == "m" else ""
            try:
                decide(path, finding, Decision(KEYS[key], reviewer, reason, ticket, "", until))
            except UsageError as error:
                # A date or a text that the journal does not take is asked for again.
                click.echo(str(error), err=True)
                continue
            break
        if key == "q":
            break


def can_mute(finding: dict[str, Any]) -> bool:
    """Whether a decision can suppress a score: it must be about a sender's anomaly."""
    from auditlens.triage import SUPPRESSIBLE

    return finding["rule_id"] in SUPPRESSIBLE and bool(finding["subject_id"])


def in_ninety_days() -> str:
    from datetime import timedelta

    from auditlens.period import run_time

    return f"{(run_time() + timedelta(days=MUTE_DAYS)).date()}"


def ask(text: str, default: str | None = None) -> str:
    """A line of text from the person; the former answer is one Enter away."""
    return str(click.prompt(text, default=default or (None if default is None else ""), err=True,
                            show_default=bool(default)))  # fmt: skip


def one_key(*, mutes: bool) -> str:
    """The key pressed; ``m`` is offered where a decision can suppress a score."""
    click.echo(MENU.format(mute=MUTE if mutes else ""), err=True)
    offered = {*KEYS, "s", "q"} - (set() if mutes else {"m"})
    while (key := click.getchar().lower()) not in offered:
        if key in ("\x03", "\x04"):
            raise click.Abort
    return key


def show(audit: Audit, finding: dict[str, Any], journal: Journal) -> None:
    """One finding: reasons, evidence, and what was decided about its like before."""
    from auditlens.cli.explain import evidence, tell
    from auditlens.cli.terminal import moment, visible
    from auditlens.triage import decision_words, similar_findings

    tell(finding, evidence(audit, finding)[:10])
    history = journal.history(finding["finding_id"])
    if history:
        last = history[-1]
        click.echo(
            f"So far: {decision_words(last.verdict)} on {moment(last.at)} "
            f"by {visible(last.reviewer)}: {visible(last.reason)}"
        )
    for one in similar_findings(finding, journal, audit.earlier, SIMILAR):
        told = f"{one.finding} of a month that ended {moment(one.at)}, never decided"
        if one.verdict:
            told = (
                f"{one.finding} {decision_words(one.verdict)} on {moment(one.at)} "
                f"by {visible(one.reviewer)}: {visible(one.reason)}"
            )
        click.echo(f"Before ({one.about}): {told}")
