"""Who counts as a peer."""

from __future__ import annotations

import polars as pl

from auditlens.anomalies.ledger import open_ledger
from auditlens.anomalies.pairs import day_pairs
from auditlens.anomalies.peers import weeks
from auditlens.evaluate.steady import day_of, steady_log

SENDERS = 24


def last_peers(circles: pl.DataFrame | None) -> list[list[int]]:
    """The peers of each sender in the last week of a log in which nobody shares a resource."""
    events = steady_log(0, senders=SENDERS, days=21).with_columns(metadata=pl.lit(None, pl.String))
    # Containers of their own: else all share the type of their resources.
    events = events.with_columns(parent_id="sender_id")
    ledger = open_ledger(events, until=day_of(21), circles=circles)
    touched = day_pairs(ledger, "r").select("s", "d", "n", x="r")
    *_, last = weeks(ledger, touched, len(ledger.resources))
    return [row.indices.tolist() for row in last.peers]


def test_without_shared_resources_nobody_has_peers():
    """People who work apart are compared with nobody."""
    assert not any(last_peers(None))


def test_members_of_one_group_are_peers():
    """A group of the directory makes peers of people who share no resource."""
    ids = [f"s{number:05d}" for number in range(SENDERS)]
    circles = pl.DataFrame({"sender_id": ids, "circle": ["even", "odd"] * (SENDERS // 2)})
    peers = last_peers(circles)
    assert all(len(found) == 10 for found in peers)
    assert all((other - sender) % 2 == 0 for sender, found in enumerate(peers) for other in found)


def test_a_role_everybody_has_makes_no_peers():
    """What tells nobody apart brings nobody together."""
    ids = [f"s{number:05d}" for number in range(SENDERS)]
    assert not any(last_peers(pl.DataFrame({"sender_id": ids, "circle": ["member"] * SENDERS})))
