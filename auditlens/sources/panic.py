"""What the engine prints when it panics over a file, kept off the terminal.

It is raised as well, and told in one line with a fix; a backtrace beside it helps nobody.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl

__all__ = ["panics_only_raised"]

STDERR = 2


@contextmanager
def panics_only_raised() -> Iterator[None]:
    """Hold what is written to standard error back; drop it after a panic, else write it."""
    try:
        terminal = os.dup(STDERR)
    except OSError:  # a service may run without standard error
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), STDERR)
        panicked = False
        try:
            yield
        except pl.exceptions.PanicException:
            panicked = True
            raise
        finally:
            os.dup2(terminal, STDERR)
            os.close(terminal)
            held.seek(0)
            text = b"" if panicked else held.read()
            while text:
                text = text[os.write(STDERR, text) :]
