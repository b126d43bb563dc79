"""Whatever stands in a rule or profile file: a rule, a profile, or a fault with its place."""

import itertools
import random
import time
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner
from documents import BASE, rules_of
from sigma.modifiers import modifier_mapping

from auditlens.cli import auditlens
from auditlens.errors import AuditLensError, DocumentError, DocumentErrors
from auditlens.events import decode_records, load_profile
from auditlens.resources import rules_folder
from auditlens.rules import check_rules, load_rules
from auditlens.yaml_documents import parse_documents

VALUES = {
    "text": "'abc'", "number text": "'5'", "network": "'10.0.0.0/8'", "pattern": "'a.*b'",
    "empty": "''", "wildcards": "'a*b?'", "number": "5", "fraction": "1.5", "negative": "-3",
    "zeros": "00000429", "beyond": "9007199254740993", "infinite": ".inf", "not a number": ".nan",
    "true": "true", "false": "false", "null": "null", "texts": "[a, b]", "numbers": "[1, 2]",
    "mixed": "[a, 1, true, null]", "no list": "[]", "mapping": "{a: b}", "no mapping": "{}",
    "lists": "[[a]]", "mappings": "[{a: b}]", "nulls": "[null]", "no text": "['']",
}  # fmt: skip
FRAME = pl.DataFrame(
    {"f": ["abc", None, "5", "10.0.0.1"], "n": [1, 2, None, 5], "l": [["a"], [], None, ["b"]],
     "b": [True, None, False, True], "created_at": [None] * 4}
)  # fmt: skip
MODIFIERS = sorted(modifier_mapping)


def tried(field, modifiers, value):
    """Load and run one test: it works, or a fault of the rule says where."""
    text = (
        "title: A\nname: a\nlogsource: {product: test}\ndetection:\n    s:\n"
        f"        '{'|'.join((field, *modifiers))}': {value}\n    condition: s\n"
    )
    faults = []
    try:
        rules_of(text).match(FRAME)
    except DocumentErrors as caught:
        faults = caught.errors
    except DocumentError as caught:
        faults = [caught]
    assert all(one.line >= 4 and one.column >= 1 for one in faults), text


@pytest.mark.parametrize("modifier", MODIFIERS)
def test_every_modifier_with_every_kind_of_value_is_a_rule_or_a_fault_with_its_place(modifier):
    """No pair of modifier and value ends in an error of a library."""
    for value in VALUES.values():
        for field in ("f", "n", "l", "b", "missing", ""):
            tried(field, (modifier,), value)


@pytest.mark.slow
@pytest.mark.parametrize("first", MODIFIERS)
def test_every_two_modifiers_with_every_kind_of_value_are_a_rule_or_a_fault(first):
    """Nor does any pair of modifiers."""
    for second, value in itertools.product(MODIFIERS, VALUES.values()):
        tried("f", (first, second), value)


@pytest.mark.parametrize("value", ["5", "1.5", "true", "null", "[a, 1]", "[null]", "0o17", "no"])
def test_a_pattern_that_is_no_text_is_a_fault_at_its_key(value):
    """A pattern given as a number, boolean or null is told with line and column."""
    text = BASE.replace("{event: x}", f"{{event|re: {value}}}")
    if value == "no":
        rules_of(text)
        return
    with pytest.raises(DocumentErrors, match=r"test.yml:5:\d+: a pattern of 're' is a text"):
        rules_of(text)


@pytest.mark.parametrize(("written", "read"), [
    ("00000429", 429), ("012", 12), ("-007", -7), ("+5", 5), ("0", 0), ("0o17", 15), ("0x1F", 31),
    ("7.", 7.0), (".5", 0.5), ("1e3", 1000.0), ("-.inf", float("-inf")), (".INF", float("inf")),
    ("~", None), ("Null", None), ("TRUE", True), ("yes", "yes"), ("No", "No"), ("on", "on"),
    ("OFF", "OFF"), ("y", "y"), ("0o18", "0o18"), ("'00429'", "00429"), ("1.2.3", "1.2.3"),
])  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(written, read):
    """A number is what YAML 1.2's core schema says it is, and a word is a word."""
    (document,) = parse_documents(f"a: {written}", Path("x.yml"))
    assert document.data == {"a": read}
    assert type(document.data["a"]) is type(read)


PLAIN = (
    "title: {title}\nlogsource: {{product: test}}\ndetection: {{s: {{event: x}}, condition: s}}\n"
)


def test_rules_without_ids_in_one_file_are_told_apart(tmp_path):
    """Two, three, and two of the same title: each has an id of its own, and the first keeps its."""
    path = tmp_path / "mine.yml"
    titles = ["One", "Two things", "Two things", "Ünïcode ✓"]
    for count in range(1, 5):
        path.write_text("---\n".join(PLAIN.format(title=one) for one in titles[:count]))
        rules = load_rules(path)
        ids = [rule.id for rule in rules.rules]
        assert len(set(ids)) == count
        assert ids[0] == "mine"
        assert len(set(rules.match(pl.DataFrame({"event": ["x"]}))["rule_id"])) == count
    assert ids[1:3] == ["mine-two-things", "mine-two-things-again"]


BROKEN = {
    "syntax.yml": "title: [",
    "text.yml": "just text\n",
    "bytes.yml": b"title: \xff\xfe\n",
    "pattern.yml": PLAIN.format(title="A").replace("event: x", "event|re: 5"),
    "modifier.yml": PLAIN.format(title="A").replace("event: x", "event|nosuch: 5"),
    "dangling.yml": "title: W\ncorrelation: {type: event_count, rules: [nobody], timespan: 1h, "
    "condition: {gte: 2}}\n",
    "filter.yml": "title: F\nlogsource: {product: test}\nfilter: {rules: [nobody], s: {a: b}, "
    "condition: not s}\n",
    "upon.yml": "title: U\nname: upon\ncorrelation: {type: event_count, rules: [window], "
    "timespan: 1h, condition: {gte: 2}}\n",
    "window.yml": "title: W\nname: window\ncorrelation: {type: event_count, rules: [gone], "
    "timespan: 1h, condition: {gte: 2}}\n",
    "circle.yml": "title: C\nname: circle\ncorrelation: {type: event_count, rules: [circle], "
    "timespan: 1h, condition: {gte: 2}}\n",
}


def folder_of(tmp_path):
    folder = tmp_path / "rules"
    folder.mkdir()
    for name, text in BROKEN.items():
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    (folder / "good.yml").write_text(PLAIN.format(title="Good"))
    return folder


def test_broken_rules_are_all_told_and_skipped_on_request(tmp_path):
    """Without the request every broken file is named; with it the sound rules run."""
    folder = folder_of(tmp_path)
    with pytest.raises(DocumentErrors) as caught:
        load_rules(folder)
    named = {error.path.name for error in caught.value.errors}
    assert named == set(BROKEN) - {"upon.yml"}
    rules = load_rules(folder, skip_broken=True)
    assert [rule.title for rule in rules.rules] == ["Good"]
    assert {error.path.name for error in rules.skipped} == set(BROKEN)
    assert rules.digest != load_rules(folder / "good.yml").digest
    (folder / "good.yml").unlink()
    with pytest.raises(DocumentErrors):
        load_rules(folder, skip_broken=True)


LOG = (
    '{"id":"1","created_at":"2026-03-02T10:00:00Z","event":"x","sender":{"id":"u"}}\n'
    '{"id":"2","created_at":"2026-03-02T11:00:00Z","event":"y","sender":{"id":"u"}}\n'
)


def test_the_first_screen_counts_what_was_skipped(tmp_path, monkeypatch):
    """check, report and backtest refuse a broken folder, and with --skip-broken tell of it."""
    monkeypatch.chdir(tmp_path)
    folder, log = folder_of(tmp_path), tmp_path / "log.ndjson"
    (folder / "good.yml").write_text(PLAIN.format(title="Good").replace("test", "secoda").replace(
        "title", "id: 6d0a5f0b-7a2e-4e57-8c3e-6a9f2f6f5a22\ntitle"))  # fmt: skip
    log.write_text(LOG)
    run = CliRunner()
    common = [str(log), "--rules", str(folder)]
    period = ["--period", "2026-03"]
    for command in (["check", *common, *period], ["report", *common, *period, "--out", "a"],
                    ["rules", "backtest", *common, "--since", "2026-03-01"]):  # fmt: skip
        refused = run.invoke(auditlens, command)
        assert isinstance(refused.exception, DocumentErrors), command
        done = run.invoke(auditlens, [*command, "--skip-broken"])
        assert done.exit_code == 0, (command, done.output, done.exception)
        if command[0] != "report":
            assert "10 errors in 10 rule files" in done.output
            assert "pattern.yml:3:" in done.output
    assert "10 errors in rule files" in (tmp_path / "a" / "report.html").read_text("utf-8")


@pytest.mark.parametrize("condition", [
    "{s: {a: b}, condition: not s}", "{s: {a: null}, condition: s}",
    "{s: {a|exists: false}, condition: s}", "{s: [x], condition: not s}",
    "{s: {a: b}, f: {c: d}, condition: not s and not f}", "{s: {a|re: x}, condition: not 1 of s*}",
])  # fmt: skip
def test_a_rule_true_of_nothing_is_remarked_on(tmp_path, condition):
    """A condition that holds for an event without fields is a doubtful one."""
    path = tmp_path / "odd.yml"
    path.write_text(PLAIN.format(title="Odd").replace("{s: {event: x}, condition: s}", condition))
    assert "true-of-nothing" in [one.code for one in check_rules(path).problems]
    path.write_text(PLAIN.format(title="Odd"))
    assert "true-of-nothing" not in [one.code for one in check_rules(path).problems]


@pytest.mark.parametrize("path", [
    "'@timestamp'", "'a b'", "a:b", "'a['", "a.", "'.a'", "a..b", "'$.a'", "''", "'a.b[x]'", "5",
    "null", "{a: b}", "[a, 5]", "[[a]]", f"'{'a' * 2000}'", r'"a\n"', "[a, '@b']",
])  # fmt: skip
def test_a_path_no_record_can_have_is_a_fault_of_the_profile(tmp_path, path):
    """What cannot be followed, or would be followed in part, is told at its place when loaded."""
    file = tmp_path / "mine.yml"
    file.write_text(f"name: mine\ncolumns:\n    created_at: at\n    event: {path}\n")
    with pytest.raises(DocumentError, match=r"mine.yml:4:\d+: "):
        load_profile(file)


@pytest.mark.parametrize("path", ["a", "a.b", "a[0]", "a[*].b", "'[\"@timestamp\"]'", "a-b",
    "\"['@timestamp']\"", "'a[\"x.y\"]'", "é", "[a, b.c]"])  # fmt: skip
def test_a_path_that_can_be_followed_is_taken(tmp_path, path):
    """Keys, members and quoted names are paths."""
    file = tmp_path / "mine.yml"
    file.write_text(f"name: mine\ncolumns:\n    created_at: at\n    event: {path}\n")
    assert load_profile(file).columns["event"]


TOKENS = [
    "null", "true", "-1", ".nan", "[]", "{}", "''", "'@x'", "\t", "---\n", "&a", "*a", "!!x", "|",
    ">", "%x%", "a: b: c", "\x00", "\u2028", "9" * 5000, "[" * 200, "{" * 200, "'", '"', "re",
    "cidr",
    "base64offset", "condition: not", "1 of them", "all of s*", "near", "timespan: 0s", "é", "# ",
]  # fmt: skip


def mutated(seed, sources):
    """A file as it may come out of an editor's hand: pieces cut, doubled, swapped, replaced."""
    chance = random.Random(seed)
    text = chance.choice(sources)
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(text) or 1)
        end = min(len(text), start + chance.choice([0, 1, 3, 20, 200]))
        piece = chance.choice([chance.choice(TOKENS), text[start:end] * 2, ""])
        text = text[:start] + piece + text[end:]
    return text


def seeds(first, count):
    return [*range(first), *(pytest.param(n, marks=pytest.mark.slow) for n in range(first, count))]


RULES = [
    path.read_text("utf-8") for path in sorted((rules_folder() / "secoda").rglob("*.yml"))
    if not path.name.endswith(".test.yml")
][::3]  # fmt: skip
RECORDS = [b'{"eventID":"1","eventTime":"2026-01-01T00:00:00Z","eventName":"x"}', b"[]", b"{}"]
PROFILE = (rules_folder() / "profiles" / "cloudtrail.yml").read_text("utf-8")


@pytest.mark.parametrize("seed", seeds(30, 150))
def test_a_mutated_rule_file_is_loaded_or_refused(tmp_path, seed):
    """No mutation ends in a traceback, a wait or another exit code than 2."""
    path = tmp_path / "odd.yml"
    path.write_bytes(mutated(seed, RULES).encode("utf-8", "surrogatepass"))
    start, code = time.process_time(), 2
    try:
        load_rules(path).match(FRAME, time="created_at")
    except AuditLensError as error:
        code = error.exit_code
    assert code == 2
    assert time.process_time() - start < 5


@pytest.mark.parametrize("seed", seeds(30, 100))
def test_a_mutated_profile_is_loaded_or_refused(tmp_path, seed):
    """A profile that loads reads records without an error, whatever it maps."""
    path = tmp_path / "odd.yml"
    path.write_bytes(mutated(seed, [PROFILE]).encode("utf-8", "surrogatepass"))
    code, profile = 2, None
    try:
        profile = load_profile(path)
    except AuditLensError as error:
        code = error.exit_code
    assert code == 2
    if profile is not None:
        decode_records(RECORDS, profile=profile)
