"""Cases in which a count, a clock or a table could tell a lie that sounds like the truth."""

from __future__ import annotations

import json
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

SLOW = pytest.mark.slow


def test_removals_do_not_hide_events_that_came_late(workspace, auditlens, archived, tmp_path):
    """Three old events came and ten others went: the count alone looks right, and is doubted."""
    folder = tmp_path / "archive"
    secoda = workspace(events=240, step=86_400 // 2, cap=20)
    assert auditlens.sync(secoda, folder).code == 0
    secoda.order("change", remove=10, late=3, hours=24 * 20)
    ran = auditlens.sync(secoda, folder, AUDITLENS_RETRY_BUDGET="0")
    assert ran.code == 3 or secoda.state().held("current") <= archived(folder), ran.out


@pytest.mark.slow
def test_what_cancels_out_in_the_count_is_found_by_the_full_read(
    workspace, auditlens, archived, tmp_path
):
    """As many came late as went: no count can tell, the weekly walk to the last page does."""
    import auditlens as al

    folder = tmp_path / "archive"
    secoda = workspace(events=240, step=86_400 // 2, cap=20)
    assert auditlens.sync(secoda, folder).code == 0
    secoda.order("change", remove=3, late=3, hours=24 * 20)
    source = al.SecodaSource(secoda.url, secoda.key)
    al.Archive(folder).sync(source, full_every=timedelta(0))
    assert secoda.state().held("current") <= archived(folder)


@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=SLOW) for n in range(2, 9))])
def test_a_count_that_stands_still_hides_no_removals(
    workspace, auditlens, archived, tmp_path, seed
):
    """One event goes and one comes between requests: what slipped by is found or owned up to."""
    folder = tmp_path / "archive"
    secoda = workspace(events=200, cap=20, removals=1, arrivals=1, step=14_400, seed=seed)
    before = secoda.state().held("current")
    ran = auditlens.sync(secoda, folder)
    lost = (before & secoda.state().held("current")) - archived(folder)
    assert ran.code == 3 or not lost, f"{len(lost)} lost in silence: {ran.out}"
    secoda.config(removals=0, arrivals=0)
    assert auditlens.sync(secoda, folder).code == 0
    assert secoda.state().held("current") <= archived(folder)


@pytest.mark.parametrize(
    ("hours", "generation"),
    [
        (24, "current"),
        *(pytest.param(h, g, marks=SLOW) for h in (24, -24) for g in ("current", "legacy")),
    ],
)
def test_a_clock_a_day_off_hides_nothing_and_raises_no_false_alarm(
    workspace, auditlens, archived, tmp_path, hours, generation
):
    """Some events carry a stamp a day wrong, in a listing that keeps its true order."""
    folder = tmp_path / "archive"
    secoda = workspace(
        events=200, cap=20, skew_hours=hours, generations=[generation], clock_skew=hours * 3600
    )
    secoda.config(page_size={"current": 20, "legacy": 20})
    ran = auditlens.sync(secoda, folder)
    assert ran.code == 0, ran.out + ran.err
    secoda.order("change", arrive=50)
    ran = auditlens.sync(secoda, folder)
    assert ran.code == 0, ran.out + ran.err
    assert archived(folder) == secoda.state().held(generation)


def test_a_moment_without_the_newer_address_does_not_double_the_log(
    workspace, auditlens, archived, tmp_path
):
    """A passing 404 of the current address must not bring every event again in its older shape."""
    folder = tmp_path / "archive"
    secoda = workspace(events=80, generations=["current", "legacy"])
    assert auditlens.sync(secoda, folder).code == 0
    secoda.faults({"do": "answer", "status": 404, "endpoint": "current", "body": b"{}"})
    secoda.order("change", arrive=5)
    auditlens.sync(secoda, folder)
    secoda.faults()
    assert auditlens.sync(secoda, folder).code == 0
    held = [identity for identity, _ in archived(folder)]
    doubled = len(held) - len(set(held))
    assert doubled == 0, f"{doubled} events stand in the table twice"


def forge_the_table(folder: Path) -> None:
    """Change who did it in the event table, and make every hash fit again that is not chained."""
    import io

    import polars as pl

    table = folder / "table"
    index = json.loads((table / "index.json").read_bytes())
    file = index["files"][0]
    path = table / file["path"]
    forged = pl.read_parquet(path).with_columns(sender_email=pl.lit("nobody@example.org"))
    stream = io.BytesIO()
    forged.write_parquet(stream)
    file["sha256"] = sha256(stream.getvalue()).hexdigest()
    file["path"] = f"{file['path'][:-20]}{file['sha256'][:12]}.parquet"
    path.unlink()
    (table / file["path"]).write_bytes(stream.getvalue())
    del index["hash"]
    body = json.dumps(index, sort_keys=True, separators=(",", ":")).encode()
    seal = f',"hash":"{sha256(body).hexdigest()}"}}\n'.encode()
    (table / "index.json").write_bytes(body[:-1] + seal)


def test_a_table_forged_with_fitting_hashes_is_found(sealed, auditlens):
    """Reports are made from the table: its every cell must follow from the evidence."""
    folder, _ = sealed
    forge_the_table(folder)
    ran = auditlens("verify", "--archive", folder)
    assert ran.code == 5, ran.out


@pytest.mark.slow
def test_a_very_long_record_is_kept_whole(workspace, auditlens, archived, tmp_path):
    """Five million characters in one record: kept to the byte, with its neighbours."""
    folder = tmp_path / "archive"
    secoda = workspace(events=40, generations=["legacy"], envelope="plain")
    records = [
        json.dumps(
            {"id": f"r{n}", "created_at": f"2026-10-0{n}T00:00:00Z", "event": "x", "content": text}
        ).encode()
        for n, text in enumerate(("short", "é" * 5_000_000, "short"), 1)
    ]
    body = b'{"count": 3, "next": null, "results": [' + b",".join(records) + b"]}"
    secoda.faults({"do": "answer", "body": body, "endpoint": "legacy"})
    ran = auditlens.sync(secoda, folder)
    assert ran.code == 0, ran.err
    assert {leaf for _, leaf in archived(folder)} == {sha256(r).hexdigest() for r in records}


@pytest.mark.parametrize(
    "budget", ["soon", *(pytest.param(text, marks=SLOW) for text in ("NaN", "-1", "inf", "1e400"))]
)
def test_a_budget_that_is_no_number_is_refused(
    workspace, auditlens, tmp_path, one_clear_line, budget
):
    """A wrong setting is named before anything is asked."""
    secoda = workspace(events=5)
    ran = auditlens.sync(secoda, tmp_path / "archive", AUDITLENS_RETRY_BUDGET=budget)
    assert ran.code == 2, ran.err
    one_clear_line(ran, "AUDITLENS_RETRY_BUDGET")
    assert secoda.state().requests == []
