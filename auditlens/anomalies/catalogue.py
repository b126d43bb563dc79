"""Every feature by name, family and definition, and the models that read them.

A model is a list of features of one kind of day; docs/features.md is written from here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from auditlens.anomalies.features import OWN_COUNTS, TYPE_COUNTS
from auditlens.anomalies.views import MONTH_COLUMNS, MONTH_COUNTS
from auditlens.anomalies.wording import ACCOUNT_COUNTS, RESOURCE_COUNTS, UNFAMILIAR, Count

__all__ = ["FAMILIES", "MODELS", "Feature", "ModelSpec", "feature_page"]

FAMILIES = {
    "self": "Volume above own history",
    "peer": "Above peer group",
    "novelty": "First-time access",
    "mix": "Unfamiliar actions",
    "time": "Off-hours activity",
    "container": "First-time folders",
    "identity": "Match with another account",
    "sensitivity": "Sensitive data",
    "slow": "Build-up over several days",
    "type": "Above similar resources",
    "audience": "Unusual accounts on this resource",
}
"""Families of features, in the order of the docs, and the heading a reader sees."""


@dataclass(frozen=True)
class Feature:
    """One column of a model.

    Attributes:
        name: Of the column.
        family: A key of FAMILIES.
        count: The column a reader understands, which explains this one in a reason.
        plain: Name that a reader sees.
        sentence: What it says, in one plain sentence.
        definition: How it is computed, in one line.
    """

    name: str
    family: str
    count: str
    plain: str
    sentence: str
    definition: str


def own_features(counts: Sequence[str], family: str = "self") -> tuple[Feature, ...]:
    """Counts against the account's own last 28 active days."""
    return tuple(
        Feature(
            f"{count}_z",
            family,
            count,
            f"{ACCOUNT_COUNTS[count].label} above own history",
            f"{ACCOUNT_COUNTS[count].meaning} on this day, compared with own history.",
            f"log of the count, {ABOVE_OWN}",
        )
        for count in counts
    )


def peer_features(counts: Sequence[str]) -> tuple[Feature, ...]:
    """Counts against the days of the peer group."""
    return tuple(
        Feature(
            f"peer_{count}",
            "peer",
            count,
            f"{ACCOUNT_COUNTS[count].label} above peers",
            f"{ACCOUNT_COUNTS[count].meaning} on this day, compared with the peers' 95th "
            "percentile.",
            "log ratio of the count to the peers' 95th percentile",
        )
        for count in counts
    )


@dataclass(frozen=True)
class Plain:
    """Name and sentence of a feature as a reader sees them."""

    name: str
    sentence: str


def relative_feature(name: str, family: str, definition: str, count: str, plain: Plain) -> Feature:
    """A measure against the account's own history of it: the column ``<name>_self``."""
    again = f"{definition}, in robust spreads above the account's own usual value"
    return Feature(f"{name}_self", family, count, plain.name, plain.sentence, again)


def both_features(
    name: str, family: str, definition: str, count: str, plain: Plain, relative: Plain
) -> tuple[Feature, Feature]:
    """A measure, and the same against the account's own history of it."""
    return (
        Feature(name, family, count, plain.name, plain.sentence, definition),
        relative_feature(name, family, definition, count, relative),
    )


def lower_first(text: str) -> str:
    return text[0].lower() + text[1:]


AFTER_ABSENCE = "on the first day after a week or more of inactivity"
BITS = "thousandths of -log probability"
ABOVE_OWN = "in robust spreads above the 90th percentile of 28 own active days"

SELF = own_features(
    (
        "events", "read", "write", "export", "share", "permission", "delete", "admin",
        "risky_burst", "removed", "own_rights",
    )
)  # fmt: skip

PEER = (
    *peer_features(("export", "share", "delete", "risky")),
    relative_feature(
        "peer_kind_mean",
        "peer",
        f"mean self-information of the actions given the peers ({BITS})",
        "rare_kinds",
        Plain(
            "Actions unusual among peers",
            "Actions are less common among peers than this account's actions usually are.",
        ),
    ),
)

FAR = "log ratio of everyone's share of the folder to that of account or peers, thousandths"

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
    Feature(
        "remote_sum_z",
        "novelty",
        "remote_resources",
        "Distance from the work area",
        "Total distance of the day's resources from the usual work area, compared with own "
        "history.",
        f"distances of the day's resources ({FAR}), summed, {ABOVE_OWN}",
    ),
    Feature(
        "remote_new_sum_z",
        "novelty",
        "remote_new",
        "Distance of first-time resources",
        "Total distance of the day's first-time resources from the usual work area, compared "
        "with own history.",
        f"distances of the day's first-time resources ({FAR}), summed, {ABOVE_OWN}",
    ),
    Feature(
        "remote_deep_z",
        "novelty",
        "remote_one",
        "Resources in one folder outside the work area above own history",
        "Third and further resources in one folder outside the usual work area on this day, "
        "compared with own history.",
        "log of the resources beyond the second of each folder outside the work area of account "
        f"and peers, {ABOVE_OWN}",
    ),
    *both_features(
        "remote_share",
        "novelty",
        f"mean distance of the day's resources ({FAR})",
        "remote_resources",
        Plain(
            "Share outside the work area",
            "How far, on average, the day's resources are from the usual work area.",
        ),
        Plain(
            "Share outside the work area, above own usual",
            "The day's resources are farther from the work area than this account's usually are.",
        ),
    ),
    relative_feature(
        "new_resource_share",
        "novelty",
        "thousandths of the day's resources that the account had not used before",
        "new_resources",
        Plain(
            "Share of first-time resources",
            "A larger part of the day's resources is new to the account than usual for it.",
        ),
    ),
    relative_feature(
        "foreign_share",
        "novelty",
        "thousandths of the day's resources that neither account nor peers had used before",
        "foreign_resources",
        Plain(
            "Share of resources new to account and peers",
            "A larger part of the day's resources is new to account and peers than usual for it.",
        ),
    ),
    *both_features(
        "alien_share",
        "novelty",
        "thousandths of the day's resources in folders that neither account nor peers use",
        "alien_resources",
        Plain(
            "Share in unfamiliar folders",
            "Part of the day's resources in folders that neither the account nor its peers use.",
        ),
        Plain(
            "Share in unfamiliar folders, above own usual",
            "A larger part of the day's resources than usual for this account lies in folders "
            "that neither it nor its peers use.",
        ),
    ),
    relative_feature(
        "peer_resource_mean",
        "novelty",
        f"mean self-information of the resources given the peers ({BITS})",
        "foreign_resources",
        Plain(
            "Resources unusual among peers",
            "Resources are less common among peers than this account's usually are.",
        ),
    ),
    relative_feature(
        "peer_container_mean",
        "novelty",
        f"mean self-information of the folders given the peers ({BITS})",
        "alien_resources",
        Plain(
            "Folders unusual among peers",
            "Folders are less common among peers than this account's usually are.",
        ),
    ),
    *(
        Feature(name, "novelty", name, plain, sentence, definition)
        for name, plain, sentence, definition in (
            (
                "alien_resources",
                "First-time resources in unfamiliar folders",
                f"Number of first-time resources {UNFAMILIAR}.",
                "count of the day",
            ),
            (
                "alien_risky",
                "High-impact actions in unfamiliar folders",
                f"High-impact actions on first-time resources {UNFAMILIAR}.",
                "count of the day",
            ),
            (
                "alien_export",
                "Exports from unfamiliar folders",
                f"Exports of first-time resources {UNFAMILIAR.replace('in', 'from', 1)}.",
                "count of the day",
            ),
            (
                "new_risky_kinds",
                "First-time high-impact actions",
                "Types of high-impact action the account never used before.",
                "count of the day",
            ),
            (
                "new_risky",
                "High-impact actions on first-time resources",
                "Number of high-impact actions on resources new to the account.",
                "count of the day",
            ),
            (
                "foreign_risky",
                "High-impact actions on resources new to account and peers",
                "Number of high-impact actions on resources new to the account and its peers.",
                "count of the day",
            ),
            (
                "new_taken",
                "Exports and shares of first-time resources",
                "Number of exports and shares of resources new to the account.",
                "count of the day",
            ),
            (
                "return_new_taken",
                "Exports and shares right after an absence",
                f"Exports and shares of first-time resources {AFTER_ABSENCE}.",
                "count of the day, zero unless the last activity is seven days back",
            ),
            (
                "return_remote_new",
                "Unfamiliar access right after an absence",
                f"First-time resources outside the work area {AFTER_ABSENCE}.",
                "count of the day, zero unless the last activity is seven days back",
            ),
            (
                "gap_days",
                "Days of inactivity",
                "Days since the account was last active.",
                "days from the last active day to this one",
            ),
        )
    ),
)

MIX = (
    *own_features(("rare_kinds",), "mix"),
    *both_features(
        "kind_mean",
        "mix",
        f"mean self-information of the actions ({BITS})",
        "rare_kinds",
        Plain(
            "Average rarity of actions",
            "How rare the day's actions are for this account, on average.",
        ),
        Plain(
            "Average rarity of actions, above own usual",
            "The day's actions are, on average, rarer than usual for this account.",
        ),
    ),
    *both_features(
        "kind_max",
        "mix",
        f"largest self-information of an action ({BITS})",
        "rare_kinds",
        Plain("Rarest action", "How rare the least common action of the day is for this account."),
        Plain(
            "Rarest action, above own usual",
            "The rarest action is rarer than usual for this account.",
        ),
    ),
    *both_features(
        "kind_llr_mean",
        "mix",
        "mean log-likelihood ratio of the actions, everyone's habits to the account's own",
        "rare_kinds",
        Plain(
            "Actions typical of others",
            "Actions that everyone's habits explain better than the account's own.",
        ),
        Plain(
            "Actions typical of others, above own usual",
            "Everyone's habits explain the day's actions better than the account's own, by more "
            "than usual.",
        ),
    ),
    *both_features(
        "divergence",
        "mix",
        "Kullback-Leibler divergence of the day's actions from the own mix",
        "rare_kinds",
        Plain(
            "Different mix of actions",
            "How far the day's mix of actions is from the account's usual mix.",
        ),
        Plain(
            "Different mix of actions, above own usual",
            "The mix of actions differs more than usual for this account.",
        ),
    ),
    Feature(
        "g_statistic",
        "mix",
        "rare_kinds",
        "Different mix of actions, weighted",
        "Difference of the mix times the number of events: large when many events differ.",
        "divergence times the number of events",
    ),
)

ORDER = relative_feature(
    "step_mean",
    "mix",
    f"mean self-information of each action given the one before ({BITS})",
    "strange_steps",
    Plain(
        "Unfamiliar action sequence",
        "Actions follow each other in an order unusual for this account.",
    ),
)

TIME = (
    *both_features(
        "hour_mean",
        "time",
        f"mean self-information of the hours ({BITS})",
        "odd_hour_events",
        Plain(
            "Average rarity of hours",
            "How unusual the hours of the day's events are for this account, on average.",
        ),
        Plain(
            "Average rarity of hours, above own usual",
            "The hours are more unusual than is normal for this account.",
        ),
    ),
    *both_features(
        "hour_max",
        "time",
        f"largest self-information of an hour ({BITS})",
        "odd_hour_events",
        Plain(
            "Rarest hour",
            "How unusual the most unusual hour of the day is for this account.",
        ),
        Plain(
            "Rarest hour, above own usual",
            "The most unusual hour is more unusual than is normal for this account.",
        ),
    ),
    Feature(
        "odd_hour_events",
        "time",
        "odd_hour_events",
        "Off-hours events",
        "Events at hours active on under 6 % of the account's earlier days of that kind.",
        "count of the day; working days and days off apart",
    ),
    Feature(
        "odd_hour_share",
        "time",
        "odd_hour_events",
        "Share of off-hours events",
        "Part of the day's events at hours when the account is rarely active.",
        "thousandths of the day's events",
    ),
)

CONTAINER = (
    *both_features(
        "container_mean",
        "container",
        f"mean self-information of the folders ({BITS})",
        "strange_container_events",
        Plain(
            "Average rarity of folders",
            "How unusual the day's folders are for this account, on average.",
        ),
        Plain(
            "Average rarity of folders, above own usual",
            "The folders are more unusual than is normal for this account.",
        ),
    ),
    *both_features(
        "container_max",
        "container",
        f"largest self-information of a folder ({BITS})",
        "strange_container_events",
        Plain("Rarest folder", "How unusual the most unusual folder is for this account."),
        Plain(
            "Rarest folder, above own usual",
            "The most unusual folder is more unusual than is normal for this account.",
        ),
    ),
    *both_features(
        "container_llr_mean",
        "container",
        "mean log-likelihood ratio of the folders, everyone's habits to the account's own",
        "strange_container_events",
        Plain(
            "Folders typical of others",
            "Folders that everyone's habits explain better than the account's own.",
        ),
        Plain(
            "Folders typical of others, above own usual",
            "Everyone's habits explain the day's folders better than the account's own, by more "
            "than usual.",
        ),
    ),
    Feature(
        "strange_share",
        "container",
        "strange_container_events",
        "Share of events in first-time folders",
        "Part of the day's events in folders the account never used before.",
        "thousandths of the day's events",
    ),
)

IDENTITY = (
    *both_features(
        "own_unlike",
        "identity",
        "1000 less the cosine similarity of the day to the own profile, thousandths",
        "own_unlike",
        Plain(
            "Difference from own profile",
            "How much the day differs from the account's last 12 weeks (0 % same, 100 % nothing "
            "in common).",
        ),
        Plain(
            "Difference from own profile, above own usual",
            "The day differs more from the account's profile than its days usually do.",
        ),
    ),
    *both_features(
        "other_margin",
        "identity",
        "cosine similarity to the most similar other account less that to the own profile, "
        "thousandths",
        "other_margin",
        Plain(
            "Closer match to another account",
            "How much more the day resembles another account than the account's own last 12 weeks.",
        ),
        Plain(
            "Closer match to another account, above own usual",
            "The day matches another account more closely than usual for this account.",
        ),
    ),
)

SENSITIVITY = (
    *own_features(("sensitive", "sensitive_new", "sensitive_foreign"), "sensitivity"),
    *(
        Feature(name, "sensitivity", name, plain, sentence, "count of the day")
        for name, plain, sentence in (
            (
                "sensitive_new",
                "First-time sensitive resources",
                "Number of sensitive resources the account had not used before.",
            ),
            (
                "sensitive_foreign",
                "Sensitive resources new to account and peers",
                "Number of sensitive resources that neither the account nor its peers had used.",
            ),
            (
                "sensitive_alien",
                "Sensitive resources in unfamiliar folders",
                f"Number of sensitive resources {UNFAMILIAR}.",
            ),
            (
                "sensitive_export",
                "Exports of sensitive data",
                "Number of exports of sensitive resources.",
            ),
        )
    ),
)


def rise(count: str) -> Feature:
    """Two weeks of a count against the pace of the ten active days before."""
    base = ACCOUNT_COUNTS[count]
    return Feature(
        f"{count}_14_ratio",
        "slow",
        f"{count}_14",
        f"14-day rise in {lower_first(base.label)}",
        f"{base.meaning} over 14 days, compared with the pace of the ten active days before.",
        "log ratio of the sum over 14 days to what the ten active days before promised",
    )


def sustained(count: str) -> Feature:
    """Five days of a count above the own history."""
    base = ACCOUNT_COUNTS[count]
    return Feature(
        f"{count}_5",
        "slow",
        count,
        f"Sustained {lower_first(base.label)}",
        f"{base.meaning} stayed above own history over 5 days, on average.",
        f"mean of the last 5 days' {count}_z, clipped to 0..5",
    )


def surge(count: str) -> Feature:
    """Five days of a count against the highest such sum before."""
    base = ACCOUNT_COUNTS[count]
    return Feature(
        f"{count}_5_surge",
        "slow",
        f"{count}_5_sum",
        f"5-day surge in {lower_first(base.label)}",
        f"{base.meaning} over 5 days, compared with the highest earlier 5-day total.",
        "sum over 5 days, in Poisson spreads above the highest such sum before",
    )


def summed(name: str, plain: str, sentence: str) -> Feature:
    """A count of two weeks as it is."""
    return Feature(name, "slow", name, plain, sentence, "count over 14 days")


SLOW = (
    rise("export"),
    rise("foreign_resources"),
    rise("alien_resources"),
    rise("share"),
    rise("risky"),
    rise("remote_resources"),
    rise("new_taken"),
    sustained("export"),
    sustained("share"),
    summed(
        "sensitive_foreign_14",
        "Sensitive resources new to account and peers, 14 days",
        "Number over 14 days of sensitive resources that neither the account nor its peers had "
        "used.",
    ),
    rise("sensitive_foreign"),
    summed(
        "sensitive_export_14",
        "Exports of sensitive data, 14 days",
        "Number of exports of sensitive resources over 14 days.",
    ),
    rise("sensitive_export"),
    summed(
        "sensitive_export_days_14",
        "Days with exports of sensitive data",
        "Days out of 14 on which sensitive resources were exported.",
    ),
    summed(
        "sensitive_new_14",
        "First-time sensitive resources, 14 days",
        "Sensitive resources used for the first time within 14 days.",
    ),
    sustained("sensitive"),
    surge("export"),
    surge("share"),
    surge("remote_resources"),
    surge("new_taken"),
    surge("risky"),
    surge("passed_on"),
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


def resource_own(counts: Sequence[str], family: str) -> tuple[Feature, ...]:
    """Counts against the resource's own last 28 active days."""
    return tuple(
        Feature(
            f"{count}_z",
            family,
            count,
            f"{RESOURCE_COUNTS[count].label} above its own history",
            f"{RESOURCE_COUNTS[count].meaning} on this day, compared with the resource's own "
            "history.",
            f"log of the count, {ABOVE_OWN}",
        )
        for count in counts
    )


RESOURCE_FEATURES: tuple[Feature, ...] = (
    *resource_own([name for name in OWN_COUNTS if name not in AUDIENCE], "self"),
    *resource_own(AUDIENCE, "audience"),
    *(
        Feature(
            f"type_{name}",
            "audience" if name in AUDIENCE else "type",
            name,
            f"{RESOURCE_COUNTS[name].label} above similar resources",
            f"{RESOURCE_COUNTS[name].meaning} on this day, compared with the 95th percentile of "
            "resources of the same type.",
            "log ratio of the count to the 95th percentile of resources of the type",
        )
        for name in TYPE_COUNTS
    ),
    Feature(
        "newcomer_risk",
        "audience",
        "newcomer_risk",
        "High-impact actions by first-time accounts",
        "Exports, shares, permission changes and deletions by accounts that had not used the "
        "resource before.",
        "count of the day",
    ),
    Feature(
        "audience_self",
        "audience",
        "strangers",
        "Unusual audience",
        "The accounts on the resource are less typical of it than usual.",
        "mean self-information of the resource given its visitors' peers, in robust spreads above "
        "its own usual value",
    ),
    Feature(
        "audience_sum",
        "audience",
        "strangers",
        "Unusual first-time audience",
        "Combined unusualness of the accounts that used the resource for the first time.",
        "summed self-information of the resource given the peers of its first-time accounts",
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
        counts: By name, the counts that explain the features, in words.
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
    counts: Mapping[str, Count]
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
    "sender-day",
    "sender_id",
    SENDER_FEATURES,
    ACCOUNT_COUNTS,
    pl.col("events") >= 3,
    trees=SENDER_TREES,
)
IDENTITY_MODEL = ModelSpec(
    "identity",
    "sender_id",
    IDENTITY_FEATURES,
    ACCOUNT_COUNTS,
    pl.col("events") >= 5,
    trees=300,
    score_column="identity_score",
)
RESOURCES = ModelSpec(
    "resource-day",
    "resource_id",
    RESOURCE_FEATURES,
    RESOURCE_COUNTS,
    ((pl.col("events") >= 10) | (pl.col("risky") >= 3) | (pl.col("strangers") >= 3))
    & (pl.col("score") >= LEAST_RESOURCE_SCORE),
    trees=300,
)

MODELS = (SENDERS, IDENTITY_MODEL, RESOURCES)
"""Every model; the first two score the same sender-days."""


OPENING = """# Features

Generated from the code (`python benchmarks/anomalies.py docs`); a test holds it current.

Baselines are causal: only days before the one that is scored form them. *Own history* is the last
28 active days. *Peers* are the ten accounts most alike in the resources they touched over the
twelve weeks before the week, learnt anew each week; with fewer than five of them the peer features
are zero. The *work area* is the folders that the account and its peers use; a folder is the
container an event names, else its type. *High-impact* is export, share, permission change, deletion
or administration. Logarithms are of one more than the count. "Robust spread" is 1.4826 times the
median absolute deviation plus 0.25. The own profile is that of the last 12 weeks.
"""

TITLES = {
    "sender-day": "Accounts: main model",
    "identity": "Accounts: match with another account",
    "resource-day": "Resources",
}


def feature_page() -> str:
    """Every model's features by family, then the counts that explain them.

    Returns:
        A page of Markdown.
    """
    parts = [OPENING]
    for spec in MODELS:
        parts.append(f"\n## {TITLES[spec.name]}\n")
        for family, heading in FAMILIES.items():
            rows = [each for each in spec.features if each.family == family]
            if rows:
                parts.append(f"\n### {heading} (`{family}`)\n\n{feature_table(rows)}")
    parts.append(months_section())
    parts.append(counts_section("Counts of accounts", ACCOUNT_COUNTS))
    parts.append(counts_section("Counts of resources", RESOURCE_COUNTS))
    return "".join(parts)


def months_section() -> str:
    lines = "\n".join(f"| `{name}` | {meaning} |" for name, meaning in MONTH_COLUMNS.items())
    sums = ", ".join(f"`{name}`" for name in MONTH_COUNTS)
    return (
        "\n## Account-months\n\n`sender_months(sender_days)` adds days up; it has no model of its "
        f"own.\n\n| column | meaning |\n| --- | --- |\n{lines}\n\nBeside them stand the sums "
        f"of {sums}.\n"
    )


def counts_section(title: str, counts: Mapping[str, Count]) -> str:
    lines = "\n".join(
        f"| `{name}` | {each.clause(3)} | {each.title} |" for name, each in counts.items()
    )
    return (
        f"\n## {title}\n\nHow a reason says a value of 3, and the title when it leads.\n\n"
        f"| count | words | title |\n| --- | --- | --- |\n{lines}\n"
    )


def feature_table(rows: Sequence[Feature]) -> str:
    lines = "\n".join(
        f"| `{each.name}` | {each.plain} | {each.sentence} | {each.definition} | `{each.count}` |"
        for each in rows
    )
    head = "| feature | plain name | what it says | how it is computed | told by |\n"
    return f"{head}| --- | --- | --- | --- | --- |\n{lines}\n"
