"""How many samples stand beside a rule, without running them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from auditlens.canonical import sha256_hex
from auditlens.files import read
from auditlens.rules.rule import Rule
from auditlens.rules.sidecar import sidecar_path

__all__ = ["NO_SAMPLES", "Samples", "samples_of"]

EXPECTED = re.compile(rb"^\s*(?:- +)?expect: *(\w+)", re.MULTILINE)
"""What a sample expects; reading the whole YAML would take longer than a report does."""
NAME = re.compile(rb"^rule: *['\"]?([\w.-]+)", re.MULTILINE)
SEPARATOR = re.compile(rb"^---", re.MULTILINE)


@dataclass(frozen=True)
class Samples:
    """How many samples must match and how many must not; ``digest`` is SHA-256 of their file."""

    match: int
    other: int
    digest: str


NO_SAMPLES = Samples(0, 0, "")


def samples_of(rules: Iterable[Rule]) -> dict[str, Samples]:
    """The samples of every rule that has some, by the rule's name."""
    beside = {sidecar_path(rule.path) for rule in rules if rule.path.name}
    return {
        name: found
        for path in sorted(beside)
        if path.is_file()
        for name, found in counted(path).items()
    }


def counted(path: Path) -> dict[str, Samples]:
    """The samples of one file, by the rule each of its documents names."""
    raw = read(path, follow=True)
    digest = sha256_hex(raw)
    found = {}
    for document in SEPARATOR.split(raw):
        if expected := EXPECTED.findall(document):
            named = NAME.search(document)
            name = named[1].decode() if named else path.name.split(".")[0]
            matching = expected.count(b"match")
            found[name] = Samples(matching, len(expected) - matching, digest)
    return found
