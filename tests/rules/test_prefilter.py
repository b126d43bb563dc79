"""However rules are put together and whatever is read first, each selects the same rows."""

import json
import random

import polars as pl
import pytest
from documents import log, rules_of

# How rows are chosen must not show in the hits, so it is looked at from inside.
from auditlens.rules import prefilter
from auditlens.rules.dictionary import rows_mentioning

NAMES = ["CreateUser", "createuser", "DeleteUser", "Get\\u0055ser", "", None]
DETECTIONS = [
    {"s": {"eventName": "CreateUser"}, "condition": "s"},
    {"s": {"eventName": ["CreateUser", "DeleteUser"], "userIdentity.type": "Root"},
     "condition": "s"},
    {"s": {"eventName|startswith": "Get"}, "condition": "s"},
    {"s": {"eventName": None}, "condition": "s"},
    {"s": {"eventName|exists": True}, "t": {"userIdentity.type": "Root"},
     "condition": "s and not t"},
    {"k": ["CreateUser"], "t": {"eventName|contains": "user"}, "condition": "k or not t"},
    {"s": {"eventName|fieldref": "userIdentity.type"}, "condition": "not s"},
]  # fmt: skip


def rules():
    return rules_of(
        *(
            json.dumps({"title": f"T{n}", "name": f"t{n}", "logsource": {"product": "test"},
                        "detection": detection})
            for n, detection in enumerate(DETECTIONS)
        )
    )  # fmt: skip


def record(rng):
    name = rng.choice(NAMES)
    parts = {"eventName": name, "userIdentity": {"type": rng.choice(["Root", "User", name])}}
    if rng.random() < 0.2:
        del parts["eventName"]
    return json.dumps(parts).replace("\\\\u", "\\u").replace('"eventName"', rng.choice(
        ['"eventName"', '"event\\u004eame"']))  # fmt: skip


@pytest.mark.parametrize("small", [0, 1 << 16])
def test_fields_lifted_out_of_records_change_no_hit(monkeypatch, small):
    """A field that many rules ask for is read once; keywords still search the record alone."""
    rng = random.Random(5)
    frame = log(*((n, "u", {"metadata": record(rng)}) for n in range(600)))
    monkeypatch.setattr(prefilter, "SMALL", small)
    lifted = rules().match(frame)
    assert lifted["rule_id"].n_unique() == len(DETECTIONS)
    asked = prefilter.fields_by_demand([rule.body.condition for rule in rules().rules])
    assert "eventName" in prefilter.extract_json_columns(frame, asked).columns
    monkeypatch.setattr(prefilter, "OFTEN", 10**6)
    assert "eventName" not in prefilter.extract_json_columns(frame, asked).columns
    assert rules().match(frame).equals(lifted)


def test_texts_that_cannot_hold_a_path_are_not_read_as_json():
    """The steps must be named, in order; an escape may write any of them."""
    texts = pl.Series([
        '{"a": {"b": 1}}', '{"a": {"c": 1}, "x": {"b": 1}}', '{"x": {"b": 1}, "a": {"c": 1}}',
        '{"b": {"a": 1}}', '{"\\u0061": {"b": 1}}', None, '{"a":\n{"b": 1}}',
    ])  # fmt: skip
    assert rows_mentioning(texts, ["a.b"]).to_list() == [0, 1, 4, 6]
    assert rows_mentioning(texts, ["metadata.a.b"]).to_list() == [0, 1, 4, 6]
    assert rows_mentioning(texts, ["b", "c"]).to_list() == [0, 1, 2, 3, 4, 6]
    assert rows_mentioning(texts, ["é.b"]).to_list() == [0, 1, 2, 3, 4, 6]
    assert rows_mentioning(texts, ["b.é"]).to_list() == [0, 1, 2, 3, 4, 6]


def test_rules_on_many_rows_and_on_few_are_tried_apart():
    """By the share of the rows on which each may hold; a rule that holds nowhere is in one too."""
    wanted = {"all": [True, True, True], "half": [True, False, False],
              "few": [False, True, False], "none": [False, False, False]}  # fmt: skip
    candidates = {
        name: prefilter.Candidate(pl.Series(mask).to_numpy(), None) for name, mask in wanted.items()
    }
    size = pl.Series([50, 2, 48]).to_numpy()
    tiers = [set(some) for some in prefilter.cost_tiers(candidates, size)]
    assert tiers == [{"all", "half"}, set(), {"few", "none"}]
