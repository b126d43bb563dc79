"""``rules new``: a rule and its tests, to start from."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from uuid import uuid4

from auditlens.errors import UsageError

__all__ = ["PLACEHOLDERS", "PLACEHOLDER_FIXES", "draft_rule"]

NAME = re.compile(r"[a-z][a-z0-9_]{8,68}[a-z0-9]")

PLACEHOLDERS = {
    "id": ("00000000-0000-4000-8000-000000000000",),
    "description": ("Detects ...",),
    "author": ("Your Name",),
}
"""What templates hold for an author to replace; a rule that still has it is not finished."""

PLACEHOLDER_FIXES = {
    "id": "Give it a new UUID (version 4)",
    "description": "Say in a sentence what the rule detects",
    "author": "Write who keeps the rule",
}

HEAD = """\
title: {title}
id: {id}
name: {name}
status: experimental
description: Detects ...
references:
    - https://docs.secoda.co/features/audit-log
author: Your Name
date: {today}
"""

BODIES = {
    "rule": """\
logsource:
    product: secoda
    service: audit
detection:
    selection:
        action: 'resource_deleted'
    filter_main_machines:
        sender.kind:
            - 'system'
            - 'automation'
            - 'monitor'
    condition: selection and not 1 of filter_main_*
falsepositives:
    - Unknown
level: medium
""",
    "correlation": """\
correlation:
    type: event_count
    rules:
        - secoda_resource_deleted
    group-by:
        - sender.id
    timespan: 10m
    condition:
        gte: 20
falsepositives:
    - Unknown
level: medium
""",
    "behaviour": """\
behaviour:
    type: first_seen
    rules:
        - secoda_resource_deleted
    group-by:
        - sender.id
    field: entity_type
    active-days: 10
falsepositives:
    - Unknown
level: low
""",
}

EXTRA = """\
auditlens:
    data: A
    reason: '{{subject}} deleted {{resources|resource}}'
    phrase: 'deleted {{resources|resource}}'
    controls:
        - SOC2:CC7.2
"""

TESTS = """\
rule: {name}
tests:
    - name: it happens
      expect: match
      events:
          - {{offset: 0s, event: {{action: resource_deleted, sender: {{id: 'u-1', kind: user}}}}}}
    - name: something else happens
      expect: no_match
      events:
          - {{offset: 0s, event: {{action: restored, sender: {{id: 'u-1', kind: user}}}}}}
"""


def draft_rule(
    name: str, folder: Path, *, kind: str = "rule", title: str = "", today: date | None = None
) -> tuple[Path, Path]:
    """Write a rule and its tests to start from.

    Args:
        name: 10 to 70 small letters, digits and underscores.
        folder: Where to write; made if it is not there.
        kind: ``rule``, ``correlation`` or ``behaviour``.
        title: What a finding is called; empty = made from the name.
        today: The rule's date; None = the author's own day.

    Returns:
        The paths of the rule and of its tests.

    Raises:
        UsageError: For another kind or name, and for a file that is there already.
    """
    if kind not in BODIES:
        raise UsageError(f"No kind of rule is called {kind!r}", fix=f"Use {', '.join(BODIES)}")
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is not a name for a rule",
            fix="Use 10 to 70 small letters, digits and underscores: secoda_tag_removed",
        )
    path = folder / (f"{name}.behaviour.yml" if kind == "behaviour" else f"{name}.yml")
    tests = path.with_name(f"{path.stem}.test.yml")
    for one in (path, tests):
        if one.exists():
            raise UsageError(f"{one} is there already", fix="Choose another name")
    values = {
        "title": title or name.replace("_", " ").title(),
        "id": str(uuid4()),
        "name": name,
        "today": (today or date.today()).isoformat(),  # noqa: DTZ011 - the author's own day
    }
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(HEAD.format(**values) + BODIES[kind] + EXTRA.format(**values), encoding="utf-8")
    tests.write_text(TESTS.format(**values), encoding="utf-8")
    return path, tests
