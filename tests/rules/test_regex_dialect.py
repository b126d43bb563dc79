"""One dialect: a rewritten pattern means in Rust's engine what RE2 means by it."""

import json
import random

import polars as pl
import pytest
import re2
from documents import rules_of

from auditlens.errors import DocumentErrors

PARTS = [
    "a", "b", "Z", "é", "5", "_", "-", " ", ".", r"\.", r"\d", r"\D", r"\w", r"\W", r"\s", r"\S",
    r"\b", r"\B", "^", "$", r"\A", r"\z", "[ab]", "[^ab]", r"[\w-]", r"[^\d]", "[a&&b]", "[[]",
    "[]a]", "[^]a]", "[a~~b]", "[a-c]", r"[\]\-]", r"[\\/]", "[[:alpha:]]", "(a|b)", "(?:ab)?",
    "(?i:z)", "a{2}", "a{1,2}", "{", "{x}", "}", "]", r"\/", r"\-", r"\"", r"\<", r"[\<]", r"\x41",
    r"\t", r"\\", "%", "#", "~", "&",
]  # fmt: skip
SUFFIXES = ["", "", "", "*", "+", "?", "*?"]
LETTERS = 'abZzé5_-. /\\"<>{}[]&~#%\t\nxA٣ß'


def pattern(rng):
    parts = []
    for _ in range(rng.randint(1, 5)):
        part = rng.choice(PARTS)
        fixed = part in ("^", "$", r"\A", r"\z", r"\b", r"\B", "{", "}", "{x}") or part[-1] in "}?"
        parts.append(part if fixed else part + rng.choice(SUFFIXES))
    return "".join(parts)


def texts(rng):
    return ["".join(rng.choices(LETTERS, k=rng.randint(0, 8))) for _ in range(40)]


def matched(texts, regex, flags=""):
    """Which texts a rule with this pattern matches."""
    key = "|".join(("f", "re", *flags))
    rule = {"title": "R", "name": "r", "logsource": {"product": "test"},
            "detection": {"s": {key: regex}, "condition": "s"}}  # fmt: skip
    rows = set(rules_of(json.dumps(rule)).match(pl.DataFrame({"f": texts}))["row"])
    return [row in rows for row in range(len(texts))]


def test_rewritten_patterns_mean_what_re2_means():
    """Hundreds of patterns over texts of every kind of sign."""
    rng = random.Random(5)
    for _ in range(500):
        regex, flags = pattern(rng), rng.choice(["", "", "i", "m", "s", "is"])
        theirs = re2.compile(f"(?{flags})" + regex if flags else regex)
        sample = texts(rng)
        wanted = [theirs.search(one) is not None for one in sample]
        assert matched(sample, regex, flags) == wanted, (regex, flags)


@pytest.mark.parametrize(
    "regex", [r"(?=a)", r"(?<!a)b", r"(a)\1", "(", "[a", r"\Qa\E", r"a\Z", "(?P<n>a)(?P=n)"]
)
def test_what_the_engine_cannot_run_is_said(regex):
    """Look-around, back-references and broken syntax are refused in words."""
    with pytest.raises(DocumentErrors, match="cannot be run"):
        matched([""], regex)
