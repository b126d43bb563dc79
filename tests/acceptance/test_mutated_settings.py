"""Settings, journals and files of our own that were changed at random end in a sentence.

The seed is fixed: 40 of each kind run by default, 500 with ``-m slow``.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditlens.errors import AuditLensError
from auditlens.monthly import StoredReport, compared_before
from auditlens.notify import Outbox, trial_notice
from auditlens.period import zone
from auditlens.report import FORMAT
from auditlens.settings import load_settings, trust_file, trusted_files
from auditlens.triage import read_journal

SECONDS = 5.0
"""Of the processor, which a busy machine does not stretch."""

SETTINGS = """\
api_url = "https://api.example"
archive = "archive"
timezone = "Europe/Paris"
seed = 7
history_days = 120
holidays = [2026-12-25, "2026-12-26"]
also = ["ocsf", "ndjson"]
directory = true
fail_on = "high"
key_command = ["vault", "read", "key"]
heartbeat = 'https://monitor.example/1'

[placeholders]
approved_domains = ["example.org"]
"odd name" = []

[notify.team]
kind = "email"
host = "mail.example"
port = 587
sender = "a@b.example"
to = ["c@d.example"]
allow = ["private"]
"""
PROJECT = '[project]\nname = "x"\n[tool.auditlens]\n' + SETTINGS.replace(
    "[placeholders]", "[tool.auditlens.placeholders]"
).replace("[notify.team]", "[tool.auditlens.notify.team]")
JOURNAL = """\
# decisions
- {finding: F-ABCDEFGH23, as: benign, by: Ana Birch, reason: "a planned, move", at: "2026-11-02T09:30:00Z"}
- {finding: F-ABCDEFGH24, as: true_positive, by: Bo, reason: 'x', at: 2026-11-02T09:30:00Z, ticket: T-1}
- {exception: "X-1", rule: "mass_delete", sender: "u-17", owner: "Ana Birch", approver: "Bo Larch", reason: "migration", at: "2026-11-02T09:40:00Z", until: "2027-01-31"}
"""  # noqa: E501
NASTY = [
    "[" * 20_000, "{" * 20_000, "]" * 50, "- " * 20_000, "1" * 5000, "0x" + "f" * 5000, "-1",
    "1e999", "inf", "nan", ".nan", "true", "null", "~", "''", '""', '"""', "'''", "\0", "\r",
    "\r\n", "\t", "\ufeff", "\u2028", "\x85", "é", "\U0001f600", "\\", "\\u0000", "\\ud800",
    "a." * 5000,
    "2026-02-30", "0001-01-01", "9999-12-31T23:59:60Z", "07:00:00", "&a [*a]", "*a", "!!python/x y",
    "<<: {}", "? ", ": ", "= ", "#", "---\n", "...\n", "[[seed]]\n", "[notify]\n", "[x\n",
    "=" * 3000, "seed = 1\n", "{a = 1}", "{a: 1}", "[1, 2]", "x" * 100_000, "\n" * 1000,
    "9" * 21, "../" * 500, "%s%n{0}", "\x1b[31m",
]  # fmt: skip


def changed(text: str, chance: random.Random) -> str:
    """One change: something put in, cut out, doubled, replaced or moved."""
    a, b = sorted(chance.randrange(len(text) + 1) for _ in "ab")
    odd = chance.choice(NASTY)
    words, lines = text.split(" "), text.split("\n")
    words[chance.randrange(len(words))] = odd
    moved = chance.sample(lines, len(lines))
    place = text.find(chance.choice("=:[{\"'"), a)
    char = chr(chance.choice([*range(128), 0xFF, 0x2028]))
    return chance.choice(
        [
            text[:a] + odd + text[a:],
            text[:a] + text[min(b, a + 30) :],
            text[:b] + text[a:b] + text[b:],
            " ".join(words),
            "\n".join(moved),
            text[:b],
            text[:a] + char + text[a + 1 :],
            text[:place] + odd + text[place + 1 :],
        ]
    )


def mutated(text: str, number: int) -> bytes:
    """The text with one to four changes that the number decides."""
    chance = random.Random(f"{number} {len(text)}")
    for _ in range(chance.randint(1, 4)):
        text = changed(text, chance)
    raw = bytearray(text.encode("utf-8", "surrogatepass"))
    if chance.random() < 0.1 and raw:
        raw[chance.randrange(len(raw))] = chance.randrange(256)
    if chance.random() < 0.05:
        raw = bytearray(bytes(raw).decode("utf-8", "replace").encode("utf-16"))
    return bytes(raw)


def settled(path: Path) -> None:
    """Read settings, and use what they say as a command would."""
    for trust in ((), ("0" * 64,)):
        found = load_settings(path.parent, {"XDG_CONFIG_HOME": str(path.parent / "x")}, trust=trust)
        zone(found.timezone)
        for place in (found.archive, found.journal_path, found.reports_path, found.outbox_path):
            place.is_dir()
        repr(found)


def waiting(path: Path) -> None:
    Outbox(path.parents[1]).waiting()


def listed(path: Path) -> None:
    StoredReport("2026-10", 0, path.parent).digests()


def trusted(path: Path) -> None:
    trusted_files({"XDG_CONFIG_HOME": str(path.parents[1])})


def message(folder: Path) -> Path:

    Outbox(folder / "outbox").add(
        "2026-10", "team", trial_notice(), datetime(2026, 11, 4, tzinfo=UTC)
    )
    (path,) = (folder / "outbox" / "waiting").iterdir()
    return path


def last_run(folder: Path) -> Path:
    told = {"format": "auditlens.last-run/1", "exit_code": 0, "compared": {"2026-10": "ab"}}
    path = folder / "last-run.json"
    path.write_text(json.dumps(told, indent=2))
    return path


def manifest(folder: Path) -> Path:
    told = {"format": FORMAT, "period": "2026-10", "archive_head": "ab",
            "files": [{"name": "report.html", "sha256": "0" * 64, "bytes": 3}],
            "input_digest": "0" * 64}  # fmt: skip
    path = folder / "manifest.json"
    path.write_text(json.dumps(told, indent=2))
    return path


def list_of_trust(folder: Path) -> Path:
    trust_file(folder / "auditlens.toml", "0" * 64, {"XDG_CONFIG_HOME": str(folder)})
    return folder / "auditlens" / "trusted.json"


def plain(name: str, text: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        path.write_text(text, encoding="utf-8")
        return path

    return make


KINDS: dict[str, tuple[Callable[[Path], Path], Callable[[Path], object], set[int]]] = {
    "auditlens.toml": (plain("auditlens.toml", SETTINGS), settled, {2}),
    "pyproject.toml": (plain("pyproject.toml", PROJECT), settled, {2}),
    "triage.yml": (plain("triage.yml", JOURNAL), read_journal, {2}),
    "outbox": (message, waiting, {5}),
    "last-run.json": (last_run, lambda path: compared_before(path.parent), set()),
    "manifest.json": (manifest, listed, {2, 5}),
    "trusted.json": (list_of_trust, trusted, {2}),
}


def fault_of(use: Callable[[Path], object], path: Path) -> AuditLensError | None:
    try:
        use(path)
    except AuditLensError as error:
        return error
    return None


def survives(kind: str, folder: Path, numbers: range) -> int:
    """How many of the mutated files were refused; each within its time and with its code."""
    make, use, codes = KINDS[kind]
    path = make(folder)
    text = path.read_text(encoding="utf-8")
    refused = 0
    for number in numbers:
        path.write_bytes(mutated(text, number))
        start = time.process_time()
        told = fault_of(use, path)
        assert told is None or told.exit_code in codes, (number, told)
        refused += told is not None
        assert time.process_time() - start < SECONDS, number
    return refused


@pytest.mark.parametrize("kind", KINDS)
def test_mutated_files_are_read_or_refused(tmp_path, kind):
    """Nothing else comes out: no other exception, no long wait."""
    refused = survives(kind, tmp_path, range(40))
    assert refused or kind == "last-run.json"


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_five_hundred_mutated_files_are_read_or_refused(tmp_path, kind):
    """As above, many more."""
    survives(kind, tmp_path, range(1000, 1500))
