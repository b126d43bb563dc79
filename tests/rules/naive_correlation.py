"""A correlation engine in forty lines: every window looked at by itself, nothing clever."""

import math
import operator
from itertools import combinations, pairwise, product
from statistics import median

OPERATORS = {"lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge,
             "eq": operator.eq, "neq": operator.ne}  # fmt: skip


def quantile(values, share):
    values = sorted(values)
    place = (len(values) - 1) * share
    low = values[math.floor(place)]
    return low + (values[math.ceil(place)] - low) * (place - math.floor(place))


def in_order(window, slots):
    """Say whether some hits of these slots stand in the window at strictly rising times."""
    times = [[hit["time"] for hit in window if hit["slot"] == slot] for slot in slots]
    return any(all(a < b for a, b in pairwise(one)) for one in product(*times))


def metric(kind, window, percentile):
    values = [hit["value"] for hit in window if hit["value"] is not None]
    if kind == "event_count":
        return len({hit["row"] for hit in window})
    if kind == "value_count":
        return len(set(values))
    if not values:
        return None
    return {"value_sum": sum, "value_avg": lambda v: sum(v) / len(v), "value_median": median,
            "value_percentile": lambda v: quantile(v, percentile / 100)}[kind](values)  # fmt: skip


def qualifying(rule, hits, horizon):
    """Return the rows at which the correlation qualifies."""
    found = set()
    for hit in hits:
        same = [other for other in hits if other["group"] == hit["group"]]
        back = [o for o in same if hit["time"] - rule["span"] <= o["time"] <= hit["time"]]
        ahead = [o for o in same if hit["time"] <= o["time"] <= hit["time"] + rule["span"]]
        if holds(rule, hit, back, ahead, horizon):
            found.add(hit["row"])
    return found


def holds(rule, hit, back, ahead, horizon):
    kind, op, limit = rule["kind"], OPERATORS[rule["op"]], rule["limit"]
    if rule["terms"]:
        return any(term(rule, hit, back, ahead, horizon, *one) for one in rule["terms"])
    if kind == "temporal":
        return op(len({other["slot"] for other in back}), limit)
    if kind == "temporal_ordered":
        # The hit that completes the sequence must itself be its last stage.
        needed = limit + 1 if rule["op"] == "gt" else limit
        earlier = [o for o in back if o["time"] < hit["time"]]
        return any(hit["slot"] == chosen[-1] and in_order([*earlier, hit], chosen)
                   for chosen in combinations(range(rule["slots"]), max(1, needed)))  # fmt: skip
    value = metric(kind, back, rule["percentile"])
    return value is not None and op(round(value, 9), limit)


def term(rule, hit, back, ahead, horizon, present, absent):
    window = ahead if absent else back
    slots = {other["slot"] for other in window}
    if hit["slot"] not in present or not set(present) <= slots or set(absent) & slots:
        return False
    if absent and hit["time"] + rule["span"] > horizon:
        return False
    if rule["kind"] == "temporal_ordered" and len(present) > 1:
        if absent:
            return hit["slot"] == present[0] and in_order(
                [hit, *(o for o in ahead if o["time"] > hit["time"])], present)  # fmt: skip
        return hit["slot"] == present[-1] and in_order(
            [*(o for o in back if o["time"] < hit["time"]), hit], present)  # fmt: skip
    return True
