"""One simulated workspace, pulled, decided and signed once; every test works on its own copy."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from auditlens.archive import Archive
from auditlens.audit import Audit, apply_review, run_audit
from auditlens.resources import rules_folder
from auditlens.review import (
    LocalInputs,
    ReportVerification,
    SignOffOptions,
    sign_off,
    verify_report,
)
from auditlens.rules import load_rules
from auditlens.seals import Seal
from auditlens.settings import Settings
from auditlens.simulator import serve, simulate
from auditlens.sources import SecodaSource
from auditlens.triage import add_entry, ledger_path, read_journal, read_ledger

SIGNED_AT = datetime(2026, 6, 3, 9, 30, tzinfo=UTC)


class OneWorkspace:
    """A simulated server under one name, whatever port it got."""

    name = "secoda:simulated"

    def __init__(self, address: str, key: str) -> None:
        self.page = SecodaSource(address, key).page


@dataclass(frozen=True)
class Desk:
    """A folder with archive, rules, journal and signed months, and what is done with it.

    ``run`` is the audit of May without a journal: made once, since every test needs it.
    """

    folder: Path
    run: Audit | None = None

    @property
    def archive(self) -> Archive:
        return Archive(self.folder / "archive")

    @property
    def journal(self) -> Path:
        return self.folder / "triage.yml"

    @property
    def rules(self) -> Path:
        return self.folder / "rules"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def settings(self) -> Settings:
        return Settings(archive=self.folder / "archive", rules=self.rules)

    def run_again(self, period: str = "2026-05", now: datetime = SIGNED_AT) -> Audit:
        rules = load_rules(self.rules)
        return run_audit(self.archive, rules, period=period, settings=self.settings, now=now)

    def audit(self) -> Audit:
        """The audit of May as journal and ledger of this desk have it."""
        ledger = read_ledger(ledger_path(self.journal))
        audit = apply_review(self.run, read_journal(self.journal), ledger=ledger)
        return replace(audit, source=self.archive)

    def sign(self, audit: Audit, out: str = "out", **options) -> Seal:
        wanted = {"reviewer": "Rita Quill <rita@reviewer.example>", "despite": "first month"}
        return sign_off(
            audit, (self.rules,), self.folder / out, SignOffOptions(**{**wanted, **options})
        )

    def verify(self, out: str = "out", **how) -> ReportVerification:
        originals = LocalInputs(self.settings, self.journal, self.rules)
        return verify_report(self.folder / out, self.archive, originals, **how)


def pull(desk: Desk, now: datetime) -> None:
    """Pull the made-up workspace into the archive."""
    workspace = simulate(
        5, people=5, services=0, resources=40, days=62, end=date(2026, 6, 1),
        incidents={"mass_delete": 1}, incident_days=(45, 55),
    )  # fmt: skip
    with serve(workspace, page_size=500) as server:
        desk.archive.sync(OneWorkspace(server.url, server.key), now=lambda: now)


def decide(
    desk: Desk, finding: dict, verdict: str = "benign", by: str = "Bo Larch", **more
) -> None:
    """One line in the journal, a day before the signature."""
    entry = {"finding": finding["finding_id"], "as": verdict, "by": by, "reason": "was planned",
             "at": "2026-06-02T10:00:00Z", "rule": finding["rule_id"],
             "subject": finding["subject_id"]}  # fmt: skip
    add_entry(desk.journal, {**entry, **more})


@pytest.fixture(scope="session")
def pulled_desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Archive and rules of a small made-up workspace; nothing decided yet."""
    desk = Desk(tmp_path_factory.mktemp("desk"))
    pull(desk, SIGNED_AT)
    shutil.copytree(rules_folder() / "secoda" / "privilege", desk.rules)
    for path in (rules_folder() / "secoda").glob("*/secoda_security_setting_changed.*"):
        shutil.copy(path, desk.rules)
    return Desk(desk.folder, desk.run_again())


@pytest.fixture(scope="session")
def signed_desk(pulled_desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """May 2026, each finding decided, one exception, and signed."""
    desk = copy_of(pulled_desk, tmp_path_factory.mktemp("signed"))
    for finding in desk.audit().findings.to_dicts():
        decide(desk, finding)
    add_entry(desk.journal, {
        "exception": "X-clean-up", "rule": "sender-day", "sender": "nobody", "owner": "ana",
        "approver": "bo", "reason": "moving house", "at": "2026-06-01T00:00:00Z",
        "until": "2026-12-31"})  # fmt: skip
    desk.sign(desk.audit(), despite="")
    return desk


def copy_of(desk: Desk, folder: Path) -> Desk:
    shutil.copytree(desk.folder, folder, dirs_exist_ok=True)
    return Desk(folder, desk.run)


@pytest.fixture
def pulled(pulled_desk: Desk, tmp_path: Path) -> Desk:
    return copy_of(pulled_desk, tmp_path / "desk")


@pytest.fixture
def signed(signed_desk: Desk, tmp_path: Path) -> Desk:
    return copy_of(signed_desk, tmp_path / "desk")


@pytest.fixture
def decide_finding():
    """Write one decision into a desk's journal."""
    return decide


@pytest.fixture
def pull_again():
    """Pull once more, at a time of one's own."""
    return pull
