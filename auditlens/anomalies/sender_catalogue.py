"""The features of one sender on one day, family by family."""

from __future__ import annotations

from auditlens.anomalies.catalogue import Feature, own, surprise

__all__ = ["IDENTITY_FEATURES", "SENDER_FEATURES"]

BITS = "thousandths of -log probability"

SELF = own(
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
    surprise(
        "peer_kind_mean", "peer", f"mean surprise of kinds given peers ({BITS})", "rare_kinds"
    )[1],
)

FAR = "log ratio of everyone's share of the folder to the sender's or peers', thousandths"

NOVELTY = (
    *own(
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
    *surprise(
        "remote_share",
        "novelty",
        f"mean of how far the day's resources are ({FAR})",
        "remote_resources",
    ),
    surprise(
        "new_resource_share",
        "novelty",
        "thousandths of the day's resources that the sender never touched before",
        "new_resources",
    )[1],
    surprise(
        "foreign_share",
        "novelty",
        "thousandths of the day's resources that neither sender nor peers touched before",
        "foreign_resources",
    )[1],
    *surprise(
        "alien_share",
        "novelty",
        "thousandths of the day's resources in folders that neither sender nor peers work in",
        "alien_resources",
    ),
    surprise(
        "peer_resource_mean",
        "novelty",
        f"mean surprise of the resources given the peers ({BITS})",
        "foreign_resources",
    )[1],
    surprise(
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
    *own(("rare_kinds",), "mix"),
    *surprise("kind_mean", "mix", f"mean surprise of the event kinds ({BITS})", "rare_kinds"),
    *surprise("kind_max", "mix", f"largest surprise of an event kind ({BITS})", "rare_kinds"),
    *surprise(
        "kind_llr_mean",
        "mix",
        "mean of how much better everyone's habit explains the kinds than the own habit",
        "rare_kinds",
    ),
    *surprise("divergence", "mix", "divergence of the day's kinds from the own mix", "rare_kinds"),
    Feature("g_statistic", "mix", "divergence times the number of events", "rare_kinds"),
)

ORDER = surprise(
    "step_mean",
    "mix",
    f"mean surprise of the kinds of event given the kind before ({BITS})",
    "strange_steps",
)[1]

TIME = (
    *surprise("hour_mean", "time", f"mean surprise of the hours ({BITS})", "odd_hour_events"),
    *surprise("hour_max", "time", f"largest surprise of an hour ({BITS})", "odd_hour_events"),
    Feature(
        "odd_hour_events",
        "time",
        "events in hours present on under 6 % of own earlier days of that kind",
        "odd_hour_events",
    ),
    Feature("odd_hour_share", "time", "thousandths of the events in such hours", "odd_hour_events"),
)

CONTAINER = (
    *surprise(
        "container_mean",
        "container",
        f"mean surprise of the folders ({BITS})",
        "strange_container_events",
    ),
    *surprise(
        "container_max",
        "container",
        f"largest surprise of a folder ({BITS})",
        "strange_container_events",
    ),
    *surprise(
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
    *surprise(
        "own_unlike",
        "identity",
        "1000 less the likeness of the day to the own profile of 12 weeks (cosine, thousandths)",
        "own_unlike",
    ),
    *surprise(
        "other_margin",
        "identity",
        "likeness to the most alike other sender less the likeness to the own profile",
        "other_margin",
    ),
)

SENSITIVITY = (
    *own(("sensitive", "sensitive_new", "sensitive_foreign"), "sensitivity"),
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
