"""The first signal asks a sync to stop, the second insists."""

import os
import signal
import threading

import pytest

from auditlens.archive import stop_on_signal


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_sets_the_flag_and_the_second_raises(number):
    """One signal is a request; a second one stops at once."""
    with stop_on_signal() as stop:
        os.kill(os.getpid(), number)
        assert stop.wait(1)
        with pytest.raises(KeyboardInterrupt):
            insist(number)


def insist(number):
    os.kill(os.getpid(), number)
    threading.Event().wait(1)


def test_handlers_are_put_back():
    """After the block the handlers are those from before."""
    before = signal.getsignal(signal.SIGTERM)
    with stop_on_signal():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_another_thread_gets_a_flag_without_handlers():
    """Where Python allows no handlers the block still works."""
    seen = []

    def work():
        with stop_on_signal() as stop:
            seen.append(stop.is_set())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]
