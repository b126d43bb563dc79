"""The features of one sender on one day, family by family."""

from __future__ import annotations

from auditlens.anomalies.catalogue import Feature, own, surprise

__all__ = ["SENDER_FEATURES"]

BITS = "thousandths of -log probability"

SELF = (
    *own(
        (
            "events", "resources", "containers", "read", "write", "export", "share",
            "permission", "delete", "admin", "burst", "risky_burst",
        )
    ),
    Feature("day_z", "self", "events_z less the median events_z of all senders that day", "events"),
)  # fmt: skip

PEER = tuple(
    Feature(f"peer_{count}", "peer", f"log ratio of {count} to the peers' 95 % day", count)
    for count in ("events", "resources", "export", "risky")
) + surprise(
    "peer_kind_mean", "peer", f"mean surprise of the kinds given the peers ({BITS})", "rare_kinds"
)

NOVELTY = (
    *own(("new_resources", "new_containers", "foreign_resources"), "novelty"),
    *surprise(
        "new_resource_share",
        "novelty",
        "thousandths of the day's resources that the sender never touched before",
        "new_resources",
    ),
    *surprise(
        "foreign_share",
        "novelty",
        "thousandths of the day's resources that neither sender nor peers touched before",
        "foreign_resources",
    ),
    *surprise(
        "peer_resource_mean",
        "novelty",
        f"mean surprise of the resources given the peers ({BITS})",
        "foreign_resources",
    ),
    Feature("new_kinds", "novelty", "kinds of event the sender never caused before", "new_kinds"),
    Feature("new_types", "novelty", "types of resource the sender never touched", "new_types"),
    Feature(
        "new_risky_kinds", "novelty", "risky kinds of event never caused before", "new_risky_kinds"
    ),
    Feature("new_risky", "novelty", "risky actions on resources new to the sender", "new_risky"),
    Feature("foreign_risky", "novelty", "risky actions on foreign resources", "foreign_risky"),
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
        "own_unlike",
    ),
)

SENSITIVITY = (
    *own(("sensitive",), "sensitivity"),
    *(
        Feature(name, "sensitivity", definition, name)
        for name, definition in (
            ("sensitive", "events on resources marked as sensitive"),
            ("sensitive_new", "sensitive resources the sender never touched before"),
            ("sensitive_foreign", "sensitive resources neither sender nor peers touched before"),
            ("sensitive_export", "exports of sensitive resources"),
        )
    ),
)

SLOW_SENSITIVE = tuple(
    Feature(name, "slow", definition, count)
    for name, definition, count in (
        (
            "sensitive_export_14",
            "exports of sensitive resources in 14 days",
            "sensitive_export_14",
        ),
        (
            "sensitive_export_14_ratio",
            "log ratio of that to what the ten active days before promised",
            "sensitive_export_14",
        ),
        (
            "sensitive_export_days_14",
            "days of the last 14 with sensitive exports",
            "sensitive_export_days_14",
        ),
        ("sensitive_new_14", "sensitive resources new in 14 days", "sensitive_new_14"),
        ("sensitive_5", "mean of the last 5 days' sensitive_z, clipped to 0..5", "sensitive"),
    )
)

SLOW = (
    *(
        Feature(name, "slow", definition, count)
        for name, definition, count in (
            ("export_14", "exports in 14 days", "export_14"),
            (
                "export_14_ratio",
                "log ratio of that to what the ten active days before promised",
                "export_14",
            ),
            (
                "new_resources_14_ratio",
                "log ratio of resources new in 14 days to what the ten days before promised",
                "new_resources_14",
            ),
            (
                "foreign_resources_14_ratio",
                "log ratio of foreign resources in 14 days to what the ten days before promised",
                "foreign_resources_14",
            ),
            ("export_5", "mean of the last 5 days' export_z, clipped to 0..5", "export"),
            (
                "foreign_resources_5",
                "mean of the last 5 days' foreign_resources_z, clipped to 0..5",
                "foreign_resources",
            ),
            ("rare_kinds_5", "mean of the last 5 days' rare_kinds_z, clipped", "rare_kinds"),
        )
    ),
    *SLOW_SENSITIVE,
)

SENDER_FEATURES: tuple[Feature, ...] = (
    *SELF, *PEER, *NOVELTY, *MIX, *TIME, *CONTAINER, *IDENTITY, *SENSITIVITY, *SLOW,
)  # fmt: skip
"""Features of one sender on one day, in the order of the model's columns."""
