"""The one way in which a message is not delivered."""

from __future__ import annotations

from auditlens.errors import SourceError

__all__ = ["Undelivered"]


class Undelivered(SourceError):
    """A receiver did not take a message; ``told`` is the wait in seconds that it asked for.

    The text never holds what stands in a secret, nor what the receiver answered.
    """

    code = "AL-304"

    def __init__(self, message: str, *, fix: str = "", told: int | None = None) -> None:
        super().__init__(message, fix=fix)
        self.told = told
