"""Loading: what is wrong is refused with its place, and all of it at once."""

import time
from pathlib import Path

import pytest
from documents import BASE, rules_of

from auditlens.errors import DocumentError, DocumentErrors, UsageError
from auditlens.rules import load_rules

RULE = """\
title: A rule
id: 6d0a5f0b-7a2e-4e57-8c3e-6a9f2f6f5a22
status: test
logsource:
    product: test
detection:
    selection:
        f: x
    condition: selection
level: low
"""
WINDOW = """\
title: A window
correlation:
    type: event_count
    rules: [base]
    group-by: [f]
    timespan: 10m
    condition:
        gte: 3
"""


def refusal(*texts, **placeholders):
    with pytest.raises((DocumentErrors, DocumentError)) as caught:
        rules_of(*texts, **placeholders)
    return [str(error) for error in getattr(caught.value, "errors", [caught.value])]


def with_line(text, old, new):
    assert old in text
    return text.replace(old, new)


BROKEN = {
    "duplicate key": ("        f: x\n", "        f: x\n        f: y1\n", 9, "stands twice"),
    "sexagesimal": ("f: x", "f: 12:30", 8, "another number to some readers"),
    "underscores": ("f: x", "f: 1_000", 8, "another number to some readers"),
    "binary": ("f: x", "f: 0b11", 8, "another number to some readers"),
    "infinity": ("f: x", "f: .inf", 8, "beyond 2^53"),
    "no number": ("f: x", "f: .nan", 8, "is not a number"),
    "date": ("f: x", "f: 2026-01-01", 8, "a date to some readers"),
    "anchor": ("f: x", "f: &a x", 8, "anchors and aliases"),
    "tag": ("f: x", "f: !!str x", 8, "the tag"),
    "tab": ("        f: x", "\tf: x", 8, "tab"),
    "misspelt key": ("level: low", "levle: low", 10, "Did you mean 'level'"),
    "unknown modifier": ("f: x", "f|contians: x", 8, "nknown modifier"),
    "no such level": ("level: low", "level: severe", 10, "unknown level"),
    "bad id": ("6d0a5f0b-7a2e-4e57-8c3e-6a9f2f6f5a22", "not-a-uuid", 2, "is not a UUID"),
    "unknown selection": ("condition: selection", "condition: selektion", 9, "selektion"),
    "selector of nothing": ("condition: selection", "condition: 1 of filter_*", 9, "filter_*"),
    "no condition": ("    condition: selection\n", "", 6, "condition is needed"),
    "bad condition": ("condition: selection", "condition: selection and and", 9, ""),
    "old aggregation": (
        "condition: selection",
        "condition: selection | count() > 5",
        9,
        "old aggregation",
    ),
    "timeframe": ("    condition", "    timeframe: 5m\n    condition", 9, "no longer runs"),
    "empty list": ("f: x", "f: []", 8, "empty"),
    "nested value": ("f: x", "f: {a: b}", 8, "a value is a text"),
    "empty selection": ("selection:\n        f: x", "selection: {}", 7, "is empty"),
    "look-around": ("f: x", "f|re: 'a(?=b)'", 8, "look-around"),
    "back-reference": ("f: x", "f|re: '(a)\\1'", 8, "backreferences"),
    "regex too long": ("f: x", f"f|re: '{'a' * 5000}'", 8, "characters"),
    "regex repeats": ("f: x", "f|re: '((a{50}){50})'", 8, "repeat"),
    "bad network": ("f: x", "f|cidr: 10.0.0.1/8", 8, "CIDR"),
    "number as text": ("f: x", "f|gt: '5'", 8, ""),
    "wildcard in base64": ("f: x", "f|base64: 'a*'", 8, "wildcards"),
    "placeholder": ("f: x", "f|expand: '%admins%'", 8, "%admins% has no values"),
    "huge number": ("f: x", "f: 90071992547409930", 8, "2^53"),
    "two kinds": ("level: low", "correlation: {}\nlevel: low", 6, "exactly one of"),
    "no log source": ("    product: test\n", "    service:\n", 4, "log source names"),
    "sigma 3": ("status: test", "sigma-version: 3.0", 3, "not supported"),
    "exists of text": ("f: x", "f|exists: 'yes'", 8, ""),
}


CONDITIONS = {
    "selection adn filter": ("has 'adn' where 'and' or 'or' belongs", "Did you mean 'and'?"),
    "selection AND filter": ("has 'AND' where 'and' or 'or' belongs", "Did you mean 'and'?"),
    "selection filter": ("has 'filter' where 'and' or 'or' belongs", "Join selections by"),
    "selektion and filter": ("names 'selektion'", "Did you mean 'selection'?"),
    "selection and": ("ends where a selection belongs", "Selections here: selection, filter"),
    "and selection": ("has 'and' where a selection belongs", "Selections here"),
    "(selection or filter": ("does not close every parenthesis", "Add ')'"),
    "selection or filter)": ("closes a parenthesis that was not opened", "Take ')' out"),
    "not (1 of filt_*)": ("no selection is called 'filt_*'", "Selections here"),
    "2 of them": ("'2 of' is not supported", "Write '1 of' or 'all of'"),
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_condition_that_does_not_parse_is_told_in_plain_words(condition):
    """Where it goes wrong and what was probably meant, without a parser's words."""
    text = RULE.replace("condition: selection", f"filter: {{g: y}}\n    condition: {condition}")
    (found,) = refusal(text)
    for words in CONDITIONS[condition]:
        assert words in found


@pytest.mark.parametrize(("old", "new", "meant"), [
    ("level: low", "level: hihg", "high"), ("status: test", "statsu: test", "status"),
    ("detection:", "detecton:", "detection"), ("f: x", "f|startwith: x", "startswith"),
    ("product: test", "produkt: test\n    service: a", "product"),
    ("status: test", "falsepositive: [a]", "falsepositives"),
])  # fmt: skip
def test_a_slip_of_the_pen_is_answered_with_the_word_meant(old, new, meant):
    """Keys, levels, blocks and modifiers of Sigma."""
    assert any(f"Did you mean '{meant}'" in one for one in refusal(with_line(RULE, old, new)))


def test_every_fault_of_a_file_is_told_at_once():
    """Metadata, log source, tests, condition and our own block, each at its line."""
    text = (
        RULE.replace("A rule", "''").replace("6d0a5f0b", "x").replace("level: low", "level: lo")
        .replace("product: test", "product: 5").replace("f: x", "f|contians: x\n        g: []")
        .replace("condition: selection", "condition: selektion")
        + "auditlens: {data: D, reason: '{who}', tone: loud}\n"
    )  # fmt: skip
    lines = [int(one.split(":")[1]) for one in refusal(text)]
    assert lines == [1, 2, 5, 9, 10, 11, 12, 12, 12]
    text = text.replace("\n        g: []", "\n        h|cidr: x")
    assert [int(one.split(":")[1]) for one in refusal(text)] == [1, 2, 5, 8, 9, 10, 11, 12, 12, 12]


def test_every_fault_of_a_window_or_behaviour_is_told_at_once():
    """Keys, rules, type, time span; and each setting of a behaviour."""
    window = WINDOW.replace("event_count", "event_cuont").replace("10m", "soon").replace(
        "[base]", "[base, base]").replace("group-by", "groupby")  # fmt: skip
    assert len(refusal(BASE, window)) == 4
    odd = "title: Odd\nbehaviour: {type: silence, rules: [], for: soon, factor: 0, history: 5}\n"
    assert len(refusal(BASE, odd)) == 4


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_rule_is_refused_at_its_line(case):
    """Every fault names the file, the line and the column, and what is wrong."""
    old, new, line, message = BROKEN[case]
    (found,) = refusal(with_line(RULE, old, new))
    assert found.startswith(f"test.yml:{line}:")
    assert message in found


BROKEN_WINDOWS = {
    "unknown key": ("    timespan", "    window: 1\n    timespan", 6, "'window' is not known"),
    "no such type": ("event_count", "event_total", 3, "event_total"),
    "no such rule": ("[base]", "[bass]", 4, "Did you mean 'base'"),
    "no timespan": ("    timespan: 10m\n", "", 2, "not a time span"),
    "bad timespan": ("10m", "10 minutes", 6, "not a time span"),
    "zero timespan": ("10m", "0m", 6, "not a time span"),
    "two operators": ("gte: 3", "gte: 3\n        lt: 9", 7, "exactly one"),
    "unknown in condition": ("gte: 3", "gte: 3\n        over: 9", 7, "over"),
    "field for a count": ("gte: 3", "gte: 3\n        field: f", 9, "has no 'field'"),
    "no field": ("event_count", "value_count", 3, "field"),
    "no percentile": ("event_count\n", "value_percentile\n", 3, "percentile"),
    "boolean for a count": ("condition:\n        gte: 3", "condition: base and not base", 7, ""),
    "alias of nothing": ("    time", "    aliases: {g: {base: f}}\n    time", 6, "not used"),
    "alias of no rule": ("    group-by: [f]", "    group-by: [g]\n    aliases: {g: {bas: f}}", 6,
                         "not one of the correlation's rules"),
    "rule twice": ("[base]", "[base, base]", 4, "stands twice"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN_WINDOWS)
def test_a_broken_correlation_is_refused_at_its_line(case):
    """The block under 'correlation' is as strict as the rest."""
    old, new, line, message = BROKEN_WINDOWS[case]
    (found,) = refusal(BASE, with_line(WINDOW, old, new))
    assert found.startswith(f"test.yml:{line}:")
    assert message in found


@pytest.mark.parametrize(
    ("block", "message"),
    [("{type: surprise, rules: [base]}", "unknown kind of behaviour"),
     ("{type: first_seen, rules: [base]}", "needs 'field'"),
     ("{type: first_seen, rules: [base], field: f, window: 1d}", "'window' is not known"),
     ("{type: first_seen, rules: [base], field: [a, b, c, d]}", "one to three"),
     ("{type: dormant_return, rules: [base], idle: soon}", "not a time span"),
     ("{type: deviation, rules: [base], measure: distinct}", "goes with"),
     ("{type: deviation, rules: [base], baseline: peer}", "goes with"),
     ("{type: deviation, rules: [base], factor: -1}", "above 0"),
     ("{type: deviation, rules: [base], at-least: 0}", "whole number"),
     ("{type: silence, rules: [], for: 1h}", "names the rules"),
     ("{type: silence, rules: [bass], for: 1h}", "no rule has the id")],
)  # fmt: skip
def test_a_broken_behaviour_is_refused(block, message):
    """The block under 'behaviour' as well."""
    (found,) = refusal(BASE, f"title: Odd\nbehaviour: {block}\n")
    assert message in found
    assert found.startswith("test.yml:2:")


@pytest.mark.parametrize(("number", "taken"), [
    (0, False), (1, True), (1_000_000, True), (1_000_001, False), ("true", False)])  # fmt: skip
def test_counts_of_a_behaviour_have_bounds(number, taken):
    """From one to a million."""
    text = f"title: Odd\nbehaviour: {{type: deviation, rules: [base], at-least: {number}}}\n"
    if taken:
        assert len(rules_of(BASE, text)) == 2
    else:
        assert "whole number from 1" in refusal(BASE, text)[0]


@pytest.mark.parametrize(("number", "taken"), [(0, True), (100, True), (-1, False), (101, False)])
def test_percentiles_have_bounds(number, taken):
    """From 0 to 100, both included."""
    text = WINDOW.replace("event_count", "value_percentile").replace(
        "gte: 3", f"gte: 3\n        field: f\n        percentile: {number}")  # fmt: skip
    if taken:
        assert len(rules_of(BASE, text)) == 2
    else:
        assert "between 0 and 100" in refusal(BASE, text)[0]


def test_a_folder_reports_every_broken_rule(tmp_path):
    """Three broken files and a good one: three places."""
    for n, text in enumerate(["title: [", RULE.replace("f: x", "f: 1_0"), "just text\n", RULE]):
        Path(tmp_path, f"r{n}.yml").write_text(text, encoding="utf-8")
    with pytest.raises(DocumentErrors) as caught:
        load_rules(tmp_path)
    assert [error.path.name for error in caught.value.errors] == ["r0.yml", "r1.yml", "r2.yml"]
    assert all(error.line for error in caught.value.errors)


def test_an_alias_bomb_is_refused_at_once():
    """Nothing is expanded before it is refused."""
    bomb = "a0: &a0 [x, x]\n" + "".join(
        f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}]\n" for n in range(1, 60)
    )
    start = time.perf_counter()
    with pytest.raises(DocumentError, match="anchors and aliases"):
        rules_of(bomb)
    assert time.perf_counter() - start < 1  # 100 ms is the goal; a busy machine may take longer


def test_deep_and_large_documents_are_refused():
    """Depth and size are bounded."""
    with pytest.raises(DocumentError, match="nested deeper"):
        rules_of("a: " + "[" * 40 + "]" * 40)
    with pytest.raises(DocumentError, match="larger than"):
        rules_of("# " + "x" * (1 << 20))


def test_ids_and_names_are_unique():
    """Two rules with one id, or one name, are refused with both places."""
    assert any("is also that of" in one for one in refusal(RULE, RULE))
    assert any("the name base" in one for one in refusal(BASE, BASE))


def test_a_rule_built_on_itself_is_refused():
    """A ring of correlations never ends."""
    one = WINDOW.replace("A window", "One").replace("correlation:", "name: one\ncorrelation:")
    two = one.replace("title: One\nname: one", "title: Two\nname: two").replace("[base]", "[one]")
    assert any("built on itself" in e for e in refusal(one.replace("[base]", "[two]"), two))


def test_foreign_rules_may_carry_keys_of_their_own():
    """Metadata of another house is no fault; a likely slip of the pen is."""
    text = RULE.replace("status: test", "status: test\nregression_tests_path: a/b.yml\nauthor: no")
    assert rules_of(text).rules[0].author == "no"


def test_an_empty_folder_has_no_rules(tmp_path):
    """Nothing to load is said plainly."""
    with pytest.raises(UsageError, match="no rule here"):
        load_rules(tmp_path)
    with pytest.raises(UsageError, match="no file or folder"):
        load_rules(tmp_path / "missing")


def test_filters_are_joined_to_the_rules_they_name():
    """'any' reaches every rule of the log source, a list only its rules."""
    filtering = """
title: Machines
logsource: {product: test}
filter:
    rules: RULES
    machines: {sender: robot}
    condition: not machines
"""
    import polars as pl

    other = BASE.replace("base", "other").replace("Base", "Other")
    foreign = BASE.replace("base", "foreign").replace("Base", "Foreign").replace("test", "else")
    frame = pl.DataFrame({"event": ["x", "x"], "sender": ["robot", "ann"]})
    for named, reached in (("any", {"base", "other"}), ("[base]", {"base"}), ("base", {"base"})):
        rules = rules_of(BASE, other, foreign, filtering.replace("RULES", named))
        hits = rules.match(frame).group_by("rule_id").len().sort("rule_id").rows()
        assert hits == [(n, 1 if n in reached else 2) for n in ("base", "foreign", "other")]
    assert "no rule has the id" in refusal(BASE, filtering.replace("RULES", "[bass]"))[0]


def test_the_filter_condition_is_joined_as_written():
    """Without 'not' it keeps only what it names: as Sigma's own tool reads it."""
    import polars as pl

    keeping = """
title: Machines
logsource: {product: test}
filter: {rules: any, machines: {sender: robot}, condition: machines}
"""
    frame = pl.DataFrame({"event": ["x", "x"], "sender": ["robot", "ann"]})
    assert rules_of(BASE, keeping).match(frame)["row"].to_list() == [0]


def test_a_placeholder_of_the_rules_own_switches_it_off_until_it_is_filled():
    """Declared by the rule: off with the reason. What is built on it is off as well."""
    text = (
        RULE.replace("f: x", "f|expand: '%ours%'")
        + "name: own\nauditlens: {placeholders: {ours: []}}\n"
    )
    window = WINDOW.replace("[base]", "[own]")
    off = rules_of(text, window)
    assert [rule.enabled for rule in off.rules] == [False, False]
    assert "%ours%" in off.rules[0].reason_off
    assert "built on own" in off.rules[1].reason_off
    assert [rule.enabled for rule in rules_of(text, window, ours=["a"]).rules] == [True, True]


@pytest.mark.parametrize("regex", [
    "a{1000}", "(a{100}){10}", "((a{10}){10}b{9}){10}", "[{5000}]", r"\{5000}", "a{1000,}",
    "(?:x{10}){100}(?:y{1000})", "a{0}",
])  # fmt: skip
def test_repeats_that_multiply_to_a_thousand_are_taken(regex):
    """The bound is on the product along the nesting, not on the sum."""
    assert len(rules_of(RULE.replace("f: x", f"f|re: '{regex}'"))) == 1


@pytest.mark.parametrize("regex", [
    "a{1001}", "(a{100}){11}", "((a{10}){10}b{9}){11}", "a{1001,}", "a{2,1001}",
    "(?:x{10}){101}(?:y{10})",
])  # fmt: skip
def test_repeats_that_multiply_to_more_are_refused(regex):
    """One more than a thousand."""
    (found,) = refusal(RULE.replace("f: x", f"f|re: '{regex}'"))
    assert "nested repeats multiply to more than 1,000" in found


def test_a_pattern_that_compiles_to_too_much_is_refused():
    """Short patterns can be large once compiled."""
    large = r"[\p{L}\p{N}]{900}" * 3
    assert "cannot be run" in refusal(RULE.replace("f: x", f"f|re|i: '{large}'"))[0]
