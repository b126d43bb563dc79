"""Measuring the model in the open: planted incidents, switched identities, steady noise."""

from auditlens.evaluate.faithful import Faithful, judge_reasons
from auditlens.evaluate.measures import Outcome, judge
from auditlens.evaluate.planted import DESIGN_SEEDS, REPORTED_SEEDS, Planted, plant
from auditlens.evaluate.prior import build_prior
from auditlens.evaluate.switch import Switched, judge_switch, switch_identities

__all__ = [
    "DESIGN_SEEDS",
    "REPORTED_SEEDS",
    "Faithful",
    "Outcome",
    "Planted",
    "Switched",
    "build_prior",
    "judge",
    "judge_reasons",
    "judge_switch",
    "plant",
    "switch_identities",
]
