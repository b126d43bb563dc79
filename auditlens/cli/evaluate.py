"""``auditlens evaluate``: how much of what is planted the model and the rules find."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditlens.cli.commands import examples
from auditlens.cli.options import json_option, quiet_option
from auditlens.errors import UsageError

if TYPE_CHECKING:
    from auditlens.evaluate import Case, SwapResult

__all__ = ["evaluate"]

STRENGTHS = {"standard": 1.0, "half": 0.5}
SWITCH_GOAL = "goal: area .75, found in the top 5 % .60"


@examples(
    "evaluate --seed 40 --people 50",
)
@click.command()
@click.argument("streams", nargs=-1, metavar="[FILE]...", type=click.Path(path_type=Path))
@click.option(
    "--seed",
    "seeds",
    type=int,
    multiple=True,
    help="Workspaces to simulate (default: the reported seeds; may be repeated).",
)
@click.option(
    "--strength",
    type=click.Choice(tuple(STRENGTHS)),
    default="standard",
    show_default=True,
    help="How far an incident departs from habit.",
)
@click.option(
    "--marks/--no-marks",
    default=True,
    show_default=True,
    help="Whether it is known which resources are sensitive.",
)
@click.option(
    "--people",
    type=click.IntRange(10, 5000),
    default=300,
    show_default=True,
    help="How many people a workspace has.",
)
@json_option
@quiet_option
def evaluate(
    streams: tuple[Path, ...], seeds: tuple[int, ...], strength: str, people: int, *,
    marks: bool, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Plant incidents in simulated workspaces and measure what is found, goal beside figure.

    With log FILEs, switch identities in these real streams instead and measure who is noticed.
    """
    from auditlens.cli.terminal import print_json, progress
    from auditlens.evaluate import REPORTED_SEEDS

    if streams:
        with progress("switching identities", quiet=quiet):
            found = [(path, each) for path in streams for each in switched(path, seeds or (20,))]
        if as_json:
            rows = [{"file": path.name, **vars_of(each)} for path, each in found]
            print_json({"switches": rows})
        else:
            print_switches(found)
        return
    with progress(f"planting incidents among {people} people", quiet=quiet):
        from auditlens.evaluate import cases_of, measured_case

        chosen = seeds or REPORTED_SEEDS
        case = measured_case(chosen, strength=STRENGTHS[strength], marks=marks, people=people)
    if as_json:
        print_json(
            {
                "case": case.name,
                "seeds": list(chosen),
                "measures": measures_of(case),
                "cases": [
                    {"measure": name, "found": found, "goal": goal or None}
                    for name, found, goal in cases_of(case)
                ],
            }
        )
    else:
        print_case(case)


def switched(path: Path, seeds: tuple[int, ...]) -> list[SwapResult]:
    """Measure one stream. Raises UsageError when it is too short for a switch."""
    from auditlens.evaluate import measure_swaps, swap_identities
    from auditlens.loading import dated_events
    from auditlens.period import run_time
    from auditlens.sources import read_log

    events = dated_events(read_log(path), run_time())
    if not swap_identities(events, seeds[0])[1]:
        raise UsageError(
            f"In {path.name} no two active, dissimilar senders can be switched",
            fix="Give a stream of at least nine months in which several senders are active",
        )
    return [each for seed in seeds for each in measure_swaps(events, seed)]


def vars_of(each: SwapResult) -> dict[str, object]:
    import dataclasses

    return dataclasses.asdict(each)


def print_switches(found: list[tuple[Path, SwapResult]]) -> None:
    from auditlens.cli.terminal import table

    rows = [
        (path.name, each.column, f"{each.area:.3f}", f"{each.found:.2f}", each.accounts)
        for path, each in found
    ]
    head = ("stream", "score", "area", "found in top 5 %", "accounts")
    table(head, rows, title=f"Switched identities ({SWITCH_GOAL})")


def measures_of(case: Case) -> list[dict[str, object]]:
    """Each measure with its mean over the seeds and its goal; then each kind of incident."""
    from auditlens.evaluate import kinds_of, means_of

    rows: list[dict[str, object]] = [
        {"measure": name, "found": mean, "goal": goal} for name, mean, goal in means_of(case)
    ]
    return [*rows, *({"kind": kind, "found": mean} for kind, mean in kinds_of(case))]


def print_case(case: Case) -> None:
    from auditlens.cli.terminal import table
    from auditlens.evaluate import cases_of, kinds_of, means_of

    rows = [
        (name, f"{mean:.3f}", "" if goal is None else f"{goal:.2f}")
        for name, mean, goal in means_of(case)
    ]
    rows += [(name, f"{found:.3f}", goal) for name, found, goal in cases_of(case)]
    table(("measure", "found", "goal"), rows, title=case.name)
    kinds = [(kind, f"{mean:.2f}") for kind, mean in kinds_of(case)]
    table(("kind of incident, with rules", "found"), kinds)
