"""What people added to a run, as lines on the terminal: exceptions, change, hints."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditlens.audit import Audit

__all__ = ["print_hints", "print_review"]

SHOWN = 5


def print_review(audit: Audit) -> None:
    """Say what exceptions hid, what is decided, what changed, and which rule to tune."""
    from auditlens.cli.terminal import say, visible
    from auditlens.triage import unmatched

    print_exceptions(audit)
    names = {rule.id: rule.name for rule in audit.rules.rules}
    for name, told in unmatched(audit.journal.exceptions, names):
        say(f"Exception {name} hides nothing: {visible(told)}")
    found = audit.findings
    decided = (
        found["disposition"].drop_nulls().value_counts(sort=True, name="n").sort("disposition")
    )
    if decided.height:
        words = ", ".join(f"{n} {verdict}" for verdict, n in decided.iter_rows())
        say(f"Findings decided: {words}")
    print_change(audit)
    print_hints(audit)


def print_exceptions(audit: Audit) -> None:
    from auditlens.cli.terminal import say, visible

    hidden = audit.findings["exception_id"].count()
    used = audit.exceptions.filter(audit.exceptions["hidden"] > 0)
    if hidden:
        say(f"Hidden by exceptions: {hidden}")
    for row in used.iter_rows(named=True):
        say(
            f"  {row['exception_id']} hid {row['hidden']} ({visible(row['match'])}, "
            f"owner {visible(row['owner'])}, until {row['until']})"
        )
    for row in audit.exceptions.filter(audit.exceptions["status"] == "ending").iter_rows(
        named=True
    ):
        say(
            f"Exception {row['exception_id']} ends on {row['until']}: "
            f"{visible(row['owner'])} should renew it or let it end"
        )


def print_change(audit: Audit) -> None:
    from auditlens.cli.terminal import say, visible
    from auditlens.triage import resolved

    if not audit.earlier:
        return
    last = audit.earlier[-1]
    states = dict(audit.findings["state"].value_counts().iter_rows())
    gone = resolved(audit.findings, last)
    told = ", ".join(
        f"{states.get(state, 0)} {state}" for state in ("new", "persisting", "reopened")
    )
    say(f"Against {last.label}, as signed: {told}, {gone.height} resolved")
    for row in gone.head(SHOWN).iter_rows(named=True):
        who = visible(row["subject_label"] or row["subject_id"] or "-")
        say(f"  resolved: {row['finding_id']} {visible(row['title'])} ({who})")
    if gone.height > SHOWN:
        say(f"  and {gone.height - SHOWN} more resolved")


def print_hints(audit: Audit) -> None:
    """A rule that keeps being wrong, with an exception that only lacks its approver."""
    from auditlens.cli.terminal import say, visible
    from auditlens.triage import tuning_hints

    titles = dict(audit.rule_health.select("rule_id", "title").iter_rows())
    for one in tuning_hints(audit.findings, audit.journal, audit.run_at):
        title = visible(titles.get(one.rule_id) or one.rule_id)
        say(
            f"Tune: {one.false_alarms} of {one.decided} decided findings of '{title}' were "
            "benign. Change the rule, or add to the journal once approved:"
        )
        say(f"  {visible(one.line, 2000)}", whole=True)
