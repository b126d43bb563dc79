"""Secoda's audit log over HTTP, page by page, in either of its two generations."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, InitVar, dataclass, field
from typing import Any

import msgspec

from auditlens.errors import SourceError, UsageError
from auditlens.pages import Page
from auditlens.sources.address import read_address, read_key
from auditlens.sources.directory import SecodaDirectory
from auditlens.sources.http import (
    BodyTooLargeError,
    EndpointMissingError,
    HttpClient,
    Response,
    require_page,
)
from auditlens.sources.pagination import Envelope, read_envelope
from auditlens.sources.retry import PageFault, RetryPolicy, read_seconds
from auditlens.text import count

__all__ = ["CURRENT", "ENDPOINTS", "LEGACY", "Query", "SecodaSource", "read_query"]

CURRENT, LEGACY = "current", "legacy"
ENDPOINTS = {
    CURRENT: "/api/v1/activity_log/audit_logs/",
    LEGACY: "/api/v1/notification/workspace/",
}
NEWEST_FIRST = '{"field":"created_at","order":"desc"}'
PAGE_SIZE = 100
ALL_DAYS = 3650
"""The legacy API looks back 90 days unless asked for more; the log itself reaches further."""
MOST_PAGE_SIZE = 10_000


@dataclass(frozen=True)
class Query:
    """What to ask for. ``chosen`` is what the user set; ``usual`` is ours, and may be dropped.

    Both map a generation to its parameters. ``generations`` are those that know all of them, in
    the order to try.
    """

    generations: tuple[str, ...]
    chosen: Mapping[str, Mapping[str, str]]
    usual: Mapping[str, Mapping[str, str]]

    @property
    def view(self) -> str:
        """The part of the log asked for, as text; empty when it is all of it."""
        parts = {
            name: text
            for parameters in self.chosen.values()
            for name, text in parameters.items()
            if name in ("sender_id", "resource_id", "filter")
        }
        return "&".join(f"{name}={parts[name]}" for name in sorted(parts))


def read_query(
    *,
    api: str,
    legacy: Mapping[str, int | str | None],
    current: Mapping[str, Mapping[str, Any] | str | None],
    page_size: int | None,
) -> Query:
    """Check the parameters and choose the generations that can honour them.

    Raises UsageError for a bad value and for parameters that no one generation knows.
    """
    if api not in ("auto", CURRENT, LEGACY):
        raise UsageError(f"No API is called {str(api)[:40]!r}", fix="Use auto, current or legacy")
    old = {name: legacy_text(name, value) for name, value in legacy.items() if value is not None}
    new = {name: json_text(name, value) for name, value in current.items() if value is not None}
    generations: tuple[str, ...] = (CURRENT, LEGACY) if api == "auto" else (api,)
    if old:
        generations = tuple(each for each in generations if each == LEGACY)
    if new:
        generations = tuple(each for each in generations if each == CURRENT)
    if not generations:
        raise UsageError(
            f"No API knows all of: api={api}, {', '.join([*old, *new])}",
            fix="days, sender_id, resource_id are legacy parameters; filter, sort are current ones",
        )
    if page_size is not None:
        old["page_size"] = legacy_text("page_size", page_size)
    usual_old = {"days": str(ALL_DAYS), "page_size": str(PAGE_SIZE)}
    usual_old = {name: text for name, text in usual_old.items() if name not in old}
    usual_new = {} if "sort" in new else {"sort": NEWEST_FIRST}
    return Query(generations, {CURRENT: new, LEGACY: old}, {CURRENT: usual_new, LEGACY: usual_old})


def legacy_text(name: str, value: int | str) -> str:
    if name in ("days", "page_size"):
        most = MOST_PAGE_SIZE if name == "page_size" else 36_500
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            raise UsageError(f"{name} must be a whole number from 1 to {most}, not {value!r:.40}")
        return str(value)
    if not isinstance(value, str) or not value.strip() or len(value) > 200:
        raise UsageError(f"{name} must be an id, not {value!r:.40}", fix="Copy it from an event")
    return value.strip()


def json_text(name: str, value: Mapping[str, Any] | str) -> str:
    """A filter or sort as compact JSON text; text is checked and sent as it is."""
    try:
        if not isinstance(value, str):
            return msgspec.json.encode(value).decode()
        msgspec.json.decode(value, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        raise UsageError(
            f"{name} is not a JSON object ({str(error)[:80]})",
            fix='For example {"operator":"exact","field":"performer_type","value":"USER"}',
        ) from None
    return value


MAX_PAGE_BYTES = 32 << 20
BUDGET = 900.0
DEADLINE = 60.0
AGAIN = "Run it again later; auditlens doctor shows what the server answers"


@dataclass(eq=False, repr=False)
class SecodaSource:
    """The audit log of one Secoda workspace, newest record first.

    Args:
        url: Address of the API; default: SECODA_API_URL of ``environ``.
        key: The API key; default: SECODA_API_KEY of ``environ``.
        api: ``auto`` (the current API, and the legacy one where the current is missing),
            ``current`` or ``legacy``. ``auto`` asks only the API that knows the parameters given.
        days: How many days back; a parameter of the legacy API, as the next two.
        sender_id: Events of one sender.
        resource_id: Events of one resource.
        filter: JSON text or a mapping; a parameter of the current API, as ``sort``.
        sort: JSON text or a mapping.
        page_size: A wish to the legacy API; ``page_size_seen`` says what came.
        retry_budget: Seconds of waiting between tries in total; default: AUDITLENS_RETRY_BUDGET,
            else 900.
        page_deadline: Seconds within which a page must be whole; default:
            AUDITLENS_PAGE_DEADLINE, else 60.
        max_page_bytes: Decoded bytes a page may have.
        proxy: Address of a proxy; none is used that is not given here.
        environ: The environment; default: that of the process.
        sleep: Does the waiting (seconds).
        on_wait: Is told the seconds and the cause of each wait.

    Raises:
        UsageError: An address or key that cannot be used.
    """

    url: str | None = None
    key: InitVar[str | None] = None
    _: KW_ONLY
    api: str = "auto"
    days: int | None = None
    sender_id: str | None = None
    resource_id: str | None = None
    filter: Mapping[str, Any] | str | None = None
    sort: Mapping[str, Any] | str | None = None
    page_size: int | None = None
    retry_budget: InitVar[float | None] = None
    page_deadline: float | None = None
    max_page_bytes: int = MAX_PAGE_BYTES
    proxy: InitVar[str | None] = None
    environ: InitVar[Mapping[str, str] | None] = None
    sleep: InitVar[Callable[[float], object]] = time.sleep
    on_wait: InitVar[Callable[[float, str], object] | None] = None

    page_size_seen: int | None = field(default=None, init=False)
    endpoint: str | None = field(default=None, init=False)
    shape: str | None = field(default=None, init=False)

    def __post_init__(
        self,
        key: str | None,
        retry_budget: float | None,
        proxy: str | None,
        environ: Mapping[str, str] | None,
        sleep: Callable[[float], object],
        on_wait: Callable[[float, str], object] | None,
    ) -> None:
        given = os.environ if environ is None else environ
        address = read_address(given.get("SECODA_API_URL") if self.url is None else self.url)
        self.url = address.text
        self.secret = read_key(given.get("SECODA_API_KEY") if key is None else key)
        if self.secret.stands_in(address.text):
            raise UsageError("The address holds the key", fix="Write the address without it")
        if not self.max_page_bytes > 0:
            raise UsageError("max_page_bytes must be above 0")
        self.query: Query = read_query(
            api=self.api,
            legacy={
                "days": self.days,
                "sender_id": self.sender_id,
                "resource_id": self.resource_id,
            },
            current={"filter": self.filter, "sort": self.sort},
            page_size=self.page_size,
        )
        self.usual = {name: dict(values) for name, values in self.query.usual.items()}
        budget = read_seconds(retry_budget, given, "AUDITLENS_RETRY_BUDGET", BUDGET)
        deadline = read_seconds(self.page_deadline, given, "AUDITLENS_PAGE_DEADLINE", DEADLINE)
        self.patience = RetryPolicy(budget, sleep=sleep, on_wait=on_wait)
        self.page_deadline = deadline or DEADLINE
        self.address = address
        self.exchange = HttpClient(
            address, self.secret, deadline=self.page_deadline, most=self.max_page_bytes, proxy=proxy
        )

    def __repr__(self) -> str:
        return f"SecodaSource({self.url!r}, api={self.api!r})"

    @property
    def name(self) -> str:
        """The workspace's identity: its address, and the part of the log asked for."""
        return f"secoda:{self.url}" + (f"?{self.query.view}" if self.query.view else "")

    def stop(self) -> None:
        """End a wait soon with Interrupted; a page in hand is finished if it comes quickly."""
        self.patience.stop()
        self.exchange.stop()

    def close(self) -> None:
        """Close the connection; it is opened again when needed."""
        self.exchange.close()

    def directory(self) -> SecodaDirectory:
        """The users, groups, teams, tags and resources beside the log, read with the same key."""
        return SecodaDirectory(self)

    def page(self, number: int) -> Page:
        """Fetch one page.

        Args:
            number: Its number, from 1.

        Returns:
            The page; where it is too large, put together from smaller ones.

        Raises:
            KeyRefused: The server answered 401 or 403.
            SourceError: No whole page came.
            Interrupted: The source was stopped while it waited.
            UsageError: ``number`` is below 1.
        """
        if number < 1:
            raise UsageError(f"There is no page {number}", fix="Pages count from 1")
        tried = []
        for endpoint in (self.endpoint,) if self.endpoint else self.query.generations:
            try:
                page = self.whole_page(endpoint, number)
            except EndpointMissingError as missing:
                tried.append(f"{self.address.url(ENDPOINTS[endpoint])} ({missing.answer.status})")
            else:
                self.endpoint = endpoint
                return page
        raise SourceError(
            f"No audit log at {' or '.join(tried)}",
            fix="Set SECODA_API_URL to your workspace's API address, "
            "such as https://api.secoda.co (US) or https://eapi.secoda.co (EU)",
        )

    def whole_page(self, endpoint: str, number: int) -> Page:
        """Fetch a page, in smaller pieces where it is too large and the API has page sizes."""
        while True:
            try:
                return self.one_page(endpoint, number)
            except BodyTooLargeError:
                size = self.wished_size(endpoint)
                if size is None or (self.page_size_seen is None and (size == 1 or number > 1)):
                    raise
                if self.page_size_seen is not None:
                    return self.in_parts(endpoint, number, self.page_size_seen)
                # No page was handed out yet, so page numbers may still change their meaning.
                self.usual[LEGACY]["page_size"] = str(size // 2)

    def in_parts(self, endpoint: str, number: int, size: int) -> Page:
        """Fetch a page as a run of smaller ones that cover the same records."""
        parts = next((each for each in range(2, size + 1) if size % each == 0), None)
        if parts is None:
            raise SourceError(
                f"One record of {ENDPOINTS[endpoint]} is larger than {self.max_page_bytes:,} bytes",
                fix="Allow larger pages (max_page_bytes)",
            )
        pages: list[Page] = []
        for each in range((number - 1) * parts + 1, number * parts + 1):
            try:
                page = self.one_page(endpoint, each, size=size // parts)
            except BodyTooLargeError:
                page = self.in_parts(endpoint, each, size // parts)
            if len(page.records) != size // parts and not page.last:
                raise SourceError(
                    f"{ENDPOINTS[endpoint]} is too large and does not keep to page_size",
                    fix="Allow larger pages (max_page_bytes)",
                )
            pages.append(page)
            if page.last:
                break
        return Page(
            number=number,
            records=tuple(record for page in pages for record in page.records),
            count=pages[0].count,
            last=pages[-1].last,
            endpoint=endpoint,
            request=pages[0].request,
            server_time=pages[0].server_time,
        )

    def wished_size(self, endpoint: str) -> int | None:
        text = self.parameters(endpoint).get("page_size")
        return int(text) if text else None

    def parameters(self, endpoint: str) -> dict[str, str]:
        """The parameters of a request, the page's number left out."""
        return {**self.query.chosen[endpoint], **self.usual[endpoint]}

    def one_page(self, endpoint: str, number: int, *, size: int | None = None) -> Page:
        """Ask for one page, again while that may help."""
        request = {**self.parameters(endpoint), "page": str(number)}
        if size is not None:
            request["page_size"] = str(size)
        try:
            return self.patience.run(lambda: self.ask(endpoint, number, request, size))
        except EndpointMissingError as missing:
            if self.endpoint is None or number == 1 or not missing.past_the_end:
                raise
            return Page(number, (), last=True, endpoint=endpoint, request=request)

    def ask(self, endpoint: str, number: int, request: dict[str, str], size: int | None) -> Page:
        """One request and its answer, read in full or not at all."""
        where = ENDPOINTS[endpoint]
        answer = self.exchange.get(where, request)
        if answer.status in (400, 422) and self.endpoint is None and self.usual[endpoint]:
            # Sort and page size are our wish, and what the server takes is not documented.
            for name in self.usual.pop(endpoint):
                request.pop(name, None)
            self.usual[endpoint] = {}
            answer = self.exchange.get(where, request)
        require_page(answer, where, self.secret)
        envelope = read_envelope(answer.body, number, where=where, key=self.secret)
        self.doubt(envelope, number, where)
        return self.understood(envelope, answer, endpoint, number, request, size)

    def doubt(self, envelope: Envelope, number: int, where: str) -> None:
        """Refuse an empty page that cannot be told from a failed one."""
        if self.shape is not None and (envelope.shape == "array") != (self.shape == "array"):
            raise PageFault(f"{where} changed its answers' shape between pages", fix=AGAIN)
        if envelope.records:
            return
        promised = number == 1 or number <= (envelope.total_pages or 0)
        if number == 1 and envelope.shape == "array":
            found = f"{where} sent an empty list, without saying that the log is empty"
        elif promised and envelope.count:
            found = f"{where} counts {count(envelope.count, 'record')}, but page {number} is empty"
        else:
            return
        raise PageFault(found, fix=AGAIN)

    def understood(
        self,
        envelope: Envelope,
        answer: Response,
        endpoint: str,
        number: int,
        request: dict[str, str],
        size: int | None,
    ) -> Page:
        found = len(envelope.records)
        usual = size or self.page_size_seen
        shorter = number > 1 and usual is not None and found < usual
        last = not found or (shorter if envelope.more is None else not envelope.more)
        self.shape = envelope.shape
        if size is None and (not last or self.page_size_seen is None):
            self.page_size_seen = max(found, self.page_size_seen or 0)
        return Page(
            number=number,
            records=envelope.records,
            count=envelope.count,
            total_pages=envelope.total_pages,
            last=last,
            endpoint=endpoint,
            request=request,
            server_time=answer.server_time,
        )
