"""The budget of rules of level low: a rule that fires on many is one finding that names them."""

import polars as pl
from documents import BASE, START, log, rules_of

from auditlens.period import Period
from auditlens.rules import backtest, evaluate, findings_rates, within_budget

DAY = 86_400
MARCH = Period.parse("2026-03")
LOW = BASE + "level: low\n"


def judged(events, period=MARCH, level="low"):
    outcome = evaluate(rules_of(BASE + f"level: {level}\n"), events, period)
    return outcome.episodes, within_budget(outcome.episodes, events, period)


def people(count, start=0):
    return [((n % 20) * DAY + n, f"u{start + n}", {}) for n in range(count)]


def test_a_low_rule_above_its_budget_is_one_finding_with_all_accounts():
    """Six accounts of six: one more than stand by themselves; every event and name is there."""
    events = log(*people(6), (25 * DAY, "u0", {}))
    found, kept = judged(events)
    assert (found.height, kept.height) == (7, 1)
    one = kept.to_dicts()[0]
    assert (one["subject_kind"], one["value"], one["expected"]) == ("workspace", 6.0, 5.0)
    assert (one["event_count"], len(one["event_ids"])) == (7, 7)
    assert one["reason"] == (
        "7 findings of this rule for 6 accounts in 2026-03, above its budget of 5 a month "
        "(6 active accounts): u0 (2), u1 (1), u2 (1), u3 (1), u4 (1), u5 (1)"
    )


def test_findings_within_the_budget_and_higher_levels_stand_by_themselves():
    """Five of few accounts, ten of two hundred, any number of level medium."""
    quiet = [(n, f"q{n}", {"event": "y"}) for n in range(200)]
    for events, level in ((people(5), "low"), (people(10) + quiet, "low"), (people(9), "medium")):
        found, kept = judged(log(*events), level=level)
        assert kept.equals(found)


def test_each_month_has_its_own_budget():
    """Four findings in March and four in April are not eight."""
    spring = Period.parse("2026-03-01..2026-04-30")
    events = log(*people(4), *[(at + 35 * DAY, who, more) for at, who, more in people(4, 4)])
    found, kept = judged(events, spring)
    assert kept.equals(found)
    assert kept.height == 8


def test_a_backtest_tells_findings_per_hundred_active_accounts_and_month():
    """Two findings, and of two months one with two and one with three active accounts."""
    events = log(*people(2), *[(35 * DAY, f"q{n}", {"event": "y"}) for n in range(3)])
    found = backtest(rules_of(LOW), events, START)
    assert found.rates.select("findings", "per_100").rows() == [(2, 40.0)]
    none = findings_rates(pl.DataFrame(schema=found.rates.schema), events.clear(), MARCH)
    assert none.is_empty()
