"""The other forms: findings in are rows out, times in milliseconds, nothing live."""

import csv
import hashlib
import io
import json
import re
import uuid
from dataclasses import replace
from pathlib import Path

import jsonschema_rs
import polars as pl
import pytest

from auditlens.errors import UsageError
from auditlens.report import Disposition, Report, Review, as_ndjson, pack_names, schema_text
from auditlens.resources import reports_folder

FORMS = ("ndjson", "ocsf", "oscal")
OSCAL_SCHEMA_SHA256 = "384324105c7a817af0f65b120a963146caa0e0d55d969cf0daf60e063b87a206"


@pytest.fixture(scope="module")
def files(specimens):
    return Report(specimens.make_audit(120)).files(also=FORMS)


def lines(data):
    return [json.loads(one) for one in data.decode().splitlines()]


@pytest.mark.parametrize("count", [0, 1, 1003])
def test_findings_in_are_rows_out(make_audit, count):
    """Every form holds as many findings as the audit, above the page's cap too."""
    out = Report(make_audit(count, 300)).files(also=FORMS)
    assert len(json.loads(out["findings.json"])["findings"]) == count
    assert len(lines(out["findings.ndjson"])) == count
    assert len(list(csv.reader(io.StringIO(out["findings.csv"].decode())))) == count + 1
    assert pl.read_parquet(io.BytesIO(out["findings.parquet"])).height == count
    detections = [one for one in lines(out["findings.ocsf.ndjson"]) if one["class_uid"] == 2004]
    assert len(detections) == count
    assert out["report.html"].decode().count('<tr id="F-') == min(count, 1000)


def test_json_follows_the_published_schema(files):
    """findings.json is valid against reports/report.schema.json."""
    schema = json.loads((reports_folder() / "report.schema.json").read_text(encoding="utf-8"))
    errors = jsonschema_rs.validator_for(schema).iter_errors(json.loads(files["findings.json"]))
    assert [str(error) for error in errors] == []


def test_published_schema_is_current():
    """The schema file is the one the content's types give."""
    assert (reports_folder() / "report.schema.json").read_text(encoding="utf-8") == schema_text()


@pytest.fixture(scope="module")
def ocsf():
    """The schemas of OCSF's classes 2003 to 2005, by number."""
    raw = (Path(__file__).parent / "data" / "ocsf_findings_schema.json").read_text(encoding="utf-8")
    held = json.loads(raw)
    return {
        int(number): jsonschema_rs.validator_for(one | {"$defs": held["$defs"]})
        for number, one in held["classes"].items()
    }


def test_ocsf_follows_the_official_schema(files, ocsf):
    """Every finding, case and clause has what OCSF requires, its types, and nothing unknown."""
    for event in lines(files["findings.ocsf.ndjson"]):
        assert [str(error) for error in ocsf[event["class_uid"]].iter_errors(event)] == []
        assert event["metadata"]["version"] == "1.8.0"


@pytest.mark.parametrize(
    ("number", "part"),
    [
        (2003, "finding_info"),
        (2004, "finding_info"),
        (2005, "finding_info_list"),
        (2005, "status_id"),
    ],
)
def test_ocsf_schema_finds_faults(files, ocsf, number, part):
    """The schema would object to a part left out, and to a time as text."""
    event = next(one for one in lines(files["findings.ocsf.ndjson"]) if one["class_uid"] == number)
    without = {name: held for name, held in event.items() if name != part}
    assert not ocsf[number].is_valid(without)
    assert not ocsf[number].is_valid(event | {"time": "2026-11-02"})


def test_ocsf_has_every_required_field(files):
    """Findings, cases and clauses carry what their classes require, times in milliseconds."""
    common = {"activity_id", "category_uid", "class_uid", "type_uid", "severity_id", "time",
              "metadata"}  # fmt: skip
    seen = set()
    for event in lines(files["findings.ocsf.ndjson"]):
        seen.add(event["class_uid"])
        assert event.keys() >= common
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
        assert 1_600_000_000_000 < event["time"] < 2_000_000_000_000
        assert event["metadata"].keys() >= {"product", "version"}
        assert event["metadata"]["product"]["name"]
        if event["class_uid"] == 2005:
            assert all(one["uid"] for one in event["finding_info_list"])
            continue
        assert event["finding_info"]["uid"]
        if event["class_uid"] == 2003:
            assert event["compliance"]["standards"]
            assert event["compliance"]["status_id"] in (0, 1, 2, 3)
        else:
            assert event["finding_info"]["analytic"]["type_id"] in (1, 4)
            assert event["status_id"] in (1, 2, 3, 4)
            assert all(one["data"] for one in event["evidences"])
    assert seen == {2003, 2004, 2005}


def test_ocsf_anomalies_are_well_formed(files):
    """Baselines and deviations carry their required parts."""
    analyses = [
        one
        for event in lines(files["findings.ocsf.ndjson"])
        for one in event.get("anomaly_analyses", [])
    ]
    assert analyses
    for one in analyses:
        assert one["analysis_targets"][0]["name"]
        for part in [*one["anomalies"], *one.get("baselines", [])]:
            assert part["observation_parameter"]
            assert all(isinstance(seen["value"], str) for seen in part["observations"])


def test_cases_are_the_same_in_every_form(specimens, files):
    """Each form has the audit's cases, and their members are all of its findings."""
    ids = specimens.make_audit(120).cases["case_id"].to_list()
    assert pl.read_parquet(io.BytesIO(files["cases.parquet"]))["case_id"].to_list() == ids
    assert [row["case_id"] for row in json.loads(files["cases.json"])["cases"]] == ids
    listed = list(csv.DictReader(io.StringIO(files["cases.csv"].decode())))
    assert [row["case_id"] for row in listed] == ids
    incidents = [one for one in lines(files["findings.ocsf.ndjson"]) if one["class_uid"] == 2005]
    assert {one["unmapped"]["case_id"] for one in incidents} == set(ids)
    assert sum(len(one["finding_info_list"]) for one in incidents) == 120
    results = json.loads(files["assessment-results.oscal.json"])["assessment-results"]["results"]
    assert len(results[-1]["risks"]) == len(ids)
    assert sum(len(one["related-observations"]) for one in results[-1]["risks"]) == 120


def test_decided_case_is_resolved_elsewhere(make_audit):
    """A decided case is a resolved incident and a closed risk; one to decide is new and open."""
    audit = make_audit(2)
    audit.findings = audit.findings.with_columns(
        level=pl.lit("high"), subject_kind=pl.lit("sender"), subject_id=pl.Series(["ada", "kai"])
    )
    one = Disposition(audit.findings["finding_id"][0], "true positive", "Rita Quill")
    files = Report(audit, review=Review(dispositions=(one,))).files(also=("ocsf", "oscal"))
    told = {
        event["finding_info_list"][0]["uid"]: (event["status"], event.get("assignee"))
        for event in lines(files["findings.ocsf.ndjson"])
        if event["class_uid"] == 2005
    }
    assert told == {
        audit.findings["finding_id"][0]: ("Resolved", {"name": "Rita Quill"}),
        audit.findings["finding_id"][1]: ("New", None),
    }
    results = json.loads(files["assessment-results.oscal.json"])["assessment-results"]["results"]
    assert sorted(one["status"] for one in results[-1]["risks"]) == ["closed", "open"]


@pytest.fixture(scope="module")
def official():
    """NIST's own JSON Schema of OSCAL, as released."""
    raw = (Path(__file__).parent / "data" / "oscal_complete_schema.json").read_bytes()
    assert hashlib.sha256(raw).hexdigest() == OSCAL_SCHEMA_SHA256
    return jsonschema_rs.validator_for(json.loads(raw))


@pytest.mark.parametrize(("count", "packs"), [(0, ()), (5, None), (5, pack_names())])
def test_oscal_follows_the_official_schema(make_audit, official, count, packs):
    """NIST's schema of the version we name has no fault to find, whatever the frameworks."""
    audit = make_audit(count, 60)
    if packs is not None:
        audit.settings = replace(audit.settings, frameworks=packs)
    document = json.loads(Report(audit).files(also=("oscal",))["assessment-results.oscal.json"])
    assert [str(error) for error in official.iter_errors(document)] == []
    assert document["assessment-results"]["metadata"]["oscal-version"] == "1.2.3"


def test_official_schema_finds_faults(files, official):
    """The schema would object to a control's id that is no token and to a part left out."""
    for spoil in (
        lambda result: result["findings"][0]["target"].update({"target-id": "au 6"}),
        lambda result: result.pop("reviewed-controls"),
    ):
        document = json.loads(files["assessment-results.oscal.json"])
        spoil(document["assessment-results"]["results"][0])
        assert not official.is_valid(document)


def test_oscal_observations_are_all_there(files):
    """The observations that each finding and risk names exist, and no UUID is used twice."""
    results = json.loads(files["assessment-results.oscal.json"])["assessment-results"]["results"]
    observed = [one["uuid"] for result in results for one in result["observations"]]
    related = {
        one["observation-uuid"]
        for result in results
        for found in [*result.get("findings", []), *result.get("risks", [])]
        for one in found["related-observations"]
    }
    assert len(observed) == len(set(observed))
    assert related <= set(observed)


def test_oscal_is_not_satisfied_before_the_review(files):
    """Without a signed review no clause is satisfied, whatever the evidence."""
    assert b'"state": "satisfied"' not in files["assessment-results.oscal.json"]


def test_identifiers_come_from_the_input(files):
    """UUIDs are version 5."""
    document = json.loads(files["assessment-results.oscal.json"])
    assert uuid.UUID(document["assessment-results"]["uuid"]).version == 5


def test_parquet_and_ndjson_are_faithful(make_audit, hostile):
    """The typed copies give back the exact text, whatever it holds."""
    for text in hostile:
        report = Report(make_audit(1, 5, text=text))
        assert pl.read_parquet(io.BytesIO(report.parquet))["title"].to_list() == [text]
        assert lines(as_ndjson(report.inputs.findings))[0]["title"] == text


@pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_any_text_leaves_the_forms_valid(make_audit, hostile, official, ocsf, step):
    """No text (default: each third) gives a cell that runs, a control byte, or a schema fault."""
    for text in hostile[::step]:
        out = Report(make_audit(2, 5, text=text)).files(also=FORMS)
        assert official.is_valid(json.loads(out["assessment-results.oscal.json"]))
        assert all(ocsf[e["class_uid"]].is_valid(e) for e in lines(out["findings.ocsf.ndjson"]))
        for name in ("findings.csv", "cases.csv", "rules.csv", "controls.csv"):
            for row in csv.reader(io.StringIO(out[name].decode())):
                assert not [cell for cell in row if re.match(r"\s*[=+@]|\s*-\D", cell)]
        for name in out.keys() - {"findings.parquet", "cases.parquet"}:
            assert not re.search(
                rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]", out[name]
            )


def test_unknown_form_is_told(make_audit):
    """A form that does not exist names those that do."""
    with pytest.raises(UsageError, match="ndjson, ocsf, oscal, pdf"):
        Report(make_audit(1)).files(also=("docx",))
