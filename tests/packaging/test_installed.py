"""A report can be made from an empty folder, whichever way AuditLens was installed."""

from __future__ import annotations

import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

PACKAGED = ("rules/actions.yml", "rules/profiles/secoda.yml", "reports/templates/report.html")


def source(name: str, archives, root: Path) -> tuple[str | Path, ...]:
    """What an installer is told to install."""
    return {
        "wheel": (archives.wheel,),
        "sdist": (archives.sdist,),
        "editable": ("--editable", root),
    }[name]


@pytest.mark.parametrize(
    ("form", "installer"),
    [
        ("wheel", "pip"),
        ("sdist", "uv"),
        ("editable", "pip"),
        pytest.param("wheel", "uv", marks=pytest.mark.slow),
        pytest.param("sdist", "pip", marks=pytest.mark.slow),
        pytest.param("editable", "uv", marks=pytest.mark.slow),
    ],
)
def test_a_report_is_made_from_an_empty_folder(
    form: str,
    installer: str,
    archives,
    new_environment: Callable,
    log_file: Path,
    tmp_path: Path,
    pytestconfig: pytest.Config,
):
    """Rules and templates are found in a wheel, in a wheel made from the sdist, and editable."""
    environment = new_environment()
    environment.install(installer, *source(form, archives, pytestconfig.rootpath))
    empty = tmp_path / "empty"
    empty.mkdir()
    period = ("--period", "2026-06")
    environment.auditlens("report", log_file, *period, "--out", "out", cwd=empty)
    page = (empty / "out" / "report.html").read_text(encoding="utf-8")
    findings = json.loads((empty / "out" / "findings.json").read_text(encoding="utf-8"))
    assert page.lower().startswith("<!doctype html>")
    assert findings
    assert [path.name for path in empty.iterdir()] == ["out"]


@pytest.mark.parametrize(("form", "inside"), [("wheel", True), ("editable", False)])
def test_shipped_files_come_from_the_installed_copy(
    form: str, inside: bool, archives, new_environment: Callable, pytestconfig: pytest.Config
):
    """A wheel reads its own rules, never those of a checkout that happens to be near."""
    environment = new_environment()
    environment.install("uv", *source(form, archives, pytestconfig.rootpath))
    found = environment.rules_folder()
    assert (environment.folder in found.parents) is inside
    assert (found == pytestconfig.rootpath / "rules") is not inside
    assert (found / "actions.yml").is_file()


def test_the_command_is_installed_with_its_version(
    archives, new_environment: Callable, tmp_path: Path
):
    """``auditlens --version`` answers with the version of the wheel."""
    environment = new_environment()
    environment.install("uv", archives.wheel)
    version = archives.wheel.name.split("-")[1]
    assert environment.auditlens("--version", cwd=tmp_path).strip() == version
    assert (environment.python.parent / "auditlens").exists() or (
        environment.python.parent / "auditlens.exe"
    ).exists()


def test_the_wheel_holds_the_package_its_rules_and_nothing_else(archives, pytestconfig):
    """Every rule, template and typing marker is in; tests and caches are not."""
    with zipfile.ZipFile(archives.wheel) as wheel:
        names = set(wheel.namelist())
    for name in PACKAGED:
        assert f"auditlens/_shipped/{name}" in names
    assert "auditlens/py.typed" in names
    for folder in ("rules", "reports"):
        held = {p for p in (pytestconfig.rootpath / folder).rglob("*") if p.is_file()}
        wanted = {p.relative_to(pytestconfig.rootpath).as_posix() for p in held}
        assert {f"auditlens/_shipped/{name}" for name in wanted} <= names
    tops = {name.split("/")[0] for name in names}
    assert tops == {"auditlens", next(top for top in tops if top.endswith(".dist-info"))}
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_the_sdist_builds_and_tests_itself(archives):
    """Sources, tests, docs and the lock are in, so that a packager needs nothing else."""
    with tarfile.open(archives.sdist) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    wanted = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "dev", ".ci/dev.lock"}
    wanted |= {"auditlens/__init__.py", "tests/conftest.py", "benchmarks/__main__.py", *PACKAGED}
    assert not wanted - names
    assert not [name for name in names if ".venv" in name or "__pycache__" in name]


def test_two_builds_are_equal_to_the_byte(build_archives: Callable, tmp_path: Path):
    """Whoever builds the release again gets the same files."""
    first, again = build_archives(tmp_path / "first"), build_archives(tmp_path / "again")
    assert first.wheel.read_bytes() == again.wheel.read_bytes()
    assert first.sdist.read_bytes() == again.sdist.read_bytes()


def test_the_licence_is_declared_and_shipped(archives):
    """Apache-2.0 in the metadata, its text in the wheel."""
    with zipfile.ZipFile(archives.wheel) as wheel:
        (metadata,) = (n for n in wheel.namelist() if n.endswith(".dist-info/METADATA"))
        text = wheel.read(metadata).decode()
        (licence,) = (n for n in wheel.namelist() if n.endswith("licenses/LICENSE"))
        assert b"Apache License" in wheel.read(licence)[:400]
    assert "License-Expression: Apache-2.0" in text
