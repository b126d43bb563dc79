"""Documents whose examples are run: what they show is what happens.

In README.md and docs/*.md a block of

- ``console`` holds commands after ``$`` and, below each, what it printed. All commands of a
  document run in one shell, in one empty folder;
- ``python`` is a program of its own, run in that folder too; its output is the ``text`` block
  right below it, if there is one;
- any language below ``<!-- file: NAME -->`` is a file of that name in that folder;
- any language below ``<!-- not run: REASON -->`` is only shown.

``...`` on a line of its own stands for any number of lines. Ids, hashes, times of day and
ports may differ, but one hash of a run is one hash in its document; every other character must
be the same. ``python3 dev docs`` writes the outputs
anew; where one ``...`` stands, as many lines are kept before and after it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("README.md", *(f"docs/{p.name}" for p in sorted((ROOT / "docs").glob("*.md"))))
TODAY = "1793880000"
"""SOURCE_DATE_EPOCH of every example: 2026-11-05 12:00 UTC, so 'last' is October 2026."""

BLOCK = re.compile(
    r"(?:^<!-- (?P<note>file|not run): (?P<said>[^\n]*?) -->\n)?"
    r"^(?P<fence>```+)(?P<language>\w*)\n(?P<body>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)
VARIABLE = (
    (re.compile(r"F-[A-Z2-7]{10}(-\d+)?"), "F-ID"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b"), "UUID"),
    (re.compile(r"\b[0-9a-f]{12,64}\b"), "HASH"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"\b\d\d:\d\d(:\d\d)?(\.\d+)?"), "TIME"),
    (re.compile(r"\d+(\.\d+)? (s|ms|MB)\b"), "SIZE"),
    (re.compile(r"[ \t]+"), " "),
)
END = "--- end of command, code "


@dataclass
class Block:
    """One fenced block and where its body stands in the document."""

    language: str
    body: str
    span: tuple[int, int]
    note: str = ""
    said: str = ""


def blocks(text: str) -> list[Block]:
    """Every fenced block of a document, in order."""
    return [
        Block(m["language"], m["body"], m.span("body"), m["note"] or "", m["said"] or "")
        for m in BLOCK.finditer(text)
    ]


def commands(body: str) -> list[tuple[str, str]]:
    """Each command of a console block, with the output shown below it."""
    found: list[tuple[str, list[str]]] = []
    for line in body.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found and found[-1][0].endswith("\\") and not found[-1][1]:
            found[-1] = (f"{found[-1][0]}\n{line}", [])
        elif found:
            found[-1][1].append(line)
    return [(command, "\n".join(shown)) for command, shown in found]


def plain(line: str) -> str:
    """A line without what may differ from run to run."""
    for pattern, name in VARIABLE:
        line = pattern.sub(name, line)
    return line.strip()


HASH = re.compile(r"\b[0-9a-f]{64}\b")


def agree(shown: str, got: str) -> bool:
    """Whether the output shown is the output got; a line ``...`` stands for any lines."""
    return hashes(shown, got) is not None


def hashes(shown: str, got: str) -> list[tuple[str, str]] | None:
    """Each whole hash that is shown, with the one that was got; None when the outputs differ."""
    wanted = [plain(line) for line in HASH.sub("SHA256", shown).strip("\n").splitlines()]
    lines = got.strip("\n").splitlines()
    marked = [plain(HASH.sub("SHA256", line)) for line in lines]
    pattern = "".join(
        r"(?:.*\n)*?" if line == "..." else f"({re.escape(line)})\n" for line in wanted
    )
    found = re.fullmatch(pattern, "".join(f"{line}\n" for line in marked))
    if found is None:
        return None
    starts = [sum(len(line) + 1 for line in marked[:n]) for n in range(len(marked))]
    rows = [lines[starts.index(found.start(n + 1))] for n in range(len(found.groups()))]
    return list(zip(HASH.findall(shown), HASH.findall("\n".join(rows)), strict=True))


@dataclass
class Shell:
    """One bash session in one folder; started by the first command."""

    folder: Path
    process: subprocess.Popen[str] | None = None

    def start(self) -> subprocess.Popen[str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AUDITLENS_", "SECODA_", "PYTEST", "COV"))
        }
        beside = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
        home = {"HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder / ".config")}
        return subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=self.folder,
            env={**kept, **home, "PATH": beside, "SOURCE_DATE_EPOCH": TODAY, "TZ": "UTC"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )

    def run(self, command: str) -> tuple[str, int]:
        """Run one command; returns what it printed and its exit code."""
        self.process = self.process or self.start()
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(
            f"{{ {command}\n}} </dev/null; code=$?; echo; echo '{END}'$code; (exit $code)\n"
        )
        self.process.stdin.flush()
        printed = []
        for line in self.process.stdout:
            if line.startswith(END):
                return "".join(printed).removesuffix("\n"), int(line.removeprefix(END))
            printed.append(line)
        raise AssertionError(f"the shell ended in: {command}\n{''.join(printed)}")

    def close(self) -> None:
        """End the session and everything it started."""
        import signal

        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            for stream in (self.process.stdin, self.process.stdout):
                if stream:
                    stream.close()


@dataclass
class Run:
    """A document while its examples are run."""

    text: str
    folder: Path
    shell: Shell = field(init=False)

    def __post_init__(self) -> None:
        self.shell = Shell(self.folder)

    def faults(self) -> Iterator[str]:
        """What does not happen as it is shown."""
        known: dict[str, str] = {}
        for block, command, shown, got, code, following in self.results():
            if code and not following.startswith("echo $?"):
                yield f"{command}\nexit code {code}\n{got}"
            elif shown is not None and not agree(shown, got):
                yield f"{command}\n--- shown ({block.language}) ---\n{shown}\n--- got ---\n{got}"
            for told, real in hashes(shown or "", got) or ():
                if known.setdefault(told, real) != real or known.setdefault(real, told) != told:
                    yield f"{command}\n{told} is another hash than elsewhere in this document"

    def results(self) -> Iterator[tuple[Block, str, str | None, str, int, str]]:
        """Run all examples in order: block, command, output shown and got, code, next command."""
        found = blocks(self.text)
        for index, block in enumerate(found):
            if block.note == "file":
                path = self.folder / block.said
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.body, encoding="utf-8")
            elif block.note:
                continue
            elif block.language == "console":
                pairs = commands(block.body)
                for place, (command, shown) in enumerate(pairs):
                    following = pairs[place + 1][0] if place + 1 < len(pairs) else ""
                    yield block, command, shown, *self.shell.run(command), following
            elif block.language == "python":
                program = self.folder / ".example.py"
                program.write_text(block.body, encoding="utf-8")
                after = found[index + 1] if index + 1 < len(found) else None
                shown = after.body if after and self.is_output(block, after) else None
                got, code = self.shell.run("python .example.py")
                yield block, block.body, shown, got, code, ""

    def is_output(self, block: Block, after: Block) -> bool:
        """Whether a text block stands right below a program."""
        between = self.text[block.span[1] : after.span[0]]
        return after.language == "text" and not between.replace("`", "").replace("text", "").strip()


def cut_like(shown: str | None, got: str) -> str:
    """What was got, as tidy lines; cut short where what was shown is cut short once."""
    lines = [line.rstrip() for line in got.strip("\n").splitlines()]
    wanted = (shown or "").strip("\n").splitlines()
    if wanted.count("...") == 1:
        before, after = wanted.index("..."), len(wanted) - wanted.index("...") - 1
        lines = [*lines[:before], "...", *lines[max(before, len(lines) - after) :]]
    return "\n".join(lines)


def renewed(text: str, folder: Path) -> str:
    """The document with every output written anew; outputs with ``...`` that agree are kept."""
    run = Run(text, folder)
    edits: list[tuple[int, int, str]] = []
    bodies: dict[tuple[int, int], list[str]] = {}
    found = blocks(text)
    try:
        for block, command, shown, got, code, following in run.results():
            if code and not following.startswith("echo $?"):
                sys.exit(f"{command}\nexit code {code}\n{got}")
            if shown is not None and (pairs := hashes(shown, got)) is not None:
                output = shown
                for told, real in pairs:
                    output = output.replace(told, real)
            else:
                output = cut_like(shown, got)
            if block.language == "console":
                lines = f"$ {command}\n" + (f"{output.strip()}\n" if output.strip() else "")
                bodies.setdefault(block.span, []).append(lines)
            elif shown is not None:
                edits.append((*found[found.index(block) + 1].span, f"{output.strip()}\n"))
    finally:
        run.shell.close()
    edits += [(*span, "".join(lines)) for span, lines in bodies.items()]
    for start, end, body in sorted(edits, reverse=True):
        text = text[:start] + body + text[end:]
    return text


def main(names: list[str]) -> None:
    for name in names or DOCUMENTS:
        path = ROOT / name
        with tempfile.TemporaryDirectory(prefix="auditlens-docs-") as folder:
            text = renewed(path.read_text(encoding="utf-8"), Path(folder))
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
