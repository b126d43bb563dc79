"""What is written to a terminal: safe text, tables, and progress on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NoReturn

import click

from auditlens.text import cut
from auditlens.text import visible as shown

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "moment",
    "narrow",
    "note",
    "print_json",
    "progress",
    "say",
    "table",
    "visible",
    "width",
]

SCHEMA_VERSION = 1
WIDE = 120


def visible(text: object, limit: int = 500) -> str:
    """Text from outside as one safe line: controls, escapes and reordering marks are shown."""
    return shown(cut(str(text), limit), terminal=True)


def moment(value: datetime | None) -> str:
    """A time in UTC to the minute, or a dash."""
    return f"{value.year:04d}-{value:%m-%d %H:%M}Z" if value else "-"


def note(message: str, *, quiet: bool = False) -> None:
    """Write one message to stderr, line by line."""
    if not quiet:
        for line in message.split("\n"):
            click.echo(visible(line, 2000), err=True)


def print_json(document: dict[str, Any]) -> None:
    """Write one JSON document, keys sorted, to stdout."""
    text = json.dumps(
        {"schema_version": SCHEMA_VERSION, **document}, sort_keys=True, default=plain, indent=2
    )
    click.echo(text)


def plain(value: Any) -> Any:
    """Values JSON has no form for: times become RFC 3339 in UTC, paths and the like text."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return str(value)


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "",
    whole: Sequence[str] = (),
) -> None:  # fmt: skip
    """Write a table to stdout; nothing in a cell is read as markup.

    The columns in ``whole`` are never broken over lines: what stands there is copied.
    """
    from rich.table import Table
    from rich.text import Text

    grid = Table(
        title=Text(title) if title else None, title_justify="left", box=None, pad_edge=False
    )
    for column in columns:
        grid.add_column(column, overflow="fold", no_wrap=column in whole)
    for row in rows:
        grid.add_row(*(Text(visible(cell)) for cell in row))
    console(sys.stdout).print(grid)


def console(stream: Any) -> Console:
    from rich.console import Console

    width = None if stream.isatty() else 160
    plain = colorless() or None
    made = Console(file=stream, width=width, highlight=False, soft_wrap=False, no_color=plain)
    made.on_broken_pipe = unread  # type: ignore[method-assign]
    return made


def unread() -> NoReturn:
    """Pass a broken pipe on; rich would end the program with 1."""
    raise  # noqa: PLE0704 - rich calls this while it handles the error


def narrow() -> bool:
    """Whether stdout is a terminal too narrow for a table of many columns."""
    return console(sys.stdout).width < WIDE


def width() -> int:
    """How many characters fit into a line of stdout."""
    return console(sys.stdout).width


def say(text: str = "", *, whole: bool = False) -> None:
    """Write a message: beside the data on a terminal, else to stderr, so that data stays alone.

    On a terminal a long message is broken between words, with what follows set in, but for one
    that is copied ``whole``.
    """
    if whole or not sys.stdout.isatty():
        click.echo(text, err=not sys.stdout.isatty())
        return
    indent = text[: len(text) - len(text.lstrip())] + "  "
    lines = wrap(text, width(), subsequent_indent=indent, break_on_hyphens=False,
                 break_long_words=False)  # fmt: skip
    click.echo("\n".join(lines))


def colorless() -> bool:
    """Whether --no-color was given; rich looks at NO_COLOR by itself."""
    context = click.get_current_context(silent=True)
    return bool(context and context.find_root().params.get("no_color"))


@contextmanager
def progress(text: str, *, quiet: bool = False) -> Iterator[Any]:
    """Show a spinner with a changing text on stderr; yields a function that sets the text.

    Silent when stderr is no terminal or ``quiet`` is set.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda _text: None
        return
    from rich.text import Text

    with console(sys.stderr).status(Text(text)) as status:
        yield lambda told: status.update(Text(visible(told)))
