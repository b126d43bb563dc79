"""``rules coverage``: the ATT&CK techniques and framework clauses that rules speak to.

The part of MITRE ATT&CK (version 19) that shows in an audit log stands here as a table, so that
tags can be checked without a network. Version 19 renumbered Impair Defenses (T1562), which is
now T1685 and T1686, and made two tactics of Defense Evasion.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from auditlens.rules.ruleset import RuleSet
from auditlens.text import count

__all__ = [
    "ATTACK_VERSION",
    "REPLACED",
    "TACTICS",
    "TECHNIQUES",
    "attack_map",
    "framework_map",
    "navigator_layer",
]

WEIGHT = {"informational": 1, "low": 2, "medium": 3, "high": 4, "critical": 5}


def attack_map(rules: RuleSet) -> pl.DataFrame:
    """Map enabled rules to ATT&CK techniques.

    Args:
        rules: The rules whose ``attack.`` tags count.

    Returns:
        One row a technique, sorted: ``technique`` (id), ``name``, ``tactics`` and ``rules``
        (lists of String; ``rules`` names those that carry its tag).
    """
    rows: dict[str, list[str]] = {}
    for rule in rules.rules:
        for tag in rule.tags if rule.enabled else ():
            name = tag.removeprefix("attack.").lower()
            if name in TECHNIQUES:
                rows.setdefault(name, []).append(rule.name)
    return pl.DataFrame(
        [
            {
                "technique": name.upper(),
                "name": TECHNIQUES[name][0],
                "tactics": list(TECHNIQUES[name][1]),
                "rules": sorted(found),
            }
            for name, found in sorted(rows.items())
        ],
        schema={
            "technique": pl.String,
            "name": pl.String,
            "tactics": pl.List(pl.String),
            "rules": pl.List(pl.String),
        },
    )


def framework_map(rules: RuleSet) -> pl.DataFrame:
    """Map rules to the clauses of frameworks they cite.

    Args:
        rules: The rules whose ``controls`` count, on or off.

    Returns:
        One row a clause, sorted: ``framework``, ``clause``, ``rules`` and ``off`` (lists of
        String: the names of those that are on, and of those that are off).
    """
    rows: dict[tuple[str, str], tuple[list[str], list[str]]] = {}
    for rule in rules.rules:
        for control in rule.controls:
            framework, _, clause = control.partition(":")
            on, off = rows.setdefault((framework, clause), ([], []))
            (on if rule.enabled else off).append(rule.name)
    return pl.DataFrame(
        [
            {"framework": key[0], "clause": key[1], "rules": sorted(on), "off": sorted(off)}
            for key, (on, off) in sorted(rows.items())
        ],
        schema={
            "framework": pl.String,
            "clause": pl.String,
            "rules": pl.List(pl.String),
            "off": pl.List(pl.String),
        },
    )


def navigator_layer(rules: RuleSet, *, name: str = "AuditLens rules") -> dict[str, Any]:
    """A layer for ATT&CK Navigator: a technique's score is that of its gravest rule.

    Args:
        rules: The rules whose ``attack.`` tags count.
        name: The layer's name.

    Returns:
        The layer as its JSON has it, in version 4.5 of the format; scores are from 1 to 5.
    """
    techniques = []
    for row in attack_map(rules).iter_rows(named=True):
        found = [rules[one] for one in row["rules"]]
        techniques.append(
            {
                "techniqueID": row["technique"],
                "score": max(WEIGHT[rule.level] for rule in found),
                "comment": "; ".join(rule.title for rule in found),
                "enabled": True,
            }
        )
    return {
        "name": name,
        "versions": {"attack": ATTACK_VERSION, "navigator": "5.1.0", "layer": "4.5"},
        "domain": "enterprise-attack",
        "description": f"{count(len(rules), 'rule')}, digest {rules.digest[:12]}",
        "techniques": techniques,
        "gradient": {"colors": ["#d9e8f5", "#08519c"], "minValue": 1, "maxValue": 5},
    }


ATTACK_VERSION = "19"

TACTICS = frozenset(
    {"reconnaissance", "resource-development", "initial-access", "execution", "persistence",
     "privilege-escalation", "stealth", "defense-impairment", "credential-access", "discovery",
     "lateral-movement", "collection", "command-and-control", "exfiltration", "impact"}
)  # fmt: skip

TECHNIQUES = {
    "t1020": ("Automated Exfiltration", ("exfiltration",)),
    "t1048": ("Exfiltration Over Alternative Protocol", ("exfiltration",)),
    "t1059": ("Command and Scripting Interpreter", ("execution",)),
    "t1069.003": ("Cloud Groups", ("discovery",)),
    "t1078": ("Valid Accounts",
              ("initial-access", "persistence", "privilege-escalation", "stealth")),
    "t1078.001": ("Default Accounts",
                  ("initial-access", "persistence", "privilege-escalation", "stealth")),
    "t1078.004": ("Cloud Accounts",
                  ("initial-access", "persistence", "privilege-escalation", "stealth")),
    "t1087.004": ("Cloud Account", ("discovery",)),
    "t1098": ("Account Manipulation", ("persistence", "privilege-escalation")),
    "t1098.001": ("Additional Cloud Credentials", ("persistence", "privilege-escalation")),
    "t1098.003": ("Additional Cloud Roles", ("persistence", "privilege-escalation")),
    "t1098.007": ("Additional Local or Domain Groups", ("persistence", "privilege-escalation")),
    "t1110": ("Brute Force", ("credential-access",)),
    "t1110.001": ("Password Guessing", ("credential-access",)),
    "t1110.003": ("Password Spraying", ("credential-access",)),
    "t1110.004": ("Credential Stuffing", ("credential-access",)),
    "t1119": ("Automated Collection", ("collection",)),
    "t1136": ("Create Account", ("persistence",)),
    "t1136.003": ("Cloud Account", ("persistence",)),
    "t1190": ("Exploit Public-Facing Application", ("initial-access",)),
    "t1199": ("Trusted Relationship", ("initial-access",)),
    "t1213": ("Data from Information Repositories", ("collection",)),
    "t1484": ("Domain or Tenant Policy Modification",
              ("privilege-escalation", "defense-impairment")),
    "t1484.002": ("Trust Modification", ("privilege-escalation", "defense-impairment")),
    "t1485": ("Data Destruction", ("impact",)),
    "t1486": ("Data Encrypted for Impact", ("impact",)),
    "t1489": ("Service Stop", ("impact",)),
    "t1490": ("Inhibit System Recovery", ("impact",)),
    "t1496": ("Resource Hijacking", ("impact",)),
    "t1526": ("Cloud Service Discovery", ("discovery",)),
    "t1528": ("Steal Application Access Token", ("credential-access",)),
    "t1530": ("Data from Cloud Storage", ("collection",)),
    "t1531": ("Account Access Removal", ("impact",)),
    "t1537": ("Transfer Data to Cloud Account", ("exfiltration",)),
    "t1538": ("Cloud Service Dashboard", ("discovery",)),
    "t1548": ("Abuse Elevation Control Mechanism", ("privilege-escalation",)),
    "t1550.001": ("Application Access Token", ("lateral-movement", "stealth")),
    "t1552": ("Unsecured Credentials", ("credential-access",)),
    "t1552.005": ("Cloud Instance Metadata API", ("credential-access",)),
    "t1552.007": ("Container API", ("credential-access",)),
    "t1555.006": ("Cloud Secrets Management Stores", ("credential-access",)),
    "t1556": ("Modify Authentication Process",
              ("credential-access", "persistence", "defense-impairment")),
    "t1556.006": ("Multi-Factor Authentication",
                  ("credential-access", "persistence", "defense-impairment")),
    "t1556.009": ("Conditional Access Policies",
                  ("credential-access", "persistence", "defense-impairment")),
    "t1565": ("Data Manipulation", ("impact",)),
    "t1565.001": ("Stored Data Manipulation", ("impact",)),
    "t1566": ("Phishing", ("initial-access",)),
    "t1567": ("Exfiltration Over Web Service", ("exfiltration",)),
    "t1578": ("Modify Cloud Compute Infrastructure", ("stealth", "defense-impairment")),
    "t1580": ("Cloud Infrastructure Discovery", ("discovery",)),
    "t1606": ("Forge Web Credentials", ("credential-access",)),
    "t1619": ("Cloud Storage Object Discovery", ("discovery",)),
    "t1621": ("Multi-Factor Authentication Request Generation", ("credential-access",)),
    "t1648": ("Serverless Execution", ("execution",)),
    "t1651": ("Cloud Administration Command", ("execution",)),
    "t1685": ("Disable or Modify Tools", ("defense-impairment",)),
    "t1685.002": ("Disable or Modify Cloud Log", ("defense-impairment",)),
    "t1686": ("Disable or Modify System Firewall", ("defense-impairment",)),
    "t1686.001": ("Cloud Firewall", ("defense-impairment",)),
}  # fmt: skip
"""Id (as in a Sigma tag, without ``attack.``) to name and tactics."""

REPLACED = {
    "t1562": "t1685",
    "t1562.001": "t1685",
    "t1562.007": "t1686.001",
    "t1562.008": "t1685.002",
    "defense-evasion": "stealth or defense-impairment",
}
"""What older rules still write, and what stands for it now."""
