"""The directory of a Secoda workspace: its users, groups, teams, tags and catalog resources.

It is read with the log's own key, to the log's own origin, by the log's own client. A listing
that cannot be read whole is not handed over in part: its place tells why.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

from auditlens.errors import KeyRefused, SourceError
from auditlens.pages import Listing
from auditlens.sources.address import Address, Key
from auditlens.sources.http import EndpointMissingError, HttpClient, Response, require_page
from auditlens.sources.pagination import Envelope, read_envelope
from auditlens.sources.retry import PageFault, RetryPolicy

__all__ = ["ENDPOINTS", "SecodaDirectory"]

ENDPOINTS = {
    "users": "/api/v1/user",
    "groups": "/api/v1/auth/group",
    "teams": "/api/v1/auth/teams/",
    "tags": "/api/v1/tag",
    "resources": "/api/v1/resource/catalog",
}
OLDEST_FIRST = '{"field":"created_at","order":"asc"}'
"""The catalog's usual order is by use, which changes while its pages are read."""

MAX_PAGES = 20_000
MAX_RECORDS = 1_000_000
CEILING = 10_000


class Connection(Protocol):
    """What a log's source reads its pages with, and its directory too."""

    url: str | None
    address: Address
    secret: Key
    exchange: HttpClient
    patience: RetryPolicy


class SecodaDirectory:
    """What stands beside the log of ``source``, read with the same key."""

    def __init__(self, source: Connection) -> None:
        self.source = source
        self.slashed: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"SecodaDirectory({self.source.url!r})"

    @property
    def name(self) -> str:
        """The workspace's identity: its address."""
        return f"secoda:{self.source.url}"

    def listings(self) -> tuple[Listing, ...]:
        """Fetch every listing. Raises Interrupted when stopped; other failures are told inside.

        After a refused key (401) the other listings are not asked for.
        """
        found: list[Listing] = []
        refused = ""
        for name, endpoint in ENDPOINTS.items():
            if refused:
                found.append(Listing(name, endpoint, problem=refused))
                continue
            try:
                found.append(self.listing(name, endpoint))
            except SourceError as error:
                if isinstance(error, KeyRefused) and "(401)" in error.message:
                    refused = error.message
                found.append(Listing(name, endpoint, problem=told(error, endpoint)))
        return tuple(found)

    def listing(self, name: str, endpoint: str) -> Listing:
        """All pages of one listing, each record once. Raises SourceError, Interrupted."""
        query = {"sort": OLDEST_FIRST} if name == "resources" else {}
        records: dict[bytes, None] = {}
        count: int | None = None
        usual = 0
        for number in range(1, MAX_PAGES + 1):
            page = self.page(endpoint, number, query)
            before = len(records)
            records.update(dict.fromkeys(page.records))
            count = page.count if page.count is not None else count
            usual = max(usual, len(page.records))
            if len(records) > MAX_RECORDS:
                raise SourceError(f"{endpoint} holds more than {MAX_RECORDS:,} records")
            shorter = len(page.records) < usual
            if not page.records or not (not shorter if page.more is None else page.more):
                break
            if len(records) == before:
                raise SourceError(f"{endpoint} sends the same records again and again")
        else:
            raise SourceError(f"{endpoint} did not end after {MAX_PAGES:,} pages")
        if count is not None and len(records) < count and count % CEILING:
            # Rows that moved between pages were met twice and others not at all.
            raise SourceError(f"{endpoint} counts {count:,} records and sent {len(records):,}")
        return Listing(name, endpoint, tuple(records), count)

    def page(self, endpoint: str, number: int, query: dict[str, str]) -> Envelope:
        """One page, asked for again while that may help; an unknown sort is left out."""
        return self.source.patience.run(lambda: self.ask(endpoint, number, query))

    def ask(self, endpoint: str, number: int, query: dict[str, str]) -> Envelope:
        source = self.source
        answer = self.get(endpoint, number, query)
        if answer.status in (400, 422) and query and number == 1:
            query.clear()
            answer = self.get(endpoint, number, query)
        require_page(answer, endpoint, source.secret)
        envelope = read_envelope(answer.body, number, where=endpoint, key=source.secret)
        if not envelope.records and envelope.count and number <= (envelope.total_pages or 1):
            raise PageFault(
                f"{endpoint} counts {envelope.count} records, but page {number} is empty"
            )
        return envelope

    def get(self, endpoint: str, number: int, query: Mapping[str, str]) -> Response:
        """Ask for a page; where the server wants a slash at the end of the path, with it.

        Some servers redirect to it. What is asked then is our own address with a slash, never the
        one that the server sent; any other redirect is not followed.
        """
        asked = self.slashed.get(endpoint, endpoint)
        whole = {**query, "page": str(number)}
        answer = self.source.exchange.get(asked, whole)
        address = self.source.address
        if asked == endpoint and adds_slash(answer, address, endpoint, whole):
            self.slashed[endpoint] = f"{endpoint}/"
            answer = self.source.exchange.get(f"{endpoint}/", whole)
        return answer


def adds_slash(answer: Response, address: Address, endpoint: str, query: Mapping[str, str]) -> bool:
    """Whether an answer redirects for good, to the same origin, path and query, with a slash."""
    if answer.status not in (301, 308) or endpoint.endswith("/") or not answer.location:
        return False
    try:
        target = urlsplit(answer.location)
        port = target.port
    except ValueError:
        return False
    usual = {"https": 443, "http": 80}[address.scheme]
    here = (address.scheme, address.host.strip("[]"), address.port or usual)
    there = (target.scheme, target.hostname, port or usual)
    same = there == here if target.netloc or target.scheme else True
    return (
        same
        and "@" not in target.netloc
        and target.path == f"{address.path}{endpoint}/"
        and dict(parse_qsl(target.query, keep_blank_values=True)) in ({}, dict(query))
        and not target.fragment
    )


def told(error: SourceError, endpoint: str) -> str:
    """What became of a listing, in one line."""
    if isinstance(error, EndpointMissingError):
        return f"{endpoint} is not there ({error.answer.status})"
    if isinstance(error, KeyRefused) and "(403)" in error.message:
        return f"{endpoint} is closed to the key's owner (403)"
    return error.message
