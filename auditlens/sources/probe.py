"""What ``doctor`` asks: does the log answer, which generation, with what clock and how much."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from auditlens.errors import KeyRefused, SourceError
from auditlens.pages import Page

if TYPE_CHECKING:
    from auditlens.sources.secoda import SecodaSource

__all__ = ["Check", "Probe", "probe"]

SKEW = 300
CEILING = 10_000


@dataclass(frozen=True)
class Check:
    """One thing looked at: its name, whether it is fine, what was found, and what to do."""

    name: str
    ok: bool
    found: str
    fix: str = ""


@dataclass(frozen=True)
class Probe:
    """The findings of one request for the first page.

    ``endpoint`` is the generation that answered, ``skew_seconds`` the server's clock minus ours,
    ``count`` the server's own total, ``page_size`` the records that came. All are None when
    unknown. ``exit_code`` is that of the worst error met, 0 when there was none.
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


def probe(source: SecodaSource) -> Probe:
    """Ask for page 1 without trying again, and lay out what it shows."""
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
    found = "no count given" if page.count is None else f"{page.count:,} records counted"
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
