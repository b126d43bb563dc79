"""The explain command: reasons, rule, usual days and hours, and no control character."""

import json
import shlex

import pytest

import auditlens as al
from auditlens.cli import auditlens
from auditlens.errors import UsageError
from tests.cli.conftest import PERIOD
from tests.secoda import Workspace


@pytest.fixture(scope="module")
def findings(log_file):
    """The findings of the log, as the library has them."""
    return al.run_audit(al.read_log(log_file), period=PERIOD).findings.to_dicts()


def test_a_finding_of_each_kind_is_told(run, log_file, findings):
    """Rules show their condition, anomalies what is usual; both the hours of the week."""
    for kind in ("rule", "anomaly"):
        one = next(each for each in findings if each["kind"] == kind)
        done = run("explain", one["finding_id"], log_file, "--period", PERIOD)
        assert done.exit_code == 0, done.output
        assert one["title"] in done.stdout
        assert "Sun  " in done.stdout
        assert " *" in done.stdout
        assert ("rule: " in done.stdout) is (kind == "rule")
        assert exception_of(done.stdout) == {
            "rule": rule_name(one), one["subject_kind"]: one["subject_id"],
        }  # fmt: skip
        assert ("unusual does not mean wrong" in done.stdout) is (kind == "anomaly")


def test_records_are_shown_as_they_were_sealed(run, log_file, findings):
    """Each listed event follows byte for byte, after the file and row where it stands."""
    records = log_file.read_bytes().splitlines()[::-1]
    al.Archive("archive").sync(Workspace.of(records, size=len(records)))
    one = next(each for each in findings if each["kind"] == "rule")
    done = run("explain", one["finding_id"], "--records", "--period", PERIOD)
    assert done.exit_code == 0, done.output
    lines = log_file.read_text().splitlines()
    own = [line for line in lines if json.loads(line)["id"] in one["event_ids"]]
    assert own
    assert set(own) <= set(done.stdout.splitlines())
    assert done.stdout.count("evidence/000001-") == len(own)


def test_files_have_no_sealed_records_to_show(run, log_file):
    """The way out is named before anything is read."""
    done = run("explain", "F-1", log_file, "--records", "--period", PERIOD)
    assert isinstance(done.exception, UsageError)
    assert "Log files contain no sealed records" in str(done.exception)


def exception_of(shown: str) -> dict[str, str | None]:
    """The scope of the ready-made command, as its own command reads it."""
    (line,) = (line for line in shown.splitlines() if "auditlens exceptions add" in line)
    exceptions = auditlens.get_command(None, "exceptions")
    context = exceptions.commands["add"].make_context("add", shlex.split(line)[3:])
    names = ("rule", "sender", "resource", "family")
    return {name: context.params[name] for name in names if context.params[name]}


def rule_name(finding) -> str:
    """What an exception calls the rule or the model of a finding."""
    names = {rule.id: rule.name for rule in al.load_rules().rules}
    return names.get(finding["rule_id"], finding["rule_id"])


def test_json_holds_all_that_is_shown(run, log_file, findings):
    """One document with the frames behind the text."""
    one = findings[0]
    done = run("explain", one["finding_id"], log_file, "--period", PERIOD, "--json")
    told = json.loads(done.stdout)
    assert told["schema_version"] == 1
    assert told["finding"]["finding_id"] == one["finding_id"]
    assert len(told["hours"]) == 168
    assert told["bands"]["events"][0].keys() == {"day", "value", "low", "typical", "high"}


def test_nothing_of_the_log_reaches_the_terminal_as_control(run, log_file, findings, tmp_path):
    """Escape sequences and reordering marks in titles are shown, not obeyed."""
    path = tmp_path / "hostile.ndjson"
    text = log_file.read_text(encoding="utf-8")
    hostile = "\\u001b[2J\\u202e"
    lines = [json.loads(line) for line in text.splitlines()]
    for record in lines:
        record["resource_title"] = f"{record.get('resource_title')}{hostile}"
        if record.get("sender"):
            record["sender"]["first_name"] += hostile
    path.write_text(
        "".join(json.dumps(record).replace("\\\\u", "\\u") + "\n" for record in lines),
        encoding="utf-8",
    )
    for one in findings[:1]:
        done = run("explain", one["finding_id"], path, "--period", PERIOD)
        assert done.exit_code == 0
        assert not set(done.stdout) & {"\x1b", "\u202e"}
        assert "u001b" in done.stdout


@pytest.mark.parametrize("columns", [80, 160])
def test_the_id_of_an_event_is_never_broken(run, short_log, terminal, columns):
    """In the table of a wide terminal and in the lines of a narrow one."""
    terminal(columns)
    found = al.run_audit(al.read_log(short_log), period=PERIOD).findings.to_dicts()
    one = next(each for each in found if each["event_count"] > 1)
    shown = run("explain", one["finding_id"], short_log, "--period", PERIOD).stdout
    assert all(name in shown for name in one["event_ids"])
    assert ("event id" in shown) is (columns == 160)
