"""The command line's own help, as docs/reference.md has it; ``python3 dev docs`` writes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from auditlens.cli import auditlens

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference.md"
BEGIN = "<!-- command help: begin (written by tests/docs/command_help.py) -->\n"
END = "<!-- command help: end -->\n"
WIDTH = 92


def every_command(
    command: click.Command = auditlens, name: str = "auditlens", above: click.Context | None = None
) -> Iterator[tuple[str, click.Command, str]]:
    """Name, command and help text of the group, of each command and of each subcommand."""
    context = click.Context(
        command,
        info_name=name,
        parent=above,
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        **command.context_settings,
    )
    yield context.command_path, command, command.get_help(context)
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None
            yield from every_command(found, below, context)


def help_section() -> str:
    """All help texts, one heading and one block a command."""
    parts = []
    for name, _, told in every_command():
        lines = "\n".join(line.rstrip() for line in told.splitlines())
        parts.append(f"### `{name}`\n\n```text\n{lines}\n```\n")
    return "\n".join(parts)


def with_help(page: str) -> str:
    """A page with the section between the two markers written anew."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{help_section()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_help(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
