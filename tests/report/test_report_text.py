"""Text from the log: hidden characters shown, long fields cut, formulas and JSON made safe."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlens.report import json_text, mixed_scripts, spreadsheet_cell
from auditlens.text import CAP, cut, visible

HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\u202eb", "a\\u202eb"),
        ("line\nbreak\ttab", "line\\nbreak\\ttab"),
        ("\x1b[31m", "\\u001b[31m"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("\u05e9\u05dc\u05d5\u05dd", "\u05e9\u05dc\u05d5\u05dd"),
    ],
)
def test_hidden_characters_are_shown(text, shown):
    """Control and direction characters become escapes; letters of every script stay."""
    assert visible(text) == shown


def test_joiners_stay_where_words_need_them():
    """An emoji family and a Persian word stay whole; a joiner at the end of a name does not."""
    family = "\U0001f469\u200d\U0001f467"
    assert visible(family) == family
    assert visible("\u0645\u06cc\u200c\u062e") == "\u0645\u06cc\u200c\u062e"
    assert visible("admin\u200d") == "admin\\u200d"


@given(st.text())
def test_nothing_hidden_is_left(text):
    """Whatever comes in, no control or direction character comes out."""
    assert not HIDDEN.search(visible(text))


def test_long_text_says_how_much_was_cut():
    """A cut field ends with the number of characters that are missing."""
    assert cut("x" * (CAP + 7)) == "x" * CAP + " [+7 characters]"


def test_cut_keeps_letters_whole():
    """A letter is never parted from its accent."""
    text = "x" * (CAP - 1) + "e\u0301" + "tail"
    assert cut(text).startswith("x" * (CAP - 1) + " [+")


@given(st.text(max_size=900))
def test_cut_counts_right(text):
    """What is shown and the count of what was cut make up the whole."""
    shown = cut(text)
    if match := re.fullmatch(r"(.*) \[\+(\d+) characters\]", shown, re.DOTALL):
        assert len(match[1]) + int(match[2]) == len(text) or shown == text
    else:
        assert shown == text


@pytest.mark.parametrize(
    "text", ["=1", "+1", "-1", "@x", "\t=1", "  =1", "\uff1d1", "\u200b=1", "|x"]
)
def test_formulas_are_neutralised(text):
    """A cell that a spreadsheet would run starts with an apostrophe."""
    assert spreadsheet_cell(text).startswith("'")


@given(st.text())
def test_no_cell_starts_a_formula(text):
    """No text at all gives a cell that starts like a formula."""
    assert not re.match(r"\s*[=+\-@]", spreadsheet_cell(text))


@given(st.text())
def test_json_gives_back_the_exact_text(text):
    """The JSON holds no character that could close a block or steer a terminal, and loses none."""
    written = json_text({"a": text})
    assert json.loads(written) == {"a": text}
    assert not re.search("[<>&\x00-\x1f\x7f-\x9f\u2028\u2029\u202e]", written)


def test_look_alike_names_are_marked():
    """A word of Latin and Cyrillic letters is marked; a whole Cyrillic name is not."""
    assert mixed_scripts("\u0430dmin")
    assert not mixed_scripts("\u0418\u0432\u0430\u043d Smith")
