"""Retry-After in every form, the budget of waiting, and stops in the middle of a wait."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditlens.errors import Interrupted, SourceError, UsageError

# Hundreds of waits without a request; a source has no option for the policy.
from auditlens.sources.retry import PageFault, RetryPolicy, parse_retry_after, read_seconds

NOW = datetime(2026, 10, 5, 12, 0, 0, tzinfo=UTC)
FORMS = {
    "2": 2,
    " 7 ": 7,
    "+3": 3,
    "0": 0,
    "-5": 0,
    "1.2": 2,
    "0.0001": 1,
    "900.5": 900,
    "1000000": 900,
    "9" * 5000: 900,
    "": None,
    "soon": None,
    "NaN": None,
    "inf": None,
    "1e3": None,
    "1_0": None,
    "\u0663": None,
    "Mon, 05 Oct 2026 12:00:30 GMT": 30,
    "Mon, 05 Oct 2026 12:00:30 -0000": 30,
    "Mon, 05 Oct 2026 14:00:30 +0200": 30,
    "Monday, 05-Oct-26 12:00:30 GMT": 30,
    "Mon, 05 Oct 2026 11:00:00 GMT": 0,
    "Fri, 31 Dec 9999 23:59:59 GMT": 900,
    "Mon, 45 Oct 2026 12:00:30 GMT": None,
}


@pytest.mark.parametrize("text", FORMS)
def test_each_form_of_retry_after_is_read(text):
    """Seconds and dates are rounded up and clamped; everything else is None."""
    assert parse_retry_after(text, now=NOW) == FORMS[text]


@given(st.one_of(st.text(max_size=80), st.floats().map(str), st.integers().map(str)))
def test_no_retry_after_breaks_the_reader(text):
    """Whatever a server sends: None, or whole seconds within the clamp."""
    wait = parse_retry_after(text, now=NOW)
    assert wait is None or (isinstance(wait, int) and 0 <= wait <= 900)


@given(st.decimals(min_value=0, max_value=899, places=3))
def test_a_wait_is_never_shorter_than_told(seconds):
    """Fractions are rounded up, so that no request comes early."""
    wait = parse_retry_after(str(seconds), now=NOW)
    assert wait is not None
    assert seconds <= wait < seconds + 1


@given(st.integers(min_value=-100_000, max_value=100_000))
def test_a_date_is_a_wait_from_the_servers_now(seconds):
    """The server's clock counts, so a wrong clock here changes nothing."""
    text = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert parse_retry_after(text, now=NOW) == min(max(seconds, 0), 900)


class Script:
    """A call that fails as scripted, then succeeds, and a clock that only sleeping moves."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.calls = 0
        self.slept: list[float] = []
        self.told: list[tuple[float, str]] = []

    def __call__(self) -> str:
        self.calls += 1
        if self.faults:
            raise self.faults.pop(0)
        return "page"

    def patience(self, budget: float = 900.0, luck: float = 1.0) -> RetryPolicy:
        return RetryPolicy(
            budget,
            sleep=self.slept.append,
            on_wait=lambda seconds, cause: self.told.append((seconds, cause)),
            random=lambda: luck,
        )


@pytest.mark.parametrize("burst", range(6))
def test_a_burst_shorter_than_six_is_ridden_out(burst):
    """Up to five failures end in a page; waits grow and stay within the budget."""
    script = Script(*(PageFault(f"503 number {n}") for n in range(burst)))
    assert script.patience().run(script) == "page"
    assert script.calls == burst + 1
    assert sum(script.slept) == pytest.approx(0.5 * (2**burst - 1))


def test_the_sixth_failure_is_final_and_says_so():
    """The error carries the fault, the fix and the number of tries."""
    script = Script(*[PageFault("503", fix="Wait")] * 9)
    with pytest.raises(SourceError, match=r"503 \(6 attempts") as caught:
        script.patience().run(script)
    assert script.calls == 6
    assert caught.value.fix == "Wait"


def test_other_errors_are_not_tried_again():
    """Only a fault that may pass is worth a second request."""
    script = Script(UsageError("no"))
    with pytest.raises(UsageError):
        script.patience().run(script)
    assert script.calls == 1


def test_the_told_wait_is_kept_exactly():
    """Not a moment less than the server asked for; the wait and its cause are announced."""
    script = Script(PageFault("429", told=7, throttled=True))
    script.patience(luck=0.0).run(script)
    assert sum(script.slept) == 7
    assert script.told == [(7.0, "429")]


def test_a_wait_beyond_the_budget_is_not_begun():
    """Waiting in vain helps no one; the error says how much more was asked."""
    script = Script(PageFault("429", told=900, throttled=True))
    with pytest.raises(SourceError, match="900 s more") as caught:
        script.patience(budget=60).run(script)
    assert script.slept == []
    assert "AUDITLENS_RETRY_BUDGET" in caught.value.fix


@settings(max_examples=50)
@given(
    budget=st.floats(min_value=0, max_value=50),
    told=st.lists(st.one_of(st.none(), st.integers(0, 900)), min_size=60, max_size=60),
    throttled=st.booleans(),
    luck=st.floats(min_value=0, max_value=1),
)
def test_all_waiting_stays_within_the_budget(budget, told, throttled, luck):
    """However long the faults go on, and whatever they ask for."""
    script = Script(*(PageFault("busy", told=each, throttled=throttled) for each in told))
    with pytest.raises(SourceError):
        script.patience(budget, luck).run(script)
    assert math.fsum(script.slept) <= budget + 1e-6
    assert script.calls <= 6 or throttled


def test_the_budget_is_for_all_pages_together():
    """A server that throttles every page cannot draw the run out for ever."""
    script = Script()
    patience = script.patience(budget=5)
    for _ in range(5):
        script.faults = [PageFault("429", told=1, throttled=True)]
        patience.random = lambda: 0.0
        patience.run(script)
    script.faults = [PageFault("429", told=1, throttled=True)]
    with pytest.raises(SourceError):
        patience.run(script)


def test_a_short_budget_is_shared_among_all_tries():
    """Six tries are made even when there is little time to wait between them."""
    script = Script(*[PageFault("503")] * 5)
    assert script.patience(budget=0.1).run(script) == "page"
    assert sum(script.slept) <= 0.1


def test_a_stop_ends_the_wait():
    """A signal in the middle of a long wait is heeded within a slice of it."""
    script = Script(PageFault("429", told=600, throttled=True))
    patience = script.patience()
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            patience.stop()

    patience.sleep = sleep
    with pytest.raises(Interrupted):
        patience.run(script)
    assert len(slept) == 3
    assert sum(slept) < 2


@pytest.mark.parametrize("text", ["soon", "nan", "-1", "inf", "1e99", "1e400"])
def test_a_budget_that_is_no_number_of_seconds_is_refused(text):
    """The variable is named in the error."""
    with pytest.raises(UsageError, match="BUDGET"):
        read_seconds(None, {"BUDGET": text}, "BUDGET", 900)


def test_a_budget_is_given_set_or_usual():
    """An argument comes before the variable, and that before the default."""
    assert read_seconds(3, {"B": "5"}, "B", 900) == 3
    assert read_seconds(0, {"B": "5"}, "B", 900) == 0
    assert read_seconds(None, {"B": "2.5"}, "B", 900) == 2.5
    assert read_seconds(None, {"B": ""}, "B", 900) == 900
