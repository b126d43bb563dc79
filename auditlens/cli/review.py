"""What people added to a run, as lines on the terminal: exceptions, change, hints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from auditlens.audit import Audit
    from auditlens.triage import SignedMonth

__all__ = ["print_hints", "print_review", "signed_now"]

SHOWN = 5


def signed_now(audit: Audit) -> SignedMonth | None:
    """What was signed of this very period, if it was."""
    from auditlens.seals import read_sign_offs, signed_folder
    from auditlens.triage import signed_month

    if audit.journal.path is None:
        return None
    seals = read_sign_offs(signed_folder(audit.journal.path)).of(audit.period.label)
    return signed_month(seals[-1]) if seals else None


def print_review(audit: Audit) -> None:
    """Say what exceptions hid, what is decided, what changed, and which rule to tune."""
    from auditlens.cli.terminal import visible
    from auditlens.findings import is_open
    from auditlens.triage import unmatched

    print_exceptions(audit)
    names = {rule.id: rule.name for rule in audit.rules.rules}
    for name, told in unmatched(audit.journal.exceptions, names):
        click.echo(f"Exception {name} hides nothing: {visible(told)}")
    found = audit.findings
    decided = (
        found["disposition"].drop_nulls().value_counts(sort=True, name="n").sort("disposition")
    )
    if decided.height:
        words = ", ".join(f"{n} {verdict}" for verdict, n in decided.iter_rows())
        click.echo(f"Decided: {words}; {found.filter(is_open()).height} open")
    print_change(audit)
    print_hints(audit)


def print_exceptions(audit: Audit) -> None:
    from auditlens.cli.terminal import visible

    hidden = audit.findings["exception_id"].count()
    used = audit.exceptions.filter(audit.exceptions["hidden"] > 0)
    if hidden:
        click.echo(f"Hidden by exceptions: {hidden}")
    for row in used.iter_rows(named=True):
        click.echo(
            f"  {row['exception_id']} hid {row['hidden']} ({visible(row['match'])}, "
            f"owner {visible(row['owner'])}, until {row['until']})"
        )
    for row in audit.exceptions.filter(audit.exceptions["status"] == "ending").iter_rows(
        named=True
    ):
        click.echo(
            f"Exception {row['exception_id']} ends on {row['until']}: "
            f"{visible(row['owner'])} should renew it or let it end"
        )


def print_change(audit: Audit) -> None:
    from auditlens.cli.terminal import visible
    from auditlens.triage import resolved

    if not audit.earlier:
        return
    last = audit.earlier[-1]
    states = dict(audit.findings["state"].value_counts().iter_rows())
    gone = resolved(audit.findings, last)
    told = ", ".join(
        f"{states.get(state, 0)} {state}" for state in ("new", "persisting", "reopened")
    )
    click.echo(f"Against {last.label}, as signed: {told}, {gone.height} resolved")
    for row in gone.head(SHOWN).iter_rows(named=True):
        who = visible(row["subject_label"] or row["subject_id"] or "-")
        click.echo(f"  resolved: {row['finding_id']} {visible(row['title'])} ({who})")
    if gone.height > SHOWN:
        click.echo(f"  and {gone.height - SHOWN} more resolved")


def print_hints(audit: Audit) -> None:
    """A rule that keeps being wrong, with an exception that only lacks its approver."""
    from auditlens.cli.terminal import visible
    from auditlens.triage import tuning_hints

    titles = dict(audit.rule_health.select("rule_id", "title").iter_rows())
    for one in tuning_hints(audit.findings, audit.journal, audit.run_at):
        title = visible(titles.get(one.rule_id) or one.rule_id)
        click.echo(
            f"Tune: {one.false_alarms} of {one.decided} decided findings of '{title}' were "
            "benign. Change the rule, or add to the journal once approved:"
        )
        click.echo(f"  {visible(one.line, 2000)}")
