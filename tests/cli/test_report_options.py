"""``report``: what its options put on the page, and into the record that makes it again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from auditlens.errors import UsageError
from auditlens.resources import rules_folder
from auditlens.rules import load_rules, roots_read
from auditlens.settings import Settings

PERIOD = "2026-06"


@pytest.fixture
def own(tmp_path):
    """A folder with one section of the user's own."""
    path = tmp_path / "own" / "sections" / "exceptions.html"
    path.parent.mkdir(parents=True)
    path.write_text("<p>House rules of {{ cover.recipients }}</p>", encoding="utf-8")
    return tmp_path / "own"


def test_options_reach_page_and_record(run, log_file, own, tmp_path):
    """Rows, templates and the privacy line are on the page; the record holds no template's text."""
    done = run(
        "report", log_file, "--period", PERIOD, "--out", "out", "--max-rows", 2, "-q",
        "--templates", own, "--purpose", "yearly review", "--recipients", "audit <team>",
        "--delete-by", "2027-11-01", "--json",
    )  # fmt: skip
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert {Path(one).name for one in told["files"]} >= {"report.html", "manifest.json"}
    assert all((tmp_path / one).is_file() for one in told["files"])
    assert (told["schema_version"], told["period"]) == (1, PERIOD)
    html = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert html.count('<tr id="F-') == 2
    assert "<p>House rules of audit &lt;team&gt;" in html
    assert "yearly review" in html
    assert "2027-11-01" in html
    making = json.loads((tmp_path / "out" / "record.json").read_bytes())["making"]
    assert (making["max_rows"], making["delete_by"]) == (2, "2027-11-01")
    assert set(making["templates"]) == {"sections/exceptions.html"}
    assert "House rules" not in json.dumps(making)


def test_a_report_drawn_with_own_templates_is_not_made_again(run, log_file, own):
    """Code of a stranger's is never run to check a report: verify says what it would take."""
    run("report", log_file, "--period", PERIOD, "--out", "out", "-q", "--templates", own)
    done = run("verify", "--report", "out", log_file)
    assert done.exit_code not in (0, 1)
    assert "templates of its maker's own" in done.stderr + str(done.exception)


@pytest.mark.parametrize(
    ("made", "said"),
    [(None, "No folder"), ({}, "holds no template"), ({"a.html": b"\xff"}, "cannot be read")],
)
def test_unusable_template_folders_are_told(run, log_file, tmp_path, made, said):
    """A folder that is not there, empty or no text is named before anything is read."""
    if made is not None:
        (tmp_path / "mine").mkdir()
        for name, data in made.items():
            (tmp_path / "mine" / name).write_bytes(data)
    done = run("report", log_file, "--out", "out", "--templates", "mine")
    assert isinstance(done.exception, UsageError)
    assert said in str(done.exception)


@pytest.mark.parametrize("product", ["secoda", "cloudtrail"])
def test_rules_are_looked_for_where_they_were_read(product):
    """The record of a report holds the rules of the product, not of a folder named like it."""
    rules = load_rules(product=product)
    assert roots_read(rules, Settings()) == (rules_folder() / product,)
