"""The event table: its columns, and how records of any kind become rows of it."""

from auditlens.events.columns import EVENT_SCHEMA, SENDER_KINDS, empty_events

__all__ = ["EVENT_SCHEMA", "SENDER_KINDS", "empty_events"]
