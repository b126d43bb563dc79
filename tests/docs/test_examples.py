"""Every example of the README and the docs is run; what it shows is what happens."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load(name: str):
    """A module beside this one; the test folders are no packages."""
    import sys

    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


examples = load("examples")
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in examples.DOCUMENTS}
RUNNABLE = ("console", "python")
WITH_EXAMPLES = [
    name
    for name, text in TEXTS.items()
    if any(b.language in RUNNABLE and b.note != "not run" for b in examples.blocks(text))
]


@pytest.mark.skipif(os.name == "nt", reason="the examples are written for a POSIX shell")
@pytest.mark.timeout(1200)  # a dozen commands each, on machines that may be busy
@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_what_a_document_shows_is_what_happens(name: str, tmp_path: Path):
    """Run ``python3 dev docs`` to write the outputs anew, and look at what it changed."""
    run = examples.Run(TEXTS[name], tmp_path)
    try:
        faults = list(run.faults())
    finally:
        run.shell.close()
    assert not faults, "\n\n".join(faults)


@pytest.mark.parametrize("name", TEXTS)
def test_a_document_has_no_example_that_cannot_be_run(name: str):
    """Shell and Python are never shown in a way the runner would pass over."""
    for block in examples.blocks(TEXTS[name]):
        assert block.language not in {"", "sh", "bash", "shell", "py"}, block.body
        if block.note == "not run":
            assert len(block.said) > 15, "say why"


@pytest.mark.parametrize("name", TEXTS)
def test_every_link_inside_the_project_leads_somewhere(name: str):
    """Files and headings that are linked exist."""
    for target in re.findall(r"\]\(([^)\s]+)\)", TEXTS[name]):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / name).parent / path if path else ROOT / name
        assert file.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
            assert anchor in slugs, target


@pytest.mark.parametrize(
    ("shown", "got", "same"),
    [
        ("found F-AAAAAAAAAA at 10:15Z", "found F-BBBBBBBBBB at 11:45Z", True),
        ("3 findings", "4 findings", False),
        ("a\n...\nz", "a\nb\nc\nz", True),
        ("a\n...\nz", "a\nz", True),
        ("a\nz", "a\nb\nz", False),
        ("a", "a\nb", False),
        ("http://127.0.0.1:8000", "http://127.0.0.1:41234", True),
    ],
)
def test_outputs_agree_when_only_ids_times_and_ports_differ(shown: str, got: str, same: bool):
    """The matcher is tolerant where runs differ, and nowhere else."""
    assert examples.agree(shown, got) is same


def test_a_wrong_output_and_a_failing_command_are_found(tmp_path: Path):
    """A document that lies about output or exit code has faults."""
    text = "```console\n$ echo right\nwrong\n$ false\n$ exit_with() { return 5; }; exit_with\n"
    text += "$ echo $?\n5\n```\n\n```python\nprint('b')\n```\n\n```text\na\n```\n"
    run = examples.Run(text, tmp_path)
    try:
        faults = list(run.faults())
    finally:
        run.shell.close()
    assert [fault.splitlines()[0] for fault in faults] == ["echo right", "false", "print('b')"]


def test_one_hash_shown_as_two_is_found(tmp_path: Path):
    """A seal is the same wherever a document shows it; another run has another one."""
    text = "```console\n$ echo seal {0}\nseal {1}\n$ echo again {0}\nagain {2}\n```\n"
    real, shown, other = (letter * 64 for letter in "abc")
    for last, count in ((shown, 0), (other, 1)):
        run = examples.Run(text.format(real, shown, last), tmp_path)
        try:
            assert len(list(run.faults())) == count
        finally:
            run.shell.close()
