"""The event table: its columns, how records of any kind become rows of it, and what they mean."""

from auditlens.events.classification import (
    ACTION_BASES,
    ACTION_GROUPS,
    HIGH_IMPACT,
    Classifier,
    KnownKinds,
    classify,
    load_classifier,
)
from auditlens.events.dates import (
    EARLIEST,
    FIRST_TIME,
    LAST_TIME,
    bounded,
    dated,
    dated_ticks,
    latest,
    micros,
    parse_timestamps,
)
from auditlens.events.decoding import NO_OBJECT, UNTIMED, Rejected, decode_records
from auditlens.events.frames import conform
from auditlens.events.json_repair import JSON_ERRORS, repair_json
from auditlens.events.profile import (
    RECORDED_FIELDS,
    Profile,
    detect_profile,
    load_profile,
    shipped_profiles,
)
from auditlens.events.schema import EVENT_SCHEMA, SENDER_KINDS, content_hash, empty_events
from auditlens.events.secoda import UNKNOWN_GENERATION, Block, Person, Record, Thing

__all__ = [
    "ACTION_BASES",
    "ACTION_GROUPS",
    "EARLIEST",
    "EVENT_SCHEMA",
    "FIRST_TIME",
    "HIGH_IMPACT",
    "JSON_ERRORS",
    "LAST_TIME",
    "NO_OBJECT",
    "RECORDED_FIELDS",
    "SENDER_KINDS",
    "UNKNOWN_GENERATION",
    "UNTIMED",
    "Block",
    "Classifier",
    "KnownKinds",
    "Person",
    "Profile",
    "Record",
    "Rejected",
    "Thing",
    "bounded",
    "classify",
    "conform",
    "content_hash",
    "dated",
    "dated_ticks",
    "decode_records",
    "detect_profile",
    "empty_events",
    "latest",
    "load_classifier",
    "load_profile",
    "micros",
    "parse_timestamps",
    "repair_json",
    "shipped_profiles",
]
