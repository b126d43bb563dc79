"""The reference lists exactly what the program has."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
import tomllib
from pathlib import Path

import click
import pytest

import auditlens
from auditlens import errors
from auditlens.coverage import OUTCOMES
from auditlens.events import ACTION_GROUPS, EVENT_SCHEMA, SENDER_KINDS
from auditlens.findings import FINDING_SCHEMA
from auditlens.settings import NAMES, OTHER_VARIABLES, Settings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")


def load(name: str):
    """A module beside this one; the test folders are no packages."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


command_help = load("command_help")
COMMANDS = list(command_help.every_command())


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    section = re.split(r"^#+ ", PAGE.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[
        0
    ]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" |")] for line in lines[2:]]


def names(heading: str) -> list[str]:
    return [name for row in rows(heading) for name in re.findall(r"`([^`]+)`", row[0])]


def test_the_help_in_the_reference_is_the_help_of_the_program():
    """Run ``python3 dev docs`` when this fails."""
    assert command_help.with_help(PAGE) == PAGE


@pytest.mark.parametrize(("name", "command", "told"), COMMANDS, ids=[name for name, *_ in COMMANDS])
def test_every_command_and_option_has_help(name, command, told):
    """A command says what it does in one line, each of its options too."""
    assert command.help
    assert len(command.help.splitlines()[0]) < 100
    assert all(option.help for option in command.params if isinstance(option, click.Option))
    assert f"### `{name}`" in PAGE


@pytest.mark.parametrize(
    ("heading", "schema"), [("Event columns", EVENT_SCHEMA), ("Finding fields", FINDING_SCHEMA)]
)
def test_every_column_is_listed_in_order_with_its_type(heading, schema):
    """Names, order and dtypes are those of the frames."""
    listed = [(row[0].strip("`"), row[1]) for row in rows(heading)]
    wanted = [(name, type_name(dtype)) for name, dtype in schema.items()]
    assert listed == wanted


def type_name(dtype) -> str:
    """A dtype as the reference writes it."""
    text = str(dtype)
    if text.startswith("Datetime"):
        return "Datetime µs UTC"
    if text.startswith("List(Struct"):
        return "List of Struct"
    return text.replace("List(String)", "List of String")


def test_every_setting_is_listed_with_its_default():
    """Each field of Settings that can be set, and nothing else."""
    defaults = {f.name: f.default for f in dataclasses.fields(Settings)}
    listed = {row[0].strip("`"): row[1].strip("`") for row in rows("Settings")}
    assert list(listed) == list(NAMES)
    for name, shown in listed.items():
        if isinstance(defaults[name], int):
            # TOML writes a truth value in small letters.
            assert shown == str(defaults[name]).lower(), name


def test_every_exit_code_is_listed():
    """The codes of the error tree, 0, 1, and 141 of a pipe that nobody reads."""
    classes = [getattr(errors, name) for name in errors.__all__]
    codes = {0, 1, 141} | {error.exit_code for error in classes}
    assert {int(row[0]) for row in rows("Exit codes")} == codes


def test_every_environment_variable_is_listed():
    """Those read beside the settings' own."""
    wanted = set(OTHER_VARIABLES) | {"SECODA_API_KEY", "SECODA_API_URL", "SOURCE_DATE_EPOCH"}
    assert wanted <= set(names("Environment"))


def test_every_public_name_is_listed():
    """The Python table is __all__."""
    assert sorted(re.match(r"[\w.]+", name)[0] for name in names("Python")) == sorted(
        f"al.{name}" for name in auditlens.__all__
    )


@pytest.mark.parametrize("words", [ACTION_GROUPS, OUTCOMES, SENDER_KINDS])
def test_every_word_of_a_closed_list_is_explained(words):
    """Action groups, outcomes and kinds of sender."""
    for word in words:
        assert f"`{word}`" in PAGE, word


def test_the_floors_drawn_are_those_enforced():
    """The drawing in how-it-works names the layers of the import contract, in their order."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = (c for c in project["tool"]["importlinter"]["contracts"] if c["id"] == "floors")
    layers = [re.findall(r"\w+", layer) for layer in contract["layers"]]
    page = (ROOT / "docs" / "how-it-works.md").read_text(encoding="utf-8")
    drawing = next(b for b in re.findall(r"```text\n(.*?)```", page, re.DOTALL) if b[:3] == "cli")
    drawn = [
        re.split(r" {2,}", line)[0].split(" | ") for line in drawing.splitlines() if line[0] != " "
    ]
    assert drawn == layers
