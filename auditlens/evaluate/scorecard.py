"""The scorecard: the kinds of workspace that are measured, and figures beside their goals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from auditlens.evaluate.case_quality import FIRST, CaseQuality
from auditlens.evaluate.incident_recall import (
    DESIGN_SEEDS,
    REPORTED_SEEDS,
    IncidentRecall,
    measure_recall,
)

__all__ = ["Case", "cases_of", "evaluation_page", "kinds_of", "means_of", "measured_case"]

OPENING = """# How good are the anomalies?

Measured by `python benchmarks/anomalies.py evaluate`; nothing here is a promise about your log.
Incidents are planted in simulated workspaces of 300 people over 90 days, 28 of them history.
Made-up incidents flatter the features that were made for them, so identities are also switched in
real activity streams. Features were chosen on seeds {design}; the figures are of seeds {reported},
which were only scored. Rankings are judged by three places a day; a sender takes one a week, and
its later days of that week join the entry. An incident is found when one of its days is in an entry
("not merged": among the three highest scores of its day); with rules also when a rule's finding of
level medium or above is about its sender at that time, or has one of its events as evidence.
*Listed* counts what a report lists, observations included: days whose score is not far outside the
bulk are held back, so that little is shown where nothing happened. *Told* counts what a person is
asked to decide: findings in a case that is no observation. A sender's month is as unusual as the
mean of its highest score of a day and of the mean of its three highest. Unusual does not mean
wrong, and no score is a probability.
"""


@dataclass(frozen=True)
class Case:
    """One kind of workspace, its goals and what was measured over the reported seeds.

    Attributes:
        name: What the page calls it.
        goals: Goals by measure; a measure without one is told all the same.
        runs: What was measured, one entry a seed.
    """

    name: str
    goals: Mapping[str, float]
    runs: Sequence[IncidentRecall]


MEASURES: dict[str, Callable[[IncidentRecall], float]] = {
    "model alone: incidents found at 3 a day": lambda run: run.senders.found,
    "model alone, a sender's days not merged": lambda run: run.senders.unmerged,
    "model alone, listed in the report": lambda run: run.listed,
    "model alone, told: a decision is asked": lambda run: run.told,
    "with rules: incidents found": lambda run: run.senders_with_rules.found,
    "with rules, listed in the report": lambda run: run.listed_with_rules,
    "with rules, told: a decision is asked": lambda run: run.told_with_rules,
    "average precision": lambda run: run.senders.precision,
    "bad senders in the monthly top 30": lambda run: run.senders.month,
    "resource incidents at 3 a day": lambda run: run.resources.found,
    "naive daily counts: found at 3 a day": lambda run: run.naive.found,
    "naive daily counts: average precision": lambda run: run.naive.precision,
}


def evaluation_page(
    cases: Sequence[Case], extra: str = "", *, seeds: Sequence[int] = REPORTED_SEEDS
) -> str:
    """The page of the evaluation.

    Args:
        cases: Each kind of workspace and what was measured of it.
        extra: Markdown that is put at the end; default: nothing.
        seeds: The seeds that the figures are of; default: REPORTED_SEEDS.

    Returns:
        Markdown: a table of every case, one of the cases to decide, and one of incident kinds.
    """
    parts = [OPENING.format(design=joined(DESIGN_SEEDS), reported=joined(seeds))]
    for case in cases:
        table = "\n".join(
            f"| {name} | {found:.3f} | {'' if goal is None else f'{goal:.2f}'} |"
            for name, found, goal in means_of(case)
        )
        parts.append(
            f"\n## {case.name}\n\n| measure | found | goal |\n| --- | --- | --- |\n{table}\n"
        )
    parts.append("\n## Cases\n\n" + by_case(cases))
    parts.append("\n## Incident kinds, with rules\n\n" + by_kind(cases))
    parts.append(extra)
    return "".join(parts)


def means_of(case: Case) -> list[tuple[str, float, float | None]]:
    """Each measure of ranking, its mean over the runs, and its goal.

    Args:
        case: One kind of workspace.

    Returns:
        Triples in the order of the page; the goal is None where there is none.
    """
    return [
        (name, mean([measure(run) for run in case.runs]), case.goals.get(name))
        for name, measure in MEASURES.items()
    ]


def kinds_of(case: Case) -> list[tuple[str, float]]:
    """Each kind of incident and the share found with rules.

    Args:
        case: One kind of workspace.

    Returns:
        Pairs sorted by kind; the share is a mean over the runs, 0 in a run without the kind.
    """
    kinds = sorted({kind for run in case.runs for kind in run.senders.by_kind})
    return [
        (kind, mean([run.senders_with_rules.by_kind.get(kind, 0.0) for run in case.runs]))
        for kind in kinds
    ]


def mean(shares: Sequence[float]) -> float:
    return sum(shares) / len(shares)


def joined(seeds: Sequence[int]) -> str:
    return ", ".join(str(seed) for seed in seeds)


def by_kind(cases: Sequence[Case]) -> str:
    kinds = sorted({kind for case in cases for run in case.runs for kind in run.senders.by_kind})
    head = "| kind | " + " | ".join(case.name for case in cases) + " |\n"
    head += "| --- |" + " --- |" * len(cases) + "\n"
    found = [dict(kinds_of(case)) for case in cases]
    rows = [
        f"| {kind} | " + " | ".join(f"{shares.get(kind, 0.0):.2f}" for shares in found) + " |"
        for kind in kinds
    ]
    return head + "\n".join(rows) + "\n"


def share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


CASE_MEASURES: dict[str, tuple[Callable[[CaseQuality, int], float], str]] = {
    "cases to decide in a workspace": (lambda sum_, runs: sum_.to_decide / runs, ""),
    "of those, planted": (lambda sum_, _: share(sum_.planted, sum_.to_decide), "≥ .80"),
    f"planted among the first {FIRST} of a workspace": (
        lambda sum_, runs: sum_.first_planted / runs,
        "≥ 18.5",
    ),
    "cases with incidents of different accounts": (
        lambda sum_, _: share(sum_.mixed, sum_.to_decide),
        "≤ .01",
    ),
    "incidents in more than one case": (
        lambda sum_, _: share(sum_.split, sum_.incidents),
        "≤ .03",
    ),
    "cases that rest on a harmless look-alike alone": (
        lambda sum_, runs: sum_.look_alikes / runs,
        "",
    ),
}
"""What is told of cases, from the sums over all runs, with its goal."""


def case_sums(case: Case) -> CaseQuality:
    """The cases of all runs together."""
    total = CaseQuality()
    for run in case.runs:
        total += run.cases
    return total


def cases_of(case: Case) -> list[tuple[str, float, str]]:
    """Each measure of cases, what was found over the runs, and its goal.

    Args:
        case: One kind of workspace.

    Returns:
        Triples in the order of the page; the goal in words, empty where there is none.
    """
    total = case_sums(case)
    return [
        (name, measure(total, len(case.runs)), goal)
        for name, (measure, goal) in CASE_MEASURES.items()
    ]


def by_case(cases: Sequence[Case]) -> str:
    head = "| measure | " + " | ".join(case.name for case in cases) + " | goal |\n"
    head += "| --- |" + " --- |" * (len(cases) + 1) + "\n"
    found = [cases_of(case) for case in cases]
    rows = [
        f"| {name} | " + " | ".join(f"{each[at][1]:.3f}" for each in found) + f" | {goal} |"
        for at, (name, (_, goal)) in enumerate(CASE_MEASURES.items())
    ]
    return head + "\n".join(rows) + "\n"


ALONE = "model alone: incidents found at 3 a day"
WITH_RULES = "with rules: incidents found"
ALWAYS = {"bad senders in the monthly top 30": 0.90, "resource incidents at 3 a day": 0.80}
GOALS = {
    (1.0, True): {ALONE: 0.92, WITH_RULES: 0.95, "average precision": 0.70, **ALWAYS},
    (0.5, True): {ALONE: 0.88, WITH_RULES: 0.92, "average precision": 0.62, **ALWAYS},
    (1.0, False): {WITH_RULES: 0.90},
    (0.5, False): {WITH_RULES: 0.85},
}


def measured_case(
    seeds: Sequence[int], *, strength: float = 1.0, marks: bool = True, people: int = 300
) -> Case:
    """Plant incidents in one workspace a seed and judge what is found.

    Args:
        seeds: One workspace each.
        strength: How far an incident departs from habit; one other than 1.0 and 0.5 has no goals.
        marks: Whether it is known which resources are sensitive.
        people: In each workspace.

    Returns:
        The workspaces' figures, and the goals of their kind.
    """
    named = {1.0: "Standard strength", 0.5: "Half strength"}
    name = named.get(strength, f"Strength {strength:g}")
    runs: list[IncidentRecall] = [
        measure_recall(seed, strength=strength, marks=marks, people=people) for seed in seeds
    ]
    return Case(
        name if marks else f"{name}, no sensitivity marks", GOALS.get((strength, marks), {}), runs
    )
