"""The features of one resource on one day."""

from __future__ import annotations

from auditlens.anomalies.catalogue import Feature, own
from auditlens.anomalies.resource_days import OWN_COUNTS, TYPE_COUNTS

__all__ = ["RESOURCE_FEATURES"]

AUDIENCE = ("new_senders", "strangers")

RESOURCE_FEATURES: tuple[Feature, ...] = (
    *own([name for name in OWN_COUNTS if name not in AUDIENCE]),
    *own(AUDIENCE, "audience"),
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
