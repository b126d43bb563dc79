"""What an answer's status means, and what to do about it."""

from __future__ import annotations

from auditlens.errors import KeyRefused, SourceError
from auditlens.sources.address import Key, shown
from auditlens.sources.exchange import Answer
from auditlens.sources.patience import PageFault, parse_retry_after

__all__ = ["EndpointMissingError", "require_page"]

MISSING = (404, 405, 410)
PASSING = (408, 425)


class EndpointMissingError(SourceError):
    """The server has no such endpoint, or no such page: 404, 405, 410."""

    code = "AL-303"

    def __init__(self, answer: Answer, where: str) -> None:
        super().__init__(f"{where} is not there ({answer.status})", fix="Check SECODA_API_URL")
        self.answer = answer

    @property
    def past_the_end(self) -> bool:
        """Whether it reads like "no such page" of a list, rather than "no such address"."""
        text = self.answer.body.strip()
        return self.answer.status == 404 and text.startswith(b"{") and b'"detail"' in text


def require_page(answer: Answer, where: str, key: Key) -> None:
    """Pass a 200.

    Raises KeyRefused (401, 403), EndpointMissingError (404, 405, 410), PageFault where trying
    again may help (429, 5xx, 408, 425), and SourceError for the rest.
    """
    status = answer.status
    if status == 200:
        return
    if status in (401, 403):
        raise refused_key(status, where)
    if status in MISSING:
        raise EndpointMissingError(answer, where)
    if 300 <= status < 400:
        target = shown(key.redact(answer.location or "nowhere"))
        raise SourceError(
            f"{where} answered with a redirect to {target} ({status}), which is not followed",
            fix="Set SECODA_API_URL to the address of the API itself",
        )
    told = parse_retry_after(answer.retry_after, now=answer.now)
    if status == 429:
        raise PageFault(
            f"{where} asks for fewer requests (429)",
            fix="Run it later, or allow more waiting with AUDITLENS_RETRY_BUDGET (seconds)",
            told=told,
            throttled=True,
        )
    said = shown(key.redact(answer.body[:4096].decode("utf-8", "replace")))
    message = f"{where} answered {status}" + (f": {said}" if said else "")
    if status >= 500 or status < 300 or status in PASSING:
        raise PageFault(message, fix="The server has trouble: run it again later", told=told)
    raise SourceError(message, fix="Check the filter, sort and other parameters of the request")


def refused_key(status: int, where: str) -> KeyRefused:
    """401 is about the key, 403 about the rights of its owner."""
    if status == 401:
        return KeyRefused(
            f"{where} refused the key (401)",
            fix="Check SECODA_API_KEY, or make a new key in Secoda under Settings > API",
        )
    return KeyRefused(
        f"{where} refused the rights of the key's owner (403): "
        "the audit log needs a workspace admin's key",
        fix="Have an admin make a key under Settings > API and set it as SECODA_API_KEY",
    )
