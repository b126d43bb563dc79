"""The demo: its report is one like any other."""

from __future__ import annotations

import os

import pytest
from click.testing import CliRunner

from auditlens.cli import auditlens


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1793890000")
    for name in [name for name in os.environ if name.startswith(("AUDITLENS", "SECODA"))]:
        monkeypatch.delenv(name)
    return tmp_path


def test_the_demos_report_can_be_verified(here):
    """It holds its record, so a third party gets the same bytes."""
    assert CliRunner().invoke(auditlens, ["demo", "-q"]).exit_code == 0
    verify = ["verify", "-q", "--archive", "demo/archive", "--report", "demo/report"]
    done = CliRunner().invoke(auditlens, verify)
    assert (done.exit_code, done.output[:9]) == (0, "Verified:"), done.output


@pytest.mark.slow
def test_a_demo_can_be_made_again(here):
    """The second replaces the first."""
    for _ in range(2):
        assert CliRunner().invoke(auditlens, ["demo", "-q"]).exit_code == 0
