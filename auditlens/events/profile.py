"""Profiles: small YAML files that map another log's fields to the event table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from auditlens.errors import UsageError
from auditlens.events.json_repair import JSON_ERRORS, MAX_DEPTH, repair_json, within_limits
from auditlens.events.schema import EVENT_SCHEMA, SENDER_KINDS
from auditlens.resources import rules_folder
from auditlens.yaml_documents import Document, read_documents

__all__ = ["Profile", "detect_profile", "load_profile", "shipped_profiles"]

GIVEN = frozenset(
    {"action", "action_group", "action_basis", "generation", "source", "leaf", "related_ids"}
)
MAPPED = tuple(name for name in EVENT_SCHEMA if name not in GIVEN)
KEYS = frozenset({"name", "product", "service", "detect", "columns", "sender_kinds", "records"})
RECORDED_FIELDS = frozenset({"outcome", "address"})
"""What an auditor asks for that has no column: whether an act failed, and where it came from."""

TAKEN = frozenset({"legacy", "current", "frame", "unknown"})
"""What an event's ``generation`` says already: Secoda's own two, a frame, no known product."""

MAX_PATH = 1000
STEP = r"(?:[\w-]+|\*)"
BRACKET = r"""\[(?:'[^'\\]*'|"[^"\\]*"|[^\[\]]+)\]"""
PATH = re.compile(rf"(?:{STEP}|{BRACKET})(?:\.{STEP}|{BRACKET})*")
"""The paths that mean in JSON what they seem to; the engine reads others in part, silently."""


@dataclass(frozen=True)
class Profile:
    """How one product's records become events.

    Attributes:
        name: Its name, and the ``generation`` of its events.
        product: Product of the Sigma log source of its rules; default: the name.
        service: Service of that log source; empty for none.
        detect: A record that holds every one of these keys is of this profile.
        columns: Column to JSON paths, the first that matches wins; empty for ``secoda``, whose two
            generations are read natively.
        sender_kinds: What the record calls a kind of sender, to SENDER_KINDS.
        records: JSON paths of ``outcome`` (a fault, absent where the act worked) and ``address``.
    """

    name: str
    product: str
    service: str
    detect: tuple[str, ...] = ()
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sender_kinds: Mapping[str, str] = field(default_factory=dict)
    records: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def rows(self, records: Sequence[bytes]) -> tuple[list[int], pl.DataFrame, dict[int, str]]:
        """Map records to columns of the event table.

        Args:
            records: Exact bytes of each record.

        Returns:
            Positions of the records kept; their columns, in text, with ``metadata`` the whole
            record, so that rules reach every field by its own name; and by position why each other
            record was refused.
        """
        kept: list[int] = []
        texts: list[str] = []
        refused: dict[int, str] = {}
        decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
        for index, raw in enumerate(records):
            try:
                decoder.decode(raw)
                texts.append(raw.decode("utf-8"))
                kept.append(index)
            except RecursionError:
                refused[index] = "nested too deeply"
            except (msgspec.MsgspecError, ValueError) as error:
                refused[index] = f"not a JSON object: {str(error)[:120]}"
        whole = within_limits(pl.Series("metadata", texts, dtype=pl.String), MAX_DEPTH).to_frame()
        return kept, whole.select(*self.expressions(), pl.col("metadata")), refused

    def expressions(self) -> list[pl.Expr]:
        """One expression a column, over the record's text."""
        record = pl.col("metadata")
        found = []
        for name in (*MAPPED, "performer_type"):
            if name == "metadata":
                continue
            paths = self.columns.get("sender_kind" if name == "performer_type" else name, ())
            values = [record.str.json_path_match(f"$.{path}") for path in paths]
            value = pl.coalesce(values) if values else pl.lit(None, pl.String)
            if name == "performer_type":
                value = value.replace(self.sender_kinds)
            found.append(value.replace("", None).alias(name))
        found.append(pl.lit(self.name).alias("generation"))
        found.append(pl.lit(None, pl.List(pl.String)).alias("related_ids"))
        return found


def load_profile(name: str | Path) -> Profile:
    """Load a shipped profile, or one of yours.

    Args:
        name: The name of a shipped one (``secoda``, ``cloudtrail``), or the path of a ``.yml``.

    Returns:
        The profile; its JSON paths have been tried in the engine that will follow them.

    Raises:
        UsageError: No shipped profile has the name.
        DocumentError: A fault in the file, with its place; a path that cannot be followed is one.
    """
    folder = rules_folder() / "profiles"
    path = Path(name)
    if path.suffix not in (".yml", ".yaml"):
        path = folder / f"{name}.yml"
        if not path.is_file():
            shipped = ", ".join(sorted(file.stem for file in folder.glob("*.yml")))
            raise UsageError(
                f"No profile is called {str(name)!r}", fix=f"Use {shipped}, or the path of a .yml"
            )
    return read_profile(path)


@cache
def shipped_profiles() -> tuple[Profile, ...]:
    """The profiles that come with AuditLens, read once a process.

    Returns:
        One profile a product, sorted by the name of its file.

    Raises:
        UsageError: The installation lacks its folder of rules.
    """
    return tuple(map(read_profile, sorted((rules_folder() / "profiles").glob("*.yml"))))


def read_profile(path: Path) -> Profile:
    documents = read_documents(path)
    if len(documents) != 1 or not isinstance(documents[0].data, dict):
        raise UsageError(f"{path} is not a profile", fix="A profile is one YAML mapping")
    document = documents[0]
    data: dict[str, Any] = document.data
    check_keys(document, data, KEYS)
    for key in ("name", "product", "service"):
        value = data.get(key, "" if key != "name" else None)
        if not isinstance(value, str) or (key == "name" and not value.strip()):
            raise document.error(f"'{key}' is missing or no text", key)
    if data["name"] in TAKEN:
        raise document.error(f"{data['name']!r} is not a name for a profile", "name",
                             fix="Name the product whose log it reads")  # fmt: skip
    columns = mapping(document, "columns")
    check_keys(document, columns, frozenset(MAPPED), "columns")
    if data["name"] != "secoda" and not columns.get("created_at"):
        raise document.error("no path says when an event was", "columns",
                             fix="Give 'columns' a 'created_at'")  # fmt: skip
    records = mapping(document, "records")
    check_keys(document, records, RECORDED_FIELDS, "records")
    kinds = mapping(document, "sender_kinds")
    for value, kind in kinds.items():
        if not isinstance(kind, str) or kind not in SENDER_KINDS:
            raise document.error(
                f"{kind!r} is not a kind of sender", "sender_kinds", value,
                fix=f"Use one of {', '.join(SENDER_KINDS)}",
            )  # fmt: skip
    return Profile(
        name=data["name"],
        product=data.get("product") or data["name"],
        service=data.get("service") or "",
        detect=texts(document, data.get("detect") or [], "detect"),
        columns={name: paths(document, value, "columns", name) for name, value in columns.items()},
        sender_kinds={str(value): str(kind) for value, kind in kinds.items()},
        records={name: paths(document, value, "records", name) for name, value in records.items()},
    )


def mapping(document: Document, key: str) -> dict[str, Any]:
    value = document.data.get(key) or {}
    if not isinstance(value, dict):
        raise document.error(f"'{key}' must be a mapping", key)
    return value


def texts(document: Document, value: Any, *where: str) -> tuple[str, ...]:
    """A text or a list of texts; anything else is a fault at its place."""
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list):
        raise document.error(f"'{where[-1]}' is a text or a list of texts", *where)
    for number, one in enumerate(value):
        if not isinstance(one, str):
            raise document.error(f"{one!r} is not a text", *where, number, fix="Put it in quotes")
    return tuple(value)


def paths(document: Document, value: Any, *where: str) -> tuple[str, ...]:
    """The JSON paths of a column. Each is tried in the engine that will follow it."""
    found = texts(document, value, *where)
    for number, path in enumerate(found):
        place: tuple[str | int, ...] = where if isinstance(value, str) else (*where, number)
        key = path.replace("'", "")
        fix = f"Write \"['{key}']\" for a key of that name, or a.b, a[0] or a[*].b for a way"
        if len(path) > MAX_PATH:
            raise document.error(f"a path has at most {MAX_PATH:,} characters", *place)
        if not PATH.fullmatch(path):
            raise document.error(f"{path!r} is not a path into a record", *place, fix=fix)
        try:
            pl.Series(["{}"]).str.json_path_match(f"$.{path}")
        except pl.exceptions.ComputeError:
            raise document.error(f"{path!r} is not a path into a record", *place, fix=fix) from None
    return found


def check_keys(
    document: Document, data: Mapping[str, Any], allowed: frozenset[str], *where: str
) -> None:
    for key in data:
        if key not in allowed:
            raise document.error(
                f"'{key}' is not known here",
                *where,
                key,
                fix=f"Known: {', '.join(sorted(allowed))}",
            )


def detect_profile(records: Sequence[bytes]) -> Profile:
    """Recognise the product of a log by its first records.

    Args:
        records: Exact bytes of records; the first 20 are looked at.

    Returns:
        The shipped profile all of whose ``detect`` keys a record holds; ``secoda`` when none fits.
    """
    decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
    profiles = shipped_profiles()
    for raw in records[:20]:
        try:
            keys = decoder.decode(repair_json(raw)).keys()
        except JSON_ERRORS:
            continue
        for profile in profiles:
            if profile.detect and keys >= set(profile.detect):
                return profile
    return load_profile("secoda")
