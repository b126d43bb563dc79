"""The record in a report folder: what a third party needs to do the whole run again.

``record.json`` holds settings, rules, journal, the sealed months before and how the report was
made, as they were, each with its hash. A report that hides identities carries hashes alone: then
the originals must stand beside the archive.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import polars as pl

from auditlens.audit import Audit
from auditlens.canonical import sha256_hex
from auditlens.documents import MAX_BYTES
from auditlens.errors import IntegrityError
from auditlens.files import read_text
from auditlens.period import Period
from auditlens.rules import rule_files, samples_of
from auditlens.seals.seal import canonical
from auditlens.settings import Settings
from auditlens.shipped import rules_folder
from auditlens.signoff.making import Making
from auditlens.triage.change import MONTH_SCHEMA, SealedMonth
from auditlens.triage.journal import Journal, parse_journal

__all__ = ["FOLDERS", "Record", "make_record", "parse_record", "period_data", "rule_texts"]

RECORD_FORMAT = "auditlens.record/1"
FOLDERS = ("rules", "own-rules")
"""What the roots of rules are called in a record, in their order."""

PRIVATE = (
    "archive", "rules", "own_rules", "directory", "journal", "path", "origins", "withheld",
    "unknown",
    "api_url", "api", "skip_broken", "fail_on", "reviewer", "reports", "outbox", "grace_days",
    "key_file", "allowed_signers", "key_command", "identity", "also", "heartbeat",
    "heartbeat_start",
    "heartbeat_fail", "notify",
)  # fmt: skip
"""Settings that change neither a finding nor a report: they stay at home."""


@dataclass(frozen=True)
class Record:
    """A record as read. ``rules`` maps file names to (SHA-256, text or None)."""

    data: Mapping[str, Any]
    period: Period
    run_at: datetime
    seed: int
    making: Making
    rules: Mapping[str, tuple[str, str | None]]

    @property
    def veiled(self) -> bool:
        """Whether the originals were left out to hide identities."""
        return self.making.identity != "full"

    @property
    def shipped_rules(self) -> str:
        """Which of the shipped folders of rules was used; empty for rules of one's own."""
        return str(self.data["shipped_rules"])

    @property
    def rule_folders(self) -> tuple[str, ...]:
        """Which of FOLDERS the rules of the run came from."""
        held = {name.partition("/")[0] for name in self.rules}
        return tuple(name for name in FOLDERS if name in held)

    @property
    def settings(self) -> Settings | None:
        """The settings of the run; None in a veiled record."""
        held = self.data["settings"]
        return None if held is None else settings_from(held)

    @property
    def journal(self) -> Journal | None:
        text = self.data["journal"]["text"]
        return None if text is None else parse_journal(text, Path("triage.yml"))

    @property
    def earlier(self) -> tuple[SealedMonth, ...] | None:
        held = self.data["earlier"]
        return None if held is None else tuple(month_from(one) for one in held)


def rule_texts(roots: Sequence[Path]) -> dict[str, str]:
    """The rule files of the first root, of one's own beside it, and the classifier, by name."""
    found = {"actions.yml": rules_folder() / "actions.yml"}
    for folder, root in zip(FOLDERS, roots, strict=False):
        for path in rule_files([root]):
            name = path.name if root.is_file() else path.relative_to(root).as_posix()
            found[f"{folder}/{name}"] = path
    texts = {}
    for name, path in sorted(found.items()):
        # A file that is no text holds no rule: it was skipped on request, or nothing was run.
        with suppress(UnicodeDecodeError):
            texts[name] = read_text(path, most=MAX_BYTES)
    return texts


def make_record(audit: Audit, making: Making, roots: Sequence[Path]) -> bytes:
    """The record of one report of ``audit``, whose rules were read from ``roots``."""
    open_ = making.identity == "full"
    texts = rule_texts(roots)
    journal = audit.journal
    lines = sorted(sha256_hex(line) for line in journal.text.splitlines(keepends=True))
    about = {
        "format": RECORD_FORMAT,
        "period": period_data(audit.period),
        "run_at": audit.run_at.isoformat(),
        "seed": audit.model.get("seed", audit.settings.seed),
        "making": dataclasses.asdict(making)
        | {"signed_at": making.signed_at and making.signed_at.isoformat()},
        "provenance": dict(audit.provenance),
        "source": "archive" if audit.coverage.head else "files",
        "shipped_rules": shipped_name(roots[0]) if roots else "",
        "rules": {
            name: {"sha256": sha256_hex(text), "text": text if open_ else None}
            for name, text in texts.items()
        },
        "tests": {
            name: dataclasses.astuple(one)
            for name, one in sorted(samples_of(audit.rules.rules).items())
        },
        "settings": settings_data(audit.settings) if open_ else None,
        "journal": {
            "digest": journal.digest,
            "entries": sorted(sha256_hex(said) for said in journal.said),
            "lines": lines,
            "characters": len(journal.text),
            "sha256": sha256_hex(journal.text),
            "text": journal.text if open_ else None,
        },
        "earlier": [month_data(month) for month in audit.earlier] if open_ else None,
        "earlier_seals": [month.seal for month in audit.earlier],
    }
    return canonical(about)


def rule_folders() -> list[str]:
    return [path.name for path in rules_folder().iterdir() if path.is_dir()]


def is_shipped(name: str) -> bool:
    """Whether a name is that of shipped rules: a folder of them, one below it, or a file."""
    parts = PurePosixPath(name).parts
    return not parts or (parts[0] in rule_folders() and ".." not in parts)


def shipped_name(root: Path) -> str:
    """Which of the shipped folders of rules this is; empty for rules of one's own."""
    inside = root.absolute().is_relative_to(rules_folder().absolute())
    return root.absolute().relative_to(rules_folder().absolute()).as_posix() if inside else ""


def parse_record(raw: bytes, path: Path) -> Record:
    """Read a record. Raises IntegrityError when it is none of ours."""
    try:
        data = json.loads(raw)
        if data["format"] != RECORD_FORMAT or canonical(data) != raw:
            raise ValueError
        made = dict(data["making"])
        made["also"] = tuple(made["also"])
        made["keys"] = tuple(made.get("keys", ()))
        made["signed_at"] = made["signed_at"] and datetime.fromisoformat(made["signed_at"])
        record = Record(
            data=data,
            period=period_from(data["period"]),
            run_at=datetime.fromisoformat(data["run_at"]),
            seed=int(data["seed"]),
            making=Making(**made),
            rules={name: (one["sha256"], one["text"]) for name, one in data["rules"].items()},
        )
        # Each is read now, so that a fault shows here and not in the middle of a run.
        assert record.settings is None or record.settings.timezone
        assert record.earlier is None or isinstance(data["journal"]["lines"], list)
        assert not record.shipped_rules or is_shipped(record.shipped_rules)
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError, RecursionError):
        raise IntegrityError(
            f"{path}: is no record of ours, or was edited", fix="Restore the report from a copy"
        ) from None
    return record


def period_data(period: Period) -> dict[str, str]:
    return {
        "label": period.label,
        "start": period.start.isoformat(),
        "end": period.end.isoformat(),
        "timezone": period.timezone,
    }


def period_from(data: Mapping[str, str]) -> Period:
    start, end = (datetime.fromisoformat(data[edge]) for edge in ("start", "end"))
    return Period(start, end, data["label"], data["timezone"])


def settings_data(settings: Settings) -> dict[str, Any]:
    """Every setting that can change a finding or a report, as plain values."""
    values: dict[str, Any] = {
        item.name: getattr(settings, item.name)
        for item in dataclasses.fields(settings)
        if item.name not in PRIVATE
    }
    values["placeholders"] = {name: list(v) for name, v in settings.placeholders.items()}
    values["holidays"] = [day.isoformat() for day in settings.holidays]
    plain: dict[str, Any] = json.loads(json.dumps(values, default=str))
    return plain


def settings_from(data: Mapping[str, Any]) -> Settings:
    # A setting that another version knew and this one does not is left aside.
    known = {item.name for item in dataclasses.fields(Settings)}
    values = {name: value for name, value in data.items() if name in known}
    values["placeholders"] = {name: tuple(v) for name, v in data["placeholders"].items()}
    values["holidays"] = tuple(date.fromisoformat(day) for day in data["holidays"])
    values["frameworks"] = tuple(data["frameworks"])
    return Settings(**values)


def month_data(month: SealedMonth) -> dict[str, Any]:
    return {
        "label": month.label,
        "start": month.start.isoformat(),
        "end": month.end.isoformat(),
        "seal": month.seal,
        "events": month.events,
        "rules": dict(month.rules),
        "findings": month.findings.to_dicts(),
    }


def month_from(data: Mapping[str, Any]) -> SealedMonth:
    start, end = (datetime.fromisoformat(data[edge]) for edge in ("start", "end"))
    findings = pl.DataFrame(data["findings"], schema=MONTH_SCHEMA)
    return SealedMonth(
        data["label"], start, end, data["seal"], findings, data["events"], data["rules"]
    )
