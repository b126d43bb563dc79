"""The notebook runs from its first cell to its last, and ends in a finding, a plot and a page."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "explore.ipynb"

# In a process of its own: the kernel's machinery warns, and warnings are errors here.
EXECUTE = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=240, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[2])
"""


def code_cells(path: Path) -> list[dict]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """The code cells with their outputs."""
    out = tmp_path_factory.mktemp("notebook") / "executed.ipynb"
    command = [sys.executable, "-c", EXECUTE, NOTEBOOK, out]
    done = subprocess.run(command, capture_output=True, text=True, cwd=out.parent, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return code_cells(out)


def shown(cells: list[dict]) -> list[dict]:
    """The data of every result shown, by media type."""
    return [out["data"] for cell in cells for out in cell["outputs"] if "data" in out]


def test_every_cell_runs_without_warning_or_error(executed):
    """No cell writes to stderr or fails."""
    assert all(cell["execution_count"] for cell in executed)
    kinds = {out["output_type"] for cell in executed for out in cell["outputs"]}
    assert kinds == {"execute_result"}


def test_it_comes_to_a_finding_a_plot_and_a_page(executed):
    """Reasons as a table, activity as a chart, the report in a sandboxed frame."""
    data = shown(executed)
    assert any("vegaEmbed" in "".join(one.get("text/html", "")) for one in data)
    pages = ["".join(one.get("text/html", "")) for one in data]
    assert any("Own history: " in page for page in pages)
    assert pages[-1].startswith("<iframe sandbox")


def test_no_output_is_committed():
    """Outputs hold what one machine saw; whoever runs it makes their own."""
    for cell in code_cells(NOTEBOOK):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None
