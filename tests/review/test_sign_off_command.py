"""``sign-off``: what the command says of a seal that was made."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from auditlens.cli import auditlens
from auditlens.rules import load_rules
from auditlens.seals import Seal
from auditlens.settings import Settings

DATA = {
    "period": {"label": "2026-05"},
    "seal": "5ea1" * 16,
    "reviewer": "Rita Quill",
    "signed_at": "2026-06-03T09:30:00+00:00",
    "keys": {},
}
SEAL = Seal(Path("signed/2026-05.json"), DATA)


@pytest.fixture
def sign(monkeypatch):
    """The command, with an audit and a seal that are there already."""
    audit = SimpleNamespace(rules=load_rules(), settings=Settings(), source=None)
    monkeypatch.setattr("auditlens.cli.sign_off.make_audit", lambda **_: audit)
    monkeypatch.setattr("auditlens.review.sign_off", lambda *_: SEAL)
    return lambda *more: CliRunner().invoke(
        auditlens, ["sign-off", "--reviewer", "Rita Quill", "--out", "out", *more]
    )


def test_the_seal_is_told_to_be_noted_elsewhere(sign):
    """Its hash is what makes a later change show."""
    done = sign()
    assert done.exit_code == 0, done.output
    assert f"Seal {SEAL.hash}" in done.stdout
    assert "the next sync seals the sign-off there" in done.stdout
    assert "2026-05 is signed off" in done.stdout
    assert "sign-off names Rita Quill; no key" in done.stdout
    assert "signed by" not in done.stdout


def test_a_program_gets_one_document(sign):
    """With the hash, the seal's place and the report's folder."""
    told = json.loads(sign("--json").stdout)
    assert told == {
        "schema_version": 1, "label": "2026-05", "reviewer": "Rita Quill", "seal": SEAL.hash,
        "path": str(SEAL.path), "report": "out", "head": None,
        "signers": ["names Rita Quill; no key: nothing shows that it was Rita Quill"],
    }  # fmt: skip
