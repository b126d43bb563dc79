"""Same input, same bytes: in another process, another hash seed, locale and zone."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from auditlens.report import Report

FORMS = ("ndjson", "ocsf", "oscal")
PROGRAM = """
import hashlib, importlib.util, locale, sys
spec = importlib.util.spec_from_file_location("specimens", sys.argv[1])
specimens = importlib.util.module_from_spec(spec)
spec.loader.exec_module(specimens)
from auditlens.report import Report
files = Report(specimens.make_audit(30, 200, timezone="Europe/Paris")).files(also=sys.argv[2:])
for name, data in sorted(files.items()):
    print(name, hashlib.sha256(data).hexdigest())
"""


def hashes(forms, **environment):
    specimens = Path(__file__).with_name("specimens.py")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(specimens), *forms],
        env={**os.environ, **environment}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()


def test_same_bytes_in_another_process(make_audit):
    """Another hash seed, locale and local zone change no byte of any form."""
    here = Report(make_audit(30, 200, timezone="Europe/Paris")).files(also=FORMS)
    expected = [f"{name} {hashlib.sha256(data).hexdigest()}" for name, data in sorted(here.items())]
    there = hashes(FORMS, PYTHONHASHSEED="7", LC_ALL="tr_TR.UTF-8", TZ="Pacific/Chatham")
    assert there == expected


@pytest.mark.slow
def test_same_pdf_in_another_process():
    """The PDF too, with its dates taken from the run."""
    pytest.importorskip("weasyprint")
    one = hashes(("pdf",), PYTHONHASHSEED="1", TZ="UTC")
    assert one == hashes(("pdf",), PYTHONHASHSEED="2", TZ="Pacific/Chatham")


def test_order_of_the_input_changes_nothing(make_audit):
    """Shuffled findings, events and rule health give the same files."""
    audit, other = make_audit(30, 200), make_audit(30, 200)
    for name in ("findings", "events", "rule_health"):
        frame = getattr(other, name)
        setattr(other, name, frame.sample(frame.height, shuffle=True, seed=3))
    assert isinstance(other.events, pl.DataFrame)
    assert Report(audit).files(also=FORMS) == Report(other).files(also=FORMS)


def test_run_time_is_the_audits(make_audit):
    """No clock is read: the only times are those of the audit."""
    html = Report(make_audit(1)).html()
    assert "2026-11-02 06:30 UTC" in html
