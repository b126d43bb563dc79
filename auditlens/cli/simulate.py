"""``auditlens simulate``: a sample workspace behind a real HTTP server, or in a file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from auditlens.cli.commands import examples

__all__ = ["simulate"]


@examples(
    "simulate --people 15",
    "simulate --people 20 --write autumn.ndjson",
)
@click.command()
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Seed of the sample workspace."
)
@click.option(
    "--people", type=click.IntRange(1), default=60, show_default=True, help="Number of users."
)
@click.option(
    "--days",
    type=click.IntRange(1),
    default=90,
    show_default=True,
    help="Number of days, up to yesterday.",
)
@click.option(
    "--generation",
    type=click.Choice(("both", "current", "legacy")),
    default="both",
    show_default=True,
    help="API generation.",
)
@click.option(
    "--envelope",
    type=click.Choice(("modern", "plain", "array")),
    default="modern",
    show_default=True,
    help="Envelope around the records of a page.",
)
@click.option("--port", type=int, default=0, show_default=True, help="0 takes any free port.")
@click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path, exists=True),
    help="Serve the legacy records of this NDJSON file instead.",
)
@click.option("--page-size", type=click.IntRange(1), help="Records a page.")
@click.option(
    "--write", type=click.Path(path_type=Path), help="Write NDJSON to this file and do not serve."
)
def simulate(seed: int, people: int, days: int, path: Path | None, write: Path | None,
             **server: Any) -> None:  # fmt: skip
    """Serve a sample workspace over HTTP until you stop it with Ctrl-C.

    Prints the variables to export, so that 'auditlens sync' pulls from it.
    """
    from auditlens.simulator import serve
    from auditlens.simulator import simulate as make_up

    source: Any = path
    if path is None:
        from auditlens.period import run_time

        source = make_up(
            seed,
            people=people,
            resources=max(50, people * 15),
            days=days,
            end=run_time().date(),
        )
    if write:
        generation = "legacy" if server["generation"] == "both" else server["generation"]
        source.write_ndjson(write, generation)
        click.echo(write)
        return
    with serve(source, **server) as running:
        running.prepare()
        click.echo(f"export SECODA_API_URL={running.url}")
        click.echo(f"export SECODA_API_KEY={running.key}")
        click.echo("serving a sample workspace; Ctrl-C stops", err=True)
        while True:
            time.sleep(3600)
