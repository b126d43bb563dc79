"""Every feature: its name, family, one-line definition and what a reason counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["FAMILIES", "NOUNS", "Feature", "Report", "own", "surprise"]

FAMILIES = {
    "self": "against the subject's own days",
    "peer": "against the closest colleagues",
    "novelty": "things never touched before",
    "mix": "the mixture of events",
    "time": "hours and days of the week",
    "container": "folders, schemas and databases visited",
    "identity": "whether the day looks like somebody else's",
    "sensitivity": "resources marked as sensitive",
    "slow": "what adds up over two weeks",
    "type": "against other resources of the type",
    "audience": "who came to the resource",
}
"""Families of features, in the order of the docs, and what each looks at."""

NOUNS = {
    "events": "event|events",
    "resources": "distinct resource|distinct resources",
    "containers": "distinct folder|distinct folders",
    "read": "read|reads",
    "write": "change|changes",
    "export": "export|exports",
    "share": "share|shares",
    "permission": "permission change|permission changes",
    "delete": "deletion|deletions",
    "admin": "administrative action|administrative actions",
    "risky": "risky action|risky actions",
    "burst": "event within 5 minutes|events within 5 minutes",
    "risky_burst": "risky action within 5 minutes|risky actions within 5 minutes",
    "new_resources": "resource never opened before|resources never opened before",
    "new_containers": "folder never visited before|folders never visited before",
    "new_types": "type of resource never touched before|types of resource never touched before",
    "new_kinds": "kind of event never caused before|kinds of event never caused before",
    "new_risky": "risky action on a new resource|risky actions on new resources",
    "new_risky_kinds": "risky kind of event never caused before"
    "|risky kinds of event never caused before",
    "foreign_resources": "resource that neither this sender nor a peer ever opened"
    "|resources that neither this sender nor a peer ever opened",
    "alien_resources": "resource in a folder that neither this sender nor a peer works in"
    "|resources in folders that neither this sender nor a peer works in",
    "alien_risky": "risky action in a folder that neither this sender nor a peer works in"
    "|risky actions in folders that neither this sender nor a peer works in",
    "alien_export": "export from a folder that neither this sender nor a peer works in"
    "|exports from folders that neither this sender nor a peer works in",
    "sensitive_alien": "sensitive resource in a folder foreign to sender and peers"
    "|sensitive resources in folders foreign to sender and peers",
    "foreign_risky": "risky action on a resource foreign to sender and peers"
    "|risky actions on resources foreign to sender and peers",
    "rare_kinds": "event of a kind rare for this sender|events of a kind rare for this sender",
    "odd_hour_events": "event in hours hardly ever used before"
    "|events in hours hardly ever used before",
    "strange_container_events": "event in folders never visited before"
    "|events in folders never visited before",
    "remote_resources": "resource in a folder far from the work of sender and peers"
    "|resources in folders far from the work of sender and peers",
    "remote_resources_5_sum": "resource in folders far from the own work in 5 days"
    "|resources in folders far from the own work in 5 days",
    "remote_resources_14": "resource in folders far from the own work in 14 days"
    "|resources in folders far from the own work in 14 days",
    "remote_one": "resource in one folder far from the work of sender and peers"
    "|resources in one folder far from the work of sender and peers",
    "remote_new": "new resource in a folder far from the work of sender and peers"
    "|new resources in folders far from the work of sender and peers",
    "return_remote_new": "new resource far from the own work on the return after a week or more"
    "|new resources far from the own work on the return after a week or more",
    "new_taken": "export or share of a resource never opened before"
    "|exports and shares of resources never opened before",
    "new_taken_5_sum": "export or share of a new resource in 5 days"
    "|exports and shares of new resources in 5 days",
    "new_taken_14": "export or share of a new resource in 14 days"
    "|exports and shares of new resources in 14 days",
    "return_new_taken": "export or share of a new resource on the return after a week or more"
    "|exports and shares of new resources on the return after a week or more",
    "passed_on_5_sum": "second or further resource both exported and shared on a day, in 5 days"
    "|second and further resources both exported and shared on a day, in 5 days",
    "own_rights": "change of the own rights|changes of the own rights",
    "removed": "event after the account was removed|events after the account was removed",
    "strange_steps": "step from one kind of event to another never taken before"
    "|steps from one kind of event to another never taken before",
    "gap_days": "day since the last activity|days since the last activity",
    "sensitive": "event on sensitive resources|events on sensitive resources",
    "sensitive_new": "sensitive resource never opened before"
    "|sensitive resources never opened before",
    "sensitive_foreign": "sensitive resource foreign to sender and peers"
    "|sensitive resources foreign to sender and peers",
    "sensitive_export": "export of sensitive resources|exports of sensitive resources",
    "export_5_sum": "export in 5 days|exports in 5 days",
    "share_5_sum": "share in 5 days|shares in 5 days",
    "risky_5_sum": "risky action in 5 days|risky actions in 5 days",
    "share_14": "share in 14 days|shares in 14 days",
    "risky_14": "risky action in 14 days|risky actions in 14 days",
    "export_14": "export in 14 days|exports in 14 days",
    "sensitive_export_14": "export of sensitive resources in 14 days"
    "|exports of sensitive resources in 14 days",
    "sensitive_export_days_14": "day with sensitive exports in 14 days"
    "|days with sensitive exports in 14 days",
    "sensitive_foreign_14": "sensitive resource foreign to sender and peers in 14 days"
    "|sensitive resources foreign to sender and peers in 14 days",
    "sensitive_new_14": "new sensitive resource in 14 days|new sensitive resources in 14 days",
    "new_resources_14": "new resource in 14 days|new resources in 14 days",
    "foreign_resources_14": "foreign resource in 14 days|foreign resources in 14 days",
    "alien_resources_14": "resource in foreign folders in 14 days"
    "|resources in foreign folders in 14 days",
    "own_unlike": "% away from the own last 12 weeks|% away from the own last 12 weeks",
    "other_margin": "% more alike to somebody else than to the own last 12 weeks"
    "|% more alike to somebody else than to the own last 12 weeks",
    "senders": "person|people",
    "new_senders": "person who never touched it before|people who never touched it before",
    "newcomer_risk": "risky action by newcomers to it|risky actions by newcomers to it",
    "strangers": "person whose colleagues never touch it|people whose colleagues never touch it",
    "top_events": "event by one person|events by one person",
}
"""What each count counts, for one and for many."""

THOUSANDTHS = ("own_unlike", "other_margin")
"""Counts kept in thousandths and told in percent."""


@dataclass(frozen=True)
class Feature:
    """One column of the model.

    ``count`` names the column a reader understands, by which the reason is told.
    """

    name: str
    family: str
    definition: str
    count: str

    def counted(self, value: float) -> str:
        """``value`` with its noun: "1 person", "3 people"."""
        one, several = NOUNS[self.count].split("|")
        return f"{value:g} {one if value == 1 else several}"

    def shown(self, value: float) -> float:
        """``value`` in the unit a reader sees: thousandths become percent."""
        return value / 10 if self.count in THOUSANDTHS else value


@dataclass(frozen=True)
class Report:
    """A column that is reported beside the score but not in the model."""

    name: str
    definition: str


def own(counts: Sequence[str], family: str = "self") -> tuple[Feature, ...]:
    """Counts against the subject's own last 28 active days."""
    return tuple(
        Feature(
            f"{count}_z",
            family,
            f"log of {many(count)}, in robust spreads above the 90th percentile of 28 own active "
            "days",
            count,
        )
        for count in counts
    )


def surprise(name: str, family: str, definition: str, count: str) -> tuple[Feature, Feature]:
    """A surprise and the same against the subject's own history of it."""
    again = f"{name} in robust spreads above the sender's own usual {name}"
    return Feature(name, family, definition, count), Feature(f"{name}_self", family, again, count)


def many(count: str) -> str:
    return NOUNS[count].split("|")[1]
