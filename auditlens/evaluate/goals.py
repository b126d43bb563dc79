"""The kinds of workspace that are measured, and the goal of each measure."""

from __future__ import annotations

from collections.abc import Sequence

from auditlens.evaluate.page import Case
from auditlens.evaluate.planted import Planted, plant

__all__ = ["measured_case"]

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

    ``strength`` scales how far an incident departs from habit; without ``marks`` nothing says
    which resources are sensitive. A strength other than 1.0 and 0.5 has no goals.
    """
    named = {1.0: "Standard strength", 0.5: "Half strength"}
    name = named.get(strength, f"Strength {strength:g}")
    runs: list[Planted] = [
        plant(seed, strength=strength, marks=marks, people=people) for seed in seeds
    ]
    return Case(
        name if marks else f"{name}, no sensitivity marks", GOALS.get((strength, marks), {}), runs
    )
