"""What ``doctor`` asks: does the log answer, in which generation, with what clock and how much.

The shape of the answers is told without any value, for a first user to send: names of fields,
types, counts, lengths and formats. A name is told when it is documented, or when every one of
several records has it and it is a plain word; a key that may be data, as an id is, stands as ``*``.
Kinds of event are told as hashes unless they are asked for.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from auditlens.errors import KeyRefused, SourceError
from auditlens.events import JSON_ERRORS, Block, Person, Record, Thing, repair_json
from auditlens.pages import Page
from auditlens.sources.directory import ENDPOINTS as LISTINGS
from auditlens.sources.directory import adds_slash
from auditlens.sources.http import Response
from auditlens.sources.secoda import ENDPOINTS as LOGS
from auditlens.sources.secoda import SecodaSource
from auditlens.text import count

__all__ = ["Check", "Probe", "answer_shapes", "probe_source"]

NAMES = frozenset(
    {
        *Record.__struct_fields__, *Person.__struct_fields__, *Thing.__struct_fields__,
        *Block.__struct_fields__,
        "results", "count", "next", "previous", "total_pages", "meta", "links", "page",
        "next_page", "previous_page", "detail", "error", "message", "role", "groups", "users",
        "teams", "owners", "tags", "description", "disabled", "is_service_account", "last_active",
        "last_login", "verified", "pii", "published", "archived", "created_by", "updated_by",
    }
)  # fmt: skip
"""Names of fields that are documented, of the log's records, its pages and the listings."""

KINDS = ("event", "activity_type")
FREE = frozenset({"metadata", "performer_metadata", "resource_metadata"})
"""Objects whose further keys may be anything."""

PLAIN = re.compile(r"[a-z]+(?:_[a-z]+)*|[a-z]+(?:[A-Z][a-z]+)+")
ENOUGH = 3
DEEPEST = 6
TIME = re.compile(r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}[0-9T:.,Z+\- ]{0,30}")
FORMATS = (
    ("empty", re.compile(r"\s*")),
    ("a word for nothing or a boolean", re.compile(r"(?i)none|null|true|false")),
    ("uuid", re.compile(r"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")),
    ("digits", re.compile(r"[0-9]+")),
    ("email", re.compile(r"[^\s@]+@[^\s@]+")),
    ("address", re.compile(r"(?i)https?://\S*")),
    ("JSON", re.compile(r"\s*[\[{].*[\]}]\s*", re.DOTALL)),
    ("one word", re.compile(r"\S+")),
)
ASKED = (("page 1", {"page": "1"}), ("page 2", {"page": "2"}),
         ("page 1 with page_size", {"page": "1", "page_size": "5"}))  # fmt: skip


def answer_shapes(source: SecodaSource, *, kinds: bool = False) -> dict[str, Any]:
    """Ask every endpoint and tell what its answers look like.

    Args:
        source: the workspace; a dozen requests are sent to it, none twice.
        kinds: tell kinds of event as they are, in place of hashes.

    Returns:
        A document without any value of the answers: ``answers``, one for each request.
    """
    answers = []
    for path in LOGS.values():
        answers += [asked(source, path, name, query, kinds=kinds) for name, query in ASKED]
    for path in LISTINGS.values():
        answers.append(asked(source, path, "page 1", {"page": "1"}, kinds=kinds))
        if answers[-1].get("redirect") == "adds a slash":
            answers.append(asked(source, f"{path}/", "page 1", {"page": "1"}, kinds=kinds))
    return {"shape_version": 1, "kinds": "as they are" if kinds else "hashed", "answers": answers}


def asked(
    source: SecodaSource, path: str, name: str, query: Mapping[str, str], *, kinds: bool
) -> dict[str, Any]:
    """One request and what its answer looks like."""
    told: dict[str, Any] = {"path": path, "asked": name}
    try:
        answer = source.exchange.get(path, query)
    except SourceError as error:
        return {**told, "failed": type(error).__name__}
    told |= {"status": answer.status, "date_header": answer.server_time is not None}
    if answer.retry_after is not None:
        told["retry_after"] = form_of(answer.retry_after)
    if 300 <= answer.status < 400:
        slash = adds_slash(answer, source.address, path, query)
        told["redirect"] = "adds a slash" if slash else "elsewhere"
    return told | body_shape(answer, kinds=kinds)


def body_shape(answer: Response, *, kinds: bool) -> dict[str, Any]:
    """What the body is: its envelope, and its records."""
    told: dict[str, Any] = {"bytes": magnitude(len(answer.body))}
    try:
        said = msgspec.json.decode(repair_json(answer.body))
    except JSON_ERRORS:
        return {**told, "body": "empty" if not answer.body.strip() else "no JSON"}
    records = said.get("results") if isinstance(said, dict) else said
    if not isinstance(records, list):
        return {**told, "body": shape([said])}
    if isinstance(said, dict):
        told["envelope"] = shape([{k: v for k, v in said.items() if k != "results"}])
    told |= {"records": len(records), "record": shape(records)}
    for key in KINDS:
        found = Counter(one[key] for one in records if isinstance(one, dict) and one.get(key)
                        and isinstance(one[key], str))  # fmt: skip
        if found:
            told[f"kinds of {key}"] = {
                kind if kinds else "sha256:" + hashlib.sha256(kind.encode()).hexdigest()[:12]: met
                for kind, met in sorted(found.items())
            }
    return told


def shape(values: Iterable[Any], *, free: bool = False, depth: int = 0) -> dict[str, Any]:
    """What some values of one place have in common: types, lengths, formats, fields."""
    held = list(values)
    told: dict[str, Any] = {"types": dict(sorted(Counter(map(type_of, held)).items()))}
    texts = [value for value in held if isinstance(value, str)]
    if texts:
        told["lengths"] = span(map(len, texts))
        told["formats"] = dict(sorted(Counter(map(form_of, texts)).items()))
    whole = [value for value in held if type(value) is int]
    if whole:
        told["digits"] = span(len(str(abs(value))) for value in whole)
    lists = [value for value in held if isinstance(value, list)]
    if lists:
        told["list_lengths"] = span(map(len, lists))
    if depth < DEEPEST:
        if inner := [one for value in lists for one in value]:
            told["elements"] = shape(inner, free=free, depth=depth + 1)
        if objects := [value for value in held if isinstance(value, dict)]:
            told["fields"] = fields(objects, free=free, depth=depth)
    return told


def fields(objects: list[dict[str, Any]], *, free: bool, depth: int) -> dict[str, Any]:
    """The fields of some objects by name; those whose name may be data together."""
    places: dict[str, list[Any]] = {}
    hidden: set[str] = set()
    counts = Counter(key for one in objects for key in one)
    for key, met in sorted(counts.items()):
        plain = not free and met == len(objects) >= ENOUGH and PLAIN.fullmatch(key)
        name = key if key in NAMES or plain else "*"
        if name == "*":
            hidden.add(key)
        places.setdefault(name, []).extend(one[key] for one in objects if key in one)
    told = {
        name: {
            "in": len(found),
            **shape(found, free=free or name == "*" or name in FREE, depth=depth + 1),
        }
        for name, found in sorted(places.items())
    }
    if hidden:
        told["*"] |= {"names": len(hidden), "name_lengths": span(map(len, hidden))}
    return told


def type_of(value: Any) -> str:
    names = {dict: "object", list: "list", str: "text", bool: "boolean", int: "integer"}
    return "null" if value is None else names.get(type(value), "number")


def form_of(text: str) -> str:
    """How a text is built: a format, or a time with each digit as 9."""
    if TIME.fullmatch(text.strip()):
        return "time " + re.sub("[0-9]", "9", text.strip())
    return next((name for name, form in FORMATS if form.fullmatch(text)), "several words")


def span(lengths: Iterable[int]) -> list[int]:
    """The least and the most, rounded to powers of two so that none can be told from it."""
    held = [magnitude(length) for length in lengths]
    return [min(held), max(held)]


def magnitude(number: int) -> int:
    """The next power of two."""
    return 1 << (number - 1).bit_length() if number > 1 else number


SKEW = 300
CEILING = 10_000


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Attributes:
        name: ``server``, ``key``, ``endpoint``, ``records`` or ``clock``.
        ok: Whether it is fine.
        found: What was found.
        fix: What to do; empty where nothing is wrong.
    """

    name: str
    ok: bool
    found: str
    fix: str = ""


@dataclass(frozen=True)
class Probe:
    """What one request for the first page of a log shows.

    Attributes:
        url: The address that was asked.
        endpoint: The generation that answered, ``legacy`` or ``current``; None without an answer.
        shape: How the answer wraps its records; None without an answer.
        count: The server's own total; None when it gives none.
        page_size: Records that came; None without an answer.
        skew_seconds: The server's clock less ours, in seconds; None when it sends no time.
        checks: What was looked at, in order.
        exit_code: That of the error met; 0 when there was none.
    """

    url: str
    endpoint: str | None
    shape: str | None
    count: int | None
    page_size: int | None
    skew_seconds: float | None
    checks: tuple[Check, ...]
    exit_code: int

    @property
    def ok(self) -> bool:
        """Whether every check is fine."""
        return all(check.ok for check in self.checks)


def probe_source(source: SecodaSource) -> Probe:
    """Ask for page 1 without trying again, and lay out what it shows.

    Args:
        source: The workspace.

    Returns:
        The checks. A failed request is one that is not ``ok``, never raised.
    """
    patient = source.patience
    source.patience = dataclasses.replace(patient, tries=1, budget=0.0)
    url = source.url or ""
    try:
        page = source.page(1)
    except SourceError as error:
        return failed(error, url)
    finally:
        source.patience = patient
    skew = (page.server_time - datetime.now(UTC)).total_seconds() if page.server_time else None
    return Probe(
        url=url,
        endpoint=page.endpoint,
        shape=source.shape,
        count=page.count,
        page_size=len(page.records),
        skew_seconds=skew,
        checks=checks_of(page, url, skew),
        exit_code=0,
    )


def failed(error: SourceError, url: str) -> Probe:
    """A refused key says that the server answers; any other error leaves that open."""
    refused = isinstance(error, KeyRefused)
    bad = Check("key" if refused else "server", ok=False, found=error.message, fix=error.fix)
    checks = (Check("server", ok=True, found=f"{url} answers"), bad) if refused else (bad,)
    return Probe(url, None, None, None, None, None, checks, error.exit_code)


def checks_of(page: Page, url: str, skew: float | None) -> tuple[Check, ...]:
    found = "no count given" if page.count is None else f"{count(page.count, 'record')} counted"
    # A count that stands at its ceiling is round; one above it shows there is none.
    full = page.count is not None and page.count > 0 and page.count % CEILING == 0
    return (
        Check("server", ok=True, found=f"{url} answers"),
        Check("key", ok=True, found="accepted"),
        Check("endpoint", ok=True, found=f"the {page.endpoint} API"),
        Check(
            "records",
            ok=not full,
            found=f"{found}, {len(page.records)} on the first page",
            fix="The count may stop at a ceiling; sync more often and keep the archive" * full,
        ),
        clock(skew),
    )


def clock(skew: float | None) -> Check:
    if skew is None:
        return Check("clock", ok=True, found="the server tells no time")
    apart = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this machine"
    near = abs(skew) <= SKEW
    return Check(
        "clock",
        ok=near,
        found="within 2 s of this machine" if abs(skew) <= 2 else f"the server is {apart}",
        fix="" if near else "Set this machine's clock by NTP",
    )
