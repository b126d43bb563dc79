"""Which commands there are, and the examples at the top of a command's help.

A command's module is imported when it is run, not before.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from inspect import cleandoc
from typing import Any, TypeVar

import click

__all__ = ["COMMANDS", "CommandTable", "Unread", "examples"]

COMMAND = TypeVar("COMMAND", bound=click.Command)

COMMANDS = {
    "check": "Detect findings in a period, by rules and anomaly model.",
    "completion": "Print the completion script of bash, zsh, fish or PowerShell.",
    "config": "Show the settings in effect; trust a settings file.",
    "demo": "Sync a sample workspace and write its report.",
    "doctor": "Check API key, connection, archive and settings.",
    "evaluate": "Measure how many planted incidents rules and model detect.",
    "exceptions": "List, add and check time-limited exceptions (suppressions).",
    "explain": "Show the reasons and evidence of one finding.",
    "init": "Create starter settings, a rule and a review journal.",
    "notify": "Send the notifications in the outbox, or a test.",
    "report": "Write the compliance report of a period.",
    "reviewers": "List, add and remove reviewers and their signing keys.",
    "rules": "List, show, check and test rules.",
    "run": "Sync, verify, and write the report of each month due.",
    "sign-off": "Record reviewer, time and hashes of all evidence of a month.",
    "simulate": "Serve a sample workspace over HTTP.",
    "status": "Show archive coverage, gaps and retention risk.",
    "sync": "Pull the audit log into the archive.",
    "triage": "Review findings and record a disposition (benign, accepted risk …).",
    "verify": "Verify the archive, or reproduce a report and compare.",
}


class Unread(Exception):
    """Whoever read standard output or error went away."""


class CommandTable(click.Group):
    """A group that knows its commands by name and loads each on demand."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Read the command line; click would end with 1 when nobody reads the help."""
        try:
            return super().make_context(*args, **extra)
        except BrokenPipeError:
            raise Unread from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; click would end with 1 when nobody reads what it writes."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise Unread from None

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return every command's name, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return one command; None when there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command = getattr(import_module(f"auditlens.cli.{name}"), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve a command; a typing error gets the nearest name."""
        import difflib

        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else f" Known: {', '.join(COMMANDS)}."
            raise click.UsageError(f"Unknown command '{name}'.{hint}", ctx)
        return super().resolve_command(ctx, args)


def examples(*lines: str) -> Callable[[COMMAND], COMMAND]:
    """Show command lines (without the program's name) below the first sentence of the help."""

    def add(command: COMMAND) -> COMMAND:
        first, _, rest = cleandoc(command.help or "").partition("\n\n")
        # The mark tells click to leave the lines as they are.
        shown = "\n".join(("\b\nExamples:", *(f"  auditlens {line}" for line in lines)))
        command.help = "\n\n".join(part for part in (first, shown, rest) if part)
        return command

    return add
