"""The tables of docs/rules-pack.md, made from the shipped rules (``python3 dev docs``)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from auditlens.rules import RuleSet, load_rules

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "rules-pack.md"
BEGIN = "<!-- rules: begin (written by tests/docs/rules_pack.py) -->\n"
END = "<!-- rules: end -->\n"
PRODUCTS = {"secoda": "Secoda", "cloudtrail": "AWS CloudTrail"}
LEVELS = ("critical", "high", "medium", "low", "informational")


def theme(rule) -> str:
    """The folder a rule lies in."""
    return rule.path.parent.name


def is_input(rule) -> bool:
    """Whether a rule only feeds others."""
    return rule.level == "informational"


def counts(rules: RuleSet) -> str:
    """How many rules there are, by what they are for."""
    reported = [rule for rule in rules.rules if not is_input(rule)]
    kinds = Counter(rule.kind for rule in rules.rules)
    off = [rule for rule in rules.rules if not rule.enabled]
    return (
        f"{len(rules)} rules: {len(reported)} make findings, {len(rules) - len(reported)} feed "
        f"them. {kinds['rule']} look at single events, {kinds['correlation']} at windows, "
        f"{kinds['behaviour']} at habits. {len(off)} are off as shipped.\n"
    )


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def techniques(rule) -> str:
    tags = [tag.removeprefix("attack.").upper() for tag in rule.tags]
    return ", ".join(tag for tag in tags if tag[:2].startswith("T") and tag[1].isdigit()) or "-"


def reported_table(rules: RuleSet, folder: str) -> str:
    """The rules of one theme that make findings, gravest first."""
    found = [rule for rule in rules.rules if theme(rule) == folder and not is_input(rule)]
    found.sort(key=lambda rule: (LEVELS.index(rule.level), rule.name))
    lines = ["| rule | level | data | what it finds | ATT&CK | clauses |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for rule in found:
        off = "" if rule.enabled else " (off)"
        what = cell(rule.description.removeprefix("Detects "))
        clauses = ", ".join(rule.controls)
        lines.append(
            f"| {cell(rule.title)} `{rule.name}` | {rule.level}{off} | {rule.data} | {what} "
            f"| {techniques(rule)} | {clauses} |"
        )
    return "\n".join(lines) + "\n"


def off_table(rules: RuleSet) -> str:
    """The rules that are off, each with what it lacks."""
    lines = ["| rule | needs |", "| --- | --- |"]
    lines += [f"| `{r.name}` | {cell(r.reason_off)} |" for r in rules.rules if not r.enabled]
    return "\n".join(lines) + "\n"


def input_table(rules: RuleSet) -> str:
    """The rules that feed others."""
    lines = ["| rule | what it finds |", "| --- | --- |"]
    for rule in sorted(rules.rules, key=lambda rule: (theme(rule), rule.name)):
        if is_input(rule):
            what = rule.description.removeprefix("Detects ")
            lines.append(f"| `{rule.name}` | {cell(what)} |")
    return "\n".join(lines) + "\n"


def tables() -> str:
    """Everything between the markers."""
    parts = []
    for product, name in PRODUCTS.items():
        rules = load_rules(product=product)
        parts.append(f"## {name}\n\n{counts(rules)}")
        folders = sorted({theme(rule) for rule in rules.rules if not is_input(rule)})
        parts += [f"### {name}: {one}\n\n{reported_table(rules, one)}" for one in folders]
        if any(not rule.enabled for rule in rules.rules):
            parts.append(f"### {name}: off as shipped\n\n{off_table(rules)}")
        parts.append(f"### {name}: inputs\n\n{input_table(rules)}")
    return "\n".join(parts)


def with_tables(page: str) -> str:
    """A page with the section between the two markers written anew."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{tables()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
