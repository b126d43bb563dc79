"""``auditlens triage``: decide cases, one by name or all that wait in a walk."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditlens.cli.cases import case_of
from auditlens.cli.commands import examples
from auditlens.cli.options import audit_options, make_audit, quiet_option, settings_of
from auditlens.errors import UsageError
from auditlens.text import count

if TYPE_CHECKING:
    from auditlens.audit import Audit
    from auditlens.triage import Journal

__all__ = ["triage"]

VERDICTS = ("true-positive", "benign", "accepted-risk", "duplicate", "needs-work")
KEYS = {"t": "true_positive", "b": "benign", "m": "benign", "a": "accepted_risk", "d": "duplicate",
        "n": "needs_work"}  # fmt: skip
MENU = (
    "[t]rue positive  [b]enign  {mute}[a]ccepted risk  [d]uplicate  [n]eeds work\n"
    "[s]kip  [q]uit  [?]"
)
HELP = """\
t  true positive: it happened and should not have; somebody acts on it
b  benign: it happened and was right, such as planned work
m  benign, and its kind of deviation is left out of the account's score up to a day
a  accepted risk: it should not be so, and is tolerated for a stated reason
d  duplicate: decided already in another case
n  needs work: somebody looks into it; the case stays to decide
s  skip: decide nothing now
q  quit: what was decided stays decided"""
REASONS = {
    "true_positive": ("access was revoked", "the change was undone", "reported as an incident"),
    "benign": ("planned work", "approved change", "new role or team", "automation as intended",
               "on call or travelling", "test"),
    "accepted_risk": ("no other way to do the work", "until a control is in place"),
    "duplicate": ("the same event as another case",),
    "needs_work": ("asked the account's owner", "asked the resource's owner",
                   "handed to incident response"),
}  # fmt: skip
"""Reasons that one key gives; any other is typed."""
MUTE = "[m]ute: benign until a day  "
MUTE_DAYS = 90
SIMILAR = 3


@dataclass(frozen=True)
class Decision:
    """What goes into the journal besides the case or finding."""

    verdict: str
    reviewer: str
    reason: str
    ticket: str = ""
    owner: str = ""
    mute_until: str = ""


@examples(
    "triage",
    "triage C-YR4UEE66XM --as benign --reason 'planned clean-up' --by 'Ana Birch'",
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
    help="With benign: leave its families out of the account's score up to this day.",
)
@click.option("--no-input", is_flag=True, help="Do not prompt; list the cases to decide.")
@click.option(
    "--json", "as_json", is_flag=True, help="List the cases to decide as one JSON document."
)
@quiet_option
def triage(
    *, verdict: str | None, reason: str, reviewer: str | None, ticket: str, owner: str,
    mute_until: str | None, no_input: bool, as_json: bool, allow_gaps: bool, **options: Any,  # noqa: ARG001 - shared options
) -> None:  # fmt: skip
    """Review cases and record a disposition: name C-… in place of FILE, or walk through them.

    F-… decides a single finding and takes it out of what its case still asks. Every decision is
    one more line in the journal; the latest one counts, none is lost.
    """
    from auditlens.triage import CASE_ID, FINDING_ID

    def is_id(one: Any) -> bool:
        return bool(CASE_ID.fullmatch(str(one)) or FINDING_ID.fullmatch(str(one)))

    named = [str(one) for one in options["files"] if is_id(one)]
    files = tuple(one for one in options["files"] if not is_id(one))
    reviewer = reviewer or settings_of().reviewer
    if named and (not verdict or not reason or not reviewer):
        raise UsageError(
            "A decision needs --as, --reason and --by",
            fix="For example: --as benign --reason 'planned clean-up' --by 'Ana Birch'",
        )
    if as_json and verdict:
        raise UsageError("--json lists what is open and decides nothing", fix="Leave --as out")
    if verdict and not named:
        raise UsageError("--as needs the case it is about", fix="auditlens triage C-… --as …")
    audit = make_audit(**{**options, "files": files})
    path = journal_path(audit)
    if named:
        made = Decision((verdict or "").replace("-", "_"), reviewer, reason, ticket, owner,
                        mute_until or "")  # fmt: skip
        for name in named:
            if CASE_ID.fullmatch(name):
                decide_case(audit, path, case_of(audit, name), made)
            else:
                decide(path, finding_of(audit, name), made)
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


def decide_case(audit: Audit, path: Path, case: dict[str, Any], made: Decision) -> None:
    """Write one decision about a case, with the findings it saw, and say so."""
    from auditlens.period import run_time
    from auditlens.triage import add_entry, decision_words, ledger_path, record_cases

    about = {one["finding_id"]: one for one in members_of(audit, case)}
    members = list(about.values())
    suppression: dict[str, Any] = {}
    if made.mute_until:
        families = [one["reasons"][0]["family"] if can_mute(one) else "" for one in members]
        suppression = {"families": families, "until": made.mute_until}
    entry = {
        "case": case["case_id"],
        "findings": list(about),
        "rules": [one["rule_id"] or "" for one in members],
        "as": made.verdict,
        "by": made.reviewer,
        "reason": made.reason,
        "at": later_than(path, list(about)),
        "ticket": made.ticket,
        "owner": made.owner,
        "subject": case["subject_id"] or "",
        **suppression,
    }
    add_entry(path, entry)
    # Somebody saw the case as it is: its id stays, whatever joins it later.
    shown = audit.cases.filter(audit.cases["case_id"] == case["case_id"])
    record_cases(ledger_path(path), shown, audit.findings, period=audit.period.label,
                 at=run_time(), by="decision")  # fmt: skip
    muted = ""
    if suppression:
        told = ", ".join(dict.fromkeys(filter(None, suppression["families"])))
        muted = f"; {told} muted until {suppression['until']}"
    held = count(len(members), "finding")
    click.echo(
        f"{case['case_id']}: {decision_words(made.verdict)}, by {made.reviewer}, {held}{muted}"
    )


def members_of(audit: Audit, case: dict[str, Any]) -> list[dict[str, Any]]:
    """The findings of a case, in its order."""
    held = audit.findings.filter(audit.findings["case_id"] == case["case_id"])
    rows = {one["finding_id"]: one for one in held.iter_rows(named=True)}
    return [rows[name] for name in case["finding_ids"]]


def later_than(path: Path, findings: list[str]) -> str:
    """Now, or a second after the last decision: the latest time decides."""
    from datetime import timedelta

    from auditlens.period import run_time
    from auditlens.triage import read_journal

    journal = read_journal(path)
    made = [one.at for name in findings for one in journal.history(name)]
    now = max([run_time(), *(at + timedelta(seconds=1) for at in made)])
    return f"{now:%Y-%m-%dT%H:%M:%SZ}"


def decide(path: Path, finding: dict[str, Any], made: Decision) -> None:
    """Write one decision and say so."""
    from auditlens.triage import add_entry, decision_words

    suppression = {}
    if made.mute_until:
        suppression = {"family": finding["reasons"][0]["family"], "until": made.mute_until}
    add_entry(
        path,
        {
            "finding": finding["finding_id"],
            "as": made.verdict,
            "by": made.reviewer,
            "reason": made.reason,
            "at": later_than(path, [finding["finding_id"]]),
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
    from auditlens.cases import is_to_decide
    from auditlens.cli.review import print_hints
    from auditlens.triage import ledger_path, read_journal, read_ledger

    now = apply_review(audit, read_journal(path), audit.earlier, read_ledger(ledger_path(path)))
    left = now.cases.filter(is_to_decide()).height
    click.echo(f"{count(left, 'case')} awaiting review in {now.period}")
    print_hints(now)


def list_open(audit: Audit, *, as_json: bool) -> None:
    from auditlens.cases import is_to_decide
    from auditlens.cli.terminal import print_json, visible

    rows = audit.cases.filter(is_to_decide())
    if as_json:
        inside = audit.findings.filter(audit.findings["case_id"].is_in(rows["case_id"].implode()))
        print_json(
            {
                "period": audit.period.label,
                "open": rows.to_dicts(),
                "findings": inside.to_dicts(),
            }
        )
        return
    for row in rows.iter_rows(named=True):
        click.echo(f"{row['case_id']}  {row['level']}  {visible(row['headline'])}")
    click.echo(f"{count(rows.height, 'case')} awaiting review in {audit.period}")


def walk(audit: Audit, path: Path, reviewer: str) -> None:
    """Show each case to decide and take one key; a quit keeps what was decided so far."""
    from auditlens.cases import is_to_decide
    from auditlens.triage import read_journal

    rows = audit.cases.filter(is_to_decide()).to_dicts()
    for number, case in enumerate(rows, 1):
        click.echo(f"\n{number} of {len(rows)}")
        show(audit, case, read_journal(path))
        mutes = any(can_mute(one) for one in members_of(audit, case))
        while (key := one_key(mutes=mutes)) not in "sq":
            # Who decides is asked for when there is a decision, and once.
            reviewer = reviewer or ask("Reviewer (recorded with each decision)")
            reason = reason_for(KEYS[key])
            ticket = ask("Ticket (Enter: none)", "")
            until = ask("Mute until", in_ninety_days()) if key == "m" else ""
            try:
                decide_case(
                    audit, path, case, Decision(KEYS[key], reviewer, reason, ticket, "", until)
                )
            except UsageError as error:
                # A date or a text that the journal does not take is asked for again.
                click.echo(str(error), err=True)
                continue
            break
        if key == "q":
            break


def reason_for(verdict: str) -> str:
    """A reason by one key, or typed."""
    offered = REASONS[verdict]
    for number, text in enumerate(offered, 1):
        click.echo(f"  {number}  {text}", err=True)
    click.echo("  o  another reason", err=True)
    keys = {str(number): text for number, text in enumerate(offered, 1)}
    while (key := click.getchar().lower()) not in (*keys, "o"):
        stop_at(key)
    return keys.get(key) or ask("Reason")


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
        stop_at(key)
        if key == "?":
            lines = HELP.splitlines()
            shown = [one for one in lines if mutes or not one.startswith("m ")]
            click.echo("\n".join(shown), err=True)
    return key


def stop_at(key: str) -> None:
    """Stop on Ctrl-C or Ctrl-D."""
    if key in ("\x03", "\x04"):
        raise click.Abort


def show(audit: Audit, case: dict[str, Any], journal: Journal) -> None:
    """One case: its findings in order of time, and what was decided about its like before."""
    from auditlens.cli.explain import tell_case
    from auditlens.cli.terminal import moment, visible
    from auditlens.explanation import explain_case
    from auditlens.triage import decision_words, similar_findings

    tell_case(explain_case(audit, case["case_id"]))
    members = members_of(audit, case)
    made = [one for row in members for one in journal.history(row["finding_id"])]
    for one in {(one.at, one.case or one.finding): one for one in made}.values():
        click.echo(
            f"So far: {one.case or one.finding} {decision_words(one.verdict)} on "
            f"{moment(one.at)} by {visible(one.reviewer)}: {visible(one.reason)}"
        )
    told = set()
    for row in members:
        for before in similar_findings(row, journal, audit.earlier, SIMILAR):
            if before.finding in told or before.finding in case["finding_ids"]:
                continue
            told.add(before.finding)
            words = f"{before.finding} of a month that ended {moment(before.at)}, never decided"
            if before.verdict:
                words = (
                    f"{before.finding} {decision_words(before.verdict)} on {moment(before.at)} "
                    f"by {visible(before.reviewer)}: {visible(before.reason)}"
                )
            if len(told) <= SIMILAR:
                click.echo(f"Before ({before.about}): {words}")
