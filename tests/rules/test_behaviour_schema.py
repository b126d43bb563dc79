"""The schema for editors and the loader's own checks accept and refuse the same blocks."""

import json
import random

import jsonschema_rs
from documents import BASE, rules_of

from auditlens.errors import DocumentErrors
from auditlens.resources import rules_folder

SPAN_KEYS = {"history", "min-history"}
FORMS = {
    "first_seen": {"field", *SPAN_KEYS},
    "dormant_return": {"idle"},
    "off_hours": {"profile", "slots", "min-days", *SPAN_KEYS},
    "deviation": {"measure", "field", "bucket", "baseline", "peer-by", "history", "min-buckets",
                  "min-peers", "at-least", "factor"},
    "silence": {"for", "factor", *SPAN_KEYS},
}  # fmt: skip
"""The keys of each kind; every other key is refused by both."""
VALUES = {
    "field": ["f", ["f", "g"], [], ["a", "b", "c", "d"], 5, ""],
    "group-by": ["sender.id", ["a", "b"], 5],
    "generate": [True, False, "maybe"],
    "measure": ["count", "distinct", "sum"],
    "bucket": ["1d", "1h", "5m"],
    "baseline": ["own", "peer", "all"],
    "peer-by": ["sender_kind", "", 3],
    "profile": ["learned", "fixed"],
    "slots": ["hour-of-week", "hour-of-day", "shift"],
    "factor": [1, 2.5, 0, -1, "two", 5000, True],
    "tail": [0.02, 0, 1, "rare", True],
    "weight": [20, 0, "much"],
    "spread": [1, 1.5, -1],
    "consequential-level": ["medium", "grave"],
    "window": ["1d"],
}
SPANS = ["1d", "90m", "0d", "soon", 5, "1x"]
COUNTS = [1, 30, 0, -1, "three", 2.5, True]


def random_block(rng):
    kind = rng.choice([*FORMS, "surprise"])
    block = {"type": kind, "rules": rng.choice(["base", ["base"], ["base"], [], 5])}
    for key in sorted({*FORMS.get(kind, ()), "group-by", "generate", "window"}):
        if rng.random() < (0.05 if key == "window" else 0.55):
            spans = key in ("history", "min-history", "idle", "for")
            choices = VALUES.get(key) or (SPANS if spans else COUNTS)
            # Mostly good values, so that many blocks are accepted.
            block[key] = choices[0] if rng.random() < 0.75 else rng.choice(choices)
    return block


def loads(text):
    try:
        rules_of(BASE, text)
    except DocumentErrors:
        return False
    return True


def test_schema_and_loader_agree():
    """Over hundreds of random blocks, good and bad."""
    schema = json.loads((rules_folder() / "behaviour.schema.json").read_text(encoding="utf-8"))
    validator = jsonschema_rs.validator_for(schema)
    rng = random.Random(11)
    answers = []
    for _ in range(600):
        document = {"title": "Odd", "name": "odd", "behaviour": random_block(rng)}
        accepted = loads(json.dumps(document))
        assert validator.is_valid(document) == accepted, document
        answers.append(accepted)
    assert 60 < sum(answers) < 540
