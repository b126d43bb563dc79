"""Examples at the top of a command's help, where people look first."""

from __future__ import annotations

from collections.abc import Callable
from inspect import cleandoc
from typing import TypeVar

import click

__all__ = ["examples"]

COMMAND = TypeVar("COMMAND", bound=click.Command)


def examples(*lines: str) -> Callable[[COMMAND], COMMAND]:
    """Show command lines (without the program's name) below the first sentence of the help."""

    def add(command: COMMAND) -> COMMAND:
        first, _, rest = cleandoc(command.help or "").partition("\n\n")
        # The mark tells click to leave the lines as they are.
        shown = "\n".join(("\b\nExamples:", *(f"  auditlens {line}" for line in lines)))
        command.help = "\n\n".join(part for part in (first, shown, rest) if part)
        return command

    return add
