"""The page of features, written from the code that makes them."""

from __future__ import annotations

from auditlens.anomalies.catalogue import FAMILIES, NOUNS, Feature
from auditlens.anomalies.channels import CHANNELS
from auditlens.anomalies.months import MONTH_COLUMNS, MONTH_COUNTS

__all__ = ["feature_page"]

OPENING = """# Features

Generated from the code (`python benchmarks/anomalies.py docs`); a test holds it current.

Baselines are causal: only days before the one that is scored form them. Logarithms are of one
more than the count. "Robust spread" is 1.4826 times the median absolute deviation plus 0.25.
Peers are the ten senders most alike in the resources they touched over the twelve weeks before
the week, learnt anew each week; with fewer than five of them the peer features are zero. A folder
is the container an event names, else its type. Likeness is a cosine.
"""

TITLES = {
    "sender-day": "Senders: the main model",
    "identity": "Senders: does the day look like someone else?",
    "resource-day": "Resources",
}


def feature_page() -> str:
    """Markdown: every model's features by family, then the counts reasons are told by."""
    parts = [OPENING]
    for channel in CHANNELS:
        parts.append(f"\n## {TITLES[channel.name]}\n")
        for family, meaning in FAMILIES.items():
            rows = [each for each in channel.features if each.family == family]
            if rows:
                parts.append(f"\n### {family}: {meaning}\n\n{table(rows)}")
    parts.append(months())
    counts = "\n".join(f"| `{name}` | {noun.split('|')[1]} |" for name, noun in NOUNS.items())
    parts.append(f"\n## Counts\n\n| count | what it counts |\n| --- | --- |\n{counts}\n")
    return "".join(parts)


def months() -> str:
    lines = "\n".join(f"| `{name}` | {meaning} |" for name, meaning in MONTH_COLUMNS.items())
    sums = ", ".join(f"`{name}`" for name in MONTH_COUNTS)
    return (
        "\n## Sender-months\n\n`sender_months(sender_days)` adds days up; it has no model of its "
        f"own.\n\n| column | definition |\n| --- | --- |\n{lines}\n\nBeside them stand the sums "
        f"of {sums}.\n"
    )


def table(rows: list[Feature]) -> str:
    lines = "\n".join(f"| `{each.name}` | {each.definition} | `{each.count}` |" for each in rows)
    return f"| feature | definition | told by |\n| --- | --- | --- |\n{lines}\n"
