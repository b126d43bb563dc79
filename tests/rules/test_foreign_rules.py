"""Rules written for other products: the forms that public rule collections use all load."""

import json

import polars as pl
import pytest
from documents import rules_of

from auditlens import load_rules
from auditlens.errors import DocumentErrors, UsageError

HEAD = """
title: A foreign rule
id: 7a0d6f4e-11a5-4b0f-9e5c-2f9a5a5d7e01
status: test
date: 2021-01-01
modified: 2022/02/03
author: '@someone, somebody else (idea)'
logsource:
    product: windows
    category: process_creation
    definition: 'Requirements: command lines are logged'
"""
PLAIN = "\ndetection:\n    selection:\n        a: b\n    condition: selection\n"
TAILS = {
    "a list of mappings under a key of its own": "simulation:\n    - type: drill\n      name: x\n",
    "a path to regression data": "regression_tests_path: data/rules/x/info.yml\n",
    "related rules with comments": "related:\n    - id: 7a0d6f4e # old\n      type: obsolete\n",
    "a licence and a scope": "license: DRL-1.1\nscope:\n    - server\n",
    "a false positive with a colon": "falsepositives:\n    - Known tools: updaters, for one\n",
    "a folded false positive": "falsepositives:\n    - >-\n        One\n        and on\n",
    "a quoted date": "references:\n    - https://example.com/?a=b#c\n",
    "keys of three vendors": "enrichment:\n    - x\ncustom_attributes:\n    a: 1\nanalysis: none\n",
}
DETECTIONS = {
    "a keyword that is one text": {"k": "cap_setuid", "condition": "k"},
    "keywords that must all stand there": {"k": {"|all": [":179", "BADAUTH"]}, "condition": "k"},
    "a selection named as a key of metadata": {
        "selection1": {"a": "b"},
        "falsepositives": [{"a": "c"}, {"b|endswith": [".example"]}],
        "condition": "1 of selection* and not falsepositives",
    },
    "a field named keywords": {"s": {"keywords": ["a", "b"]}, "condition": "s"},
    "a value of invisible signs": {"s": {"a|contains": ["\u200b", "\ufeff"]}, "condition": "s"},
    "a sign that turns the writing": {"s": {"a|contains": "\u202e"}, "condition": "s"},
    "words and numbers in one list": {"s": {"a": ["deny", "drop", 3]}, "condition": "s"},
    "an empty text, null and a dash": {"s": {"a": ["", None, "-"], "b": "x"}, "condition": "s"},
    "fields with blanks and signs": {
        "s": {"Event ID": 4, "a.B-c{}.d": 1, "t[0].name": 5, "@x|exists": True},
        "condition": "s",
    },
    "numbers beyond 32 bits": {"s": {"a|gte": 1073741824, "b": 4294967295}, "condition": "s"},
    "a long repeat": {"s": {"a|re": "[^/]{100,}$", "b|re": ".{1000,}"}, "condition": "s"},
    "escapes that need none": {"s": {"a|re": r"foo[\/\\]bar\_\-\"\@\!\ \#"}, "condition": "s"},
    "many wildcards in a pattern": {"s": {"a|re": r"\+.*\+.*\+.*\+.*\+.*\+"}, "condition": "s"},
    "an empty alternative": {"s": {"a|re": r"cmd(?:\s|)\"set(?:\{\d\}){1,}"}, "condition": "s"},
    "a list of conditions": {"s": {"a": 1}, "t": {"b": 2}, "condition": ["s", "t"]},
    "brackets around quantifiers": {
        "s_a": {"a|gt": 0},
        "s_b": {"b|gte": 80},
        "f_a": {"a": 411},
        "condition": "(1 of s_a*) and (1 of s_b*) and not 1 of f_*",
    },
}


@pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS)
def test_metadata_of_foreign_rules_is_let_through(tail):
    """Keys and prose that this engine has no use for do no harm."""
    assert len(rules_of(HEAD + PLAIN + tail)) == 1


@pytest.mark.parametrize("detection", DETECTIONS.values(), ids=DETECTIONS)
def test_forms_of_foreign_detections_load_and_run(detection):
    """Each form loads and runs on a frame that has none, or some, of its columns."""
    text = json.dumps(
        {"title": "T", "logsource": {"category": "process_creation"}, "detection": detection}
    )
    held = rules_of(text)
    assert held.match(pl.DataFrame({"z": ["nothing of it"]})).height == 0


def test_a_colon_in_a_false_positive_is_kept_as_prose():
    """What YAML read as a mapping is shown as it was written; in a rule of ours it is a fault."""
    tail = "falsepositives:\n    - Known tools: updaters, for one\n"
    assert rules_of(HEAD + PLAIN + tail).rules[0].falsepositives == (
        "Known tools: updaters, for one",
    )
    with pytest.raises(DocumentErrors, match="must be a list of texts"):
        rules_of(HEAD.replace("windows", "secoda") + PLAIN + tail)


def test_five_thousand_values_in_one_list_are_one_rule():
    """The lists of file hashes that driver rules carry are neither too long nor slow to match."""
    values = [f"SHA256={n:064x}" for n in range(5_000)]
    held = rules_of(
        json.dumps({"title": "T", "logsource": {"category": "driver_load"},
                    "detection": {"s": {"Hashes|contains": values}, "condition": "s"}})
    )  # fmt: skip
    found = held.match(pl.DataFrame({"Hashes": [f"MD5=0,{values[4_321].lower()}", "SHA256=ff"]}))
    assert found["row"].to_list() == [0]


def test_what_stands_after_a_closing_line_is_no_rule(tmp_path):
    """A file may begin and end with ``---``; an empty file is still a fault."""
    path = tmp_path / "rule.yml"
    path.write_text("---\n" + HEAD + PLAIN + "---\n", encoding="utf-8")
    assert len(load_rules(path)) == 1
    path.write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="no rule here"):
        load_rules(path)


@pytest.mark.parametrize(
    ("detection", "reason"),
    [
        ({"s": {"a": 1}, "condition": "s | count(b) by c > 50"}, "old aggregation"),
        ({"s": {"a": 1}, "condition": "s | near t"}, "old aggregation"),
        ({"s": {"a": 1}, "timeframe": "5m", "condition": "s"}, "old aggregation"),
        ({"s": {"a|re": "x(?!.)"}, "condition": "s"}, "look-around"),
        ({"s_a": {"a": 1}, "condition": "all of s_b*"}, "no selection is called"),
        ({"s": {"a|expand": "%admins%"}, "condition": "s"}, "%admins% has no values"),
    ],
)
def test_what_no_longer_runs_is_refused_by_name(detection, reason):
    """Forms of retired rules are refused with their reason, never half understood."""
    text = json.dumps({"title": "T", "logsource": {"category": "x"}, "detection": detection})
    with pytest.raises(DocumentErrors, match=reason):
        rules_of(text)


def test_a_path_that_a_struct_does_not_hold_is_no_fault():
    """The field is missing there, at any depth."""
    text = HEAD + "detection: {s: {user.gone.name: x}, t: {user.name: ana}, condition: s or t}\n"
    frame = pl.DataFrame({"user": [{"name": "ana"}, {"name": "bo"}]})
    assert rules_of(text).match(frame)["row"].to_list() == [0]
