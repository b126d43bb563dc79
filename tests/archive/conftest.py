"""Workspaces in memory, and archives that open quickly."""

from __future__ import annotations

import functools

import pytest

# Thousands of archives are opened here, and each would read actions.yml.
from auditlens.archive import archive as archive_module
from auditlens.events import load_classifier
from tests import secoda


@pytest.fixture(autouse=True)
def _classifier_once(monkeypatch):
    """Read actions.yml once for all tests of this folder."""
    monkeypatch.setattr(archive_module, "load_classifier", cached_classifier)


@functools.cache
def cached_classifier():
    return load_classifier()


@pytest.fixture
def make_workspace():
    """Make a workspace with so many events in it."""

    def make(count: int = 0, **settings):
        workspace = secoda.Workspace(**settings)
        workspace.arrive(count)
        return workspace

    return make


@pytest.fixture
def failing():
    """A step of a script at which the source fails."""
    return secoda.fail


@pytest.fixture
def make_record():
    return secoda.record
