"""The job: what ``auditlens run`` does. Read :func:`run_job` from top to bottom."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from auditlens.archive import Archive, ArchiveStatus
from auditlens.archive.sync import Flag
from auditlens.audit import Audit, run_audit
from auditlens.errors import (
    AuditLensError,
    Crash,
    IntegrityError,
    Interrupted,
    KeyRefused,
    SourceError,
    UsageError,
)
from auditlens.files import lock
from auditlens.findings import reaches
from auditlens.monthly.directory import (
    HasDirectory,
    directory_told,
    problems_told,
    pull_directory,
)
from auditlens.monthly.last_run import LastRun, compared_before, write_last_run
from auditlens.monthly.months import due_at, ended_months, first_whole_month
from auditlens.monthly.shelf import FINDINGS, Issue, Shelf, findings_digest
from auditlens.notify import Manner, Outbox, notice_of, send_waiting
from auditlens.pages import Source
from auditlens.period import Period
from auditlens.population import draw_population
from auditlens.provenance import run_time
from auditlens.report.folder import MANIFEST, write_folder
from auditlens.rules import roots_read
from auditlens.seals import FOLDER
from auditlens.settings import Settings, require_trusted
from auditlens.signoff.making import Making, files_of
from auditlens.signoff.record import make_record
from auditlens.triage import read_journal

__all__ = ["PATIENCE", "Job", "run_job"]

PATIENCE = timedelta(days=7)
"""How long a report that is due waits for a sync that is known to miss events."""


FAILED = "the sync failed"


@dataclass(frozen=True)
class Job:
    """What a run is told.

    ``source`` makes the source to pull from; None pulls nothing. ``period`` is ``last`` for every
    month that is due, or one month. ``tell`` is called with each sentence a person may want to
    read, ``stop`` is asked between any two steps, ``now`` is the time. ``manner`` is how messages
    are sent, ``environ`` where their secrets are.
    """

    settings: Settings
    out: Path
    source: Callable[[], Source] | None = None
    period: str = "last"
    tell: Callable[[str], None] = lambda _: None
    stop: Flag | None = None
    now: Callable[[], datetime] = run_time
    manner: Manner = field(default_factory=Manner)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @cached_property
    def archive(self) -> Archive:
        return Archive(self.settings.archive, signed=self.settings.journal_path.parent / FOLDER)

    @property
    def shelf(self) -> Shelf:
        return Shelf(self.out)

    @property
    def outbox(self) -> Outbox:
        return Outbox(self.settings.outbox_path)

    def making(self, amendment: int = 0) -> Making:
        """How the settings want a report made."""
        held = self.settings
        return Making(identity=held.identity, also=held.also, amendment=amendment)

    def go_on(self) -> None:
        """Raise Interrupted when the run was asked to stop."""
        if self.stop is not None and self.stop.is_set():
            raise Interrupted("Stopped as asked; what was finished is saved")


def run_job(job: Job) -> LastRun:
    """Sync, verify, write the report of every month that is due and has none, and tell of it.

    Holds a lock on the folder of reports throughout, and leaves ``last-run.json`` there whatever
    happens. A sync that fails for now (SourceError, KeyRefused) is told by the exit code; the
    archive is verified all the same, and reports wait for the next run.

    Raises LockHeld, at once and without a trace, when another run has the folder; UsageError,
    IntegrityError, DocumentErrors and Interrupted as its steps do.
    """
    require_trusted(job.settings.withheld, ("notify",))
    job.shelf.prepare(job.settings.archive)
    with lock(job.out):
        run = LastRun(started=job.now(), compared=dict(compared_before(job.out)))
        try:
            job.shelf.tidy()
            sync(job, run)
            verify(job, run)
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
    job.tell(f"sync: {done.new:,} new events; {done.statement}")
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
    if line := directory_told(run.directory):
        job.tell(line)
    if line := problems_told(run.directory):
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
            f"{problem.file}: {problem.text} ({len(found.problems)} problems)",
            fix="Run 'auditlens verify' and restore the archive from a copy",
        )
    job.tell(f"verified: {found.records:,} records, head {found.head}")


def report(job: Job, run: LastRun) -> None:
    """Write what is due: first reports, and amendments of those that late events changed."""
    if not job.settings.archive.is_dir():
        return
    status = job.archive.status(job.now())
    heed_unread(job, run)
    held = job.shelf.issues()
    for month in months(job, status, tuple(held)):
        job.go_on()
        label = month.label
        failed = run.outcome == "failed"
        reason = not_yet(job, month, status)
        if issue := held.get(label):
            if not failed:
                compare(job, run, month, issue)
        elif reason or (failed and not vouched_since(due(job, month), status)):
            reason = FAILED if failed else reason
            run.waiting[label] = reason
            job.tell(f"{label} waits: {reason}")
        else:
            audit = audited(job, month)
            write(job, run, audit, job.making(), draft(job, audit, job.making()))


def heed_unread(job: Job, run: LastRun) -> None:
    """Say how many records of the archive could not be read and that nobody acknowledged."""
    held = job.archive.unread()
    known = read_journal(job.settings.journal_path).acknowledged if held else frozenset()
    count = sum(one.id not in known for one in held)
    run.counts["unread"] = count
    if count:
        text = f"{count:,} records could not be read; 'auditlens exceptions unread' lists them"
        job.tell(text)
        run.worsen(3, text)


def months(job: Job, status: ArchiveStatus, reported: tuple[str, ...]) -> Iterator[Period]:
    """The months to look at: those asked for, else all since the first report or whole month."""
    if job.period != "last":
        yield Period.parse(job.period, timezone=job.settings.timezone)
    elif reported or status.first_at is not None:
        assert reported or status.first_at is not None
        zone = job.settings.timezone
        first = reported[0] if reported else first_whole_month(status.first_at, zone)  # type: ignore[arg-type]
        yield from ended_months(first, job.now(), zone)


def not_yet(job: Job, month: Period, status: ArchiveStatus) -> str:
    """Why the report of a month must wait; empty when it need not."""
    since = due(job, month)
    if job.now() < since:
        return f"it is due on {since:%Y-%m-%d %H:%M} UTC"
    if vouched_since(since, status):
        return ""
    if status.last_pull_at is None or status.last_pull_at < since:
        return f"no sync came to its end since {since:%Y-%m-%d %H:%M} UTC"
    if status.last_outcome == "incomplete" and job.now() < since + PATIENCE:
        return f"the last sync misses events; it waits until {since + PATIENCE:%Y-%m-%d} at most"
    return ""


def due(job: Job, month: Period) -> datetime:
    return due_at(month, job.settings.grace_days)


def vouched_since(moment: datetime, status: ArchiveStatus) -> bool:
    """Whether a sync vouches up to a moment or later; one that failed since changes nothing."""
    return status.complete_until is not None and status.complete_until >= moment


def compare(job: Job, run: LastRun, month: Period, issue: Issue) -> None:
    """Amend a report when other events came in since, and they change what was found."""
    digest, findings = issue.digests()
    _, coverage = draw_population(job.archive, month, job.settings, job.now())
    drawn = coverage.input_digest
    if drawn in (digest, run.compared.get(issue.month)):
        return
    making = job.making(issue.amendment + 1)
    audit = audited(job, month)
    files = draft(job, audit, making)
    if findings_digest(files[FINDINGS]) == findings:
        job.tell(f"{issue.month}: late events change no finding; the report stays")
        run.compared[issue.month] = drawn
    else:
        run.compared.pop(issue.month, None)
        write(job, run, audit, making, files)


def audited(job: Job, month: Period) -> Audit:
    return run_audit(job.archive, period=month, settings=job.settings, now=job.now())


def draft(job: Job, audit: Audit, making: Making) -> dict[str, bytes]:
    roots = roots_read(audit.rules, job.settings)
    return files_of(audit, making, make_record(audit, making, roots))


def write(job: Job, run: LastRun, audit: Audit, making: Making, files: dict[str, bytes]) -> None:
    """Put one report on the shelf, where nothing stands yet, and note what it means."""
    folder = job.shelf.place(audit.period.label, making.amendment)
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(
            f"{folder} holds something that is no report",
            fix="Move it away; the job needs the name",
        )
    # First what is to be told: a kill between the two then loses no message.
    for target in job.settings.notify.values():
        notice = notice_of(audit, folder.name, target)
        if notice is not None:
            job.outbox.add(folder.name, target.name, notice, job.now())
    write_folder(folder, files)
    run.months.append(folder.name)
    job.tell(f"{folder.name}: {audit.findings.height} findings, {audit.coverage.outcome}: {folder}")
    if audit.coverage.outcome == "incomplete":
        run.worsen(3, f"{folder.name}: {audit.coverage.statement}")
    elif audit.unjudged:
        run.worsen(3, f"{folder.name}: {audit.unjudged[0].statement}")
    elif counts(audit):
        run.worsen(1, f"{folder.name} has findings at {audit.settings.fail_on} or above")


def notify(job: Job, run: LastRun) -> None:
    """Send what waits, of this run and of earlier ones; what fails is kept for the next."""
    job.go_on()
    if not job.outbox.folder.is_dir():
        return
    manner = replace(job.manner, stands=lambda name: (job.out / name / MANIFEST).is_file())
    for sent in send_waiting(job.outbox, job.settings.notify, job.environ, job.now, manner):
        about = f"{sent.message.report} to {sent.message.target}"
        if sent.problem:
            run.undelivered[about] = sent.problem
            run.worsen(3, f"{about} was not delivered: {sent.problem}")
        else:
            run.delivered.append(about)
        job.tell(f"{about}: {sent.problem or 'delivered'}")
        job.go_on()


def counts(audit: Audit) -> bool:
    """Whether a finding that no exception expects reaches ``fail_on``."""
    return not audit.findings.filter(reaches(audit.settings.fail_on)).is_empty()
