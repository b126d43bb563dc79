"""Fields that the records of a known product have, beside the columns of the event table."""

from __future__ import annotations

from difflib import get_close_matches

from auditlens.directory import MARKS
from auditlens.events.columns import EVENT_SCHEMA

__all__ = ["nearest", "unknown_field"]

COLUMNS = frozenset({*EVENT_SCHEMA, *MARKS} - {"leaf", "metadata"})

CLOUDTRAIL = frozenset(
    {"eventVersion", "userIdentity", "eventTime", "eventSource", "eventName", "awsRegion",
     "sourceIPAddress", "userAgent", "errorCode", "errorMessage", "requestParameters",
     "responseElements", "additionalEventData", "requestID", "eventID", "eventType", "apiVersion",
     "managementEvent", "readOnly", "resources", "recipientAccountId", "serviceEventDetails",
     "sharedEventID", "vpcEndpointId", "vpcEndpointAccountId", "eventCategory", "addendum",
     "sessionCredentialFromConsole", "edgeDeviceDetails", "tlsDetails", "insightDetails",
     "eventContext"}
)  # fmt: skip
IDENTITY = frozenset(
    {"type", "userName", "principalId", "arn", "accountId", "accessKeyId", "sessionContext",
     "invokedBy", "inScopeOf", "credentialId", "identityProvider", "onBehalfOf", "userId"}
)  # fmt: skip
"""What stands under ``userIdentity``."""


def unknown_field(name: str, product: str | None) -> bool:
    """Say that no event of this product has the field; other products are not known here.

    Secoda's records are free under ``metadata.``; CloudTrail's begin with one of its own names.
    """
    if name.replace(".", "_") in COLUMNS or name in COLUMNS:
        return False
    if product in (None, "secoda"):
        return not name.startswith("metadata.")
    if product != "aws":
        return False
    first, _, rest = name.removeprefix("metadata.").partition(".")
    if first.partition("[")[0] not in CLOUDTRAIL:
        return True
    return first == "userIdentity" and bool(rest) and rest.partition(".")[0] not in IDENTITY


def nearest(name: str, product: str | None) -> str:
    """Return the field that was probably meant, or an empty text."""
    name = name.removeprefix("metadata.")
    if product != "aws":
        near = get_close_matches(name.replace(".", "_"), sorted(COLUMNS), n=1)
        return near[0] if near else ""
    own = {field.lower(): field for field in CLOUDTRAIL}
    first, dot, rest = name.partition(".")
    meant = get_close_matches(first.lower(), sorted(own), n=1, cutoff=0.8)
    if dot and meant and own[meant[0]] != "userIdentity":
        return f"{own[meant[0]]}.{rest}"
    inside = {f"userIdentity.{part}" for part in IDENTITY}
    known = {field.lower(): field for field in (*COLUMNS, *own.values(), *inside)}
    near = get_close_matches(name.lower(), sorted(known), n=1)
    return known[near[0]] if near else ""
