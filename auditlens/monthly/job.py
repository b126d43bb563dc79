"""The monthly job: what ``auditlens run`` does. Read :func:`run_job` from top to bottom."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import polars as pl

from auditlens.archive import Archive, ArchiveStatus
from auditlens.archive.sync import Flag
from auditlens.audit import Audit, run_audit
from auditlens.cases import case_reaches
from auditlens.errors import (
    AuditLensError,
    Crash,
    IntegrityError,
    Interrupted,
    KeyRefused,
    LockHeld,
    SourceError,
    UsageError,
)
from auditlens.events.dates import dated
from auditlens.files import lock
from auditlens.loading import load_population
from auditlens.monthly.monitoring import LastRun, compared_before, utc_text, write_last_run
from auditlens.monthly.store import FINDINGS, MONTHLY, ReportStore, StoredReport, findings_digest
from auditlens.notify import (
    Outbox,
    SendOptions,
    case_notice,
    digest_notice,
    notice_of,
    send_waiting,
)
from auditlens.pages import DirectorySource, Listing, Source
from auditlens.period import Period, run_time, zone
from auditlens.report import write_folder
from auditlens.review import ReportOptions, make_record, note_shown, report_files
from auditlens.rules import roots_read
from auditlens.seals import signed_folder
from auditlens.settings import Settings, require_trusted
from auditlens.text import count
from auditlens.triage import change_of, ledger_path, read_journal, record_cases, untold

INCOMPLETE_WAIT = timedelta(days=7)
"""How long a report that is due waits for a sync that is known to miss events."""
LONG_SILENCE = timedelta(days=731)
"""A log that is silent for so long begins anew after it."""
FAILED = "the sync failed"


@dataclass(frozen=True)
class Job:
    """One monthly job.

    Attributes:
        settings: Archive, rules, journal, how reports are made, who is notified.
        out: The folder of all reports, one folder a month.
        source: Makes the source to pull from; None pulls nothing.
        period: ``last`` for every month that is due, or one month, ``2026-10``.
        tell: Called with each sentence a person may want to read.
        stop: Asked between any two steps.
        now: The time, in UTC.
        send_options: How messages are sent.
        environ: Where their secrets are.
    """

    settings: Settings
    out: Path
    source: Callable[[], Source] | None = None
    period: str = "last"
    tell: Callable[[str], None] = lambda _: None
    stop: Flag | None = None
    now: Callable[[], datetime] = run_time
    send_options: SendOptions = field(default_factory=SendOptions)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @cached_property
    def archive(self) -> Archive:
        return Archive(self.settings.archive, signed=signed_folder(self.settings.journal_path))

    @property
    def store(self) -> ReportStore:
        return ReportStore(self.out)

    @property
    def outbox(self) -> Outbox:
        return Outbox(self.settings.outbox_path)

    def options(self, amendment: int = 0) -> ReportOptions:
        """How the settings want a report made."""
        held = self.settings
        return ReportOptions(identity=held.identity, also=held.also, amendment=amendment)

    def go_on(self) -> None:
        """Raise Interrupted when the run was asked to stop."""
        if self.stop is not None and self.stop.is_set():
            raise Interrupted("Stopped as asked; what was finished is saved")


def run_job(job: Job) -> LastRun:
    """Sync, verify, write the report of every month that is due and has none, and send notices.

    Holds a lock on the folder of reports throughout, and leaves ``last-run.json`` there whatever
    happens. A sync that fails for now (SourceError, KeyRefused) sets the exit code; the archive is
    verified all the same, and reports wait for the next run.

    Args:
        job: Settings, folders and source of the run.

    Returns:
        What was done, with the exit code.

    Raises:
        LockHeld: Another run has the folder; raised at once, and nothing was touched.
        UsageError: A setting, a rule or a folder cannot be used.
        IntegrityError: The archive, the sign-offs or a report are not as they were written.
        DocumentErrors: The rules have faults.
        Interrupted: ``job.stop`` was set.
    """
    require_trusted(job.settings.withheld, ("notify",))
    job.store.prepare(job.settings.archive)
    with lock(job.out):
        run = LastRun(started=job.now(), compared=dict(compared_before(job.out)))
        try:
            job.store.remove_unfinished()
            sync(job, run)
            verify(job, run)
            alert(job, run)
            report(job, run)
            notify(job, run)
        except AuditLensError as error:
            run.end_with(error.exit_code, str(error))
            raise
        except (KeyboardInterrupt, SystemExit):
            run.end_with(Interrupted.exit_code, "The run was broken off")
            raise
        except BrokenPipeError:
            run.end_with(141, "The run was broken off: nobody read its messages any more")
            raise
        except BaseException as error:
            told = Crash.of(error)
            run.end_with(told.exit_code, str(told))
            raise
        finally:
            run.ended = job.now()
            write_last_run(job.out, run)
    return run


def sync(job: Job, run: LastRun) -> None:
    """Pull what is new; a source that fails now may answer tomorrow."""
    job.go_on()
    if job.source is None:
        return
    source = job.source()
    try:
        done = job.archive.sync(source, stop=job.stop, now=job.now)
    except (SourceError, KeyRefused) as error:
        run.outcome = "failed"
        run.worsen(error.exit_code, str(error))
        job.tell(f"sync failed: {error}")
        return
    run.outcome = done.outcome
    for name in ("new", "seen", "changed", "late", "quarantined", "pages"):
        run.counts[name] = getattr(done, name)
    job.tell(f"sync: {count(done.new, 'new event')}; {done.statement}")
    if done.outcome == "incomplete":
        run.worsen(3, done.statement)
    if job.settings.directory:
        sync_directory(job, source, run)


def sync_directory(job: Job, source: Source, run: LastRun) -> None:
    """Pull users, groups, tags and resources; what fails is told and holds no report back."""
    job.go_on()
    if not isinstance(source, HasDirectory):
        job.tell("this source has no directory")
        return
    run.directory = pull_directory(job.archive, source.directory(), job.now)
    if line := directory_line(run.directory):
        job.tell(line)
    if line := directory_problems(run.directory):
        job.tell(line)
        run.worsen(3, line)


def verify(job: Job, run: LastRun) -> None:
    """Check every byte of the archive. Raises IntegrityError for the first that changed."""
    job.go_on()
    if job.source is not None and not job.settings.archive.is_dir():
        return
    found = job.archive.verify()
    run.head = found.head
    run.counts["verified"] = found.records
    if found.problems:
        problem = found.problems[0]
        raise IntegrityError(
            f"{problem.file}: {problem.text} ({count(len(found.problems), 'problem')})",
            fix="Run 'auditlens verify' and restore the archive from a copy",
        )
    job.tell(f"verified: {count(found.records, 'record')}, head {found.head}")


def alert(job: Job, run: LastRun) -> None:
    """Tell of cases of ``alert_level`` and above that are new, raised or reopened since told.

    Looked at are the month that goes on and the one before it while that has no report; a report
    and its amendments are told of by themselves. A case is noted as told after its messages are
    queued, so a kill in between queues them again under the same id.
    """
    if not job.settings.notify or not job.settings.archive.is_dir():
        return
    held = job.store.latest()
    for month in months_watched(job.now(), job.settings.timezone):
        goes_on = month.end > job.now()
        if not goes_on and month.label in held:
            continue
        job.go_on()
        audit = audit_month(job, month)
        tell_of_cases(job, run, audit)
        if goes_on and job.settings.digest:
            tell_weekly(job, audit)


def months_watched(now: datetime, timezone: str) -> tuple[Period, Period]:
    """The month before the one that goes on, and that one."""
    first = now.astimezone(zone(timezone)).date().replace(day=1)
    labels = (f"{first - timedelta(days=1):%Y-%m}", f"{first:%Y-%m}")
    before, current = (Period.parse(label, timezone=timezone) for label in labels)
    return before, current


def tell_of_cases(job: Job, run: LastRun, audit: Audit) -> None:
    """Queue a message to each receiver for each case that changed, then note it as told."""
    changed = untold(audit.cases, audit.ledger, by="message")
    changed = changed.filter(case_reaches(job.settings.alert_level))
    told = [row["case_id"] for row in changed.iter_rows(named=True) if queue_case(job, audit, row)]
    run.alerts += told
    shown = changed.filter(pl.col("case_id").is_in(told))
    if not shown.is_empty():
        record_cases(
            ledger_path(job.settings.journal_path),
            shown,
            audit.findings,
            period=audit.period.label,
            at=job.now(),
            by="message",
        )


def queue_case(job: Job, audit: Audit, row: Mapping[str, Any]) -> bool:
    """Queue what is new about a case; False where every receiver asked for higher levels only."""
    before = audit.ledger.shown(row["case_id"], by="message")
    change = change_of(row, before[-1] if before else None)
    number = len(before) + 1
    name = f"{row['case_id']}.{number}"
    key = {"case": row["case_id"], "change": change, "number": number}
    queued = False
    for target in job.settings.notify.values():
        notice = case_notice(audit, row, change, name, target)
        if notice is not None:
            job.outbox.add(name, target.name, notice, job.now(), key)
            queued = True
    if queued:
        job.tell(f"{change} {row['level']} case {row['case_id']}: {row['headline']}")
    return queued


def tell_weekly(job: Job, audit: Audit) -> None:
    """Queue the list of cases that wait for a decision, once in an ISO week."""
    year, week, _ = job.now().astimezone(zone(job.settings.timezone)).isocalendar()
    name = f"digest-{year}-W{week:02d}"
    for target in job.settings.notify.values():
        notice = digest_notice(audit, name, target)
        if notice is not None:
            job.outbox.add(name, target.name, notice, job.now(), {"digest": name})


def report(job: Job, run: LastRun) -> None:
    """Write what is due: first reports, and amendments of those that late events changed."""
    if not job.settings.archive.is_dir():
        return
    status = job.archive.status(job.now())
    count_unread(job, run)
    held = job.store.latest()
    for month in months_due(job, run, status, tuple(held)):
        job.go_on()
        label = month.label
        failed = run.outcome == "failed"
        reason = not_yet(job, month, status)
        if stored := held.get(label):
            if not failed:
                amend_if_changed(job, run, month, stored)
        elif reason or (failed and not vouched_since(due(job, month), status)):
            reason = FAILED if failed else reason
            run.waiting[label] = reason
            job.tell(f"Report for {label} deferred: {reason}")
        else:
            audit = audit_month(job, month)
            write(job, run, audit, job.options(), draft_files(job, audit, job.options()))


def count_unread(job: Job, run: LastRun) -> None:
    """Say how many records of the archive could not be read and that nobody acknowledged."""
    held = job.archive.unread()
    known = read_journal(job.settings.journal_path).acknowledged if held else frozenset()
    unread = sum(one.id not in known for one in held)
    run.counts["unread"] = unread
    if unread:
        listed = "'auditlens exceptions unread' lists them"
        text = f"{count(unread, 'unreadable record')}, not acknowledged; {listed}"
        job.tell(text)
        run.worsen(3, text)


def months_due(
    job: Job, run: LastRun, status: ArchiveStatus, reported: tuple[str, ...]
) -> Iterator[Period]:
    """The months to look at: those asked for, else all since the first report or whole month.

    Months whose events stand alone, long before all others, are told and left to be asked for.
    """
    zone = job.settings.timezone
    if job.period != "last":
        yield Period.parse(job.period, timezone=zone)
    elif reported:
        yield from ended_months(reported[0], job.now(), zone)
    elif status.first_at is not None:
        begins, alone = log_begins(job.archive.scan(), job.now(), zone)
        for label in alone:
            reason = f"its events stand alone, years before all others: run --period {label}"
            run.waiting[label] = reason
            job.tell(f"Report for {label} deferred: {reason}")
        yield from ended_months(first_whole_month(begins or status.first_at, zone), job.now(), zone)


def log_begins(
    events: pl.LazyFrame, now: datetime, timezone: str
) -> tuple[datetime | None, tuple[str, ...]]:
    """When a log begins, and the months before that hold an event all the same.

    One event with the date of a clock never set would make hundreds of empty months due: where
    the log is silent for more than two years, it begins after that silence.

    Args:
        events: ``created_at`` (Datetime, UTC); more columns do not matter.
        now: Our clock (UTC). What is dated later than a day after it does not count.
        timezone: The zone of the months.

    Returns:
        The first event after the last such silence (None: no event), and the months before.
    """
    at = pl.col("created_at")
    months = (
        events.filter(dated(now))
        .group_by(at.dt.convert_time_zone(timezone).dt.strftime("%Y-%m").alias("month"))
        .agg(first=at.min(), last=at.max())
        .sort("first")
        .with_columns(silent=(pl.col("first") - pl.col("last").shift()) > LONG_SILENCE)
        .collect()
    )
    begins = max(months["silent"].arg_true(), default=0)
    return (
        months["first"][begins] if months.height else None,
        tuple(months["month"][:begins]),
    )


def not_yet(job: Job, month: Period, status: ArchiveStatus) -> str:
    """Why the report of a month must wait; empty when it need not."""
    since = due(job, month)
    if job.now() < since:
        return f"it is due on {since:%Y-%m-%d %H:%M} UTC"
    if vouched_since(since, status):
        return ""
    if status.last_pull_at is None or status.last_pull_at < since:
        return f"no sync has completed since {since:%Y-%m-%d %H:%M} UTC"
    latest = since + INCOMPLETE_WAIT
    if status.last_outcome == "incomplete" and job.now() < latest:
        return f"the last sync is incomplete. Due by {latest:%Y-%m-%d}."
    return ""


def due(job: Job, month: Period) -> datetime:
    return due_at(month, job.settings.grace_days)


def vouched_since(moment: datetime, status: ArchiveStatus) -> bool:
    """Whether a sync vouches up to a moment or later; one that failed since changes nothing."""
    return status.complete_until is not None and status.complete_until >= moment


def amend_if_changed(job: Job, run: LastRun, month: Period, stored: StoredReport) -> None:
    """Amend a report when other events came in since, and they change what was found."""
    digest, findings = stored.digests()
    _, coverage = load_population(job.archive, month, job.settings, job.now())
    drawn = coverage.input_digest
    if drawn in (digest, run.compared.get(stored.month)):
        return
    options = job.options(stored.amendment + 1)
    audit = audit_month(job, month)
    files = draft_files(job, audit, options)
    if findings_digest(files[FINDINGS]) == findings:
        job.tell(f"{stored.month}: late events change no finding; the report stays")
        run.compared[stored.month] = drawn
    else:
        run.compared.pop(stored.month, None)
        write(job, run, audit, options, files)


def audit_month(job: Job, month: Period) -> Audit:
    return run_audit(job.archive, period=month, settings=job.settings, now=job.now())


def draft_files(job: Job, audit: Audit, options: ReportOptions) -> dict[str, bytes]:
    roots = roots_read(audit.rules, job.settings)
    return report_files(audit, options, make_record(audit, options, roots))


def write(
    job: Job, run: LastRun, audit: Audit, options: ReportOptions, files: dict[str, bytes]
) -> None:
    """Put one report into the store, where nothing stands yet, and note what it means."""
    folder = job.store.path_of(audit.period.label, options.amendment)
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(
            f"{folder} contains files that are not a report",
            fix="Move it away; the job needs the name",
        )
    # First what is to be told: a kill between the two then loses no message.
    for target in job.settings.notify.values():
        notice = notice_of(audit, folder.name, target)
        if notice is not None:
            job.outbox.add(folder.name, target.name, notice, job.now())
    write_folder(folder, files)
    note_shown(audit)
    run.months.append(folder.name)
    job.tell(
        f"{folder.name}: {count(audit.findings.height, 'finding')}, "
        f"{audit.coverage.outcome}: {folder}"
    )
    if audit.coverage.outcome == "incomplete":
        run.worsen(3, f"{folder.name}: {audit.coverage.statement}")
    elif audit.unjudged:
        run.worsen(3, f"{folder.name}: {audit.unjudged[0].statement}")
    elif audit.fails():
        level = audit.settings.fail_on or audit.settings.fail_on_finding
        run.worsen(1, f"{folder.name} has cases to decide, or findings, at {level} or above")


def notify(job: Job, run: LastRun) -> None:
    """Send what waits, of this run and of earlier ones; what fails is kept for the next."""
    job.go_on()
    if not job.outbox.folder.is_dir():
        return
    options = replace(job.send_options, report_exists=partial(stands, job.store))
    for sent in send_waiting(job.outbox, job.settings.notify, job.environ, job.now, options):
        about = f"{sent.message.report} to {sent.message.target}"
        if sent.problem:
            run.undelivered[about] = sent.problem
            run.worsen(3, f"{about} was not delivered: {sent.problem}")
        else:
            run.delivered.append(about)
        job.tell(f"{about}: {sent.problem or 'delivered'}")
        job.go_on()


def stands(store: ReportStore, name: str) -> bool:
    """Whether what a message tells of is there: a report's folder; a case is on record anyway."""
    return not MONTHLY.fullmatch(name) or store.holds(name)


@runtime_checkable
class HasDirectory(Protocol):
    """A source that knows users, groups, teams, tags and resources as well."""

    def directory(self) -> DirectorySource:
        """What to pull them from."""


def pull_directory(
    archive: Archive, source: DirectorySource, now: Callable[[], datetime] | None = None
) -> dict[str, Any]:
    """Pull every listing and seal what came.

    Args:
        archive: Keeps the snapshot.
        source: The listings.
        now: The clock, in UTC; default: that of the machine.

    Returns:
        ``at`` (text, UTC) and ``hash`` (hex) of the snapshot, both None when nothing came;
        ``rows``, records by listing; ``problems``, a sentence by listing, or for ``directory`` as a
        whole.

    Raises:
        Interrupted: The source was stopped.
        IntegrityError: The archive is damaged.
    """
    pulled: dict[str, Any] = {"at": None, "hash": None, "rows": {}, "problems": {}}
    listings: tuple[Listing, ...] = ()
    try:
        when = {"now": now} if now else {}
        sealed, listings = archive.pull_directory(source, **when)
        if sealed is not None:
            pulled |= {"at": utc_text(sealed.snapshot.at), "hash": sealed.hash}
    except (SourceError, UsageError, LockHeld) as error:
        pulled["problems"]["directory"] = error.message
    pulled["rows"] = {one.name: len(one.records) for one in listings if not one.problem}
    pulled["problems"] |= {one.name: one.problem for one in listings if one.problem}
    return pulled


def directory_line(pulled: dict[str, Any]) -> str:
    """One line about the listings that came.

    Args:
        pulled: What :func:`pull_directory` gave.

    Returns:
        Counts by listing, and the start of the seal; empty when nothing came.
    """
    if not pulled["hash"]:
        return ""
    rows = ", ".join(f"{count:,} {name}" for name, count in pulled["rows"].items())
    return f"directory: {rows}, sealed {pulled['hash'][:16]}…"


def directory_problems(pulled: dict[str, Any]) -> str:
    """One line about the listings that did not come.

    Args:
        pulled: What :func:`pull_directory` gave.

    Returns:
        The problems; empty when all came.
    """
    if not pulled["problems"]:
        return ""
    return "the directory is not whole: " + "; ".join(pulled["problems"].values())


def due_at(month: Period, grace_days: int) -> datetime:
    """When the report of a month may be made.

    Args:
        month: The month.
        grace_days: Days left for late events.

    Returns:
        In UTC: midnight in the month's zone, so many days after its end.
    """
    local = zone(month.timezone)
    day = month.end.astimezone(local).date() + timedelta(days=grace_days)
    return datetime(day.year, day.month, day.day, tzinfo=local).astimezone(UTC)


def first_whole_month(first_at: datetime, timezone: str) -> str:
    """The first month that a log can hold whole.

    Args:
        first_at: Its first event. A log that begins on the first day of a month counts as whole.
        timezone: IANA name of the zone of the months.

    Returns:
        The month, as ``2026-10``.
    """
    day = first_at.astimezone(zone(timezone)).date()
    return f"{day if day.day == 1 else next_month(day):%Y-%m}"


def ended_months(first: str, now: datetime, timezone: str) -> Iterable[Period]:
    """Every month from a first to the last that ended, in order.

    Args:
        first: The first month, as ``2026-10``.
        now: The moment by which a month has to be over.
        timezone: IANA name of the zone whose midnights are the edges.

    Yields:
        Each month.
    """
    day = date.fromisoformat(f"{first}-01")
    while True:
        month = Period.parse(f"{day:%Y-%m}", timezone=timezone)
        if month.end > now:
            return
        yield month
        day = next_month(day)


def next_month(day: date) -> date:
    """The first day of the month after ``day``."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)
