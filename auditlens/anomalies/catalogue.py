"""Every feature by name, family and definition, and the models that read them.

A model is a list of features of one kind of day; docs/features.md is written from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from auditlens.anomalies.features import OWN_COUNTS, TYPE_COUNTS
from auditlens.anomalies.views import MONTH_COLUMNS, MONTH_COUNTS

__all__ = ["FAMILIES", "MODELS", "NOUNS", "Feature", "ModelSpec", "feature_page"]

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
"""Counts kept in thousandths and shown in percent."""


@dataclass(frozen=True)
class Feature:
    """One column of a model.

    Attributes:
        name: Of the column.
        family: A key of FAMILIES.
        definition: One line.
        count: The column a reader understands, which explains this one in a reason.
    """

    name: str
    family: str
    definition: str
    count: str

    def counted(self, value: float) -> str:
        """``value`` with its noun: "1 person", "3 people"."""
        one, several = NOUNS[self.count].split("|")
        return f"{value:g} {one if value == 1 else several}"

    def for_reader(self, value: float) -> float:
        """``value`` in the unit a reader sees: thousandths become percent."""
        return value / 10 if self.count in THOUSANDTHS else value


def own_features(counts: Sequence[str], family: str = "self") -> tuple[Feature, ...]:
    """Counts against the subject's own last 28 active days."""
    return tuple(
        Feature(
            f"{count}_z",
            family,
            f"log of {plural(count)}, in robust spreads above the 90th percentile of 28 own active "
            "days",
            count,
        )
        for count in counts
    )


def surprisal_features(
    name: str, family: str, definition: str, count: str
) -> tuple[Feature, Feature]:
    """A surprisal and the same against the sender's own history of it."""
    again = f"{name} in robust spreads above the sender's own usual {name}"
    return Feature(name, family, definition, count), Feature(f"{name}_self", family, again, count)


def plural(count: str) -> str:
    return NOUNS[count].split("|")[1]


BITS = "thousandths of -log probability"

SELF = own_features(
    (
        "events", "read", "write", "export", "share", "permission", "delete", "admin",
        "risky_burst", "removed", "own_rights",
    )
)  # fmt: skip

PEER = (
    Feature("peer_export", "peer", "log ratio of exports to the peers' 95 % day", "export"),
    Feature("peer_share", "peer", "log ratio of shares to the peers' 95 % day", "share"),
    Feature("peer_delete", "peer", "log ratio of deletions to the peers' 95 % day", "delete"),
    Feature("peer_risky", "peer", "log ratio of risky actions to the peers' 95 % day", "risky"),
    surprisal_features(
        "peer_kind_mean", "peer", f"mean surprise of kinds given peers ({BITS})", "rare_kinds"
    )[1],
)

FAR = "log ratio of everyone's share of the folder to the sender's or peers', thousandths"

NOVELTY = (
    *own_features(
        (
            "foreign_resources",
            "alien_resources",
            "remote_resources",
            "remote_new",
            "new_risky",
            "foreign_risky",
            "new_taken",
        ),
        "novelty",
    ),
    *(
        Feature(
            f"{name}_z",
            "novelty",
            f"{what} ({FAR}), summed, against 28 own active days like a count",
            count,
        )
        for name, what, count in (
            ("remote_sum", "how far the day's resources are", "remote_resources"),
            ("remote_new_sum", "how far the day's new resources are", "remote_new"),
        )
    ),
    Feature(
        "remote_deep_z",
        "novelty",
        "log of resources beyond the second of each folder far from the work of sender and peers, "
        "in robust spreads above the 90th percentile of 28 own active days",
        "remote_one",
    ),
    *surprisal_features(
        "remote_share",
        "novelty",
        f"mean of how far the day's resources are ({FAR})",
        "remote_resources",
    ),
    surprisal_features(
        "new_resource_share",
        "novelty",
        "thousandths of the day's resources that the sender never touched before",
        "new_resources",
    )[1],
    surprisal_features(
        "foreign_share",
        "novelty",
        "thousandths of the day's resources that neither sender nor peers touched before",
        "foreign_resources",
    )[1],
    *surprisal_features(
        "alien_share",
        "novelty",
        "thousandths of the day's resources in folders that neither sender nor peers work in",
        "alien_resources",
    ),
    surprisal_features(
        "peer_resource_mean",
        "novelty",
        f"mean surprise of the resources given the peers ({BITS})",
        "foreign_resources",
    )[1],
    surprisal_features(
        "peer_container_mean",
        "novelty",
        f"mean surprise of the folders given the peers ({BITS})",
        "alien_resources",
    )[1],
    Feature("alien_resources", "novelty", "new resources in such folders", "alien_resources"),
    Feature("alien_risky", "novelty", "risky actions on new resources in them", "alien_risky"),
    Feature("alien_export", "novelty", "exports of new resources in them", "alien_export"),
    Feature(
        "new_risky_kinds", "novelty", "risky kinds of event never caused before", "new_risky_kinds"
    ),
    Feature("new_risky", "novelty", "risky actions on resources new to the sender", "new_risky"),
    Feature("foreign_risky", "novelty", "risky actions on foreign resources", "foreign_risky"),
    Feature(
        "new_taken", "novelty", "exports and shares of resources new to the sender", "new_taken"
    ),
    *(
        Feature(
            f"return_{name}",
            "novelty",
            f"{what} on the first day after a week or more away",
            f"return_{name}",
        )
        for name, what in (
            ("new_taken", "exports and shares of new resources"),
            ("remote_new", "new resources in remote folders"),
        )
    ),
    Feature("gap_days", "novelty", "days since the sender was last active", "gap_days"),
)

MIX = (
    *own_features(("rare_kinds",), "mix"),
    *surprisal_features(
        "kind_mean", "mix", f"mean surprise of the event kinds ({BITS})", "rare_kinds"
    ),
    *surprisal_features(
        "kind_max", "mix", f"largest surprise of an event kind ({BITS})", "rare_kinds"
    ),
    *surprisal_features(
        "kind_llr_mean",
        "mix",
        "mean of how much better everyone's habit explains the kinds than the own habit",
        "rare_kinds",
    ),
    *surprisal_features(
        "divergence", "mix", "divergence of the day's kinds from the own mix", "rare_kinds"
    ),
    Feature("g_statistic", "mix", "divergence times the number of events", "rare_kinds"),
)

ORDER = surprisal_features(
    "step_mean",
    "mix",
    f"mean surprise of the kinds of event given the kind before ({BITS})",
    "strange_steps",
)[1]

TIME = (
    *surprisal_features(
        "hour_mean", "time", f"mean surprise of the hours ({BITS})", "odd_hour_events"
    ),
    *surprisal_features(
        "hour_max", "time", f"largest surprise of an hour ({BITS})", "odd_hour_events"
    ),
    Feature(
        "odd_hour_events",
        "time",
        "events in hours present on under 6 % of own earlier days of that kind",
        "odd_hour_events",
    ),
    Feature("odd_hour_share", "time", "thousandths of the events in such hours", "odd_hour_events"),
)

CONTAINER = (
    *surprisal_features(
        "container_mean",
        "container",
        f"mean surprise of the folders ({BITS})",
        "strange_container_events",
    ),
    *surprisal_features(
        "container_max",
        "container",
        f"largest surprise of a folder ({BITS})",
        "strange_container_events",
    ),
    *surprisal_features(
        "container_llr_mean",
        "container",
        "mean of how much better everyone's habit explains the folders than the own habit",
        "strange_container_events",
    ),
    Feature(
        "strange_share",
        "container",
        "thousandths of the events in folders never visited before",
        "strange_container_events",
    ),
)

IDENTITY = (
    *surprisal_features(
        "own_unlike",
        "identity",
        "1000 less the likeness of the day to the own profile of 12 weeks (cosine, thousandths)",
        "own_unlike",
    ),
    *surprisal_features(
        "other_margin",
        "identity",
        "likeness to the most alike other sender less the likeness to the own profile",
        "other_margin",
    ),
)

SENSITIVITY = (
    *own_features(("sensitive", "sensitive_new", "sensitive_foreign"), "sensitivity"),
    *(
        Feature(name, "sensitivity", definition, name)
        for name, definition in (
            ("sensitive_new", "sensitive resources the sender never touched before"),
            ("sensitive_foreign", "sensitive resources neither sender nor peers touched before"),
            ("sensitive_alien", "sensitive resources in folders foreign to sender and peers"),
            ("sensitive_export", "exports of sensitive resources"),
        )
    ),
)

HIGHEST = "in 5 days, in Poisson spreads above the highest such sum before"
BEFORE = "log ratio of that to what the ten active days before promised"

SLOW = tuple(
    Feature(name, "slow", definition, count)
    for name, definition, count in (
        ("export_14_ratio", f"exports in 14 days, {BEFORE}", "export_14"),
        ("foreign_resources_14_ratio", f"foreign resources, {BEFORE}", "foreign_resources_14"),
        (
            "alien_resources_14_ratio",
            f"resources in foreign folders, {BEFORE}",
            "alien_resources_14",
        ),
        ("share_14_ratio", f"shares in 14 days, {BEFORE}", "share_14"),
        ("risky_14_ratio", f"risky actions in 14 days, {BEFORE}", "risky_14"),
        (
            "remote_resources_14_ratio",
            f"resources in remote folders, {BEFORE}",
            "remote_resources_14",
        ),
        ("new_taken_14_ratio", f"exports and shares of new resources, {BEFORE}", "new_taken_14"),
        ("export_5", "mean of the last 5 days' export_z, clipped to 0..5", "export"),
        ("share_5", "mean of the last 5 days' share_z, clipped to 0..5", "share"),
        ("sensitive_foreign_14", "foreign sensitive resources in 14 days", "sensitive_foreign_14"),
        ("sensitive_foreign_14_ratio", BEFORE, "sensitive_foreign_14"),
        ("sensitive_export_14", "sensitive exports in 14 days", "sensitive_export_14"),
        ("sensitive_export_14_ratio", BEFORE, "sensitive_export_14"),
        (
            "sensitive_export_days_14",
            "days of 14 with sensitive exports",
            "sensitive_export_days_14",
        ),
        ("sensitive_new_14", "sensitive resources new in 14 days", "sensitive_new_14"),
        ("sensitive_5", "mean of the last 5 days' sensitive_z, clipped to 0..5", "sensitive"),
        ("export_5_surge", f"exports {HIGHEST}", "export_5_sum"),
        ("share_5_surge", f"shares {HIGHEST}", "share_5_sum"),
        (
            "remote_resources_5_surge",
            f"resources in remote folders {HIGHEST}",
            "remote_resources_5_sum",
        ),
        ("new_taken_5_surge", f"exports and shares of new resources {HIGHEST}", "new_taken_5_sum"),
        ("risky_5_surge", f"risky actions {HIGHEST}", "risky_5_sum"),
        (
            "passed_on_5_surge",
            f"resources both exported and shared on one day, from the second on, {HIGHEST}",
            "passed_on_5_sum",
        ),
    )
)

IN_BOTH = (
    "kind_llr_mean_self", "hour_mean", "hour_mean_self", "hour_max_self", "odd_hour_share",
    "container_mean_self", "container_llr_mean_self", "strange_share", "own_unlike_self",
    "other_margin_self",
)  # fmt: skip
"""Identity features that also find incidents; the others mostly find busy people."""

IDENTITY_FEATURES: tuple[Feature, ...] = (*IDENTITY, *CONTAINER, *TIME, *MIX)
"""What tells one person from another whatever the amount of work: the identity model."""

SENDER_FEATURES: tuple[Feature, ...] = (
    *SELF,
    *PEER,
    *NOVELTY,
    ORDER,
    *(each for each in IDENTITY_FEATURES if each.name in IN_BOTH),
    *SENSITIVITY,
    *SLOW,
)
"""Features of one sender on one day, in the order of the main model's columns."""


AUDIENCE = ("new_senders", "strangers")

RESOURCE_FEATURES: tuple[Feature, ...] = (
    *own_features([name for name in OWN_COUNTS if name not in AUDIENCE]),
    *own_features(AUDIENCE, "audience"),
    *(
        Feature(
            f"type_{name}",
            "audience" if name in AUDIENCE else "type",
            f"log ratio of {name} to the 95 % day of resources of the type",
            name,
        )
        for name in TYPE_COUNTS
    ),
    Feature(
        "newcomer_risk",
        "audience",
        "exports, shares, permission changes and deletions by people new to the resource",
        "newcomer_risk",
    ),
    Feature(
        "audience_self",
        "audience",
        "mean surprise of the resource given its visitors' peers, above its own usual",
        "strangers",
    ),
    Feature(
        "audience_sum",
        "audience",
        "summed surprise of the resource given the peers of its newcomers",
        "strangers",
    ),
)
"""Features of one resource on one day, in the order of the model's columns."""


@dataclass(frozen=True)
class ModelSpec:
    """One model over one kind of day.

    Attributes:
        name: Of the model, as findings name it.
        subject: Column of whom or what the days are.
        features: The columns that are scored.
        eligible: Which scored days may be shown: a handful of events is no finding, however far
            from its baseline.
        trees: How many the forest has.
        score_column: Column of the score.
        mad_multiple: How many robust spreads above the median a score must lie to be shown:
            chosen so that of people with steady habits, in whose month nothing happens, not one in
            two hundred is shown.
    """

    name: str
    subject: str
    features: tuple[Feature, ...]
    eligible: pl.Expr
    trees: int
    score_column: str = "score"
    mad_multiple: float = 5.5


LEAST_RESOURCE_SCORE = 0.8
"""Resources are many, so a few leap on any day; only a score that a plain forest never gives, from
a leap several times the usual one, is worth a reader's time."""

SENDER_TREES = 1000
"""The list of senders shall hardly depend on the seed: with 500 trees the top 1 % of two seeds
overlap by .84 to .86, with 900 by .89. The other models serve smaller lists."""

SENDERS = ModelSpec(
    "sender-day", "sender_id", SENDER_FEATURES, pl.col("events") >= 3, trees=SENDER_TREES
)
IDENTITY_MODEL = ModelSpec(
    "identity",
    "sender_id",
    IDENTITY_FEATURES,
    pl.col("events") >= 5,
    trees=300,
    score_column="identity_score",
)
RESOURCES = ModelSpec(
    "resource-day",
    "resource_id",
    RESOURCE_FEATURES,
    ((pl.col("events") >= 10) | (pl.col("risky") >= 3) | (pl.col("strangers") >= 3))
    & (pl.col("score") >= LEAST_RESOURCE_SCORE),
    trees=300,
)

MODELS = (SENDERS, IDENTITY_MODEL, RESOURCES)
"""Every model; the first two score the same sender-days."""


OPENING = """# Features

Generated from the code (`python benchmarks/anomalies.py docs`); a test holds it current.

Baselines are causal: only days before the one that is scored form them. Logarithms are of one
more than the count. "Robust spread" is 1.4826 times the median absolute deviation plus 0.25.
Peers are the ten senders most alike in the resources they touched over the twelve weeks before
the week, learnt anew each week; with fewer than five of them the peer features are zero. A folder
is the container an event names, else its type. Likeness is a cosine.
"""

TITLES = {
    "sender-day": "Senders: the main model",
    "identity": "Senders: does the day look like someone else?",
    "resource-day": "Resources",
}


def feature_page() -> str:
    """Markdown: every model's features by family, then the counts that explain them."""
    parts = [OPENING]
    for spec in MODELS:
        parts.append(f"\n## {TITLES[spec.name]}\n")
        for family, meaning in FAMILIES.items():
            rows = [each for each in spec.features if each.family == family]
            if rows:
                parts.append(f"\n### {family}: {meaning}\n\n{feature_table(rows)}")
    parts.append(months_section())
    counts = "\n".join(f"| `{name}` | {noun.split('|')[1]} |" for name, noun in NOUNS.items())
    parts.append(f"\n## Counts\n\n| count | what it counts |\n| --- | --- |\n{counts}\n")
    return "".join(parts)


def months_section() -> str:
    lines = "\n".join(f"| `{name}` | {meaning} |" for name, meaning in MONTH_COLUMNS.items())
    sums = ", ".join(f"`{name}`" for name in MONTH_COUNTS)
    return (
        "\n## Sender-months\n\n`sender_months(sender_days)` adds days up; it has no model of its "
        f"own.\n\n| column | definition |\n| --- | --- |\n{lines}\n\nBeside them stand the sums "
        f"of {sums}.\n"
    )


def feature_table(rows: list[Feature]) -> str:
    lines = "\n".join(f"| `{each.name}` | {each.definition} | `{each.count}` |" for each in rows)
    return f"| feature | definition | told by |\n| --- | --- | --- |\n{lines}\n"
