"""Every feature: its name, family, one-line definition and what a reason counts."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FAMILIES", "RESOURCE_FEATURES", "SENDER_FEATURES", "Feature"]

FAMILIES = {
    "self": "against the subject's own days",
    "novelty": "things never touched before",
    "mix": "the mixture of events",
    "time": "hours and days of the week",
    "container": "folders, schemas and databases visited",
    "audience": "who came to the resource",
}
"""Families of features, in the order of the docs, and what each looks at."""


@dataclass(frozen=True)
class Feature:
    """One column of the model.

    ``count`` names the column a reader understands and ``noun`` what it counts, for one and for
    many (``person|people``). ``one_sided`` features are unusual only when high.
    """

    name: str
    family: str
    definition: str
    count: str
    noun: str
    one_sided: bool = True

    def counted(self, value: int) -> str:
        """``value`` with its noun: "1 person", "3 people"."""
        one, many = self.noun.split("|")
        return f"{value} {one if value == 1 else many}"


def own(count: str, noun: str, family: str = "self") -> Feature:
    definition = (
        f"{noun.split('|')[1]} of the day in robust spreads above the own median of 28 active days"
    )
    return Feature(f"{count}_z", family, definition, count, noun)


def surprise(name: str, family: str, of: str, count: str, noun: str) -> Feature:
    return Feature(name, family, f"{of} (thousandths of -log probability)", count, noun)


SENDER_FEATURES: tuple[Feature, ...] = (
    own("events", "event|events"),
    own("resources", "distinct resource|distinct resources"),
    own("containers", "distinct folder|distinct folders"),
    own("read", "read|reads"),
    own("write", "change|changes"),
    own("export", "export|exports"),
    own("share", "share|shares"),
    own("permission", "permission change|permission changes"),
    own("delete", "deletion|deletions"),
    own("admin", "administrative action|administrative actions"),
    own("burst", "event within 5 minutes|events within 5 minutes"),
    own("new_resources", "resource never opened before|resources never opened before", "novelty"),
    own("new_containers", "folder never visited before|folders never visited before", "novelty"),
    Feature(
        "new_resource_share",
        "novelty",
        "thousandths of the day's distinct resources that the sender never touched before",
        "new_resources",
        "resource never opened before|resources never opened before",
    ),
    Feature(
        "new_kinds",
        "novelty",
        "kinds of event the sender never caused before",
        "new_kinds",
        "kind of event never caused before|kinds of event never caused before",
    ),
    Feature(
        "gap_days",
        "novelty",
        "days since the sender was last active",
        "gap_days",
        "day since last seen|days since last seen",
    ),
    surprise(
        "kind_mean",
        "mix",
        "mean surprise of the event kinds",
        "rare_kinds",
        "event of a kind rare for this sender|events of a kind rare for this sender",
    ),
    surprise(
        "kind_max",
        "mix",
        "largest surprise of an event kind",
        "rare_kinds",
        "event of a kind rare for this sender|events of a kind rare for this sender",
    ),
    surprise(
        "hour_mean",
        "time",
        "mean surprise of the hours",
        "odd_hour_events",
        "event in hours hardly ever used before|events in hours hardly ever used before",
    ),
    surprise(
        "hour_max",
        "time",
        "largest surprise of an hour",
        "odd_hour_events",
        "event in hours hardly ever used before|events in hours hardly ever used before",
    ),
    surprise(
        "container_mean",
        "container",
        "mean surprise of the folders",
        "strange_container_events",
        "event in folders never visited before|events in folders never visited before",
    ),
    surprise(
        "container_max",
        "container",
        "largest surprise of a folder",
        "strange_container_events",
        "event in folders never visited before|events in folders never visited before",
    ),
)
"""Features of one sender on one day, in the order of the model's columns."""

RESOURCE_FEATURES: tuple[Feature, ...] = (
    own("events", "event|events"),
    own("senders", "person|people"),
    own("delete", "deletion|deletions"),
    own("export", "export|exports"),
    own("permission", "permission change|permission changes"),
    own("share", "share|shares"),
    own(
        "new_senders",
        "person who never touched it before|people who never touched it before",
        "audience",
    ),
    Feature(
        "newcomer_risk",
        "audience",
        "exports, shares, permission changes and deletions by people new to the resource",
        "newcomer_risk",
        "risky action by newcomers to it|risky actions by newcomers to it",
    ),
)
"""Features of one resource on one day."""
