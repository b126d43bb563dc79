"""Explains rules in plain English: what exactly matches, and what does not."""

from __future__ import annotations

from auditlens.rules.condition import (
    And,
    Bound,
    Exists,
    Flag,
    Keyword,
    Leaf,
    Match,
    Moment,
    Network,
    Node,
    Not,
    Null,
    Number,
    Or,
    Pattern,
    Reference,
    Text,
    Value,
    Wild,
)
from auditlens.rules.rule import Behaviour, Correlation, Detection, Rule
from auditlens.rules.ruleset import RuleSet

__all__ = ["explain_rule", "leaf_words", "span_words"]

COMPARISONS = {
    "lt": "below", "lte": "at most", "gt": "above", "gte": "at least", "eq": "exactly",
    "neq": "other than",
}  # fmt: skip
METRICS = {
    "event_count": "the number of events",
    "value_count": "the number of different values of {field}",
    "value_sum": "the sum of {field}",
    "value_avg": "the average of {field}",
    "value_median": "the median of {field}",
    "value_percentile": "the {percentile:g}th percentile of {field}",
}
UNITS = (("week", 604_800), ("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


def explain_rule(rules: RuleSet, key: str) -> str:
    """Explain a rule and all it is built on, in plain English.

    Args:
        rules: The set it stands in.
        key: Its id, name or title.

    Returns:
        A paragraph a rule, the rule itself first.

    Raises:
        KeyError: When there is no such rule.
    """
    seen: list[Rule] = []
    queue = [rules[key]]
    while queue:
        rule = queue.pop(0)
        if rule not in seen:
            seen.append(rule)
            queue.extend(rules[ref] for ref in rule.references_to)
    return "\n\n".join(paragraph(rules, rule) for rule in seen)


def paragraph(rules: RuleSet, rule: Rule) -> str:
    head = f"{rule.title} ({rule.name}, {rule.level})"
    if not rule.enabled:
        head += f"\n  Off: {rule.reason_off}."
    if rule.id in rules.internal:
        head += "\n  Not reported by itself: it feeds other rules."
    body = rule.body
    if isinstance(body, Detection):
        text = detection_words(body)
    elif isinstance(body, Correlation):
        text = correlation_words(rules, body)
    else:
        text = behaviour_words(rules, body)
    return f"{head}\n{text}"


def detection_words(body: Detection) -> str:
    lines = ["  An event matches when", *indented(body.condition, 2)]
    if body.filters:
        lines.append(f"  Filters joined to it: {', '.join(body.filters)}.")
    return "\n".join(lines)


def indented(node: Node, depth: int) -> list[str]:
    """Write a tree as an outline, one test a line."""
    pad = "  " * depth
    if isinstance(node, Not):
        inner = node.child
        if isinstance(inner, And | Or) and (merged := alike_words(inner)) is not None:
            return [f"{pad}- it is not so that {merged}"]
        if isinstance(inner, And | Or):
            word = "not all of these hold:" if isinstance(inner, And) else "none of these holds:"
            children = [line for child in inner.children for line in indented(child, depth + 1)]
            return [f"{pad}- {word}", *children]
        if isinstance(inner, Not):
            return indented(inner.child, depth)
        return [f"{pad}- it is not so that {leaf_words(inner)}{missing(inner)}"]
    if isinstance(node, And | Or):
        word = "all of these hold:" if isinstance(node, And) else "at least one of these holds:"
        if (merged := alike_words(node)) is not None:
            return [f"{pad}- {merged}"]
        children = [line for child in node.children for line in indented(child, depth + 1)]
        return [f"{pad}- {word}", *children]
    return [f"{pad}- {leaf_words(node)}"]


def missing(leaf: Leaf) -> str:
    if isinstance(leaf, Match) and not isinstance(leaf.value, Null | Exists):
        return f" (an event without {leaf.field} passes)"
    return ""


def alike_words(node: And | Or) -> str | None:
    """Put the values of one field in one line, where all are tests of one form."""
    matches = [one for one in node.children if isinstance(one, Match)]
    if len(matches) != len(node.children) or len({one.field for one in matches}) != 1:
        return None
    forms = {value_words(one.value)[0] for one in matches}
    if len(forms) != 1:
        return None
    values = [value_words(one.value)[1] for one in matches]
    joiner = " or " if isinstance(node, Or) else " and "
    listed = ", ".join(values[:-1]) + joiner + values[-1]
    return f"{matches[0].field} {forms.pop()} {listed}"


def leaf_words(leaf: Leaf) -> str:
    """Put one test in words."""
    if isinstance(leaf, Keyword):
        return f"some text of the event contains {value_words(leaf.value)[1]}"
    form, value = value_words(leaf.value)
    return f"{leaf.field} {form} {value}".rstrip()


def value_words(value: Value) -> tuple[str, str]:
    match value:
        case Text():
            return text_words(value)
        case Number() | Flag():
            return "is", str(value.value).lower()
        case Null():
            return "is empty or missing", ""
        case Exists():
            return ("is present", "") if value.present else ("is missing", "")
        case Pattern():
            flags = f" (flags {value.flags})" if value.flags else ""
            return "matches the pattern", f"{value.regex}{flags}"
        case Network():
            return "is an address in", value.cidr
        case Reference():
            verb = {"equals": "is the same as", "contains": "contains"}.get(value.how)
            return verb or f"{value.how[:-4]}s with", value.field
        case Bound():
            return f"is {COMPARISONS[value.op]}", f"{value.value:g}"
        case Moment():
            return f"falls in a {value.part} that is {COMPARISONS[value.op]}", f"{value.value:g}"
    raise TypeError(value)


def text_words(text: Text) -> tuple[str, str]:
    exact = ", in exactly this case" if text.cased else ""
    match text.parts:
        case ():
            return "is", "the empty text"
        case (Wild.MANY,):
            return "has", "any text"
        case (str(word),):
            return "is", f"'{word}'{exact}"
        case (Wild.MANY, str(word), Wild.MANY):
            return "contains", f"'{word}'{exact}"
        case (str(word), Wild.MANY):
            return "starts with", f"'{word}'{exact}"
        case (Wild.MANY, str(word)):
            return "ends with", f"'{word}'{exact}"
    return "is like", f"'{text}'{exact} (* any text, ? one character)"


def span_words(seconds: int) -> str:
    """Write a span in the largest unit that divides it."""
    for name, size in UNITS:
        if seconds % size == 0:
            count = seconds // size
            return f"{count} {name}{'' if count == 1 else 's'}"
    return f"{seconds} seconds"


def titles(rules: RuleSet, ids: tuple[str, ...], joiner: str) -> str:
    named = [f"'{rules[one].title}'" for one in ids]
    return named[0] if len(named) == 1 else ", ".join(named[:-1]) + joiner + named[-1]


def group_words(group_by: tuple[str, ...]) -> str:
    return f"with the same {' and '.join(group_by)}" if group_by else "over the whole log"


def correlation_words(rules: RuleSet, body: Correlation) -> str:
    """Describe the window, what is measured, and the limit."""
    span, group = span_words(body.seconds), group_words(body.group_by)
    if body.terms:
        found = [term_words(rules, body, *term) for term in body.terms]
        return f"  An episode is found {group} when " + ", or when ".join(found) + "."
    assert body.threshold is not None
    limit = f"{COMPARISONS[body.threshold.op]} {body.threshold.value:g}"
    if body.type.startswith("temporal"):
        order = " one after the other in this order" if body.type == "temporal_ordered" else ""
        return (f"  An episode is found {group} when, within {span}, {limit} of the rules "
                f"{titles(rules, body.rules, ' and ')} match{order}.")  # fmt: skip
    metric = METRICS[body.type].format(
        field=" and ".join(body.threshold.fields), percentile=body.threshold.percentile or 0
    )
    return (f"  An episode is found when, within {span} up to a matching event, {metric} {group} "
            f"is {limit}.\n  Counted are events of {titles(rules, body.rules, ' or ')}. Windows "
            "that touch are one episode.")  # fmt: skip


def term_words(
    rules: RuleSet, body: Correlation, present: tuple[str, ...], absent: tuple[str, ...]
) -> str:
    order = " in this order" if body.type == "temporal_ordered" and len(present) > 1 else ""
    text = f"{titles(rules, present, ' and ')} occur{order} within {span_words(body.seconds)}"
    return f"{text} and {titles(rules, absent, ' and ')} does not follow" if absent else text


def behaviour_words(rules: RuleSet, body: Behaviour) -> str:
    """Describe what counts as odd, and when there is too little past to say."""
    watched, group = titles(rules, body.rules, " or "), group_words(body.group_by)
    given = body.settings
    spans = {k: span_words(v) for k, v in given.items() if isinstance(v, int) and v >= 60}
    memory = f"in the {spans['history']} before" if "history" in spans else "before on record"
    if body.type == "first_seen":
        what = (f"an event of {watched} {group} has a value of {' with '.join(given['fields'])} "  # type: ignore[arg-type]
                f"not met {memory}")  # fmt: skip
    elif body.type == "dormant_return":
        what = (f"an event of {watched} {group} comes after {spans['idle']} or more without one "
                f"and more than {given['factor']:g} times its longest gap before")  # fmt: skip
    elif body.type == "off_hours":
        what = (f"an event of {watched} {group} falls in an {given['slots']} that holds, with all "
                f"those that are no likelier, at most {given['tail']:.3g} of its activity "
                f"{memory}")  # fmt: skip
    elif body.type == "deviation":
        what = deviation_words(body, watched, group)
    else:
        what = (
            f"nothing of {watched} {group} is heard for more than {spans['for']} and for more "
            f"than {given['factor']:g} times the longest gap of the {spans['history']} before"
        )
    least = []
    if given.get("active-days"):
        least.append(f"{given['active-days']} active days")
    if given.get("min-intervals"):
        least.append(f"{given['min-intervals']} intervals")
    if given.get("min-history"):
        least.append(span_words(given["min-history"]))  # type: ignore[arg-type]
    past = f" (less than {' and '.join(least)} before)" if least else ""
    return (
        f"  A finding is made when {what}.\n"
        f"  Where the past is too short to judge{past}, it is learning."
    )


def deviation_words(body: Behaviour, watched: str, group: str) -> str:
    given = body.settings
    unit = {"1d": "a day", "1h": "an hour"}[str(given["bucket"])]
    measure = "events"
    if given["measure"] == "distinct":
        measure = f"different values of {' and '.join(given['field'])}"  # type: ignore[arg-type]
    base = (
        "its own past" if given["baseline"] == "own" else f"others with the same {given['peer-by']}"
    )
    return (f"{unit} of {watched} {group} has at least {given['at-least']} {measure} and lies more "
            f"than {given['factor']:g} spreads above the median of {base}")  # fmt: skip
