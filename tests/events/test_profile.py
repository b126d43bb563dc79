"""Another log enters by a small YAML file."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from auditlens.errors import DocumentError, UsageError
from auditlens.events import decode_records, detect_profile, load_profile


def test_cloudtrail_records_are_recognised_and_mapped(shared_data: Path):
    """Every real CloudTrail event becomes a row with its own id, time and sender."""
    raw = gzip.decompress((shared_data / "cloudtrail/stratus-2023-07-10.ndjson.gz").read_bytes())
    records = raw.splitlines()
    profile = detect_profile(records)
    decoded = decode_records(records, profile=profile)
    assert profile.name == "cloudtrail"
    assert decoded.events.height == 2900
    assert decoded.events["id"].n_unique() == 2900
    assert decoded.events["sender_id"].null_count() == 0
    assert decoded.events["metadata"][0] == records[0].decode()


def test_an_unknown_profile_names_the_shipped_ones():
    """A typing error gets the list."""
    with pytest.raises(UsageError, match="cloudtrail, secoda"):
        load_profile("cloudtrial")


def test_a_fault_in_a_profile_has_its_line(tmp_path: Path):
    """A column that does not exist is an error with its place."""
    path = tmp_path / "mine.yml"
    path.write_text("name: mine\nproduct: p\nservice: s\ncolumns:\n  idd: x\n")
    with pytest.raises(DocumentError, match=r"mine.yml:5:3: 'idd' is not known here"):
        load_profile(path)
