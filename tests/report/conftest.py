"""The made-up audits as fixtures."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).with_name("specimens.py")


@pytest.fixture(scope="session")
def specimens():
    """The module that makes audits of any size."""
    name = "report_specimens"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, PATH)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture
def make_audit(specimens):
    """Make an audit: ``make_audit(findings, events, text=, timezone=, outcome=)``."""
    return specimens.make_audit
