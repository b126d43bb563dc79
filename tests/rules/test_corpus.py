"""Our own corpus: each document with events that match it and events that do not.

``corpus/*.yml`` holds one rule a line: every modifier, kind of value and form of condition.
"""

import json
from pathlib import Path

import polars as pl
import pytest
import yaml
from documents import rules_of

FOLDER = Path(__file__).parent / "corpus"


def entries():
    """Yield (name, detection, placeholders, matching events, other events) of every document."""
    for path in sorted(FOLDER.glob("*.yml")):
        for number, entry in enumerate(yaml.safe_load(path.read_text(encoding="utf-8"))):
            name = f"{path.stem}-{number + 1}"
            if isinstance(entry, dict):
                yield name, entry["d"], entry.get("fill", {}), entry["match"], entry["miss"]
            elif len(entry) == 3:
                selection, match, miss = entry
                yield name, {"s": selection, "condition": "s"}, {}, match, miss
            else:
                key, value, match, miss = entry
                field = key.split("|")[0]
                rows = [[one if isinstance(one, dict) else {field: one} for one in some]
                        for some in (match, miss)]  # fmt: skip
                yield name, {"s": {key: value}, "condition": "s"}, {}, *rows


ENTRIES = list(entries())


def document(name, detection):
    return json.dumps({"title": name, "name": name, "logsource": {"product": "test"},
                       "detection": detection}, ensure_ascii=False)  # fmt: skip


@pytest.mark.parametrize("part", sorted({one[0].rpartition("-")[0] for one in ENTRIES}))
def test_documents_match_their_events_and_no_others(part):
    """Each document of a file selects exactly the events listed as matching."""
    wrong = []
    for name, detection, fill, match, miss in ENTRIES:
        if name.rpartition("-")[0] == part:
            frame = pl.DataFrame([*match, *miss], infer_schema_length=None)
            found = rules_of(document(name, detection), **fill).match(frame)["row"].to_list()
            if found != list(range(len(match))):
                wrong.append((name, found))
    assert wrong == []


def test_the_corpus_holds_four_hundred_distinct_documents():
    """Distinct by what they select, and each with a matching or a missing event."""
    distinct = {
        json.dumps([one[1], one[3], one[4]], sort_keys=True, default=str) for one in ENTRIES
    }
    assert len(distinct) >= 400
    assert all(match or miss for *_, match, miss in ENTRIES)


def test_the_corpus_uses_every_modifier():
    """No modifier that pySigma parses is left untried."""
    from sigma.modifiers import modifier_mapping

    keys = json.dumps([one[1] for one in ENTRIES], default=str)
    assert [name for name in modifier_mapping if f"|{name}" not in keys] == []
