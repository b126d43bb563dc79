"""A run that dies at any moment loses nothing, doubles nothing, and goes on where it was."""

from __future__ import annotations

import random
import signal
import sys
import time

import pytest

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="these signals are POSIX")


def kill_and_resume(workspace, auditlens, archived, folder, seed: int, kills: int) -> None:
    """The seed stands in the test's name, so a failure can be had again."""
    import auditlens as al

    chance = random.Random(seed)
    generation = chance.choice(["current", "legacy"])
    secoda = workspace(
        events=400, generations=[generation], cap=20, arrivals=1, latency=0.004, seed=seed
    )
    for _ in range(kills):
        asked = secoda.order("asked")["listed"]
        process = auditlens.sync_start(secoda, folder)
        secoda.wait_until(process, listed=asked + chance.randint(1, 18))
        time.sleep(chance.random() * 0.03)
        process.kill()
        auditlens.finish(process)
        if folder.exists():
            held = archived(folder)
            assert set(held.values()) <= {1}
            assert held <= secoda.state().ever(generation)
            al.Archive(folder).verify()
        secoda.order("change", arrive=chance.randint(0, 40))
    secoda.config(arrivals=0)
    assert auditlens.sync(secoda, folder).code == 0
    assert archived(folder) == secoda.state().ever(generation)
    assert auditlens("verify", "--archive", folder).code == 0


@posix_only
@pytest.mark.parametrize("seed", range(4))
def test_twelve_kills_at_random_moments_lose_and_double_nothing(
    workspace, auditlens, archived, tmp_path, seed
):
    """Four archives, three kills each, readable after every one and whole at the end."""
    kill_and_resume(workspace, auditlens, archived, tmp_path / "archive", seed, kills=3)


@posix_only
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 140))
def test_two_hundred_kills_at_random_moments_lose_and_double_nothing(
    workspace, auditlens, archived, tmp_path, seed
):
    """Forty archives of either generation, five kills each."""
    kill_and_resume(workspace, auditlens, archived, tmp_path / "archive", seed, kills=5)


@posix_only
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_polite_stop_saves_every_whole_page(workspace, auditlens, archived, tmp_path, stop):
    """The page in hand is finished, the state saved, and the exit code says interrupted."""
    folder = tmp_path / "archive"
    secoda = workspace(events=300, cap=10, latency=0.05)
    process = auditlens.sync_start(secoda, folder)
    secoda.wait_until(process, listed=8)
    process.send_signal(stop)
    ran = auditlens.finish(process)
    assert ran.code == 130, ran.err
    assert ran.seconds < 5
    assert "Traceback" not in ran.err
    state = secoda.state()
    whole = [request for request in state.listings if request["whole"]]
    assert len(whole) < 25  # it did stop
    assert len(archived(folder)) >= 10 * (len(whole) - 1)
    secoda.config(latency=0)
    assert auditlens.sync(secoda, folder).code == 0
    assert archived(folder) == secoda.state().held("current")


@posix_only
@pytest.mark.parametrize(
    "fault",
    [
        {"do": "hang", "seconds": 8},
        {"do": "answer", "status": 429, "headers": [["Retry-After", "500"]], "body": b"{}"},
        pytest.param({"do": "drip", "pause": 0.01}, marks=pytest.mark.slow),
    ],
    ids=lambda fault: fault["do"],
)
def test_a_stop_is_heard_while_the_server_keeps_us_waiting(
    workspace, auditlens, archived, tmp_path, fault
):
    """A silent server, a long Retry-After or a slow body must not hold a person for minutes."""
    secoda = workspace(events=120)
    secoda.faults({**fault, "page": 2})
    folder = tmp_path / "archive"
    process = auditlens.sync_start(secoda, folder, AUDITLENS_RETRY_BUDGET="900")
    secoda.wait_until(process, faulted=1)
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    ran = auditlens.finish(process)
    assert ran.code == 130, ran.err
    assert ran.seconds < 5
    assert archived(folder) <= secoda.state().held("current")
