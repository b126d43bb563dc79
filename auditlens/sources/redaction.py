"""The HTTP libraries' own logs, without the key."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from auditlens.sources.address import Key

__all__ = ["redacted_logs"]

LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy")


class Redaction(logging.Filter):
    """Strikes the key out of log records: a server may repeat it in a header."""

    def __init__(self, key: Key) -> None:
        super().__init__()
        self.key = key

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without the key."""
        record.msg, record.args = self.key.redact(record.getMessage()), ()
        return True


@contextmanager
def redacted_logs(key: Key) -> Iterator[None]:
    """Keep the key out of the HTTP libraries' own logs for as long as they are at work."""
    redaction = Redaction(key)
    loggers = [logging.getLogger(name) for name in LOGGERS]
    for logger in loggers:
        logger.addFilter(redaction)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(redaction)
