"""``auditlens evaluate`` prints figures beside their goals."""

from __future__ import annotations

import json

from auditlens.errors import UsageError


def test_figures_stand_beside_their_goals(run):
    """One small workspace gives every measure, its goal, and the kinds of incident."""
    result = run("evaluate", "--seed", 3, "--people", 20, "--json", "--quiet")
    document = json.loads(result.stdout)
    rows = {row["measure"]: row for row in document["measures"] if "measure" in row}
    assert rows["with rules: incidents found"]["goal"] == 0.95
    assert all(0 <= row["found"] <= 1 for row in document["measures"])
    assert sum("kind" in row for row in document["measures"]) >= 10


def test_a_stream_too_short_for_a_switch_is_refused_in_one_line(run, tmp_path):
    """Who gives a few events learns what kind of stream is needed."""
    path = tmp_path / "short.ndjson"
    path.write_text('{"id": "1", "created_at": "2026-10-01T00:00:00Z", "event": "x"}\n')
    error = run("evaluate", path, "--quiet").exception
    assert isinstance(error, UsageError)
    assert "at least nine months" in str(error.fix)
