"""What the stand-in workspace holds: its records, in both generations, and who saw them.

Written from the vendor's public documentation alone. It shares no line with the product or its
simulator, so a misreading of the documentation cannot hide on both sides of the wire.
"""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

NAMESPACE = uuid.UUID("0b9bd1c0-5ad0-4c3f-9b1e-6f1f3a0e7c11")
PEOPLE = ("Ada", "Bo", "Chloé", "Dmitrij", "Ümit", "Élodie", "平", "Zoë 🦉")
VERBS = (
    ("Tag added", "tag_added", "added the tag PII to the Table"),
    ("Updated description", "description_updated", "updated the description of the Table"),
    ("Removed collection", "collection_removed", "removed the Table from collection Finance"),
    ("Ran monitor", "monitor_ran", "monitor finished"),
    ("Completed job", "job_completed", "sync finished for integration Warehouse"),
)


@dataclass
class Event:
    """One thing that happened, as either endpoint would print it."""

    number: int
    at: int  # microseconds since the epoch
    legacy: bytes
    current: bytes
    version: int = 0
    id: str = ""


@dataclass
class Ledger:
    """Newest first, like the product's own screen; every change is remembered."""

    config: dict
    held: list[Event] = field(default_factory=list)
    ever: list[Event] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.config["seed"])
        source = self.config["file"]
        self.held = self._from_file(Path(source)) if source else self._made_up()
        self._order()
        self.ever = list(self.held)
        self.next_number = len(self.held)

    def _made_up(self) -> list[Event]:
        newest = int(time.time()) - 120
        step, size = self.config["step"], self.config["events"]
        # Three events share each stamp: a bulk change is one moment in several rows.
        return [
            self.make(number, (newest - ((size - number) // 3) * step) * 1_000_000)
            for number in range(size)
        ]

    def _from_file(self, path: Path) -> list[Event]:
        lines = path.read_bytes().splitlines()
        return [real_event(number, line) for number, line in enumerate(lines)]

    def make(self, number: int, at: int, version: int = 0) -> Event:
        style = self.config["style"]
        made = legacy_record(number, at, version), current_record(number, at, version)
        if self.config["skew_hours"] and number % 17 == 5:
            # The clock of one part of the service is wrong; the listing keeps its own order.
            wrong = at + int(self.config["skew_hours"] * 3_600_000_000)
            made[0]["created_at"], made[1]["logged_at"] = stamp(wrong, 3), stamp(wrong, 6)
        if self.config["strings"]:
            for record in made:
                stringify(record)
        legacy, current = (printed(record, number, style) for record in made)
        return Event(number, at, legacy, current, version, made[0]["id"])

    def _order(self) -> None:
        self.held.sort(key=lambda event: (event.at, event.number), reverse=True)

    def _add(self, event: Event) -> None:
        self.held.append(event)
        self.ever.append(event)
        self.next_number += 1
        self._order()

    def arrive(self, count: int) -> None:
        """New events at the head, as people go on working."""
        with self.lock:
            for _ in range(count):
                newest = self.held[0].at if self.held else int(time.time() * 1e6)
                self._add(self.make(self.next_number, newest + 1_000_000))

    def arrive_late(self, count: int, hours: float) -> None:
        """Events that become visible only now though they happened ``hours`` ago."""
        with self.lock:
            for _ in range(count):
                at = self.held[0].at - int(hours * 3_600_000_000) + self.next_number
                self._add(self.make(self.next_number, at))

    def remove(self, count: int) -> None:
        """Take records out of the middle third."""
        with self.lock:
            for _ in range(min(count, len(self.held) // 3)):
                third = len(self.held) // 3
                self.gone.add(self.held.pop(third + self.rng.randrange(third)).number)

    def expire(self, count: int) -> None:
        """Drop the oldest, as a retention limit does."""
        with self.lock:
            for _ in range(min(count, len(self.held) - 1)):
                self.gone.add(self.held.pop().number)

    def rewrite(self, number: int) -> None:
        """Give one record other content under the same id."""
        with self.lock:
            old = next(event for event in self.held if event.number == number)
            new = self.make(number, old.at, version=old.version + 1)
            self.held[self.held.index(old)] = new
            self.ever.append(new)

    def between_requests(self) -> None:
        self.arrive(self.config["arrivals"])
        self.arrive_late(self.config["late"], self.config["late_hours"])
        self.remove(self.config["removals"])
        self.expire(self.config["expiries"])

    def listing(self, generation: str, query: dict[str, str]) -> list[Event]:
        """The filtered and sorted listing of one endpoint (before its ceiling)."""
        events = list(self.held)
        if generation == "legacy":
            days = float(query.get("days") or 90)
            if self.config["days_filter"]:
                # The filter counts whole days, so a window too long to compute means everything.
                oldest = (time.time() - days * 86_400) * 1_000_000
                events = [event for event in events if event.at >= oldest]
            if {"sender_id", "resource_id"} & query.keys():
                events = [e for e in events if matches_legacy(json.loads(e.legacy), query)]
            return events
        if "filter" in query:
            wanted = json.loads(query["filter"])
            events = [event for event in events if matches(json.loads(event.current), wanted)]
        if "sort" in query:
            sort = json.loads(query["sort"])
            if sort["field"] not in {"created_at", "logged_at", "updated_at"}:
                raise ValueError(sort["field"])
            if sort.get("order", "asc") == "asc":
                events.reverse()
        return events

    def state(self) -> dict:
        held = {(event.number, event.version) for event in self.held}
        return {
            "events": [
                {
                    "number": event.number,
                    "id": event.id,
                    "version": event.version,
                    "at": event.at,
                    "held": (event.number, event.version) in held,
                    "legacy": hashlib.sha256(event.legacy).hexdigest(),
                    "current": hashlib.sha256(event.current).hexdigest(),
                }
                for event in self.ever
            ],
        }


def matches_legacy(record: dict, query: dict[str, str]) -> bool:
    sender = (record.get("sender") or {}) if "sender_id" in query else {}
    return query.get("resource_id", record.get("resource_id")) == record.get(
        "resource_id"
    ) and query.get("sender_id", sender.get("id")) == sender.get("id")


def matches(record: dict, wanted: dict) -> bool:
    """The documented filter grammar: and, or, not over exact, contains, in, is_set."""
    operator = wanted["operator"]
    if operator in {"and", "or"}:
        answers = [matches(record, part) for part in wanted["operands"]]
        return all(answers) if operator == "and" else any(answers)
    if operator == "not":
        return not matches(record, wanted["operands"][0])
    value = record.get(wanted["field"])
    checks = {
        "exact": lambda: value == wanted["value"],
        "contains": lambda: str(wanted["value"]) in str(value),
        "in": lambda: value in wanted["value"],
        "is_set": lambda: (value is not None) == bool(wanted["value"]),
    }
    return checks[operator]()  # an operator nobody documented is a 400


def stamp(at: int, digits: int) -> str:
    moment = datetime.fromtimestamp(at // 1_000_000, UTC)
    fraction = f"{at % 1_000_000:06d}"[:digits]
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction}Z"


def identity(kind: str, number: int) -> str:
    return str(uuid.uuid5(NAMESPACE, f"{kind}/{number}"))


def person(number: int) -> dict | None:
    """Who did it; nobody at all for a finished job, as the vendor's own screen shows."""
    if number % len(VERBS) == 4:
        return None
    which = number % len(PEOPLE)
    return {
        "id": identity("person", which),
        "email": f"person-{which}@example.org",
        "first_name": PEOPLE[which],
        "last_name": "O\u2019Neil" if which % 2 else "",
    }


def legacy_record(number: int, at: int, version: int) -> dict:
    subject, event, text = VERBS[number % len(VERBS)]
    who = person(number)
    table = number % 40
    return {
        "id": identity("event", number),
        "created_at": stamp(at, 3),
        "resource_id": identity("table", table),
        "resource_title": f"table_{table}",
        "resource_type": "table" if number % 2 else "Table",
        "event": event,
        "content": f'{text} "table_{table}" \\ }}{{ ],[ #{version}',
        "sender": who,
        "metadata": {
            "n": number,
            "big": 2**70 + number,
            "ratio": 1.0,
            "none": None,
            "deep": [[{}]],
        },
        "short_summary": f"{who['first_name'] if who else 'system'} {text}\u2028next",
        "short_summary_markdown": f"**{text}**",
        "subject": subject,
        "entity_type": "tag",
        "entity_id": identity("tag", number % 5),
        "entity_snapshot_key": None,
    }


def current_record(number: int, at: int, version: int) -> dict:
    subject, event, text = VERBS[number % len(VERBS)]
    who = person(number)
    table = number % 40
    kind = ("USER", "API", "USER", "MONITOR", "SYSTEM")[number % len(VERBS)]
    return {
        "id": identity("event", number),
        "parent_id": None,
        "activity_type": event,
        "performer_id": who["id"] if who else None,
        "performer_type": kind,
        "performer_metadata": {**who, "name": who["first_name"]} if who else None,
        "resource_id": identity("table", table),
        "resource_type": "table",
        "resource_metadata": {"id": identity("table", table), "title": f"table_{table}"},
        "related_resource_ids": [identity("tag", number % 5)],
        "related_resource_type": "tag",
        "event_blocks": [
            {"type": "text", "style": "normal", "value": subject},
            {"type": "text", "style": "bold", "value": f' {text} "table_{table}" #{version}'},
        ],
        "logged_at": stamp(at, 6),
        "created_at": stamp(at + 2_500_001, 6),
        "updated_at": stamp(at + 2_500_001, 6),
        "is_legacy": False,
        "version_history_id": None,
    }


def real_event(number: int, line: bytes) -> Event:
    """A record of a real file; its current form says the same in the other generation's words."""
    record = json.loads(line)
    moment = datetime.fromisoformat(record["created_at"])
    sender = record["sender"]
    current = {
        "id": record["id"],
        "parent_id": None,
        "activity_type": record["event"],
        "performer_id": sender["id"],
        "performer_type": "USER",
        "performer_metadata": sender,
        "resource_id": record["resource_id"],
        "resource_type": record["resource_type"],
        "resource_metadata": {"id": record["resource_id"], "title": record["resource_title"]},
        "related_resource_ids": [],
        "event_blocks": [{"type": "text", "style": "normal", "value": record["short_summary"]}],
        "logged_at": record["created_at"],
        "created_at": record["created_at"],
        "is_legacy": True,
        "metadata": record["metadata"],
        "version_history_id": record["entity_snapshot_key"],
    }
    text = json.dumps(current, ensure_ascii=False, separators=(",", ":")).encode()
    seconds = int(moment.timestamp()) * 1_000_000 + moment.microsecond
    return Event(number, seconds, line, text, id=record["id"])


def stringify(record: dict) -> None:
    """The vendor's samples show the words "None" and "False" where null and false are meant."""
    for key, value in record.items():
        if value is None or isinstance(value, bool):
            record[key] = str(value)


def printed(record: dict, number: int, style: str) -> bytes:
    """One record as text; the spelling varies, because exact bytes are the evidence."""
    if style == "indented":
        return json.dumps(record, ensure_ascii=False, indent=2).encode()
    spelling = number % 4
    if spelling == 0:
        return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
    if spelling == 1:
        return json.dumps(record).encode()
    if spelling == 2:
        return json.dumps(record, ensure_ascii=False, separators=(" , ", " :  ")).encode()
    return json.dumps(dict(reversed(record.items())), separators=(",", ":")).encode()
