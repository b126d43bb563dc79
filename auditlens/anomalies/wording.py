"""The counts that explain an anomaly, in words: of one value, after a name, and as a title."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = [
    "ACCOUNT_COUNTS", "MOST_WORDS", "PERCENT", "RESOURCE_COUNTS", "UNFAMILIAR", "Count",
    "counts_of", "headline_place", "number", "sentence", "times",
]  # fmt: skip

PERCENT = frozenset({"own_unlike", "other_margin"})
"""Counts kept in thousandths and shown in percent."""

MOST_WORDS = 25
"""No reason is longer than so many words."""


@dataclass(frozen=True)
class Count:
    """One count in words.

    Attributes:
        label: What is counted, as a heading.
        meaning: The same as the beginning of a sentence; default: ``label``.
        words: What the subject did, in the past tense after its name; ``{n}`` is the number,
            ``{times}`` "once", "twice", "3 times". After ``|`` the form for any number but one.
        title: Of a finding that this count leads.
    """

    label: str
    meaning: str
    words: str
    title: str

    def clause(self, value: float) -> str:
        """What the subject did: "deleted 69 resources in one day"."""
        one, _, several = self.words.partition("|")
        form = several if several and value != 1 else one
        return form.format(n=number(value), times=times(value))


def number(value: float) -> str:
    """A value without trailing zeros: "12", "12.5", "1,200"."""
    return f"{value:,.1f}".removesuffix(".0")


def times(value: float) -> str:
    """Once, twice, 3 times."""
    return {1: "once", 2: "twice"}.get(int(value), f"{number(value)} times")


def count(label: str, words: str, title: str, meaning: str = "") -> Count:
    return Count(label, meaning or label, words, title)


NEW_TO_BOTH = "that neither the account nor its peers had used"
UNFAMILIAR = "in folders that neither the account nor its peers use"
OUTSIDE = "outside its usual work area"
FIRST_TIME = "the account had not used before"
OUTSIDE_TITLE = "Accessed Resources Outside Its Usual Work Area"
FIRST_TIME_TITLE = "Took High-Impact Actions on First-Time Resources"
SENSITIVE_TITLE = "Accessed Sensitive Data Outside Its Usual Work Area"
TAKEN_TITLE = "Exported or Shared First-Time Resources"
PASSED_ON_TITLE = "Exported and Shared the Same Resources"
RETURN_TITLE = "Accessed First-Time Resources After a Long Absence"

ACCOUNT_COUNTS: Mapping[str, Count] = {
    "delete": count(
        "Deletions",
        "deleted {n} resource in one day|deleted {n} resources in one day",
        "Deleted Unusually Many Resources",
    ),
    "sensitive_export": count(
        "Exports of sensitive data",
        "exported sensitive resources {times} in one day",
        "Exported Sensitive Data",
        "Exports of sensitive resources",
    ),
    "alien_export": count(
        "Exports from unfamiliar folders",
        "exported {times} from unfamiliar folders in one day",
        FIRST_TIME_TITLE,
    ),
    "export": count("Exports", "exported {times} in one day", "Exported Unusually Many Resources"),
    "passed_on": count(
        "Resources exported and shared the same day",
        "exported and shared {n} resource beyond the first on one day"
        "|exported and shared {n} resources beyond the first on one day",
        PASSED_ON_TITLE,
        "Resources that were both exported and shared on one day",
    ),
    "new_taken": count(
        "Exports and shares of first-time resources",
        "exported or shared first-time resources {times} in one day",
        TAKEN_TITLE,
        f"Exports and shares of resources {FIRST_TIME}",
    ),
    "return_new_taken": count(
        "Exports and shares right after an absence",
        "exported or shared first-time resources {times} right after an absence",
        TAKEN_TITLE,
    ),
    "share": count("Shares", "shared {times} in one day", "Shared Unusually Many Resources"),
    "own_rights": count(
        "Changes to own permissions",
        "changed its own permissions {times} in one day",
        "Changed Its Own Permissions",
        "Changes to its own permissions",
    ),
    "permission": count(
        "Permission changes",
        "changed permissions {times} in one day",
        "Changed Permissions Unusually Often",
    ),
    "removed": count(
        "Events after account removal",
        "acted {times} after its removal",
        "Acted After Its Removal",
        "Events after the account was removed",
    ),
    "risky_burst": count(
        "High-impact actions within 5 minutes",
        "took {n} high-impact action within 5 minutes"
        "|took {n} high-impact actions within 5 minutes",
        "Took Many High-Impact Actions Within 5 Minutes",
    ),
    "alien_risky": count(
        "High-impact actions in unfamiliar folders",
        "took {n} high-impact action in unfamiliar folders in one day"
        "|took {n} high-impact actions in unfamiliar folders in one day",
        FIRST_TIME_TITLE,
    ),
    "foreign_risky": count(
        "High-impact actions on resources new to account and peers",
        "took {n} high-impact action on resources new to account and peers"
        "|took {n} high-impact actions on resources new to account and peers",
        FIRST_TIME_TITLE,
        f"High-impact actions on resources {NEW_TO_BOTH}",
    ),
    "new_risky": count(
        "High-impact actions on first-time resources",
        "took {n} high-impact action on first-time resources in one day"
        "|took {n} high-impact actions on first-time resources in one day",
        FIRST_TIME_TITLE,
        f"High-impact actions on resources {FIRST_TIME}",
    ),
    "new_risky_kinds": count(
        "First-time high-impact actions",
        "took {n} type of high-impact action for the first time"
        "|took {n} types of high-impact action for the first time",
        "Took First-Time High-Impact Actions",
    ),
    "risky": count(
        "High-impact actions",
        "took {n} high-impact action in one day|took {n} high-impact actions in one day",
        "Took Unusually Many High-Impact Actions",
    ),
    "admin": count(
        "Administrative actions",
        "took {n} administrative action in one day|took {n} administrative actions in one day",
        "Administered the Workspace Unusually Often",
    ),
    "sensitive_alien": count(
        "Sensitive resources in unfamiliar folders",
        "used {n} sensitive resource in unfamiliar folders in one day"
        "|used {n} sensitive resources in unfamiliar folders in one day",
        SENSITIVE_TITLE,
    ),
    "sensitive_foreign": count(
        "Sensitive resources new to account and peers",
        "used {n} sensitive resource new to account and peers in one day"
        "|used {n} sensitive resources new to account and peers in one day",
        SENSITIVE_TITLE,
        f"Sensitive resources {NEW_TO_BOTH}",
    ),
    "sensitive_new": count(
        "First-time sensitive resources",
        "used {n} first-time sensitive resource in one day"
        "|used {n} first-time sensitive resources in one day",
        "Accessed First-Time Sensitive Data",
        f"Sensitive resources {FIRST_TIME}",
    ),
    "sensitive": count(
        "Events on sensitive data",
        "acted on sensitive resources {times} in one day",
        "Accessed Sensitive Data Unusually Often",
        "Events on sensitive resources",
    ),
    "return_remote_new": count(
        "Unfamiliar access right after an absence",
        f"opened {{n}} first-time resource {OUTSIDE} right after an absence"
        f"|opened {{n}} first-time resources {OUTSIDE} right after an absence",
        RETURN_TITLE,
    ),
    "remote_one": count(
        "Resources in one folder outside the work area",
        f"opened {{n}} resource in a folder {OUTSIDE}|opened {{n}} resources in a folder {OUTSIDE}",
        OUTSIDE_TITLE,
    ),
    "remote_new": count(
        "First-time resources outside the work area",
        f"opened {{n}} first-time resource {OUTSIDE} in one day"
        f"|opened {{n}} first-time resources {OUTSIDE} in one day",
        OUTSIDE_TITLE,
        "First-time resources in folders outside the usual work area",
    ),
    "remote_resources": count(
        "Resources outside the work area",
        f"opened {{n}} resource {OUTSIDE} in one day|opened {{n}} resources {OUTSIDE} in one day",
        OUTSIDE_TITLE,
        "Resources in folders outside the usual work area",
    ),
    "alien_resources": count(
        "Resources in unfamiliar folders",
        "used {n} first-time resource in unfamiliar folders in one day"
        "|used {n} first-time resources in unfamiliar folders in one day",
        OUTSIDE_TITLE,
        f"Resources {UNFAMILIAR}",
    ),
    "foreign_resources": count(
        "Resources new to account and peers",
        "used {n} resource new to account and peers in one day"
        "|used {n} resources new to account and peers in one day",
        OUTSIDE_TITLE,
        f"Resources {NEW_TO_BOTH}",
    ),
    "new_resources": count(
        "First-time resources",
        "used {n} first-time resource in one day|used {n} first-time resources in one day",
        "Accessed First-Time Resources",
    ),
    "gap_days": count(
        "Days of inactivity",
        "returned after {n} day of inactivity|returned after {n} days of inactivity",
        RETURN_TITLE,
    ),
    "strange_container_events": count(
        "Events in first-time folders",
        "acted {times} in first-time folders in one day",
        "Worked in First-Time Folders",
    ),
    "odd_hour_events": count(
        "Off-hours events",
        "acted {times} at hours when this account is rarely active",
        "Active Outside Its Usual Hours",
    ),
    "rare_kinds": count(
        "Rarely used actions",
        "took {n} action rare for this account in one day"
        "|took {n} actions rare for this account in one day",
        "Used Unfamiliar Actions",
        "Events of an action type this account rarely uses",
    ),
    "strange_steps": count(
        "First-time action sequences",
        "took actions in a first-time order {times} in one day",
        "Used Unfamiliar Actions",
    ),
    "other_margin": count(
        "Closer match to another account",
        "resembled another account {n} % more than its own last 12 weeks",
        "Behavior Matches Another Account",
    ),
    "own_unlike": count(
        "Difference from own profile",
        "differed by {n} % from its own last 12 weeks",
        "Behavior Differs From Its Own Profile",
    ),
    "write": count(
        "Changes",
        "made {n} change in one day|made {n} changes in one day",
        "Changed Unusually Many Resources",
        "Changes made",
    ),
    "read": count(
        "Views",
        "viewed resources {times} in one day",
        "Viewed Unusually Many Resources",
        "Resources viewed",
    ),
    "events": count(
        "Events",
        "caused {n} event in one day|caused {n} events in one day",
        "Used Unusually Many Resources",
    ),
}
"""Counts of an account's day. Their order is that of headlines: actions that can do harm first,
then sensitive data, first-time access, hours and shares, and plain volume last."""


def over_days(name: str, days: int, *, within: str = " in one day") -> Count:
    """A count of a day as the sum of several days."""
    base = ACCOUNT_COUNTS[name]
    words = "|".join(
        f"{form.removesuffix(within)} in {days} days" for form in base.words.split("|")
    )
    title = f"{base.title.replace('Its Usual Work', 'Its Work')}, Over {days} Days"
    return Count(f"{base.label}, {days} days", base.meaning, words, title)


ACCOUNT_COUNTS = {
    **ACCOUNT_COUNTS,
    **{
        f"{name}_14": over_days(name, 14)
        for name in (
            "export", "share", "risky", "foreign_resources", "alien_resources",
            "remote_resources", "new_taken", "sensitive_foreign", "sensitive_export",
            "sensitive_new",
        )
    },
    "sensitive_export_days_14": count(
        "Days with exports of sensitive data",
        "exported sensitive resources on {n} of 14 days",
        "Exported Sensitive Data, Over 14 Days",
    ),
    **{
        f"{name}_5_sum": over_days(name, 5)
        for name in ("export", "share", "risky", "remote_resources", "new_taken")
    },
    "passed_on_5_sum": over_days("passed_on", 5, within=" on one day"),
}  # fmt: skip

RESOURCE_COUNTS: Mapping[str, Count] = {
    "delete": count(
        "Deletions",
        "was the target of {n} deletion in one day|was the target of {n} deletions in one day",
        "Target of Unusually Many Deletions",
    ),
    "export": count("Exports", "was exported {times} in one day", "Exported Unusually Often"),
    "share": count("Shares", "was shared {times} in one day", "Shared Unusually Often"),
    "permission": count(
        "Permission changes",
        "had its permissions changed {times} in one day",
        "Permissions Changed Unusually Often",
    ),
    "newcomer_risk": count(
        "High-impact actions by first-time accounts",
        "was the target of {n} high-impact action by first-time accounts"
        "|was the target of {n} high-impact actions by first-time accounts",
        "High-Impact Actions by First-Time Accounts",
    ),
    "risky": count(
        "High-impact actions",
        "was the target of {n} high-impact action in one day"
        "|was the target of {n} high-impact actions in one day",
        "Target of Unusually Many High-Impact Actions",
    ),
    "strangers": count(
        "Accounts outside the usual audience",
        "was used by {n} account whose peers never use it"
        "|was used by {n} accounts whose peers never use it",
        "Accessed by Accounts Outside Its Usual Audience",
        "Accounts whose peers never use the resource",
    ),
    "new_senders": count(
        "First-time accounts on the resource",
        "was used by {n} account for the first time|was used by {n} accounts for the first time",
        "Accessed by Unusually Many First-Time Accounts",
        "Accounts that had not used the resource before",
    ),
    "senders": count(
        "Accounts on the resource",
        "was used by {n} account in one day|was used by {n} accounts in one day",
        "Accessed by Unusually Many Accounts",
        "Accounts that used the resource",
    ),
    "top_events": count(
        "Events by one account",
        "was used {times} by one account in one day",
        "Used Unusually Often by One Account",
        "Events by the most active account",
    ),
    "read": count(
        "Views", "was viewed {times} in one day", "Viewed Unusually Often", "Resources viewed"
    ),
    "events": count("Events", "was used {times} in one day", "Used Unusually Often"),
}
"""Counts of a resource's day, in the order of headlines."""


def counts_of(reasons: Iterable[Mapping[str, Any]]) -> list[str]:
    """The counts that reasons speak of, in their order, each once.

    Args:
        reasons: Structs of REASON.

    Returns:
        Names of ``ACCOUNT_COUNTS`` and ``RESOURCE_COUNTS``; a reason of no count has none.
    """
    found = [name for each in reasons if (name := count_told(each["text"] or ""))]
    return list(dict.fromkeys(found))


def count_told(text: str) -> str | None:
    """The count in whose words a reason begins."""
    lead = re.split(r"\. |\.$", text, maxsplit=1)[0]
    for counts in (ACCOUNT_COUNTS, RESOURCE_COUNTS):
        for name, each in counts.items():
            if any(re.fullmatch(pattern_of(form), lead) for form in each.words.split("|")):
                return name
    return None


def pattern_of(form: str) -> str:
    return (
        re.escape(sentence(form))
        .replace(r"\{n\}", r"[0-9,.]+")
        .replace(r"\{times\}", r"(?:once|twice|[0-9,.]+ times)")
    )


def sentence(clause: str) -> str:
    """A clause by itself, as a sentence begins: "was shared twice" becomes "Shared twice"."""
    alone = clause.removeprefix("was ")
    return alone[0].upper() + alone[1:]


def headline_place(name: str) -> int:
    """Place of a count among those that a headline takes; the lower the rather."""
    base = re.sub(r"_(14|5_sum)$", "", name)
    for counts in (ACCOUNT_COUNTS, RESOURCE_COUNTS):
        for known in (base, name):
            if known in counts:
                return list(counts).index(known)
    return len(ACCOUNT_COUNTS)
