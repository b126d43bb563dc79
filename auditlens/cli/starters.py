"""What ``init`` writes to start from: settings, a rule of one's own with its tests, a journal."""

from __future__ import annotations

from pathlib import Path

__all__ = ["EXCEPTION", "IGNORED", "RULES", "SETTINGS", "starter_files"]

RULES = "rules"

SETTINGS = """\
# AuditLens settings. Flags and AUDITLENS_* variables stand above this file.
# The key is not written here: export SECODA_API_KEY.

api_url = {api_url}
archive = "archive"
timezone = {timezone}
reviewer = {reviewer}
# Rules of your own, read beside the shipped ones.
{own_rules}
# Who is told of a new report; docs/notifications.md has every kind.
# [notify.team]
# kind = "slack"
# url_env = "SLACK_WEBHOOK_URL"

# What your rules call %approved_domains% and so on.
[placeholders]
approved_domains = []
provisioning_accounts = []
"""

IGNORED = """\
# Secrets stay here. triage.yml and signed/ belong into git, with the archive or apart from it.
auditlens.env
"""

RULE = """\
# A rule of your own, to start from. It is off: take the lines 'enabled' and 'needs' out to switch
# it on. 'auditlens rules test rules' runs its tests, 'auditlens rules new' writes another rule.
title: Resource Deleted at Night
id: 4f0a1d3e-8a53-4c0c-9d5e-6b1f27c9a310
name: our_night_deletion
status: experimental
description: Detects a person who deletes a resource between 22:00 and 06:00 UTC
references:
    - https://docs.secoda.co/features/audit-log
author: You
date: 2026-11-23
logsource:
    product: secoda
    service: audit
detection:
    selection:
        action: 'resource_deleted'
        sender.kind: 'user'
    night:
        created_at|hour:
            - 22
            - 23
            - 0
            - 1
            - 2
            - 3
            - 4
            - 5
    condition: selection and night
falsepositives:
    - Colleagues in another time zone
level: medium
auditlens:
    enabled: false
    needs: it is an example
    data: A
    reason: '{subject} deleted {resources} resource(s) at night'
    controls:
        - SOC2:CC7.2
"""

TESTS = """\
# One case that must match and one that must not; an offset counts from a Wednesday, 10:00 UTC.
rule: our_night_deletion
tests:
    - name: at eleven in the evening
      expect: match
      events:
          - {offset: 13h,
             event: {action: resource_deleted, sender: {id: 'u-1', kind: user}, resource_id: 'r-1'}}
    - name: at ten in the morning
      expect: no_match
      events:
          - {offset: 0s,
             event: {action: resource_deleted, sender: {id: 'u-1', kind: user}, resource_id: 'r-1'}}
    - name: at night, by a machine
      expect: no_match
      events:
          - {offset: 13h,
             event: {action: resource_deleted, sender: {id: 's-1', kind: api}, resource_id: 'r-1'}}
"""

EXCEPTION = (
    '- {exception: "X-1", rule: "mass_delete", sender: "u-17", owner: "Ana Birch", '
    'approver: "Bo Larch", reason: "migration", at: "2026-11-02T09:40:00Z", until: "2027-01-31"}'
)
JOURNAL = f"""\
# Triage journal: decisions and exceptions, one line an entry, only ever added to.
# 'auditlens triage' and 'auditlens exceptions add' write here; lines by hand count the same:
# {EXCEPTION}
"""


def starter_files(folder: Path) -> tuple[dict[str, str], bool]:
    """Files that are not there yet, by name, and whether ``rules`` is a folder for one's rules.

    A folder of that name that somebody else filled is left alone.
    """
    example = f"{RULES}/our_night_deletion.yml"
    ours = not (folder / RULES).exists() or (folder / example).is_file()
    files = {"triage.yml": JOURNAL, ".gitignore": IGNORED}
    if ours:
        files = {example: RULE, f"{RULES}/our_night_deletion.test.yml": TESTS} | files
    return {name: text for name, text in files.items() if not (folder / name).exists()}, ours
