"""Text from a log is shown on a terminal, never obeyed by it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from auditlens.text import cut, visible


def test_escapes_and_reordering_marks_are_shown():
    """An escape sequence or a right-to-left mark becomes its name."""
    assert visible("a\x1b[31mb\u202ec", terminal=True) == "a\\u001b[31mb\\u202ec"


def test_long_text_is_cut_with_a_count():
    """Nothing is hidden without saying how much."""
    assert cut("x" * 700, 500).endswith("[+200 characters]")


@given(st.text())
def test_nothing_unprintable_reaches_the_terminal(text):
    """Whatever a log holds, the terminal gets one printable line."""
    assert visible(cut(text, 500), terminal=True).isprintable()
