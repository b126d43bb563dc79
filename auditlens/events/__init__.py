"""The event table: its columns, and how records of any kind become rows of it."""

from auditlens.events.classification import (
    ACTION_BASES,
    ACTION_GROUPS,
    Classifier,
    KnownKinds,
    classify,
    load_classifier,
)
from auditlens.events.columns import EVENT_SCHEMA, SENDER_KINDS, empty_events
from auditlens.events.conform import conform
from auditlens.events.decode import NO_OBJECT, UNTIMED, Decoded, Rejected, decode_records
from auditlens.events.profile import Profile, detect_profile, load_profile, shipped_profiles
from auditlens.events.timestamps import parse_timestamps

__all__ = [
    "ACTION_BASES",
    "ACTION_GROUPS",
    "EVENT_SCHEMA",
    "NO_OBJECT",
    "SENDER_KINDS",
    "UNTIMED",
    "Classifier",
    "Decoded",
    "KnownKinds",
    "Profile",
    "Rejected",
    "classify",
    "conform",
    "decode_records",
    "detect_profile",
    "empty_events",
    "load_classifier",
    "load_profile",
    "parse_timestamps",
    "shipped_profiles",
]
