"""Small logs and the features that follow from them, worked out by hand."""

from __future__ import annotations

from tests.anomalies.worked import habits, limits, own_days, resources, slow, teams
from tests.anomalies.worked.log import Case

ALL: tuple[Case, ...] = tuple(
    value
    for module in (own_days, habits, teams, slow, resources, limits)
    for value in vars(module).values()
    if isinstance(value, Case)
)
