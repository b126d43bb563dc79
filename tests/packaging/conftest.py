"""The archives a release would consist of, and empty environments to install them in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SITES = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command that must succeed; what it printed is in the failure."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(part) for part in command],
        check=False,
        cwd=cwd,
        env={**kept, "SOURCE_DATE_EPOCH": "1790000000", **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


@dataclass(frozen=True)
class Archives:
    """One wheel built from the checkout, one sdist."""

    wheel: Path
    sdist: Path


@pytest.fixture(scope="session")
def build_archives() -> Callable[[Path], Archives]:
    """Build wheel and sdist of the checkout into a folder, by hatchling, without network."""

    def build(out: Path) -> Archives:
        run(sys.executable, "-m", "hatchling", "build", "-d", out, cwd=ROOT)
        (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
        return Archives(wheel, sdist)

    return build


@pytest.fixture(scope="session")
def archives(
    build_archives: Callable[[Path], Archives], tmp_path_factory: pytest.TempPathFactory
) -> Archives:
    """One wheel and one sdist, built once for all tests."""
    return build_archives(tmp_path_factory.mktemp("dist"))


@dataclass(frozen=True)
class Environment:
    """An environment of its own that sees our dependencies, but not this checkout."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def install(self, installer: str, *what: str | Path) -> None:
        """Install without dependencies, index or build isolation: nothing is downloaded."""
        options = ("--no-deps", "--no-index", "--no-build-isolation")
        if installer == "uv":
            command = (uv(), "pip", "install", "--offline", "--no-config")
            run(*command, "--python", self.python, *options, *what, cwd=self.folder)
            return
        command = (pip_python(), "-m", "pip", "--python", self.python, "install")
        run(*command, "--quiet", *options, *what, cwd=self.folder)

    def auditlens(self, *arguments: str | Path, cwd: Path) -> str:
        """Run ``python -m auditlens`` and return what it printed."""
        return run(self.python, "-m", "auditlens", *arguments, cwd=cwd).stdout

    def rules_folder(self) -> Path:
        """Where this environment's copy finds its rules."""
        code = "from auditlens.resources import rules_folder; print(rules_folder())"
        return Path(run(self.python, "-c", code, cwd=self.folder).stdout.strip())


def uv() -> str:
    found = shutil.which(
        "uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    )
    return found or pytest.skip("uv is not on this machine")


def pip_python() -> str:
    """The Python whose pip works on other environments: this one's, or the one below it."""
    for python in (sys.executable, getattr(sys, "_base_executable", "")):
        probe = [python, "-m", "pip", "--version"]
        if python and not subprocess.run(probe, check=False, capture_output=True).returncode:
            return python
    return pytest.skip("pip is not on this machine")


@pytest.fixture
def new_environment(tmp_path: Path) -> Callable[[], Environment]:
    """Make an empty environment; the installed libraries are lent to it by a path entry.

    A folder named in a ``.pth`` file is only a place to import from: ``.pth`` files inside it,
    such as the one of the editable checkout, are not read.
    """

    def make() -> Environment:
        folder = tmp_path / "environment"
        venv.create(folder, with_pip=False)
        environment = Environment(folder)
        ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
        site = Path(run(environment.python, "-c", ask, cwd=folder).stdout.strip())
        (site / "lent.pth").write_text("".join(f"{folder}\n" for folder in sorted(SITES)))
        return environment

    return make


@pytest.fixture(scope="session")
def log_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six weeks of a small made-up workspace, as legacy records."""
    from datetime import date

    from auditlens.simulator import simulate

    made_up = simulate(1, people=8, services=1, resources=60, teams=2, days=42,
                       end=date(2026, 7, 1), events_per_day=8)  # fmt: skip
    return made_up.write_ndjson(tmp_path_factory.mktemp("log") / "june.ndjson.gz")
