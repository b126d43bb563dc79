"""Settings come from flags, environment and files, and every fault has its place."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from auditlens.errors import DocumentError, UsageError
from auditlens.settings import SettingsFile, load_settings


def write(folder: Path, text: str) -> Path:
    path = folder / "auditlens.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_nearest_file_upwards_counts(tmp_path: Path):
    """A run in a sub-folder uses the project's file, and paths are relative to it."""
    write(tmp_path, 'timezone = "Europe/Paris"\narchive = "store"\n')
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    settings = load_settings(inner, {})
    assert settings.timezone == "Europe/Paris"
    assert settings.archive == tmp_path / "store"


def test_the_environment_stands_above_the_file(tmp_path: Path):
    """And each value knows where it came from."""
    path = write(tmp_path, "seed = 1\nsenders_a_day = 5\n")
    settings = load_settings(tmp_path, {"AUDITLENS_SEED": "2"})
    assert (settings.seed, settings.senders_a_day) == (2, 5)
    assert settings.origins == {"seed": "AUDITLENS_SEED", "senders_a_day": f"{path}:2"}


def test_the_deprecated_places_a_day_count_as_a_pool_of_a_week(tmp_path: Path):
    """Five places a week for one a day, unless the week is set; the default stays 15."""
    assert load_settings(tmp_path, {}).senders_weekly == 15
    assert load_settings(tmp_path, {"AUDITLENS_SENDERS_A_DAY": "4"}).senders_weekly == 20
    write(tmp_path, "senders_a_day = 4\nsenders_a_week = 7\n")
    assert load_settings(tmp_path, {}).senders_weekly == 7


def test_lists_and_tables_have_their_types(tmp_path: Path):
    """Placeholders are lists of texts, holidays are days."""
    write(tmp_path, 'holidays = [2026-12-25]\n[placeholders]\ndomains = ["example.org"]\n')
    settings = load_settings(tmp_path, {})
    assert settings.holidays == (date(2026, 12, 25),)
    assert settings.placeholders == {"domains": ("example.org",)}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "timezon = 'UTC'",
            r"auditlens.toml:1: Unknown setting 'timezon'. Did you mean 'timezone'",
        ),
        ("\nseed = 'x'", r"auditlens.toml:2: 'seed' must be a whole number"),
        ("timezone = 'Mars'", "Unknown time zone"),
        ("fail_on = 'huge'", "unknown level 'huge'; use one of informational"),
        ("fail_on = 'hihg'", "unknown level 'hihg'; did you mean 'high'?"),
        ("holidays = ['soon']", "write 2026-12-25"),
        ("placeholders = 3", "table of lists"),
        ("seed = ", "auditlens.toml:1: is not valid TOML: Invalid value"),
        ("\nseed = 1\ntimezone = Mars", "auditlens.toml:3:12: is not valid TOML: .*between quotes"),
        ("frameworks = 'soc2'", "must be a list"),
        ("archive = 3", "must be text"),
        ("\nalso = ['xml']", r"auditlens.toml:2: 'also' names 'xml'; use ndjson"),
        ("identity = 'some'", "use one of full, pseudonymous, aggregate"),
        ("grace_days = -1", "whole number of 0 or more"),
    ],
)
def test_a_fault_in_the_file_is_told_with_its_place(tmp_path: Path, text: str, told: str):
    """File, line, what was found and what would be right."""
    write(tmp_path, text)
    with pytest.raises(DocumentError, match=told):
        load_settings(tmp_path, {})


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("AUDITLENS_SEED", "many", "AUDITLENS_SEED: 'seed' must be a whole number"),
        ("AUDITLENS_DIRECTORY", "perhaps", "AUDITLENS_DIRECTORY: .* true or false, not 'perhaps'"),
    ],
)
def test_a_fault_in_the_environment_is_told(variable: str, value: str, told: str):
    """A variable with a wrong value stops the run, and is named."""
    with pytest.raises(UsageError, match=told):
        load_settings(Path("/"), {variable: value})


def test_a_switch_is_said_with_true_or_false(tmp_path: Path):
    """In a file and in the environment."""
    write(tmp_path, "directory = true\n")
    assert load_settings(tmp_path, {}).directory is True
    assert load_settings(tmp_path, {"AUDITLENS_DIRECTORY": "0"}).directory is False


PROJECT = '[project]\nname = "mine"\ntimezone = 3\n\n[tool.auditlens]\n'


def test_a_project_file_may_hold_the_settings(tmp_path: Path):
    """Its table is read like a file of our own, with the line of each setting."""
    path = tmp_path / "pyproject.toml"
    path.write_text(
        f"{PROJECT}seed = 4\narchive = 'store'\n[tool.auditlens.placeholders]\na = ['b']\n"
    )
    (tmp_path / "inner").mkdir()
    settings = load_settings(tmp_path / "inner", {})
    assert (settings.seed, settings.archive) == (4, tmp_path / "store")
    assert settings.path == path
    assert settings.origins == {
        "seed": f"{path}:6", "archive": f"{path}:7", "placeholders": f"{path}:8",
    }  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", "[tool.other]\nseed = 4\n", "# auditlens\n[tool.x]\n", "auditlens = [", None]
)
def test_a_project_file_without_our_table_is_passed_by(tmp_path: Path, text: str | None):
    """Whatever else it holds, and whether or not it can be read, the search goes on upwards."""
    path = write(tmp_path, "seed = 1\n")
    inner = tmp_path / "inner"
    inner.mkdir()
    if text is None:
        (inner / "pyproject.toml").write_bytes(b"\xff")
    else:
        (inner / "pyproject.toml").write_text(text)
    assert load_settings(inner, {}).path == path


def test_two_files_in_one_folder_are_not_mixed(tmp_path: Path):
    """The file of our own counts, and the other one is told to set nothing."""
    path = write(tmp_path, "seed = 1\n")
    (tmp_path / "pyproject.toml").write_text(f"{PROJECT}seed = 4\nsenders_a_day = 9\n")
    settings = load_settings(tmp_path, {})
    assert (settings.path, settings.seed, settings.senders_a_day) == (path, 1, 3)
    assert settings.unknown[0].endswith("pyproject.toml sets nothing: auditlens.toml is beside it")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("seeds = 4", "pyproject.toml:6: Unknown setting 'seeds'. Did you mean 'seed'"),
        ("timezone = 'Mars'", "pyproject.toml:6: .*Unknown time zone"),
        ("seed =", "pyproject.toml:6: is not valid TOML"),
        ("[tool.auditlens.notify.team]\nkind = 'slack'\nurl = 'x'",
         r"pyproject.toml:8: \[tool.auditlens.notify.team\]: 'url' is not a key"),
        ("[tool.auditlens.notify.team]\nkind = 'x'", "pyproject.toml:7: .*'kind' is 'x'"),
    ],
)  # fmt: skip
def test_a_fault_in_a_project_file_is_told_with_its_place(tmp_path: Path, text: str, told: str):
    """As in a file of our own."""
    (tmp_path / "pyproject.toml").write_text(PROJECT + text)
    with pytest.raises(DocumentError, match=told):
        load_settings(tmp_path, {})


@pytest.mark.parametrize(
    ("variable", "told"),
    [
        ("AUDITLENS_TIMEZON", "Did you mean AUDITLENS_TIMEZONE"),
        ("AUDITLENS_SEDE", "Did you mean AUDITLENS_SEED"),
        ("AUDITLENS_TRACE_BACK", "Did you mean AUDITLENS_TRACEBACK"),
        ("AUDITLENS_NOTIFY", "only a file can hold 'notify'"),
    ],
)
def test_a_variable_with_a_typing_error_is_refused(variable: str, told: str):
    """What somebody meant to set and did not set stops the run, with the name that was meant."""
    with pytest.raises(UsageError, match=told):
        load_settings(Path("/"), {variable: "UTC"})


def test_a_variable_that_sets_nothing_is_told(tmp_path: Path):
    """One like no setting may be somebody else's; one that a receiver names is no setting."""
    file = write(tmp_path, GOOD.replace("SLACK_URL", "AUDITLENS_API_URI"))
    variables = {"AUDITLENS_SLACK_URL": "x", "AUDITLENS_API_URI": "https://example.org"}
    settings = load_settings(tmp_path, variables, trust=[SettingsFile(file).sha256])
    (one,) = settings.unknown
    assert one.startswith("Unknown setting AUDITLENS_SLACK_URL. ")


GOOD = '[notify.team]\nkind = "slack"\nurl_env = "SLACK_URL"\n'


def test_receivers_are_read_from_their_tables(tmp_path: Path):
    """With what each may be told, and without any secret."""
    path = write(tmp_path, GOOD + 'tell = "levels"\nlevel = "high"\nallow = ["private"]\n')
    trust = [SettingsFile(path).sha256]
    (one,) = load_settings(tmp_path, {}, trust=trust).notify.values()
    assert (one.name, one.kind, one.tell, one.level) == ("team", "slack", "levels", "high")
    assert (one.allow, dict(one.options)) == (("private",), {"url_env": "SLACK_URL"})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("notify = 3", "auditlens.toml:1: 'notify' must hold tables"),
        ("\n[notify.team]\n", "auditlens.toml:2: .*'kind' is missing; use one of slack, teams"),
        ('[notify.team]\nkind = "pager"', "auditlens.toml:2: .*'kind' is 'pager'"),
        ('[notify.team]\nkind = "slack"', "auditlens.toml:1: .*'url_env' is missing"),
        (GOOD + 'url = "https://x.test"', "auditlens.toml:4: .*'url' is not a key of kind 'slack'"),
        (GOOD + "tel = 'levels'", "auditlens.toml:4: .*did you mean 'tell'"),
        (GOOD + "tell = 'all'", "auditlens.toml:4: .*use one of levels, findings, identities"),
        (GOOD + "level = 'huge'", "auditlens.toml:4: .*use one of informational"),
        (GOOD + "allow = ['everything']", "auditlens.toml:4: .*'allow' names 'everything'"),
        (GOOD + "allow = []", "auditlens.toml:4: .*list of texts"),
        (GOOD.replace("SLACK_URL", "https://hooks.test/secret"), "toml:3: .*names an environment"),
        (GOOD.replace('"slack"', '"email"'), "toml:3: .*'url_env' is not a key of kind 'email'"),
        ("[notify.'a b']\nkind = 'slack'", "is not a name"),
        ('[notify.m]\nkind = "email"\nhost = "m.test"\nsender = "a@b.test"\nto = ["x"]',
         "auditlens.toml:5: .*'x' is not an e-mail address"),
        ('[notify.m]\nkind = "email"\nport = 0', "auditlens.toml:3: .*'port' must be a number"),
    ],
)  # fmt: skip
def test_a_fault_in_a_receiver_is_told_with_its_line(tmp_path: Path, text: str, told: str):
    """File, line, table, and what would be right."""
    write(tmp_path, text)
    with pytest.raises(DocumentError, match=told):
        load_settings(tmp_path, {})


def test_the_forms_of_a_report_are_those_the_report_has():
    """Settings are read without loading the report."""
    from auditlens import report
    from auditlens.settings import FORMS

    assert set(FORMS) == set(report.FORMS)


@pytest.mark.parametrize("variable", ["SECODA_API_KEY", "secoda_api_key", "AUDITLENS_IDENTITY_KEY"])
@pytest.mark.parametrize(
    ("kind", "key"),
    [("slack", "url_env"), ("teams", "url_env"), ("webhook", "url_env"), ("webhook", "secret_env"),
     ("pagerduty", "key_env"), ("jira", "token_env"), ("email", "password_env")],
)  # fmt: skip
def test_a_secret_of_ours_is_no_receivers(tmp_path: Path, kind: str, key: str, variable: str):
    """A trusted file may not name it either."""
    write(tmp_path, f'[notify.team]\nkind = "{kind}"\n{key} = "{variable}"\n')
    with pytest.raises(DocumentError, match=f"toml:3: .*'{key}' names {variable}, which is not a"):
        load_settings(tmp_path, {})
