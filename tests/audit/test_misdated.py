"""Files and frames follow the archive's rule: an impossible date is kept, told and left out."""

import json
from datetime import UTC, date, datetime

import polars as pl
import pytest

import auditlens as al
from auditlens.errors import UsageError

NOW = datetime(2026, 11, 5, 12, tzinfo=UTC)
ODD = (
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+05:00",
    "9999-12-31T23:59:59-05:00",
    "2027-03-01T00:00:00Z",
    "1601-01-01T00:00:00Z",
    "1969-12-31T23:59:59Z",
    "-62135596800",
    "9223372036854775807",
    "2026-11-06T12:00:00.000001Z",
)
USUAL = [f"2026-10-{day:02d}T10:00:00Z" for day in range(1, 29)]
ZONE = "America/New_York"


def rows(odd):
    names = {"event": "Deleted table", "sender_id": "u-1", "resource_id": "r-1"}
    return [{"id": f"e-{n}", "created_at": at, **names} for n, at in enumerate([*USUAL, odd])]


def written(path, odd):
    """The same rows in the form that the name of the file says."""
    table = pl.DataFrame(rows(odd))
    if path.suffix == ".csv":
        table.write_csv(path)
    elif path.suffix == ".parquet":
        table.write_parquet(path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows(odd)))
    return path


def check(audit):
    """One event is told of, and no number of the period knows it."""
    assert audit.events.height == audit.coverage.events_in_period == 28
    assert audit.coverage.misdated_count == len(audit.coverage.misdated) == 1
    assert audit.coverage.events_held == 29
    assert "1 event dated before 1970 or after the sync" in audit.coverage.statement
    assert audit.coverage.gaps == ()


@pytest.mark.parametrize("form", ["log.ndjson", "log.csv", "log.parquet"])
@pytest.mark.parametrize("odd", ODD)
def test_a_file_keeps_and_tells_an_impossible_date(tmp_path, form, odd):
    """Whatever the form of the file, and in a zone west of UTC."""
    log = al.read_log(written(tmp_path / form, odd), timezone=ZONE, now=NOW)
    assert log.events.height == 29
    assert log.coverage.first_at == datetime(2026, 10, 1, 10, tzinfo=UTC)
    assert log.coverage.last_at == datetime(2026, 10, 28, 10, tzinfo=UTC)
    period = al.Period.parse("2026-10", timezone=ZONE)
    check(al.run_audit(log, period=period, now=NOW))
    ahead = al.run_audit(log, period="2027-03", now=datetime(2027, 4, 5, tzinfo=UTC))
    assert ahead.events.is_empty()


@pytest.mark.parametrize("odd", ODD)
def test_a_frame_keeps_and_tells_an_impossible_date(odd):
    """A frame was pulled when the run happens."""
    period = al.Period.parse("2026-10", timezone=ZONE)
    check(al.run_audit(pl.DataFrame(rows(odd)), period=period, now=NOW))


@pytest.mark.parametrize(
    "column",
    [
        pl.Series([2**60, -(2**60)], dtype=pl.Datetime("ms")),
        pl.Series([2**62, -(2**62)], dtype=pl.Datetime("us", "UTC")),
        pl.Series([2**62, -(2**62)], dtype=pl.Datetime("us", ZONE)),
        pl.Series([2**63 - 1, -(2**63) + 1], dtype=pl.Datetime("ns")),
        pl.Series([2**31 - 1, -(2**31) + 1], dtype=pl.Date),
        pl.Series([date.max, date.min]),
    ],
)
def test_any_time_that_a_column_can_hold_is_taken(column):
    """What lies beyond the years 1 to 9999 stands at their edge."""
    frame = pl.DataFrame({"id": ["a", "b"], "created_at": column, "event": ["x", "y"]})
    audit = al.run_audit(frame, period="2026-10", now=NOW)
    assert audit.coverage.misdated_count == 2


@pytest.mark.parametrize("text", ["0001-01", "1969-12", "9001-01", "0001-01-01..0001-01-02"])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", ZONE])
def test_a_period_to_which_nothing_can_belong_is_refused(text, zone):
    """Its history would begin before time does."""
    with pytest.raises(UsageError):
        al.Period.parse(text, timezone=zone)


def test_the_first_month_there_is_has_a_history():
    """January 1970 is a month like any other."""
    frame = pl.DataFrame(rows("1970-01-01T00:00:00Z"))
    audit = al.run_audit(frame, period="1970-01", now=NOW)
    assert (audit.events.height, audit.coverage.misdated_count) == (1, 0)
